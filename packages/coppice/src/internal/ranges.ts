import * as Effect from "effect/Effect"
import { type ExitReason, killed, shutdown } from "../ExitReason.ts"
import { isGivenUp } from "./backoff.ts"
import type { Entry } from "./children.ts"
import type { Incarnation } from "./incarnation.ts"
import { endForGood } from "./keeping.ts"
import { start, type StartOutcome } from "./starting.ts"
import type { Step } from "./steps.ts"
import { end } from "./stopping.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** The child whose start failed, and why. */
export interface StartFailure {
  readonly entry: Entry
  readonly reason: ExitReason
  /** Whether it asked for the supervisor to give up. */
  readonly escalated: boolean
}

/** How a start that is not over at once comes out; `undefined` is that the child has started. */
export type Started = StartFailure | "ignored" | "aborted" | undefined

/**
 * Starts one child and clears up after a start that did not succeed. The child is then down: *stopped* when its start
 * was aborted, *failed* when it failed; one that answered `Child.ignore` stays listed unless it is temporary (rule S5).
 * Answers `undefined` where it has started at once.
 */
export const startOne = (core: SupervisorCore, entry: Entry): Step<Started> | undefined => {
  const starting = start(core, entry)
  // Stryker disable next-line ConditionalExpression,StringLiteral: to take steps that have nothing to do would only take time
  return starting === "started" ? undefined : settle(core, entry, starting)
}

function* settle(
  core: SupervisorCore,
  entry: Entry,
  starting: StartOutcome | Effect.Effect<StartOutcome>
): Step<Started> {
  const outcome: StartOutcome = Effect.isEffect(starting) ? yield starting : starting
  if (outcome === "started") return
  const incarnation = entry.incarnation!
  entry.state = "stopping"
  const ending = end(incarnation)
  if (ending !== undefined) yield ending
  entry.down(typeof outcome === "object" ? "failed" : "stopped")
  if (outcome === "aborted") {
    // It has been said to have started, and was still to become ready.
    if (incarnation.probing !== undefined) incarnation.publish("ChildStopped")
    return outcome
  }
  const about = { path: incarnation.path, incarnation: incarnation.number, timeMillis: core.nowMillis() }
  if (outcome === "ignored") {
    incarnation.publish("ChildIgnored")
    endForGood(core, entry)
    return outcome
  }
  entry.exitReason = outcome
  entry.exitedAtMillis = about.timeMillis
  // Stryker disable next-line ConditionalExpression,EqualityOperator: telling nobody would only take time
  if (core.events.heard > 0) core.publish({ _tag: "ChildStartFailed", ...about, reason: outcome })
  core.report.startFailed(incarnation, outcome)
  return { entry, reason: outcome, escalated: incarnation.escalated }
}

/** Starts the children from `first` on, in order, until one fails or a stop order comes (rules S1, S3, G2, G3). */
export function* startFrom(
  core: SupervisorCore,
  first: Entry | undefined,
  restarting: boolean
): Step<StartFailure | undefined> {
  for (let entry = first; entry !== undefined && !core.stopOrdered;) {
    const next: Entry | undefined = entry.next
    if (!restarting || !isGivenUp(core, entry)) {
      if (restarting) entry.restarts++
      const starting = startOne(core, entry)
      if (starting !== undefined) {
        const outcome = yield* starting
        if (typeof outcome === "object") return outcome
      }
    }
    entry = next
  }
  return
}

/**
 * Stops the running children from the last back to `first`, one at a time, each gone before the next is asked (rules T1,
 * T6, G6). Temporary ones are forgotten where the range is about to be started again (rule G4).
 */
export function* stopDownTo(core: SupervisorCore, first: Entry | undefined, forgetTemporary: boolean): Step {
  for (let entry = core.children.last; entry !== undefined;) {
    const previous: Entry | undefined = entry === first ? undefined : entry.previous
    const ending = stopOne(core, entry)
    if (ending !== undefined) yield ending
    if (forgetTemporary && entry.spec.restart === "temporary") {
      endForGood(core, entry)
    }
    entry = previous
  }
}

const askedToShutDown = shutdown()

/** Stops one child if it runs, and cancels its retry if one is pending. */
export const stopOne = (core: SupervisorCore, entry: Entry): Effect.Effect<void> | undefined => {
  const { incarnation } = entry
  if (incarnation === undefined) {
    if (entry.state !== "failed") entry.down("stopped")
    return undefined
  }
  entry.state = "stopping"
  const { left } = incarnation
  if (left !== undefined) core.report.swallowed(incarnation, left)
  const ending = end(incarnation)
  if (ending !== undefined) return Effect.map(ending, () => hasStopped(core, incarnation, left))
  hasStopped(core, incarnation, left)
  return undefined
}

const hasStopped = (core: SupervisorCore, incarnation: Incarnation, left: ExitReason | undefined): void => {
  const { entry } = incarnation
  entry.down("stopped")
  entry.exitReason = left ?? (entry.spec.shutdown === "brutal-kill" ? killed : askedToShutDown)
  entry.exitedAtMillis = core.nowMillis()
  incarnation.publish("ChildStopped")
  core.report.stopped(incarnation)
}
