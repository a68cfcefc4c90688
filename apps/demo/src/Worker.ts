/** A worker takes a job, does it, stores the result, and takes the next. What goes wrong it does not handle. */
import { Child, ExitReason } from "coppice"
import { Effect, Option } from "effect"
import { analyse } from "./Analysis.ts"
import { maxTries } from "./Job.ts"
import { type Claim, JobStore } from "./JobStore.ts"
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

/** Does a job that a worker holds, and stores the result: while it has not, the job is not done. */
const doAndStore = Effect.fnUntraced(function*(claim: Claim) {
  const store = yield* JobStore
  const { pace } = yield* Settings
  yield* Effect.sleep(pace)
  const result = yield* Effect.sync(() => analyse(claim.text))
  yield* store.complete(claim, result)
})

/** A worker that does its jobs so. */
export const workerThat = <E, R>(doJob: (claim: Claim) => Effect.Effect<void, E, R>) => {
  const doNext = Effect.gen(function*() {
    const store = yield* JobStore
    const { incarnation, path } = yield* Child.current
    const claimed = yield* store.claim(path, incarnation)
    yield* Option.isSome(claimed) ? doJob(claimed.value) : Effect.sleep(idle)
  })
  return Effect.andThen(takeOver, Effect.forever(doNext)).pipe(Effect.provide(JobStore.layer))
}

export const worker = workerThat(doAndStore)
