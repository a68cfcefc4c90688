import { ProcessGuard, ProcessIdentity, StateFolder } from "@coppice/process"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, FileSystem, Option, PlatformError, Queue, Scope } from "effect"
import { randomUUID } from "node:crypto"
import { living, shell, sleeping } from "./support/family.ts"
import { noSpace, withFolder } from "./support/files.ts"

const self = ProcessIdentity.of(process.pid) as StateFolder.ProgramRecord["owner"]
/** A program whose pid is another's by now. */
const gone = { pid: process.pid, startTime: "before the last boot" }

const programRecord = (mark: string, owner = self): StateFolder.ProgramRecord => ({
  version: 1,
  kind: "program",
  owner,
  mark
})

const processRecord = (
  mark: string,
  identity: StateFolder.ProcessRecord["identity"],
  owner = self
): StateFolder.ProcessRecord => ({
  version: 1,
  kind: "process",
  owner,
  mark: `${mark}.1;`,
  identity,
  path: "shop/api",
  command: "sleep",
  adoption: null
})

const guardedProcess = (mark: string, number: number): ProcessGuard.GuardedProcess => ({
  identity: { pid: 1000 + number, startTime: `${number}` },
  mark: `${mark}.${number};`,
  path: "shop/api",
  command: "node api.js"
})

/** What is in the files of a folder, and undefined in what is none. */
const contentsOf = Effect.fnUntraced(function*(folder: string) {
  const files = yield* FileSystem.FileSystem
  const contents: Record<string, string | undefined> = {}
  for (const name of (yield* files.readDirectory(folder)).toSorted()) {
    contents[name] = yield* Effect.orElseSucceed(files.readFileString(`${folder}/${name}`), () => undefined)
  }
  return contents
})

const recordsIn = (folder: string) =>
  Effect.map(
    contentsOf(`${folder}/processes`),
    (contents) => Object.fromEntries(Object.entries(contents).map(([name, text]) => [name, JSON.parse(text ?? "null")]))
  )

/** A folder in which these files are already. */
const folderWith = Effect.fnUntraced(function*(folder: string, contents: Record<string, string>) {
  const files = yield* FileSystem.FileSystem
  yield* files.makeDirectory(`${folder}/processes`, { recursive: true, mode: 0o700 })
  for (const [name, text] of Object.entries(contents)) yield* files.writeFileString(`${folder}/processes/${name}`, text)
})

const filesOf = (...records: ReadonlyArray<StateFolder.ProgramRecord | StateFolder.ProcessRecord>) =>
  Object.fromEntries(records.map((record) => [`${record.mark.replace(";", "")}.json`, JSON.stringify(record)]))

/** Opens a folder and closes it again. */
const visit = (folder: string, mark: string) => Effect.scoped(StateFolder.open(folder, mark))

const mode = (path: string) =>
  Effect.map(Effect.flatMap(FileSystem.FileSystem, (files) => files.stat(path)), (info) => info.mode & 0o777)

