import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ExitReason, Supervisor, type SupervisorError } from "coppice"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { collected } from "../support/garbage.ts"
import { ended, type Kit, rule, states } from "../support/kit.ts"

/** A supervisor that gives up at the first crash of one of its children. */
const fragile = (kit: Kit, ...ids: ReadonlyArray<string>) =>
  Supervisor.layer("fragile", { strategy: "one-for-one", intensity: 0, children: ids.map((id) => kit.child(id)) })

describe("a supervisor that gives up", () => {
  rule("U1", "has stopped all its children before its parent hears of it", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "one-for-all",
        children: [kit.child("z"), Child.supervisor("nested", fragile(kit, "a", "b", "c"))]
      })
      kit.take()
      yield* kit.crash("b")
      assert.deepStrictEqual(
        kit.take(),
        ["crash b", "stop c", "stop a", "stop z", "start z", "start a", "start b", "start c"]
      )
    }))

  rule(
    "U2",
    "is judged like any other clean exit: permanent restarted, transient left down, temporary removed (P42)",
    (kit) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.supervisor("permanent", fragile(kit, "p")),
            Child.supervisor("transient", fragile(kit, "tr"), { restart: "transient" }),
            Child.supervisor("temporary", fragile(kit, "te"), { restart: "temporary" })
          ]
        })
        for (const id of ["p", "tr", "te"]) yield* kit.crash(id)
        assert.deepStrictEqual(yield* states(app), { permanent: "running", transient: "stopped" })
      })
  )

  rule(
    "U3",
    "comes back new: its initial children only, and an empty record list (P35)",
    (kit) =>
      Effect.gen(function*() {
        class Nested extends Supervisor.Service<Nested>()("test/Nested", {
          strategy: "one-for-one",
          intensity: 1,
          children: [kit.child("a")]
        }) {}
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", Nested)]
        })
        const nested = Effect.map(app.whichChildren, (children) => children[0]!.supervisors[0]!)
        const first = yield* nested
        yield* first.startChild(kit.child("guest"))
        yield* kit.crash("a")
        yield* kit.crash("a")
        assert.strictEqual(yield* ended(first), "gave up")
        assert.deepStrictEqual(yield* states(yield* nested), { a: "running" })
        yield* kit.crash("a")
        assert.strictEqual(yield* ended(yield* nested), "no")
      })
  )

  rule(
    "U4",
    "passes it on upwards when its restart passes the parent's limit; each level stops what it still has",
    (kit) =>
      Effect.gen(function*() {
        const middle = Supervisor.layer("middle", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("m1"), Child.supervisor("leaf", fragile(kit, "a", "b")), kit.child("m2")]
        })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("t1"), Child.supervisor("middle", middle), kit.child("t2")]
        })
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "stop a", "stop m2", "stop m1", "stop t2", "stop t1"])
        const error = yield* Effect.flip(app.await)
        const chain = [error.path]
        for (let reason = error.reason; reason._tag === "GaveUp"; reason = reason.error.reason) {
          chain.push(reason.error.path)
        }
        assert.deepStrictEqual(chain, ["app", "app/middle", "app/middle/leaf"])
        // One error for each level, whoever reads it and whenever.
        const inner = () => error.reason._tag === "GaveUp" ? error.reason.error : undefined
        assert.strictEqual(inner(), inner())
        assert.strictEqual(yield* Effect.flip(app.await), error)
      })
  )

  rule("U4", "is not kept by whoever keeps the reason", (kit) =>
    Effect.gen(function*() {
      const made: Array<WeakRef<object>> = []
      const nested = Layer.unwrap(Effect.sync(() => {
        const big = { big: true }
        made.push(new WeakRef(big))
        const holder = Child.effect("holder", Effect.andThen(Effect.sync(() => big), Effect.never))
        return Supervisor.layer("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [holder, kit.child("a")]
        })
      }))
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("nested", nested, { restart: "transient" })]
      })
      yield* kit.crash("a")
      const reason = (yield* app.tree).children[0]!.lastExit!.reason
      assert.strictEqual(made.length, 1)
      assert.isTrue(yield* collected(made[0]!))
      assert.strictEqual(reason._tag === "GaveUp" ? reason.error.path : "", "app/nested")
    }).pipe(Effect.provide(Logger.layer([]))))

  rule(
    "U5",
    "differs from one that was killed, which is an abnormal exit: transient is restarted (P34)",
    (kit) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", fragile(kit, "a"), { restart: "transient" })]
        })
        yield* app.exitChild("nested", ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* states(app), { nested: "running" })
      })
  )
})

