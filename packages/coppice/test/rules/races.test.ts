import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, patient, rule, states } from "../support/kit.ts"

describe("things that happen at the same time", () => {
  rule(
    "Q1",
    "are handled one at a time in the order of arrival, exits and calls in one queue",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [kit.child("a"), kit.child("b")]
        })
        yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
        yield* VirtualTime.settle
        // While the supervisor is busy: an exit, a call, an exit.
        yield* kit.crash("a")
        yield* Effect.forkChild(app.startChild(kit.child("z")))
        yield* VirtualTime.settle
        yield* kit.crash("b")
        kit.take()
        yield* kit.release("slow")
        assert.deepStrictEqual(kit.take(), ["start slow", "start a", "start z", "start b"])
      })
  )

  rule(
    "Q2",
    "one-for-one: two children dead before it looks are two restarts and two records (P05)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1,
          children: [kit.child("a"), kit.child("b")]
        })
        yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
        yield* VirtualTime.settle
        yield* kit.crashTogether("a", "b")
        yield* kit.release("slow")
        assert.strictEqual(yield* ended(app), "gave up")
        assert.deepStrictEqual([kit.attempts("a"), kit.attempts("b")], [2, 1])
      })
  )

  rule(
    "Q3",
    "a queued exit is swallowed when the supervisor comes to stop that child: by terminateChild (P10)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a")]
        })
        yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
        yield* VirtualTime.settle
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* VirtualTime.settle
        yield* kit.crash("a")
        yield* kit.release("slow")
        assert.deepStrictEqual(terminating.pollUnsafe(), Exit.void)
        assert.strictEqual(yield* ended(app), "no")
        assert.strictEqual(kit.attempts("a"), 1)
        assert.deepStrictEqual(yield* states(app), { a: "stopped", slow: "running" })
      })
  )

  rule("Q3", "a queued exit is swallowed by the supervisor's own stop", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const app: Supervisor.Supervisor = yield* Scope.provide(
        Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("a"), kit.child("b"), kit.child("c")] }),
        scope
      )
      yield* Effect.forkChild(Effect.exit(app.startChild(kit.child("slow", { starts: ["hang"] }))))
      yield* VirtualTime.settle
      yield* kit.crash("a")
      kit.take()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(kit.take(), ["stop c", "stop b"])
      assert.strictEqual(kit.attempts("a"), 1)
    }))

  rule("Q4", "one-for-all: two simultaneous deaths are one record (P06)", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        intensity: 1,
        children: [kit.child("a"), kit.child("b")]
      })
      yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
      yield* VirtualTime.settle
      yield* kit.crashTogether("a", "b")
      yield* kit.release("slow")
      assert.strictEqual(yield* ended(app), "no")
      assert.deepStrictEqual([kit.attempts("a"), kit.attempts("b")], [2, 2])
    }))

  for (const [first, second, end, starts] of [["a", "b", "no", [2, 2]], ["b", "a", "gave up", [1, 2]]] as const) {
    const which = first === "a" ? "the earlier child first: one record" : "the later child first: two records"
    rule("Q4", `rest-for-one: two simultaneous deaths, ${which} (P07)`, (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          intensity: 1,
          children: [kit.child("a"), kit.child("b")]
        })
        yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
        yield* VirtualTime.settle
        yield* kit.crashTogether(first, second)
        yield* kit.release("slow")
        assert.strictEqual(yield* ended(app), end)
        assert.deepStrictEqual<ReadonlyArray<number>>([kit.attempts("a"), kit.attempts("b")], starts)
      }))
  }

  rule(
    "Q5",
    "a child that leaves while later siblings are still being started is judged afterwards (P09)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          children: [kit.child("a"), kit.child("b", { starts: ["ok", "hang"] })]
        })
        yield* kit.crash("b")
        yield* kit.crash("a")
        kit.take()
        yield* kit.release("b")
        assert.deepStrictEqual(kit.take(), ["start b", "stop b"])
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  rule(
    "Q6",
    "a child that leaves by itself while the group is being stopped changes nothing (P08)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          children: [kit.child("a"), kit.child("b"), kit.child("d", { stops: "hang" })]
        })
        yield* kit.crash("b")
        yield* kit.crash("a")
        yield* kit.release("d")
        assert.strictEqual(yield* ended(app), "no")
        assert.deepStrictEqual([kit.attempts("a"), kit.attempts("b"), kit.attempts("d")], [2, 2, 2])
      })
  )

  rule(
    "Q7",
    "a stop order in the middle of a group restart begins no further start; OTP finishes it first (P14)",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.provide(
          Supervisor.make("app", {
            strategy: "one-for-all",
            ...patient,
            children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["ok", "hang"] }), kit.child("d")]
          }),
          scope
        )
        yield* kit.crash("a")
        kit.take()
        yield* Scope.close(scope, Exit.void)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["stop b", "stop a"])
      })
  )

  rule("Q7", "a stop order while the group is being stopped starts nothing again", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(
        Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [kit.child("a"), kit.child("b", { stops: "hang" }), kit.child("c")]
        }),
        scope
      )
      yield* kit.crash("a")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* VirtualTime.settle
      kit.take()
      yield* kit.release("b")
      assert.deepStrictEqual(kit.take(), ["gone b"])
      assert.isDefined(closing.pollUnsafe())
    }))

  rule(
    "Q7",
    "a stop order while a child that left is being released does not start it again",
    (kit) =>
      Effect.gen(function*() {
        for (const strategy of ["one-for-one", "one-for-all"] as const) {
          const scope = yield* Scope.make()
          let starts = 0
          const effect = Effect.gen(function*() {
            starts++
            yield* Effect.addFinalizer(() => Effect.sleep("1 second"))
            return yield* Effect.fail("crash")
          })
          const children = [kit.child("a"), Child.effect("b", effect), kit.child("c")]
          yield* Scope.provide(Supervisor.make("app", { strategy, ...patient, children }), scope)
          yield* VirtualTime.settle
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* TestClock.adjust("1 second")
          assert.isDefined(closing.pollUnsafe())
          assert.strictEqual(starts, 1)
        }
      })
  )

  rule(
    "Q1",
    "does not keep others from their turn: a child that ends at once, and is restarted for ever",
    (kit) =>
      Effect.gen(function*() {
        let starts = 0
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 10_000_000,
          period: "1 hour",
          children: [Child.effect("spinning", Effect.sync(() => starts++)), kit.child("b")]
        })
        const before = starts
        yield* Effect.yieldNow
        assert.isAbove(starts, before)
        yield* app.terminateChild("spinning")
        assert.deepStrictEqual(yield* states(app), { spinning: "stopped", b: "running" })
      })
  )

  rule("Q8", "a stop order during a retry loop takes effect between two tries", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let attempts = 0
      const flaky = kit.child("a", { starts: ["ok", "hang"] })
      yield* Scope.provide(
        Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [flaky, kit.child("b"), kit.child("c")]
        }),
        scope
      )
      yield* kit.crash("a")
      attempts = kit.attempts("a")
      kit.take()
      yield* Scope.close(scope, Exit.void)
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["stop c", "stop b"])
      assert.strictEqual(kit.attempts("a"), attempts)
    }))
})
