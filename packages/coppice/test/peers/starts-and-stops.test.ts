import { VirtualTime } from "@coppice/testing"
/** What users of other supervisors have reported as bugs, or asked for: each is named by where it was. */
import { assert, describe } from "@effect/vitest"
import { Child, ChildRef, ExitReason, Supervisor } from "coppice"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ended, patient, rule, states } from "../support/kit.ts"
import { Lever, scenario } from "../support/world.ts"

type Handle = Supervisor.Supervisor

const now = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

describe("a start", () => {
  rule(
    "Unitech/pm2#2831",
    "children start in the order of the list, each after the one before is up",
    (kit) =>
      Effect.gen(function*() {
        const children = [kit.child("a", { starts: ["hang"] }), kit.child("b", { starts: ["hang"] }), kit.child("c")]
        yield* now(Supervisor.make("app", { strategy: "one-for-one", children }))
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["hang a"])
        yield* kit.release("a")
        assert.deepStrictEqual(kit.take(), ["start a", "hang b"])
        yield* kit.release("b")
        assert.deepStrictEqual(kit.take(), ["start b", "start c"])
      })
  )

  rule(
    "Supervisor/supervisor#122",
    "of a child waits until the one before is ready, not until it is there",
    (kit) =>
      Effect.gen(function*() {
        let ready = false
        const check = Effect.suspend(() => ready ? Effect.void : Effect.fail("booting"))
        const making = yield* now(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { readiness: { check, interval: "1 second" } }), kit.child("b"), kit.child("c")]
        }))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(kit.take(), ["start a"])
        ready = true
        yield* TestClock.adjust("1 second")
        assert.isDefined(making.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["start b", "start c"])
      })
  )

  rule(
    "gleam-lang/otp#73",
    "that takes too long is an error of the one who builds the tree, and nobody else's end",
    (kit) =>
      Effect.gen(function*() {
        const making = yield* now(Effect.flip(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a"), Child.make("b", Effect.never, { startTimeout: "5 seconds" })]
        })))
        yield* TestClock.adjust("5 seconds")
        const error = yield* Fiber.join(making)
        assert.strictEqual(error.id, "b")
        assert.strictEqual(error.reason._tag, "StartTimedOut")
        assert.deepStrictEqual(kit.take(), ["start a", "stop a"])
      })
  )

  rule(
    "just-containers/s6-overlay#566",
    "that is interrupted by a stop ends, and stops what had started",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["hang"] })]
        const making = yield* now(Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope))
        yield* VirtualTime.settle
        const interrupting = yield* now(Fiber.interrupt(making))
        yield* VirtualTime.settle
        assert.isDefined(interrupting.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "hang c", "stop b", "stop a"])
      })
  )
})

describe("a restart", () => {
  rule(
    "elixir-lang/elixir#9319, gleam-lang/erlang#45",
    "leaves the callers what they call by: their ref",
    (kit) =>
      Effect.gen(function*() {
        class Db extends Context.Service<Db, number>()("coppice/test/peers/starts-and-stops.test/Db") {}
        class DbRef extends ChildRef.Service<DbRef>()("coppice/test/peers/starts-and-stops.test/DbRef", Db) {}
        let made = 0
        yield* Effect.gen(function*() {
          const app: Supervisor.Supervisor<any> = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            children: [Child.layer("db", Layer.sync(Db, () => ++made), { ref: DbRef }), kit.child("b")]
          })
          const ref = yield* DbRef
          assert.strictEqual(yield* ref.use(Effect.succeed), 1)
          yield* app.exitChild("db", ExitReason.killed)
          assert.strictEqual(yield* ref.use(Effect.succeed), 2)
        }).pipe(Effect.provide(DbRef.layer))
      })
  )

  rule(
    "elle-lisp/elle#1215",
    "of a group starts those again that startChild has added, in their place",
    (kit) =>
      Effect.gen(function*() {
        for (const strategy of ["one-for-all", "rest-for-one"] as const) {
          const app: Handle = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            children: [kit.child(`${strategy} a`), kit.child(`${strategy} b`)]
          })
          yield* app.startChild(kit.child(`${strategy} c`))
          yield* app.startChild(kit.child(`${strategy} d`))
          kit.take()
          yield* kit.crash(`${strategy} a`)
          assert.deepStrictEqual(
            kit.take().filter((line) => line.startsWith("start")),
            ["a", "b", "c", "d"].map((id) => `start ${strategy} ${id}`)
          )
        }
      })
  )

  rule(
    "atomvm/AtomVM#1915, atomvm/AtomVM#1957",
    "that fails counts like any other, and is its supervisor's regular end when it fails too often",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 2,
          children: [kit.child("a", { starts: ["ok", "fail", "fail", "fail"] }), kit.child("b")]
        })
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "fail a", "fail a", "stop b"])
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )
})

