import { Daemon, PidFile, ProcessIdentity } from "@coppice/process"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Child, ChildMiddleware, Supervisor } from "coppice"
import { Cause, Context, Deferred, Effect, Fiber, FileSystem, Layer, Logger, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { commandOf, start, Started } from "./support/daemons.ts"

const isUp = ["Info: daemon is up: pid PID, after TIME", "ready"]

const inFolder = <A, E, R>(use: (pidFile: { readonly path: string }) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    return yield* use({ path: `${yield* files.makeTempDirectoryScoped()}/daemon.pid` })
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("a daemon", { timeout: 30_000 }, () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    it.live(`stops in order on ${signal}, with exit code 0`, () =>
      Effect.gen(function*() {
        const daemon = yield* start({})
        yield* daemon.until("ready")
        yield* daemon.signal(signal)
        assert.strictEqual(yield* daemon.end, 0)
        assert.deepStrictEqual(daemon.lines, [
          ...isUp,
          `Info: ${signal}: daemon is stopping`,
          "c stops",
          "b stops",
          "a stops",
          `Info: daemon has stopped, as ${signal} asked`
        ])
      }))
  }

  it.live("that runs on its own is left alone by SIGHUP", () =>
    Effect.gen(function*() {
      const daemon = yield* start({}, { detached: true })
      yield* daemon.until("ready")
      yield* daemon.signal("SIGHUP")
      // Signals that wait together come in any order: this one comes after the first, and before the last.
      yield* daemon.signal("SIGUSR2")
      yield* daemon.until("SIGUSR2")
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.end, 0)
      assert.strictEqual(daemon.lines.at(-1), "Info: daemon has stopped, as SIGTERM asked")
    }))

  it.live("stops in order while it starts, with exit code 0", () =>
    Effect.gen(function*() {
      const daemon = yield* start({ child: "starting" })
      yield* daemon.until("starting")
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.end, 0)
      assert.deepStrictEqual(daemon.lines, [
        "starting",
        "Info: SIGTERM: daemon is stopping",
        "b stops",
        "a stops",
        "Info: daemon has stopped, as SIGTERM asked"
      ])
    }))

  for (
    const [what, child, code, line] of [
      [
        "has shut itself down",
        "done",
        0,
        "Info: daemon has ended: its tree has shut itself down"
      ],
      [
        "gave up",
        "bomb",
        1,
        "Fatal: daemon has ended with exit code 1: restarts did not help; mend this and start it again"
      ],
      [
        "has met an exception that nobody caught",
        "thrower",
        1,
        "Fatal: daemon has ended with exit code 1: out of the blue"
      ],
      ["has met a rejected promise", "rejecter", 1, "Fatal: daemon has ended with exit code 1: nobody cares"],
      [
        "could not start",
        "unstartable",
        2,
        "Fatal: daemon could not start, exit code 2: app/unstartable could not start: no database"
      ]
    ] as const
  ) {
    it.live(`that ${what} has stopped the others in order, and has exit code ${code}`, () =>
      Effect.gen(function*() {
        const daemon = yield* start({ child })
        assert.strictEqual(yield* daemon.end, code)
        assert.deepStrictEqual(daemon.lines.filter((line) => line.endsWith("stops")), ["b stops", "a stops"])
        assert.include(daemon.lines, line)
      }))
  }

  it.live("that has not stopped at the deadline ends with exit code 1, and says for whom it waited", () =>
    Effect.gen(function*() {
      const daemon = yield* start({ child: "hangs", stopTimeout: 300 })
      yield* daemon.until("ready")
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.end, 1)
      assert.deepStrictEqual(daemon.lines, [
        ...isUp,
        "Info: SIGTERM: daemon is stopping",
        "hangs stops",
        "Fatal: daemon is ended by force, with exit code 1: after SIGTERM came the deadline of 300ms, and it still waited " +
        "for app/inner/hangs; give that more time, or find out why it does not stop"
      ])
    }))

  it.live("ends at once by a second signal, with exit code 1", () =>
    Effect.gen(function*() {
      const daemon = yield* start({ child: "hangs" })
      yield* daemon.until("ready")
      yield* daemon.signal("SIGINT")
      yield* daemon.until("hangs stops")
      // Until it cannot be the same Ctrl-C any more.
      yield* Effect.sleep("400 millis")
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.end, 1)
      assert.strictEqual(
        daemon.lines.at(-1),
        "Fatal: daemon is ended by force, with exit code 1: after SIGINT came another SIGTERM, and it still waited " +
          "for app/inner/hangs; give that more time, or find out why it does not stop"
      )
    }))
})

