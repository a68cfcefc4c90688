import { TestProcess } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, SupervisionTree, Supervisor } from "coppice"
import { Cause, Effect, Exit, Fiber, Logger, type PlatformError, Redacted, Scope, Stream } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { TestClock } from "effect/testing"

type Services = ChildProcessSpawner.ChildProcessSpawner | TestProcess.TestProcesses | Scope.Scope

/** A test with these scripts, without logs. */
const scripted = (
  sentence: string,
  scripts: TestProcess.Scripts,
  test: (processes: TestProcess.TestProcesses["Service"]) => Effect.Effect<void, {} | null | undefined, Services>
): void => {
  it.effect(sentence, () =>
    Effect.flatMap(TestProcess.TestProcesses, test).pipe(
      Effect.scoped,
      Effect.provide([TestProcess.layer(scripts), Logger.layer([])])
    ))
}

const server = ChildProcess.make("server")

/** Goes on until it is told otherwise. */
const idle: TestProcess.Program = () => Effect.void

const running: TestProcess.Status = { _tag: "Running" }

const exited = (code: number): TestProcess.Status => ({ _tag: "Exited", code })

const signaled = (signal: ChildProcess.Signal): TestProcess.Status => ({ _tag: "Signaled", signal })

const read = (stream: Stream.Stream<Uint8Array, PlatformError.PlatformError>) =>
  Stream.mkString(Stream.decodeText(stream))

/** The message of what an effect dies of. */
const defect = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? Cause.pretty(exit.cause).split("\n")[0] : exit.value)

const sent = (process: TestProcess.Process) => Effect.map(process.signals, (signals) => signals.join(" "))

describe("scripts", () => {
  scripted(
    "are one for each attempt, the last one for all further ones",
    { server: ["EAGAIN", () => Effect.succeed(1), "EMFILE", (process) => Effect.succeed(process.attempt)] },
    () =>
      Effect.gen(function*() {
        const once = Effect.scoped(Effect.flatMap(server, (handle) => handle.exitCode))
        const attempts = yield* Effect.all(
          Array.from({ length: 6 }, () =>
            Effect.catch(once, ({ message, reason }) => Effect.succeed([message, reason.cause])))
        )
        const failed = attempts.map((attempt) =>
          Array.isArray(attempt) ? [attempt[0], String(attempt[1])] : attempt
        )
        assert.deepStrictEqual(failed as ReadonlyArray<unknown>, [
          ["Unknown: ChildProcess.spawn (server)", "Error: spawn server EAGAIN"],
          1,
          ["Unknown: ChildProcess.spawn (server)", "Error: spawn server EMFILE"],
          4,
          5,
          6
        ])
      })
  )

  scripted(
    "are found by a function of the command, which is counted by its name",
    ({ args, command }) => args[0] === "fails" ? "ENFILE" : command === "server" ? idle : undefined,
    (processes) =>
      Effect.gen(function*() {
        assert.match((yield* Effect.flip(ChildProcess.make("server", ["fails"]))).message, /^Unknown/)
        assert.match((yield* Effect.flip(ChildProcess.make("other", ["works"]))).message, /^NotFound/)
        yield* ChildProcess.make("server", ["works"])
        assert.strictEqual((yield* processes.latest("server")).attempt, 2)
      })
  )

  scripted("are not found where a name is only in the prototype", { server: idle }, () =>
    Effect.gen(function*() {
      assert.match((yield* Effect.flip(ChildProcess.make("constructor"))).message, /^NotFound/)
    }))
})

