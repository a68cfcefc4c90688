import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, ManagedRuntime, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { connect, createServer, type Server, type Socket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { patient, states } from "./support/kit.ts"
import { crash, crashed, Db, failureOf, type Given, given, Ledger, Pool } from "./support/resources.ts"
import { answer, scenario } from "./support/world.ts"

type Strategy = Supervisor.Strategy

const strategies: ReadonlyArray<Strategy> = ["one-for-one", "rest-for-one", "one-for-all"]

const groupStrategies = ["rest-for-one", "one-for-all"] as const

/** A child that has a pool inside: it provides it to itself. */
const withPool = (ledger: Ledger, id: string, pool: Layer.Layer<Pool>): Given =>
  Child.layer(id, Layer.provide(ledger.user(id), pool))

/** Builds a layer in the current scope, with a memo map that what surrounds it shares. */
const inMap = Effect.gen(function*() {
  const memoMap = Layer.makeMemoMapUnsafe()
  const scope = yield* Effect.scope
  return {
    memoMap,
    build: <A, E>(layer: Layer.Layer<A, E>) => Layer.buildWithMemoMap(layer, memoMap, scope)
  }
})

/** An effect that runs until the scope closes; answers what it has announced. */
const held = <A, E, R>(program: (announce: (value: A) => Effect.Effect<void>) => Effect.Effect<never, E, R>) =>
  Effect.gen(function*() {
    const announced = yield* Deferred.make<A, E>()
    yield* Effect.forkScoped(
      Effect.tapCause(
        program((value) => Effect.asVoid(Deferred.succeed(announced, value))),
        (cause) => Deferred.failCause(announced, cause)
      )
    )
    return yield* Deferred.await(announced)
  })

class App extends Context.Service<App, Supervisor.Supervisor<string>>()("coppice/test/Sharing.test/App") {}

/** A supervisor as a layer that gives its handle. */
const appOf = (strategy: Strategy, ...children: ReadonlyArray<Given>): Layer.Layer<App, {}> => {
  class Supervised extends Supervisor.Service<Supervised>()("test/app", { strategy, ...patient, children }) {}
  return Layer.effect(App, Effect.map(Supervised, (supervisor): Supervisor.Supervisor<string> => supervisor)).pipe(
    Layer.provide(Supervised.layer)
  )
}

/** The ways in which surroundings come to have built a database. */
const surroundings: Record<
  string,
  (app: Layer.Layer<App, {}>, db: Layer.Layer<Db>) => Effect.Effect<Supervisor.Supervisor<string>, {}, Scope.Scope>
> = {
  "alone": (app, db) => Effect.map(Layer.build(Layer.provideMerge(app, db)), Context.get(App)),
  "inside a Layer.merge": (app, db) =>
    Effect.map(Layer.build(Layer.provideMerge(app, Layer.merge(db, Layer.succeed(Pool, none)))), Context.get(App)),
  "beside it in a Layer.mergeAll": (app, db) => Effect.map(Layer.build(Layer.mergeAll(db, app)), Context.get(App)),
  "under a Layer.provide": (app, db) =>
    Effect.map(Layer.build(Layer.provideMerge(app, Layer.provide(Layer.effect(Pool, Db), db))), Context.get(App)),
  "under a Layer.provideMerge": (app, db) =>
    Effect.map(Layer.build(Layer.provideMerge(app, Layer.provideMerge(Layer.effect(Pool, Db), db))), Context.get(App)),
  "by Effect.provide": (app, db) =>
    held((announce) =>
      Effect.provide(
        Effect.scoped(
          Effect.andThen(Effect.flatMap(Layer.build(app), (built) => announce(Context.get(built, App))), Effect.never)
        ),
        db
      )
    ),
  "by a ManagedRuntime": (app, db) =>
    Effect.gen(function*() {
      const runtime = yield* Effect.acquireRelease(
        Effect.sync(() => ManagedRuntime.make(app.pipe(Layer.provideMerge(db), Layer.provideMerge(Logger.layer([]))))),
        (runtime) => runtime.disposeEffect
      )
      return Context.get(yield* runtime.contextEffect, App)
    })
}

const none = { name: "none", number: 0, open: true }

describe("the layer listed as a child", () => {
  for (const [where, build] of Object.entries(surroundings)) {
    for (const strategy of strategies) {
      scenario(
        `is the child's own under ${strategy}, when the surroundings have built the same object ${where}`,
        () =>
          Effect.gen(function*() {
            const ledger = new Ledger()
            const db = ledger.db()
            const app = yield* build(appOf(strategy, given(Child.layer("db", db))), db)
            assert.deepStrictEqual(ledger.take(), ["open db 1", "open db 2"])
            yield* crash(app, "db")
            assert.deepStrictEqual(ledger.take(), ["close db 2", "open db 3"])
            assert.deepStrictEqual(ledger.open("db"), [1, 3])
          })
      )
    }
  }

  scenario(
    "is the child's own when the surroundings build the same object later, alone and composed",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const db = ledger.db()
        const { build } = yield* inMap
        const app = Context.get(yield* build(appOf("one-for-one", given(Child.layer("db", db)))), App)
        assert.strictEqual(Context.get(yield* build(db), Db).number, 2)
        yield* build(Layer.provide(Layer.effectDiscard(Db), db))
        yield* build(Layer.mergeAll(db, Layer.empty))
        yield* crash(app, "db", 2)
        assert.deepStrictEqual(ledger.take(), [
          "open db 1",
          "open db 2",
          "close db 1",
          "open db 3",
          "close db 3",
          "open db 4"
        ])
        assert.deepStrictEqual(ledger.open("db"), [2, 4])
      })
  )

  scenario(
    "is the child's own when it is a composition that the surroundings have built too",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const both = Layer.mergeAll(Layer.effectDiscard(ledger.acquire("x")), Layer.effectDiscard(ledger.acquire("y")))
        const app = yield* Layer.build(Layer.provideMerge(appOf("one-for-one", Child.layer("both", both)), both))
        assert.strictEqual(ledger.builds("x") + ledger.builds("y"), 2, "what is inside it is shared")
        yield* crash(Context.get(app, App), "both")
        assert.strictEqual(ledger.builds("x") + ledger.builds("y"), 2)
      })
  )

  scenario("is each child's own when two children list it", () =>
    Effect.gen(function*() {
      for (const strategy of strategies) {
        const ledger = new Ledger()
        const db = ledger.db()
        const app = yield* Supervisor.make("app", {
          strategy,
          ...patient,
          children: [Child.layer("a", db), Child.layer("b", db)]
        })
        assert.deepStrictEqual(ledger.take(), ["open db 1", "open db 2"])
        yield* crash(app, "b")
        assert.deepStrictEqual(
          ledger.take(),
          strategy === "one-for-all"
            ? ["close db 2", "close db 1", "open db 3", "open db 4"]
            : ["close db 2", "open db 3"]
        )
      }
    }))
})

