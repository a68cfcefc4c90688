import { TestChild, Trace, VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, ChildMiddleware, ChildRef, ExitReason, Supervisor, SupervisorEvent } from "coppice"
import { Clock, Context, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"

type AnyTestChild = Omit<TestChild.TestChild<Child.Child<string, never, never>>, "return">

class Db extends Context.Service<Db, { readonly number: number }>()("@coppice/testing/test/TestChild.test/Db") {}

/** A test in a world of virtual time, without logs. Its scope is closed while time passes, as a child may be waited for. */
const test = (sentence: string, effect: Effect.Effect<void, {}, Scope.Scope>): void => {
  const inScope = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Scope.provide(effect, scope))
    const closing = yield* Effect.forkChild(Scope.close(scope, exit))
    yield* TestClock.adjust("1 hour")
    yield* Fiber.join(closing)
    return yield* exit
  })
  it.effect(sentence, () => VirtualTime.run(inScope).pipe(Effect.provide(Logger.layer([]))))
}

/** A supervisor that never gives up. */
const supervise = (
  children: ReadonlyArray<AnyTestChild>,
  strategy: Supervisor.Strategy = "one-for-one"
): Effect.Effect<Supervisor.Supervisor<string>, never, Scope.Scope> =>
  Effect.orDie(Supervisor.make("app", {
    strategy,
    intensity: 1000,
    children: children.map(({ child }) => child)
  }))

/** The events of a supervisor from now on, those that say that a child has ended. */
const endsOf = Effect.fnUntraced(function*(supervisor: Supervisor.Supervisor<string>) {
  const ends: Array<string> = []
  yield* Effect.forkScoped(
    Stream.runForEach(supervisor.events, (event) =>
      Effect.sync(() => {
        if (event._tag === "ChildExited" || event._tag === "ChildStopped") ends.push(SupervisorEvent.format(event))
      }))
  )
  yield* VirtualTime.settle
  return ends
})

const commands = ["crash", "die", "exit", "return", "hang", "release"] as const

/** What is said of each command that is refused. */
const refusals = Effect.fnUntraced(function*(child: TestChild.TestChild<Child.Any>) {
  const refused: Array<string> = []
  for (const command of commands) {
    const exit = yield* Effect.exit(child[command])
    if (Exit.isFailure(exit)) refused.push(String(exit))
  }
  return refused
})

const cannot = (id: string, state: string, ...what: ReadonlyArray<string>) =>
  what.map((what) => String(Exit.die(new TypeError(`${id} cannot ${what}: it is ${state}`))))

