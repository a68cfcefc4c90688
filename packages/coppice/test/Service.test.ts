import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ChildRef, ExitReason, Supervisor } from "coppice"
import { Context, Duration, Effect, Exit, Layer, Scope, Stream } from "effect"
import { type Kit, patient, rule as test, states } from "./support/kit.ts"

class Db extends Context.Service<Db, { readonly name: string }>()("coppice/test/Service.test/Db") {}
class DbRef extends ChildRef.Service<DbRef>()("coppice/test/Service.test/DbRef", Db) {}

const rule = (sentence: string, run: Parameters<typeof test>[2]): void => test("Service", sentence, run)

/** A database layer that notes when it is opened and closed. */
const noted = (kit: Kit, name: string): Layer.Layer<Db> =>
  Layer.effect(
    Db,
    Effect.acquireRelease(
      Effect.sync(() => {
        kit.note(`open ${name}`)
        return { name }
      }),
      () => Effect.sync(() => kit.note(`close ${name}`))
    )
  )

const reader = (kit: Kit, id: string) =>
  Child.make(
    id,
    Effect.map(Db, ({ name }) => {
      kit.note(`${id} reads ${name}`)
      return Effect.never
    })
  )

describe("dependencies", () => {
  rule(
    "are built once, before the children, which share them, and released after the children have stopped",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app = Supervisor.layer("app", {
          strategy: "one-for-one",
          dependencies: [noted(kit, "db")],
          children: [reader(kit, "a"), reader(kit, "b"), kit.child("c")]
        })
        yield* Layer.buildWithScope(app, scope)
        assert.deepStrictEqual(kit.take(), ["open db", "a reads db", "b reads db", "start c"])
        yield* kit.crash("c")
        kit.take()
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(kit.take(), ["stop c", "close db"])
      })
  )

  rule("are the same for make, in the scope of the supervisor", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const make = Supervisor.make("app", {
        strategy: "one-for-one",
        dependencies: [noted(kit, "db")],
        children: [reader(kit, "a"), kit.child("b")]
      })
      yield* Scope.provide(make, scope)
      assert.deepStrictEqual(kit.take(), ["open db", "a reads db", "start b"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(kit.take(), ["stop b", "close db"])
    }))

  rule(
    "are built anew with each incarnation of the supervisor, and survive those of its children",
    (kit) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          intensity: 1,
          dependencies: [noted(kit, "db")],
          children: [reader(kit, "a"), kit.child("b")]
        })
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [Child.supervisor("nested", nested)]
        })
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "start b"])
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "close db", "open db", "a reads db", "start b"])
      })
  )

  rule("that fail fail the supervisor, with their own error", (kit) =>
    Effect.gen(function*() {
      const failing = Layer.effect(Db, Effect.fail("no database" as const))
      const app = Supervisor.make("app", {
        strategy: "one-for-one",
        dependencies: [failing],
        children: [reader(kit, "a")]
      })
      assert.strictEqual(yield* Effect.flip(app), "no database")
      assert.deepStrictEqual(kit.take(), [])
    }))

  rule("are left to the surroundings by layerNoDeps", (kit) =>
    Effect.gen(function*() {
      class App extends Supervisor.Service<App>()("coppice/test/Service.test/App", {
        strategy: "one-for-one",
        dependencies: [noted(kit, "own")],
        children: [reader(kit, "a")]
      }) {}
      yield* Effect.scoped(Layer.build(Layer.provide(App.layerNoDeps, noted(kit, "surroundings'"))))
      assert.deepStrictEqual(kit.take(), ["open surroundings'", "a reads surroundings'", "close surroundings'"])
    }))

  rule("give a ref to the children that fill it and to those that use it", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        dependencies: [DbRef.layer],
        children: [
          Child.layer("db", Layer.succeed(Db, { name: "live" }), { ref: DbRef }),
          Child.effect("user", DbRef.use(({ name }) => Effect.sync(() => kit.note(`uses ${name}`))), {
            restart: "temporary"
          })
        ]
      })
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["uses live"])
    }))
})

