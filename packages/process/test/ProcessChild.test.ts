import { ProcessChild, ProcessExit, ProcessProbe } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Child, ExitReason, RestartPolicy, SupervisionTree, Supervisor } from "coppice"
import { Duration, Effect, FileSystem, Redacted, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createServer, type Server } from "node:net"
import { expectTypeOf } from "vitest"
import { current, line, node, Proc, ProcRef, reasonOf, run, sh, supervise, texts, until } from "./support/children.ts"

const proc = { service: Proc, ref: ProcRef } as const

describe("a process child", () => {
  it.live("has started when its process has, and shows its pid", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(ProcessChild.make("sleeper", ChildProcess.make("sleep", ["60"]), proc))
        const { command, incarnation, path, pid, port } = yield* current
        assert.deepStrictEqual({ command, incarnation, path, port }, {
          command: "sleep 60",
          incarnation: 1,
          path: "app/sleeper",
          port: undefined
        })
        const tree = yield* app.tree
        assert.strictEqual(SupervisionTree.toText(tree), `app  running\n└─ sleeper  running, pid ${pid}`)
      })
    ))

  it.live("gives its handle to the siblings after it", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [
            ProcessChild.make("cat", ChildProcess.make("cat"), { service: Proc }),
            Child.task(
              "hello",
              Effect.gen(function*() {
                const cat = yield* Proc
                yield* Stream.run(Stream.encodeText(Stream.make("hello\n")), cat.stdin)
                yield* line(cat, "hello")
              })
            )
          ]
        })
        assert.deepStrictEqual((yield* app.tree).children[1]?.state, "stopped")
      })
    ))

  it.live("may have another command at each start", () =>
    run(() =>
      Effect.gen(function*() {
        const command = Effect.map(Child.current, ({ incarnation }) =>
          ChildProcess.make("sleep", [`${60 + incarnation}`]))
        yield* supervise(ProcessChild.make("p", command, proc))
        const first = yield* current
        assert.strictEqual(first.command, "sleep 61")
        yield* first.signal("SIGKILL")
        yield* until(Effect.filterOrFail(current, ({ command }) =>
          command === "sleep 62"))
      })
    ))

  it.live("can be sent a signal by who holds its handle", () =>
    run(() =>
      Effect.gen(function*() {
        yield* supervise(
          ProcessChild.make("server", sh("trap 'echo reloaded' HUP; echo up; while :; do sleep 0.01; done"), proc)
        )
        const process = yield* current
        yield* line(process, "up")
        assert.isTrue(yield* process.signal("SIGHUP"))
        yield* line(process, "reloaded")
      })
    ))
})

type Provides<C> = C extends Child.Child<string, infer Services, never> ? Services
  : C extends Child.Child<string, infer Services, infer _> ? Services
  : never

it("is a service to siblings only where it is surely restarted with them", () => {
  const command = ChildProcess.make("true")
  const permanent = ProcessChild.make("p", command, { service: Proc })
  const transient = ProcessChild.make("p", command, { service: Proc, restart: "transient" })
  const byPolicy = ProcessChild.make("p", command, { service: Proc, policy: RestartPolicy.make() })
  const none = ProcessChild.make("p", command)
  expectTypeOf<Provides<typeof permanent>>().toEqualTypeOf<Proc>()
  expectTypeOf<Provides<typeof transient>>().toEqualTypeOf<never>()
  expectTypeOf<Provides<typeof byPolicy>>().toEqualTypeOf<never>()
  expectTypeOf<Provides<typeof none>>().toEqualTypeOf<never>()
  assert.deepStrictEqual([permanent, transient, byPolicy].map(({ restart }) => restart), [
    "permanent",
    "transient",
    "transient"
  ])
  // @ts-expect-error an id is not empty and contains no slash
  ProcessChild.make("a/b", command)
  assert.throws(
    () => ProcessChild.make("p", command, { ref: ProcRef }),
    "p has a ref of no service: give it a service too"
  )
})

it("has as long to stop as its steps take, and five seconds more", () => {
  const millis = (options: ProcessChild.Options) => {
    const { shutdown } = ProcessChild.make("p", ChildProcess.make("true"), options)
    return shutdown === "brutal-kill" ? shutdown : Duration.toMillis(shutdown)
  }
  const stop = [["SIGINT", "2 seconds"], ["SIGTERM", "4 seconds"]] as const
  assert.deepStrictEqual(
    [
      millis({}),
      millis({ stop }),
      millis({ stop, shutdown: "3 seconds" }),
      millis({ stop, shutdown: "1 minute" }),
      millis({ stop, shutdown: "Infinity" }),
      millis({ stop, shutdown: "brutal-kill" })
    ],
    [15_000, 11_000, 8_000, 11_000, Infinity, "brutal-kill"]
  )
})

