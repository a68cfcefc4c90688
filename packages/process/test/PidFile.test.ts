import { PidFile, ProcessIdentity } from "@coppice/process"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, FileSystem, Option, Queue, Scope } from "effect"
import { spawn } from "node:child_process"
import { userInfo } from "node:os"
import { FaultyFiles, withFolder } from "./support/files.ts"

const modeOf = (path: string) =>
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (files) => files.stat(path)),
    ({ mode }) => mode & 0o777
  )

/** What is in a folder, by name. */
const contents = Effect.fnUntraced(function*(folder: string) {
  const files = yield* FileSystem.FileSystem
  const names = yield* files.readDirectory(folder)
  const texts = yield* Effect.forEach(
    names.toSorted(),
    (name) => Effect.map(files.readFileString(`${folder}/${name}`), (text) => [name, text] as const)
  )
  return Object.fromEntries(texts)
})

const put = (path: string, content: unknown) =>
  Effect.flatMap(
    FileSystem.FileSystem,
    (files) => files.writeFileString(path, typeof content === "string" ? content : JSON.stringify(content))
  )

const recordOf = <E, R>(acquire: Effect.Effect<PidFile.PidFile, E, R>) =>
  Effect.flatMap(acquire, ({ record }) => record)

/** A process that lives until the scope closes. */
const sleeper = Effect.acquireRelease(
  Effect.sync(() => spawn("/bin/sleep", ["600"], { stdio: "ignore" })),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

/** The identity of a process that has ended. */
const ended = Effect.callback<ProcessIdentity.ProcessIdentity>((resume) => {
  const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" })
  const identity = ProcessIdentity.of(child.pid!)
  child.once("exit", () => resume(Effect.succeed(identity)))
  child.kill("SIGKILL")
})

const exitSignal = (child: ReturnType<typeof spawn>) =>
  Effect.callback<string | null>((resume) => {
    if (child.signalCode !== null) return resume(Effect.succeed(child.signalCode))
    child.once("exit", (_, signal) => resume(Effect.succeed(signal)))
  })

describe("PidFile.acquire", () => {
  it.effect("makes a file that everybody may read, in a folder that it makes, and removes it in the end", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const [run, path] = [`${folder}/a/run`, `${folder}/a/run/shop.pid`]
        const scope = yield* Scope.make()
        const { record: current } = yield* Scope.provide(PidFile.acquire(path, { port: 8080 }), scope)
        const record = yield* current
        assert.deepStrictEqual(record, {
          version: 1,
          id: record.id!,
          ...ProcessIdentity.of(process.pid),
          owner: userInfo().username,
          port: 8080,
          command: `node ${process.argv[1]}`,
          startedAt: "1970-01-01T00:00:00.000Z"
        })
        assert.deepStrictEqual(yield* contents(run), { "shop.pid": `${JSON.stringify(record)}\n` })
        const umask = process.umask()
        assert.deepStrictEqual([yield* modeOf(path), yield* modeOf(run)], [0o644 & ~umask, 0o755 & ~umask])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* files.readDirectory(run), [])
      })
    ))

  it.effect("refuses a second start, by whatever path, and says who runs and what to do", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const record = yield* recordOf(PidFile.acquire(path, { owner: "alice", port: 8080, command: "shop serve" }))
        const before = yield* contents(folder)
        const error = yield* Effect.flip(
          Effect.scoped(PidFile.acquire(`${folder}/../${folder.split("/").at(-1)}/shop.pid`))
        )
        assert.deepStrictEqual(error, new PidFile.AlreadyRunning({ path, ...record }))
        assert.strictEqual(
          error.message,
          `shop is already running: pid ${process.pid} (shop serve) since 1970-01-01T00:00:00.000Z, port 8080, ` +
            `started by alice; stop it with "kill ${process.pid}", or remove ${path} if that is wrong`
        )
        assert.deepStrictEqual(yield* contents(folder), before)
      })
    ))

  for (
    const [what, make] of [
      ["of a process that has ended", ended],
      ["whose pid is another's by now", Effect.map(sleeper, ({ pid }) => ({ pid, startTime: "before" }))],
      ["with the pid of this process, but not its start", Effect.succeed({ pid: process.pid, startTime: "before" })]
    ] as const
  ) {
    it.effect(`clears a file ${what}`, () =>
      withFolder((folder, messages) =>
        Effect.gen(function*() {
          const stale = yield* make
          yield* put(`${folder}/shop.pid`, { ...stale, owner: "alice" })
          const record = yield* recordOf(PidFile.acquire(`${folder}/shop.pid`))
          assert.deepStrictEqual(yield* contents(folder), { "shop.pid": `${JSON.stringify(record)}\n` })
          assert.deepStrictEqual(yield* Queue.clear(messages), [
            `Info: /shop.pid was left behind by pid ${stale.pid}, which has ended`
          ])
        })
      ))
  }

  it.effect("understands a bare number: one that lives is running", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const { pid } = yield* sleeper
        yield* put(path, `${pid}\n`)
        const error = yield* Effect.flip(PidFile.acquire(path))
        assert.deepStrictEqual(error, new PidFile.AlreadyRunning({ path, pid: pid! }))
        assert.strictEqual(
          error.message,
          `shop is already running: pid ${pid}; stop it with "kill ${pid}", or remove ${path} if that is wrong`
        )
      })
    ))

  it.effect("understands a bare number: one that has ended, or that is this process, is old", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        for (const pid of [(yield* ended).pid, process.pid]) {
          const path = `${folder}/${pid}.pid`
          yield* put(path, `${pid}\n`)
          const record = yield* recordOf(PidFile.acquire(path))
          assert.deepStrictEqual((yield* contents(folder))[`${pid}.pid`], `${JSON.stringify(record)}\n`)
        }
      })
    ))

  it.effect("keeps what is no pid file under another name, and says so", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const torn = `{"version":1,"pid":12`
        const foreign = [torn, "", "0", "-1", `{"pid":0}`, "hello"]
        for (const text of foreign) {
          yield* put(path, text)
          const record = yield* Effect.scoped(recordOf(PidFile.acquire(path)))
          assert.strictEqual(record.pid, process.pid)
        }
        assert.deepStrictEqual(
          yield* contents(folder),
          Object.fromEntries(foreign.map((text, index) => [`shop.pid.unreadable-${index + 1}`, text]))
        )
        assert.deepStrictEqual(
          yield* Queue.clear(messages),
          foreign.map((_, index) =>
            `Warn: /shop.pid was not a pid file: it is kept as /shop.pid.unreadable-${index + 1}`
          )
        )
      })
    ))

  it.effect("removes in the end only what is its own", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const other = JSON.stringify({ pid: process.pid, owner: "bob" })
        yield* Effect.scoped(Effect.andThen(PidFile.acquire(path), put(path, other)))
        assert.deepStrictEqual(yield* contents(folder), { "shop.pid": other })
        assert.deepStrictEqual(yield* Queue.clear(messages), [
          "Warn: the pid file /shop.pid is another's by now: it was left alone"
        ])
      })
    ))

  it.effect("can be told the port later, and is removed all the same", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const scope = yield* Scope.make()
        const file = yield* Scope.provide(PidFile.acquire(path), scope)
        const before = yield* file.record
        yield* file.setPort(8080)
        assert.deepStrictEqual(yield* file.record, { ...before, port: 8080 })
        assert.deepStrictEqual(yield* PidFile.read(path), Option.some({ record: yield* file.record, isAlive: true }))
        assert.deepStrictEqual(yield* modeOf(path), 0o644 & ~process.umask())
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* contents(folder), {})
      })
    ))

  it.effect("does not write the port into what is another's", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const file = yield* PidFile.acquire(path)
        yield* put(path, "other")
        const error = yield* Effect.flip(file.setPort(8080))
        assert.strictEqual(error.message, `the pid file ${path} cannot be used: it is another's by now`)
        assert.deepStrictEqual(yield* contents(folder), { "shop.pid": "other" })
      })
    ))

  it.effect("is content if somebody else has removed it", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        yield* Effect.scoped(Effect.andThen(PidFile.acquire(`${folder}/shop.pid`), files.remove(`${folder}/shop.pid`)))
        assert.deepStrictEqual([yield* contents(folder), yield* Queue.clear(messages)], [{}, []])
      })
    ))

  it.effect("fails where no file can be made, and only warns where it cannot be removed", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        yield* put(`${folder}/file`, "")
        const error = yield* Effect.flip(PidFile.acquire(`${folder}/file/shop.pid`))
        assert.strictEqual(
          error.message,
          `the pid file ${folder}/file/shop.pid cannot be used: EEXIST: file already exists, mkdir '${folder}/file'`
        )
        const files = new FaultyFiles()
        files.isFaulty = (call, number) => call === "remove" && number > 2
        yield* PidFile.acquire(`${folder}/shop.pid`).pipe(Effect.scoped, Effect.provide(files.layer))
        assert.deepStrictEqual(files.calls, ["makeDirectory", "remove", "remove"])
        assert.deepStrictEqual(yield* Queue.clear(messages), [
          "Warn: the pid file /shop.pid could not be removed: ENOSPC: no space left on device"
        ])
      })
    ))
})

