import { type TestChild, VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Deferred, Effect, Exit, Scope } from "effect"
import { ended, patient, rule, states } from "../support/kit.ts"

/** A child that is up once and whose every further start yields, then fails, until `mend` is called. */
const broken = (id: string) => {
  let mended = false
  let attempts = 0
  const child = Child.make(
    id,
    Effect.gen(function*() {
      attempts++
      if (attempts === 1 || mended) {
        return attempts === 1 ? crash : Effect.never
      }
      yield* Effect.yieldNow
      return yield* Effect.fail("broken")
    })
  )
  const trigger = Deferred.makeUnsafe<void>()
  const crash = Effect.andThen(Deferred.await(trigger), Effect.fail("crash"))
  return {
    child,
    attempts: () => attempts,
    mend: () => {
      mended = true
    },
    // Does not wait for rest: there is none while the retries go on.
    crash: Deferred.succeed(trigger, undefined)
  }
}

/** Lets a retry loop make some tries. */
const someTries = (attempts: () => number): Effect.Effect<void> => {
  const enough = attempts() + 5
  return Effect.repeat(Effect.yieldNow, { while: () => attempts() < enough })
}

const endless = { intensity: 1_000_000, period: "1 day" } as const

const failing = (
  times: number
): ReadonlyArray<TestChild.Start> => ["ok", ...Array.from({ length: times }, () => "fail" as const)]

