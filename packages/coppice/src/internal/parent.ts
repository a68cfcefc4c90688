import * as Context from "effect/Context"
import type { ExitReason } from "../ExitReason.ts"
import type { EventHub } from "./eventHub.ts"
import type { Incarnation } from "./incarnation.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/**
 * What a supervisor hangs on: the incarnation of a child in whose start or body it was built, or the program that
 * launched it. It is found through the context, so that nesting is ordinary layer composition.
 */
export interface Parent {
  /** The incarnation, where the parent is one. */
  readonly incarnation: Incarnation | undefined
  /** Where the events of a supervisor below go. */
  readonly events: EventHub | undefined
  /** Registers a supervisor and answers its path. */
  attach(supervisor: SupervisorCore, name: string): string
  detach(supervisor: SupervisorCore): void
  /** A supervisor has ended by itself. False: the parent is gone, nobody hears it. */
  ended(supervisor: SupervisorCore, reason: ExitReason): boolean
}

/** The parent of whatever is built here; none at the root. */
export const CurrentParent = Context.Reference<Parent | undefined>("coppice/internal/parent/CurrentParent", {
  defaultValue: () => undefined
})

/**
 * The start that is running here and that supervisors wait for, with those around it. A call to one of these
 * supervisors could never be answered.
 */
export interface StartInProgress {
  active: boolean
  readonly supervisor: SupervisorCore
  readonly outer: StartInProgress | undefined
}

/** The start that is running here, if any. */
export const CurrentStart = Context.Reference<StartInProgress | undefined>("coppice/internal/parent/CurrentStart", {
  defaultValue: () => undefined
})
