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

/** A worker: the path and the number of an incarnation, and how the one before it crashed, if it did. */
export interface Self {
  readonly path: string
  readonly incarnation: number
  readonly crash: Option.Option<string>
}

/** The worker that runs here. One that was stopped has left cleanly, and after a restart of its supervisor there is none. */
export const self: Effect.Effect<Self> = Effect.map(Child.current, ({ incarnation, lastExit, path }) => ({
  path,
  incarnation,
  crash: Option.map(Option.filter(lastExit, (reason) => !ExitReason.isClean(reason)), ExitReason.format)
}))

// The incarnation before this one is gone, and only this one may say what becomes of the job it held.
const takeOver = Effect.fnUntraced(function*({ crash, path }: Self) {
  const store = yield* JobStore
  if (Option.isNone(crash)) return yield* store.takeBackInterrupted(path)
  for (const job of yield* store.takeBackCrashed(path, crash.value)) {
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
export const workAs = <E, R>(self: Self, doJob: (claim: Claim) => Effect.Effect<void, E, R>) => {
  const doNext = Effect.gen(function*() {
    const store = yield* JobStore
    const claimed = yield* store.claim(self.path, self.incarnation)
    yield* Option.isSome(claimed) ? doJob(claimed.value) : Effect.sleep(idle)
  })
  return Effect.andThen(takeOver(self), Effect.forever(doNext)).pipe(Effect.provide(JobStore.layer))
}

/** A child that does its jobs so. */
export const workerThat = <E, R>(doJob: (claim: Claim) => Effect.Effect<void, E, R>) =>
  Effect.flatMap(self, (self) => workAs(self, doJob))

export const worker = workerThat(doAndStore)

/** What a worker does that is no child of this program. */
export const work = (self: Self) => workAs(self, doAndStore)