describe("PidFile.read", () => {
  it.effect("says what the file says, and whether the process lives", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        assert.deepStrictEqual(yield* PidFile.read(path), Option.none())
        const record = yield* recordOf(PidFile.acquire(path))
        assert.deepStrictEqual(yield* PidFile.read(path), Option.some({ record, isAlive: true }))
        const stale = { pid: process.pid, startTime: "before", owner: "alice" }
        yield* put(path, stale)
        assert.deepStrictEqual(yield* PidFile.read(path), Option.some({ record: stale, isAlive: false }))
        yield* put(path, "hello")
        assert.deepStrictEqual(
          yield* Effect.flip(PidFile.read(path)),
          new PidFile.PidFileFailed({ path, problem: "it is not a pid file" })
        )
      })
    ))
})

describe("PidFile.signal", () => {
  it.effect("reaches the process, if it is the owner's", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const child = yield* sleeper
        const record = { ...ProcessIdentity.of(child.pid!), owner: "alice" }
        yield* put(path, record)
        const refused = yield* Effect.flip(PidFile.signal(path, "SIGKILL", { owner: "bob" }))
        assert.deepStrictEqual(refused, new PidFile.OwnedByAnother({ path, ...record, expected: "bob" }))
        assert.strictEqual(refused.message, `shop (pid ${child.pid}) belongs to alice, not to bob: it was left alone`)
        assert.isTrue(ProcessIdentity.isAlive(record))
        assert.deepStrictEqual(yield* PidFile.signal(path, "SIGTERM", { owner: "alice" }), record)
        assert.strictEqual(yield* exitSignal(child), "SIGTERM")
        const late = yield* Effect.flip(PidFile.signal(path, "SIGTERM"))
        assert.deepStrictEqual(late, new PidFile.NotRunning({ path, pid: record.pid }))
        assert.strictEqual(late.message, `shop is not running: pid ${child.pid} of ${path} has ended`)
      })
    ))

  it.effect("reaches nobody who has the pid now, nobody of an unknown owner, and nobody where there is no file", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const none = yield* Effect.flip(PidFile.signal(path, "SIGKILL"))
        assert.strictEqual(none.message, `shop is not running: there is no ${path}`)
        const { pid } = yield* sleeper
        yield* put(path, { pid, startTime: "before" })
        assert.strictEqual((yield* Effect.flip(PidFile.signal(path, "SIGKILL")))._tag, "NotRunning")
        yield* put(path, String(pid))
        const unknown = yield* Effect.flip(PidFile.signal(path, "SIGKILL", { owner: "bob" }))
        assert.strictEqual(
          unknown.message,
          `shop (pid ${pid}) is of an unknown owner, not to bob: it was left alone`
        )
        assert.isTrue(ProcessIdentity.isAlive(ProcessIdentity.of(pid!)))
      })
    ))

  it.effect("says that a process is another user's", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/shop.pid`
        const child = yield* sleeper
        const record = ProcessIdentity.of(child.pid!)
        yield* put(path, record)
        const refuse = () => {
          throw Object.assign(new Error("kill EPERM"), { code: "EPERM" })
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => vi.spyOn(process, "kill").mockImplementation(refuse)),
          (spy) => Effect.sync(() => spy.mockRestore())
        )
        const refused = yield* Effect.flip(PidFile.signal(path, "SIGTERM"))
        assert.deepStrictEqual(refused, new PidFile.SignalRefused({ path, ...record, signal: "SIGTERM" }))
        assert.strictEqual(
          refused.message,
          `shop (pid ${child.pid}) could not be sent SIGTERM: it is another user's process`
        )
      })
    ))
})
