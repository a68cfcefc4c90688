import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ExitReason, Supervisor } from "coppice"
import { Clock, Duration, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, rule, states } from "../support/kit.ts"

describe("the stop of children", () => {
  rule(
    "T1",
    "is in reverse list order, one at a time, each gone before the next is asked",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a"), kit.child("b", { stops: "hang", shutdown: "Infinity" }), kit.child("c")]
        yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
        kit.take()
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["stop c", "stop b"])
        yield* kit.release("b")
        assert.deepStrictEqual(kit.take(), ["gone b", "stop a"])
        assert.isDefined(closing.pollUnsafe())
      })
  )

  rule(
    "T1",
    "shows each child as stopping until it is gone, and then as stopped, a temporary one too",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a"), kit.child("b", { stops: "hang" }), kit.child("c", { restart: "temporary" })]
        const app = yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
        yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "stopping", c: "stopped" })
        yield* kit.release("b")
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "stopped", c: "stopped" })
      })
  )

  rule(
    "T1",
    "keeps a restarted child's place, and moves a deleted and started one to the end",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", {
            strategy: "one-for-one",
            children: [kit.child("a"), kit.child("b"), kit.child("c")]
          }),
          scope
        )
        yield* kit.crash("a")
        yield* app.terminateChild("b")
        yield* app.deleteChild("b")
        yield* app.startChild(kit.child("b"))
        kit.take()
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(kit.take(), ["stop b", "stop c", "stop a"])
      })
  )

  rule(
    "T2",
    "waits for the shutdown time of each child, and the times add up along the list",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [
          kit.child("a", { stops: "deaf", shutdown: "2 seconds" }),
          kit.child("b", { stops: "deaf", shutdown: "3 seconds" }),
          kit.child("c", { stops: "deaf", shutdown: 0 })
        ]
        yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
        const closing = yield* Effect.forkChild(Effect.andThen(Scope.close(scope, Exit.void), Clock.currentTimeMillis))
        yield* VirtualTime.settle
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(closing.pollUnsafe(), Exit.succeed(5000))
      })
  )

  rule(
    "T2",
    "waits for the body before it closes the scope, also when the start is only just over",
    (kit) =>
      Effect.gen(function*() {
        const slowly = Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => kit.note("body ended")))
        const a = Child.make(
          "a",
          Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.sync(() => kit.note("scope closed")))
            // The supervisor goes on in the very moment in which this ends.
            yield* Effect.yieldNow
            return Effect.onInterrupt(Effect.never, () => slowly)
          })
        )
        const building = yield* Effect.forkChild(
          Effect.exit(
            Supervisor.make("app", { strategy: "one-for-one", children: [a, kit.child("b", { starts: ["fail"] })] })
          )
        )
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["fail b"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(kit.take(), ["body ended", "scope closed"])
        assert.isDefined(building.pollUnsafe())
      })
  )

  rule("T3", "waits for ever with shutdown \"Infinity\"", (kit) =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.make(
          "a",
          Effect.as(Effect.addFinalizer(() => Effect.sleep("1 day")), Effect.never),
          { shutdown: "Infinity" }
        )]
      })
      const terminating = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      yield* TestClock.adjust("23 hours")
      assert.isUndefined(terminating.pollUnsafe())
      yield* TestClock.adjust("1 hour")
      assert.isDefined(terminating.pollUnsafe())
      kit.take()
    }))

  rule("T4", "with \"brutal-kill\" does not ask: 100 ms is all a child gets", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a", { stops: "deaf", shutdown: "brutal-kill" })]
      })
      const terminating = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      yield* TestClock.adjust("99 millis")
      assert.isUndefined(terminating.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.isDefined(terminating.pollUnsafe())
    }))

  rule("T4", "with \"brutal-kill\" is told as killed, any other as shut down", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          kit.child("a", { shutdown: "brutal-kill" }),
          kit.child("b"),
          kit.child("c", { shutdown: "Infinity" })
        ]
      })
      for (const id of ["a", "b", "c"]) yield* app.terminateChild(id)
      const { children } = yield* app.tree
      assert.deepStrictEqual(
        children.map(({ lastExit }) => lastExit?.reason),
        [ExitReason.killed, ExitReason.shutdown(), ExitReason.shutdown()]
      )
    }))

  rule(
    "T5",
    "takes 5 seconds for a worker, 30 for a layer and for ever for a supervisor, unless told otherwise",
    () =>
      Effect.sync(() => {
        const seconds = (child: Child.Any) =>
          child.shutdown === "brutal-kill" ? child.shutdown : Duration.toSeconds(child.shutdown)
        const layer = Supervisor.layer("nested", { strategy: "one-for-one", children: [] })
        assert.deepStrictEqual(
          [
            Child.effect("a", Effect.never),
            Child.make("b", Effect.succeed(Effect.never)),
            Child.layer("c", layer),
            Child.supervisor("d", layer),
            Child.effect("e", Effect.never, { shutdown: "1 minute" })
          ].map(seconds),
          [5, 5, 30, Infinity, 60]
        )
      })
  )

  rule(
    "T5",
    "takes for ever for any child inside which a supervisor lives, unless told otherwise",
    (kit) =>
      Effect.gen(function*() {
        const inside = Supervisor.make("inside", {
          strategy: "one-for-one",
          children: [kit.child("a", { stops: "deaf", shutdown: "1 hour" })]
        })
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.effect("host", Effect.andThen(inside, Effect.never))]
        })
        yield* VirtualTime.settle
        const terminating = yield* Effect.forkChild(app.terminateChild("host"))
        yield* VirtualTime.settle
        yield* TestClock.adjust("59 minutes")
        assert.isUndefined(terminating.pollUnsafe())
        yield* TestClock.adjust("1 minute")
        assert.isDefined(terminating.pollUnsafe())
      })
  )

  rule("T6", "skips children that are down or restarting", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const app: Supervisor.Supervisor = yield* Scope.provide(
        Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("a"), kit.child("b"), kit.child("c")] }),
        scope
      )
      yield* app.terminateChild("b")
      kit.take()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(kit.take(), ["stop c", "stop a"])
    }))

  rule("T7", "goes on whatever reason the asked child really ends with", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        intensity: 1,
        children: [kit.child("a"), kit.child("b", { stops: "fail" })]
      })
      kit.take()
      yield* kit.crash("a")
      assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "start a", "start b"])
      assert.strictEqual(yield* ended(app), "no")
    }))

  rule(
    "T9",
    "of a supervisor is ordered by its scope alone; interrupting whoever uses it changes nothing",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a")]
        })
        const user = yield* Effect.forkChild(app.await)
        yield* VirtualTime.settle
        yield* Fiber.interrupt(user)
        assert.deepStrictEqual(yield* states(app), { a: "running" })
      })
  )

  rule(
    "T9",
    "is the same whatever the reason of the parent's end: children are asked to shut down",
    (kit) =>
      Effect.gen(function*() {
        for (const exit of [Exit.void, Exit.fail("reason"), Exit.die("reason")]) {
          const scope = yield* Scope.make()
          const children = [kit.child("a"), kit.child("b")]
          yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
          kit.take()
          yield* Scope.close(scope, exit)
          assert.deepStrictEqual(kit.take(), ["stop b", "stop a"])
        }
      })
  )

  rule("T10", "of a supervisor by its owner is a clean end: await succeeds", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const app: Supervisor.Supervisor = yield* Scope.provide(
        Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("a")] }),
        scope
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* ended(app), "shut down")
    }))

  rule("T10", "goes on when the one who ordered it stops waiting", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const children = [kit.child("a"), kit.child("b", { stops: "hang" })]
      yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
      const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      yield* VirtualTime.settle
      closing.interruptUnsafe()
      yield* kit.release("b")
      assert.deepStrictEqual(kit.take(), ["start a", "start b", "stop b", "gone b", "stop a"])
    }))

  rule(
    "T10",
    "by one of its own children is ordered, and not waited for by that child",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const quitter = Child.effect("b", Effect.andThen(Effect.yieldNow, Scope.close(scope, Exit.void)), {
          shutdown: "Infinity"
        })
        const children = [kit.child("a"), quitter, kit.child("c")]
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children }),
          scope
        )
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["start a", "start c", "stop c", "stop a"])
        assert.strictEqual(yield* ended(app), "shut down")
      })
  )

  rule(
    "T11",
    "of a killed supervisor still stops its children, and its parent sees an abnormal exit",
    (kit) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          children: [kit.child("a"), kit.child("b")]
        })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", nested, { restart: "transient" })]
        })
        kit.take()
        yield* app.exitChild("nested", ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["stop b", "stop a", "start a", "start b"])
      })
  )

  rule(
    "T1",
    "aborts the start in progress of a child that is being started, and starts no other",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("a")] }),
          scope
        )
        const starting = yield* Effect.forkChild(Effect.exit(app.startChild(kit.child("b", { starts: ["hang"] }))))
        yield* VirtualTime.settle
        kit.take()
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(kit.take(), ["stop a"])
        yield* VirtualTime.settle
        const exit = starting.pollUnsafe()
        assert.include(String(exit), "SupervisorDown")
      })
  )
})
