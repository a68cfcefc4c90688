import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Backoff, Child, ChildRef, DynamicSupervisor, PartitionSupervisor, Supervisor } from "coppice"
import { Context, Deferred, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Kit, patient, rule } from "../support/kit.ts"

class Store extends Context.Service<Store, {
  readonly number: number
  readonly incarnation: number
  readonly crash: Effect.Effect<unknown>
}>()("coppice/test/rules/partitions.test/Store") {}

const storeOf = (kit: Kit) =>
  Layer.effect(
    Store,
    Effect.gen(function*() {
      const { id, incarnation } = yield* Child.current
      const broken = yield* Deferred.make<never, string>()
      yield* Effect.acquireRelease(
        Effect.sync(() => kit.note(`start ${id}`)),
        () => Effect.sync(() => kit.note(`stop ${id}`))
      )
      // So that two resizes have the chance to mix.
      yield* Effect.yieldNow
      yield* Child.forkLinked(Deferred.await(broken))
      return { number: Number(id), incarnation, crash: Deferred.fail(broken, "crashed") }
    })
  )

/** A partition supervisor of three stores. */
const storesOf = (kit: Kit) => {
  class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
    ...patient,
    partitions: 3,
    child: Child.layer("store", storeOf(kit))
  }) {}
  return Stores
}

const within = <I>(
  layer: Layer.Layer<I, {}>,
  test: Effect.Effect<void, {} | void, I | Scope.Scope>
): Effect.Effect<void, {} | undefined, Scope.Scope> => Effect.provide(Effect.orDie(test), layer)

const exitOf = <R>(effect: Effect.Effect<unknown, {}, R>) => Effect.map(Effect.exit(effect), String)

const tag = <R>(effect: Effect.Effect<unknown, { readonly _tag: string }, R>) =>
  Effect.match(effect, { onFailure: (error) => error._tag, onSuccess: () => "ok" })

/** Which incarnation of which partition a key goes to. */
const seen = <R>(use: Effect.Effect<Store["Service"], {}, R>) =>
  Effect.map(use, ({ incarnation, number }) => `${number}#${incarnation}`)

