import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor, SupervisorError } from "coppice"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, rule, states } from "../support/kit.ts"

describe("the restart limit", () => {
  for (const intensity of [0, 1, 3]) {
    rule(
      "I1",
      `lets ${intensity} restarts pass with intensity ${intensity}, and not one more`,
      (kit) =>
        Effect.gen(function*() {
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            intensity,
            children: [kit.child("a"), kit.child("b")]
          })
          for (let i = 0; i < intensity; i++) yield* kit.crash("a")
          assert.strictEqual(yield* ended(app), "no")
          assert.strictEqual(kit.attempts("a"), 1 + intensity)
          yield* kit.crash("a")
          assert.strictEqual(yield* ended(app), "gave up")
          assert.strictEqual(kit.attempts("a"), 1 + intensity)
        })
    )
  }

  rule("I2", "is 3 restarts in 5 seconds unless told otherwise", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a")]
      })
      for (let i = 0; i < 3; i++) yield* kit.crash("a")
      yield* TestClock.adjust("5001 millis")
      for (let i = 0; i < 3; i++) yield* kit.crash("a")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* ended(app), "no")
      yield* kit.crash("a")
      assert.strictEqual(yield* ended(app), "gave up")
    }))

  rule(
    "I3",
    "counts a record exactly one period old, and none older: the window is exact and closed",
    (kit) =>
      Effect.gen(function*() {
        for (const [gap, end] of [[1000, "gave up"], [1001, "no"]] as const) {
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            intensity: 1,
            period: "1 second",
            children: [kit.child("a")]
          })
          yield* kit.crash("a")
          yield* TestClock.adjust(gap)
          yield* kit.crash("a")
          assert.strictEqual(yield* ended(app), end)
        }
      })
  )

  rule(
    "I3",
    "forgets no record that is still in the window, over a thousand restarts",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 150,
          period: "100 seconds",
          children: [kit.child("a")]
        })
        for (let second = 0; second < 1000; second++) {
          yield* kit.crash("a")
          yield* TestClock.adjust("1 second")
        }
        // The last hundred are in the window.
        for (let more = 0; more < 50; more++) yield* kit.crash("a")
        assert.strictEqual(yield* ended(app), "no")
        yield* kit.crash("a")
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  rule("I4", "is the supervisor's, shared by all its children", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 2,
        children: [kit.child("a"), kit.child("b"), kit.child("c")]
      })
      yield* kit.crash("a")
      yield* kit.crash("b")
      assert.strictEqual(yield* ended(app), "no")
      yield* kit.crash("c")
      assert.strictEqual(yield* ended(app), "gave up")
    }))

  rule("I5", "counts a group restart once, however many children it touches", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        intensity: 2,
        children: [kit.child("a"), kit.child("b"), kit.child("c")]
      })
      yield* kit.crash("a")
      yield* kit.crash("b")
      assert.strictEqual(yield* ended(app), "no")
    }))

  rule(
    "I6",
    "does not count exits without restart, startChild, restartChild or terminateChild",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [
            kit.child("a"),
            kit.child("tr", { restart: "transient" }),
            kit.child("te", { restart: "temporary" })
          ]
        })
        yield* kit.return("tr")
        yield* kit.crash("te")
        yield* app.terminateChild("a")
        yield* app.restartChild("a")
        yield* app.startChild(kit.child("z"))
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  rule(
    "I7",
    "passed: the child is not started, the others are stopped in reverse, the supervisor ends",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a"), kit.child("b"), kit.child("c")]
        })
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "stop c", "stop a"])
        const error = yield* Effect.flip(app.await)
        assert.isTrue(error instanceof SupervisorError.RestartIntensityExceeded)
        assert.deepStrictEqual(
          { path: error.path, child: error.child, intensity: error.intensity, restarts: error.restarts },
          { path: "app", child: "b", intensity: 0, restarts: 1 }
        )
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "failed", c: "stopped" })
      })
  )

  // Each letter is a restart: after a crash, a return, or a start that failed; each dot is a second.
  for (
    const [intensity, script, pattern] of [
      [0, "c", "mixed"],
      [1, "cc", "mixed"],
      [0, "r", "returned"],
      [2, "rrr", "returned"],
      [1, "rc", "mixed"],
      [1, "cr", "mixed"],
      [2, "cff", "failed-to-start"],
      [1, "rf", "failed-to-start"],
      [2, "crf", "mixed"],
      [4, "c...rrr...rr", "returned"],
      [3, "cf...r...rrr", "returned"],
      [3, "rr...c...cff", "mixed"],
      [2, "rr......cff", "failed-to-start"]
    ] as const
  ) {
    rule(
      "I7",
      `passed after ${script}: says that the restarts of the period are ${pattern}, whatever was before`,
      (kit) =>
        Effect.gen(function*() {
          const steps = script.replaceAll(".", "")
          const starts = Array.from(steps, (step, index) => index > 0 && step === "f" ? "fail" : "ok")
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            intensity,
            children: [kit.child("a", { starts })]
          })
          for (const step of script) {
            if (step === ".") yield* TestClock.adjust("1 second")
            else if (step !== "f") yield* kit.leave("a", step === "c" ? Effect.fail("crash") : Effect.void)
          }
          const error = yield* Effect.flip(app.await)
          assert.deepStrictEqual([error.pattern, error.restarts], [pattern, intensity + 1])
        })
    )
  }

  rule("I8", "starts at zero again when the supervisor is restarted", (kit) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        intensity: 1,
        children: [kit.child("a")]
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 1,
        children: [Child.supervisor("nested", nested)]
      })
      yield* kit.crash("a")
      yield* kit.crash("a")
      assert.strictEqual(kit.attempts("a"), 3)
      yield* kit.crash("a")
      assert.strictEqual(yield* ended(app), "no")
      assert.strictEqual(kit.attempts("a"), 4)
    }))

  rule(
    "I9",
    "is a whole number from zero within a period above zero; anything else is a defect before any start",
    (kit) =>
      Effect.gen(function*() {
        const wrong = [{ intensity: -1 }, { intensity: 1.5 }, { intensity: NaN }, { period: 0 }, {
          period: "0 seconds"
        }] as const
        for (const options of wrong) {
          const exit = yield* Effect.exit(
            Supervisor.make("app", { strategy: "one-for-one", ...options, children: [kit.child("a")] })
          )
          assert.isTrue(Exit.hasDies(exit), JSON.stringify(options))
        }
        assert.deepStrictEqual(kit.take(), [])
      })
  )

  rule(
    "I5",
    "re-stamps a group's record after its stops: stops longer than the period do not restart for ever",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          period: "1 second",
          children: [kit.child("a"), kit.child("b", { stops: "deaf", shutdown: "2 seconds" })]
        })
        yield* kit.crash("a")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(kit.attempts("b"), 2)
        yield* kit.crash("a")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  rule(
    "I5",
    "re-stamps a child's record after its release: a release longer than the period does not age it",
    () =>
      Effect.gen(function*() {
        let starts = 0
        const slow = Child.make(
          "slow",
          Effect.gen(function*() {
            starts++
            yield* Effect.addFinalizer(() => Effect.sleep("2 seconds"))
            return Effect.fail("crash")
          })
        )
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1,
          period: "1 second",
          children: [slow]
        })
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* ended(app), "gave up")
        assert.strictEqual(starts, 2)
      })
  )

  rule(
    "I7",
    "passed while its owner stops it as well is not escalated: the owner knows",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        let escalations = 0
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", {
            strategy: "one-for-one",
            intensity: 0,
            children: [kit.child("a"), kit.child("b", { stops: "hang" })],
            onEscalation: () => Effect.sync(() => escalations++)
          }),
          scope
        )
        yield* kit.crash("a")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* VirtualTime.settle
        yield* kit.release("b")
        assert.isDefined(closing.pollUnsafe())
        assert.strictEqual(yield* ended(app), "gave up")
        assert.strictEqual(escalations, 0)
      })
  )

  rule(
    "I7",
    "passed in a start that is being undone closes the supervisor's scope without waiting",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", intensity: 0, children: [kit.child("a")] }),
          scope
        )
        yield* kit.crash("a")
        yield* Scope.close(scope, Exit.void)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["start a", "crash a"])
      })
  )
})
