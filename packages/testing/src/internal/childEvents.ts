import type { SupervisorEvent } from "coppice"
import {
  expectNothingInside,
  type ObservedChild,
  type ObservedSupervisor,
  type ObservedTree,
  type Wrong
} from "./observedTree.ts"
import { affected, expectRunOver, expectStopOrder, expectStopped, expectTurn, isPaused } from "./turns.ts"
import { expectedVerdicts, isRestarted } from "./verdicts.ts"

type Event = SupervisorEvent.SupervisorEvent

type Tagged<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>

/** The events of a child. */
export type OfChild = Tagged<Extract<Event["_tag"], `Child${string}`>>

/** Checks an event of a child against what went before. */
export const readChildEvent = (tree: ObservedTree, event: OfChild, wrong: Wrong): void => {
  const child = event._tag === "ChildStarting" ? startingChild(tree, event, wrong) : tree.child(event.path)
  if (child === undefined) return wrong("it has not been started (R7)")
  const { supervisor } = child
  supervisor.settings ??= tree.knowledge.settings(supervisor.path)
  child.rules ??= tree.knowledge.rules(child.path)
  child.mayBeCancelled = false
  if (supervisor.state === "ended") wrong("its supervisor has ended (T1)")
  if (event._tag !== "ChildStarting") {
    if (supervisor.starting !== child && event._tag !== "ChildHealthChanged") {
      expectAnswered(supervisor, event._tag, wrong)
    }
    if (event.incarnation !== child.incarnation) wrong(`its incarnation is ${child.incarnation} (R7)`)
  }
  switch (event._tag) {
    case "ChildStarting":
      return starting(tree, child, event, wrong)
    case "ChildStarted":
      return started(child, wrong)
    case "ChildReady":
      return ready(child, wrong)
    case "ChildIgnored":
    case "ChildStartFailed":
      return notStarted(child, event._tag, wrong)
    case "ChildHealthChanged":
      return healthChanged(child, wrong)
    case "ChildExited":
      return exited(child, event, wrong)
    case "ChildBackingOff":
      return backingOff(child, event.delayMillis, wrong)
    case "ChildRestarting":
      return restarting(child, event.timeMillis, wrong)
    case "ChildFailed":
      return failed(child, wrong)
    case "ChildStopped":
      return stopped(tree, child, wrong)
    case "ChildAbandoned":
      return tree.abandon(child)
  }
}

// The child that a start is for. A supervisor that is over may be built once more in the same place; a child that is not
// known has been added by a call, and one that begins with number 1 again has been deleted before.
const startingChild = (tree: ObservedTree, { incarnation, path }: Tagged<"ChildStarting">, wrong: Wrong) => {
  const { above, id, supervisor: known } = tree.supervisorOf(path)
  const isBuiltAgain = known?.isOver === true && incarnation === 1 &&
    (known.state === "ended" || (known.children.get(id)?.incarnation ?? 0) > 0)
  const supervisor = known === undefined || isBuiltAgain ? tree.build(above, wrong) : known
  expectAnswered(supervisor, "ChildStarting", wrong)
  const child = supervisor.children.get(id)
  if (child !== undefined) return incarnation === 1 && mayBeAnother(tree, child) ? supervisor.append(id) : child
  if (supervisor.state === "starting" && supervisor.listIsKnown) {
    if (tree.callsAreNoted) wrong("it is not in the list (S1)")
    // What was learned is the list of another time.
    for (const other of supervisor.children.values()) if (other.incarnation === 0) supervisor.children.delete(other.id)
    supervisor.run = undefined
  }
  return supervisor.append(id)
}

const mayBeAnother = (tree: ObservedTree, child: ObservedChild): boolean => {
  const { supervisor } = child
  if (child.state !== "down" || supervisor.state !== "up") return false
  if (supervisor.restarting !== undefined || (supervisor.run !== undefined && !isPaused(supervisor))) return false
  return child.forgotten || child.mayBeDeleted || supervisor.mayBeDynamic || !tree.callsAreNoted
}

