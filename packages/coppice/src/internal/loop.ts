import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type ExitReason, isClean, RestartIntensityExceeded, shutdown } from "../ExitReason.ts"
import { ChildStartFailed } from "../SupervisorError.ts"
import type { Verdict } from "../SupervisorEvent.ts"
import { closeAccount, nextDelay } from "./backoff.ts"
import type { Entry, Retry } from "./children.ts"
import { gaveUp } from "./gaveUp.ts"
import { endForGood, keepOrForget, withoutKeeping } from "./keeping.ts"
import { type Started, type StartFailure, startFrom, startOne, stopDownTo } from "./ranges.ts"
import { leaveRefs } from "./refs.ts"
import type { RestartKind } from "./restartWindow.ts"
import { asleep, causeOf, type Step } from "./steps.ts"
import { stopAll } from "./stopAll.ts"
import { end } from "./stopping.ts"
import { firstAffected } from "./strategy.ts"
import type { CallMessage, ExitMessage, Message, SupervisorCore } from "./supervisorCore.ts"
import { endsSupervisor, judge } from "./verdict.ts"

/** After how many messages in a row others get their turn. */
const fairness = 256

/**
 * A supervisor's life: it starts its children, handles one message at a time, and ends once, by a stop order, by giving
 * up or by automatic shutdown.
 */
export function* live(core: SupervisorCore): Step {
  try {
    if (!(yield* startAll(core))) return
    let handled = 0
    while (true) {
      if (core.stopOrdered) return yield* finish(core, shutdown())
      const message = core.mailbox.take()
      if (message === undefined) {
        handled = 0
        yield asleep
        continue
      }
      if (++handled % fairness === 0) yield Effect.yieldNow
      const reason = yield* handle(core, message)
      if (reason !== undefined) return yield* finish(core, reason)
    }
  } catch (thrown) {
    yield* lastResort(core, causeOf(thrown))
  }
}

const handle = (core: SupervisorCore, message: Message): Step<ExitReason | undefined> => {
  switch (message._tag) {
    case "Exit":
      return handleExit(core, message)
    case "Retry":
      return handleRetry(core, message)
    case "Call":
      return handleCall(message)
  }
}

// What goes wrong is the caller's.
function* handleCall({ answer, operation }: CallMessage): Step<undefined> {
  let exit: Exit.Exit<unknown, unknown>
  try {
    exit = Exit.succeed(yield* operation() as Step<unknown>)
  } catch (thrown) {
    exit = Exit.failCause(causeOf(thrown))
  }
  answer(exit)
}

// A defect of ours must not leave anybody waiting for ever.
function* lastResort(core: SupervisorCore, cause: Cause.Cause<never>): Step {
  const wasUp = core.status !== "starting"
  core.report.loopDied(cause)
  core.stopOrdered = true
  core.status = "stopping"
  leaveRefs(core)
  try {
    yield* stopAll(core)
  } catch (thrown) {
    core.report.loopDied(causeOf(thrown))
  }
  core.status = "failed"
  refuseCalls(core)
  core.report.guard(() => Deferred.doneUnsafe(core.started, Exit.failCause(cause)))
  core.report.guard(() => core.ended.tell(Exit.failCause(cause)))
  if (wasUp) core.parent?.ended(core, { _tag: "Defect", defect: Cause.squash(cause), cause })
}

// The initial start (rules S1–S4). False: the supervisor has ended.
function* startAll(core: SupervisorCore): Step<boolean> {
  const failed = yield* startFrom(core, core.children.first, false)
  if (failed === undefined && !core.stopOrdered) {
    core.status = "running"
    core.startedAtMillis = core.nowMillis()
    if (core.events.heard > 0) core.publish({ _tag: "SupervisorStarted", ...about(core) })
    core.report.supervisorStarted()
    core.report.guard(() => Deferred.doneUnsafe(core.started, Exit.void))
    return true
  }
  yield* finish(core, shutdown())
  const exit = failed === undefined
    ? Exit.interrupt()
    : Exit.fail(new ChildStartFailed({ path: core.path, id: failed.entry.spec.id, reason: failed.reason }))
  core.report.guard(() => Deferred.doneUnsafe(core.started, exit))
  return false
}

