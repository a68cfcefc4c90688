import type { Verdict } from "../SupervisorEvent.ts"
import type { Entry } from "./children.ts"
import { giveUpRef } from "./refs.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** Whether a child that is down stays listed: not a temporary one (rule R3), and none of a dynamic supervisor (D3). */
const staysListed = (core: SupervisorCore, entry: Entry): boolean =>
  core.dynamic === undefined && entry.spec.restart !== "temporary"

/** The verdict on a child that is not restarted: a dynamic supervisor keeps none that is down, and none is significant. */
export const withoutKeeping = (core: SupervisorCore, verdict: Verdict): Verdict =>
  core.dynamic === undefined ? verdict : "remove"

/** A child is down: it stays listed, or it is forgotten. */
export const keepOrForget = (core: SupervisorCore, entry: Entry): void => {
  if (!staysListed(core, entry)) core.forget(entry)
}

/**
 * A child is down, and nothing is going to start it again: it stays listed, or it is forgotten, and whoever waits for it
 * is told. In this order, as who is told may ask for it again at once.
 */
export const endForGood = (core: SupervisorCore, entry: Entry): void => {
  keepOrForget(core, entry)
  giveUpRef(core, entry)
  if (core.dynamic === undefined) return
  for (const run of core.dynamic.takeWaiting(entry)) core.report.guard(run)
}