// A start is answered before its supervisor does anything else (rule S8). That of a dynamic supervisor may be called off;
// any other goes unanswered only because the supervisor is being stopped, and starts nothing more.
const expectAnswered = (supervisor: ObservedSupervisor, tag: OfChild["_tag"], wrong: Wrong): void => {
  const unanswered = supervisor.starting
  if (unanswered === undefined) return
  supervisor.starting = undefined
  if (supervisor.mayBeDynamic) unanswered.down()
  else if (tag === "ChildStopped" || tag === "ChildAbandoned") supervisor.ending ??= "aborted"
  else wrong(`${unanswered.path} is starting (S8)`)
}

const starting = (
  tree: ObservedTree,
  child: ObservedChild,
  { incarnation, timeMillis }: Tagged<"ChildStarting">,
  wrong: Wrong
): void => {
  const { supervisor } = child
  if (child.state !== "down") wrong(`its incarnation ${child.incarnation} is ${child.state} (R7)`)
  if (incarnation !== child.incarnation + 1) wrong(`its incarnation before was ${child.incarnation} (R7)`)
  if (child.forgotten) wrong("it is listed no more (R3)")
  if (supervisor.isEnding) wrong("its supervisor is being stopped (Q7)")
  expectRoom(child, wrong)
  expectTurn(tree, child, timeMillis, wrong)
  expectNothingInside(child, wrong)
  tree.dropInside(child)
  supervisor.starting = child
  supervisor.stopped = []
  supervisor.handling = false
  supervisor.judged = undefined
  child.rules = tree.knowledge.rules(child.path)
  child.incarnation = incarnation
  child.state = "starting"
  child.unready = false
  child.due = false
  child.waits = false
  child.failed = false
  child.forgotten = false
  child.released = false
  supervisor.clear()
}

const expectRoom = (child: ObservedChild, wrong: Wrong): void => {
  const { children, settings } = child.supervisor
  if (settings?.maxChildren === undefined) return
  let others = 0
  for (const other of children.values()) if (other !== child && other.state !== "down") others++
  if (others >= settings.maxChildren) wrong(`there are ${others} children, and room for no more (EL8)`)
}

const started = (child: ObservedChild, wrong: Wrong): void => {
  if (child.state !== "starting") wrong(`it is ${child.state} (S1)`)
  else if (child.unready) wrong("its start was answered (S1)")
  if (child.rules?.becomesReady === true) {
    child.unready = true
    return
  }
  up(child)
  child.mayBecomeReady = child.rules === undefined
}

const ready = (child: ObservedChild, wrong: Wrong): void => {
  if (!child.unready && !child.mayBecomeReady) wrong("it was not to become ready")
  up(child)
}

const up = (child: ObservedChild): void => {
  child.state = "running"
  child.unready = false
  child.mayBecomeReady = false
  child.supervisor.starting = undefined
}

const notStarted = (child: ObservedChild, tag: "ChildIgnored" | "ChildStartFailed", wrong: Wrong): void => {
  const { startedByCall, supervisor } = child
  if (child.state !== "starting") wrong(`it is ${child.state} (S1)`)
  else if (child.unready && tag === "ChildIgnored") wrong("its start was answered (S1)")
  expectNothingInside(child, wrong)
  supervisor.starting = undefined
  child.released = true
  // A start that was asked for by a call is not tried again (rules C2, C6).
  child.due = tag === "ChildStartFailed" && !startedByCall
  child.down()
  if (tag === "ChildIgnored") return
  if (supervisor.state === "starting") supervisor.ending ??= "aborted"
  if (typeof supervisor.run === "object") supervisor.run.paused = true
  if (startedByCall && child.incarnation === 1) child.forget()
}

const healthChanged = (child: ObservedChild, wrong: Wrong): void => {
  if (child.state !== "running") wrong(`it is ${child.state}`)
  if (child.rules?.isWatched === false) wrong("nobody watches it")
}

const exited = (child: ObservedChild, { reason, timeMillis, verdict }: Tagged<"ChildExited">, wrong: Wrong): void => {
  const { rules, supervisor } = child
  if (child.state !== "running") wrong(`it is ${child.state} (R5)`)
  expectUp(supervisor, wrong)
  expectRunOver(supervisor, wrong)
  const expected = expectedVerdicts(child, reason)
  if (expected?.includes(verdict) === false) {
    wrong(`verdict "${verdict}", where "${expected.join("\", \"")}" can be (R1–R4, A1–A3)`)
  }
  supervisor.run = undefined
  supervisor.stopped = []
  supervisor.judged = { child, verdict, atMillis: timeMillis }
  supervisor.handling = verdict === "restart"
  child.due = verdict === "restart"
  if (verdict === "restart") child.state = "leaving"
  else child.down()
  if (verdict === "shut-down" || verdict === "give-up") supervisor.ending ??= verdict
  child.mustHaveEscalated = verdict === "give-up" && rules !== undefined && !isRestarted(rules.restart, reason)
}