describe("the records of a state folder", () => {
  it.live("are one of the program and one of each process, whom nobody else may read", () =>
    withFolder((parent) =>
      Effect.gen(function*() {
        const [folder, mark] = [`${parent}/new`, randomUUID()]
        const state = yield* StateFolder.open(folder, mark)
        for (const number of [1, 2]) yield* state.add(guardedProcess(mark, number))
        const process = (number: number) => ({
          ...processRecord(mark, { pid: 1000 + number, startTime: `${number}` }),
          mark: `${mark}.${number};`,
          command: "node api.js"
        })
        assert.deepStrictEqual(yield* recordsIn(folder), {
          [`${mark}.json`]: programRecord(mark),
          [`${mark}.1.json`]: process(1),
          [`${mark}.2.json`]: process(2)
        })
        const paths = [folder, `${folder}/processes`, `${folder}/processes/${mark}.1.json`]
        assert.deepStrictEqual(yield* Effect.forEach(paths, mode), [0o700, 0o700, 0o600])
      })
    ))

  it.live("are removed when a process ends, and when the program does", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const [mark, scope] = [randomUUID(), yield* Scope.make()]
        const state = yield* Scope.provide(StateFolder.open(folder, mark), scope)
        for (const number of [1, 2]) yield* state.add(guardedProcess(mark, number))
        yield* state.remove(guardedProcess(mark, 1))
        assert.deepStrictEqual(Object.keys(yield* recordsIn(folder)), [`${mark}.2.json`, `${mark}.json`])
        yield* state.remove(guardedProcess(mark, 2))
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* recordsIn(folder), {})
      })
    ))

  it.live("stay when the program ends and one of its processes has not", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const mark = randomUUID()
        yield* Effect.scoped(
          Effect.flatMap(StateFolder.open(folder, mark), (state) => state.add(guardedProcess(mark, 1)))
        )
        assert.deepStrictEqual(Object.keys(yield* recordsIn(folder)), [`${mark}.1.json`, `${mark}.json`])
      })
    ))

  it.live("are not made of a process that had ended before its start time was known", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const mark = randomUUID()
        const state = yield* StateFolder.open(folder, mark)
        yield* state.add({ ...guardedProcess(mark, 1), identity: { pid: 1001 } })
        assert.deepStrictEqual(Object.keys(yield* recordsIn(folder)), [`${mark}.json`])
      })
    ))

  it.live("that cannot be written stop nobody, and are warned of once until one can be", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const mark = randomUUID()
        const files = yield* FileSystem.FileSystem
        let isFull = false
        const faulty = {
          ...files,
          writeFileString: (...args: Parameters<FileSystem.FileSystem["writeFileString"]>) =>
            Effect.suspend((): Effect.Effect<void, PlatformError.PlatformError> =>
              isFull
                ? Effect.andThen(files.writeFileString(args[0], "half"), Effect.fail(noSpace("writeFile")))
                : files.writeFileString(...args)
            )
        }
        const state = yield* Effect.provideService(StateFolder.open(folder, mark), FileSystem.FileSystem, faulty)
        for (const [number, full] of [true, true, false, true].entries()) {
          isFull = full
          yield* state.add(guardedProcess(mark, number + 1))
          yield* state.remove(guardedProcess(mark, 99))
        }
        assert.deepStrictEqual(Object.keys(yield* recordsIn(folder)), [`${mark}.3.json`, `${mark}.json`])
        const warning = "Warn:  cannot be written; a crash may leave more behind than is found"
        assert.deepStrictEqual(yield* Queue.clear(messages), [warning, warning])
      })
    ))
})

describe("a state folder is not used", () => {
  const problemOf = (folder: string) =>
    Effect.map(Effect.flip(visit(folder, randomUUID())), ({ message }) => message.replaceAll(folder, "FOLDER"))
  const unusable = (problem: string) => `the state folder FOLDER cannot be used: ${problem}`

  it.live("when others may write to it", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        for (const open of [0o720, 0o702]) {
          yield* files.chmod(folder, open)
          assert.strictEqual(yield* problemOf(folder), unusable("others may write to it: chmod go-w is needed"))
        }
        assert.deepStrictEqual(yield* contentsOf(folder), {})
        yield* files.chmod(folder, 0o755)
        yield* visit(folder, randomUUID())
      })
    ))

  it.live("when it belongs to another user", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const another = Option.some((process.getuid?.() ?? 0) + 1)
        const stat = (path: string) => Effect.map(files.stat(path), (info) => ({ ...info, uid: another }))
        const problem = yield* Effect.provideService(problemOf(folder), FileSystem.FileSystem, { ...files, stat })
        assert.strictEqual(problem, unusable("it belongs to another user"))
      })
    ))

  it.live("when it is a file", () =>
    withFolder((parent) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(`${parent}/file`, "")
        assert.match(yield* problemOf(`${parent}/file`), /^the state folder FOLDER cannot be used: AlreadyExists: /)
      })
    ))
})

