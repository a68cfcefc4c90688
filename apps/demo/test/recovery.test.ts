import { JobStore } from "@coppice/demo/JobStore"
import { recovery } from "@coppice/demo/Recovery"
import { Settings } from "@coppice/demo/Settings"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Path, Ref } from "effect"
import { TestClock } from "effect/testing"

const settings = Layer.effect(
  Settings,
  Effect.gen(function*() {
    const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    const databaseFile = (yield* Path.Path).join(folder, "jobs.sqlite")
    return { databaseFile, pace: Duration.seconds(1), port: yield* Ref.make(0), workers: 3 }
  })
)

const services = Layer.provideMerge(JobStore.layer, settings).pipe(Layer.provide(NodeServices.layer))

describe("recovery", () => {
  it.effect("returns a job whose worker does not come back, 10 seconds after its time, and parks it after three tries", () =>
    Effect.gen(function*() {
      const store = yield* JobStore
      const state = Effect.map(store.list, ([job]) => job?.state)
      yield* store.submit({ name: "a", text: "b" })
      yield* Effect.forkScoped(recovery)

      const states = yield* Effect.forEach([1, 2, 3], (incarnation) =>
        Effect.gen(function*() {
          yield* store.claim("app/workers/gone", incarnation)
          yield* TestClock.adjust("10 seconds")
          const early = yield* state
          yield* TestClock.adjust("2 seconds")
          return [early, yield* state]
        }))

      assert.deepStrictEqual(states, [["running", "waiting"], ["running", "waiting"], ["running", "parked"]])
    }).pipe(Effect.provide(services)))

  it.effect("does not let a worker store the result of a job that was taken from it", () =>
    Effect.gen(function*() {
      const store = yield* JobStore
      yield* store.submit({ name: "a", text: "b" })
      const slow = yield* Effect.fromOption(yield* store.claim("app/workers/slow", 1))
      yield* store.takeBackOverdue(Duration.zero, "too slow")
      const quick = yield* Effect.fromOption(yield* store.claim("app/workers/quick", 1))

      yield* store.complete(slow, { words: 0, lines: 0, digest: "of the slow one" })
      yield* store.complete(quick, { words: 1, lines: 1, digest: "of the quick one" })
      yield* store.complete(slow, { words: 0, lines: 0, digest: "of the slow one" })

      const [job] = yield* store.list
      assert.deepStrictEqual(job?.result, { words: 1, lines: 1, digest: "of the quick one" })
    }).pipe(Effect.provide(services)))
})