describe("the end of a process", () => {
  const reason = (script: string, options = {}) => run(() => reasonOf(ProcessChild.make("p", sh(script), options)))

  it.live("is normal with an exit code of success", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* reason("exit 0"), ExitReason.normal)
      assert.deepStrictEqual(yield* reason("exit 3", { successCodes: [0, 3] }), ExitReason.normal)
    }))

  it.live("is ProcessExited with any other", () =>
    Effect.gen(function*() {
      for (const [script, options, expected] of [["exit 3", {}, 3], ["exit 0", { successCodes: [1] }, 0]] as const) {
        const ended = yield* reason(script, options)
        assert(ended._tag === "Failure" && ended.error instanceof ProcessExit.ProcessExited)
        assert.strictEqual(ended.error.code, expected)
        assert.strictEqual(
          ended.error.message,
          `sh -c '${script}' (pid ${ended.error.pid}) exited with code ${expected}`
        )
      }
    }))

  it.live("is ProcessSignaled after a signal", () =>
    Effect.gen(function*() {
      for (const name of ["KILL", "TERM", "SEGV"]) {
        const ended = yield* reason(`kill -${name} $$; sleep 60`)
        assert(ended._tag === "Failure" && ended.error instanceof ProcessExit.ProcessSignaled)
        assert.strictEqual(ended.error.signal, `SIG${name}`)
      }
    }))

  it.live("is a failed start if it comes before the process is ready", () =>
    run(() =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(
          supervise(ProcessChild.make("p", sh("exit 4"), { readiness: ProcessProbe.logLine("never") }))
        )
        assert.match(error.message, /could not start: sh -c 'exit 4' \(pid \d+\) exited with code 4/)
      })
    ))

  it.live("is followed by what its restart type says", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            ProcessChild.make("well", sh("exit 0"), { restart: "transient" }),
            ProcessChild.make("ill", sh("exit 1"), { restart: "transient", ...proc }),
            ProcessChild.make("once", sh("exit 1"), { restart: "temporary" })
          ],
          intensity: 1000
        })
        yield* until(Effect.filterOrFail(app.tree, ({ children }) => (children[1]?.restarts ?? 0) > 2))
        yield* app.terminateChild("ill")
        const { children } = yield* app.tree
        assert.deepStrictEqual(children.map(({ id, restarts }) => [id, restarts > 0]), [["well", false], ["ill", true]])
      })
    ))

  it.live("is followed by what a policy says", () =>
    run(() =>
      Effect.gen(function*() {
        const policy = RestartPolicy.make({ maxRestarts: 2, startupMaxRestarts: -1, initialDelayMillis: 1 })
        const app = yield* supervise(ProcessChild.make("ill", sh("exit 1"), { policy }))
        yield* until(Effect.filterOrFail(app.tree, ({ children }) => children[0]?.state === "failed"))
        assert.strictEqual((yield* app.tree).children[0]?.restarts, 2)
      })
    ))
})

