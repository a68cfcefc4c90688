import { JobStore, NameTaken } from "@coppice/demo/JobStore"
import { Settings } from "@coppice/demo/Settings"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Ref } from "effect"

const settings = Layer.effect(
  Settings,
  Effect.map(Ref.make(0), (port) => ({ databaseFile: ":memory:", pace: Duration.seconds(1), port, workers: 3 }))
)

const services = Layer.provide(JobStore.layer, settings)

describe("JobStore", () => {
  it.effect("has a job once that is submitted again, and counts it once", () =>
    Effect.gen(function*() {
      const store = yield* JobStore
      const first = yield* store.submit({ name: "a", text: "one" })
      const again = yield* store.submit({ name: "a", text: "one" })
      const added = yield* store.submitNew([{ name: "a", text: "one" }, { name: "b", text: "two" }])
      const last = yield* store.submit({ name: "c", text: "three" })

      assert.deepStrictEqual([first, again, added, last], [1, 1, 1, 3])
      assert.deepStrictEqual(
        (yield* store.list).map(({ id, name }) => `${id} ${name}`),
        ["1 a", "2 b", "3 c"]
      )
      assert.deepStrictEqual(yield* store.counts, { submitted: 3, waiting: 3, running: 0, done: 0, parked: 0 })
    }).pipe(Effect.provide(services)))

  it.effect("refuses a name that belongs to a job with another text", () =>
    Effect.gen(function*() {
      const store = yield* JobStore
      yield* store.submit({ name: "a", text: "one" })
      const error = yield* Effect.flip(store.submit({ name: "a", text: "two" }))

      assert.deepStrictEqual(error, new NameTaken({ name: "a" }))
      assert.strictEqual((yield* store.counts).submitted, 1)
    }).pipe(Effect.provide(services)))
})