describe("a program", () => {
  scripted(
    "begins while its command is spawned, and what it returns is the exit code, at its time",
    { server: (process) => Effect.andThen(process.print("up"), Effect.delay(Effect.succeed(259), "3 seconds")) },
    (processes) =>
      Effect.gen(function*() {
        const handle = yield* server
        const process = yield* processes.latest("server")
        assert.strictEqual(yield* process.unread(), 3)
        yield* TestClock.adjust(2999)
        assert.deepStrictEqual(yield* process.status, running)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* process.status, exited(3))
        assert.strictEqual(yield* handle.exitCode, 3)
      })
  )

  scripted("that returns nothing lets its process go on", { server: idle }, (processes) =>
    Effect.gen(function*() {
      yield* server
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* (yield* processes.latest("server")).status, running)
    }))

  const steps: Array<string> = []
  const stepping: TestProcess.Program = (process) =>
    Effect.gen(function*() {
      yield* process.on("SIGTERM", Effect.onInterrupt(Effect.never, () => Effect.sync(() => steps.push("handler"))))
      if (process.attempt < 3) yield* Effect.sleep("1 second")
      yield* process.exit(1)
      steps.push("after the exit")
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => steps.push("program"))))

  scripted(
    "is interrupted when its process ends, and its handlers are, even if it ended the process itself",
    { server: stepping },
    (processes) =>
      Effect.gen(function*() {
        yield* server
        const first = yield* processes.latest("server")
        yield* first.kill("SIGTERM")
        yield* first.die("SIGSEGV")
        assert.deepStrictEqual(steps.splice(0), ["program", "handler"])
        yield* server
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* (yield* processes.latest("server")).status, exited(1))
        assert.deepStrictEqual(steps.splice(0), ["program"])
        yield* server
        assert.deepStrictEqual(yield* (yield* processes.latest("server")).status, exited(1))
        assert.deepStrictEqual(steps.splice(0), ["program"])
      })
  )

  /** How a process is, and how the test has ended. */
  const mistaken = Effect.fnUntraced(function*(program: TestProcess.Program) {
    const statuses: Array<TestProcess.Status> = []
    const test = Effect.gen(function*() {
      const processes = yield* TestProcess.TestProcesses
      yield* server
      statuses.push(yield* (yield* processes.latest("server")).status)
    })
    const exit = yield* Effect.exit(Effect.provide(Effect.scoped(test), TestProcess.layer({ server: program })))
    return { statuses, exit }
  })

  it.effect("that dies, or a handler that does, ends its process by SIGABRT and fails the test", () =>
    Effect.gen(function*() {
      const handler: TestProcess.Program = (process) =>
        Effect.andThen(process.on("SIGUSR1", Effect.die("a mistake")), process.kill("SIGUSR1"))
      for (const program of [() => Effect.die("a mistake"), handler]) {
        const { exit, statuses } = yield* mistaken(program)
        assert.deepStrictEqual(statuses, [signaled("SIGABRT")])
        assert.deepStrictEqual(exit, Exit.die("a mistake"))
      }
    }))

  it.effect("that dies because its process has ended fails the test, but the end stays what it was", () =>
    Effect.gen(function*() {
      const { exit, statuses } = yield* mistaken((process) =>
        Effect.ensuring(Effect.andThen(process.die("SIGSEGV"), Effect.never), Effect.die("a mistake"))
      )
      assert.deepStrictEqual(statuses, [signaled("SIGSEGV")])
      assert.isTrue(Exit.hasDies(exit))
    }))

  it.live("has the time of who spawned it, wherever the layer was built", () =>
    Effect.gen(function*() {
      const handle = yield* server
      const { latest } = yield* TestProcess.TestProcesses
      const process = yield* latest("server")
      const child = yield* process.fork({ program: () => Effect.delay(Effect.succeed(4), "1 hour") })
      yield* process.on("SIGTERM", Effect.delay(Effect.succeed(5), "1 hour"))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* child.status, exited(4))
      const killing = yield* Effect.forkChild(handle.kill(), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(killing)
      assert.strictEqual(yield* handle.exitCode, 5)
    }).pipe(Effect.scoped, Effect.provide([TestProcess.layer({ server: idle }), TestClock.layer()])))

  it.effect("is interrupted when the layer is closed", () =>
    Effect.gen(function*() {
      const ended: Array<string> = []
      const program: TestProcess.Program = () =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended.push("x")))
      const test = Effect.scoped(Effect.andThen(Effect.flatMap(server, (handle) => handle.unref), Effect.void))
      yield* Effect.provide(
        Effect.andThen(test, Effect.sync(() => ended.push("used"))),
        TestProcess.layer({ server: program })
      )
      assert.deepStrictEqual(ended, ["used", "x"])
    }))
})

