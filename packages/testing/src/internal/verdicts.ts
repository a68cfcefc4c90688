import { ExitReason, type SupervisorEvent } from "coppice"
import type { ObservedChild } from "./observedTree.ts"

/**
 * What a supervisor may do about a child that left for this reason; undefined where that is not known. Each may also be
 * given up on, by `Child.escalate`.
 */
export const expectedVerdicts = (
  child: ObservedChild,
  reason: ExitReason.ExitReason
): ReadonlyArray<SupervisorEvent.Verdict> | undefined => {
  const { rules, supervisor: { settings } } = child
  if (rules === undefined || settings === undefined) return undefined
  const ends = rules.significant ? endsSupervisor(child) : [false]
  const either = (whenItEnds: SupervisorEvent.Verdict, else_: SupervisorEvent.Verdict) =>
    ends.map((end) => end ? whenItEnds : else_)
  if (isRestarted(rules.restart, reason)) {
    return ["restart", "give-up", ...(rules.onExhausted === "give-up" ? either("shut-down", "fail") : [])]
  }
  const isKept = rules.restart !== "temporary" && settings.dynamic !== true
  return ["give-up", ...either("shut-down", isKept ? "keep" : "remove")]
}

/** Rules R1 to R3. */
export const isRestarted = (
  restart: "permanent" | "transient" | "temporary",
  reason: ExitReason.ExitReason
): boolean => restart === "permanent" || (restart === "transient" && !ExitReason.isClean(reason))

// Rules A1, A2, A4: whether the end of a significant child ends its supervisor, or may do so.
const endsSupervisor = (child: ObservedChild): ReadonlyArray<boolean> => {
  const { children, settings } = child.supervisor
  if (settings?.autoShutdown !== "all-significant") return [settings?.autoShutdown === "any-significant"]
  const others = Array.from(children.values()).filter((other) => other !== child && !other.forgotten)
  if (others.some(({ rules, state }) => rules?.significant === true && state !== "down")) return [false]
  // A restart that is due may have been cancelled by a call, and one of whom nothing is known may be significant.
  return others.some(({ due, rules, state }) =>
      rules === undefined ? state !== "down" || due : rules.significant && due
    )
    ? [true, false]
    : [true]
}