describe("a daemon at a terminal", { timeout: 30_000 }, () => {
  /** Runs it in a terminal of its own, whose screen is what `script` prints. */
  const inTerminal = (pidFile: { readonly path: string }) =>
    Started.make(["script", "-qfc", commandOf({ pidFile }).map((word) => `'${word}'`).join(" "), "/dev/null"])

  /** What its pid file says. It is killed in the end, as it would outlive its terminal if it heard no signal. */
  const recordOf = (pidFile: { readonly path: string }) =>
    Effect.acquireRelease(
      Effect.map(PidFile.read(pidFile.path), (found) => Option.getOrThrow(found).record),
      (record) => Effect.sync(() => ProcessIdentity.signal(record, "SIGKILL"))
    )

  it.live("says how to force it", () =>
    inFolder((pidFile) =>
      Effect.gen(function*() {
        const terminal = yield* inTerminal(pidFile)
        yield* terminal.until("ready")
        process.kill((yield* recordOf(pidFile)).pid, "SIGINT")
        yield* terminal.until("Info: SIGINT: daemon is stopping (again to force)")
        yield* terminal.until("Info: daemon has stopped, as SIGINT asked")
      })
    ))

  it.live("stops in order when the terminal is gone", () =>
    inFolder((pidFile) =>
      Effect.gen(function*() {
        const terminal = yield* inTerminal(pidFile)
        yield* terminal.until("ready")
        const record = yield* recordOf(pidFile)
        yield* terminal.signal("SIGKILL")
        const isGone = Effect.suspend(() => ProcessIdentity.isAlive(record) ? Effect.fail("still there") : Effect.void)
        yield* Effect.retry(isGone, Schedule.spaced("10 millis"))
        // One that was killed could not have removed it.
        assert.deepStrictEqual(yield* PidFile.read(pidFile.path), Option.none())
      })
    ))
})