describe("a process", () => {
  scripted("is what was spawned", { server: idle }, (processes) =>
    Effect.gen(function*() {
      yield* ChildProcess.make("server", ["--key", Redacted.make("secret")], {
        cwd: "/srv",
        env: { A: "a", B: Redacted.make("b"), C: undefined },
        detached: false
      })
      const { args, attempt, command, cwd, env, group, parent, pid } = yield* processes.latest("server")
      assert.deepStrictEqual({ args, attempt, command, cwd, env, group, parent, pid }, {
        args: ["--key", "secret"],
        attempt: 1,
        command: "server",
        cwd: "/srv",
        env: { A: "a", B: "b" },
        group: 1,
        parent: undefined,
        pid: 1001
      })
    }))

  scripted(
    "that has ended takes no commands, but tells what it was",
    { server: (p) => p.print("up") },
    (processes) =>
      Effect.gen(function*() {
        const handle = yield* server
        const process = yield* processes.latest("server")
        yield* Stream.run(Stream.encodeText(Stream.make("hallo")), handle.stdin)
        yield* process.kill("SIGTERM")
        const commands: ReadonlyArray<Effect.Effect<unknown>> = [
          process.exit(0),
          process.die("SIGSEGV"),
          process.kill("SIGTERM"),
          process.on("SIGTERM", Effect.void),
          process.ignore("SIGTERM"),
          process.hang,
          process.fork(),
          process.print("line"),
          process.write(new Uint8Array(1)),
          process.close("stdout")
        ]
        const messages = new Set(yield* Effect.forEach(commands, defect))
        assert.deepStrictEqual(Array.from(messages), ["Error: server (pid 1001) has ended"])
        assert.deepStrictEqual(yield* process.status, signaled("SIGTERM"))
        assert.strictEqual(yield* sent(process), "SIGTERM")
        assert.strictEqual(yield* process.received(), "hallo")
        assert.strictEqual(yield* process.unread(), 3)
      })
  )

  scripted(
    "answers a signal as it was told last, by then or later",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        yield* server
        const process = yield* processes.latest("server")
        yield* process.on("SIGTERM", Effect.succeed(1))
        yield* process.ignore("SIGTERM", "SIGINT")
        yield* process.kill("SIGTERM")
        yield* process.kill("SIGINT")
        yield* process.on("SIGTERM", Effect.delay(Effect.succeed(7), "2 seconds"))
        yield* process.kill("SIGTERM")
        yield* TestClock.adjust(1999)
        assert.deepStrictEqual(yield* process.status, running)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* process.status, exited(7))
        assert.strictEqual(yield* sent(process), "SIGTERM SIGINT SIGTERM")
      })
  )

  scripted(
    "dies by a signal that it ignores, but not when that is sent",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        yield* server
        const process = yield* processes.latest("server")
        yield* process.ignore("SIGSEGV")
        yield* process.kill("SIGSEGV")
        assert.deepStrictEqual(yield* process.status, running)
        yield* process.die("SIGSEGV")
        assert.deepStrictEqual(yield* process.status, signaled("SIGSEGV"))
        assert.strictEqual(yield* sent(process), "SIGSEGV")
      })
  )

  scripted("cannot ignore or handle SIGKILL and SIGSTOP", { server: idle }, (processes) =>
    Effect.gen(function*() {
      yield* server
      const process = yield* processes.latest("server")
      yield* process.ignore("SIGSTOP")
      yield* process.on("SIGKILL", Effect.void)
      yield* process.kill("SIGSTOP")
      assert.deepStrictEqual(yield* process.status, { _tag: "Stopped" })
      yield* process.kill("SIGKILL")
      assert.deepStrictEqual(yield* process.status, signaled("SIGKILL"))
    }))

  scripted(
    "that is stopped gets its signals when it goes on, in order",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        yield* server
        const process = yield* processes.latest("server")
        const got: Array<string> = []
        yield* Effect.forEach(
          ["SIGHUP", "SIGUSR1", "SIGCONT"] as const,
          (signal) => process.on(signal, Effect.sync(() => void got.push(signal)))
        )
        yield* Effect.forEach(["SIGTSTP", "SIGUSR1", "SIGHUP"] as const, (signal) => process.kill(signal))
        assert.deepStrictEqual(got, [])
        yield* process.kill("SIGCONT")
        assert.deepStrictEqual(got, ["SIGUSR1", "SIGHUP", "SIGCONT"])
        assert.deepStrictEqual(yield* process.status, running)
        yield* Effect.forEach(["SIGSTOP", "SIGTERM", "SIGUSR1", "SIGCONT"] as const, (signal) => process.kill(signal))
        assert.deepStrictEqual(yield* process.status, signaled("SIGTERM"))
        assert.deepStrictEqual(got.slice(3), [])
      })
  )

  scripted(
    "that hangs does nothing any more, and only SIGKILL ends it",
    {
      server: (process) =>
        Effect.andThen(process.on("SIGTERM", Effect.succeed(0)), Effect.delay(process.exit(1), "1 second"))
    },
    (processes) =>
      Effect.gen(function*() {
        yield* server
        const process = yield* processes.latest("server")
        yield* process.hang
        yield* process.kill("SIGTERM")
        yield* process.kill("SIGINT")
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* process.status, running)
        yield* process.kill("SIGKILL")
        assert.deepStrictEqual(yield* process.status, signaled("SIGKILL"))
      })
  )

  scripted("tells what nobody has read, and what it was sent", { server: idle }, (processes) =>
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("server", [], {
        stderr: "ignore",
        stdin: { stream: "pipe", endOnDone: false }
      })
      const process = yield* processes.latest("server")
      yield* process.print("four")
      yield* process.write(new Uint8Array(3))
      yield* process.print("gone", "stderr")
      assert.deepStrictEqual([yield* process.unread(), yield* process.unread("stderr")], [8, 0])
      const reader = yield* Effect.forkChild(Stream.runDrain(handle.stdout), { startImmediately: true })
      assert.strictEqual(yield* process.unread(), 0)
      yield* Fiber.interrupt(reader)
      yield* process.print("more")
      assert.strictEqual(yield* process.unread(), 5)
      const [first, second] = [new Uint8Array([0xc3]), new Uint8Array([0xa4])]
      yield* Stream.run(Stream.make(first), handle.stdin)
      yield* Stream.run(Stream.make(second), handle.stdin)
      assert.strictEqual(yield* process.received(), "ä")
      assert.strictEqual(yield* process.received("fd3"), "")
    }))

  scripted("closes what it has open, once", { server: idle }, (processes) =>
    Effect.gen(function*() {
      const handle = yield* ChildProcess.make("server", [], { additionalFds: { fd3: { type: "duplex" } } })
      const process = yield* processes.latest("server")
      const child = yield* process.fork()
      yield* process.close("stdout", "fd3")
      yield* process.close("stdout", "fd3")
      yield* process.print("nobody reads this")
      yield* child.print("late")
      yield* child.print("three", "fd3")
      yield* child.close("fd3")
      assert.strictEqual(yield* read(handle.getOutputFd(3)), "three\n")
      const late = yield* process.fork()
      yield* late.print("nor this")
      yield* child.exit(0)
      assert.strictEqual(yield* read(handle.stdout), "late\n")
      assert.deepStrictEqual(yield* process.status, running)
    }))
})

