/** A job: a text that somebody wants counted, on its way through the queue. */
import { Schema } from "effect"

/** After this many tries a job is parked: whatever is wrong with it, trying it again would not help. */
export const maxTries = 3

/** What a worker finds out about a text. */
export const Result = Schema.Struct({ words: Schema.Int, lines: Schema.Int, digest: Schema.String })
export type Result = typeof Result.Type

/** `running` is a claim, not a fact: the worker that made it may be gone. */
export const State = Schema.Literals(["waiting", "running", "done", "parked"])

/** A job as it is shown; its text stays in the store. */
export const Job = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  state: State,
  tries: Schema.Int,
  worker: Schema.NullOr(Schema.String),
  incarnation: Schema.NullOr(Schema.Int),
  result: Schema.NullOr(Result),
  error: Schema.NullOr(Schema.String)
})
export type Job = typeof Job.Type

/** What a client submits. */
export const Submission = Schema.Struct({ name: Schema.NonEmptyString, text: Schema.String })
export type Submission = typeof Submission.Type

/**
 * How many jobs there are. `submitted` is SQLite's own count of the rows it has ever inserted, and so an account that
 * does not follow from the others: a row that vanished would show.
 */
export const Counts = Schema.Struct({
  submitted: Schema.Int,
  waiting: Schema.Int,
  running: Schema.Int,
  done: Schema.Int,
  parked: Schema.Int
})
export type Counts = typeof Counts.Type

/** Renders counts as one line. */
export const formatCounts = (counts: Counts): string =>
  `${counts.submitted} submitted: ${counts.done} done, ${counts.parked} parked, ` +
  `${counts.running} running, ${counts.waiting} waiting`