// What follows from the exit of a child (rules R1–R6). Answers why the supervisor ends, if it does.
function* handleExit(core: SupervisorCore, message: ExitMessage): Step<ExitReason | undefined> {
  const { incarnation, reason } = message
  const { entry } = incarnation
  // An earlier incarnation's, or one that has been stopped since: swallowed (rule Q3).
  if (entry.incarnation !== incarnation) return
  let decision: Verdict | "exhausted" | number = incarnation.escalated ? "give-up" : verdictOn(core, entry, reason)
  if (decision === "restart") {
    decision = mayHaveToWait(core, entry) ? yield* decideAfterDelay(core, entry, reason) : record(core, reason)
  }
  const verdict = typeof decision === "number" ? "restart" : decision === "exhausted" ? "give-up" : decision
  entry.exitReason = reason
  entry.exitedAtMillis = core.nowMillis()
  entry.state = verdict === "restart" ? "restarting" : "stopping"
  if (core.events.heard > 0) {
    const timeMillis = entry.exitedAtMillis
    const { path, number } = incarnation
    core.publish({ _tag: "ChildExited", path, incarnation: number, timeMillis, reason, verdict })
  }
  core.report.exited(incarnation, reason, verdict)
  if (verdict === "restart") core.tally?.down(entry, core.monotonicMillis())
  const ending = end(incarnation, reason._tag === "Killed")
  if (ending !== undefined) {
    yield ending
    if (decision === "restart") core.window.restamp(core.monotonicMillis())
  }
  entry.down("stopped")
  if (typeof decision === "number") return yield* waitToRestart(core, entry, reason, decision)
  if (decision === "restart") {
    const restarting = restart(core, entry, reason)
    return restarting === undefined ? undefined : yield* restarting
  }
  switch (decision) {
    case "give-up":
      return giveUp(core, entry, reason, incarnation.escalated ? "escalated" : undefined)
    case "exhausted":
      return giveUp(core, entry, reason, "exhausted")
    case "fail":
      return failChild(core, entry, reason)
    case "shut-down":
      keepOrForget(core, entry)
      return shutdown()
    case "keep":
    case "remove":
      endForGood(core, entry)
      return
  }
}

// A restart that failed, or had to wait, is tried now, unless something else has dealt with the child since (rules F1–F3,
// F8, F9).
function* handleRetry(core: SupervisorCore, retry: Retry): Step<ExitReason | undefined> {
  const { entry, reason } = retry
  if (entry.retry !== retry) return
  entry.retry = undefined
  if (core.waiting === retry) core.waiting = undefined
  if (record(core, reason) === "give-up") return giveUp(core, entry, reason)
  const restarting = restart(core, entry, reason)
  return restarting === undefined ? undefined : yield* restarting
}

// What to do about a child that left, or "restart" if that is still to be decided.
const verdictOn = (core: SupervisorCore, entry: Entry, reason: ExitReason): Verdict => {
  const { autoShutdown } = core.settings
  const verdict = judge(entry.spec, isClean(reason), autoShutdown, () => hasActiveSignificant(core, entry))
  return verdict === "restart" ? verdict : withoutKeeping(core, verdict)
}

const mayHaveToWait = (core: SupervisorCore, entry: Entry): boolean =>
  entry.spec.care.backoff !== undefined || core.waiting !== undefined

// Whether a child is restarted; a number is after how many milliseconds. A restart that waits is recorded when it is made, and
// one that is not made not at all.
function* decideAfterDelay(
  core: SupervisorCore,
  entry: Entry,
  reason: ExitReason
): Step<Verdict | "exhausted" | number> {
  const delay = yield* delayOf(core, entry, reason)
  if (delay === "exhausted") return whenExhausted(core, entry)
  return delay > 0 ? delay : record(core, reason)
}

const record = (core: SupervisorCore, reason: ExitReason): "restart" | "give-up" =>
  core.window.record(core.monotonicMillis(), kindOf(reason)) ? "restart" : "give-up"