describe("a forked process", () => {
  scripted(
    "has its parent's name and surroundings, unless it is given others",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        yield* ChildProcess.make("server", ["--port", "80"], { cwd: "/srv", env: { A: "a" } })
        const parent = yield* processes.latest("server")
        const worker = yield* parent.fork()
        const job = yield* parent.fork({ command: "job", leavesGroup: true })
        const late = yield* job.fork({ command: "late", args: ["1"] })
        const about = (process: TestProcess.Process) => ({
          what: [process.command, ...process.args].join(" "),
          where: `${process.cwd} ${process.env["A"]} ${process.attempt}`,
          pid: process.pid,
          group: process.group,
          parent: process.parent?.pid
        })
        const where = "/srv a 1"
        assert.deepStrictEqual([parent, worker, job, late].map(about), [
          { what: "server --port 80", where, pid: 1001, group: 1001, parent: undefined },
          { what: "server --port 80", where, pid: 1002, group: 1001, parent: 1001 },
          { what: "job", where, pid: 1003, group: 1003, parent: 1001 },
          { what: "late 1", where, pid: 1004, group: 1003, parent: 1003 }
        ])
        const pids = (some: ReadonlyArray<TestProcess.Process>) => some.map(({ pid }) => pid)
        assert.deepStrictEqual(pids(yield* parent.children), [1002, 1003])
        yield* worker.exit(0)
        assert.deepStrictEqual(pids(yield* parent.children), [1003])
        yield* parent.exit(0)
        assert.deepStrictEqual(pids(yield* processes.alive), [1003, 1004])
        assert.deepStrictEqual(pids(yield* processes.all), [1001, 1002, 1003, 1004])
      })
  )

  scripted(
    "runs its own program, and ignores what its parent did, but has none of its handlers",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        yield* server
        const parent = yield* processes.latest("server")
        yield* parent.ignore("SIGHUP")
        yield* parent.on("SIGTERM", Effect.void)
        const child = yield* parent.fork({ program: (child) => child.print("up") })
        yield* parent.ignore("SIGINT")
        assert.strictEqual(yield* parent.unread(), 3)
        yield* child.kill("SIGHUP")
        assert.deepStrictEqual(yield* child.status, running)
        yield* child.kill("SIGTERM")
        assert.deepStrictEqual(yield* child.status, signaled("SIGTERM"))
        const other = yield* parent.fork()
        yield* other.kill("SIGINT")
        assert.deepStrictEqual(yield* other.status, running)
        yield* parent.die("SIGKILL")
      })
  )
})