describe("a start that fails", () => {
  const failure = (command: ChildProcess.StandardCommand, options = {}) =>
    run(() =>
      Effect.gen(function*() {
        const { reason } = yield* Effect.flip(supervise(ProcessChild.make("p", command, options)))
        assert(reason._tag === "StartFailed")
        return reason.error as Error
      })
    )

  it.live("names a command that is missing, and where it was looked for", () =>
    Effect.gen(function*() {
      const missing = yield* failure(ChildProcess.make("no-such-command", [], { env: { PATH: "/bin:/usr/bin" } }))
      assert.instanceOf(missing, ProcessExit.CommandNotFound)
      assert.strictEqual(missing.message, "no-such-command was not found: it is in none of /bin, /usr/bin")
      const file = yield* failure(ChildProcess.make("./no-such-file", [], { cwd: "/tmp" }))
      assert.strictEqual(file.message, "./no-such-file was not found: there is no /tmp/no-such-file")
      const nowhere = yield* failure(ChildProcess.make("no-such-command", [], { env: {} }))
      assert.strictEqual(nowhere.message, "no-such-command was not found: it is in none of /bin, /usr/bin")
      const relative = yield* failure(ChildProcess.make("no-such-command", [], { env: { PATH: "bin:" }, cwd: "/tmp" }))
      assert.strictEqual(relative.message, "no-such-command was not found: it is in none of /tmp/bin, /tmp")
      const secret = yield* failure(
        ChildProcess.make("no-such-command", [], { env: { PATH: Redacted.make("/secret") } })
      )
      assert.strictEqual(
        secret.message,
        "no-such-command was not found in any folder of its PATH, which is a secret"
      )
    }))

  it.live("says what is wrong with the folder", () =>
    Effect.gen(function*() {
      const missing = yield* failure(ChildProcess.make("true", [], { cwd: "/no/such/folder" }))
      assert.strictEqual(missing.message, "true could not be started: its folder /no/such/folder does not exist")
      const file = yield* failure(ChildProcess.make("true", [], { cwd: "/etc/passwd" }))
      assert.strictEqual(file.message, "true could not be started: its folder /etc/passwd is a file")
    }))

  it.live("says what is wrong with the program", () =>
    run(() =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const folder = yield* files.makeTempDirectoryScoped()
        yield* files.writeFileString(`${folder}/plain`, "#!/bin/sh\n")
        yield* files.writeFileString(`${folder}/lost`, "#!/no/such/interpreter\n", { mode: 0o755 })
        const plain = yield* failure(ChildProcess.make(`${folder}/plain`))
        assert.strictEqual(
          plain.message,
          `${folder}/plain could not be started: ${folder}/plain may not be executed: is its mode right?`
        )
        const lost = yield* failure(ChildProcess.make(`${folder}/lost`))
        assert.strictEqual(
          lost.message,
          `${folder}/lost could not be started: what the first line of ${folder}/lost names does not exist`
        )
      })
    ))

  it.live("is an error and no defect where what is given is too much, or no text", () =>
    Effect.gen(function*() {
      const long = yield* failure(ChildProcess.make("true", ["x".repeat(300_000)]))
      assert.instanceOf(long, ProcessExit.SpawnFailed)
      assert.match(long.message, /E2BIG$/)
      const nul = yield* failure(ChildProcess.make("true", ["a\0b"]))
      assert.match(nul.message, /Argument 1 contains a NUL character$/)
    }))

  it.live("names an environment file that cannot be read", () =>
    Effect.gen(function*() {
      const missing = yield* failure(ChildProcess.make("true"), { envFiles: ["/no/such/file.env"] })
      assert.match(missing.message, /^the environment file \/no\/such\/file.env cannot be read: /)
    }))

  it.live("says why the process was not ready in time", () =>
    run(() =>
      Effect.gen(function*() {
        const probes: ReadonlyArray<readonly [ProcessProbe.ProcessProbe<never>, RegExp]> = [
          [ProcessProbe.http({ port: 1, path: "/health" }), /GET http:\/\/127.0.0.1:1\/health: connect ECONNREFUSED/],
          [ProcessProbe.http({ port: 1, path: "/a b" }), /GET http:\/\/127.0.0.1:1\/a b: .*unescaped characters/],
          [ProcessProbe.tcp({ port: 70_000 }), /tcp 127.0.0.1:70000: Port should be/],
          [ProcessProbe.notify({ within: "1 minute" }), /a line to descriptor 3: not yet/]
        ]
        for (const [readiness, why] of probes) {
          const error = yield* Effect.flip(supervise(
            ProcessChild.make("p", ChildProcess.make("sleep", ["60"]), { readiness, startTimeout: "200 millis" })
          ))
          assert.match(error.message, /did not start within 200 ms, and was not ready: /)
          assert.match(error.message, why)
        }
      })
    ))

  it.live("ends the process that does not become ready in time", () =>
    run(() =>
      Effect.gen(function*() {
        const { reason } = yield* Effect.flip(supervise(
          ProcessChild.make("p", sh("sleep 60 & exec sleep 61"), {
            readiness: ProcessProbe.logLine("never"),
            startTimeout: "100 millis"
          })
        ))
        assert.strictEqual(reason._tag, "StartTimedOut")
      })
    ))
})

