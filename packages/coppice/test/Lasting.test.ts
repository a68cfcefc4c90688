import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, DynamicSupervisor, ExitReason, Supervisor } from "coppice"
import { Context, Effect, Exit, Fiber, Latch, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"

class Store extends Context.Service<Store, { readonly number: number }>()("coppice/test/Lasting.test/Store") {}

/** What is noted, and layers that note when they are built and let go of. */
const world = () => {
  const seen: Array<string> = []
  const note = (what: string) => Effect.sync(() => void seen.push(what))
  const take = () => seen.splice(0)
  const store = (name: string, release: Effect.Effect<unknown> = Effect.void) => {
    let number = 0
    return Layer.effect(
      Store,
      Effect.acquireRelease(
        Effect.map(note(`${name} opens`), () => ({ number: ++number })),
        () => Effect.andThen(note(`${name} closes`), release)
      )
    )
  }
  const user = (name: string, layer: Layer.Layer<Store, string>) =>
    Layer.effectDiscard(Effect.gen(function*() {
      const { number } = yield* Store
      yield* Effect.acquireRelease(note(`${name} uses ${number}`), () => note(`${name} ends`))
    })).pipe(Layer.provide(Child.lasting(layer)))
  return { note, take, store, user }
}

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  VirtualTime.run(Effect.scoped(effect)).pipe(Effect.provide(Logger.layer([])))

const crash = ExitReason.failure("crash")

describe("Child.lasting", () => {
  it.effect("is built once for a child, survives its restarts, and goes after all children, the latest first", () =>
    run(Effect.gen(function*() {
      const { store, take, user } = world()
      const scope = Scope.makeUnsafe()
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        children: [
          Child.layer("a", user("a", store("A"))),
          Child.layer("b", user("b", store("B")))
        ]
      }).pipe(Scope.provide(scope))
      assert.deepStrictEqual(take(), ["A opens", "a uses 1", "B opens", "b uses 1"])
      yield* app.exitChild("a", crash)
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["a ends", "b ends", "a uses 1", "b uses 1"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(take(), ["b ends", "a ends", "B closes", "A closes"])
    })))

  it.effect("is each child's own, also where several name the same layer", () =>
    run(Effect.gen(function*() {
      const { store, take, user } = world()
      const one = store("S")
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("a", user("a", one)), Child.layer("b", user("b", one))]
      })
      assert.deepStrictEqual(take().filter((what) => what === "S opens").length, 2)
    })))

  it.effect("stays while its child is terminated, and goes when it is deleted", () =>
    run(Effect.gen(function*() {
      const { store, take, user } = world()
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("a", user("a", store("A")))]
      })
      yield* app.terminateChild("a")
      yield* app.restartChild("a")
      yield* app.terminateChild("a")
      assert.deepStrictEqual(take(), ["A opens", "a uses 1", "a ends", "a uses 1", "a ends"])
      yield* app.deleteChild("a")
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["A closes"])
    })))

  it.effect("goes with a temporary child, and with a dynamic one", () =>
    run(Effect.gen(function*() {
      const { store, take, user } = world()
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("a", user("a", store("A")), { restart: "temporary" })]
      })
      yield* app.exitChild("a", crash)
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["A opens", "a uses 1", "a ends", "A closes"])
      const pool = yield* DynamicSupervisor.make("pool", {
        child: (name: string) => Child.layer("job", user(name, store("S"))),
        key: (name) => name
      })
      const job = yield* pool.startChild("x")
      yield* pool.exitChild(job, crash)
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["S opens", "x uses 1", "x ends", "x uses 1"])
      yield* pool.terminateChild(job)
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["x ends", "S closes"])
    })))

  it.effect("is the same for all who ask at once, and remembers nothing of who has asked", () =>
    run(Effect.gen(function*() {
      const { store, take } = world()
      const slow = Layer.tap(store("S"), () => Effect.sleep("1 second"))
      const ask = Effect.map(Layer.build(Child.lasting(slow)), Context.get(Store))
      const seen: Array<number> = []
      const starting = yield* Effect.forkChild(Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 100,
        children: [
          Child.layer(
            "a",
            Layer.effectDiscard(Effect.gen(function*() {
              const both = yield* Effect.all([ask, ask], { concurrency: "unbounded" })
              seen.push(...both.map(({ number }) => number))
            }))
          )
        ]
      }))
      yield* TestClock.adjust("1 second")
      const app = yield* Fiber.join(starting)
      for (let n = 0; n < 3; n++) {
        yield* app.exitChild("a", crash)
        yield* VirtualTime.settle
      }
      assert.deepStrictEqual(seen, [1, 1, 1, 1, 1, 1, 1, 1])
      assert.deepStrictEqual(take(), ["S opens"])
    })))

  it.effect("is tried again when its build has failed", () =>
    run(Effect.gen(function*() {
      const { note, store, take, user } = world()
      let tries = 0
      const flaky = Layer.unwrap(
        Effect.suspend(() =>
          ++tries === 2 ? Effect.andThen(note("fails"), Effect.fail("no")) : Effect.succeed(store("A"))
        )
      )
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("a", user("a", flaky))]
      })
      yield* app.terminateChild("a")
      yield* app.deleteChild("a")
      yield* VirtualTime.settle
      take()
      yield* Effect.flip(app.startChild(Child.layer("a", user("a", flaky))))
      yield* app.startChild(Child.layer("a", user("a", flaky)))
      assert.deepStrictEqual(take(), ["fails", "A opens", "a uses 1"])
    })))

  it.effect("shares what the surroundings had built", () => {
    const { store, take, user } = world()
    const shared = store("shared")
    return run(
      Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("a", user("a", shared)), Child.layer("b", user("b", shared))]
      }).pipe(
        Effect.provide(shared),
        Effect.andThen(Effect.sync(() => take())),
        (effect) =>
          Effect.map(effect, (seen) => {
            assert.deepStrictEqual(seen, ["shared opens", "a uses 1", "b uses 1"])
          })
      )
    )
  })

  it.effect("is waited for no longer than its child, and that is told", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Error") lines.push(String(Array.isArray(message) ? message[0] : message))
    })
    return VirtualTime.run(Effect.gen(function*() {
      const { store, take, user } = world()
      const scope = Scope.makeUnsafe()
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.layer("deaf", user("deaf", store("Deaf", Effect.never)), { shutdown: "3 seconds" }),
          Child.layer("bad", user("bad", store("Bad", Effect.die("broken"))))
        ]
      }).pipe(Scope.provide(scope))
      take()
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2999 millis")
      yield* VirtualTime.settle
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* VirtualTime.settle
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(take(), ["bad ends", "deaf ends", "Bad closes", "Deaf closes"])
      assert.deepStrictEqual(lines, [
        "a finalizer of what a child had built to last failed",
        "what a child had built to last is abandoned: its finalizers do not end"
      ])
    })).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("is waited for by the end of the supervisor, also where its child is gone already", () =>
    run(Effect.gen(function*() {
      const { store, take, user } = world()
      const scope = Scope.makeUnsafe()
      const slow = store("Slow", Effect.sleep("2 seconds"))
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("a", user("a", slow), { restart: "temporary" })]
      }).pipe(Scope.provide(scope))
      yield* app.terminateChild("a")
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["Slow opens", "a uses 1", "a ends", "Slow closes"])
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("1999 millis")
      yield* VirtualTime.settle
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* VirtualTime.settle
      assert.isDefined(closing.pollUnsafe())
    })))

  it.effect("is not kept for an incarnation that has been abandoned", () =>
    run(Effect.gen(function*() {
      const { store, take } = world()
      const latch = yield* Latch.make()
      const late = Layer.effectDiscard(
        Effect.uninterruptible(Effect.andThen(latch.await, Layer.build(Child.lasting(store("Late")))))
      )
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const starting = yield* Effect.forkChild(
        Effect.flip(app.startChild(Child.layer("late", late, { startTimeout: "1 second", shutdown: "1 second" })))
      )
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(starting)
      assert.deepStrictEqual(take(), [])
      yield* latch.open
      yield* VirtualTime.settle
      assert.deepStrictEqual(take(), ["Late opens", "Late closes"])
    })))

  it.effect("is any layer outside a child", () =>
    run(Effect.gen(function*() {
      const { store, take } = world()
      const scope = Scope.makeUnsafe()
      yield* Layer.buildWithScope(Child.lasting(store("A")), scope)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(take(), ["A opens", "A closes"])
    })))
})

describe("Child.done", () => {
  it.effect("is a normal end: a transient child stays down, a permanent one is restarted", () =>
    run(Effect.gen(function*() {
      const starts: Array<string> = []
      const leaver = (name: string) =>
        Layer.effectDiscard(Effect.gen(function*() {
          const { incarnation, lastExit } = yield* Child.current
          starts.push(`${name} ${incarnation} ${lastExit._tag === "None" ? "" : lastExit.value._tag}`)
          if (incarnation === 1) yield* Child.forkLinked(Effect.delay(Child.done, "1 second"))
        }))
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.layer("once", leaver("once"), { restart: "transient" }),
          Child.layer("always", leaver("always"))
        ]
      })
      yield* TestClock.adjust("1 second")
      yield* VirtualTime.settle
      assert.deepStrictEqual(starts, ["once 1 ", "always 1 ", "always 2 Normal"])
      const tree = yield* app.tree
      assert.deepStrictEqual(tree.children.map(({ state }) => state), ["stopped", "running"])
    })))
})
