import { ProcessChild, ProcessGuard, ProcessProbe, ProcessTable } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Child, ExitReason, Supervisor } from "coppice"
import { Effect, Fiber, FileSystem } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { current, Proc, ProcRef, run, sh, supervise, until } from "./support/children.ts"

const program = fileURLToPath(new URL("./support/patient.mjs", import.meta.url))

const interval = "20 millis"

/** Every probe of a patient in this folder; `within` for those that are told again and again. */
const probes: Record<string, (folder: string, within?: "300 millis") => ProcessProbe.ProcessProbe<any>> = {
  http: () => ProcessProbe.http({ path: "/health", interval }),
  tcp: () => ProcessProbe.tcp({ interval }),
  command: (folder) => ProcessProbe.command(ChildProcess.make("test", ["-e", `${folder}/well`]), { interval }),
  logLine: (_folder, within) => ProcessProbe.logLine("is well", { interval, within }),
  "logLine of a pattern": (_folder, within) => ProcessProbe.logLine(/is w.ll$/g, { interval, within }),
  file: (folder, within) => ProcessProbe.file(`${folder}/beat`, { interval, within }),
  notify: (_folder, within) => ProcessProbe.notify({ interval, within })
}

/** A patient in a folder of its own, and what makes a file there. */
const patient = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped()
  return {
    folder,
    command: ChildProcess.make(process.execPath, [program, folder]),
    make: (name: string) => files.writeFileString(`${folder}/${name}`, ""),
    has: (name: string) => until(Effect.filterOrFail(files.exists(`${folder}/${name}`), (exists) => exists))
  }
})

describe("a child is ready when its process says so", () => {
  it.live.each(Object.keys(probes))("%s", (name) =>
    run(() =>
      Effect.gen(function*() {
        const { command, folder, has, make } = yield* patient
        // One from before does not count.
        yield* make("beat")
        const child = ProcessChild.make("p", command, { port: true, readiness: probes[name]!(folder) })
        const starting = yield* Effect.forkScoped(supervise(child as never))
        yield* has("up")
        // Time for some checks.
        yield* Effect.sleep("100 millis")
        assert.isUndefined(starting.pollUnsafe())
        yield* make("go")
        const app = yield* Fiber.join(starting)
        assert.deepStrictEqual((yield* app.tree).children.map(({ ready, state }) => [ready, state]), [[
          true,
          "running"
        ]])
      })
    ))
})

describe("a child is well as long as its process says so", () => {
  it.live.each(
    [
      ["http", ["ill"], /^is unhealthy: liveness failed: GET http:.*\/health: answered 500$/],
      ["http", ["hang"], /no answer within 100 ms$/],
      ["tcp", ["deaf", "ill"], /ECONNREFUSED/],
      ["command", ["ill"], /exited with code 1$/],
      ["logLine", ["ill"], /a line with is well: none for \d+ ms$/],
      ["file", ["ill"], /beat: none for \d+ ms$/],
      ["notify", ["ill"], /a line to descriptor 3: none for \d+ ms$/]
    ] as const
  )("%s, until it is %j", ([name, files, message]) =>
    run(() =>
      Effect.gen(function*() {
        const { command, folder, make } = yield* patient
        yield* make("go")
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [
            ProcessChild.make("p", command, {
              port: true,
              readiness: ProcessProbe.logLine("all is well"),
              liveness: { ...probes[name]!(folder, "300 millis"), timeout: "100 millis", failureThreshold: 2 },
              service: Proc,
              ref: ProcRef
            }) as never
          ]
        })
        yield* until(Effect.filterOrFail(app.tree, ({ children }) => children[0]?.health === "healthy"))
        for (const file of files) yield* make(file)
        const { reason } = yield* Effect.flip(app.await)
        assert.match(ExitReason.format(reason), message)
      })
    ))
})