describe("what is no record", () => {
  it.live("is set aside and named, and nobody is ended for it", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const mark = randomUUID()
        const { pid } = yield* shell("exec sleep 60", `${mark}.1;`)
        const [found] = yield* sleeping(`${mark}.1;`, 1)
        const identity = { pid, startTime: found!.startTime }
        const text = (changes: object) => JSON.stringify({ ...processRecord(mark, identity, gone), ...changes })
        // Each is wrong in one thing alone.
        const foreign = {
          [`${mark}..json`]: text({ mark: `${mark}.` }),
          [`${mark}.1.json`]: text({ version: 2 }),
          [`${mark}.2.json`]: text({ mark: `${mark}.2;`, adoption: { socket: 3 } }),
          [`${mark}.3.json`]: text({ mark: `${mark}.3;`, identity: { pid } }),
          [`${mark}.4.json`]: text({ mark: `${mark}.4;` }).slice(0, -1),
          [`${mark}.5.json`]: "",
          [`${mark}.6.json`]: text({}),
          "notes.txt": "buy milk"
        }
        yield* folderWith(folder, foreign)
        yield* visit(folder, randomUUID())
        assert.deepStrictEqual(yield* contentsOf(`${folder}/aside`), foreign)
        assert.deepStrictEqual(yield* contentsOf(`${folder}/processes`), {})
        const [message, ...more] = yield* Queue.clear(messages)
        const [what, names] = message!.split(": ", 3).slice(1)
        assert.deepStrictEqual([what, names!.split(", ").toSorted(), more], [
          "no records of processes, moved to /aside",
          Object.keys(foreign),
          []
        ])
        assert.isTrue(ProcessIdentity.isAlive(identity))
      })
    ))

  it.live("replaces nothing that was set aside before", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        for (const text of ["one", "two", "three"]) {
          yield* folderWith(folder, { "a.json": text })
          yield* visit(folder, randomUUID())
        }
        assert.deepStrictEqual(yield* contentsOf(`${folder}/aside`), {
          "a.json": "one",
          "a.json.1": "two",
          "a.json.2": "three"
        })
      })
    ))

  it.live("stays where it is when it cannot be moved, and that is no reason not to start", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        yield* folderWith(folder, { "a.json": "one" })
        const files = yield* FileSystem.FileSystem
        const rename = (from: string, to: string) =>
          from.endsWith("a.json") ? Effect.fail(noSpace("rename")) : files.rename(from, to)
        const mark = randomUUID()
        yield* Effect.provideService(visit(folder, mark), FileSystem.FileSystem, { ...files, rename })
        assert.deepStrictEqual(yield* contentsOf(`${folder}/processes`), { "a.json": "one" })
        assert.deepStrictEqual(yield* Queue.clear(messages), [
          "Warn: /processes has a file that is no record and cannot be moved"
        ])
      })
    ))

  it.live("is removed when it was being written by a program that is gone, and left when that lives", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const ours = `${randomUUID()}.json.${process.pid}.tmp`
        yield* folderWith(folder, { [ours]: "{", [`${randomUUID()}.json.4194999.tmp`]: "{" })
        yield* visit(folder, randomUUID())
        assert.deepStrictEqual(yield* contentsOf(`${folder}/processes`), { [ours]: "{" })
        assert.deepStrictEqual(yield* Queue.clear(messages), [])
      })
    ))
})

