import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { ExitReason } from "../ExitReason.ts"
import {
  CallFromWithin,
  ChildAlreadyPresent,
  ChildAlreadyStarted,
  ChildNotFound,
  ChildRestarting,
  ChildRunning,
  ChildStartFailed,
  InvalidChild,
  SupervisorDown
} from "../SupervisorError.ts"
import { forgetAccount } from "./backoff.ts"
import { type ChildState, Entry } from "./children.ts"
import type { Incarnation, InnerCall } from "./incarnation.ts"
import { endForGood } from "./keeping.ts"
import { CurrentParent, CurrentStart } from "./parent.ts"
import { type Started, startOne, stopOne } from "./ranges.ts"
import { giveUpRef } from "./refs.ts"
import type { Spec } from "./spec.ts"
import { checkChild } from "./specCheck.ts"
import { fail, type Step } from "./steps.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** A call that cannot be answered: the supervisor has ended, or waits for the caller. */
export type CallFailed = SupervisorDown | CallFromWithin

type StartChildError =
  | ChildAlreadyStarted
  | ChildAlreadyPresent
  | ChildStartFailed
  | InvalidChild
  | SupervisorDown

type NotDown = ChildNotFound | ChildRunning | ChildRestarting

/** What the caller of `startChild` and `restartChild` gets. */
export interface Handle {
  readonly id: string
  readonly path: string
  readonly incarnation: number
  readonly ignored: boolean
  readonly services: Context.Context<never>
}

