import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor, SupervisorError } from "coppice"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { rule, states } from "../support/kit.ts"

const failure = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined

describe("the start of a supervisor", () => {
  rule(
    "S1",
    "starts children one by one in list order, the next only after the previous one has started",
    (kit) =>
      Effect.gen(function*() {
        const children = [kit.child("a"), kit.child("b", { starts: ["hang"] }), kit.child("c")]
        const building = yield* Effect.forkChild(Supervisor.make("app", { strategy: "one-for-one", children }))
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["start a", "hang b"])
        yield* kit.release("b")
        assert.deepStrictEqual(kit.take(), ["start b", "start c"])
        assert.isDefined(building.pollUnsafe())
      })
  )

  rule(
    "S2",
    "is over once every child has started; whoever builds it waits until then",
    (kit) =>
      Effect.gen(function*() {
        const children = [kit.child("a"), kit.child("b", { starts: ["hang"] })]
        const building = yield* Effect.forkChild(Supervisor.make("app", { strategy: "one-for-one", children }))
        yield* VirtualTime.settle
        assert.isUndefined(building.pollUnsafe())
        yield* kit.release("b")
        assert.isTrue(Exit.isSuccess(building.pollUnsafe()!))
      })
  )

  rule(
    "S3",
    "fails when one start fails: earlier children are stopped in reverse, later ones never started",
    (kit) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 5,
          children: [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["fail"] }), kit.child("d")]
        }))
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "fail c", "stop b", "stop a"])
        const reason = failure(exit)
        assert.isTrue(reason?._tag === "Fail" && reason.error instanceof SupervisorError.ChildStartFailed)
        assert.strictEqual(kit.attempts("c"), 1)
      })
  )

  rule(
    "S3",
    "shows a child whose start failed as stopping until all it has acquired is released",
    () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
        const child = Child.make(
          "a",
          Effect.andThen(Effect.addFinalizer(() => Deferred.await(gate)), Effect.fail("no"))
        )
        const starting = yield* Effect.forkChild(Effect.exit(app.startChild(child)))
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* states(app), { a: "stopping" })
        yield* Deferred.succeed(gate, undefined)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(starting)))
      })
  )

  rule("S3", "fails likewise when a start panics or is interrupted from outside", () =>
    Effect.gen(function*() {
      for (const start of [Effect.die("boom"), Effect.interrupt]) {
        const children = [Child.make("a", start)]
        const error = yield* Effect.flip(Supervisor.make("app", { strategy: "one-for-one", children }))
        assert.strictEqual(error._tag, "ChildStartFailed")
        assert.strictEqual(error.reason._tag, "StartFailed")
      }
    }))

  rule("S4", "fails for a temporary child that does not start too", (kit) =>
    Effect.gen(function*() {
      const children = [kit.child("a"), kit.child("t", { restart: "temporary", starts: ["fail"] })]
      yield* Effect.flip(Supervisor.make("app", { strategy: "one-for-one", children }))
      assert.deepStrictEqual(kit.take(), ["start a", "fail t", "stop a"])
    }))

  rule(
    "S5",
    "takes an ignored start for a success without a process; a temporary child loses its entry",
    (kit) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            kit.child("p", { starts: ["ignore"] }),
            kit.child("tr", { restart: "transient", starts: ["ignore"] }),
            kit.child("te", { restart: "temporary", starts: ["ignore"] }),
            kit.child("z")
          ]
        })
        assert.deepStrictEqual(kit.take(), ["ignore p", "ignore tr", "ignore te", "start z"])
        assert.deepStrictEqual(yield* states(app), { p: "stopped", tr: "stopped", z: "running" })
      })
  )

  rule(
    "S6",
    "leaves an ignored child to be started later, by restartChild or by a group restart",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [kit.child("a", { starts: ["ignore"] }), kit.child("b", { starts: ["ignore"] }), kit.child("c")]
        })
        yield* app.restartChild("a")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "stopped", c: "running" })
        yield* kit.crash("c")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running", c: "running" })
      })
  )

  rule(
    "S7",
    "may answer ignore itself, seen from its parent: no supervisor, and no failure",
    (kit) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a"), Child.make("nested", Child.ignore)]
        })
        assert.deepStrictEqual(yield* states(app), { a: "running", nested: "stopped" })
      })
  )

  rule("S8", "handles nothing else while a start function runs: calls and exits wait", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a")]
      })
      const starting = yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
      yield* VirtualTime.settle
      const counting = yield* Effect.forkChild(app.countChildren)
      yield* kit.crash("a")
      assert.deepStrictEqual(kit.take(), ["start a", "hang slow", "crash a"])
      assert.isUndefined(counting.pollUnsafe())
      yield* kit.release("slow")
      assert.deepStrictEqual(kit.take(), ["start slow", "start a"])
      assert.isDefined(starting.pollUnsafe())
      assert.isDefined(counting.pollUnsafe())
    }))

  rule("S9", "gives what a start built to the caller of startChild", () =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const handle = yield* app.startChild(Child.effect("a", Effect.never))
      assert.deepStrictEqual(
        { id: handle.id, path: handle.path, incarnation: handle.incarnation, ignored: handle.ignored },
        { id: "a", path: "app/a", incarnation: 1, ignored: false }
      )
    }))

  rule("S3", "leaves nothing behind in a scope that goes on", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const children = [kit.child("a"), kit.child("b", { starts: ["fail"] })]
      yield* Effect.flip(Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope))
      assert.strictEqual(scope.state._tag, "Empty")
    }))

  rule("S3", "does not happen in a scope that is closed", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Effect.exit(
        Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("a")] }), scope)
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(kit.take(), [])
    }))

  rule(
    "S3",
    "is undone when the build is interrupted: the start in progress is aborted, the others stopped",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["hang"] }), kit.child("d")]
        const make = Supervisor.make("app", { strategy: "one-for-one", children })
        const building = yield* Effect.forkChild(Scope.provide(make, scope))
        yield* VirtualTime.settle
        building.interruptUnsafe()
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "hang c", "stop b", "stop a"])
        assert.isDefined(building.pollUnsafe())
      })
  )
})