describe("the processes", () => {
  scripted(
    "are found by their command, the last one",
    { server: idle, other: idle },
    (processes) =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* defect(processes.latest("server")),
          "Error: no process of \"server\" has been started"
        )
        yield* server
        yield* server
        yield* ChildProcess.make("other")
        assert.strictEqual((yield* processes.latest("server")).pid, 1002)
        yield* (yield* processes.latest("server")).exit(0)
        assert.strictEqual((yield* processes.latest("server")).pid, 1002)
      })
  )

  scripted(
    "have pids of their own, and one that is planned only if it is free",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        const pids = Effect.map(processes.all, (all) => all.map(({ pid }) => pid))
        yield* server
        const first = yield* processes.latest("server")
        yield* processes.reusePid(1001)
        assert.strictEqual(yield* defect(server), "Error: the pid 1001 is in use")
        const member = yield* first.fork()
        yield* first.exit(0)
        yield* processes.reusePid(1001)
        assert.strictEqual(yield* defect(server), "Error: the pid 1001 is in use")
        yield* member.exit(0)
        yield* processes.reusePid(1001)
        yield* server
        yield* processes.reusePid(1003)
        yield* server
        yield* server
        assert.deepStrictEqual(yield* pids, [1001, 1002, 1001, 1003, 1004])
      })
  )

  scripted("of a command that is not detached have no group whose number could be another's", {
    server: [() => Effect.succeed(1), idle]
  }, (processes) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(ChildProcess.make("server", [], { detached: false }), scope)
      yield* processes.reusePid(1001)
      yield* server
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* (yield* processes.latest("server")).status, running)
    }))

  // As with the spawner of Node: all it knows of a group is its number.
  scripted(
    "whose pid was another's are signalled when that one's scope is closed",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.provide(server, scope)
        yield* (yield* processes.latest("server")).exit(0)
        yield* processes.reusePid(1001)
        yield* server
        const innocent = yield* processes.latest("server")
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* innocent.status, signaled("SIGTERM"))
      })
  )
})

describe("a group", () => {
  scripted("is signalled once, and those whom that has ended are not signalled again", {
    server: (process) => process.on("SIGINT", Effect.succeed(1))
  }, (processes) =>
    Effect.gen(function*() {
      const handle = yield* server
      const leader = yield* processes.latest("server")
      const member = yield* leader.fork()
      yield* handle.kill({ killSignal: "SIGINT" })
      assert.deepStrictEqual([yield* sent(leader), yield* sent(member)], ["SIGINT", "SIGTERM"])
      assert.deepStrictEqual(yield* member.status, signaled("SIGTERM"))
    }))

  const order: Array<string> = []
  const noting: TestProcess.Program = (process) =>
    process.on("SIGTERM", Effect.as(Effect.sync(() => order.push(process.command)), 0))

  scripted(
    "of a pipeline is signalled from its end to its beginning",
    { a: noting, b: noting, c: noting },
    () =>
      Effect.gen(function*() {
        const pipeline = ChildProcess.make("a").pipe(
          ChildProcess.pipeTo(ChildProcess.make("b")),
          ChildProcess.pipeTo(ChildProcess.make("c"))
        )
        yield* (yield* pipeline).kill()
        assert.deepStrictEqual(order, ["c", "b", "a"])
      })
  )
})

