// What the scripted spawner and the spawner of Node do alike. Each test has a shell script and a program that are to be the
// same, and runs against both: with real processes in real time, and scripted in virtual time.
import { TestProcess, VirtualTime } from "@coppice/testing"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, PlatformError, Redacted, Schedule, Scope, Sink, Stream, SubscriptionRef } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { existsSync, readFileSync } from "node:fs"

type Scripts = Readonly<Record<string, TestProcess.Script>>

/** A test of both. The scripts are named by what the shell is given, or by the command. */
const both = (
  sentence: string,
  scripts: Scripts,
  test: Effect.Effect<void, {} | null | undefined, ChildProcessSpawner.ChildProcessSpawner | Scope.Scope>
): void => {
  it.live(`${sentence} (really)`, () => Effect.provide(Effect.scoped(test), NodeServices.layer), 20_000)
  it.effect(`${sentence} (scripted)`, () =>
    Effect.suspend(() => {
      const os = TestProcess.layer(({ args, command }) => scripts[command === "sh" ? String(args[1]) : command])
      const world = new VirtualTime.VirtualTime()
      const fiber = Effect.runForkWith(world.context)(Effect.provide(Effect.scoped(test), os))
      world.settle()
      world.runFreely()
      return fiber.pollUnsafe() ?? Effect.die("it does not end")
    }))
}

const sh = (script: string, options?: ChildProcess.CommandOptions) => ChildProcess.make("sh", ["-c", script], options)

