import * as Context from "effect/Context"
import type { ExitReason } from "../ExitReason.ts"
import type { Entry } from "./children.ts"

/** Whether supervisors built here have metrics. */
export const MetricsOn = Context.Reference<boolean>("coppice/internal/tally/MetricsOn", { defaultValue: () => false })

/** The upper bounds of the buckets of the time to restart, in milliseconds. */
export const bucketsMillis: ReadonlyArray<number> = [1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 60_000, Infinity]

/** What a supervisor counts for its metrics, as plain numbers that are read when somebody asks. */
export class Tally {
  readonly restarts = new Map<ExitReason["_tag"], number>()
  readonly timesToRestart = { buckets: bucketsMillis.map(() => 0), count: 0, min: 0, max: 0, sum: 0 }
  giveUps = 0
  abandonments = 0
  // Since when those children are down that are going to be restarted.
  private readonly since = new WeakMap<Entry, number>()

  /** A child is down, and is going to be restarted. */
  down(entry: Entry, nowMillis: number): void {
    if (!this.since.has(entry)) this.since.set(entry, nowMillis)
  }

  /** A restart begins, or is tried again. */
  restarting(entry: Entry, reason: ExitReason, nowMillis: number): void {
    this.restarts.set(reason._tag, (this.restarts.get(reason._tag) ?? 0) + 1)
    this.down(entry, nowMillis)
  }

  /** What starts it next is no restart. */
  forget(entry: Entry): void {
    this.since.delete(entry)
  }

  started(entry: Entry, nowMillis: number): void {
    const since = this.since.get(entry)
    if (since === undefined) return
    this.since.delete(entry)
    const millis = nowMillis - since
    const times = this.timesToRestart
    const bucket = bucketsMillis.findIndex((bound) => millis <= bound)
    times.buckets[bucket] = (times.buckets[bucket] ?? 0) + 1
    times.min = times.count === 0 ? millis : Math.min(times.min, millis)
    times.max = Math.max(times.max, millis)
    times.count++
    times.sum += millis
  }

  gaveUp(): void {
    this.giveUps++
  }

  abandoned(): void {
    this.abandonments++
  }
}
