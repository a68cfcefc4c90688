import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ChildRef, Supervisor } from "coppice"
import { Context, Effect, Exit, Fiber, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { ended, type Kit, patient, rule, states } from "../support/kit.ts"

const four = (kit: Kit) => [kit.child("a"), kit.child("b"), kit.child("c"), kit.child("d")]

describe("a restart", () => {
  rule("G1", "under one-for-one starts that child again and touches nobody else", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", { strategy: "one-for-one", children: four(kit) })
      kit.take()
      yield* kit.crash("b")
      assert.deepStrictEqual(kit.take(), ["crash b", "start b"])
    }))

  rule(
    "G2",
    "under one-for-all stops every other child in reverse order, then starts the whole list in order",
    (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", { strategy: "one-for-all", children: four(kit) })
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(
          kit.take(),
          ["crash b", "stop d", "stop c", "stop a", "start a", "start b", "start c", "start d"]
        )
      })
  )

  rule(
    "G3",
    "under rest-for-one stops the later children in reverse order, then starts from it on in order",
    (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", { strategy: "rest-for-one", children: four(kit) })
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "stop d", "stop c", "start b", "start c", "start d"])
      })
  )

  for (const strategy of ["one-for-all", "rest-for-one"] as const) {
    rule(
      "G4",
      `under ${strategy} stops temporary children in its range, but removes them`,
      (kit) =>
        Effect.gen(function*() {
          const app = yield* Supervisor.make("app", {
            strategy,
            children: [
              kit.child("a"),
              kit.child("t", { restart: "temporary" }),
              kit.child("b"),
              kit.child("u", { restart: "temporary" })
            ]
          })
          kit.take()
          yield* kit.crash("a")
          assert.deepStrictEqual(kit.take(), ["crash a", "stop u", "stop b", "stop t", "start a", "start b"])
          assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
        })
    )
  }

  rule(
    "G4",
    "under one-for-all removes a temporary child at the head of the list too",
    (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [kit.child("t", { restart: "temporary" }), kit.child("a"), kit.child("b")]
        })
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "stop a", "stop t", "start a", "start b"])
      })
  )

  rule(
    "G4",
    "under one-for-all gives up the refs of temporary children, which nobody fills again, and of no others",
    (kit) => {
      class Store extends Context.Service<Store, string>()("coppice/test/rules/strategies.test/Store") {}
      class Kept extends ChildRef.Service<Kept>()("coppice/test/rules/strategies.test/Kept", Store) {}
      class GivenUp extends ChildRef.Service<GivenUp>()("coppice/test/rules/strategies.test/GivenUp", Store) {}
      return Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [
            kit.child("a", { starts: ["ok", "hang"] }),
            Child.layer("p", Layer.succeed(Store, "p"), { ref: Kept }),
            Child.layer("t", Layer.succeed(Store, "t"), { restart: "temporary", ref: GivenUp })
          ]
        })
        const uses = Effect.all([Effect.result(Kept.use(Effect.succeed)), Effect.result(GivenUp.use(Effect.succeed))])
        assert.deepStrictEqual(yield* uses, [Result.succeed("p"), Result.succeed("t")])
        yield* kit.crash("a")
        const kept = yield* Effect.forkChild(Kept.use(Effect.succeed))
        const givenUp = yield* Effect.forkChild(Effect.flip(GivenUp.use(Effect.succeed)))
        yield* VirtualTime.settle
        assert.deepInclude(yield* Fiber.join(givenUp), { _tag: "ChildUnavailable", reason: "down" })
        assert.isUndefined(kept.pollUnsafe())
        yield* kit.release("a")
        assert.deepStrictEqual(kept.pollUnsafe(), Exit.succeed("p"))
      }).pipe(Effect.provide(Layer.merge(Kept.layer, GivenUp.layer)))
    }
  )

  rule(
    "G5",
    "of a group starts children again that were down: finished, terminated or ignored ones",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [
            kit.child("finished", { restart: "transient" }),
            kit.child("terminated"),
            kit.child("ignored", { starts: ["ignore"] }),
            kit.child("a")
          ]
        })
        yield* kit.return("finished")
        yield* app.terminateChild("terminated")
        yield* kit.crash("a")
        assert.deepStrictEqual(yield* states(app), {
          finished: "running",
          terminated: "running",
          ignored: "running",
          a: "running"
        })
      })
  )

  rule("G6", "of a group stops each child by its own shutdown setting", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "one-for-all",
        ...patient,
        children: [
          kit.child("a"),
          kit.child("b", { stops: "deaf", shutdown: "2 seconds" }),
          kit.child("c", { stops: "deaf", shutdown: "brutal-kill" })
        ]
      })
      kit.take()
      yield* kit.crash("a")
      yield* TestClock.adjust("2099 millis")
      assert.deepStrictEqual(kit.take(), ["crash a"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(kit.take(), ["start a", "start b", "start c"])
    }))

  rule(
    "G7",
    "of a group neither judges nor counts the siblings it stops, and they trigger no automatic shutdown",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          autoShutdown: "any-significant",
          children: [
            kit.child("a"),
            kit.child("b", { restart: "transient", significant: true }),
            kit.child("c", { stops: "fail" })
          ]
        })
        yield* kit.crash("a")
        yield* VirtualTime.settle
        assert.strictEqual(yield* ended(app), "no")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running", c: "running" })
      })
  )
})
