/**
 * How long a child waits before it is restarted.
 *
 * A backoff is a `Schedule`, stepped once for each restart of a child: it answers how long to wait, and ends when the child
 * should not be restarted any more. OTP has none, and here too a restart is made at once unless a child says otherwise. The
 * wait does not hold up the supervisor: siblings live, calls are answered, a stop cancels it. What the schedule itself does
 * in a step the supervisor waits for: it is to answer at once.
 *
 * Any schedule will do; this module has the usual ones.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import type { ExitReason } from "./ExitReason.ts"

/**
 * What a schedule is stepped with: why the child ended, how long it was up (zero if it did not start), and which attempt
 * this is since its account was opened, from 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input {
  readonly reason: ExitReason
  readonly uptime: Duration.Duration
  readonly attempt: number
}

/**
 * A schedule that can be a child's backoff.
 *
 * @category models
 * @since 0.1.0
 */
export type Backoff = Schedule.Schedule<unknown, Input>

/**
 * Waits `base`, then twice as long each time, never longer than `cap`.
 *
 * **Example** (Half a second to half a minute)
 *
 * ```ts import.meta.vitest
 * import { Backoff, Child } from "coppice"
 * import { Effect } from "effect"
 *
 * const db = Child.effect("db", Effect.never, { backoff: Backoff.exponential("500 millis", "30 seconds") })
 *
 * db.id // => "db"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const exponential = (base: Duration.Input, cap: Duration.Input): Backoff =>
  Schedule.min([Schedule.exponential(base), Schedule.spaced(cap)])

/**
 * Waits the same each time.
 *
 * **Example** (Not retrying a bad password)
 *
 * ```ts import.meta.vitest
 * import { Backoff, Child } from "coppice"
 * import { Effect, Schedule } from "effect"
 *
 * const backoff = Backoff.fixed("5 seconds").pipe(
 *   Schedule.while(({ input }) => !(input.reason._tag === "Failure" && input.reason.error === "bad password"))
 * )
 * const db = Child.effect("db", Effect.never, { backoff, onExhausted: "give-up" })
 *
 * db.id // => "db"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fixed = (delay: Duration.Input): Backoff => Schedule.spaced(delay)

/**
 * Shortens or lengthens each wait by up to a fifth at random, so that children that ended together do not come back
 * together.
 *
 * @category combinators
 * @since 0.1.0
 */
export const jittered = <I>(backoff: Schedule.Schedule<unknown, I>): Schedule.Schedule<unknown, I> =>
  Schedule.jittered(backoff)
