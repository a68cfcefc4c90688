/**
 * Returns stuck jobs to the queue.
 *
 * A worker's next incarnation returns what its predecessor held, and at once. This is for the jobs of workers that have no
 * next incarnation, or one that does not come: terminated by hand, say, or hanging in a job.
 */
import { Duration, Effect, Schedule } from "effect"
import { JobStore } from "./JobStore.ts"
import { Settings } from "./Settings.ts"

/** How much longer than the pace a worker may hold a job. */
const grace = Duration.seconds(10)

export const recovery = Effect.gen(function*() {
  const store = yield* JobStore
  const { pace } = yield* Settings
  const returned = yield* store.takeBackOverdue(Duration.sum(pace, grace), "its worker did not come back")
  for (const job of returned) yield* Effect.logWarning(`job ${job.id} (${job.name}) was stuck and is ${job.state} now`)
}).pipe(Effect.repeat(Schedule.spaced("1 second")))