describe("what a program has left behind", () => {
  it.live("is left alone as long as the program lives", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const mark = randomUUID()
        const { pid } = yield* shell("exec sleep 60", `${mark}.1;`)
        const identity = ProcessIdentity.of(pid) as StateFolder.ProcessRecord["identity"]
        const files = filesOf(programRecord(mark), processRecord(mark, identity))
        yield* folderWith(folder, files)
        yield* visit(folder, randomUUID())
        assert.deepStrictEqual(yield* contentsOf(`${folder}/processes`), files)
        assert.isTrue(ProcessIdentity.isAlive(identity))
        assert.deepStrictEqual(yield* Queue.clear(messages), [])
      })
    ))

  it.live("is ended, known by its identity or by its mark, and named", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const [mark, other] = [randomUUID(), randomUUID()]
        // Without a mark of the program's: known by its record alone. Its child has lost it.
        const recorded = yield* shell("(exec sleep 61 &); trap '' TERM; exec sleep 62", `${other}.1;`)
        const [first, second] = yield* sleeping(`${other}.1;`, 2)
        // Without a record: known by its mark alone.
        yield* shell("exec sleep 63", `${mark}.2;`)
        const [marked] = yield* sleeping(`${mark}.2;`, 1)
        const identity = ProcessIdentity.of(recorded.pid) as StateFolder.ProcessRecord["identity"]
        const records = [
          programRecord(mark, gone),
          processRecord(mark, identity, gone),
          // Of one that had its pid before.
          { ...processRecord(mark, { ...identity, startTime: "before" }, gone), mark: `${mark}.3;` }
        ]
        yield* folderWith(folder, filesOf(...records))
        const state = yield* StateFolder.open(folder, randomUUID())
        assert.isDefined(state)
        assert.deepStrictEqual([yield* living(mark), yield* living(other)], [[], []])
        assert.strictEqual(Object.keys(yield* recordsIn(folder)).length, 1)
        const [message, ...more] = yield* Queue.clear(messages)
        const [what, whom] = message!.split("had left: ")
        assert.deepStrictEqual([what, more], ["Warn: : ended what a program that is gone ", []])
        assert.sameMembers(whom!.split(/, (?!sleep)/), [
          `shop/api (${first!.pid}, sleep)`,
          `${second!.pid} (sleep)`,
          `${marked!.pid} (sleep)`
        ])
      })
    ))

  it.live("is nobody that has the pid of what was recorded, as after a reboot", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const [one, other] = [randomUUID(), randomUUID()]
        const { pid } = yield* shell("exec sleep 60", `${randomUUID()}.1;`)
        const identity = { pid, startTime: "before the last boot" }
        yield* folderWith(
          folder,
          filesOf(
            programRecord(one, gone),
            processRecord(one, identity, gone),
            programRecord(other, gone)
          )
        )
        yield* visit(folder, randomUUID())
        assert.isTrue(ProcessIdentity.isAlive({ pid }))
        assert.deepStrictEqual(yield* recordsIn(folder), {})
        assert.deepStrictEqual(yield* Queue.clear(messages), [
          "Info: : nothing is left of 2 programs that are gone; 3 records removed"
        ])
      })
    ))

  it.live(
    "keeps its records as long as it cannot be ended, and is named",
    () =>
      withFolder((folder, messages) =>
        Effect.gen(function*() {
          const mark = randomUUID()
          const { pid } = yield* shell("exec sleep 60", `${mark}.1;`)
          yield* sleeping(`${mark}.1;`, 1)
          const files = filesOf(programRecord(mark, gone))
          yield* folderWith(folder, files)
          const deaf = vi.spyOn(process, "kill").mockImplementation(() => true)
          yield* Effect.ensuring(visit(folder, randomUUID()), Effect.sync(() => deaf.mockRestore()))
          assert.deepStrictEqual(yield* contentsOf(`${folder}/processes`), files)
          assert.deepStrictEqual(yield* Queue.clear(messages), [
            `Warn: : tried to end what a program that is gone had left; still there: ${pid} (sleep)`
          ])
        })
      ),
    10_000
  )

  it.live("may be cleared by two programs at once", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const mark = randomUUID()
        yield* shell("exec sleep 60", `${mark}.1;`)
        yield* sleeping(`${mark}.1;`, 1)
        yield* folderWith(folder, { ...filesOf(programRecord(mark, gone)), "a.json": "" })
        yield* Effect.all([visit(folder, randomUUID()), visit(folder, randomUUID())], { concurrency: 2 })
        assert.deepStrictEqual([yield* living(mark), yield* recordsIn(folder)], [[], {}])
        assert.deepStrictEqual(yield* contentsOf(`${folder}/aside`), { "a.json": "" })
      })
    ))
})
