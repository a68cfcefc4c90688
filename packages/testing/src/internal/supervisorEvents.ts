import type { ExitReason, SupervisorEvent } from "coppice"
import {
  expectChildrenEnded,
  type ObservedChild,
  type ObservedSupervisor,
  type ObservedTree,
  type Wrong
} from "./observedTree.ts"
import { expectRunOver } from "./turns.ts"

type Event = SupervisorEvent.SupervisorEvent

/** The events of a supervisor itself. */
export type OfSupervisor = Extract<Event, { readonly _tag: `Supervisor${string}` }>

/** Checks an event of a supervisor against what went before. */
export const readSupervisorEvent = (tree: ObservedTree, event: OfSupervisor, wrong: Wrong): void => {
  const known = tree.supervisor(event.path)
  const isAnother = event._tag === "SupervisorStarted" && known?.state === "ended"
  const supervisor = known === undefined || isAnother ? tree.build(event.path, wrong) : known
  const host = supervisor.host?.incarnation
  if (host !== undefined && host !== event.incarnation) wrong(`it lives in incarnation ${host} (R7)`)
  switch (event._tag) {
    case "SupervisorStarted":
      return started(supervisor, wrong)
    case "SupervisorGaveUp":
      return gaveUp(supervisor, event, wrong)
    case "SupervisorStopped":
      return stopped(supervisor, event.reason, wrong)
  }
}

const started = (supervisor: ObservedSupervisor, wrong: Wrong): void => {
  if (supervisor.state !== "starting") wrong(`it was ${supervisor.state} (S2)`)
  if (supervisor.ending !== undefined) wrong("its start has failed or was aborted (S3)")
  for (const child of supervisor.children.values()) {
    if (child.incarnation === 0) wrong(`${child.path} has not been started (S2)`)
  }
  if (supervisor.starting !== undefined) wrong(`${supervisor.starting.path} is starting (S2)`)
  supervisor.state = "up"
  supervisor.run = undefined
}

const gaveUp = (
  supervisor: ObservedSupervisor,
  event: Extract<Event, { readonly _tag: "SupervisorGaveUp" }>,
  wrong: Wrong
): void => {
  if (supervisor.state !== "up") wrong(`it was ${supervisor.state} (I7)`)
  expectRunOver(supervisor, wrong)
  const { starting } = supervisor
  if (starting !== undefined && !supervisor.mayBeDynamic) wrong(`${starting.path} is starting (S8)`)
  const child = supervisor.children.get(event.child)
  if (child === undefined) wrong(`it has no child "${event.child}" (I7)`)
  else if (child.state !== "down" && child.state !== "leaving") wrong(`${child.path} is ${child.state} (I7)`)
  const { judged } = supervisor
  const isJudged = judged !== undefined && judged.child === child
  supervisor.gaveUp = { child, atMillis: isJudged ? judged.atMillis : event.timeMillis }
  supervisor.state = "gave up"
}

const stopped = (supervisor: ObservedSupervisor, reason: ExitReason.ExitReason, wrong: Wrong): void => {
  const { gaveUp, state } = supervisor
  if (state !== "up" && state !== "gave up") wrong(`it was ${state}`)
  if ((reason._tag === "GaveUp") !== (gaveUp !== undefined)) wrong("its reason is another (I7)")
  else if (supervisor.ending === "give-up" && gaveUp === undefined) wrong("it was to give up (I7)")
  else if (reason._tag === "GaveUp") expectNoRestartLeft(supervisor, gaveUp?.child, reason.error.pattern, wrong)
  expectChildrenEnded(supervisor, wrong)
  supervisor.state = "ended"
}

// Why it gave up is said at its end only.
const expectNoRestartLeft = (
  supervisor: ObservedSupervisor,
  child: ObservedChild | undefined,
  pattern: ExitReason.RestartIntensityExceeded["pattern"],
  wrong: Wrong
): void => {
  const { gaveUp, settings } = supervisor
  if (pattern === "escalated") return
  if (child?.mustHaveEscalated === true) wrong(`${child.path} was not to be restarted, and did not escalate (R2, R3)`)
  if (pattern === "exhausted") {
    if (child?.rules !== undefined && child.rules.onExhausted !== "escalate") {
      wrong(`${child.path} has no backoff whose end makes its supervisor give up`)
    }
  } else if (settings !== undefined && gaveUp !== undefined) {
    const counted = supervisor.restartsWithin(settings.periodMillis, gaveUp.atMillis)
    if (counted < settings.intensity) wrong(`it had restarts left: ${counted} of ${settings.intensity} (I1)`)
  }
}