describe("what a process is given", () => {
  const printed = (
    variables: ReadonlyArray<string>,
    options: ChildProcess.CommandOptions,
    more: Partial<ProcessChild.ProcessOptions> = {}
  ) =>
    Effect.gen(function*() {
      const script = `${
        variables.map((name) => `echo "${name}=\${${name}-unset}"`).join("; ")
      }; echo end; exec sleep 60`
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [ProcessChild.make("p", sh(script, options), { ...more, ...proc })]
      })
      const process = yield* current
      yield* line(process, "end")
      yield* app.terminateChild("p")
      return (yield* texts(process)).slice(0, -1)
    })

  it.live("is the environment of this program, or only its own", () =>
    run(() =>
      Effect.gen(function*() {
        process.env["COPPICE_TEST"] = "here"
        yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env["COPPICE_TEST"]))
        const names = ["COPPICE_TEST", "A"]
        const { PATH } = process.env
        assert.deepStrictEqual(yield* printed(names, {}), ["COPPICE_TEST=here", "A=unset"])
        assert.deepStrictEqual(yield* printed(names, { env: { A: "1", PATH } }), ["COPPICE_TEST=unset", "A=1"])
        assert.deepStrictEqual(yield* printed(names, { env: { A: "1" }, extendEnv: true }), [
          "COPPICE_TEST=here",
          "A=1"
        ])
      })
    ))

  it.live("is what files say, unless the command says something else", () =>
    run(() =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const folder = yield* files.makeTempDirectoryScoped()
        yield* files.writeFileString(
          `${folder}/1.env`,
          "A=first-value\nB=first-value\nC=first-value\nPORT=first-port\nMODE=short"
        )
        yield* files.writeFileString(`${folder}/2.env`, "B=second-value\nC=second-value")
        const seen = yield* printed(["A", "B", "C", "PORT", "MODE"], { env: { C: "command" }, extendEnv: true }, {
          envFiles: [`${folder}/1.env`, `${folder}/2.env`]
        })
        // What comes from a file is a secret, unless it is too short to be one.
        assert.deepStrictEqual(seen, ["A=<redacted>", "B=<redacted>", "C=command", "PORT=<redacted>", "MODE=short"])
      })
    ))

  it.live("is a port: by a variable, by a flag, or by a flag in one word", () =>
    run(() =>
      Effect.gen(function*() {
        const args = (port: ProcessChild.PortOptions) =>
          Effect.gen(function*() {
            const app = yield* supervise(
              ProcessChild.make("p", sh("echo \"$PORT $OTHER $*\"; exec sleep 60"), { port, ...proc })
            )
            const process = yield* current
            yield* until(Effect.filterOrFail(texts(process), (lines) => lines.length > 0))
            yield* app.terminateChild("p")
            const [seen] = yield* texts(process)
            return seen?.replaceAll(String(process.port), "PORT")
          })
        assert.strictEqual(yield* args({}), "PORT  ")
        assert.strictEqual(yield* args({ variable: "OTHER" }), " PORT ")
        // The first argument of a shell's script is its name.
        assert.strictEqual(yield* args({ flag: "--port" }), "PORT  PORT")
        assert.strictEqual(yield* args({ flag: "-p=" }), "PORT  ")
        // What the command says has its way.
        assert.deepStrictEqual(
          yield* printed(["PORT"], { env: { PORT: "1" }, extendEnv: true }, { port: true }),
          ["PORT=1"]
        )
      })
    ))

  it.live("is the same port after a restart, and never a sibling's", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("a", ChildProcess.make("sleep", ["60"]), { port: true, ...proc }),
          ProcessChild.make("b", ChildProcess.make("sleep", ["60"]), { port: true })
        )
        const ports = () => Effect.map(app.tree, ({ children }) => children.map(({ details }) => details?.["port"]))
        const before = yield* ports()
        const first = yield* current
        yield* first.signal("SIGKILL")
        yield* until(Effect.filterOrFail(current, ({ incarnation, pid }) => incarnation === 2 && pid !== first.pid))
        assert.deepStrictEqual(yield* ports(), before)
        assert.strictEqual(new Set(before).size, 2)
      })
    ))

  it.live("is a port that others may have when the child is deleted", () =>
    run(() =>
      Effect.gen(function*() {
        const sleeper = ChildProcess.make("sleep", ["60"])
        const app = yield* supervise(ProcessChild.make("a", sleeper, { port: true, ...proc }))
        const { port: preferred } = yield* current
        yield* app.terminateChild("a")
        const b = ProcessChild.make("b", sleeper, { port: { preferred }, ...proc })
        const { message } = yield* Effect.flip(app.startChild(b))
        assert.include(message, `port ${preferred} is taken by app/a`)
        yield* app.deleteChild("a")
        yield* until(app.startChild(b))
        assert.strictEqual((yield* current).port, preferred)
      })
    ))

  it.live("is the same port after a restart of the supervisor, and another one in another root", () =>
    run(() =>
      Effect.gen(function*() {
        const dying = ProcessChild.make("p", sh("read line; exit 1"), { port: true, ...proc })
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.supervisor(
              "inner",
              Supervisor.layer("inner", {
                strategy: "one-for-one",
                intensity: 0,
                children: [dying]
              }),
              { restart: "permanent" }
            )
          ]
        })
        const first = yield* current
        yield* first.signal("SIGKILL")
        const second = yield* until(Effect.filterOrFail(current, ({ pid }) => pid !== first.pid))
        assert.deepStrictEqual([second.port, second.incarnation, second.path], [first.port, 1, first.path])
        const same = yield* Effect.all([1, 2].map(() =>
          Effect.map(
            supervise(ProcessChild.make("p", ChildProcess.make("sleep", ["60"]), { port: true })),
            ({ tree }) => Effect.map(tree, ({ children }) => children[0]?.details?.["port"])
          )
        ))
        const ports = yield* Effect.all(same)
        assert.notStrictEqual(ports[0], ports[1])
      })
    ))

  it.live("is no port that a stranger has taken meanwhile", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("p", ChildProcess.make("sleep", ["60"]), { port: true, ...proc })
        )
        const { port } = yield* current
        yield* app.terminateChild("p")
        yield* Effect.acquireRelease(
          Effect.callback<Server>((resume) => {
            const server = createServer().listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => void server.close())
        )
        const { message } = yield* Effect.flip(app.restartChild("p"))
        assert.include(message, `port ${port} is taken by another program`)
      })
    ))

  it.live("is not a port that is taken, unless another will do", () =>
    run(() =>
      Effect.gen(function*() {
        const taken = yield* Effect.acquireRelease(
          Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
            const server = createServer().listen(0, "127.0.0.1", () => {
              const address = server.address()
              const port = typeof address === "object" && address !== null ? address.port : 0
              resume(Effect.succeed({ port, close: () => server.close() }))
            })
          }),
          ({ close }) => Effect.sync(close)
        )
        const sleeper = ChildProcess.make("sleep", ["60"])
        const preferred = taken.port
        const refused = yield* Effect.flip(supervise(ProcessChild.make("a", sleeper, { port: { preferred } })))
        assert.include(refused.message, `port ${preferred} is taken by another program`)
        yield* supervise(ProcessChild.make("a", sleeper, { port: { preferred, fallback: true }, ...proc }))
        assert.notStrictEqual((yield* current).port, preferred)
      })
    ))

  it.live("is a secret that nobody sees: no log line, no error, no event, no snapshot", () =>
    run((lines) =>
      Effect.gen(function*() {
        const [inEnv, inArguments, inFile] = ["horse-battery", "correct-staple", "tr0ub4dor"]
        const files = yield* FileSystem.FileSystem
        const folder = yield* files.makeTempDirectoryScoped()
        yield* files.writeFileString(`${folder}/.env`, `FILE_TOKEN=${inFile}`)
        const command = ChildProcess.make(
          "sh",
          [
            "-c",
            "echo $ENV_TOKEN $1 $FILE_TOKEN; echo $ENV_TOKEN $1 $FILE_TOKEN >&2; exit 7",
            "sh",
            Redacted.make(inArguments)
          ],
          { env: { ENV_TOKEN: Redacted.make(inEnv) }, extendEnv: true }
        )
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 3,
          children: [
            ProcessChild.make("p", command, { envFiles: [`${folder}/.env`], log: { file: `${folder}/p.log` }, ...proc })
          ]
        })
        const { log } = yield* current
        const events: Array<unknown> = []
        yield* Stream.runForEach(app.events, (event) => Effect.sync(() => events.push(event)))
        const error = yield* Effect.flip(app.await)
        const file = yield* files.readFileString(`${folder}/p.log`)
        const everything = JSON.stringify([
          lines,
          events,
          error.message,
          SupervisionTree.toJson(yield* app.tree),
          yield* log.recent,
          file
        ])
        for (const secret of [inEnv, inArguments, inFile]) assert.notInclude(everything, secret)
        assert.isAbove(events.length, 3)
        assert.include(file, "app/p#4 stderr: <redacted> <redacted> <redacted>")
        assert.include(error.message, "exited with code 7")
      })
    ))
})

