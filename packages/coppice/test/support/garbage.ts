import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

// What a WeakRef has answered is kept until the current job is over: a macrotask of the real clock.
const nextJob = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/**
 * Whether nothing holds what the reference points to. The engine may hold it for a turn of its own accord; who leaks it
 * holds it in each of several.
 */
export const collected = (reference: WeakRef<object>): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    for (let turn = 0; turn < 3; turn++) {
      yield* nextJob
      collect()
    }
    return reference.deref() === undefined
  })

/** The bytes in use after a collection. */
export const heapUsed: Effect.Effect<number> = Effect.andThen(
  nextJob,
  Effect.sync(() => {
    collect()
    return process.memoryUsage().heapUsed
  })
)