describe("partition supervisors", () => {
  rule("EL19", "run copies of one child under their numbers; one that dies comes back under its own", (kit) => {
    const Stores = storesOf(kit)
    const at = (key: number) => Stores.use(key, Effect.succeed)
    return within(
      Stores.layer,
      Effect.gen(function*() {
        assert.deepStrictEqual(kit.take(), ["start 0", "start 1", "start 2"])
        const paths = (yield* Stores.whichChildren).map(({ path }) => path)
        assert.deepStrictEqual(paths, ["Stores/2", "Stores/1", "Stores/0"])
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2], (key) => seen(at(key))), ["0#1", "1#1", "2#1"])
        yield* tag(Stores.use(1, ({ crash }) => crash))
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["stop 1", "start 1"])
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2], (key) => seen(at(key))), ["0#1", "1#2", "2#1"])
        assert.deepStrictEqual(yield* Stores.countChildren, { specs: 3, active: 3, supervisors: 0, workers: 3 })
      })
    )
  })

  rule(
    "EL19",
    "have 8 partitions unless told otherwise, 3 restarts in 5 seconds between them, and give up as a whole",
    (kit) => {
      class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
        child: Child.layer("store", storeOf(kit))
      }) {}
      return within(
        Stores.layer,
        Effect.gen(function*() {
          const supervisor = yield* Stores
          assert.deepStrictEqual([supervisor.path, supervisor.partitions], ["Stores", 8])
          assert.strictEqual(yield* Stores.size, 8)
          for (let key = 0; key < 4; key++) {
            yield* tag(Stores.use(key, ({ crash }) => crash))
            yield* VirtualTime.settle
          }
          const error = yield* Effect.flip(Stores.await)
          assert.deepStrictEqual([error.child, error.restarts, error.intensity], ["3", 4, 3])
        })
      )
    }
  )

  rule("EL19", "refuse what cannot be partitions", (kit) =>
    Effect.gen(function*() {
      class StoreRef extends ChildRef.Service<StoreRef>()("coppice/test/rules/partitions.test/StoreRef", Store) {}
      const of = (child: any, partitions?: number) =>
        Effect.suspend(() =>
          Layer.build(
            PartitionSupervisor.Service<any>()("coppice/test/rules/partitions.test/No", Store, { child, partitions })
              .layer
          )
        )
      assert.include(yield* exitOf(of(Child.effect("a", Effect.never))), "a partition is made with Child.layer")
      assert.include(yield* exitOf(of({})), "No: a partition is made with Child.layer")
      assert.include(
        yield* exitOf(of(Child.layer("store", storeOf(kit), { ref: StoreRef }))),
        "its partitions cannot all fill coppice/test/rules/partitions.test/StoreRef"
      )
      for (const partitions of [0, -1, 1.5, NaN]) {
        const exit = yield* exitOf(of(Child.layer("store", storeOf(kit)), partitions))
        assert.include(exit, `partitions is a whole number from 1, not ${partitions}`)
      }
    }))

  rule(
    "EL20",
    "send whole numbers by their remainder and anything else by its hash, equal keys to the same one",
    (kit) => {
      const Stores = storesOf(kit)
      return within(
        Stores.layer,
        Effect.gen(function*() {
          const numbers = yield* Effect.forEach([0, 1, 2, 3, 4, -1, -4, -0, 2 ** 40], (key) => Stores.partitionOf(key))
          assert.deepStrictEqual(numbers, [0, 1, 2, 0, 1, 1, 1, 0, 1])
          const keys = ["a", "b", 1.5, NaN, 10n, true, null, undefined, { user: 1 }, [1, 2], "1"]
          for (const key of keys) {
            const partition = yield* Stores.partitionOf(key)
            assert.isTrue(partition === 0 || partition === 1 || partition === 2)
            assert.strictEqual(yield* Stores.use(key, ({ number }) => Effect.succeed(number)), partition)
            assert.strictEqual(yield* Stores.provide(key, Effect.map(Store, ({ number }) => number)), partition)
          }
          assert.strictEqual(yield* Stores.partitionOf({ user: 7 }), yield* Stores.partitionOf({ user: 7 }))
          // The same in every process: these are no accident of this one.
          assert.deepStrictEqual(
            yield* Effect.forEach(["anna", "bert", "carl", "dora"], (key) => Stores.partitionOf(key)),
            [2, 0, 1, 1]
          )
          const counts = [0, 0, 0]
          for (let user = 0; user < 3000; user++) {
            const partition = yield* Stores.partitionOf(`user-${user}`)
            counts[partition]!++
          }
          for (const count of counts) assert.isTrue(count > 850 && count < 1150, String(counts))
        })
      )
    }
  )

  rule("EL20", "make each partition of its number, where the child is a function", (kit) => {
    class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
      partitions: 3,
      child: (partition: number) =>
        Child.layer(
          "store",
          Layer.sync(Store, () => {
            kit.note(`make ${partition}`)
            return { number: partition * 10, incarnation: 1, crash: Effect.void }
          })
        )
    }) {}
    return within(
      Stores.layer,
      Effect.gen(function*() {
        assert.deepStrictEqual(kit.take(), ["make 0", "make 1", "make 2"])
        assert.strictEqual(yield* Stores.use(2, ({ number }) => Effect.succeed(number)), 20)
      })
    )
  })

  rule("EL21", "resize between 1 and what they began with: stop the last ones, or start them again", (kit) => {
    const Stores = storesOf(kit)
    const at = (key: number) => seen(Stores.use(key, Effect.succeed))
    return within(
      Stores.layer,
      Effect.gen(function*() {
        kit.take()
        yield* Stores.resize(1)
        assert.deepStrictEqual(kit.take(), ["stop 2", "stop 1"])
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2], at), ["0#1", "0#1", "0#1"])
        assert.deepStrictEqual(yield* Stores.countChildren, { specs: 3, active: 1, supervisors: 0, workers: 3 })
        yield* Effect.all([Stores.resize(3), Stores.resize(2)], { concurrency: "unbounded" })
        assert.deepStrictEqual(kit.take(), ["start 1", "start 2", "stop 2"])
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2, 3], at), ["0#1", "1#2", "0#1", "1#2"])
        assert.strictEqual(yield* Stores.size, 2)
        yield* Stores.resize(2)
        assert.deepStrictEqual(kit.take(), [])
        for (const size of [0, 4, 1.5]) {
          assert.include(yield* exitOf(Stores.resize(size)), `from 1 to 3 partitions, not ${size}`)
        }
      })
    )
  })

  rule("EL21", "grow one by one: nobody is sent to a partition that has not started yet", (kit) => {
    const gate = Deferred.makeUnsafe<void>()
    class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
      partitions: 3,
      child: Child.layer(
        "store",
        Layer.unwrap(Effect.gen(function*() {
          const { id, incarnation } = yield* Child.current
          if (id === "2" && incarnation > 1) yield* Deferred.await(gate)
          return storeOf(kit)
        }))
      )
    }) {}
    const at = (key: number) => seen(Stores.use(key, Effect.succeed))
    return within(
      Stores.layer,
      Effect.gen(function*() {
        yield* Stores.resize(1)
        const growing = yield* Effect.forkChild(Stores.resize(3))
        yield* VirtualTime.settle
        assert.strictEqual(yield* Stores.size, 2)
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2], at), ["0#1", "1#2", "0#1"])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(growing)
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2], at), ["0#1", "1#2", "2#2"])
      })
    )
  })

  for (const size of [1, 2, 3]) {
    rule("EL21", `resize to ${size} completes what a resize to 1 that was interrupted has left undone`, (kit) => {
      const gate = Deferred.makeUnsafe<void>()
      class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
        partitions: 3,
        child: Child.layer(
          "store",
          Layer.unwrap(Effect.gen(function*() {
            const { id } = yield* Child.current
            if (id === "2") yield* Effect.addFinalizer(() => Deferred.await(gate))
            return storeOf(kit)
          }))
        )
      }) {}
      return within(
        Stores.layer,
        Effect.gen(function*() {
          const shrinking = yield* Effect.forkChild(Stores.resize(1))
          yield* VirtualTime.settle
          const interrupting = yield* Effect.forkChild(Fiber.interrupt(shrinking))
          yield* VirtualTime.settle
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(interrupting)
          assert.deepStrictEqual(yield* Stores.size, 1)
          kit.take()
          yield* Stores.resize(size)
          assert.deepStrictEqual(kit.take(), [["stop 1"], [], ["start 2"]][size - 1])
          assert.deepStrictEqual(
            yield* Effect.forEach([0, 1, 2], (key) => seen(Stores.use(key, Effect.succeed))),
            [["0#1", "0#1", "0#1"], ["0#1", "1#1", "0#1"], ["0#1", "1#1", "2#2"]][size - 1]
          )
        })
      )
    })
  }

  rule("EL21", "resize over a partition that is being restarted: it comes back by itself", (kit) => {
    const gate = Deferred.makeUnsafe<void>()
    class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
      ...patient,
      partitions: 3,
      child: Child.layer(
        "store",
        Layer.unwrap(Effect.gen(function*() {
          const { id, incarnation } = yield* Child.current
          if (id === "2" && incarnation === 1) yield* Effect.addFinalizer(() => Deferred.await(gate))
          return storeOf(kit)
        })),
        { backoff: Backoff.fixed("1 second") }
      )
    }) {}
    return within(
      Stores.layer,
      Effect.gen(function*() {
        const one = yield* Stores.use(1, Effect.succeed)
        const shrinking = yield* Effect.forkChild(Stores.resize(1))
        yield* VirtualTime.settle
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(shrinking))
        yield* VirtualTime.settle
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(interrupting)
        yield* one.crash.pipe(Effect.exit)
        yield* VirtualTime.settle
        yield* Stores.resize(3)
        assert.deepStrictEqual(kit.take().slice(3), ["stop 2", "stop 1", "start 2"])
        const waiting = yield* Effect.forkChild(seen(Stores.use(1, Effect.succeed)))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(waiting.pollUnsafe(), Exit.succeed("1#2"))
      })
    )
  })

  rule("EL21", "resize past a temporary partition that has ended: there is nothing to stop or start again", (kit) => {
    class Stores extends PartitionSupervisor.Service<Stores>()("coppice/test/rules/partitions.test/Stores", Store, {
      partitions: 3,
      child: Child.layer("store", storeOf(kit), { restart: "temporary" })
    }) {}
    return within(
      Stores.layer,
      Effect.gen(function*() {
        yield* tag(Stores.use(2, ({ crash }) => crash))
        yield* VirtualTime.settle
        kit.take()
        yield* Stores.resize(1)
        assert.deepStrictEqual(kit.take(), ["stop 1"])
        yield* Stores.resize(3)
        assert.deepStrictEqual(kit.take(), [])
        assert.strictEqual(yield* Stores.size, 3)
        assert.deepStrictEqual(yield* Effect.forEach([0, 1, 2], (key) => tag(Stores.use(key, Effect.succeed))), [
          "ok",
          "ChildUnavailable",
          "ChildUnavailable"
        ])
      })
    )
  })

  rule("EL19", "are one child of their parent, and may hold dynamic supervisors", (kit) => {
    class Rooms extends DynamicSupervisor.Service<Rooms>()("coppice/test/rules/partitions.test/Rooms", {
      child: (id: string) => kit.child(id),
      key: (id) => id
    }) {}
    class Houses extends PartitionSupervisor.Service<Houses>()("coppice/test/rules/partitions.test/Houses", Rooms, {
      partitions: 2,
      child: Child.supervisor("rooms", Rooms)
    }) {}
    class HousesRef extends ChildRef.Service<HousesRef>()("coppice/test/rules/partitions.test/HousesRef", Houses) {}
    const open = (key: number, room: string) =>
      HousesRef.use((houses) => houses.use(key, (rooms) => rooms.ensureChild(room)))
    return within(
      HousesRef.layer,
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("houses", Houses, { ref: HousesRef })]
        })
        const [hall, cellar, again] = yield* Effect.all([open(0, "hall"), open(1, "cellar"), open(2, "hall")])
        assert.deepStrictEqual([hall.path, cellar.path], ["app/houses/0/hall", "app/houses/1/cellar"])
        assert.strictEqual(again.incarnation, hall.incarnation)
        yield* app.terminateChild("houses")
        assert.deepStrictEqual(kit.take(), ["start hall", "start cellar", "stop cellar", "stop hall"])
        // A new one has refs of its own, which the new partitions fill.
        yield* app.restartChild("houses")
        assert.strictEqual((yield* open(0, "hall")).path, "app/houses/0/hall")
      })
    )
  })

  rule("EL19", "built twice side by side have nothing in common", (kit) => {
    const Stores = storesOf(kit)
    return Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("a", Stores), Child.supervisor("b", Stores)]
      })
      assert.strictEqual(kit.take().length, 6)
      assert.deepStrictEqual((yield* app.tree).children.map(({ state }) => state), ["running", "running"])
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(Layer.build(Stores.layer))))
    })
  })
})