describe("what the surroundings have built", () => {
  for (const strategy of strategies) {
    scenario(`is shared by the children under ${strategy}, and survives twenty restarts`, () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const supervised = appOf(strategy, withPool(ledger, "a", pool), withPool(ledger, "b", pool))
        const context = yield* Layer.build(Layer.provideMerge(supervised, pool))
        const app = Context.get(context, App)
        yield* crash(app, "a", 20)
        yield* crash(app, "b", 20)
        assert.strictEqual(ledger.builds("pool"), 1)
        assert.deepStrictEqual(ledger.open("pool"), [1])
        assert.strictEqual(ledger.used("a").length, strategy === "one-for-all" ? 41 : 21)
        for (const id of ["a", "b"]) {
          assert.deepStrictEqual(new Set(ledger.used(id)), new Set([1]))
          assert.strictEqual(ledger.last(id), Context.get(context, Pool), "the same by reference")
        }
      }))
  }

  scenario("is shared when it was provided to the effect that makes the supervisor", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const app = yield* held<Supervisor.Supervisor<string>, {}, never>((announce) =>
        Effect.scoped(
          Effect.andThen(
            Effect.flatMap(
              Supervisor.make("app", { strategy: "one-for-one", ...patient, children: [withPool(ledger, "a", pool)] }),
              announce
            ),
            Effect.never
          )
        ).pipe(Effect.provide(pool))
      )
      yield* crash(app, "a", 20)
      assert.strictEqual(ledger.builds("pool"), 1)
      assert.strictEqual(ledger.used("a").length, 21)
    }))

  scenario(
    "is shared with the children of supervisors below, whichever of them restarts",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          ...patient,
          children: [withPool(ledger, "a", pool), withPool(ledger, "b", pool)]
        })
        const supervised = appOf("one-for-one", Child.supervisor("n", nested), withPool(ledger, "c", pool))
        const app = Context.get(yield* Layer.build(Layer.provideMerge(supervised, pool)), App)
        const below = Effect.map(app.whichChildren, (children) => children.at(-1)!.supervisors[0]!)
        yield* crash(yield* below, "a", 3)
        yield* crash(app, "n", 3)
        yield* crash(yield* below, "b", 3)
        assert.strictEqual(ledger.builds("pool"), 1)
        assert.deepStrictEqual([ledger.used("a").length, ledger.used("b").length, ledger.used("c").length], [7, 7, 1])
        assert.deepStrictEqual(ledger.open("pool"), [1])
      })
  )

  scenario(
    "later than a child has asked is not taken by any child, nor after any restart",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const { build } = yield* inMap
        const app = Context.get(yield* build(appOf("one-for-one", withPool(ledger, "a", pool))), App)
        assert.strictEqual(Context.get(yield* build(pool), Pool).number, 2)
        yield* crash(app, "a", 2)
        yield* app.startChild(withPool(ledger, "b", pool))
        assert.deepStrictEqual(ledger.used("a"), [1, 3, 4])
        assert.deepStrictEqual(ledger.used("b"), [5])
        assert.deepStrictEqual(ledger.open("pool"), [2, 4, 5])
      })
  )

  scenario(
    "is taken before what a sibling of the group has, which lists the same and so has its own",
    () =>
      Effect.gen(function*() {
        for (const strategy of groupStrategies) {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const supervised = appOf(
            strategy,
            given(Child.layer("pool", pool)),
            withPool(ledger, "a", pool),
            withPool(ledger, "b", pool)
          )
          const app = Context.get(yield* Layer.build(Layer.provideMerge(supervised, pool)), App)
          yield* crash(app, "pool")
          assert.deepStrictEqual([ledger.used("a"), ledger.used("b")], [[1, 1], [1, 1]])
          assert.deepStrictEqual(ledger.open("pool"), [1, 3])
        }
      })
  )

  scenario(
    "before the first child asks is taken, even if that is long after the supervisor has started",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const { build } = yield* inMap
        const app = Context.get(yield* build(appOf("one-for-one")), App)
        yield* build(pool)
        yield* app.startChild(withPool(ledger, "a", pool))
        yield* app.startChild(withPool(ledger, "b", pool))
        yield* crash(app, "a", 2)
        assert.deepStrictEqual([ledger.used("a"), ledger.used("b")], [[1, 1, 1], [1]])
      })
  )

  scenario(
    "is held from the first ask on: it outlives whoever built it, until the supervisor ends",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const { memoMap } = yield* inMap
        const builder = yield* Scope.make()
        const host = yield* Scope.make()
        yield* Layer.buildWithMemoMap(pool, memoMap, builder)
        const app = Context.get(
          yield* Layer.buildWithMemoMap(appOf("one-for-one", withPool(ledger, "a", pool)), memoMap, host),
          App
        )
        yield* Scope.close(builder, Exit.void)
        yield* crash(app, "a", 2)
        assert.deepStrictEqual([ledger.used("a"), ledger.open("pool")], [[1, 1, 1], [1]])
        yield* Scope.close(host, Exit.void)
        assert.deepStrictEqual(ledger.open("pool"), [])
      })
  )

  scenario("is observed once, however many children ask and restart", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const { build, memoMap } = yield* inMap
      yield* build(pool)
      const children = ["a", "b", "c"].map((id) => withPool(ledger, id, pool))
      const app = Context.get(yield* build(appOf("one-for-all", ...children)), App)
      yield* crash(app, "b", 100)
      const entries = (memoMap as unknown as { readonly map: Map<unknown, { readonly observers: number }> }).map
      assert.strictEqual(entries.get(pool)?.observers, 2, "those who built it, and the supervisor")
      assert.strictEqual(ledger.used("c").length, 101)
    }))

  scenario(
    "is released only after the children have stopped, also where it closes beside the supervisor",
    () =>
      Effect.gen(function*() {
        const slow = Effect.sleep("1 second")
        for (const compose of ["mergeAll", "provideMerge"] as const) {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const child = (id: string) =>
            Child.layer(
              id,
              Layer.provide(Layer.merge(ledger.user(id), Layer.effectDiscard(ledger.acquire(id, slow))), pool)
            )
          const supervised = appOf("one-for-one", child("a"), child("b"))
          const scope = yield* Scope.make()
          const layer = compose === "mergeAll" ? Layer.mergeAll(pool, supervised) : Layer.provideMerge(supervised, pool)
          yield* Layer.buildWithScope(layer, scope)
          ledger.take()
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* TestClock.adjust("1500 millis")
          assert.deepStrictEqual(ledger.take(), ["close b 1"])
          yield* TestClock.adjust("500 millis")
          assert.deepStrictEqual(ledger.take(), ["close a 1", "close pool 1"])
          assert.isDefined(closing.pollUnsafe())
        }
      })
  )

  scenario(
    "is released only after the children have stopped, also where one of them orders it",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const scope = yield* Scope.make()
        const quitter = Layer.effectDiscard(Effect.forkScoped(Effect.delay(Scope.close(scope, Exit.void), "1 second")))
        const supervised = appOf(
          "one-for-one",
          withPool(ledger, "a", pool),
          Child.layer("b", Layer.effectDiscard(ledger.acquire("b", Effect.sleep("1 second")))),
          Child.layer("quitter", quitter)
        )
        yield* Layer.buildWithScope(Layer.provideMerge(supervised, pool), scope)
        ledger.take()
        yield* TestClock.adjust("1500 millis")
        assert.deepStrictEqual(ledger.take(), [])
        yield* TestClock.adjust("500 millis")
        assert.deepStrictEqual(ledger.take(), ["close b 1", "close pool 1"])
      })
  )

  scenario("is let go when the supervisor does not start", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const { memoMap } = yield* inMap
      const builder = yield* Scope.make()
      yield* Layer.buildWithMemoMap(pool, memoMap, builder)
      const broken = appOf(
        "one-for-one",
        withPool(ledger, "a", pool),
        Child.layer("b", Layer.effectDiscard(Effect.fail("broken")))
      )
      const exit = yield* Effect.exit(Effect.scoped(Layer.buildWithMemoMap(broken, memoMap, yield* Effect.scope)))
      assert.include(failureOf(exit), "app/b could not start: broken")
      yield* Scope.close(builder, Exit.void)
      assert.deepStrictEqual(ledger.open("pool"), [])
    }))

  scenario(
    "is not taken while it is being built by something that waits for this supervisor",
    () =>
      Effect.gen(function*() {
        const child: Given = Child.layer("a", Layer.suspend(() => Layer.provide(Layer.empty, Main)))
        const Supervised = Supervisor.layer("app", { strategy: "one-for-one", children: [child] })
        const Main: Layer.Layer<never> = Layer.mergeAll(Layer.orDie(Supervised), Layer.empty)
        const exit = yield* answer(Effect.exit(Effect.scoped(Layer.build(Main))))
        assert.include(failureOf(exit), "contains the layer of the supervisor it is a child of")
      })
  )

  scenario(
    "only in part is not taken: a child has its own of what is still being built beside its supervisor",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const gate = yield* Deferred.make<void>()
        const slow = Layer.effect(Pool, Effect.tap(ledger.acquire("pool"), () => Deferred.await(gate)))
        const db = ledger.db()
        const user = (id: string): Given =>
          Child.layer(id, Layer.provide(Layer.effectDiscard(Effect.map(Db, (db) => ledger.use(id, db))), db))
        const supervised = appOf("one-for-one", withPool(ledger, "a", slow), user("b"), withPool(ledger, "c", slow))
        const building = yield* Effect.forkChild(Layer.build(Layer.mergeAll(slow, db, supervised)))
        yield* VirtualTime.settle
        yield* Deferred.succeed(gate, undefined)
        yield* VirtualTime.settle
        const context = yield* Fiber.join(building)
        yield* crash(Context.get(context, App), "a")
        assert.strictEqual(Context.get(context, Pool).number, 1)
        assert.deepStrictEqual([ledger.used("a"), ledger.used("c")], [[2, 4], [3]])
        assert.deepStrictEqual([ledger.used("b"), ledger.builds("db")], [[1], 1], "what was built is shared")
      })
  )

  scenario("and failed to build is not kept: the child builds its own at the retry", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const got: Array<number> = []
      let builds = 0
      const flaky = Layer.effect(
        Pool,
        Effect.gen(function*() {
          const number = ++builds
          if (number > 1) return { name: "pool", number, open: true }
          yield* Deferred.await(gate)
          return yield* Effect.fail("not yet")
        })
      )
      const recovered = Layer.catchCause(flaky, () => Layer.succeed(Pool, none))
      const user = Layer.effectDiscard(Effect.map(Pool, ({ number }) => {
        got.push(number)
      }))
      const { build } = yield* inMap
      const supervised = appOf("one-for-one", Child.layer("a", Layer.provide(user, recovered)))
      const building = yield* Effect.forkChild(build(Layer.mergeAll(recovered, supervised)))
      yield* VirtualTime.settle
      yield* Deferred.succeed(gate, undefined)
      yield* VirtualTime.settle
      const app = Context.get(yield* Fiber.join(building), App)
      yield* crash(app, "a", 2)
      assert.notStrictEqual(got.at(-1), 0, "the failure of the surroundings is still there")
      const later = Context.get(yield* build(recovered), Pool)
      assert.notStrictEqual(later.number, 0, "the surroundings get their own old failure")
    }))
})