describe("a daemon with a pid file", { timeout: 60_000 }, () => {
  it.live("is not started twice: the second has exit code 2, and the first goes on", () =>
    inFolder(({ path }) =>
      Effect.gen(function*() {
        const pidFile = { path, owner: "alice", port: 8080 }
        const first = yield* start({ pidFile })
        yield* first.until("ready")
        const found = Option.getOrThrow(yield* PidFile.read(path))
        assert.deepStrictEqual([found.record.pid, found.record.owner, found.record.port, found.isAlive], [
          first.process.pid,
          "alice",
          8080,
          true
        ])
        const second = yield* start({ pidFile: { path } })
        assert.strictEqual(yield* second.end, 2)
        const { command, pid, startedAt } = found.record
        assert.deepStrictEqual(second.lines, [
          `Fatal: daemon could not start, exit code 2: daemon is already running: pid PID (${command}) since ${startedAt}, ` +
          `port 8080, started by alice; stop it with "kill ${pid}", or remove ${path} if that is wrong`
        ])
        yield* PidFile.signal(path, "SIGTERM", { owner: "alice" })
        assert.strictEqual(yield* first.end, 0)
        assert.deepStrictEqual(yield* PidFile.read(path), Option.none())
      })
    ))

  for (
    const [how, child, signals] of [
      ["was killed", "quiet", ["SIGKILL"]],
      ["was ended by force", "hangs", ["SIGTERM"]]
    ] as const
  ) {
    it.live(`starts again after it ${how}`, () =>
      inFolder((pidFile) =>
        Effect.gen(function*() {
          const first = yield* start({ child, pidFile, stopTimeout: 0 })
          yield* first.until("ready")
          yield* Effect.forEach(signals, first.signal)
          yield* first.end
          assert.isFalse(Option.getOrThrow(yield* PidFile.read(pidFile.path)).isAlive)
          const second = yield* start({ pidFile })
          yield* second.until("ready")
          assert.strictEqual(second.lines[0], `Info: ${pidFile.path} was left behind by pid PID, which has ended`)
        })
      ))
  }

  it.live("runs once when ten are started at the same moment, a stale file being in the way", () =>
    inFolder((pidFile) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(pidFile.path, JSON.stringify({ pid: process.pid, startTime: "before" }))
        const daemons = yield* Effect.all(Array.from({ length: 10 }, () => start({ pidFile, waits: true })))
        yield* Effect.forEach(daemons, (daemon) => daemon.until("waits"), { concurrency: "unbounded" })
        for (const daemon of daemons) daemon.process.stdin!.write("\n")
        const outcomes = yield* Effect.forEach(
          daemons,
          (daemon) => Effect.raceFirst(Effect.as(daemon.until("ready"), "runs"), daemon.end),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(outcomes.map(String).toSorted(), [...Array.from({ length: 9 }, () => "2"), "runs"])
        const winner = daemons[outcomes.indexOf("runs")]!
        assert.strictEqual(Option.getOrThrow(yield* PidFile.read(pidFile.path)).record.pid, winner.process.pid)
        yield* winner.signal("SIGTERM")
        assert.strictEqual(yield* winner.end, 0)
        assert.deepStrictEqual(yield* files.readDirectory(pidFile.path.replace("/daemon.pid", "")), [])
      })
    ))
})

class Port extends Context.Service<Port, number>()("@coppice/process/test/Daemon.test/Port") {}

