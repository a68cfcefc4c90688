import * as Context from "effect/Context"
import type { Entry } from "./children.ts"
import type { Incarnation } from "./incarnation.ts"
import { RefState } from "./refState.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** A start of a child begins: whoever uses its ref waits for it. */
export const awaitRef = (core: SupervisorCore, entry: Entry, context: Context.Context<never>): void => {
  const { ref } = entry.spec
  if (ref === undefined) return
  const state: unknown = Context.getOrUndefined(context as Context.Context<any>, ref)
  if (!(state instanceof RefState)) return
  core.refs.set(entry, state)
  state.await()
}

/** Why a child cannot fill its ref, if it cannot. */
export const refProblem = (core: SupervisorCore, entry: Entry): string | undefined => {
  const { ref } = entry.spec
  if (ref === undefined) return undefined
  const state = core.refs.get(entry)
  if (state === undefined) {
    return `its ref ${ref.key} is not one made with ChildRef.Service: provide that one's layer to the supervisor`
  }
  return state.isFilled ? `its ref ${ref.key} is filled by another child, which is alive` : undefined
}

/** An incarnation has started. */
export const fillRef = (incarnation: Incarnation): void => {
  const { built, entry, number, path, supervisor } = incarnation
  const state = supervisor.refs.get(entry)
  if (built === undefined) return
  if (supervisor.isGroup) entry.gave = Array.from(built.services.mapUnsafe.keys())
  if (state === undefined) return
  incarnation.ref = state
  supervisor.report.guard(() => state.fill(path, number, built.services as Context.Context<any>))
}

/** A child is down, and nothing is going to restart it: whoever waits for it need not. */
export const giveUpRef = (core: SupervisorCore, entry: Entry): void => {
  const state = core.refs.get(entry)
  if (state !== undefined) core.report.guard(() => state.giveUp())
}
