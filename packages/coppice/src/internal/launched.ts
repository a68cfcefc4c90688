import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type { ExitReason, RestartIntensityExceeded } from "../ExitReason.ts"
import { ByPath } from "./byPath.ts"
import { EventHub } from "./eventHub.ts"
import type { Incarnation } from "./incarnation.ts"
import type { Parent } from "./parent.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/**
 * The parent of the roots inside a launched program: the first of them to end by itself ends the program. Launched
 * inside a child, its supervisors have their place below that child all the same.
 */
export class Launched implements Parent {
  readonly events: EventHub
  /** How the program ends. */
  readonly over = Deferred.makeUnsafe<void, RestartIntensityExceeded>()
  private closed = false
  private readonly outer: Parent | undefined
  private readonly roots = new ByPath()

  constructor(outer: Parent | undefined) {
    this.outer = outer
    this.events = new EventHub(outer?.events)
  }

  get incarnation(): Incarnation | undefined {
    return this.outer?.incarnation
  }

  attach(supervisor: SupervisorCore, name: string): string {
    if (this.outer !== undefined) return this.outer.attach(supervisor, name)
    return this.roots.add(supervisor, name)
  }

  detach(supervisor: SupervisorCore): void {
    this.outer?.detach(supervisor)
    this.roots.delete(supervisor)
  }

  /** The program has ended: a supervisor that outlives it is a root of its own. */
  close(): void {
    this.closed = true
    this.events.detach()
  }

  ended(supervisor: SupervisorCore, reason: ExitReason): boolean {
    if (this.closed) return this.outer?.ended(supervisor, reason) ?? false
    const exit = reason._tag === "GaveUp"
      ? Exit.fail(reason.error)
      : reason._tag === "Defect"
      ? Exit.die(reason.defect)
      : Exit.void
    supervisor.report.guard(() => Deferred.doneUnsafe(this.over, exit))
    return true
  }
}