describe("Daemon.run", () => {
  const listeners = () =>
    ["SIGTERM", "SIGINT", "SIGHUP", "uncaughtException"].map((event) => process.listenerCount(event))

  const app = (child: Child.Child<string, never, never>) =>
    Supervisor.layer("app", { strategy: "one-for-one", autoShutdown: "any-significant", children: [child] })

  it.effect("answers how it has ended, and listens to no signal any more", () =>
    Effect.gen(function*() {
      const before = listeners()
      const end = yield* Daemon.run(
        app(Child.effect("done", Effect.sync(listeners), { restart: "transient", significant: true })),
        { name: "app" }
      )
      assert.deepStrictEqual([end, listeners()], [{ _tag: "ShutDown" }, before])
    }).pipe(Effect.provide([NodeServices.layer, Logger.layer([])])))

  it.effect("writes the port that the services of the layer know", () =>
    inFolder((pidFile) =>
      Effect.gen(function*() {
        const found = yield* Deferred.make<number | undefined>()
        const read = Effect.map(PidFile.read(pidFile.path), (found) => Option.getOrThrow(found).record.port)
        const port = Layer.succeed(Port, 8080)
        const app = Layer.provideMerge(Supervisor.layer("app", { strategy: "one-for-one", children: [] }), port)
        const onReady = Effect.asVoid(Deferred.complete(found, Effect.orDie(read)))
        yield* Effect.forkChild(Daemon.run(app, { name: "app", pidFile: { ...pidFile, port: Port }, onReady }))
        assert.strictEqual(yield* Deferred.await(found), 8080)
      }).pipe(Effect.provide(Logger.layer([])))
    ))

  it.effect("stops what it runs when it is interrupted", () =>
    Effect.gen(function*() {
      const before = listeners()
      const stopped = yield* Deferred.make<void>()
      const ready = yield* Deferred.make<void>()
      const child = Child.layer(
        "child",
        Layer.effectDiscard(Effect.addFinalizer(() => Deferred.succeed(stopped, undefined)))
      )
      const running = yield* Effect.forkChild(
        Daemon.run(app(child), { name: "app", onReady: Effect.asVoid(Deferred.succeed(ready, undefined)) })
      )
      yield* Deferred.await(ready)
      assert.deepStrictEqual(listeners(), before.map((count) => count + 1))
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual([yield* Deferred.isDone(stopped), listeners()], [true, before])
    }).pipe(Effect.provide([NodeServices.layer, Logger.layer([])])))

  /** Runs a layer, with what is logged, and waits until it is up. */
  const running = Effect.fnUntraced(function*<ROut, E>(layer: Layer.Layer<ROut, E>) {
    const ready = yield* Deferred.make<void>()
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      const [text] = message as ReadonlyArray<unknown>
      if (typeof text === "string" && text.includes("the app")) lines.push(`${logLevel}: ${text}`)
    })
    const onReady = Effect.asVoid(Deferred.succeed(ready, undefined))
    const fiber = yield* Daemon.run(layer, { name: "the app", onReady }).pipe(
      Effect.provide([NodeServices.layer, Logger.layer([logger])]),
      Effect.forkChild
    )
    yield* Deferred.await(ready)
    return { fiber, lines }
  })

  // A real one would reach the listeners of whoever runs this test, too.
  const signal = (signal: NodeJS.Signals) => Effect.sync(() => process.listeners(signal).at(-1)!(signal))
  const uncaught = Effect.sync(() =>
    process.listeners("uncaughtException").at(-1)!(new Error("late"), "uncaughtException")
  )

  /** A layer that says when it stops, and then does something. */
  const stopping = (stops: Deferred.Deferred<void>, stop: Effect.Effect<void>) =>
    Layer.effectDiscard(Effect.addFinalizer(() => Effect.andThen(Deferred.succeed(stops, undefined), stop)))

  it.effect("gives 30 seconds, also if something is thrown meanwhile", () =>
    Effect.gen(function*() {
      const stops = yield* Deferred.make<void>()
      const child = Child.layer("child", stopping(stops, Effect.never), { shutdown: "Infinity" })
      const { fiber, lines } = yield* running(app(child))
      yield* signal("SIGTERM")
      yield* Deferred.await(stops)
      yield* uncaught
      yield* TestClock.adjust("29999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), {
        _tag: "Forced",
        why: "SIGTERM",
        by: "the deadline of 30s",
        waitingFor: ["app/child"]
      })
      assert.deepStrictEqual(lines.slice(1), [
        "Info: SIGTERM: the app is stopping",
        "Error: while the app was stopping, an exception was not caught",
        "Fatal: the app is ended by force, with exit code 1: after SIGTERM came the deadline of 30s, and it still waited " +
        "for app/child; give that more time, or find out why it does not stop"
      ])
    }))

  it.effect("takes a signal within 300 ms after the first for the same, and is forced by one that comes later", () =>
    Effect.gen(function*() {
      const stops = yield* Deferred.make<void>()
      const { fiber } = yield* running(
        app(Child.layer("child", stopping(stops, Effect.never), { shutdown: "Infinity" }))
      )
      yield* signal("SIGTERM")
      yield* Deferred.await(stops)
      yield* TestClock.adjust("300 millis")
      yield* signal("SIGHUP")
      yield* TestClock.adjust("1 millis")
      yield* signal("SIGINT")
      const end = yield* Fiber.join(fiber)
      assert.deepStrictEqual(end, {
        _tag: "Forced",
        why: "SIGTERM",
        by: "another SIGINT",
        waitingFor: ["app/child"]
      })
    }))

  it.effect("has died if what it runs when it is up does", () =>
    Effect.gen(function*() {
      const onReady = Effect.die("boom")
      const end = yield* Daemon.run(app(Child.effect("child", Effect.never)), { name: "app", onReady })
      assert.deepStrictEqual(end, { _tag: "Died", cause: Cause.die("boom") })
    }).pipe(Effect.provide([NodeServices.layer, Logger.layer([])])))

  it.effect("says so if it waited for nobody in its tree", () =>
    Effect.gen(function*() {
      const stops = yield* Deferred.make<void>()
      const beside = Layer.provideMerge(app(Child.effect("child", Effect.never)), stopping(stops, Effect.never))
      const { fiber, lines } = yield* running(beside)
      yield* signal("SIGTERM")
      yield* Deferred.await(stops)
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
      assert.match(lines.at(-1)!, /it still waited for what is beside its supervisors; give/)
    }))

  it.effect("has stopped as it was asked, even if something failed then", () =>
    Effect.gen(function*() {
      const stops = yield* Deferred.make<void>()
      const beside = Layer.provideMerge(app(Child.effect("child", Effect.never)), stopping(stops, Effect.die("boom")))
      const { fiber, lines } = yield* running(beside)
      yield* signal("SIGTERM")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Stopped", signal: "SIGTERM" })
      assert.deepStrictEqual(lines.slice(1), [
        "Info: SIGTERM: the app is stopping",
        "Error: while the app was stopping, something failed",
        "Info: the app has stopped, as SIGTERM asked"
      ])
    }))

  it.effect("leaves around the children what was put around them", () =>
    Effect.gen(function*() {
      const begun: Array<string> = []
      const note = (what: string) => <A, E>(effect: Effect.Effect<A, E>) => {
        begun.push(what)
        return effect
      }
      const middleware = ChildMiddleware.layer(({ path }) => ({
        start: note(`start ${path}`),
        run: note(`run ${path}`)
      }))
      const done = Child.effect("done", Effect.void, { restart: "transient", significant: true })
      const tree = Supervisor.layer("app", {
        strategy: "one-for-one",
        autoShutdown: "any-significant",
        children: [Child.make("first", Effect.succeed(Effect.never)), Child.task("second", Effect.void), done]
      })
      const end = yield* Daemon.run(tree, { name: "app" }).pipe(
        Effect.provide([NodeServices.layer, Logger.layer([]), middleware])
      )
      assert.strictEqual(end._tag, "ShutDown")
      assert.deepStrictEqual(begun.toSorted(), ["run app/done", "run app/first", "start app/first", "start app/second"])
    }))
})

