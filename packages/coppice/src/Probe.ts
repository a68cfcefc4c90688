/**
 * How to find out whether a child is ready, and whether it is still well.
 *
 * A *readiness* probe holds a start: the child has started when its check first succeeds, and later siblings wait for that.
 * A *liveness* probe goes on as long as the child lives: when its check has failed too often the incarnation ends with the
 * reason `Unhealthy`, and is judged like any other. It is how a resource says that it is broken: the check may use what the
 * child has built.
 *
 * Checks of one probe never overlap, and none outlives its incarnation.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/**
 * A check, and how it is repeated.
 *
 * - `check`: succeeds if all is well. What the last check of a liveness probe failed with is told in the reason. Each check
 *   has a scope of its own.
 * - `interval`: the time between the end of a check and the next; default 1 second for a readiness, 10 seconds for a liveness
 *   probe.
 * - `timeout`: a check that takes longer has failed; default 1 second.
 *
 * @category models
 * @since 0.1.0
 */
export interface Probe<out R> {
  readonly check: Effect.Effect<unknown, unknown, R>
  readonly interval?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * A liveness probe.
 *
 * - `name`: what messages call it; default `"liveness"`.
 * - `startPeriod`: the time before the first check; default none.
 * - `failureThreshold`: how many checks in a row have to fail; default 3.
 * - `successThreshold`: how many checks in a row have to succeed for the child to be healthy, the first time and after a
 *   failure; default 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Liveness<out R> extends Probe<R> {
  readonly name?: string | undefined
  readonly startPeriod?: Duration.Input | undefined
  readonly failureThreshold?: number | undefined
  readonly successThreshold?: number | undefined
}
