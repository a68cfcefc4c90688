import * as Metric from "effect/Metric"
import type { ExitReason } from "../ExitReason.ts"
import type { ChildState } from "./children.ts"
import type { SupervisorCore } from "./supervisorCore.ts"
import { bucketsMillis, type Tally } from "./tally.ts"

const children = Metric.gauge("coppice_children", { description: "Children of a supervisor, by state" })
const restarts = Metric.counter("coppice_restarts", {
  description: "Restarts a supervisor has begun, by the reason of the exit",
  incremental: true
})
const giveUps = Metric.counter("coppice_give_ups", {
  description: "How often a supervisor has given up",
  incremental: true
})
const abandoned = Metric.counter("coppice_abandoned", {
  description: "Children that did not end in their shutdown time",
  incremental: true
})
const finiteBounds = bucketsMillis.filter(Number.isFinite)
const timeToRestart = Metric.histogram("coppice_time_to_restart_millis", {
  description: "The time from the end of a child until it runs again, in milliseconds",
  boundaries: finiteBounds
})
const uptime = Metric.gauge("coppice_uptime_millis", { description: "How long a supervisor is up, in milliseconds" })
const mailbox = Metric.gauge("coppice_mailbox_length", { description: "Messages a supervisor has not yet handled" })

const states: ReadonlyArray<ChildState> = ["starting", "running", "restarting", "stopping", "stopped", "failed"]

const reasons: ReadonlyArray<ExitReason["_tag"]> = [
  "Normal",
  "Shutdown",
  "Failure",
  "Defect",
  "Interrupted",
  "Killed",
  "StartFailed",
  "StartTimedOut",
  "Unhealthy",
  "ProviderDown",
  "GaveUp"
]

const countInState = (core: SupervisorCore, state: ChildState): number => {
  let count = 0
  for (const entry of core.children) if (entry.state === state) count++
  return count
}

/**
 * Registers the series of a supervisor, which are read from its state when somebody asks. The answer removes them.
 */
export const registerMetrics = (core: SupervisorCore, tally: Tally): () => void => {
  const attributes = { supervisor: core.path }
  const registered: Array<Metric.Registration> = []
  const register = <Input, State>(
    metric: Metric.Metric<Input, State>,
    labels: Readonly<Record<string, string>>,
    get: () => State
  ) => {
    const labelled = Metric.withAttributes(metric, { ...attributes, ...labels })
    registered.push(Metric.registerUnsafe(labelled, core.context, { get, update: () => {}, modify: () => {} }))
  }
  for (const state of states) register(children, { state }, () => ({ value: countInState(core, state) }))
  for (const reason of reasons) {
    register(restarts, { reason }, () => ({ count: tally.restarts.get(reason) ?? 0, incremental: true }))
  }
  register(giveUps, {}, () => ({ count: tally.giveUps, incremental: true }))
  register(abandoned, {}, () => ({ count: tally.abandonments, incremental: true }))
  register(timeToRestart, {}, () => histogram(tally))
  register(
    uptime,
    {},
    () => ({ value: core.startedAtMillis === undefined ? 0 : core.nowMillis() - core.startedAtMillis })
  )
  register(mailbox, {}, () => ({ value: core.mailbox.length }))
  return () => registered.forEach((registration) => registration.remove())
}

// As Effect's own: a bucket counts all that is at most its bound, and what is beyond the last is in `count` alone.
const histogram = ({ timesToRestart }: Tally): Metric.HistogramState => {
  let total = 0
  const buckets = finiteBounds.map((bound, index): [number, number] => {
    total += timesToRestart.buckets[index] ?? 0
    return [bound, total]
  })
  const { count, max, min, sum } = timesToRestart
  return { buckets, count, max, min, sum }
}