// A significant child that is not restarted any more has ended for good (rules A1, A2).
const whenExhausted = (core: SupervisorCore, entry: Entry): "exhausted" | "shut-down" | "fail" => {
  const { care, significant } = entry.spec
  if (care.onExhausted === "escalate") return "exhausted"
  const ends = significant && endsSupervisor(core.settings.autoShutdown, () => hasActiveSignificant(core, entry))
  return ends ? "shut-down" : "fail"
}

// A group that waits already is widened by the crash of a sibling, and goes on waiting.
function* delayOf(core: SupervisorCore, entry: Entry, reason: ExitReason): Step<number | "exhausted"> {
  const delay = yield* nextDelay(core, entry, reason)
  const { waiting } = core
  if (delay === "exhausted" || waiting === undefined || waiting.entry.retry !== waiting) return delay
  return Math.max(delay, waiting.dueAtMillis - core.monotonicMillis())
}

// The wait holds up nobody: it ends with a message. A group is stopped at once.
function* waitToRestart(core: SupervisorCore, entry: Entry, reason: ExitReason, delayMillis: number): Step<undefined> {
  const { children, settings } = core
  if (core.isGroup) yield* stopDownTo(core, firstAffected(settings.strategy, entry, children.first!), true)
  if (core.stopOrdered) return
  if (core.events.heard > 0) {
    core.publish({
      _tag: "ChildBackingOff",
      path: entry.path,
      incarnation: entry.number,
      timeMillis: core.nowMillis(),
      reason,
      delayMillis
    })
  }
  core.report.backingOff(entry, reason, delayMillis)
  const post = Effect.delay(Effect.sync(() => core.post(retry)), delayMillis)
  const retry: Retry = {
    _tag: "Retry",
    entry,
    reason,
    timer: Effect.runForkWith(core.context)(post),
    dueAtMillis: core.monotonicMillis() + delayMillis
  }
  entry.state = "restarting"
  entry.retry = retry
  if (core.isGroup) core.waiting = retry
  return
}

// Its backoff is exhausted, and that is not its supervisor's end: it is down, and its siblings are none the worse.
const failChild = (core: SupervisorCore, entry: Entry, reason: ExitReason): undefined => {
  entry.down("failed")
  closeAccount(core, entry)
  if (core.events.heard > 0) {
    const { number, path } = entry
    core.publish({ _tag: "ChildFailed", path, incarnation: number, timeMillis: core.nowMillis(), reason })
  }
  core.report.childFailed(entry, reason)
  endForGood(core, entry)
  return undefined
}

const kindOf = (reason: ExitReason): RestartKind => {
  if (reason._tag === "Normal") return "returned"
  return reason._tag === "StartFailed" || reason._tag === "StartTimedOut" ? "failed-to-start" : "crashed"
}

const hasActiveSignificant = (core: SupervisorCore, except: Entry): boolean => {
  for (const entry of core.children) {
    if (entry !== except && entry.spec.significant && !entry.isDown) return true
  }
  return false
}

// A restart that has been recorded: stops what the strategy says, then starts it (rules G1–G7, F4–F6). A stop order
// overtakes it. Answers `undefined` where that was done at once.
const restart = (core: SupervisorCore, entry: Entry, reason: ExitReason): Step<ExitReason | undefined> | undefined => {
  if (core.stopOrdered) return undefined
  if (core.events.heard > 0) {
    core.publish({
      _tag: "ChildRestarting",
      path: entry.path,
      incarnation: entry.number,
      timeMillis: core.nowMillis(),
      reason
    })
  }
  core.report.restarting(entry, reason)
  core.tally?.restarting(entry, reason, core.monotonicMillis())
  const restarting = core.isGroup ? restartGroup(core, entry) : restartOne(core, entry)
  return restarting === undefined ? undefined : afterRestart(core, restarting)
}

function* afterRestart(core: SupervisorCore, restarting: Step<Started>): Step<ExitReason | undefined> {
  const outcome = yield* restarting
  return typeof outcome === "object" ? yield* afterStart(core, outcome) : undefined
}