describe("the starts of a test child", () => {
  test(
    "do one after the other what the script says, and then succeed",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, starts: ["ok", "fail", "ignore"] })
      const app = yield* supervise([a])
      assert.deepStrictEqual(yield* trace.take, ["start a"])
      yield* a.crash
      assert.deepStrictEqual(yield* trace.take, ["crash a", "fail a", "ignore a"])
      assert.deepStrictEqual([yield* a.isUp, yield* a.starts], [false, 3])
      for (const starts of [4, 5]) {
        yield* app.restartChild("a")
        assert.deepStrictEqual([yield* a.isUp, yield* a.starts], [true, starts])
        yield* app.terminateChild("a")
      }
      assert.deepStrictEqual(yield* trace.take, ["start a", "stop a", "start a", "stop a"])
    })
  )

  test(
    "say why they fail",
    Effect.gen(function*() {
      const a = yield* TestChild.make("a", { starts: ["fail"] })
      const error = yield* Effect.flip(Supervisor.make("app", { strategy: "one-for-one", children: [a.child] }))
      assert.strictEqual(error.message, "app/a could not start: a does not start\napp could not start \"a\"")
    })
  )

  test(
    "hang until they are released, and nobody is started meanwhile",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, starts: ["hang"] })
      const b = yield* TestChild.make("b", { trace, starts: ["hang"] })
      yield* Effect.forkScoped(supervise([a, b]))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* trace.take, ["hang a"])
      assert.deepStrictEqual([yield* a.isUp, yield* a.starts, yield* b.starts], [false, 1, 0])
      assert.deepStrictEqual([yield* a.state, yield* b.state], ["starting", "down"])
      yield* a.release
      assert.deepStrictEqual(yield* trace.take, ["start a", "hang b"])
      assert.deepStrictEqual([yield* a.isUp, yield* b.isUp], [true, false])
      yield* b.release
      assert.deepStrictEqual(yield* trace.take, ["start b"])
      yield* a.crash
      assert.deepStrictEqual(yield* trace.take, ["crash a", "start a"])
    })
  )

  test(
    "that hang fail where the child is told to end, and the next does what the script says",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, starts: ["hang", "hang", "hang", "hang", "hang", "ok"] })
      const tried = Effect.fnUntraced(function*(command: Effect.Effect<void>) {
        const starting = yield* Effect.forkChild(Effect.exit(Effect.scoped(supervise([a]))))
        yield* VirtualTime.settle
        yield* command
        return String(yield* Fiber.join(starting)).includes("could not start")
      })
      assert.isTrue(yield* tried(a.crash))
      assert.isTrue(yield* tried(a.die))
      assert.isTrue(yield* tried(a.exit))
      assert.isTrue(yield* tried(a.leave(Effect.fail("no"))))
      assert.deepStrictEqual(
        yield* trace.take,
        ["hang a", "fail a", "hang a", "fail a", "hang a", "fail a", "hang a", "fail a"]
      )
      assert.isFalse(yield* tried(a.leave(Effect.void)))
      assert.deepStrictEqual(yield* trace.take, ["hang a", "start a", "stop a"])
      yield* supervise([a])
      assert.deepStrictEqual(yield* trace.take, ["start a"])
    })
  )

  test(
    "that hang can be called off, and are then down",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, starts: ["hang"] })
      const starting = yield* Effect.forkChild(supervise([a]))
      yield* VirtualTime.settle
      yield* Fiber.interrupt(starting)
      assert.deepStrictEqual(yield* trace.take, ["hang a"])
      assert.deepStrictEqual(
        yield* refusals(a),
        cannot("a", "down", "crash", "die", "exit", "return", "hang", "be released")
      )
    })
  )
})