describe("what else a child builds", () => {
  scenario("is its own under one-for-one, and is rebuilt with it alone", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: ["a", "b", "c"].map((id) => withPool(ledger, id, pool))
      })
      assert.deepStrictEqual(["a", "b", "c"].map((id) => ledger.used(id)), [[1], [2], [3]])
      ledger.take()
      yield* crash(app, "b")
      assert.deepStrictEqual(ledger.take(), ["close pool 2", "open pool 4", "use b pool 4"])
      assert.deepStrictEqual(ledger.open("pool"), [1, 3, 4])
    }))

  for (const strategy of groupStrategies) {
    scenario(
      `is shared by reference under ${strategy}: one pool instead of three, rebuilt when the group restarts`,
      () =>
        Effect.gen(function*() {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            children: ["a", "b", "c"].map((id) => withPool(ledger, id, pool))
          })
          assert.deepStrictEqual(ledger.take(), ["open pool 1", "use a pool 1", "use b pool 1", "use c pool 1"])
          assert.strictEqual(ledger.last("a"), ledger.last("c"))
          yield* crash(app, "a")
          assert.deepStrictEqual(ledger.take(), [
            "close pool 1",
            "open pool 2",
            "use a pool 2",
            "use b pool 2",
            "use c pool 2"
          ])
        })
    )
  }

  scenario("is not rebuilt under rest-for-one when a later sibling restarts", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        ...patient,
        children: ["a", "b", "c"].map((id) => withPool(ledger, id, pool))
      })
      yield* crash(app, "b", 10)
      yield* crash(app, "c", 10)
      assert.strictEqual(ledger.builds("pool"), 1)
      assert.deepStrictEqual(ledger.open("pool"), [1])
      assert.deepStrictEqual(["a", "b", "c"].map((id) => ledger.used(id).length), [1, 11, 21])
      assert.strictEqual(ledger.last("c"), ledger.last("a"))
    }))

  scenario(
    "is built by the first sibling that has it, and is shared with the later ones only",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [
            Child.layer("z", Layer.empty),
            withPool(ledger, "a", pool),
            Child.effect("worker", Effect.never),
            withPool(ledger, "b", pool)
          ]
        })
        yield* crash(app, "worker", 3)
        assert.deepStrictEqual([ledger.used("a"), ledger.used("b")], [[1], [1, 1, 1, 1]])
        yield* crash(app, "z")
        assert.deepStrictEqual([ledger.used("a"), ledger.used("b")], [[1, 2], [1, 1, 1, 1, 2]])
      })
  )

  scenario(
    "includes what an earlier sibling lists: a later one that has it inside shares it by reference",
    () =>
      Effect.gen(function*() {
        for (const strategy of groupStrategies) {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const app = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            children: [Child.layer("pool", pool), withPool(ledger, "a", pool), withPool(ledger, "b", pool)]
          })
          assert.deepStrictEqual(ledger.take(), ["open pool 1", "use a pool 1", "use b pool 1"])
          yield* crash(app, "pool")
          assert.deepStrictEqual(ledger.take(), ["close pool 1", "open pool 2", "use a pool 2", "use b pool 2"])
        }
      })
  )

  scenario(
    "dies with the first sibling that built it: terminating that one closes it, and its users keep the old one",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: ["a", "b", "c"].map((id) => withPool(ledger, id, pool))
        })
        ledger.take()
        yield* app.terminateChild("a")
        assert.deepStrictEqual(ledger.take(), ["close pool 1"])
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "running", c: "running" })
        assert.deepStrictEqual([ledger.last("b")?.open, ledger.last("c")?.open], [false, false])
        // The next to restart builds a new one, and the ones after it share that.
        yield* crash(app, "b")
        assert.deepStrictEqual(ledger.take(), ["open pool 2", "use b pool 2", "use c pool 2"])
        // The first comes back with one of its own, as nobody before it has one; the others keep theirs until they restart.
        yield* app.restartChild("a")
        assert.deepStrictEqual(ledger.take(), ["open pool 3", "use a pool 3"])
        assert.deepStrictEqual(ledger.open("pool"), [2, 3])
        yield* crash(app, "c")
        yield* crash(app, "b")
        assert.deepStrictEqual(ledger.take(), ["use c pool 3", "close pool 2", "use b pool 3", "use c pool 3"])
      })
  )

  scenario("accumulates nothing over a thousand restarts of a later sibling", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const scopes = new Map<string, Scope.Scope>()
      // Not built in a scope of its own, as other layers are, it sees that of the incarnation.
      const seeScope = (id: string) =>
        Layer.fromBuild(() =>
          Effect.map(Effect.scope, (scope) => {
            scopes.set(id, scope)
            return Context.empty()
          })
        ) as Layer.Layer<never>
      const child = (id: string): Given =>
        Child.layer(id, Layer.provide(Layer.merge(ledger.user(id), seeScope(id)), pool))
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        ...patient,
        children: [child("a"), child("b"), child("c")]
      })
      const finalizers = (id: string) => {
        const state = scopes.get(id)!.state
        return state._tag === "Open" ? state.finalizers?.size ?? 1 : 0
      }
      const before = ["a", "b", "c"].map(finalizers)
      assert.deepStrictEqual(before.map((count) => count > 0), [true, true, true])
      const first = scopes.get("c")
      yield* crash(app, "c", 1000)
      assert.notStrictEqual(scopes.get("c"), first)
      assert.deepStrictEqual(["a", "b", "c"].map(finalizers), before)
      assert.strictEqual(ledger.used("c").length, 1001)
      assert.strictEqual(ledger.builds("pool"), 1)
      assert.deepStrictEqual(ledger.open("pool"), [1])
      ledger.take()
      yield* app.terminateChild("a")
      assert.deepStrictEqual(ledger.take(), ["close pool 1"], "closed once")
    }))

  scenario(
    "is shared with the supervisors inside it, and is rebuilt with it and not with them",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          ...patient,
          children: [withPool(ledger, "a", pool), withPool(ledger, "b", pool)]
        })
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [Child.supervisor("n", Layer.provideMerge(nested, pool))]
        })
        const below = Effect.map(app.whichChildren, (children) => children[0]!.supervisors[0]!)
        yield* crash(yield* below, "a", 5)
        assert.strictEqual(ledger.builds("pool"), 1)
        ledger.take()
        yield* crash(app, "n")
        assert.deepStrictEqual(ledger.take(), ["close pool 1", "open pool 2", "use a pool 2", "use b pool 2"])
      })
  )

  scenario("is shared with the group of the supervisor above, where that is a group", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        ...patient,
        children: [withPool(ledger, "a", pool), withPool(ledger, "b", pool)]
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        ...patient,
        children: [withPool(ledger, "first", pool), Child.supervisor("n", nested)]
      })
      assert.strictEqual(ledger.builds("pool"), 1)
      yield* crash(app, "n", 3)
      assert.strictEqual(ledger.builds("pool"), 1)
      yield* crash(app, "first")
      assert.deepStrictEqual([ledger.used("a"), ledger.used("b")], [[1, 1, 1, 1, 2], [1, 1, 1, 1, 2]])
    }))

  scenario(
    "is its own twice over with Layer.fresh: neither the surroundings' nor a sibling's, and new at each start",
    () =>
      Effect.gen(function*() {
        for (const strategy of strategies) {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const supervised = appOf(
            strategy,
            withPool(ledger, "shares", pool),
            withPool(ledger, "a", Layer.fresh(pool)),
            withPool(ledger, "b", Layer.fresh(pool))
          )
          const app = Context.get(yield* Layer.build(Layer.provideMerge(supervised, pool)), App)
          assert.deepStrictEqual([ledger.used("shares"), ledger.used("a"), ledger.used("b")], [[1], [2], [3]])
          ledger.take()
          yield* crash(app, "b")
          assert.deepStrictEqual(
            ledger.take().filter((line) => !line.startsWith("use")),
            strategy === "one-for-all"
              ? ["close pool 3", "close pool 2", "open pool 4", "open pool 5"]
              : ["close pool 3", "open pool 4"]
          )
          assert.strictEqual(ledger.open("pool")[0], 1)
        }
      })
  )

  scenario("and fails is evicted, listed or inside, so that the retry builds it again", () =>
    Effect.gen(function*() {
      for (const strategy of strategies) {
        for (const place of ["listed", "inside"] as const) {
          const ledger = new Ledger()
          let builds = 0
          const flaky = Layer.effect(
            Pool,
            Effect.gen(function*() {
              const instance = yield* ledger.acquire("pool")
              builds++
              return builds === 2 || builds === 3 ? yield* Effect.fail("flaky") : instance
            })
          )
          const child = place === "listed"
            ? Child.layer("a", flaky)
            : Child.layer("a", Layer.provide(ledger.user("a"), flaky))
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            children: [child]
          })
          ledger.take()
          yield* crash(app, "a")
          assert.deepStrictEqual(ledger.take().filter((line) => !line.startsWith("use")), [
            "close pool 1",
            "open pool 2",
            "close pool 2",
            "open pool 3",
            "close pool 3",
            "open pool 4"
          ])
          assert.deepStrictEqual(yield* states(app), { a: "running" })
        }
      }
    }))

  scenario(
    "and is interrupted by a stop order in the middle of its build is not left behind",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const gate = yield* Deferred.make<void>()
        const slow = Layer.effect(Pool, Effect.tap(ledger.acquire("pool"), () => Deferred.await(gate)))
        const scope = yield* Scope.make()
        const building = yield* Effect.forkChild(Scope.provide(
          Supervisor.make("app", {
            strategy: "rest-for-one",
            children: [withPool(ledger, "ok", ledger.pool()), withPool(ledger, "a", slow)]
          }),
          scope
        ))
        yield* VirtualTime.settle
        assert.deepStrictEqual(ledger.open("pool"), [1, 2])
        building.interruptUnsafe()
        yield* VirtualTime.settle
        assert.deepStrictEqual(ledger.take().slice(-2), ["close pool 2", "close pool 1"])
        yield* Scope.close(scope, Exit.void)
      })
  )
})