describe("the exit code", () => {
  it("is 0 for an end that was wanted, 2 for none to speak of, else 1", () => {
    const cause = Cause.die("boom")
    const ends: ReadonlyArray<Daemon.End> = [
      { _tag: "Stopped", signal: "SIGTERM" },
      { _tag: "ShutDown" },
      { _tag: "Died", cause },
      { _tag: "Forced", why: "SIGTERM", by: "another SIGTERM", waitingFor: [] },
      { _tag: "NotStarted", cause }
    ]
    assert.deepStrictEqual(ends.map(Daemon.exitCode), [0, 0, 1, 1, 2])
  })
})

describe("the mode", () => {
  const none: Daemon.Facts = {
    printsToTerminal: false,
    hasTerminal: false,
    isManaged: false,
    leadsSession: false,
    parent: 4711
  }
  const all: Daemon.Facts = {
    printsToTerminal: true,
    hasTerminal: true,
    isManaged: true,
    leadsSession: true,
    parent: 1
  }

  it("is terminal if it prints to one, whatever else", () => {
    assert.strictEqual(Daemon.modeOf({ ...none, printsToTerminal: true }), "terminal")
    assert.strictEqual(Daemon.modeOf(all), "terminal")
  })

  it("is piped if it prints elsewhere and has a terminal, or nothing says that it runs on its own", () => {
    assert.strictEqual(Daemon.modeOf({ ...all, printsToTerminal: false }), "piped")
    assert.strictEqual(Daemon.modeOf(none), "piped")
    assert.strictEqual(Daemon.modeOf({ ...none, parent: 2 }), "piped")
  })

  it("is daemon without a terminal, if it is managed, in a session of its own, or nobody's child", () => {
    for (const fact of [{ isManaged: true }, { leadsSession: true }, { parent: 1 }, { parent: 0 }]) {
      assert.strictEqual(Daemon.modeOf({ ...none, ...fact }), "daemon")
    }
  })
})
