import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Backoff, Child, ExitReason, Supervisor, SupervisorMetrics } from "coppice"
import { Effect, Exit, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { patient, rule as test } from "./support/kit.ts"

const rule = (sentence: string, run: Parameters<typeof test>[2]): void =>
  test("SupervisorMetrics", sentence, (kit) => Effect.provide(run(kit), SupervisorMetrics.layer))

/** The series of a supervisor as `metric{label}` and value. */
const series = (path: string) =>
  Effect.map(Metric.snapshot, (snapshot) =>
    Object.fromEntries(
      snapshot.filter(({ attributes }) => attributes?.["supervisor"] === path).map(({ attributes, id, state }) => {
        const label = attributes?.["state"] ?? attributes?.["reason"]
        return [label === undefined ? id : `${id}{${label}}`, state]
      })
    ))

const gauge = (value: number) => ({ value })
const counter = (count: number) => ({ count, incremental: true })

describe("the metrics of a supervisor", () => {
  rule("count its children by state, as they are when somebody asks", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("metrics/children", {
        strategy: "one-for-one",
        children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["ignore"] })]
      })
      const before = yield* series("metrics/children")
      assert.deepStrictEqual(before["coppice_children{running}"], gauge(2))
      assert.deepStrictEqual(before["coppice_children{stopped}"], gauge(1))
      yield* app.terminateChild("a")
      const after = yield* series("metrics/children")
      assert.deepStrictEqual(after["coppice_children{running}"], gauge(1))
      assert.deepStrictEqual(after["coppice_children{stopped}"], gauge(2))
    }))

  rule("count restarts by reason, each try of them", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("metrics/restarts", {
        strategy: "one-for-one",
        ...patient,
        children: [kit.child("a", { starts: ["ok", "fail", "fail"] }), kit.child("b")]
      })
      yield* kit.crash("a")
      yield* kit.leave("b", Effect.die("bug"))
      yield* app.exitChild("b", ExitReason.killed)
      yield* VirtualTime.settle
      const all = yield* series("metrics/restarts")
      assert.deepStrictEqual(all["coppice_restarts{Failure}"], counter(1))
      assert.deepStrictEqual(all["coppice_restarts{StartFailed}"], counter(2))
      assert.deepStrictEqual(all["coppice_restarts{Defect}"], counter(1))
      assert.deepStrictEqual(all["coppice_restarts{Killed}"], counter(1))
      assert.deepStrictEqual(all["coppice_restarts{Normal}"], counter(0))
    }))

  rule(
    "count abandoned children, and a give-up, which is read as long as the supervisor is held",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("metrics/ends", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a"), kit.child("b", { stops: "deaf", shutdown: 0 })]
        })
        yield* Effect.forkChild(app.terminateChild("b"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual((yield* series("metrics/ends"))["coppice_abandoned"], counter(1))
        yield* kit.crash("a")
        const all = yield* series("metrics/ends")
        assert.deepStrictEqual(all["coppice_give_ups"], counter(1))
        assert.deepStrictEqual(all["coppice_children{failed}"], gauge(1))
      })
  )

  rule("tell how long restarts take, in the buckets of Effect's own histograms", (kit) =>
    Effect.gen(function*() {
      // The last but one on the bound of a bucket, and neither the longest nor the shortest at the end.
      const times = [7, 60, 50, 55]
      const slow = Child.make(
        "slow",
        Effect.flatMap(Child.current, ({ incarnation }) =>
          Effect.delay(Effect.succeed(incarnation === 4 ? Effect.never : Effect.fail("x")), times[incarnation - 1]!))
      )
      const making = yield* Effect.forkChild(
        Supervisor.make("metrics/times", { strategy: "one-for-one", ...patient, children: [slow, kit.child("b")] })
      )
      yield* TestClock.adjust("1 second")
      assert.isDefined(making.pollUnsafe())
      const own = Metric.histogram("metrics_test_times", {
        boundaries: [1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 60_000]
      })
      for (const millis of times.slice(1)) {
        yield* Metric.update(own, millis)
      }
      assert.deepStrictEqual(
        (yield* series("metrics/times"))["coppice_time_to_restart_millis"],
        yield* Metric.value(own)
      )
    }))

  rule("take a restart for one, from the crash on, however often it is tried", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("metrics/tries", {
        strategy: "one-for-one",
        ...patient,
        children: [kit.child("a", { starts: ["ok", "fail", "ok"], backoff: Backoff.fixed("10 seconds") })]
      })
      yield* kit.crash("a")
      yield* TestClock.adjust("20 seconds")
      const { count, max, min } = (yield* series("metrics/tries"))["coppice_time_to_restart_millis"] as
        & { readonly count: number }
        & Record<"max" | "min", number>
      assert.deepStrictEqual([count, min, max], [1, 20_000, 20_000])
    }))

  rule("take no restart by hand for one of theirs", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("metrics/hand", {
        strategy: "one-for-one",
        children: [kit.child("a", { backoff: Backoff.fixed("10 seconds") })]
      })
      yield* kit.crash("a")
      yield* TestClock.adjust("5 seconds")
      yield* app.terminateChild("a")
      yield* app.restartChild("a")
      const all = yield* series("metrics/hand")
      assert.strictEqual((all["coppice_time_to_restart_millis"] as { readonly count: number }).count, 0)
      assert.deepStrictEqual(all["coppice_restarts{Failure}"], counter(0))
    }))

  rule("tell its uptime and the length of its queue", (kit) =>
    Effect.gen(function*() {
      yield* TestClock.adjust("2 seconds")
      const app: Supervisor.Supervisor = yield* Supervisor.make("metrics/queue", {
        strategy: "one-for-one",
        children: [kit.child("a")]
      })
      yield* TestClock.adjust("3 seconds")
      yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
      yield* VirtualTime.settle
      yield* Effect.forkChild(app.countChildren)
      yield* Effect.forkChild(app.countChildren)
      yield* VirtualTime.settle
      const all = yield* series("metrics/queue")
      assert.deepStrictEqual(all["coppice_uptime_millis"], gauge(3000))
      assert.deepStrictEqual(all["coppice_mailbox_length"], gauge(2))
      yield* kit.release("slow")
    }))

  rule("vanish with it, when it has stopped", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(
        Supervisor.make("metrics/gone", { strategy: "one-for-one", children: [kit.child("a", { stops: "hang" })] }),
        scope
      )
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* VirtualTime.settle
      assert.deepStrictEqual((yield* series("metrics/gone"))["coppice_children{stopping}"], gauge(1))
      yield* TestClock.adjust("1 hour")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(yield* series("metrics/gone"), {})
    }))

  test("SupervisorMetrics", "are not there unless they are turned on", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("metrics/off", { strategy: "one-for-one", children: [kit.child("a")] })
      assert.deepStrictEqual(yield* series("metrics/off"), {})
    }))
})