describe("the old incarnation's resources", () => {
  scenario("are released, the last acquired first, before the new one acquires", () =>
    Effect.gen(function*() {
      for (const strategy of strategies) {
        const ledger = new Ledger()
        const slow = Effect.sleep("1 second")
        const two = Layer.effectDiscard(Effect.andThen(ledger.acquire("x", slow), ledger.acquire("y", slow)))
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy,
          ...patient,
          children: [Child.layer("a", two)]
        })
        ledger.take()
        yield* crash(app, "a")
        yield* TestClock.adjust("900 millis")
        assert.deepStrictEqual(ledger.take(), [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(ledger.take(), ["close y 1"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(ledger.take(), ["close x 1", "open x 2", "open y 2"])
      }
    }))

  scenario(
    "are released group by group: all old ones, in reverse order, before any new one",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const child = (id: string) => Child.layer(id, Layer.effectDiscard(ledger.acquire(id, Effect.sleep("1 second"))))
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: ["a", "b", "c"].map(child)
        })
        ledger.take()
        yield* crash(app, "b")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(ledger.take(), [
          "close b 1",
          "close c 1",
          "close a 1",
          "open a 2",
          "open b 2",
          "open c 2"
        ])
      })
  )

  it.live("are gone for real: a server crashes ten times and binds its port again", () =>
    Effect.scoped(Effect.gen(function*() {
      const port = yield* freePort
      const bound = yield* Queue.unbounded<number>()
      const problems: Array<string> = []
      let binds = 0
      const server = Layer.effectDiscard(Effect.gen(function*() {
        yield* Effect.tapCause(listening(port), (cause) => Effect.sync(() => problems.push(String(cause))))
        yield* Queue.offer(bound, ++binds)
      }))
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.layer("server", server)]
      })
      for (let time = 0; time < 10; time++) {
        yield* Queue.take(bound)
        yield* client(port)
        yield* app.exitChild("server", crashed)
      }
      yield* Queue.take(bound)
      yield* client(port)
      assert.deepStrictEqual(problems, [])
      assert.strictEqual(binds, 11)
    })).pipe(Effect.provide(Logger.layer([]))))
})