const backingOff = (child: ObservedChild, delayMillis: number, wrong: Wrong): void => {
  const { supervisor } = child
  expectDue(child, wrong)
  if (child.waits) wrong("it waits already")
  if (!(delayMillis > 0)) wrong("it does not wait")
  const { settings } = supervisor
  if (settings !== undefined) {
    const waits = ({ rules }: ObservedChild) => rules === undefined || rules.onExhausted !== undefined
    const isGroup = settings.strategy !== "one-for-one"
    if (!waits(child) && !(isGroup && Array.from(supervisor.children.values()).some(waits))) wrong("it has no backoff")
    if (isGroup) expectStopped(affected(supervisor, settings.strategy, child), "G2, G3", wrong)
  }
  released(child, wrong)
  child.waits = true
  supervisor.run = undefined
  supervisor.handling = false
  supervisor.judged = undefined
  supervisor.stopped = []
}

const restarting = (child: ObservedChild, timeMillis: number, wrong: Wrong): void => {
  const { supervisor } = child
  expectDue(child, wrong)
  expectRunOver(supervisor, wrong)
  const { judged, settings } = supervisor
  // Recorded when its exit was judged, or now where it is tried again or has waited.
  const atMillis = judged?.child === child ? judged.atMillis : timeMillis
  if (settings !== undefined) {
    const { intensity, periodMillis } = settings
    if (supervisor.restartsWithin(periodMillis, atMillis) >= intensity) {
      wrong(`more than ${intensity} restarts in ${periodMillis} ms (I1)`)
    }
    supervisor.restarts = supervisor.restarts.filter((time) => time >= atMillis - periodMillis)
  }
  supervisor.restarts.push(timeMillis)
  released(child, wrong)
  child.due = false
  supervisor.restarting = child
  supervisor.run = undefined
  supervisor.handling = true
  supervisor.judged = undefined
  supervisor.stopped = []
}

const failed = (child: ObservedChild, wrong: Wrong): void => {
  const { supervisor } = child
  if (child.state !== "down") wrong(`it is ${child.state}`)
  const { judged } = supervisor
  if (!child.due && !(judged?.child === child && judged.verdict === "fail")) {
    wrong("it has neither left nor failed to start")
  }
  if (child.rules !== undefined && child.rules.onExhausted !== "give-up") wrong("it is not to be left down")
  supervisor.judged = undefined
  child.failed = true
  child.due = false
  child.down()
  if (typeof supervisor.run === "object") supervisor.run.paused = false
}

const stopped = (tree: ObservedTree, child: ObservedChild, wrong: Wrong): void => {
  const { supervisor } = child
  const isUnready = child.state === "starting" && child.unready
  if (child.state !== "running" && !isUnready) wrong(`it is ${child.state} (T6)`)
  if (supervisor.state === "starting" || isUnready && !supervisor.mayBeDynamic) supervisor.ending ??= "aborted"
  if (isUnready) supervisor.starting = undefined
  child.due = false
  released(child, wrong)
  supervisor.run = undefined
  expectStopOrder(tree, child, wrong)
}

// It is down, and so is all that was in it.
const released = (child: ObservedChild, wrong: Wrong): void => {
  expectNothingInside(child, wrong)
  child.released = true
  child.down()
}

const expectDue = (child: ObservedChild, wrong: Wrong): void => {
  if (child.state !== "leaving" && child.state !== "down") wrong(`it is ${child.state} (R7)`)
  if (!child.due) wrong("there was no exit or failed start to restart it for (R5, F8)")
  expectUp(child.supervisor, wrong)
}

const expectUp = (supervisor: ObservedSupervisor, wrong: Wrong): void => {
  if (supervisor.state !== "up") wrong(`its supervisor is ${supervisor.state} (Q5, I7)`)
  else if (supervisor.isEnding) wrong("its supervisor is being stopped (Q7)")
}