describe("a stop", () => {
  rule(
    "erlang/otp#3670",
    "of a supervisor waits for all below it: no child's time is cut by that of the supervisor it lives in",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const below = Supervisor.layer("below", {
          strategy: "one-for-one",
          children: [
            kit.child("a", { stops: "hang", shutdown: "1 hour" }),
            kit.child("b", { stops: "hang", shutdown: "1 hour" })
          ]
        })
        yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children: [Child.supervisor("below", below)] }),
          scope
        )
        kit.take()
        const closing = yield* now(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("30 minutes")
        yield* kit.release("b")
        yield* TestClock.adjust("30 minutes")
        assert.isUndefined(closing.pollUnsafe())
        yield* kit.release("a")
        assert.isDefined(closing.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["stop b", "gone b", "stop a", "gone a"])
      })
  )

  rule(
    "thejerf/suture#12, gleam-lang/otp#65",
    "is over when all has ended, and not before",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a", { stops: "hang" }), kit.child("b", { stops: "hang" })]
        yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
        kit.take()
        const closing = yield* now(Scope.close(scope, Exit.void))
        yield* kit.release("b")
        assert.isUndefined(closing.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["stop b", "gone b", "stop a"])
        yield* kit.release("a")
        assert.isDefined(closing.pollUnsafe())
      })
  )

  scenario(
    "thejerf/suture#34: of a child by hand leaves no timer that reports it late",
    (world) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a", { stops: "hang", shutdown: "5 seconds" }), world.kit.child("b")]
        })
        const before = world.timers
        const terminating = yield* now(app.terminateChild("a"))
        yield* TestClock.adjust("500 millis")
        yield* world.kit.release("a")
        yield* Fiber.join(terminating)
        assert.strictEqual(world.timers, before)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(world.takeMessages("Warn", "Error", "Fatal"), [])
      })
  )

  scenario(
    "F1bonacc1/process-compose#354: that hangs says which child it waits for, and goes on",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.effect("quick", Effect.never),
            Child.make("stuck", Effect.succeed(Effect.uninterruptible(lever.wait)), { shutdown: "5 seconds" })
          ]
        })
        const both = yield* now(
          Effect.all([app.terminateChild("stuck"), app.terminateChild("quick")], { discard: true })
        )
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(
          world.takeMessages("Warn"),
          ["stuck: waiting for the fiber of a child to end, for 5000 ms at most"]
        )
        yield* TestClock.adjust("4 seconds")
        assert.isDefined(both.pollUnsafe())
        yield* lever.pull(Effect.void)
      })
  )

  rule(
    "slawlor/ractor#226, slawlor/ractor#277",
    "of a subtree needs no handle but one",
    (kit) =>
      Effect.gen(function*() {
        const inner = Supervisor.layer("inner", {
          strategy: "one-for-one",
          children: [kit.child("a"), kit.child("b")]
        })
        const outer = Supervisor.layer("outer", {
          strategy: "one-for-one",
          children: [Child.supervisor("inner", inner), kit.child("c")]
        })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("d"), Child.supervisor("outer", outer)]
        })
        kit.take()
        yield* app.terminateChild("outer")
        assert.deepStrictEqual(kit.take(), ["stop c", "stop b", "stop a"])
        assert.deepStrictEqual(yield* states(app), { d: "running", outer: "stopped" })
      })
  )
})

describe("what is told", () => {
  scenario("thejerf/suture#76: of a normal start and stop, not of failures alone", (world) =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const app = Supervisor.layer("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a"), world.kit.child("b")]
      })
      const onEvent = (event: { readonly _tag: string; readonly path: string }) =>
        Effect.sync(() => void seen.push(`${event.path} ${event._tag}`))
      const running = yield* now(Supervisor.launch(app, { onEvent }))
      yield* VirtualTime.settle
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(seen, [
        "app/a ChildStarting",
        "app/a ChildStarted",
        "app/b ChildStarting",
        "app/b ChildStarted",
        "app SupervisorStarted",
        "app/b ChildStopped",
        "app/a ChildStopped",
        "app SupervisorStopped"
      ])
    }))

  scenario(
    "Unitech/pm2#6113: in vain to somebody who does not listen is not kept without a bound",
    (world) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          intensity: 100_000,
          children: [world.kit.child("a"), world.kit.child("b")]
        })
        const gate = new Lever()
        const seen: Array<string> = []
        yield* Effect.forkChild(Stream.runForEach(app.events, (event) =>
          Effect.andThen(
            Effect.sync(() => void seen.push(event._tag)),
            seen.length === 0 ? Effect.ignore(gate.wait) : Effect.void
          )))
        yield* VirtualTime.settle
        // Each crash is four events.
        for (let crash = 0; crash < 3000; crash++) yield* world.kit.crash("a")
        yield* gate.pull(Effect.void)
        yield* VirtualTime.settle
        assert.strictEqual(seen.length, 4 + 4096, "the first crash, and the latest events")
        assert.strictEqual(seen.at(-1), "ChildStarted")
      })
  )
})