/** A server that listens on a port as long as its scope is open, with the connections it has. */
const listening = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Server; readonly sockets: Set<Socket> }, Error>((resume) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
      })
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed({ server, sockets })))
    }),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )

/** A connection that stays open as long as the test, and so is still there when the server closes. */
const client = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Socket, Error>((resume) => {
      const socket = connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
      socket.on("error", (error) => resume(Effect.fail(error)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const freePort = Effect.scoped(Effect.map(listening(0), ({ server }) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : assert.fail("no port")
}))

describe("a child that contains the layer of its own supervisor", () => {
  const problem = "its layer contains the layer of the supervisor it is a child of"

  /** Ways to contain it. */
  const ways: Record<string, (app: Layer.Layer<never>) => Given> = {
    "as the layer listed": (app) => Child.layer("a", app),
    "as a supervisor listed": (app) => Child.supervisor("a", app),
    "in a Layer.merge": (app) => Child.layer("a", Layer.merge(Layer.empty, app)),
    "under a Layer.provide": (app) => Child.layer("a", Layer.provide(Layer.empty, app)),
    "under a Layer.provideMerge": (app) => Child.layer("a", Layer.provideMerge(Layer.empty, app)),
    "in a Layer.unwrap": (app) => Child.layer("a", Layer.unwrap(Effect.succeed(app))),
    "through Layer.build in its own layer": (app) => Child.layer("a", Layer.effectDiscard(Layer.build(app))),
    "through Effect.provide in its own layer": (app) =>
      Child.layer("a", Layer.effectDiscard(Effect.provide(Effect.void, app))),
    "in a supervisor below": (app) =>
      Child.supervisor(
        "a",
        Supervisor.layer("nested", { strategy: "one-for-one", children: [Child.layer("n", app)] })
      ),
    "two supervisors below": (app) =>
      Child.supervisor(
        "a",
        Supervisor.layer("nested", {
          strategy: "rest-for-one",
          children: [
            Child.supervisor(
              "m",
              Supervisor.layer("deep", {
                strategy: "one-for-all",
                children: [Child.layer("n", Layer.merge(app, Layer.empty))]
              })
            )
          ]
        })
      ),
    "through Effect.provide in a Child.make": (app) =>
      Child.make("a", Effect.provide(Effect.succeed(Effect.never), app)),
    "in a supervisor that a Child.make makes": (app) =>
      Child.make(
        "a",
        Effect.as(
          Supervisor.make("nested", { strategy: "one-for-one", children: [Child.layer("n", app)] }),
          Effect.never
        )
      ),
    "through Effect.provide in a Child.task": (app) => Child.task("a", Effect.provide(Effect.void, app))
  }

  for (const [way, contain] of Object.entries(ways)) {
    scenario(`is invalid, not a deadlock: ${way}`, () =>
      Effect.gen(function*() {
        for (const strategy of strategies) {
          const child: Given = contain(Layer.suspend(() => Own))
          const Own: Layer.Layer<never> = Layer.orDie(
            Supervisor.layer("app", { strategy, children: [Child.effect("z", Effect.never), child] })
          )
          const exit = yield* answer(Effect.exit(Effect.scoped(Layer.build(Own))))
          assert.include(failureOf(exit), "app/a")
          assert.include(failureOf(exit), problem)
        }
      }))
  }

  scenario(
    "is invalid through each layer of a supervisor's class, with dependencies and without",
    () =>
      Effect.gen(function*() {
        const pool = new Ledger().pool()
        for (const which of ["layer", "layerNoDeps"] as const) {
          const plainChild: Given = given(
            Child.layer("a", Layer.suspend((): Layer.Layer<any> => Layer.orDie(Plain[which])))
          )
          class Plain
            extends Supervisor.Service<Plain>()("test/app", { strategy: "one-for-one", children: [plainChild] })
          {}
          const depsChild: Given = given(
            Child.layer("a", Layer.suspend((): Layer.Layer<any> => Layer.orDie(WithDeps[which] as Layer.Layer<any>)))
          )
          class WithDeps extends Supervisor.Service<WithDeps>()("test/app", {
            strategy: "one-for-one",
            dependencies: [pool],
            children: [depsChild]
          }) {}
          for (
            const layer of [Plain.layer, Plain.layerNoDeps, WithDeps.layer, Layer.provide(WithDeps.layerNoDeps, pool)]
          ) {
            const exit = yield* answer(Effect.exit(Effect.scoped(Layer.build(layer as Layer.Layer<any>))))
            assert.include(failureOf(exit), "app/a")
            assert.include(failureOf(exit), problem)
          }
        }
      })
  )

  scenario("is invalid when it is started later, and harms nobody", () =>
    Effect.gen(function*() {
      class Own extends Supervisor.Service<Own>()("test/app", {
        strategy: "one-for-one",
        children: [Child.effect("z", Effect.never), Child.effect("y", Effect.never)]
      }) {}
      const app: Supervisor.Supervisor = Context.get(yield* Layer.build(Own.layer), Own)
      for (const child of [Child.layer("a", Own.layer), Child.layer("a", Layer.provide(Layer.empty, Own.layer))]) {
        const exit = yield* answer(Effect.exit(app.startChild(child)))
        assert.include(failureOf(exit), "app/a")
        assert.include(failureOf(exit), problem)
      }
      assert.deepStrictEqual(yield* states(app), { z: "running", y: "running" })
    }))

  scenario(
    "is invalid when an effect provides it to itself, and does not keep its own supervisor alive",
    () =>
      Effect.gen(function*() {
        const child: Given = Child.effect("a", Effect.suspend(() => Effect.provide(Effect.never, Own)), {
          restart: "temporary"
        })
        const stops: Array<string> = []
        const z = Child.effect("z", Effect.onInterrupt(Effect.never, () => Effect.sync(() => stops.push("z"))))
        const Own: Layer.Layer<never> = Layer.orDie(
          Supervisor.layer("app", { strategy: "one-for-one", children: [z, child] })
        )
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(Own, scope)
        yield* VirtualTime.settle
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(stops, ["z"])
      })
  )

  scenario(
    "builds another supervisor where it says so with Layer.fresh, as deep as it says",
    () =>
      Effect.gen(function*() {
        let depth = 0
        const child: Given = Child.layer(
          "a",
          Layer.unwrap(Effect.sync((): Layer.Layer<never> => ++depth < 3 ? Layer.fresh(Own) : Layer.empty))
        )
        const Own: Layer.Layer<never> = Layer.orDie(
          Supervisor.layer("app", { strategy: "one-for-one", children: [child] })
        )
        yield* answer(Layer.build(Own))
        assert.strictEqual(depth, 3)
      })
  )
})

describe("an abandoned child", () => {
  scenario("holds nothing of the surroundings: they close although its finalizer hangs", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const hangs = Layer.effectDiscard(Effect.addFinalizer(() => Effect.never))
      const child = (id: string): Given =>
        Child.layer(id, Layer.provide(Layer.merge(ledger.user(id), hangs), pool), { shutdown: "1 second" }) as Given<
          any
        >
      const scope = yield* Scope.make()
      const supervised = appOf("one-for-one", child("a"), withPool(ledger, "b", pool), child("c"))
      const app = Context.get(yield* Layer.buildWithScope(Layer.provideMerge(supervised, pool), scope), App)
      yield* crash(app, "a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ledger.used("a"), [1, 1])
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(ledger.open("pool"), [1], "one child is still being stopped")
      yield* TestClock.adjust("1 second")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(ledger.open("pool"), [])
    }))

  scenario("holds nothing of the surroundings that its body has provided to itself", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const stubborn = Effect.gen(function*() {
        ledger.use("a", yield* Pool)
        return yield* Effect.uninterruptible(Effect.never)
      })
      const scope = yield* Scope.make()
      const supervised = appOf("one-for-one", Child.effect("a", Effect.provide(stubborn, pool)))
      yield* Layer.buildWithScope(Layer.provideMerge(supervised, pool), scope)
      yield* VirtualTime.settle
      assert.deepStrictEqual(ledger.used("a"), [1])
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("5 seconds")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(ledger.open("pool"), [])
    }), { "app/a": 1 })

  scenario("holds what it has built itself, and nobody else is given that", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const gate = yield* Deferred.make<void>()
      const pool = ledger.pool(Deferred.await(gate))
      const child = (id: string): Given =>
        Child.layer(id, Layer.provide(ledger.user(id), pool), { shutdown: "1 second" })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        ...patient,
        children: [child("a"), child("b")]
      })
      yield* crash(app, "a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([ledger.used("a"), ledger.used("b")], [[1, 2], [1, 2]])
      assert.deepStrictEqual(ledger.open("pool"), [1, 2])
      yield* Deferred.succeed(gate, undefined)
      yield* VirtualTime.settle
      assert.deepStrictEqual(ledger.open("pool"), [2])
    }))
})

