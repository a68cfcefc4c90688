// What a request had in its `AsyncLocalStorage` is not kept by a child that outlives it, and what is traced is not mixed up.
import { assert, describe, it } from "@effect/vitest"
import { Child, DynamicSupervisor, ExitReason, Supervisor } from "coppice"
import { Deferred, Effect, Logger, Scope } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"

const store = new AsyncLocalStorage<string>()

/** Runs an effect where the store holds this. */
const inside = <A, E>(value: string, effect: Effect.Effect<A, E>): Effect.Effect<A> =>
  Effect.promise(() => store.run(value, () => Effect.runPromise(Effect.provide(effect, Logger.layer([])))))

/** Builds something in the scope of the test, where the store holds "builder". */
const built = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, never, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => inside("builder", Scope.provide(effect, scope)))

/** A body that notes what the store holds whenever it begins. */
class Noting {
  readonly seen: Array<string | undefined> = []
  private readonly begun = Array.from({ length: 3 }, () => Deferred.makeUnsafe<void>())

  readonly body = Effect.suspend(() => {
    const count = this.seen.push(store.getStore())
    return Effect.andThen(Deferred.succeed(this.begun[count - 1]!, undefined), Effect.never)
  })

  /** Waits until it has begun so often. */
  times(count: number): Effect.Effect<void> {
    return Deferred.await(this.begun[count - 1]!)
  }
}

describe("the async context of a child is that of whoever built its supervisor", () => {
  it.effect("where a call from elsewhere has started it, or an end that was caused elsewhere", () =>
    Effect.gen(function*() {
      const a = new Noting()
      const app: Supervisor.Supervisor = yield* built(
        Supervisor.make("app", { strategy: "one-for-one", children: [Child.effect("witness", Effect.never)] })
      )
      yield* inside("caller", app.startChild(Child.effect("a", a.body)))
      yield* a.times(1)
      yield* inside("killer", app.exitChild("a", ExitReason.killed))
      yield* a.times(2)
      yield* inside("caller", Effect.andThen(app.terminateChild("a"), app.restartChild("a")))
      yield* a.times(3)
      assert.deepStrictEqual(a.seen, ["builder", "builder", "builder"])
    }))

  it.effect("where it restarts because a sibling does", () =>
    Effect.gen(function*() {
      const [a, b] = [new Noting(), new Noting()]
      const children = [Child.effect("a", a.body), Child.effect("b", b.body)] as const
      const app = yield* built(Supervisor.make("app", { strategy: "one-for-all", children }))
      yield* inside("killer", app.exitChild("b", ExitReason.killed))
      yield* Effect.all([a.times(2), b.times(2)])
      assert.deepStrictEqual([a.seen, b.seen], [["builder", "builder"], ["builder", "builder"]])
    }))

  it.effect("where a dynamic supervisor has started it for somebody else", () =>
    Effect.gen(function*() {
      const a = new Noting()
      const rooms = yield* built(DynamicSupervisor.make("rooms", { child: () => Child.effect("room", a.body) }))
      yield* inside("caller", rooms.startChild())
      yield* a.times(1)
      assert.deepStrictEqual(a.seen, ["builder"])
    }))
})
