/**
 * One restart policy in words and numbers, as a configuration file has it.
 *
 * A `RestartPolicy` says of one program whether it is restarted, how often, and how long it waits in between: what process
 * supervisors call on-failure, always and never. It is a Schema, so that it is read from JSON and written back unchanged,
 * and `toOptions` makes of it the options of a child. When its restarts are used up the child is *failed*: it stays down,
 * and its siblings are none the worse.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Backoff } from "./Backoff.ts"
import type { RestartType } from "./Child.ts"

/**
 * Which exits a program is restarted after: `"on-failure"`, `"always"` or `"never"`, OTP's *transient*, *permanent* and
 * *temporary*.
 *
 * @category models
 * @since 0.1.0
 */
export const Mode = Schema.Literals(["on-failure", "always", "never"])

/**
 * Which exits a program is restarted after.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = typeof Mode.Type

const withDefault = <S extends Schema.Top & Schema.WithoutConstructorDefault>(schema: S, value: S["Type"]) =>
  Schema.withConstructorDefault<Schema.withDecodingDefaultTypeKey<S>>(Effect.succeed(value))(
    Schema.withDecodingDefaultTypeKey<S>(Effect.succeed(value))(schema)
  )

const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const Restarts = Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))

/**
 * A restart policy. A field that is left out has its default.
 *
 * **Details**
 *
 * - `mode`: default `"on-failure"`.
 * - `maxRestarts`: how many restarts there are until the child has been up for `resetAfterMillis`; -1 is any number, 0 runs
 *   it once. Default 10.
 * - `startupMaxRestarts`: how many of them may follow an end within `startupGraceMillis` of the start, or a start that
 *   failed, in a row: a program that has never come up is not tried as often. -1 is any number. Default 3.
 * - `startupGraceMillis`: how long a program has to be up for its start to have gone well. Default 2 seconds.
 * - `initialDelayMillis`: how long it waits before the first restart, and twice as long each time. Default half a second.
 * - `maxDelayMillis`: the longest wait. Default 30 seconds.
 * - `resetAfterMillis`: how long it has to be up for all counts and waits to begin anew. Default 1 minute.
 *
 * **Example** (A policy from a configuration file)
 *
 * ```ts import.meta.vitest
 * import { RestartPolicy } from "coppice"
 * import { Schema } from "effect"
 *
 * const policy = Schema.decodeUnknownSync(RestartPolicy.RestartPolicy)({ mode: "always", maxRestarts: -1 })
 *
 * policy.maxRestarts // => -1
 * policy.maxDelayMillis // => 30000
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export const RestartPolicy = Schema.Struct({
  mode: withDefault(Mode, "on-failure"),
  maxRestarts: withDefault(Restarts, 10),
  startupMaxRestarts: withDefault(Restarts, 3),
  startupGraceMillis: withDefault(Millis, 2000),
  initialDelayMillis: withDefault(Millis, 500),
  maxDelayMillis: withDefault(Millis, 30_000),
  resetAfterMillis: withDefault(Millis, 60_000)
})

/**
 * A restart policy.
 *
 * @category models
 * @since 0.1.0
 */
export type RestartPolicy = typeof RestartPolicy.Type

/**
 * Creates a policy; what is left out has its default.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: Partial<RestartPolicy> = {}): RestartPolicy => RestartPolicy.make(fields)

/**
 * The options of a child that say what a policy says.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly restart: RestartType
  readonly backoff: Backoff
  readonly resetAfter: Duration.Duration
  readonly onExhausted: "give-up"
}

const restartTypes: Record<Mode, RestartType> = {
  "on-failure": "transient",
  "always": "permanent",
  "never": "temporary"
}

/**
 * Makes of a policy the options of a child.
 *
 * **Gotchas**
 *
 * The intensity of the supervisor counts these restarts as well: where a policy allows more in a short time than the
 * standard of 3 in 5 seconds, raise it.
 *
 * **Example** (A child with a policy)
 *
 * ```ts import.meta.vitest
 * import { Child, RestartPolicy } from "coppice"
 * import { Effect } from "effect"
 *
 * const policy = RestartPolicy.make({ mode: "always", maxRestarts: 5, maxDelayMillis: 60_000 })
 * const web = Child.effect("web", Effect.never, { ...RestartPolicy.toOptions(policy), shutdown: "10 seconds" })
 *
 * web.restart // => "permanent"
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const toOptions = (policy: RestartPolicy): Options => ({
  restart: restartTypes[policy.mode],
  backoff: backoff(policy),
  resetAfter: Duration.millis(policy.resetAfterMillis),
  onExhausted: "give-up"
})

const within = (count: number, limit: number): boolean => limit === -1 || count <= limit

// Counted by hand and not composed of other schedules: how often in a row the start went wrong is not theirs to know.
const backoff = (policy: RestartPolicy): Backoff =>
  Schedule.fromStep(Effect.sync(() => {
    let startups = 0
    return (_now, { attempt, uptime }) => {
      startups = Duration.toMillis(uptime) < policy.startupGraceMillis ? startups + 1 : 0
      const goesOn = within(attempt, policy.maxRestarts) && within(startups, policy.startupMaxRestarts)
      if (!goesOn) return Cause.done(attempt)
      const millis = policy.initialDelayMillis * 2 ** (attempt - 1)
      const delay = Duration.millis(Math.min(millis, policy.maxDelayMillis))
      return Effect.succeed([attempt, delay])
    }
  }))