// A process that has had no turn since takes the other signal first. A scripted one is not among those of the machine.
const stopped = (pid: number) =>
  Effect.sync(() => existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "latin1") : ") T").pipe(
    Effect.filterOrFail((stat) => stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")),
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeoutOption("2 seconds")
  )

const quoted = (script: string) => `'${script.replaceAll("'", `'\\''`)}'`

const bytes = (text: string) => new TextEncoder().encode(text)

const write = (text: string, sink: ChildProcessSpawner.ChildProcessHandle["stdin"]) =>
  Stream.run(Stream.make(bytes(text)), sink)

const read = (stream: ChildProcessSpawner.ChildProcessHandle["stdout"]) => Stream.mkString(Stream.decodeText(stream))

/** Everything about an error that can be compared. */
const shape = ({ message, reason }: PlatformError.PlatformError): object => {
  const { _tag, cause, method, module } = reason
  const fields = reason._tag === "BadArgument"
    ? { description: reason.description }
    : { pathOrDescriptor: reason.pathOrDescriptor, syscall: reason.syscall }
  return {
    _tag,
    module,
    method,
    ...fields,
    message,
    cause: cause instanceof Error ? [cause.message, { ...cause }] : cause
  }
}

const failure = <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError, R>) =>
  Effect.map(Effect.flip(effect), shape)

const signaled = (command: string, signal: string) => ({
  _tag: "Unknown",
  module: "ChildProcess",
  method: "exitCode",
  pathOrDescriptor: command,
  syscall: undefined,
  message: `Unknown: ChildProcess.exitCode (${command})`,
  cause: [`Process interrupted due to receipt of signal: '${signal}'`, {}]
})

const notPiped = (command: string, method: string, message: string, fields: object, syscall?: string) => ({
  _tag: "Unknown",
  module: "ChildProcess",
  method,
  pathOrDescriptor: command,
  syscall,
  message: `Unknown: ChildProcess.${method} (${command})`,
  cause: [message, fields]
})

const prematureClose = (command: string, method: string) =>
  notPiped(command, method, "Premature close", { code: "ERR_STREAM_PREMATURE_CLOSE" })

/** Reads a stream to its end, and says when a text has come. */
const follow = Effect.fnUntraced(function*(stream: ChildProcessSpawner.ChildProcessHandle["stdout"]) {
  const text = yield* SubscriptionRef.make("")
  const reader = yield* Effect.forkChild(
    Stream.runForEach(Stream.decodeText(stream), (part) => SubscriptionRef.update(text, (text) => text + part))
  )
  return {
    until: (part: string) =>
      Stream.runDrain(Stream.takeUntil(SubscriptionRef.changes(text), (text) => text.includes(part))),
    sofar: SubscriptionRef.get(text),
    all: Effect.andThen(Fiber.join(reader), SubscriptionRef.get(text))
  }
})

/** Spawns in a scope of its own. */
const spawnIn = Effect.fnUntraced(function*(command: ChildProcess.Command) {
  const scope = yield* Scope.fork(yield* Scope.Scope)
  const handle = yield* Scope.provide(command, scope)
  return { handle, close: Scope.close(scope, Exit.void) }
})

const cat: TestProcess.Program = (process) =>
  Effect.as(Stream.runForEach(process.read(), (chunk) => process.write(chunk)), 0)

/** A process that says when it is up, and then waits. */
const up: TestProcess.Program = (process) => process.print("up")

/** What the first thing is that is written to it. */
const line = (process: TestProcess.Process) => Stream.runHead(process.read())

/** A sink that makes of all bytes their number. */
const counting = Sink.map(
  Sink.reduce(() => 0, (sum: number, chunk: Uint8Array) => sum + chunk.length),
  (sum) => bytes(`<${sum}>`)
)

const says = (process: TestProcess.Process, what: string, code: number) => Effect.as(process.print(what), code)

describe.concurrent("a process that ends", () => {
  both(
    "has an exit code, of eight bits",
    { true: () => Effect.succeed(0), "exit 3": () => Effect.succeed(3), "exit 300": () => Effect.succeed(300) },
    Effect.gen(function*() {
      const codes = yield* Effect.forEach(
        [ChildProcess.make("true"), sh("exit 3"), sh("exit 300")],
        (command) => Effect.flatMap(command, (handle) => handle.exitCode)
      )
      assert.deepStrictEqual(codes.map(Number), [0, 3, 44])
    })
  )

  both(
    "by a signal fails exitCode with the signal in the cause",
    { "kill -SEGV $$": (process) => process.kill("SIGSEGV"), "kill -USR1 $$": (process) => process.die("SIGUSR1") },
    Effect.gen(function*() {
      const segv = yield* sh("kill -SEGV $$")
      const usr1 = yield* sh("kill -USR1 $$")
      assert.deepStrictEqual(yield* failure(segv.exitCode), signaled("sh -c 'kill -SEGV $$'", "SIGSEGV"))
      assert.deepStrictEqual(yield* failure(usr1.exitCode), signaled("sh -c 'kill -USR1 $$'", "SIGUSR1"))
    })
  )

  both(
    "was running before, and is not after",
    { "read x": (process) => Effect.as(line(process), 0) },
    Effect.gen(function*() {
      const handle = yield* sh("read x")
      assert.isTrue(yield* handle.isRunning)
      yield* write("\n", handle.stdin)
      assert.strictEqual(yield* handle.exitCode, 0)
      assert.isFalse(yield* handle.isRunning)
      assert.strictEqual(yield* handle.exitCode, 0)
    })
  )

  both(
    "is known to have ended before who writes to it fails",
    { "read x": (process) => Effect.as(line(process), 0) },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("sh", ["-c", "read x"], { stdin: { stream: "pipe", endOnDone: false } })
      const order: Array<string> = []
      const noting = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
        Effect.forkChild(Effect.ensuring(Effect.exit(effect), Effect.sync(() => order.push(what))))
      const writer = yield* noting("writer", Stream.run(Stream.never, handle.stdin))
      const waiter = yield* noting("waiter", handle.exitCode)
      yield* write("\n", handle.stdin)
      yield* Effect.andThen(Fiber.join(writer), Fiber.join(waiter))
      assert.deepStrictEqual(order, ["waiter", "writer"])
    })
  )

  both(
    "is waited for by whoever asks, and goes on when they no longer do",
    { "read x": (process) => Effect.as(line(process), 0) },
    Effect.gen(function*() {
      const handle = yield* sh("read x")
      assert.strictEqual((yield* Effect.timeoutOption(handle.exitCode, "50 millis"))._tag, "None")
      assert.isTrue(yield* handle.isRunning)
      yield* write("\n", handle.stdin)
      const codes = yield* Effect.all([handle.exitCode, handle.exitCode], { concurrency: 2 })
      assert.deepStrictEqual(codes.map(Number), [0, 0])
    })
  )
})

describe.concurrent("a command that cannot be spawned", () => {
  both(
    "fails as not found, or as not permitted, with its arguments",
    { "/etc/passwd": "EACCES" },
    Effect.gen(function*() {
      const expected = (
        name: string,
        args: ReadonlyArray<string>,
        shown: string,
        tag: string,
        code: string,
        errno: number
      ) => ({
        _tag: tag,
        module: "ChildProcess",
        method: "spawn",
        pathOrDescriptor: shown,
        syscall: `spawn ${name}`,
        message: `${tag}: ChildProcess.spawn (${shown})`,
        cause: [`spawn ${name} ${code}`, { errno, code, syscall: `spawn ${name}`, path: name, spawnargs: args }]
      })
      assert.deepStrictEqual(
        yield* failure(ChildProcess.make("no-such-command", ["a b", "c"])),
        expected("no-such-command", ["a b", "c"], "no-such-command 'a b' c", "NotFound", "ENOENT", -2)
      )
      assert.deepStrictEqual(
        yield* failure(ChildProcess.make("/etc/passwd")),
        expected("/etc/passwd", [], "/etc/passwd", "PermissionDenied", "EACCES", -13)
      )
      assert.deepStrictEqual(
        yield* failure(ChildProcess.make("no-such-command", [Redacted.make("secret")])),
        expected(
          "no-such-command",
          ["no-such-command", "<redacted>"],
          "no-such-command <redacted>",
          "NotFound",
          "ENOENT",
          -2
        )
      )
    })
  )

  both(
    "fails as a bad argument",
    { true: () => Effect.succeed(0) },
    Effect.gen(function*() {
      const description = (command: ChildProcess.Command) => Effect.map(Effect.flip(command), ({ message }) => message)
      yield* ChildProcess.make("true", ["a"], { shell: false })
      assert.deepStrictEqual(yield* failure(ChildProcess.make("true", ["a"], { shell: true })), {
        _tag: "BadArgument",
        module: "ChildProcess",
        method: "spawn",
        description: "The shell option cannot be combined with arguments; pass the whole script as the command",
        message:
          "ChildProcess.spawn: The shell option cannot be combined with arguments; pass the whole script as the command",
        cause: undefined
      })
      assert.deepStrictEqual(
        yield* Effect.all([
          description(ChildProcess.make("tr\0ue")),
          description(ChildProcess.make("true", ["a", Redacted.make("b\0")])),
          description(ChildProcess.make("true", [], { env: { A: "a", B: "b\0" } }))
        ]),
        [
          "ChildProcess.spawn: The command contains a NUL character",
          "ChildProcess.spawn: Argument 2 contains a NUL character",
          "ChildProcess.spawn: The environment variable B contains a NUL character"
        ]
      )
    })
  )

  both(
    "is for a shell to find out",
    {},
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("no-such-command", { shell: "/bin/sh" })
      assert.strictEqual(yield* handle.exitCode, 127)
    })
  )
})

describe.concurrent("a process", () => {
  const script = "pwd; echo $A $B ${C-none}; echo $0"
  both(
    "sees its directory, its variables and its arguments",
    {
      [script]: (process) =>
        process.print(
          `${process.cwd}\n${process.env["A"]} ${process.env["B"]} ${process.env["C"] ?? "none"}\n${process.args[2]}`
        ).pipe(
          Effect.as(0)
        )
    },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("sh", ["-c", script, Redacted.make("zero")], {
        cwd: "/",
        env: { A: "a", B: Redacted.make("b"), C: undefined },
        extendEnv: true
      })
      assert.strictEqual(yield* read(handle.stdout), "/\na b none\nzero\n")
    })
  )

  both(
    "is spawned by the helpers of the spawner",
    {
      "echo a; echo b >&2; exit 3": (process) =>
        Effect.as(Effect.andThen(process.print("a"), process.print("b", "stderr")), 3)
    },
    Effect.gen(function*() {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const command = sh("echo a; echo b >&2; exit 3")
      assert.strictEqual(yield* spawner.exitCode(command), 3)
      assert.strictEqual(yield* spawner.string(command), "a\n")
      assert.deepStrictEqual((yield* spawner.lines(command, { includeStderr: true })).toSorted(), ["a", "b"])
    })
  )
})

describe.concurrent("output", () => {
  const script = "echo out; echo err >&2; echo more"
  const program: TestProcess.Program = (process) =>
    process.print("out").pipe(
      Effect.andThen(process.print("err", "stderr")),
      Effect.andThen(process.print("more")),
      Effect.as(0)
    )

  both(
    "can be read after the end, each by itself or together",
    { [script]: program },
    Effect.gen(function*() {
      const handle = yield* sh(script)
      yield* handle.exitCode
      assert.strictEqual(yield* read(handle.stdout), "out\nmore\n")
      assert.strictEqual(yield* read(handle.stderr), "err\n")
      const other = yield* sh(script)
      assert.deepStrictEqual((yield* read(other.all)).split("\n").toSorted(), ["", "err", "more", "out"])
    })
  )

  both(
    "is read once: who reads it again sees its end",
    { [script]: program },
    Effect.gen(function*() {
      const handle = yield* sh(script)
      assert.strictEqual(yield* read(handle.stdout), "out\nmore\n")
      assert.strictEqual(yield* read(handle.stdout), "")
    })
  )

  both(
    "is lost when its reader leaves before its end",
    {
      "echo a; read x; echo b": (process) =>
        Effect.andThen(process.print("a"), Effect.andThen(line(process), says(process, "b", 0)))
    },
    Effect.gen(function*() {
      const handle = yield* sh("echo a; read x; echo b")
      assert.strictEqual(yield* read(Stream.take(handle.stdout, 1)), "a\n")
      yield* write("\n", handle.stdin)
      assert.strictEqual(yield* handle.exitCode, 0)
      assert.deepStrictEqual(
        yield* failure(read(handle.stdout)),
        prematureClose("sh -c 'echo a; read x; echo b'", "fromReadable(stdout)")
      )
    })
  )

  both(
    "is lost for all its readers when one of them leaves",
    { "read x": (process) => Effect.as(line(process), 0) },
    Effect.gen(function*() {
      const handle = yield* sh("read x")
      const staying = yield* Effect.forkChild(failure(read(handle.stdout)), { startImmediately: true })
      const leaving = yield* Effect.forkChild(read(handle.stdout), { startImmediately: true })
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(leaving)
      assert.deepStrictEqual(yield* Fiber.join(staying), prematureClose("sh -c 'read x'", "fromReadable(stdout)"))
    })
  )

  both(
    "is empty where it goes elsewhere",
    { [script]: program },
    Effect.gen(function*() {
      const handle = yield* sh(script, { stdout: "ignore", stderr: { stream: "ignore" } })
      assert.strictEqual(yield* read(handle.all), "")
      assert.strictEqual(yield* handle.exitCode, 0)
    })
  )

  both(
    "goes through the sinks of the command",
    { [script]: program },
    Effect.gen(function*() {
      const handle = yield* sh(script, { stdout: counting, stderr: { stream: counting } })
      assert.deepStrictEqual([yield* read(handle.stdout), yield* read(handle.stderr)], ["<9>", "<4>"])
    })
  )

  both(
    "ends when the process closes it",
    { "echo a; exec >&-; read x": (process) => Effect.andThen(process.print("a"), process.close("stdout")) },
    Effect.gen(function*() {
      const handle = yield* sh("echo a; exec >&-; read x")
      assert.strictEqual(yield* read(handle.stdout), "a\n")
      assert.isTrue(yield* handle.isRunning)
    })
  )

  const holding = "(sleep 0.3; echo late) & exit 0"
  both(
    "ends when the last process that holds it has ended",
    {
      [holding]: (process) =>
        Effect.as(
          process.fork({
            program: (child) => Effect.delay(Effect.suspend(() => says(child, "late", 0)), "300 millis")
          }),
          0
        )
    },
    Effect.gen(function*() {
      const handle = yield* sh(holding)
      assert.strictEqual(yield* handle.exitCode, 0)
      assert.strictEqual(yield* read(handle.stdout), "late\n")
    })
  )
})

describe.concurrent("stdin", () => {
  both(
    "is what is written to it, and ends when that does",
    { cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat")
      yield* Stream.run(Stream.make(bytes("a\n"), bytes("b\n")), handle.stdin)
      assert.strictEqual(yield* read(handle.stdout), "a\nb\n")
      assert.strictEqual(yield* handle.exitCode, 0)
    })
  )

  both(
    "stays open if the command says so",
    { cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat", [], { stdin: { stream: "pipe", endOnDone: false } })
      const output = yield* follow(handle.stdout)
      yield* write("a\n", handle.stdin)
      yield* write("b\n", handle.stdin)
      yield* output.until("a\nb\n")
      assert.isTrue(yield* handle.isRunning)
    })
  )

  both(
    "ends when its writer is interrupted, or fails",
    { cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat")
      const output = yield* follow(handle.stdout)
      const writer = yield* Effect.forkChild(
        Stream.run(Stream.concat(Stream.make(bytes("a")), Stream.never), handle.stdin)
      )
      yield* output.until("a")
      yield* Fiber.interrupt(writer)
      assert.strictEqual(yield* handle.exitCode, 0)

      const other = yield* ChildProcess.make("cat")
      const failing = Stream.concat(Stream.make(bytes("a")), Stream.fail("no more"))
      assert.strictEqual(yield* Effect.flip(Stream.run(failing, other.stdin)), "no more")
      assert.strictEqual(yield* other.exitCode, 0)
    })
  )

  both(
    "cannot be written to after its end",
    { cat: (process) => Effect.andThen(cat(process), Effect.never) },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat")
      yield* write("a\n", handle.stdin)
      assert.deepStrictEqual(
        yield* failure(write("b\n", handle.stdin)),
        notPiped("cat", "fromWritable(stdin)", "write after end", { code: "ERR_STREAM_WRITE_AFTER_END" })
      )
    })
  )

  both(
    "fails its writer when the process ends, though nothing is written",
    {
      "read x": (process) => Effect.as(line(process), 0),
      "sleep 0.2": () => Effect.delay(Effect.succeed(0), "200 millis")
    },
    Effect.gen(function*() {
      const handle = yield* sh("sleep 0.2")
      const error = prematureClose("sh -c 'sleep 0.2'", "fromWritable(stdin)")
      assert.deepStrictEqual(yield* failure(Stream.run(Stream.never, handle.stdin)), error)
      assert.deepStrictEqual(yield* failure(write("a\n", handle.stdin)), error)
      assert.deepStrictEqual(yield* failure(Stream.run(Stream.empty, handle.stdin)), error)
    })
  )

  both(
    "that has been ended in time is no failure when the process ends",
    { cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat")
      yield* write("a\n", handle.stdin)
      yield* handle.exitCode
      yield* Stream.run(Stream.empty, handle.stdin)
      assert.deepStrictEqual(
        yield* failure(write("b\n", handle.stdin)),
        notPiped("cat", "fromWritable(stdin)", "write after end", { code: "ERR_STREAM_WRITE_AFTER_END" })
      )
    })
  )

  both(
    "fails its writer when the process has closed it",
    {
      "exec <&-; echo closed; exec sleep 5": (process) =>
        Effect.andThen(process.close("stdin"), process.print("closed"))
    },
    Effect.gen(function*() {
      const handle = yield* sh("exec <&-; echo closed; exec sleep 5")
      const output = yield* follow(handle.stdout)
      yield* output.until("closed")
      assert.deepStrictEqual(
        yield* failure(write("a\n", handle.stdin)),
        notPiped(
          "sh -c 'exec <&-; echo closed; exec sleep 5'",
          "fromWritable(stdin)",
          "write EPIPE",
          { errno: -32, code: "EPIPE", syscall: "write" },
          "write"
        )
      )
    })
  )

  both(
    "can be a stream of the command",
    { cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat", [], { stdin: Stream.make(bytes("a\n"), bytes("b\n")) })
      assert.strictEqual(yield* read(handle.stdout), "a\nb\n")
      assert.strictEqual(yield* handle.exitCode, 0)
    })
  )

  both(
    "fails exitCode if the stream of the command fails",
    { cat },
    Effect.gen(function*() {
      const unread = PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "open" })
      const handle = yield* ChildProcess.make("cat", [], { stdin: Stream.fail(unread) })
      assert.strictEqual(yield* Effect.flip(handle.exitCode), unread)
    })
  )

  both(
    "is empty where it comes from elsewhere, and what is written goes nowhere",
    { cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("cat", [], { stdin: "ignore" })
      yield* write("a\n", handle.stdin)
      assert.strictEqual(yield* read(handle.stdout), "")
      assert.strictEqual(yield* handle.exitCode, 0)
    })
  )
})

/** Does as a shell with a trap: says something at a signal, and exits. */
const trapping = (signal: ChildProcess.Signal, what: string, code: number): TestProcess.Program => (process) =>
  Effect.andThen(process.on(signal, Effect.suspend(() => says(process, what, code))), process.print("up"))

/** Ignores a signal. */
const ignoring = (signal: ChildProcess.Signal): TestProcess.Program => (process) =>
  Effect.andThen(process.ignore(signal), process.print("up"))

describe.concurrent("kill", () => {
  both(
    "sends SIGTERM if nothing else is said, and waits for the end",
    { "echo up; exec sleep 5": up },
    Effect.gen(function*() {
      const handle = yield* sh("echo up; exec sleep 5", { killSignal: "SIGINT", forceKillAfter: "1 second" })
      yield* handle.kill()
      assert.isFalse(yield* handle.isRunning)
      assert.deepStrictEqual(yield* failure(handle.exitCode), signaled("sh -c 'echo up; exec sleep 5'", "SIGTERM"))
    })
  )

  both(
    "sends the signal that is asked for, and the process may answer with a code",
    { "trap 'echo hup; exit 7' HUP; echo up; read x": trapping("SIGHUP", "hup", 7) },
    Effect.gen(function*() {
      const handle = yield* sh("trap 'echo hup; exit 7' HUP; echo up; read x")
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* handle.kill({ killSignal: "SIGHUP" })
      assert.strictEqual(yield* handle.exitCode, 7)
      assert.strictEqual(yield* output.all, "up\nhup\n")
    })
  )

  both(
    "sends SIGKILL after a time if it is told to",
    { "trap '' TERM; echo up; read x": ignoring("SIGTERM") },
    Effect.gen(function*() {
      const handle = yield* sh("trap '' TERM; echo up; read x")
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* handle.kill({ forceKillAfter: "100 millis" })
      assert.deepStrictEqual(
        yield* failure(handle.exitCode),
        signaled(`sh -c ${quoted("trap '' TERM; echo up; read x")}`, "SIGKILL")
      )
    })
  )

  both(
    "waits without end otherwise, and sends nothing more when it is interrupted",
    { "trap '' TERM; echo up; read x": ignoring("SIGTERM") },
    Effect.gen(function*() {
      const { handle } = yield* spawnIn(sh("trap '' TERM; echo up; read x", { forceKillAfter: "50 millis" }))
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      assert.strictEqual((yield* Effect.timeoutOption(handle.kill(), "200 millis"))._tag, "None")
      const forcing = yield* Effect.forkChild(handle.kill({ forceKillAfter: "100 millis" }), { startImmediately: true })
      yield* Fiber.interrupt(forcing)
      yield* Effect.sleep("200 millis")
      assert.isTrue(yield* handle.isRunning)
    })
  )

  both(
    "waits without end for a process that goes on after the signal",
    {
      "trap 'echo again' USR1; echo up; while :; do read x; done": (process) =>
        Effect.andThen(process.on("SIGUSR1", process.print("again")), process.print("up"))
    },
    Effect.gen(function*() {
      const handle = yield* sh("trap 'echo again' USR1; echo up; while :; do read x; done")
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      const killing = Effect.timeoutOption(handle.kill({ killSignal: "SIGUSR1" }), "100 millis")
      assert.strictEqual((yield* killing)._tag, "None")
      yield* output.until("again")
      assert.isTrue(yield* handle.isRunning)
    })
  )

  both(
    "fails when all have ended",
    { true: () => Effect.succeed(0) },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("true")
      yield* handle.exitCode
      assert.deepStrictEqual(
        yield* failure(handle.kill()),
        notPiped("true", "kill", "Failed to kill child process", {})
      )
    })
  )

  both(
    "of a stopped process waits until that goes on, or is killed",
    { "exec sleep 5": () => Effect.void },
    Effect.gen(function*() {
      const handle = yield* sh("exec sleep 5")
      const send = (killSignal: ChildProcess.Signal) =>
        Effect.andThen(Effect.forkChild(handle.kill({ killSignal })), Effect.sleep("50 millis"))
      yield* send("SIGSTOP")
      yield* stopped(handle.pid)
      yield* send("SIGTERM")
      assert.isTrue(yield* handle.isRunning)
      yield* send("SIGCONT")
      assert.deepStrictEqual(yield* failure(handle.exitCode), signaled("sh -c 'exec sleep 5'", "SIGTERM"))

      const other = yield* sh("exec sleep 5")
      yield* Effect.timeoutOption(other.kill({ killSignal: "SIGSTOP" }), "50 millis")
      yield* other.kill({ killSignal: "SIGKILL" })
      assert.deepStrictEqual(yield* failure(other.exitCode), signaled("sh -c 'exec sleep 5'", "SIGKILL"))
    })
  )

  both(
    "does nothing by some signals",
    { "exec sleep 5": () => Effect.void },
    Effect.gen(function*() {
      const handle = yield* sh("exec sleep 5")
      yield* Effect.forEach(
        ["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"] as const,
        (killSignal) => Effect.timeoutOption(handle.kill({ killSignal }), "20 millis")
      )
      assert.isTrue(yield* handle.isRunning)
    })
  )
})

describe.concurrent("the end of the scope", () => {
  both(
    "ends the process with SIGTERM, and waits for it",
    { "trap 'echo term; exit 7' TERM; echo up; read x": trapping("SIGTERM", "term", 7) },
    Effect.gen(function*() {
      const { close, handle } = yield* spawnIn(sh("trap 'echo term; exit 7' TERM; echo up; read x"))
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* close
      assert.isFalse(yield* handle.isRunning)
      assert.strictEqual(yield* handle.exitCode, 7)
      assert.strictEqual(yield* output.all, "up\nterm\n")
    })
  )

  both(
    "ends the process as the command says",
    {
      "trap '' HUP; echo up; read x": ignoring("SIGHUP"),
      "trap 'exit 7' HUP; echo up; read x": trapping("SIGHUP", "hup", 7)
    },
    Effect.gen(function*() {
      const options = { killSignal: "SIGHUP", forceKillAfter: "100 millis" } as const
      const polite = yield* spawnIn(sh("trap 'exit 7' HUP; echo up; read x", options))
      const deaf = yield* spawnIn(sh("trap '' HUP; echo up; read x", options))
      yield* Effect.forEach(
        [polite, deaf],
        ({ handle }) => Effect.flatMap(follow(handle.stdout), (output) => output.until("up"))
      )
      yield* polite.close
      yield* deaf.close
      assert.strictEqual(yield* polite.handle.exitCode, 7)
      assert.deepStrictEqual(
        yield* failure(deaf.handle.exitCode),
        signaled(`sh -c ${quoted("trap '' HUP; echo up; read x")}`, "SIGKILL")
      )
    })
  )

  both(
    "leaves a process that has been let go, until it is taken back",
    { "read x": (process) => Effect.as(line(process), 0) },
    Effect.gen(function*() {
      const free = yield* spawnIn(sh("read x"))
      yield* Effect.asVoid(free.handle.unref)
      yield* free.close
      assert.isTrue(yield* free.handle.isRunning)
      yield* write("\n", free.handle.stdin)
      assert.strictEqual(yield* free.handle.exitCode, 0)
      const held = yield* spawnIn(sh("read x"))
      yield* yield* held.handle.unref
      yield* held.close
      assert.isFalse(yield* held.handle.isRunning)
    })
  )
})

describe.concurrent("a group", () => {
  // A member that tells of SIGTERM and SIGHUP, and a leader that waits for a line before it does something.
  const member = "(trap 'echo term; exit' TERM; trap 'echo hup; exit' HUP; echo up; sleep 1 & wait; echo late)"
  const leader = (then: string) => `${member} & read x; ${then}`
  const leading =
    (then: (process: TestProcess.Process) => Effect.Effect<number | void>): TestProcess.Program => (process) =>
      Effect.gen(function*() {
        yield* process.fork({
          program: Effect.fnUntraced(function*(child) {
            yield* child.on("SIGTERM", Effect.suspend(() => says(child, "term", 0)))
            yield* child.on("SIGHUP", Effect.suspend(() => says(child, "hup", 0)))
            yield* child.print("up")
            yield* Effect.sleep("1 second")
            return yield* says(child, "late", 0)
          })
        })
        yield* line(process)
        return yield* then(process)
      })

  /**
   * Spawns a leader and lets it go on when all are up. What is said until it has ended and this text has come, and what
   * until its scope is closed?
   */
  const observe = Effect.fnUntraced(function*(command: ChildProcess.Command, until: string) {
    const { close, handle } = yield* spawnIn(command)
    const output = yield* follow(handle.stdout)
    yield* output.until("up")
    yield* write("\n", handle.stdin)
    yield* Effect.exit(handle.exitCode)
    yield* output.until(until)
    yield* Effect.sleep("100 millis")
    const first = yield* output.sofar
    yield* close
    return [first, yield* output.all]
  })

  both(
    "is signalled at once when its leader fails, as the command says",
    { [leader("exit 1")]: leading(() => Effect.succeed(1)) },
    Effect.gen(function*() {
      const hup = sh(leader("exit 1"), { killSignal: "SIGHUP" })
      assert.deepStrictEqual(yield* observe(sh(leader("exit 1")), "term"), ["up\nterm\n", "up\nterm\n"])
      assert.deepStrictEqual(yield* observe(hup, "hup"), ["up\nhup\n", "up\nhup\n"])
    })
  )

  both(
    "is signalled at the end of the scope when its leader has ended well, or by a signal",
    {
      [leader("exit 0")]: leading(() => Effect.succeed(0)),
      [leader("kill -KILL $$")]: leading((process) => process.kill("SIGKILL"))
    },
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* observe(sh(leader("exit 0")), "up"), ["up\n", "up\nterm\n"])
      assert.deepStrictEqual(yield* observe(sh(leader("kill -KILL $$")), "up"), ["up\n", "up\nterm\n"])
    })
  )

  const persistent = "(trap 'echo term' TERM; echo up; for i in 1 2 3 4 5; do sleep 0.1; done) & read x; exit 1"
  both(
    "of a leader that has failed is signalled again at the end of the scope, even if it was let go",
    {
      [persistent]: Effect.fnUntraced(function*(process) {
        yield* process.fork({
          program: Effect.fnUntraced(function*(child) {
            yield* child.on("SIGTERM", child.print("term"))
            yield* child.print("up")
            yield* Effect.sleep("500 millis")
            return 0
          })
        })
        yield* line(process)
        return 1
      })
    },
    Effect.gen(function*() {
      const { close, handle } = yield* spawnIn(sh(persistent))
      yield* Effect.asVoid(handle.unref)
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* write("\n", handle.stdin)
      yield* output.until("term")
      yield* close
      assert.strictEqual(yield* output.all, "up\nterm\nterm\n")
    })
  )

  both(
    "of a leader that has ended well is left to itself if it was let go",
    { [leader("exit 0")]: leading(() => Effect.succeed(0)) },
    Effect.gen(function*() {
      const { close, handle } = yield* spawnIn(sh(leader("exit 0")))
      yield* Effect.asVoid(handle.unref)
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* write("\n", handle.stdin)
      yield* handle.exitCode
      yield* close
      assert.strictEqual(yield* output.all, "up\nlate\n")
    })
  )

  const deafMember = "(trap '' TERM; echo up; sleep 2; echo late) & read x"
  const deafScripts: Scripts = {
    [deafMember]: Effect.fnUntraced(function*(process) {
      yield* process.fork({
        program: Effect.fnUntraced(function*(child) {
          yield* child.ignore("SIGTERM")
          yield* child.print("up")
          yield* Effect.sleep("2 seconds")
          return yield* says(child, "late", 0)
        })
      })
      yield* line(process)
    })
  }

  both(
    "is left to itself a second after its leader has ended",
    deafScripts,
    Effect.gen(function*() {
      const handle = yield* sh(deafMember)
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* handle.kill()
      assert.strictEqual(yield* output.all, "up\nlate\n")
    })
  )

  both(
    "is killed when its leader has ended in time, and others have not",
    deafScripts,
    Effect.gen(function*() {
      const handle = yield* sh(deafMember)
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* handle.kill({ forceKillAfter: "100 millis" })
      assert.deepStrictEqual(yield* failure(handle.exitCode), signaled(`sh -c ${quoted(deafMember)}`, "SIGTERM"))
      assert.strictEqual(yield* output.all, "up\n")
    })
  )

  both(
    "is signalled by kill, with its leader and without",
    { [leader("exit 0")]: leading(() => Effect.succeed(0)) },
    Effect.gen(function*() {
      const whole = yield* sh(leader("exit 0"))
      const output = yield* follow(whole.stdout)
      yield* output.until("up")
      yield* whole.kill()
      assert.strictEqual(yield* output.all, "up\nterm\n")

      const rest = yield* sh(leader("exit 0"))
      const restOutput = yield* follow(rest.stdout)
      yield* restOutput.until("up")
      yield* write("\n", rest.stdin)
      yield* rest.exitCode
      yield* rest.kill({ killSignal: "SIGHUP" })
      assert.strictEqual(yield* restOutput.all, "up\nhup\n")
    })
  )

  both(
    "is not there for a command that is not detached: only the process itself is signalled",
    {
      [leader("exit 0")]: leading(() => Effect.succeed(0)),
      [leader("exit 1")]: leading(() => Effect.succeed(1))
    },
    Effect.gen(function*() {
      const handle = yield* sh(leader("exit 0"), { detached: false })
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* handle.kill()
      assert.strictEqual(yield* output.all, "up\nlate\n")
      assert.deepStrictEqual(yield* observe(sh(leader("exit 1"), { detached: false }), "up"), ["up\n", "up\nlate\n"])
    })
  )

  const leaving = "setsid sh -c 'echo up; sleep 0.3; echo late' & read x"
  both(
    "is not signalled where a member has left it",
    {
      [leaving]: (process) =>
        Effect.asVoid(process.fork({
          leavesGroup: true,
          program: (child) =>
            Effect.andThen(child.print("up"), Effect.delay(Effect.suspend(() => says(child, "late", 0)), "300 millis"))
        }))
    },
    Effect.gen(function*() {
      const { close, handle } = yield* spawnIn(sh(leaving))
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* close
      assert.strictEqual(yield* output.all, "up\nlate\n")
    })
  )

  const deaf = "trap '' TERM; echo up; sleep 0.3; echo late"
  both(
    "ignores what its leader ignored when they were forked",
    {
      [deaf]: Effect.fnUntraced(function*(process) {
        yield* process.ignore("SIGTERM")
        const child = yield* process.fork({ program: () => Effect.delay(Effect.succeed(0), "300 millis") })
        yield* process.print("up")
        yield* Effect.sleep("300 millis")
        return yield* says(process, (yield* child.status)._tag === "Exited" ? "late" : "early", 0)
      })
    },
    Effect.gen(function*() {
      const { close, handle } = yield* spawnIn(sh(deaf))
      const output = yield* follow(handle.stdout)
      yield* output.until("up")
      yield* close
      assert.strictEqual(yield* output.all, "up\nlate\n")
    })
  )
})

describe.concurrent("additional descriptors", () => {
  const copying = (from: TestProcess.Input, to: TestProcess.Output): TestProcess.Program => (process) =>
    Effect.as(Stream.runForEach(process.read(from), (chunk) => process.write(chunk, to)), 0)

  both(
    "are written to, read from, or both",
    {
      "echo three >&3": (process) => Effect.as(process.print("three", "fd3"), 0),
      "cat <&3": copying("fd3", "stdout"),
      "cat <&3 >&3": copying("fd3", "fd3")
    },
    Effect.gen(function*() {
      const output = yield* sh("echo three >&3", { additionalFds: { fd3: { type: "output" } } })
      assert.strictEqual(yield* read(output.getOutputFd(3)), "three\n")
      assert.strictEqual(yield* read(output.getOutputFd(4)), "")
      const input = yield* sh("cat <&3", { additionalFds: { fd3: { type: "input" } } })
      yield* write("in", input.getInputFd(3))
      yield* write("in", input.getInputFd(4))
      assert.strictEqual(yield* read(input.stdout), "in")
      const duplex = yield* sh("cat <&3 >&3", { additionalFds: { fd3: { type: "duplex" } } })
      yield* write("both", duplex.getInputFd(3))
      assert.strictEqual(yield* read(duplex.getOutputFd(3)), "both")
    })
  )

  both(
    "are read and written only as the command says",
    { "read x": (process) => Effect.as(line(process), 0) },
    Effect.gen(function*() {
      const handle = yield* sh("read x", { additionalFds: { fd3: { type: "input" }, fd4: { type: "output" } } })
      assert.strictEqual(yield* read(handle.getOutputFd(3)), "")
      assert.isTrue(yield* handle.isRunning)
      yield* write("\n", handle.stdin)
      yield* handle.exitCode
      yield* write("nowhere", handle.getInputFd(4))
    })
  )

  both(
    "bring their streams and sinks with the command",
    { "cat <&3 >&4": copying("fd3", "fd4") },
    Effect.gen(function*() {
      const handle = yield* sh("cat <&3 >&4", {
        additionalFds: {
          fd3: { type: "input", stream: Stream.make(bytes("abc")) },
          fd4: { type: "output", sink: counting }
        }
      })
      assert.strictEqual(yield* read(handle.getOutputFd(4)), "<3>")
    })
  )

  const echo = "echo out; echo err >&2; echo three >&3; exit 3"
  const source = sh(echo, { additionalFds: { fd3: { type: "output" } } })
  const echoing: TestProcess.Program = Effect.fnUntraced(function*(process) {
    yield* process.print("out")
    yield* process.print("err", "stderr")
    yield* process.print("three", "fd3")
    return 3
  })

  both(
    "are connected by a pipeline, as stdin, stdout and stderr are; it ends as its last command does",
    { [echo]: echoing, cat, "cat <&3": copying("fd3", "stdout") },
    Effect.gen(function*() {
      const piped = (options?: ChildProcess.PipeOptions) =>
        Effect.flatMap(
          ChildProcess.pipeTo(source, ChildProcess.make("cat"), options),
          (handle) => Effect.all([read(handle.stdout), handle.exitCode])
        )
      assert.deepStrictEqual(yield* piped(), ["out\n", ChildProcessSpawner.ExitCode(0)])
      assert.deepStrictEqual((yield* piped({ from: "stderr" }))[0], "err\n")
      assert.deepStrictEqual((yield* piped({ from: "fd3" }))[0], "three\n")
      assert.deepStrictEqual((yield* piped({ from: "all" }))[0].length, "out\nerr\n".length)
      const toFd = yield* ChildProcess.pipeTo(source, sh("cat <&3"), { to: "fd3" })
      assert.strictEqual(yield* read(toFd.stdout), "out\n")
    })
  )
})

describe.concurrent("a pipeline", () => {
  both(
    "reads what is written to its first command",
    { "read x; echo $x $x": (process) => Effect.andThen(line(process), says(process, "a a", 0)), cat },
    Effect.gen(function*() {
      const handle = yield* ChildProcess.pipeTo(sh("read x; echo $x $x"), ChildProcess.make("cat"))
      yield* write("a\n", handle.stdin)
      assert.strictEqual(yield* read(handle.stdout), "a a\n")
    })
  )

  both(
    "leaves to its commands how they are connected",
    {
      "echo out": (process) => says(process, "out", 0),
      "cat <&3 >&3": (process) =>
        Effect.as(Stream.runForEach(process.read("fd3"), (chunk) => process.write(chunk, "fd3")), 0),
      cat
    },
    Effect.gen(function*() {
      const duplex = sh("cat <&3 >&3", { additionalFds: { fd3: { type: "duplex" } } })
      const handle = yield* ChildProcess.pipeTo(sh("echo out"), duplex, { to: "fd3" })
      assert.strictEqual(yield* read(handle.getOutputFd(3)), "out\n")
      const open = ChildProcess.make("cat", [], { stdin: { stream: "pipe", endOnDone: false } })
      const other = yield* ChildProcess.pipeTo(sh("echo out"), open)
      const output = yield* follow(other.stdout)
      yield* output.until("out\n")
      yield* Effect.sleep("50 millis")
      assert.isTrue(yield* other.isRunning)
    })
  )

  both(
    "is killed as a whole",
    { "exec sleep 5": () => Effect.void, cat },
    Effect.gen(function*() {
      const handle = yield* sh("exec sleep 5").pipe(
        ChildProcess.pipeTo(ChildProcess.make("cat")),
        ChildProcess.pipeTo(ChildProcess.make("cat"))
      )
      yield* handle.kill({ killSignal: "SIGINT" })
      assert.deepStrictEqual(yield* failure(handle.exitCode), signaled("cat", "SIGINT"))
      assert.isUndefined(yield* handle.kill())
    })
  )

  both(
    "fails to spawn if one of its commands does",
    { "exec sleep 5": () => Effect.void },
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(
        ChildProcess.pipeTo(sh("exec sleep 5"), ChildProcess.make("no-such-command"))
      )
      assert.strictEqual(message, "NotFound: ChildProcess.spawn (no-such-command)")
    })
  )
})
