import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type ExitReason, fromExit } from "../ExitReason.ts"
import type { Details } from "../SupervisionTree.ts"
import { noteEnd } from "./backoff.ts"
import type { Built } from "./built.ts"
import { ByPath } from "./byPath.ts"
import type { Entry } from "./children.ts"
import type { EventHub } from "./eventHub.ts"
import type { Health } from "./health.ts"
import type { Parent } from "./parent.ts"
import type { RefState } from "./refState.ts"
import type { AnyEffect } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/**
 * The fiber of the probe that runs, and what it has found: no health where it waits for the child to be ready, but why it is not.
 */
export interface Probing {
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly health: Health | undefined
  readonly failure?: Cause.Cause<unknown> | undefined
}

/** A call to a supervisor from inside one of its children that has not been answered. */
export interface InnerCall {
  /** The child of the supervisor that is called. */
  readonly child: Incarnation
  /** Says that the supervisor waits for what the caller is part of. */
  readonly refuse: (during: "start" | "stop") => void
}

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
  built: Built | undefined = undefined
  /** The ref it fills. */
  ref: RefState<any, any> | undefined = undefined
  /** The probe that runs, and what it has found; undefined where there is none. */
  probing: Probing | undefined = undefined
  /** What it wants to be known of it besides. */
  details: Details | undefined = undefined
  /** Whether it has asked for the supervisor to give up. */
  escalated = false
  private unanswered: Set<InnerCall> | undefined = undefined
  private nested: ByPath | undefined = undefined

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

  /** The incarnation in which its supervisor lives. */
  get above(): Incarnation | undefined {
    return this.supervisor.parent?.incarnation
  }

  get events(): EventHub {
    return this.supervisor.events
  }

  /** The supervisors that live inside. */
  get supervisors(): Iterable<SupervisorCore> {
    return this.nested ?? []
  }

  /** Whether its supervisor waits for it to end. */
  get isBeingStopped(): boolean {
    return this.status === "closing" && !this.abandoned && this.entry.incarnation === this
  }

  /** The calls to its supervisor, or to one above, for whose answer somebody inside it waits. */
  get calls(): Set<InnerCall> {
    return this.unanswered ??= new Set()
  }

  /**
   * Its supervisor is about to wait for it: calls that wait for this supervisor could never be answered, nor those that
   * wait for one above which waits for the start that this stop is a part of.
   */
  refuseCalls(): void {
    for (const { child, refuse } of this.unanswered ?? []) {
      if (child === this) refuse("stop")
      else if (child.supervisor.starting === child) refuse("start")
    }
  }

  get hasSupervisor(): boolean {
    return this.nested !== undefined
  }

  /** Tells whoever listens what has happened here. */
  publish(event: "ChildStarting" | "ChildStarted" | "ChildReady" | "ChildIgnored" | "ChildStopped"): void {
    const { number, path, supervisor } = this
    if (supervisor.events.heard === 0) return
    supervisor.publish({ _tag: event, path, incarnation: number, timeMillis: supervisor.nowMillis() })
  }

  /** What the liveness probe finds has changed. */
  tellHealth(health: Health): void {
    const { number, path, supervisor } = this
    this.probing = { fiber: this.probing?.fiber, health }
    if (supervisor.events.heard === 0) return
    const timeMillis = supervisor.nowMillis()
    supervisor.publish({ _tag: "ChildHealthChanged", path, incarnation: number, timeMillis, health })
  }

  attach(supervisor: SupervisorCore, name: string): string {
    const nested = this.nested ??= new ByPath()
    const isOwn = this.entry.spec.type === "supervisor" && nested.isEmpty
    return nested.add(supervisor, isOwn ? this.path : `${this.path}/${name}`)
  }

  detach(supervisor: SupervisorCore): void {
    this.nested?.delete(supervisor)
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
    this.emptyRef()
    if (starting) {
      this.abortStart?.(reason)
      return true
    }
    noteEnd(this.supervisor, this.entry)
    this.supervisor.post({ _tag: "Exit", incarnation: this, reason })
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
    try {
      const fiber = Effect.runForkWith(context)(first)
      // From outside only where a scheduler has put off even the first operation.
      if (fiber.pollUnsafe() === undefined) this.observe(fiber, onExit)
    } catch (thrown) {
      this.supervisor.report.observerThrew(thrown)
    }
  }

  private observe(
    fiber: Fiber.Fiber<unknown, unknown>,
    onExit: (incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>) => void
  ): void {
    if (this.fiber === fiber) return
    this.fiber = fiber
    fiber.addObserver((exit) => {
      // Who waits for this fiber, and not who comes to wait for the one that is begun after it: the body after the start.
      const { onFiberDone } = this
      this.onFiberDone = undefined
      this.fiber = undefined
      this.exit = exit
      onExit(this, exit)
      onFiberDone?.()
    })
  }

  /** Leaves for this reason, and asks the supervisor to give up. */
  escalate(reason: ExitReason): void {
    if (this.status === "exited" || this.status === "closing") return
    this.escalated = true
    this.end(reason)
  }

  /** A fiber linked to this incarnation has ended. An interruption is somebody's wish, and not passed on. */
  linkedEnded(exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Success" || exit.cause.reasons.every((reason) => reason._tag === "Interrupt")) return
    if (this.status === "starting" || this.status === "running") this.end(fromExit(exit))
    else this.endedUnjudged(exit)
  }

  /** Whoever uses it through its ref is told that it is down. */
  emptyRef(): void {
    const ref = this.ref
    if (ref === undefined) return
    this.ref = undefined
    this.supervisor.report.guard(() => ref.empty(this.path, this.number))
  }

  /** Asks the fiber to go, and the probe first: a child that is ending is not checked. */
  interrupt(): void {
    const { fiber } = this
    const probe = this.probing?.fiber
    if (probe !== undefined) this.supervisor.report.guard(() => probe.interruptUnsafe())
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