describe("children that are effects", () => {
  scenario(
    "have their own of what they provide to themselves, under every strategy, for each incarnation",
    () =>
      Effect.gen(function*() {
        for (const strategy of strategies) {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const child = (id: string): Given =>
            Child.effect(
              id,
              Effect.provide(Effect.andThen(Effect.map(Pool, (pool) => ledger.use(id, pool)), Effect.never), pool)
            )
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            children: [child("a"), child("b")]
          })
          yield* VirtualTime.settle
          ledger.take()
          yield* crash(app, "b")
          assert.deepStrictEqual(
            ledger.take().toSorted(),
            strategy === "one-for-all"
              ? ["close pool 1", "close pool 2", "open pool 3", "open pool 4", "use a pool 3", "use b pool 4"]
              : ["close pool 2", "open pool 3", "use b pool 3"]
          )
        }
      })
  )

  scenario(
    "have their own beside siblings of a group that are layers and have built the same",
    () =>
      Effect.gen(function*() {
        for (const strategy of groupStrategies) {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const child = (id: string): Given =>
            Child.effect(
              id,
              Effect.provide(Effect.andThen(Effect.map(Pool, (pool) => ledger.use(id, pool)), Effect.never), pool)
            )
          yield* Supervisor.make("app", {
            strategy,
            children: [Child.layer("pool", pool), withPool(ledger, "layer", pool), child("a"), child("b")]
          })
          yield* VirtualTime.settle
          assert.deepStrictEqual([ledger.used("layer"), ledger.used("a"), ledger.used("b")], [[1], [2], [3]])
        }
      })
  )

  scenario(
    "that are started later take nothing that only the caller of startChild has built",
    () =>
      Effect.gen(function*() {
        const ledger = new Ledger()
        const pool = ledger.pool()
        const effect = (id: string): Given =>
          Child.effect(
            id,
            Effect.provide(Effect.andThen(Effect.map(Pool, (pool) => ledger.use(id, pool)), Effect.never), pool)
          )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
        for (const child of [effect("a"), effect("b"), withPool(ledger, "c", pool)]) {
          yield* Effect.provide(Effect.andThen(app.startChild(child), VirtualTime.settle), pool)
        }
        assert.deepStrictEqual([ledger.used("a"), ledger.used("b"), ledger.used("c")], [[2], [4], [6]])
        assert.deepStrictEqual(ledger.open("pool"), [2, 4, 6])
      })
  )

  scenario("share what the surroundings had built", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const pool = ledger.pool()
      const child = (id: string): Given =>
        Child.effect(
          id,
          Effect.provide(Effect.andThen(Effect.map(Pool, (pool) => ledger.use(id, pool)), Effect.never), pool)
        )
      const supervised = appOf("one-for-one", child("a"), child("b"))
      const app = Context.get(yield* Layer.build(Layer.provideMerge(supervised, pool)), App)
      yield* VirtualTime.settle
      yield* crash(app, "a", 5)
      assert.strictEqual(ledger.builds("pool"), 1)
      assert.deepStrictEqual([ledger.used("a").length, ledger.used("b").length], [6, 1])
    }))
})