/** What `countChildren` answers. */
export interface Counted {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

/** A child as `whichChildren` lists it. */
export interface Listed<A> {
  readonly id: string
  readonly path: string
  readonly type: "worker" | "supervisor"
  readonly state: ChildState
  readonly incarnation: number
  readonly supervisors: ReadonlyArray<A>
}

/**
 * Has the loop do something and waits for the answer. Calls have no timeout and are handled one at a time (rules C11,
 * C12); a caller that is interrupted does not undo its call.
 */
export const call = <A, E>(
  core: SupervisorCore,
  operation: () => Step<A, E>
): Effect.Effect<A, E | CallFailed> =>
  // One operation: the caller may be made to yield between any two.
  Effect.callback<A, E | CallFailed>((resume) => {
    const { context } = Fiber.getCurrent()!
    const around = core.around(context)
    const during = waitingFor(core, context, around)
    const { path } = core
    if (during !== undefined) return resume(Effect.fail(new CallFromWithin({ path, during })))
    if (core.hasEnded) return resume(Effect.fail(new SupervisorDown({ path })))
    if (around.length > 0) return callFromInside(core, operation, around, resume)
    const answer = (answer: Effect.Effect<A, E | CallFailed>) => core.report.guard(() => resume(answer))
    core.post({ _tag: "Call", operation, answer, refuse: () => answer(Effect.fail(new SupervisorDown({ path }))) })
    return undefined
  })

/** A call of somebody inside a child is refused when the supervisor comes to wait for that child. */
const callFromInside = <A, E>(
  core: SupervisorCore,
  operation: () => Step<A, E>,
  around: ReadonlyArray<Incarnation>,
  resume: (answer: Effect.Effect<A, E | CallFailed>) => void
): Effect.Effect<void> => {
  const { path } = core
  let isAnswered = false
  const answer = (answer: Effect.Effect<A, E | CallFailed>) => {
    isAnswered = true
    forget()
    core.report.guard(() => resume(answer))
  }
  const forget = noteInside(around, (during) => answer(Effect.fail(new CallFromWithin({ path, during }))))
  core.post({
    _tag: "Call",
    operation: () => isAnswered ? nothing() : operation(),
    answer,
    refuse: () => answer(Effect.fail(new SupervisorDown({ path })))
  })
  return Effect.sync(forget)
}

function* nothing(): Step {}

// So that the call can be refused when one of the incarnations in which the caller is comes to be stopped. Answers what
// takes that back.
const noteInside = (around: ReadonlyArray<Incarnation>, refuse: InnerCall["refuse"]): () => void => {
  const child = around.at(-1)
  if (child === undefined) return () => {}
  const call: InnerCall = { child, refuse }
  for (const incarnation of around) incarnation.calls.add(call)
  return () => {
    for (const incarnation of around) incarnation.calls.delete(call)
  }
}

/** What of the caller's the supervisor is waiting for right now, if anything. */
const waitingFor = (
  core: SupervisorCore,
  caller: Context.Context<never>,
  around: ReadonlyArray<Incarnation>
): "start" | "stop" | undefined => {
  for (let start = Context.get(caller, CurrentStart); start !== undefined; start = start.outer) {
    if (start.active && start.supervisor === core) return "start"
  }
  const child = around.at(-1)
  if (child?.isBeingStopped === true) return "stop"
  return child === core.starting && around.some((inside) => inside.isBeingStopped) ? "start" : undefined
}

function* find(core: SupervisorCore, id: string): Step<Entry, ChildNotFound> {
  return core.children.get(id) ?? (yield* fail(new ChildNotFound({ path: core.path, id })))
}

/** The entry, provided it is down. */
function* findDown(
  core: SupervisorCore,
  id: string
): Step<Entry, NotDown> {
  const entry = yield* find(core, id)
  if (entry.isDown) return entry
  const about = { path: core.path, id }
  return yield* fail(entry.state === "restarting" ? new ChildRestarting(about) : new ChildRunning(about))
}

function* startNow(core: SupervisorCore, entry: Entry): Step<Handle, ChildStartFailed | SupervisorDown> {
  if (core.stopOrdered) return yield* fail(new SupervisorDown({ path: core.path }))
  forgetAccount(core, entry)
  core.tally?.forget(entry)
  const starting = startOne(core, entry)
  const outcome = starting === undefined ? undefined : yield* starting
  const error = startError(core, entry, outcome)
  if (error?._tag === "ChildStartFailed") giveUpRef(core, entry)
  if (error !== undefined) return yield* fail(error)
  return {
    id: entry.spec.id,
    path: entry.path,
    incarnation: entry.number,
    ignored: outcome === "ignored",
    services: entry.incarnation?.built?.services ?? Context.empty()
  }
}

/** What the caller of a start that did not succeed is told. */
export const startError = (
  core: SupervisorCore,
  entry: Entry,
  outcome: Started
): ChildStartFailed | SupervisorDown | undefined => {
  if (outcome === "aborted") return new SupervisorDown({ path: core.path })
  if (typeof outcome !== "object") return undefined
  return new ChildStartFailed({ path: core.path, id: entry.spec.id, reason: outcome.reason })
}

const notFromOutside = "its supervisor is dynamic, and makes its children itself: start it with the startChild of that"

/** Rules C1–C4. */
export const startChild = (core: SupervisorCore, spec: Spec) =>
  Effect.withFiber((fiber) => {
    const supplied = suppliedBy(fiber.context)
    return call(core, () => add(core, spec, supplied))
  })

// What is wrong with the spec is said before the id is looked up.
function* add(core: SupervisorCore, spec: Spec, supplied: Context.Context<never>): Step<Handle, StartChildError> {
  const { path } = core
  const { id } = spec
  const invalid = checkChild(path, spec, core.settings.autoShutdown)
  if (invalid !== undefined) return yield* fail(invalid)
  if (core.dynamic !== undefined) return yield* fail(new InvalidChild({ path, id, problem: notFromOutside }))
  const listed = core.children.get(id)
  if (listed?.state === "running") {
    return yield* fail(new ChildAlreadyStarted({ path, id, incarnation: listed.number }))
  }
  if (listed !== undefined) return yield* fail(new ChildAlreadyPresent({ path, id }))
  const entry = new Entry(core.pathBelow, spec, supplied)
  core.children.append(entry)
  try {
    return yield* startNow(core, entry)
  } catch (thrown) {
    core.forget(entry)
    throw thrown
  }
}

// All that the caller has, but for what says where the caller is.
const suppliedBy = (caller: Context.Context<never>): Context.Context<never> =>
  Context.omit(Scope.Scope, CurrentParent, CurrentStart, Layer.CurrentMemoMap, Tracer.ParentSpan)(
    caller as Context.Context<any>
  ) as Context.Context<never>

/** Rules C1, C5. */
export const terminateChild = (core: SupervisorCore, id: string) => call(core, () => terminateById(core, id))

function* terminateById(core: SupervisorCore, id: string): Step<void, ChildNotFound> {
  yield* terminate(core, yield* find(core, id))
}

/** Stops one child for good. */
export function* terminate(core: SupervisorCore, entry: Entry): Step {
  const cancelled = entry.retry !== undefined
  const ending = stopOne(core, entry)
  if (ending !== undefined) yield ending
  endForGood(core, entry)
  // A retry would have started the later ones of a group as well.
  if (cancelled) { for (const other of core.children) if (other.isDown) giveUpRef(core, other) }
}

/** Rules C1, C6, C7. */
export const restartChild = (core: SupervisorCore, id: string) => call(core, () => restartById(core, id))

function* restartById(core: SupervisorCore, id: string): Step<Handle, NotDown | ChildStartFailed | SupervisorDown> {
  return yield* startNow(core, yield* findDown(core, id))
}

/** Rule C1. */
export const deleteChild = (core: SupervisorCore, id: string) => call(core, () => deleteById(core, id))

function* deleteById(core: SupervisorCore, id: string): Step<void, NotDown> {
  const entry = yield* findDown(core, id)
  giveUpRef(core, entry)
  core.forget(entry)
}

/** Rule C1. */
export const getChildSpec = (core: SupervisorCore, id: string) => call(core, () => specById(core, id))

function* specById(core: SupervisorCore, id: string): Step<Spec, ChildNotFound> {
  return (yield* find(core, id)).spec
}

/** Rule C9. */
export const whichChildren = <A>(core: SupervisorCore, handleOf: (supervisor: SupervisorCore) => A) =>
  call(core, () => listChildren(core, handleOf))

// The newest first.
function* listChildren<A>(
  core: SupervisorCore,
  handleOf: (supervisor: SupervisorCore) => A
): Step<ReadonlyArray<Listed<A>>> {
  const listed: Array<Listed<A>> = []
  for (let entry = core.children.last; entry !== undefined; entry = entry.previous) {
    const { incarnation, number, path, spec, state } = entry
    const supervisors = incarnation?.hasSupervisor === true ? Array.from(incarnation.supervisors, handleOf) : []
    listed.push({ id: spec.id, path, type: spec.type, state, incarnation: number, supervisors })
  }
  return listed
}

/** Rule C10. */
export const countChildren = (core: SupervisorCore) => call(core, () => count(core))

function* count({ children }: SupervisorCore): Step<Counted> {
  let active = 0
  let supervisors = 0
  for (const { spec, state } of children) {
    if (state === "running") active++
    if (spec.type === "supervisor") supervisors++
  }
  return { specs: children.size, active, supervisors, workers: children.size - supervisors }
}

/** A signal, not a call: it does not wait for what the supervisor is doing, and does nothing to a child that is down. */
export const exitChild = (
  core: SupervisorCore,
  id: string,
  reason: ExitReason
): Effect.Effect<void, ChildNotFound | SupervisorDown> =>
  Effect.suspend((): Effect.Effect<void, ChildNotFound | SupervisorDown> => {
    if (core.hasEnded) return Effect.fail(new SupervisorDown({ path: core.path }))
    const entry = core.children.get(id)
    if (entry === undefined) return Effect.fail(new ChildNotFound({ path: core.path, id }))
    entry.incarnation?.end(reason)
    return Effect.void
  })