describe("what a process prints", () => {
  const sayingBye =
    "process.on('SIGTERM', () => process.stdout.write('bye\\n', () => process.exit())); console.log('up'); setInterval(() => {}, 1e6)"

  it.live("is read to its last word, over all incarnations", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("p", node(sayingBye), proc)
        )
        const first = yield* current
        yield* line(first, "up")
        yield* app.terminateChild("p")
        yield* app.restartChild("p")
        yield* line(yield* current, "up")
        yield* app.terminateChild("p")
        const lines = yield* first.log.recent
        assert.deepStrictEqual(lines.map(({ incarnation, text }) => `${incarnation} ${text}`), [
          "1 up",
          "1 bye",
          "2 up",
          "2 bye"
        ])
      })
    ))

  it.live("never holds it up, however much it is and whoever reads it", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("p", sh("yes $(printf %099d 0) | head -c 100000000; echo done; exec sleep 60"), {
            readiness: ProcessProbe.logLine("done"),
            startTimeout: "60 seconds",
            ...proc
          })
        )
        assert.strictEqual((yield* texts(yield* current)).at(-1), "done")
        yield* app.terminateChild("p")
      })
    ), 90_000)

  it.live("is read from other descriptors too", () =>
    run(() =>
      Effect.gen(function*() {
        const script = "head -c 2000000 /dev/zero >&4; echo done; exec sleep 60"
        yield* supervise(
          ProcessChild.make("p", sh(script, { additionalFds: { fd4: { type: "output" } } }), {
            readiness: ProcessProbe.logLine("done"),
            startTimeout: "10 seconds"
          })
        )
      })
    ))

  it.live("is heard by a probe as it was printed, secrets and all", () =>
    run(() =>
      Effect.gen(function*() {
        const script = "echo \"token $TOKEN accepted\"; exec sleep 60"
        yield* supervise(
          ProcessChild.make("p", sh(script, { env: { TOKEN: Redacted.make("correct-horse") }, extendEnv: true }), {
            readiness: ProcessProbe.logLine("token correct-horse accepted"),
            startTimeout: "10 seconds",
            ...proc
          })
        )
        assert.deepStrictEqual(yield* texts(yield* current), ["token <redacted> accepted"])
      })
    ))

  it.live("may be left unread", () =>
    run(() =>
      Effect.gen(function*() {
        yield* supervise(
          ProcessChild.make("p", sh("echo lost; echo kept >&2; exec sleep 60", { stdout: "ignore" }), proc)
        )
        const process = yield* current
        yield* line(process, "kept")
        assert.deepStrictEqual(yield* texts(process), ["kept"])
      })
    ))
})

