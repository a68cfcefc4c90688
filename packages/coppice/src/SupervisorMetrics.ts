/**
 * Metrics of supervisors, as Effect `Metric`s.
 *
 * They are off by default. Where they are on, each supervisor registers its series, labelled with its path (`supervisor`),
 * and removes them when it has ended. Nothing is updated while children crash and restart: the values are read from the
 * supervisor when somebody asks, `Metric.snapshot` or an exporter such as `PrometheusMetrics`.
 *
 * | metric | kind | labels besides |
 * | --- | --- | --- |
 * | `coppice_children` | gauge | `state` |
 * | `coppice_restarts` | counter | `reason` |
 * | `coppice_give_ups` | counter | |
 * | `coppice_abandoned` | counter | |
 * | `coppice_time_to_restart_millis` | histogram | |
 * | `coppice_uptime_millis` | gauge | |
 * | `coppice_mailbox_length` | gauge | |
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { MetricsOn } from "./internal/tally.ts"

/**
 * Turns the metrics on for the supervisors that are built with it.
 *
 * **Example** (How many children run)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor, SupervisorMetrics } from "coppice"
 * import { Effect, Metric } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [Child.effect("a", Effect.never), Child.effect("b", Effect.never)]
 *   })
 *   const snapshot = yield* Metric.snapshot
 *   return snapshot.find(({ attributes, id }) => id === "coppice_children" && attributes?.["state"] === "running")?.state
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(SupervisorMetrics.layer))) // => ({ value: 2 })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.succeed(MetricsOn, true)