describe("a restart that fails", () => {
  rule("F1", "is tried again at once, without delay", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a", { starts: failing(2) }), kit.child("b")]
      })
      kit.take()
      yield* kit.crash("a")
      assert.deepStrictEqual(kit.take(), ["crash a", "fail a", "fail a", "start a"])
      assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
    }))

  rule(
    "F2",
    "is a restart each time, and counted: with limit 3 a child that never comes back has 3 tries (P11)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 3,
          children: [kit.child("a", { starts: failing(9) }), kit.child("b")]
        })
        yield* kit.crash("a")
        assert.strictEqual(yield* ended(app), "gave up")
        assert.strictEqual(kit.attempts("a"), 1 + 3)
        assert.strictEqual(kit.attempts("b"), 1)
      })
  )

  rule("F3", "leaves room between two tries for calls, which say restarting (P12)", (kit) =>
    Effect.gen(function*() {
      const a = broken("a")
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...endless,
        children: [a.child]
      })
      yield* a.crash
      yield* someTries(a.attempts)
      assert.strictEqual((yield* app.whichChildren)[0]?.state, "restarting")
      assert.strictEqual((yield* Effect.flip(app.restartChild("a")))._tag, "ChildRestarting")
      assert.strictEqual((yield* Effect.flip(app.deleteChild("a")))._tag, "ChildRestarting")
      assert.strictEqual((yield* Effect.flip(app.startChild(kit.child("a"))))._tag, "ChildAlreadyPresent")
      assert.strictEqual((yield* app.countChildren).active, 0)
      yield* app.terminateChild("a")
      assert.deepStrictEqual(yield* states(app), { a: "stopped" })
      const tries = a.attempts()
      yield* VirtualTime.settle
      assert.strictEqual(a.attempts(), tries)
    }))

  rule("F3", "leaves room between two tries for the exits of other children", (kit) =>
    Effect.gen(function*() {
      const a = broken("a")
      yield* Supervisor.make("app", { strategy: "one-for-one", ...endless, children: [a.child, kit.child("b")] })
      yield* a.crash
      yield* someTries(a.attempts)
      yield* Effect.forkChild(kit.crash("b"), { startImmediately: true })
      yield* someTries(a.attempts)
      assert.isTrue(kit.isUp("b"))
      assert.strictEqual(kit.attempts("b"), 2)
      a.mend()
      yield* VirtualTime.settle
    }))

  rule(
    "F4",
    "under one-for-all leaves the try's children up, and the next try stops them first and starts all (P20)",
    (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["ok", "fail"] }), kit.child("d")]
        })
        kit.take()
        yield* kit.crash("d")
        assert.deepStrictEqual(kit.take(), [
          "crash d",
          "stop c",
          "stop b",
          "stop a",
          "start a",
          "start b",
          "fail c",
          "stop b",
          "stop a",
          "start a",
          "start b",
          "start c",
          "start d"
        ])
      })
  )

  rule(
    "F5",
    "under rest-for-one makes the failing child the restart point: what is before it stays up (P21)",
    (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["ok", "fail"] }), kit.child("d")]
        })
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), [
          "crash a",
          "stop d",
          "stop c",
          "stop b",
          "start a",
          "start b",
          "fail c",
          "start c",
          "start d"
        ])
      })
  )

  rule(
    "F6",
    "leaves the children behind the failing one down until a try gets past it",
    (kit) =>
      Effect.gen(function*() {
        const b = broken("b")
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...endless,
          children: [kit.child("a"), b.child, kit.child("c"), kit.child("d")]
        })
        yield* b.crash
        yield* someTries(b.attempts)
        const children = (yield* app.whichChildren).map((child) => [child.id, child.state])
        assert.deepStrictEqual(children, [["d", "stopped"], ["c", "stopped"], ["b", "restarting"], ["a", "running"]])
        b.mend()
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running", c: "running", d: "running" })
      })
  )

  rule(
    "F7",
    "and passes the limit on a retry ends the supervisor, which stops what the try had started (P44)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: failing(9) }), kit.child("d")]
        })
        kit.take()
        yield* kit.crash("d")
        assert.deepStrictEqual(kit.take(), [
          "crash d",
          "stop c",
          "stop b",
          "stop a",
          "start a",
          "start b",
          "fail c",
          "stop b",
          "stop a"
        ])
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  rule(
    "F8",
    "is cancelled by terminateChild: the child is down, and children behind it stay down",
    (kit) =>
      Effect.gen(function*() {
        const b = broken("b")
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...endless,
          children: [kit.child("a"), b.child, kit.child("c"), kit.child("d")]
        })
        yield* b.crash
        yield* someTries(b.attempts)
        yield* app.terminateChild("b")
        const tries = b.attempts()
        yield* VirtualTime.settle
        assert.strictEqual(b.attempts(), tries)
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "stopped", c: "stopped", d: "stopped" })
      })
  )

  rule(
    "F9",
    "is not tried again when another event restarts the child first: the retry is dropped (P41)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 2,
          children: [kit.child("a"), kit.child("b", { starts: ["ok", "hang"] }), kit.child("d")]
        })
        yield* kit.crash("d")
        // b's second start is in progress; a leaves meanwhile, so its exit comes before the retry.
        yield* kit.crash("a")
        kit.take()
        yield* kit.crash("b")
        assert.strictEqual(yield* ended(app), "no")
        assert.deepStrictEqual([kit.attempts("a"), kit.attempts("b"), kit.attempts("d")], [3, 3, 2])
      })
  )

  rule(
    "F9",
    "leaves no second retry behind when it was cancelled and the child started by hand",
    () =>
      Effect.gen(function*() {
        const a = broken("a")
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...endless,
          children: [a.child]
        })
        yield* a.crash
        yield* someTries(a.attempts)
        a.mend()
        yield* Effect.all([app.terminateChild("a"), app.restartChild("a")], { concurrency: "unbounded" })
        const tries = a.attempts()
        yield* VirtualTime.settle
        assert.strictEqual(a.attempts(), tries)
        assert.deepStrictEqual(yield* states(app), { a: "running" })
      })
  )

  rule(
    "F10",
    "of a nested supervisor has rolled itself back, and is a failed start like any other for the parent",
    (kit) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["ok", "fail"] })]
        })
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", nested), kit.child("z")]
        })
        kit.take()
        yield* kit.crash("c")
        assert.deepStrictEqual(kit.take(), [
          "crash c",
          "stop b",
          "stop a",
          "start a",
          "start b",
          "fail c",
          "stop b",
          "stop a",
          "start a",
          "start b",
          "start c"
        ])
      })
  )

  rule(
    "F11",
    "is none when the start answers ignore: the child is down, its siblings are started (P24)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          children: [kit.child("a", { starts: ["ok", "ignore"] }), kit.child("b"), kit.child("c")]
        })
        yield* kit.crash("b")
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "running", c: "running" })
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  rule("F3", "lets a stop order overtake the tries (P13, Q8)", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const a = broken("a")
      yield* Scope.provide(
        Supervisor.make("app", {
          strategy: "one-for-one",
          ...endless,
          children: [a.child, kit.child("b"), kit.child("c")]
        }),
        scope
      )
      yield* a.crash
      yield* someTries(a.attempts)
      kit.take()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(kit.take(), ["stop c", "stop b"])
      const tries = a.attempts()
      yield* VirtualTime.settle
      assert.strictEqual(a.attempts(), tries)
    }))
})
