import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { ExitReason } from "../ExitReason.ts"
import type { Entry } from "./children.ts"
import type { EventHub } from "./eventHub.ts"
import { type Parent, uniquePath } from "./parent.ts"
import type { AnyEffect } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

const noServices: Context.Context<never> = Context.empty()

/**
 * One life of a child: a number, a scope of its own and the fiber that runs in it. The scope stands alone, because
 * scopes forked from the supervisor's would close in the order of restarts instead of the order of the list.
 */
export class Incarnation implements Parent {
  readonly supervisor: SupervisorCore
  readonly entry: Entry
  readonly number: number
  readonly scope: Scope.Closeable = Scope.makeUnsafe()
  /** `exited`: its end is known; `closing`: it is being stopped. What it does after that changes nothing. */
  status: "starting" | "running" | "exited" | "closing" = "starting"
  /** The fiber of the start, then that of the body, as long as it runs. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** How the latest fiber ended. */
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** Why it left, once it has. */
  left: ExitReason | undefined = undefined
  /** Nobody waits for it any more. */
  abandoned = false
  /** What a stop waits for. */
  onFiberDone: (() => void) | undefined = undefined
  /** Ends a start in progress. */
  abortStart: ((why: ExitReason | "stopped") => void) | undefined = undefined
  /** What a layer child has built. */
  services: Context.Context<never> = noServices
  private nested: Map<string, SupervisorCore> | undefined = undefined

  constructor(supervisor: SupervisorCore, entry: Entry, number: number) {
    this.supervisor = supervisor
    this.entry = entry
    this.number = number
  }

  get path(): string {
    return this.entry.path
  }

  get incarnation(): Incarnation {
    return this
  }

  get events(): EventHub {
    return this.supervisor.events
  }

  /** The supervisors that live inside. */
  get supervisors(): Iterable<SupervisorCore> {
    return this.nested === undefined ? [] : this.nested.values()
  }

  get givesServices(): boolean {
    return this.services !== noServices
  }

  get hasSupervisor(): boolean {
    return this.nested !== undefined
  }

  attach(supervisor: SupervisorCore, name: string): string {
    const nested = this.nested ??= new Map()
    const own = this.entry.spec.type === "supervisor" && nested.size === 0
    const path = own ? this.path : uniquePath(`${this.path}/${name}`, nested)
    nested.set(path, supervisor)
    return path
  }

  detach(supervisor: SupervisorCore): void {
    this.nested?.delete(supervisor.path)
  }

  ended(_supervisor: SupervisorCore, reason: ExitReason): boolean {
    return this.end(reason)
  }

  /**
   * The child leaves, for this reason. Only the first end counts, and none once a stop has begun (rules Q3, Q6); the
   * answer is false only if the stop has begun.
   */
  end(reason: ExitReason): boolean {
    if (this.status === "closing") return false
    if (this.status === "exited") return true
    const starting = this.status === "starting"
    this.status = "exited"
    this.left = reason
    if (starting) this.abortStart?.(reason)
    else this.supervisor.mailbox.post({ _tag: "Exit", incarnation: this, reason })
    return true
  }

  /**
   * Runs an effect as this incarnation's fiber. Our observer is registered from inside the fiber's first operation: one
   * of the user's, registered earlier, could throw and hide the exit.
   */
  fork(
    effect: AnyEffect,
    context: Context.Context<never>,
    onExit: (incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>) => void
  ): void {
    const first = Effect.withFiber((fiber) => {
      this.observe(fiber, onExit)
      return effect
    })
    this.supervisor.report.guard(() => {
      const fiber = Effect.runForkWith(context)(first)
      // From outside only where a scheduler has put off even the first operation.
      if (fiber.pollUnsafe() === undefined) this.observe(fiber, onExit)
    })
  }

  private observe(
    fiber: Fiber.Fiber<unknown, unknown>,
    onExit: (incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>) => void
  ): void {
    if (this.fiber === fiber) return
    this.fiber = fiber
    fiber.addObserver((exit) => {
      this.fiber = undefined
      this.exit = exit
      onExit(this, exit)
      this.onFiberDone?.()
    })
  }

  /** Asks the fiber to go. */
  interrupt(): void {
    const fiber = this.fiber
    if (fiber !== undefined) this.supervisor.report.guard(() => fiber.interruptUnsafe())
  }

  /**
   * A fiber ended that nobody judges any more: it was told to, or its child had left already. How it really went changes
   * nothing; it is only reported when it is unexpected (rule T7).
   */
  endedUnjudged(exit: Exit.Exit<unknown, unknown>): void {
    if (this.abandoned) return this.supervisor.report.abandonedFiberEnded(this, exit)
    if (exit._tag === "Success" || exit.cause.reasons.every((reason) => reason._tag === "Interrupt")) return
    this.supervisor.report.shutdownFailed(this, exit.cause)
  }
}
