/**
 * What happens in a supervision tree, as one Schema union.
 *
 * Each event names the `path` of the child or supervisor it is about, its `incarnation` (1 for the first start) and the
 * time in milliseconds since the epoch. A child's life is `ChildStarting`, then `ChildStarted`, `ChildIgnored` or
 * `ChildStartFailed`; a child that started ends with `ChildExited` when it left by itself, or with `ChildStopped` when
 * its supervisor stopped it and its resources are released. Where a child would not go in its time there is a
 * `ChildAbandoned`, after the `ChildExited` or before the `ChildStopped`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExitReason, format as formatReason } from "./ExitReason.ts"

const about = { path: Schema.String, incarnation: Schema.Int, timeMillis: Schema.Finite }

/**
 * A supervisor is up: every one of its children has started (rule S2).
 *
 * @category events
 * @since 0.1.0
 */
export const SupervisorStarted = Schema.TaggedStruct("SupervisorStarted", about)

/**
 * A supervisor that was up has ended, after all its children. `reason` is `Shutdown` or `GaveUp`.
 *
 * @category events
 * @since 0.1.0
 */
export const SupervisorStopped = Schema.TaggedStruct("SupervisorStopped", { ...about, reason: ExitReason })

/**
 * A supervisor gives up on its child `child` (rule I7). Its children are stopped next.
 *
 * @category events
 * @since 0.1.0
 */
export const SupervisorGaveUp = Schema.TaggedStruct("SupervisorGaveUp", {
  ...about,
  child: Schema.String,
  reason: ExitReason
})

/**
 * A start of a child begins.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildStarting = Schema.TaggedStruct("ChildStarting", about)

/**
 * A start of a child has succeeded.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildStarted = Schema.TaggedStruct("ChildStarted", about)

/**
 * A child that has a readiness probe is ready: its later siblings are started now.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildReady = Schema.TaggedStruct("ChildReady", about)

/**
 * What a child's liveness probe finds has changed. The end of one that is unhealthy is a `ChildExited`.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildHealthChanged = Schema.TaggedStruct("ChildHealthChanged", {
  ...about,
  health: Schema.Literals(["unknown", "healthy", "failing"])
})

/**
 * A start answered `Child.ignore`: nothing runs, and that is no failure (rule S5).
 *
 * @category events
 * @since 0.1.0
 */
export const ChildIgnored = Schema.TaggedStruct("ChildIgnored", about)

/**
 * A start of a child has failed.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildStartFailed = Schema.TaggedStruct("ChildStartFailed", { ...about, reason: ExitReason })

/**
 * What a supervisor does about a child that left: restart it, list it as down, forget it, shut itself down because the
 * child was significant, give up, or list it as failed because its backoff has ended.
 *
 * @category models
 * @since 0.1.0
 */
export const Verdict = Schema.Literals(["restart", "keep", "remove", "shut-down", "give-up", "fail"])

/**
 * What a supervisor does about a child that left.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = typeof Verdict.Type

/**
 * A child left by itself; `verdict` is what happens next.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildExited = Schema.TaggedStruct("ChildExited", { ...about, reason: ExitReason, verdict: Verdict })

/**
 * A child is about to be started again, the first time or in a retry; under a group strategy its group with it.
 * `incarnation` is that of the incarnation that ended.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildRestarting = Schema.TaggedStruct("ChildRestarting", { ...about, reason: ExitReason })

/**
 * A child waits before it is restarted, by its backoff; under a group strategy its group is stopped and waits with it.
 * `incarnation` is that of the incarnation that ended.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildBackingOff = Schema.TaggedStruct("ChildBackingOff", {
  ...about,
  reason: ExitReason,
  // @effect-diagnostics-next-line schemaNumber:off - a schedule may wait for ever
  delayMillis: Schema.Number
})

/**
 * A child is down for good, as its backoff is exhausted: only `restartChild` starts it again, and no group restart does.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildFailed = Schema.TaggedStruct("ChildFailed", { ...about, reason: ExitReason })

/**
 * A child has been stopped by its supervisor and its resources are released.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildStopped = Schema.TaggedStruct("ChildStopped", about)

/**
 * A child did not end in its `shutdown` time and is no longer waited for: `"fiber"`, it would not be interrupted, or
 * `"scope"`, a finalizer did not return. Its scope is closed all the same, and its number is void.
 *
 * @category events
 * @since 0.1.0
 */
export const ChildAbandoned = Schema.TaggedStruct("ChildAbandoned", {
  ...about,
  waitingFor: Schema.Literals(["fiber", "scope"])
})

/**
 * What happens in a supervision tree.
 *
 * @category models
 * @since 0.1.0
 */
export const SupervisorEvent = Schema.Union([
  SupervisorStarted,
  SupervisorStopped,
  SupervisorGaveUp,
  ChildStarting,
  ChildStarted,
  ChildReady,
  ChildHealthChanged,
  ChildIgnored,
  ChildStartFailed,
  ChildExited,
  ChildRestarting,
  ChildBackingOff,
  ChildFailed,
  ChildStopped,
  ChildAbandoned
])

/**
 * What happens in a supervision tree.
 *
 * @category models
 * @since 0.1.0
 */
export type SupervisorEvent = typeof SupervisorEvent.Type

const verdicts: Record<Verdict, string> = {
  "restart": "it is restarted",
  "keep": "it stays down",
  "remove": "it is removed",
  "shut-down": "its supervisor shuts down",
  "give-up": "its supervisor gives up",
  "fail": "it stays down, as its backoff is exhausted"
}

/**
 * Renders an event as one line, without its time.
 *
 * **Example** (Events for people)
 *
 * ```ts import.meta.vitest
 * import { SupervisorEvent } from "coppice"
 *
 * SupervisorEvent.format({ _tag: "ChildStarted", path: "app/clock", incarnation: 2, timeMillis: 0 }) // => "app/clock started (incarnation 2)"
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (event: SupervisorEvent): string => {
  switch (event._tag) {
    case "SupervisorStarted":
      return `${event.path} is up`
    case "SupervisorStopped":
      return `${event.path} has ended: ${formatReason(event.reason)}`
    case "SupervisorGaveUp":
      return `${event.path} gives up on "${event.child}", which ${formatReason(event.reason)}`
    case "ChildStarting":
      return `${event.path} starting (incarnation ${event.incarnation})`
    case "ChildStarted":
      return `${event.path} started (incarnation ${event.incarnation})`
    case "ChildReady":
      return `${event.path} is ready`
    case "ChildHealthChanged":
      return `${event.path} is ${event.health}`
    case "ChildIgnored":
      return `${event.path} has nothing to run`
    case "ChildStartFailed":
      return `${event.path} ${formatReason(event.reason)}`
    case "ChildExited":
      return `${event.path} ${formatReason(event.reason)}; ${verdicts[event.verdict]}`
    case "ChildRestarting":
      return `${event.path} restarting`
    case "ChildBackingOff":
      return `${event.path} waits ${event.delayMillis} ms before it is restarted`
    case "ChildFailed":
      return `${event.path} stays down: ${formatReason(event.reason)}`
    case "ChildStopped":
      return `${event.path} stopped`
    case "ChildAbandoned":
      return `${event.path} abandoned: its ${event.waitingFor} did not end in time`
  }
}