describe("a test child that is up", () => {
  test(
    "ends in each way that it is told, and its supervisor sees that way",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, restart: "transient" })
      const b = yield* TestChild.make("b", { trace })
      const app = yield* supervise([a, b], "one-for-all")
      const ends = yield* endsOf(app)
      yield* trace.take
      yield* a.crash
      assert.deepStrictEqual(yield* trace.take, ["crash a", "stop b", "start a", "start b"])
      yield* a.die
      assert.deepStrictEqual(yield* trace.take, ["die a", "stop b", "start a", "start b"])
      yield* a.leave(Effect.andThen(Effect.yieldNow, Effect.fail("out of paper")))
      assert.deepStrictEqual(yield* trace.take, ["leave a", "stop b", "start a", "start b"])
      yield* a.exit
      assert.deepStrictEqual(yield* trace.take, ["exit a"])
      yield* app.restartChild("a")
      yield* a.return
      assert.deepStrictEqual(yield* trace.take, ["start a", "return a"])
      assert.deepStrictEqual(ends, [
        "app/a failed: a crashed; it is restarted",
        "app/b stopped",
        "app/a panicked: a died; it is restarted",
        "app/b stopped",
        "app/a failed: out of paper; it is restarted",
        "app/b stopped",
        "app/a shut down; it stays down",
        "app/a returned normally; it stays down"
      ])
      assert.deepStrictEqual([yield* a.isUp, yield* b.isUp, yield* a.starts], [false, true, 5])
    })
  )

  test(
    "passes the options of a child through, and keeps its id as a type",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", {
        trace,
        restart: "transient",
        significant: true,
        shutdown: "7 seconds",
        backoff: Backoff.fixed("10 seconds")
      })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [a.child],
        autoShutdown: "any-significant"
      })
      const id: "a" = a.child.id
      assert.deepStrictEqual([id, a.child.restart, a.child.significant, String(a.child.shutdown)], [
        "a",
        "transient",
        true,
        "7000 millis"
      ])
      yield* a.crash
      assert.deepStrictEqual(yield* trace.take, ["start a", "crash a"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* trace.take, ["start a"])
      const spec = yield* app.getChildSpec("a") // where another id does not compile
      assert.strictEqual<unknown>(spec, a.child)
      yield* a.exit
      assert.deepStrictEqual(yield* Effect.exit(app.await), Exit.void)
    })
  )

  test(
    "may be told something before its body has begun",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.layer("a", Db, (number) => ({ number }), { trace })
      const b = yield* TestChild.layer("b", Db, (number) => ({ number }), { trace })
      yield* Supervisor.make("app", { strategy: "one-for-one", children: [a.child, b.child] })
      yield* Effect.all([a.crash, b.hang], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* trace.take, ["start a", "start b", "crash a", "start a", "hang b"])
      yield* b.release
      yield* b.crash
      assert.deepStrictEqual(yield* trace.take, ["crash b", "start b"])
    })
  )

  test(
    "writes nowhere without a trace",
    Effect.gen(function*() {
      const a = yield* TestChild.make("a")
      yield* supervise([a])
      yield* a.crash
      assert.deepStrictEqual([yield* a.isUp, yield* a.starts], [true, 2])
    })
  )

  it.effect("can be told nothing outside a world of virtual time", () =>
    Effect.gen(function*() {
      const a = yield* TestChild.make("a")
      yield* supervise([a])
      assert.deepStrictEqual(
        yield* Effect.exit(a.crash),
        Exit.die(new TypeError("there is no virtual time here: run the test in VirtualTime.run"))
      )
    }))
})