describe("the standard input of a process", () => {
  it.live("may be closed by it, and nobody is hurt", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make(
            "deaf",
            sh("exec 0<&-; echo closed; exec sleep 60"),
            proc
          )
        )
        const process = yield* current
        yield* line(process, "closed")
        const much = Stream.make(new Uint8Array(1_000_000))
        const written = yield* Effect.exit(Stream.run(Stream.concat(much, much), process.stdin))
        assert.strictEqual(written._tag, "Failure")
        assert.strictEqual((yield* app.tree).children[0]?.state, "running")
      })
    ))

  it.live("ends when its writer ends", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("cat", ChildProcess.make("cat"), { restart: "transient", ...proc })
        )
        const process = yield* current
        yield* Stream.run(Stream.encodeText(Stream.make("one\n", "two")), process.stdin)
        yield* until(Effect.filterOrFail(app.tree, ({ children }) => children[0]?.state === "stopped"))
        assert.deepStrictEqual(yield* texts(process), ["one", "two"])
      })
    ))
})

describe("a task that is a process", () => {
  it.live("has started when it has succeeded, and the siblings wait for it", () =>
    run(() =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const folder = yield* files.makeTempDirectoryScoped()
        const app = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [
            ProcessChild.task("migrate", sh(`sleep 0.1; echo done > ${folder}/migrated`)),
            ProcessChild.make("server", sh(`cat ${folder}/migrated; exec sleep 60`), proc)
          ]
        })
        yield* line(yield* current, "done")
        assert.deepStrictEqual((yield* app.tree).children.map(({ state }) => state), ["stopped", "running"])
      })
    ))

  it.live("is a failed start if it fails", () =>
    run(() =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(supervise(ProcessChild.task("migrate", sh("exit 3"))))
        assert(error.reason._tag === "StartFailed" && error.reason.error instanceof ProcessExit.ProcessExited)
        assert.strictEqual(error.reason.error.code, 3)
      })
    ))
})