describe("virtual time", () => {
  scripted("bounds the stop of a process that ignores it, to the millisecond", {
    server: (process) => process.ignore("SIGTERM")
  }, (processes) =>
    Effect.gen(function*() {
      const handle = yield* server
      const process = yield* processes.latest("server")
      const killing = yield* Effect.forkChild(handle.kill({ forceKillAfter: "5 seconds" }), { startImmediately: true })
      assert.strictEqual(yield* sent(process), "SIGTERM")
      yield* TestClock.adjust(4999)
      assert.strictEqual(yield* sent(process), "SIGTERM")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* sent(process), "SIGTERM SIGKILL")
      yield* Fiber.join(killing)
    }))

  scripted(
    "lets a stop take as long as the processes do, and no longer",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        const handle = yield* server
        const process = yield* processes.latest("server")
        const member = yield* process.fork()
        yield* process.on("SIGTERM", Effect.delay(Effect.succeed(0), "1 hour"))
        yield* member.on("SIGTERM", Effect.delay(Effect.succeed(0), "3600500 millis"))
        const patient = yield* Effect.forkChild(handle.kill(), { startImmediately: true })
        const forcing = yield* Effect.forkChild(handle.kill({ forceKillAfter: "2 hours" }), { startImmediately: true })
        yield* TestClock.adjust(3_600_499)
        assert.deepStrictEqual([patient.pollUnsafe(), forcing.pollUnsafe()], [undefined, undefined])
        yield* TestClock.adjust(1)
        yield* Fiber.join(patient)
        yield* Fiber.join(forcing)
        assert.deepStrictEqual([yield* sent(process), yield* sent(member)], ["SIGTERM SIGTERM", "SIGTERM SIGTERM"])
      })
  )

  scripted(
    "bounds the wait for the rest of a group, to the millisecond",
    { server: idle },
    (processes) =>
      Effect.gen(function*() {
        const handle = yield* server
        const process = yield* processes.latest("server")
        const member = yield* process.fork()
        yield* member.ignore("SIGTERM")
        const killing = yield* Effect.forkChild(handle.kill(), { startImmediately: true })
        yield* TestClock.adjust(999)
        assert.isUndefined(killing.pollUnsafe())
        yield* TestClock.adjust(1)
        yield* Fiber.join(killing)
        assert.deepStrictEqual(yield* member.status, running)
        yield* member.exit(0)
      })
  )
})

describe("under a supervisor", () => {
  const child = Child.make(
    "server",
    Effect.map(
      ChildProcess.make("server", { killSignal: "SIGINT", forceKillAfter: "2 seconds" }),
      (handle) => handle.exitCode
    ),
    { shutdown: "10 seconds" }
  )
  const make = Supervisor.make("app", { strategy: "one-for-one", children: [child] })

  scripted(
    "a process that dies is a failure with the signal, and one that is not found fails the start",
    { server: [idle, "ENOENT", idle] },
    (processes) =>
      Effect.gen(function*() {
        const app = yield* make
        yield* (yield* processes.latest("server")).die("SIGSEGV")
        yield* TestClock.adjust("1 second")
        const last = yield* processes.latest("server")
        assert.deepStrictEqual([last.pid, last.attempt], [1002, 3])
        assert.strictEqual(
          SupervisionTree.toText(yield* app.tree),
          "app  running\n└─ server  running, 2 restarts (could not start: NotFound: ChildProcess.spawn (server))"
        )
        yield* last.die("SIGKILL")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(
          SupervisionTree.toText(yield* app.tree),
          "app  running\n└─ server  running, 3 restarts (failed: Unknown: ChildProcess.exitCode (server))"
        )
      })
  )

  scripted(
    "a process that does not react is killed within the child's shutdown time",
    { server: (process) => process.ignore("SIGINT") },
    (processes) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.provide(make, scope)
        const process = yield* processes.latest("server")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* TestClock.adjust(1999)
        assert.deepStrictEqual(yield* process.status, running)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* process.status, signaled("SIGKILL"))
        yield* Fiber.join(closing)
        assert.strictEqual(yield* sent(process), "SIGINT SIGKILL")
      })
  )
})