describe("a test child that is asked to stop", () => {
  test(
    "stops, without being told more",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const [a, b] = [yield* TestChild.make("a", { trace }), yield* TestChild.make("b", { trace })]
      const app = yield* supervise([a, b])
      yield* app.terminateChild("a")
      yield* app.exitChild("b", ExitReason.failure("from outside"))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* trace.take, ["start a", "start b", "stop a", "stop b", "start b"])
      assert.deepStrictEqual([yield* a.isUp, yield* b.isUp], [false, true])
    })
  )

  test(
    "dies of it where the script says so, but not of a command",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, stops: "fail" })
      const b = yield* TestChild.make("b", { trace })
      const exits: Array<string> = []
      const seen = ChildMiddleware.layer(({ path }) => ({
        run: (body) => Effect.onExit(body, (exit) => Effect.sync(() => void exits.push(`${path}: ${exit}`)))
      }))
      const app = yield* supervise([a, b]).pipe(Effect.provide(seen))
      yield* trace.take
      yield* a.die
      yield* app.terminateChild("a")
      yield* app.terminateChild("b")
      assert.deepStrictEqual(yield* trace.take, ["die a", "start a", "stop a", "stop b"])
      assert.deepStrictEqual(exits, [
        "app/a: Failure(Cause([Die(\"a died\")]))",
        "app/a: Failure(Cause([Interrupt(undefined),Die(\"a does not stop\")]))",
        "app/b: Failure(Cause([Interrupt(undefined)]))"
      ])
    })
  )

  test(
    "hangs in its release until that is released, whether it was asked to stop or ended by itself",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, stops: "hang" })
      const app = yield* supervise([a])
      yield* trace.take
      yield* a.crash
      assert.deepStrictEqual(yield* trace.take, ["crash a"])
      assert.deepStrictEqual([yield* a.isUp, yield* a.starts], [false, 1])
      yield* a.release
      assert.deepStrictEqual(yield* trace.take, ["gone a", "start a"])
      const stopping = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* trace.take, ["stop a"])
      assert.deepStrictEqual(yield* refusals(a), cannot("a", "stopping", "crash", "die", "exit", "return", "hang"))
      assert.deepStrictEqual(yield* trace.take, ["gone a"])
      assert.deepStrictEqual(stopping.pollUnsafe(), Exit.void)
      assert.deepStrictEqual(yield* Effect.exit(a.hang), Exit.die(new TypeError("a cannot hang: it is down")))
    })
  )

  test(
    "is abandoned after its shutdown time where its release hangs, and that may be over later",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, stops: "hang", shutdown: "3 seconds" })
      const b = yield* TestChild.make("b", { trace })
      yield* supervise([a, b], "one-for-all")
      yield* trace.take
      yield* b.crash
      yield* TestClock.adjust(2999)
      assert.deepStrictEqual(yield* trace.take, ["crash b", "stop a"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* trace.take, ["start a", "start b"])
      yield* b.crash
      yield* TestClock.adjust(3000)
      assert.deepStrictEqual(yield* trace.take, ["crash b", "stop a", "start a", "start b"])
      yield* a.release
      assert.deepStrictEqual(yield* trace.take, ["gone a", "gone a"])
      assert.isTrue(yield* a.isUp)
    })
  )

  test(
    "is deaf where the script says so, and is abandoned, until it is released",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, stops: "deaf", shutdown: "3 seconds" })
      const app = yield* supervise([a])
      const stopping = yield* Effect.forkChild(Effect.andThen(app.terminateChild("a"), Clock.currentTimeMillis))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(stopping.pollUnsafe(), Exit.succeed(3000))
      assert.deepStrictEqual([yield* a.state, yield* a.isUp, yield* trace.take], ["deaf", true, ["start a"]])
      yield* a.release
      assert.deepStrictEqual([yield* a.isUp, yield* trace.take], [false, ["stop a"]])
    })
  )

  test(
    "ends by a command though it is deaf, and is as deaf when it is started again",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, stops: "deaf", shutdown: "3 seconds" })
      const app = yield* supervise([a])
      yield* a.crash
      assert.deepStrictEqual(yield* trace.take, ["start a", "crash a", "start a"])
      const stopping = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      assert.strictEqual(stopping.pollUnsafe(), undefined)
      yield* a.die
      assert.deepStrictEqual(yield* trace.take, ["die a"])
      assert.deepStrictEqual(stopping.pollUnsafe(), Exit.void)
    })
  )

  test(
    "hears it after a release, where it was deaf before",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace, stops: "deaf" })
      const app = yield* supervise([a])
      yield* a.release
      assert.deepStrictEqual(yield* Effect.exit(a.release), Exit.die(new TypeError("a cannot be released: it is up")))
      yield* app.terminateChild("a")
      assert.deepStrictEqual(yield* trace.take, ["start a", "stop a"])
    })
  )

  test(
    "is deaf when it has been made to hang, until it is released, each time anew",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace })
      const app = yield* supervise([a])
      yield* a.hang
      yield* a.release
      yield* a.hang
      const stopping = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* trace.take, ["start a", "hang a", "hang a"])
      assert.strictEqual(stopping.pollUnsafe(), undefined)
      yield* a.release
      assert.deepStrictEqual(yield* trace.take, ["stop a"])
      assert.deepStrictEqual(stopping.pollUnsafe(), Exit.void)
      yield* app.restartChild("a")
      yield* app.terminateChild("a")
      assert.deepStrictEqual(yield* trace.take, ["start a", "stop a"])
    })
  )
})