describe("a supervisor finds its parent through the context", () => {
  const hosts: Record<
    string,
    (layer: Layer.Layer<never, SupervisorError.ChildStartFailed>) => Child.Child<"host", never, never>
  > = {
    "in a child of its own": (layer) => Child.supervisor("host", layer),
    "in a merged layer": (layer) => Child.layer("host", Layer.mergeAll(Layer.empty, layer, Layer.empty)),
    "three provides deep": (layer) =>
      Child.layer(
        "host",
        Layer.empty.pipe(Layer.provide(Layer.empty.pipe(Layer.provide(Layer.empty.pipe(Layer.provide(layer))))))
      ),
    "in a library's own layer": (layer) =>
      Child.layer(
        "host",
        Layer.effectDiscard(Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(layer, scope)))
      ),
    "inside a running effect": (layer) => Child.effect("host", Effect.provide(Effect.never, layer))
  }
  for (const [where, host] of Object.entries(hosts)) {
    rule("U1", `and escalates to the child that hosts it, built ${where}`, (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1,
          children: [kit.child("z"), host(fragile(kit, "a", "b"))]
        })
        yield* VirtualTime.settle
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "start a", "start b"])
        yield* kit.crash("a")
        const error = yield* Effect.flip(app.await)
        assert.strictEqual(error.child, "host")
        const path = where === "in a child of its own" ? "app/host" : "app/host/fragile"
        assert.strictEqual(error.reason._tag === "GaveUp" ? error.reason.error.path : "", path)
      }))
  }

  rule(
    "U1",
    "and aborts the start that hosts it, when it gives up before that is over",
    (kit) =>
      Effect.gen(function*() {
        const slow = Layer.effectDiscard(Effect.gen(function*() {
          kit.note("slow begins")
          return yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => kit.note("slow aborted")))
        }))
        const app = Effect.flip(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("z"), Child.layer("host", Layer.mergeAll(fragile(kit, "a"), slow))]
        }))
        const building = yield* Effect.forkChild(app)
        yield* VirtualTime.settle
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "slow aborted", "stop z"])
        const exit = building.pollUnsafe()
        assert.include(String(exit), "ChildStartFailed")
        assert.include(String(exit), "app/host/fragile gave up")
      })
  )

  rule("U1", "and is a root from the end of that child on, if it outlives it", (kit) =>
    Effect.gen(function*() {
      const escalations: Array<string> = []
      const outside = yield* Scope.make()
      const orphan = Supervisor.make("orphan", {
        strategy: "one-for-one",
        intensity: 0,
        children: [kit.child("a")],
        onEscalation: (error) => Effect.sync(() => escalations.push(error.path))
      })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.effect("host", Effect.andThen(Scope.provide(orphan, outside), Effect.never))]
      })
      yield* VirtualTime.settle
      yield* app.terminateChild("host")
      yield* kit.crash("a")
      assert.deepStrictEqual(escalations, ["app/host/orphan"])
      assert.strictEqual(yield* ended(app), "no")
      yield* Scope.close(outside, Exit.void)
    }))
})

describe("launch", () => {
  rule(
    "U4",
    "fails with the chain of a root that gives up, after everything has been stopped",
    (kit) =>
      Effect.gen(function*() {
        const app = Supervisor.layer("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("z"), Child.supervisor("nested", fragile(kit, "a"))]
        })
        const launched = yield* Effect.forkChild(Effect.flip(Supervisor.launch(app)))
        yield* VirtualTime.settle
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop z"])
        const exit = launched.pollUnsafe()
        assert.include(String(exit), "app/nested/a failed: a crashed\napp/nested gave up on \"a\"")
      })
  )

  rule("A1", "succeeds when a root shuts itself down", (kit) =>
    Effect.gen(function*() {
      const app = Supervisor.layer("app", {
        strategy: "one-for-one",
        autoShutdown: "any-significant",
        children: [kit.child("z"), kit.child("main", { restart: "transient", significant: true })]
      })
      const launched = yield* Effect.forkChild(Supervisor.launch(app))
      yield* VirtualTime.settle
      kit.take()
      yield* kit.return("main")
      assert.deepStrictEqual(kit.take(), ["return main", "stop z"])
      assert.strictEqual(launched.pollUnsafe()?._tag, "Success")
    }))

  rule("S3", "fails with ChildStartFailed when the tree does not start", (kit) =>
    Effect.gen(function*() {
      const app = Supervisor.layer("app", { strategy: "one-for-one", children: [kit.child("a", { starts: ["fail"] })] })
      const error = yield* Effect.flip(Supervisor.launch(app))
      assert.strictEqual(error._tag, "ChildStartFailed")
      assert.strictEqual(error.message, "app/a could not start: a does not start\napp could not start \"a\"")
    }))

  rule(
    "U4",
    "ends with the first of several roots, also while another is still being built",
    (kit) =>
      Effect.gen(function*() {
        const slow = Supervisor.layer("slow", {
          strategy: "one-for-one",
          children: [kit.child("s", { starts: ["hang"] })]
        })
        const launched = yield* Effect.forkChild(
          Effect.flip(Supervisor.launch(Layer.mergeAll(slow, fragile(kit, "a"))))
        )
        yield* VirtualTime.settle
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["hang s", "start a", "crash a"])
        assert.strictEqual(launched.pollUnsafe()?._tag, "Success")
      })
  )

  rule("T9", "stops everything in order when it is interrupted", (kit) =>
    Effect.gen(function*() {
      const app = Supervisor.layer("app", { strategy: "one-for-one", children: [kit.child("a"), kit.child("b")] })
      const launched = yield* Effect.forkChild(Supervisor.launch(app))
      yield* VirtualTime.settle
      kit.take()
      launched.interruptUnsafe()
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["stop b", "stop a"])
      assert.isDefined(launched.pollUnsafe())
    }))

  rule("U1", "inside a child keeps the tree's paths, and fails that child", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.effect("host", Supervisor.launch(fragile(kit, "a")))]
      })
      yield* VirtualTime.settle
      yield* kit.crash("a")
      const error = yield* Effect.flip(app.await)
      assert.strictEqual(error.reason._tag, "Failure")
      assert.include(error.message, "app/host/fragile")
    }))
})