describe("a supervisor's dependencies", () => {
  for (const strategy of strategies) {
    scenario(
      `are built once, before the children, and shared with them under ${strategy}`,
      () =>
        Effect.gen(function*() {
          const ledger = new Ledger()
          const pool = ledger.pool()
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            dependencies: [pool],
            children: [
              Child.layer("uses", ledger.user("uses")),
              withPool(ledger, "provides", pool)
            ]
          })
          assert.strictEqual(ledger.take()[0], "open pool 1")
          yield* crash(app, "uses", 5)
          yield* crash(app, "provides", 5)
          assert.strictEqual(ledger.builds("pool"), 1)
          assert.strictEqual(ledger.last("uses"), ledger.last("provides"))
        })
    )
  }

  scenario("close after the children, with the supervisor", () =>
    Effect.gen(function*() {
      const ledger = new Ledger()
      const scope = yield* Scope.make()
      const child = (id: string) => Child.layer(id, Layer.effectDiscard(ledger.acquire(id)))
      class Supervised extends Supervisor.Service<Supervised>()("test/app", {
        strategy: "one-for-one",
        dependencies: [ledger.pool(), ledger.db()],
        children: [child("a"), child("b")]
      }) {}
      yield* Layer.buildWithScope(Supervised.layer, scope)
      ledger.take()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(ledger.take().slice(0, 2), ["close b 1", "close a 1"])
      assert.deepStrictEqual([ledger.open("pool"), ledger.open("db")], [[], []])
    }))
})