describe("a command that makes no sense", () => {
  test(
    "to a child that is down dies with its id and its state",
    Effect.gen(function*() {
      const a = yield* TestChild.make("a")
      const all = ["crash", "die", "exit", "return", "hang", "be released"]
      assert.deepStrictEqual(yield* refusals(a), cannot("a", "down", ...all))
      const app = yield* supervise([a])
      yield* app.terminateChild("a")
      assert.deepStrictEqual(yield* refusals(a), cannot("a", "down", ...all))
    })
  )

  test(
    "is to release a child that does not hang, or to hang one that does",
    Effect.gen(function*() {
      const a = yield* TestChild.make("a")
      yield* supervise([a])
      assert.deepStrictEqual(yield* Effect.exit(a.release), Exit.die(new TypeError("a cannot be released: it is up")))
      yield* a.hang
      assert.deepStrictEqual(yield* Effect.exit(a.hang), Exit.die(new TypeError("a cannot hang: it is deaf")))
    })
  )

  test(
    "is to hang or return where the start hangs",
    Effect.gen(function*() {
      const a = yield* TestChild.make("a", { starts: ["hang"] })
      yield* Effect.forkScoped(supervise([a]))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* Effect.exit(a.return), Exit.die(new TypeError("a cannot return: it is starting")))
      assert.deepStrictEqual(yield* Effect.exit(a.hang), Exit.die(new TypeError("a cannot hang: it is starting")))
      yield* a.release
      assert.isTrue(yield* a.isUp)
    })
  )

  test(
    "is any to a child that is about to end, deaf or not",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const a = yield* TestChild.make("a", { trace })
      yield* supervise([a])
      yield* a.hang
      yield* trace.take
      yield* a.leave(Effect.andThen(Effect.sleep("1 second"), Effect.fail("at last")))
      assert.isTrue(yield* a.isUp)
      const all = ["crash", "die", "exit", "return", "hang", "be released"]
      assert.deepStrictEqual(yield* refusals(a), cannot("a", "ending", ...all))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* trace.take, ["leave a", "start a"])
    })
  )
})

describe("a test child that gives a service", () => {
  class DbRef extends ChildRef.Service<DbRef>()("@coppice/testing/test/TestChild.test/DbRef", Db) {}

  test(
    "gives it to its siblings, one for each start",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const db = yield* TestChild.layer("db", Db, (number) => ({ number }), { trace, starts: ["ok", "fail"] })
      const use = Effect.gen(function*() {
        const { number } = yield* Db
        yield* trace.note(`use db ${number}`)
        return yield* Effect.never
      })
      const app = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        children: [db.child, Child.effect("user", use)]
      })
      yield* VirtualTime.settle
      yield* db.crash
      assert.deepStrictEqual(yield* trace.take, ["start db", "use db 1", "crash db", "fail db", "start db", "use db 3"])
      const id: "db" | "user" = "db"
      yield* app.terminateChild(id)
      assert.deepStrictEqual(yield* trace.take, ["stop db"])
    })
  )

  test(
    "fills its ref, and ends in each way that it is told",
    Effect.gen(function*() {
      const trace = yield* Trace.make
      const options = { trace, ref: DbRef, restart: "transient", stops: "hang" } as const
      const db = yield* TestChild.layer("db", Db, (number) => ({ number }), options)
      yield* Supervisor.make("app", { strategy: "one-for-one", children: [db.child] })
      const numbers: Array<number> = []
      for (const command of [db.crash, db.die, db.leave(Effect.fail("no"))]) {
        numbers.push(yield* DbRef.use(({ number }) => Effect.succeed(number)))
        yield* command
        yield* db.release
      }
      assert.deepStrictEqual(numbers, [1, 2, 3])
      yield* trace.take
      yield* db.exit
      yield* db.release
      assert.deepStrictEqual(yield* trace.take, ["exit db", "gone db"])
      assert.deepStrictEqual([yield* db.isUp, yield* db.starts], [false, 4])
    }).pipe(Effect.provide(DbRef.layer))
  )
})
