import * as Context from "effect/Context"
import type { Entry } from "./children.ts"
import type { Incarnation } from "./incarnation.ts"
import { RefState } from "./refState.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

type AnyRef = RefState<any, any>

/** The refs that wait for the children of one supervisor. */
export class Refs {
  /** Those which its children fill. */
  readonly own = new Map<Entry, AnyRef>()
  /** Those which children of supervisors filled that have ended inside its children, with the child that filled each. */
  readonly inside = new Map<Entry, Map<AnyRef, Entry>>()
}

/** The refs of a supervisor. */
export const refsOf = (core: SupervisorCore): Refs => core.refs ??= new Refs()

/** A start of a child begins: whoever uses its ref waits for it. */
export const awaitRef = (core: SupervisorCore, entry: Entry, context: Context.Context<never>): void => {
  const { ref } = entry.spec
  if (ref === undefined) return
  const state: unknown = Context.getOrUndefined(context as Context.Context<any>, ref)
  if (!(state instanceof RefState)) return
  refsOf(core).own.set(entry, state)
  state.await(entry)
}

/** Why a child cannot fill its ref, if it cannot. */
export const refProblem = (core: SupervisorCore, entry: Entry): string | undefined => {
  const { ref } = entry.spec
  if (ref === undefined) return undefined
  const state = core.refs?.own.get(entry)
  if (state === undefined) {
    return `its ref ${ref.key} is not one made with ChildRef.Service: provide that one's layer to the supervisor`
  }
  if (state.isFake) {
    return `its ref ${ref.key} is one made with layerOf, which no child fills: provide its layer instead`
  }
  return state.isFilled ? `its ref ${ref.key} is filled by another child, which is alive` : undefined
}

/** An incarnation has started. */
export const fillRef = (incarnation: Incarnation): void => {
  const { built, entry, number, path, supervisor } = incarnation
  const state = supervisor.refs?.own.get(entry)
  if (built === undefined) return
  if (supervisor.isGroup) entry.gave = Array.from(built.services.mapUnsafe.keys())
  if (state === undefined) return
  incarnation.ref = state
  supervisor.report.guard(() => state.fill(entry, path, number, built.services as Context.Context<any>, built.use))
}

/** A child is down, and nothing is going to restart it: whoever waits for it, or for what lived inside it, need not. */
export const giveUpRef = (core: SupervisorCore, entry: Entry): void => {
  if (core.refs === undefined) return
  const { inside, own } = core.refs
  const giveUp = (owner: Entry, state: AnyRef) => core.report.guard(() => state.giveUp(owner))
  const state = own.get(entry)
  own.delete(entry)
  if (state !== undefined) giveUp(entry, state)
  const others = inside.get(entry)
  inside.delete(entry)
  others?.forEach(giveUp)
}

/**
 * A supervisor ends. Its children come back with it, if a supervisor above starts it again: the refs that wait for them
 * wait for the child it lives in. Where there is none they need not wait.
 */
export const leaveRefs = (core: SupervisorCore): void => {
  if (core.refs === undefined) return
  const { inside, own } = core.refs
  if (own.size === 0 && inside.size === 0) return
  const host = hostOf(core)
  if (host === undefined) {
    for (const entry of [...own.keys(), ...inside.keys()]) giveUpRef(core, entry)
    return
  }
  const above = refsOf(host.supervisor).inside
  const waiting = above.get(host.entry) ?? new Map<AnyRef, Entry>()
  above.set(host.entry, waiting)
  // What has been closed or filled by others since the last time need not be kept.
  for (const [state, owner] of waiting) if (!state.isOf(owner)) waiting.delete(state)
  for (const [entry, state] of own) if (state.isOf(entry)) waiting.set(state, entry)
  for (const [state, owner] of Array.from(inside.values(), (refs) => [...refs]).flat()) {
    if (state.isOf(owner)) waiting.set(state, owner)
  }
  own.clear()
  inside.clear()
}

// The incarnation above whose child may be started again, and with it what has ended inside it. What a dynamic supervisor
// had is not started again with it (rule U3).
const hostOf = (core: SupervisorCore): Incarnation | undefined => {
  if (core.dynamic !== undefined) return undefined
  const host = core.parent?.incarnation
  if (host === undefined || host.entry.incarnation !== host) return undefined
  const { status } = host.supervisor
  return status === "starting" || status === "running" ? host : hostOf(host.supervisor)
}
