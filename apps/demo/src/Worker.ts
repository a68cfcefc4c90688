/** A worker takes a job, does it, stores the result, and takes the next. What goes wrong it does not handle. */
import { Child, ExitReason } from "coppice"
import { Effect, Option } from "effect"
import { analyse } from "./Analysis.ts"
import { maxTries } from "./Job.ts"
import { JobStore } from "./JobStore.ts"
import { Settings } from "./Settings.ts"

/**
 * How long a worker waits after a crash before it takes a job again: a worker that meets nothing but poison crashes at
 * most twice a second, and `App` allows for that.
 */
const breather = "500 millis"

/** How long a worker waits when there is nothing to do. */
const idle = "100 millis"

// The incarnation before this one is gone, and only this one may say what becomes of the job it held. One that was
// stopped has left cleanly, and after a restart of its supervisor there is none.
const takeOver = Effect.gen(function*() {
  const store = yield* JobStore
  const { lastExit, path } = yield* Child.current
  const crash = Option.filter(lastExit, (reason) => !ExitReason.isClean(reason))
  if (Option.isNone(crash)) return yield* store.takeBackInterrupted(path)
  for (const job of yield* store.takeBackCrashed(path, ExitReason.format(crash.value))) {
    if (job.state === "parked") {
      yield* Effect.logWarning(`job ${job.id} (${job.name}) is parked after ${maxTries} tries: ${job.error}`)
    }
  }
  yield* Effect.sleep(breather)
})

const doNext = Effect.gen(function*() {
  const store = yield* JobStore
  const { pace } = yield* Settings
  const { incarnation, path } = yield* Child.current
  const claimed = yield* store.claim(path, incarnation)
  if (Option.isNone(claimed)) return yield* Effect.sleep(idle)
  yield* Effect.sleep(pace)
  const result = yield* Effect.sync(() => analyse(claimed.value.text))
  yield* store.complete(claimed.value, result)
})

export const worker = Effect.andThen(takeOver, Effect.forever(doNext)).pipe(Effect.provide(JobStore.layer))