// What follows from a start that failed in a restart: another try, at once or after a wait (rules F1, F2).
function* afterStart(core: SupervisorCore, failed: StartFailure): Step<ExitReason | undefined> {
  const { entry, reason } = failed
  if (failed.escalated) return giveUp(core, entry, reason, "escalated")
  const delay = yield* nextDelay(core, entry, reason)
  if (delay === "exhausted") {
    const what = whenExhausted(core, entry)
    if (what === "exhausted") return giveUp(core, entry, reason, "exhausted")
    failChild(core, entry, reason)
    if (what === "shut-down") return shutdown()
    const next = core.isGroup ? yield* startFrom(core, entry.next, true) : undefined
    return next === undefined ? undefined : yield* afterStart(core, next)
  }
  if (delay > 0) return yield* waitToRestart(core, entry, reason, delay)
  const retry: Retry = { _tag: "Retry", entry, reason, timer: undefined, dueAtMillis: 0 }
  entry.state = "restarting"
  entry.retry = retry
  core.post(retry)
  return
}

const restartOne = (core: SupervisorCore, entry: Entry) => {
  entry.restarts++
  return startOne(core, entry)
}

function* restartGroup(core: SupervisorCore, entry: Entry): Step<Started> {
  const { children, settings } = core
  yield* stopDownTo(core, firstAffected(settings.strategy, entry, children.first!), true)
  core.window.restamp(core.monotonicMillis())
  // The first of all may have been temporary, and be gone.
  return yield* startFrom(core, firstAffected(settings.strategy, entry, children.first!), true)
}

// Rule I7.
const giveUp = (
  core: SupervisorCore,
  entry: Entry,
  reason: ExitReason,
  why?: "escalated" | "exhausted"
): ExitReason => {
  const { intensity, periodMillis, count } = core.window
  const pattern = why ?? core.window.pattern
  const child = entry.spec.id
  entry.down("failed")
  if (core.events.heard > 0) core.publish({ _tag: "SupervisorGaveUp", ...about(core), child, reason })
  // Of the supervisor nothing but this is kept by whoever keeps the reason.
  const { path } = core
  const end = gaveUp(
    core.depth,
    () => new RestartIntensityExceeded({ path, child, intensity, periodMillis, restarts: count, pattern, reason })
  )
  core.report.gaveUp(end)
  core.tally?.gaveUp()
  return end
}

// The end of a supervisor: its children first, in reverse order, then its callers, then whoever waits for it.
function* finish(core: SupervisorCore, reason: ExitReason): Step {
  const wasUp = core.status === "running"
  core.status = "stopping"
  leaveRefs(core)
  yield* stopAll(core)
  core.status = reason._tag === "GaveUp" ? "failed" : "stopped"
  core.lastExit = { reason, timeMillis: core.nowMillis() }
  refuseCalls(core)
  if (wasUp) {
    if (core.events.heard > 0) core.publish({ _tag: "SupervisorStopped", ...about(core), reason })
    core.report.supervisorStopped(reason)
  }
  if (core.abandoned !== undefined && core.abandoned.size > 0) core.report.leftBehind(core.abandoned)
  core.events.detach()
  core.parent?.detach(core)
  core.report.guard(() => core.ended.tell(Exit.succeed(reason)))
  if (wasUp && !core.stopOrdered) escalate(core, reason)
}

const refuseCalls = (core: SupervisorCore): void => {
  for (let message = core.mailbox.take(); message !== undefined; message = core.mailbox.take()) {
    if (message._tag === "Call") message.refuse()
  }
}

// The parent judges this end like any other exit (rule U2). Where there is none to hear it, it is not silent.
const escalate = (core: SupervisorCore, reason: ExitReason): void => {
  if (core.parent?.ended(core, reason) === true || reason._tag !== "GaveUp") return
  core.report.rootGaveUp(reason.error)
  const onEscalation = core.settings.onEscalation
  if (onEscalation === undefined) return
  const effect = Effect.suspend(() => onEscalation(reason.error))
  Effect.runForkWith(Context.omit(Scope.Scope)(core.context as Context.Context<Scope.Scope>))(
    Effect.onError(effect, (cause) => Effect.sync(() => core.report.escalationFailed(cause)))
  )
}

const about = (core: SupervisorCore) => ({
  path: core.path,
  incarnation: core.incarnation,
  timeMillis: core.nowMillis()
})