describe("nothing is retained", () => {
  const collectGarbage = Effect.gen(function*() {
    setFlagsFromString("--expose-gc")
    const gc = runInNewContext("gc") as () => void
    for (let turn = 0; turn < 5; turn++) {
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      gc()
    }
  })

  const alive = (refs: ReadonlyArray<WeakRef<object>>) => refs.filter((ref) => ref.deref() !== undefined).length

  /** Restarts a child so many times; each start tells. */
  const churn = Effect.fnUntraced(function*(strategy: Strategy, times: number, layer: () => Layer.Layer<never>) {
    const started = yield* Queue.unbounded<void>()
    const tells = Layer.effectDiscard(Queue.offer(started, undefined))
    const child = Child.layer("a", Layer.merge(Layer.unwrap(Effect.sync(layer)), tells))
    const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
      strategy,
      ...patient,
      children: [Child.layer("first", Layer.empty), child]
    })
    yield* Queue.take(started)
    for (let time = 0; time < times; time++) {
      yield* app.exitChild("a", crashed)
      yield* Queue.take(started)
    }
  })

  for (const strategy of strategies) {
    it.live(`of the services of incarnations that have ended, under ${strategy}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const refs: Array<WeakRef<object>> = []
        const layer = Layer.effect(
          Pool,
          Effect.sync(() => {
            const instance = { name: "pool", number: refs.length, open: true }
            refs.push(new WeakRef(instance))
            return instance
          })
        )
        yield* churn(strategy, 50, () => layer as Layer.Layer<any>)
        yield* collectGarbage
        assert.strictEqual(refs.length, 51)
        assert.isAtMost(alive(refs), 2)
      })).pipe(Effect.provide(Logger.layer([]))))

    it.live(`of layers that were made for one incarnation, under ${strategy}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const refs: Array<WeakRef<object>> = []
        yield* churn(strategy, 50, () => {
          const layer = Layer.effectDiscard(Effect.void)
          refs.push(new WeakRef(layer))
          return layer
        })
        yield* collectGarbage
        assert.strictEqual(refs.length, 51)
        assert.isAtMost(alive(refs), 2)
      })).pipe(Effect.provide(Logger.layer([]))))
  }
})