describe("layerWith", () => {
  const make = (kit: Kit) => {
    class App extends Supervisor.Service<App>()("coppice/test/Service.test/App", {
      strategy: "rest-for-one",
      children: [Child.layer("db", noted(kit, "real"), { shutdown: "7 seconds" }), reader(kit, "a")]
    }) {}
    return App
  }

  rule(
    "puts another layer in the place of a child's, which keeps its place and its options",
    (kit) =>
      Effect.gen(function*() {
        const App = make(kit)
        const program = Effect.gen(function*() {
          assert.deepStrictEqual(kit.take(), ["open fake", "a reads fake"])
          assert.deepStrictEqual((yield* App.getChildSpec("db")).shutdown, Duration.seconds(7))
          yield* App.exitChild("db", ExitReason.killed)
          yield* VirtualTime.settle
          assert.deepStrictEqual(kit.take(), ["close fake", "open fake", "a reads fake"])
        })
        yield* Effect.provide(program, App.layerWith({ db: noted(kit, "fake") }))
      })
  )

  rule("leaves the class's own layer as it is", (kit) =>
    Effect.gen(function*() {
      const App = make(kit)
      App.layerWith({ db: noted(kit, "fake") })
      yield* Effect.provide(App.tree, App.layer)
      assert.deepStrictEqual(kit.take(), ["open real", "a reads real", "close real"])
    }))

  rule("throws for an id of no layer child, and names it", (kit) =>
    Effect.sync(() => {
      const App = make(kit)
      assert.throws(
        () => App.layerWith({ a: noted(kit, "fake") } as {}),
        `layerWith of App: "a" is not the id of a child built from a layer`
      )
    }))
})

describe("the statics of the class", () => {
  rule("are the operations of the supervisor in the context", (kit) =>
    Effect.gen(function*() {
      class App extends Supervisor.Service<App>()("coppice/test/Service.test/App", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.effect("a", Effect.never), Child.effect("b", Effect.never)]
      }) {}
      const program = Effect.gen(function*() {
        const guest = yield* App.startChild(kit.child("guest"))
        yield* App.terminateChild("a")
        assert.strictEqual((yield* App.getChildSpec(guest)).id, "guest")
        assert.strictEqual((yield* App.restartChild("a")).incarnation, 2)
        yield* App.terminateChild(guest)
        yield* App.deleteChild(guest)
        yield* App.exitChild("b", ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual((yield* App.whichChildren).map(({ id, incarnation }) => [id, incarnation]), [
          ["b", 2],
          ["a", 2]
        ])
        assert.strictEqual((yield* App.countChildren).active, 2)
        assert.strictEqual((yield* App.tree).path, "App")
        const first = yield* Effect.forkChild(Stream.runHead(App.events))
        yield* VirtualTime.settle
        yield* App.terminateChild("b")
        yield* VirtualTime.settle
        assert.include(String(first.pollUnsafe()), "ChildStopped")
        const waiting = yield* Effect.forkChild(App.await)
        yield* VirtualTime.settle
        assert.isUndefined(waiting.pollUnsafe())
      })
      yield* Effect.provide(program, App.layer)
    }))

  rule("are there for the supervisor's own children too", (kit) =>
    Effect.gen(function*() {
      const counting: Child.Child<"counting", never, App> = Child.make(
        "counting",
        Effect.succeed(
          Effect.suspend(() => App.countChildren).pipe(
            Effect.orDie, // it is running, so its supervisor is
            Effect.map(({ active }) => kit.note(`${active} active`)),
            Effect.andThen(Effect.never)
          )
        )
      )
      class App extends Supervisor.Service<App>()("coppice/test/Service.test/App", {
        strategy: "one-for-one",
        children: [counting, Child.effect("b", Effect.never)]
      }) {}
      const app = yield* Effect.provide(Effect.tap(App, () => VirtualTime.settle), App.layer)
      assert.deepStrictEqual(kit.take(), ["2 active"])
      assert.deepStrictEqual(yield* states(app), { counting: "stopped", b: "stopped" })
    }))
})