describe("a probe", () => {
  it.live("by a command ends one that takes too long, and is given the port", () =>
    run(() =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const folder = yield* files.makeTempDirectoryScoped()
        const command = sh(`echo $PORT > ${folder}/port; trap '' TERM; sleep 60`)
        const error = yield* Effect.flip(supervise(
          ProcessChild.make("p", ChildProcess.make("sleep", ["60"]), {
            port: true,
            readiness: ProcessProbe.command(command, { timeout: "100 millis" }),
            startTimeout: "300 millis",
            service: Proc,
            ref: ProcRef
          })
        ))
        assert.strictEqual(error.reason._tag, "StartTimedOut")
        assert.match(yield* files.readFileString(`${folder}/port`), /^\d+\n$/)
      })
    ))

  it.live("by a command runs in the folder and the environment of the process", () =>
    run(() =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const folder = yield* files.makeTempDirectoryScoped()
        yield* files.writeFileString(`${folder}/.env`, "SHARED_TOKEN=correct-horse")
        const app = yield* supervise(
          ProcessChild.make("p", ChildProcess.make("sleep", ["60"], { cwd: folder }), {
            port: { variable: "MY_PORT" },
            envFiles: [`${folder}/.env`],
            readiness: ProcessProbe.command(sh("echo $MY_PORT $SHARED_TOKEN > here"), { interval }),
            startTimeout: "10 seconds"
          })
        )
        const port = (yield* app.tree).children[0]?.details?.["port"]
        assert.strictEqual(yield* files.readFileString(`${folder}/here`), `${port} correct-horse\n`)
      })
    ))

  it.live("by a file begins at the folder of the process", () =>
    run(() =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const cwd = yield* files.makeTempDirectoryScoped()
        yield* supervise(
          ProcessChild.make("p", sh("echo > ready; exec sleep 60", { cwd }), {
            readiness: ProcessProbe.file("ready", { interval }),
            startTimeout: "10 seconds"
          })
        )
      })
    ))

  it.live("by a descriptor waits for a whole line, and takes no standard one", () =>
    run(() =>
      Effect.gen(function*() {
        const start = (script: string) =>
          supervise(ProcessChild.make("p", sh(script), {
            readiness: ProcessProbe.notify({ interval }),
            startTimeout: "300 millis"
          }))
        assert.strictEqual((yield* Effect.flip(start("printf ready >&3; exec sleep 60"))).reason._tag, "StartTimedOut")
        yield* start("echo ready >&3; exec sleep 60")
        const wrong = yield* Effect.flip(supervise(
          ProcessChild.make("p", sh("exec sleep 60"), { readiness: ProcessProbe.notify({ fd: 1 }) })
        ))
        assert.include(wrong.message, "descriptor 1 is taken: a process notifies by one from 3")
      })
    ))

  it.live("by HTTP leaves no connection open", () =>
    run(() =>
      Effect.gen(function*() {
        const serve =
          "require('http').createServer((request, answer) => { console.log(request.headers.connection); answer.end() }).listen(process.env.PORT)"
        yield* supervise(
          ProcessChild.make("p", ChildProcess.make(process.execPath, ["-e", serve]), {
            port: true,
            readiness: ProcessProbe.http({ interval }),
            startTimeout: "10 seconds",
            service: Proc,
            ref: ProcRef
          })
        )
        const lines = yield* (yield* current).log.recent
        assert.deepStrictEqual(Array.from(new Set(lines.map(({ text }) => text))), ["close"])
      })
    ))

  it.live("by a port says so where there is none", () =>
    run(() =>
      Effect.gen(function*() {
        const sleeper = ChildProcess.make("sleep", ["60"])
        yield* supervise(ProcessChild.make("p", sleeper, { service: Proc, ref: ProcRef }))
        const process = yield* current
        const noPort = ": neither the probe nor its child has a port"
        for (const [name, probe] of [["http", ProcessProbe.http()], ["tcp", ProcessProbe.tcp()]] as const) {
          const check = yield* probe.arm({} as ProcessProbe.Start)
          // @effect-diagnostics-next-line anyUnknownInErrorContext:off - a check may fail with anything
          const error = yield* Effect.flip(check(process))
          assert.strictEqual((error as Error).message, name + noPort)
        }
      })
    ))

  it.live("by a line does not hear another incarnation, such as one that has been abandoned", () =>
    run(() =>
      Effect.gen(function*() {
        const talker = sh("trap '' TERM; while :; do echo well; sleep 0.01; done")
        const command = Effect.map(Child.current, ({ incarnation }) => incarnation === 1 ? talker : sh("exec sleep 60"))
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1,
          children: [
            ProcessChild.make("p", command, {
              readiness: ProcessProbe.logLine("well", { interval }),
              startTimeout: "300 millis",
              stop: [["SIGTERM", "2 seconds"]],
              shutdown: "50 millis"
            })
          ]
        })
        yield* app.exitChild("p", ExitReason.failure("crash"))
        assert.strictEqual((yield* Effect.flip(app.await)).reason._tag, "StartTimedOut")
        // The one that was abandoned is killed in the end.
        const { nextMark } = yield* ProcessGuard.ProcessGuard
        const program = (yield* nextMark).replace(/\d+;$/, "")
        yield* until(Effect.filterOrFail(ProcessTable.marked(program), ({ length }) => length === 0))
      })
    ))

  it.live("by a line hears it however many come at once", () =>
    run(() =>
      Effect.gen(function*() {
        const script = "echo here; yes | head -n 100000; exec sleep 60"
        const app = yield* supervise(
          ProcessChild.make("p", sh(script), {
            readiness: ProcessProbe.logLine("here", { interval }),
            startTimeout: "10 seconds",
            log: { lines: 10 }
          })
        )
        assert.strictEqual((yield* app.tree).children[0]?.state, "running")
      })
    ))
})
