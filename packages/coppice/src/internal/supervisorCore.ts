import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { ChildMiddleware } from "../ChildMiddleware.ts"
import type { ExitReason, RestartIntensityExceeded } from "../ExitReason.ts"
import { type ChildStartFailed, InvalidChild } from "../SupervisorError.ts"
import type { SupervisorEvent } from "../SupervisorEvent.ts"
import type { Backoffs } from "./backoff.ts"
import { Children, Entry, type Retry } from "./children.ts"
import { Dynamic, type DynamicSettings } from "./dynamic.ts"
import { EventHub } from "./eventHub.ts"
import type { Incarnation } from "./incarnation.ts"
import type { Lasting } from "./lasting.ts"
import { Mailbox } from "./mailbox.ts"
import { Outcome } from "./outcome.ts"
import { ChildLayers, type Surroundings } from "./ownLayer.ts"
import { CurrentParent, CurrentStart, type Parent, type StartInProgress } from "./parent.ts"
import type { Refs } from "./refs.ts"
import { Report } from "./report.ts"
import { RestartWindow } from "./restartWindow.ts"
import type { Spec } from "./spec.ts"
import { type Step, Stepper } from "./steps.ts"
import { isGroup, type Strategy } from "./strategy.ts"
import { MetricsOn, Tally } from "./tally.ts"
import type { AutoShutdown } from "./verdict.ts"

/** A child left. It names its incarnation: an earlier one's is dropped. */
export interface ExitMessage {
  readonly _tag: "Exit"
  readonly incarnation: Incarnation
  readonly reason: ExitReason
}

/** Somebody calls, and is told how the operation has come out, or that the supervisor has ended. */
export interface CallMessage {
  readonly _tag: "Call"
  readonly operation: () => Step<unknown, unknown>
  readonly answer: (exit: Exit.Exit<any, any>) => void
  readonly refuse: () => void
}

/** What a supervisor handles, one at a time, in the order of arrival (rule Q1). */
export type Message = ExitMessage | CallMessage | Retry

/** A supervisor's options, checked and with their defaults. */
export interface Settings {
  readonly strategy: Strategy
  readonly intensity: number
  /** The period as it was given, and as a number; NaN if it is no duration. */
  readonly period: Duration.Input
  readonly periodMillis: number
  readonly autoShutdown: AutoShutdown
  readonly children: ReadonlyArray<Spec>
  readonly onEscalation: ((error: RestartIntensityExceeded) => Effect.Effect<void>) | undefined
  /** What makes it a dynamic supervisor, if it is one. */
  readonly dynamic?: DynamicSettings | undefined
}

type Annotations = Readonly<Record<string, unknown>>

const unlessEmpty = (annotations: Annotations): Annotations | undefined =>
  Object.keys(annotations).length === 0 ? undefined : annotations

// The child of this supervisor in which it is found to be invalid, however deep.
const invalidHere = (core: SupervisorCore, problem: string): Effect.Effect<never> =>
  Effect.withFiber((fiber) => {
    const id = core.around(fiber.context).at(-1)?.entry.spec.id ?? ""
    return Effect.die(new InvalidChild({ path: core.path, id, problem }))
  })

const nowhere: ReadonlyArray<Incarnation> = []

/** The state of one supervisor. What happens to it is in `loop.ts`, `starting.ts`, `stopping.ts` and `calls.ts`. */
export class SupervisorCore {
  readonly path: string
  /** What the paths of its children begin with. */
  readonly pathBelow: string
  readonly parent: Parent | undefined
  /** How many supervisors it is inside of. */
  readonly depth: number
  readonly settings: Settings
  readonly children = new Children()
  /** What a dynamic supervisor has besides; undefined for any other. */
  readonly dynamic: Dynamic | undefined
  /** The refs that its children fill; undefined until there is one. */
  refs: Refs | undefined = undefined
  /** How far children are in their backoffs; undefined until one that has a backoff has started. */
  backoffs: Backoffs | undefined = undefined
  /** The restart that a group is waiting for. */
  waiting: Retry | undefined = undefined
  readonly window: RestartWindow
  readonly mailbox = new Mailbox<Message>()
  readonly events: EventHub
  readonly report: Report
  readonly surroundings: Surroundings
  /** The context the supervisor was built in. */
  readonly context: Context.Context<never>
  /** What every child's context begins with. */
  readonly childContext: Context.Context<never>
  /** The annotations of the supervisor itself, to which each child's name is added; undefined where there are none. */
  readonly logAnnotations: Annotations | undefined
  readonly spanAnnotations: Annotations | undefined
  /** The start inside which this supervisor is being built, if any. */
  readonly outerStart: StartInProgress | undefined
  readonly started = Deferred.makeUnsafe<void, ChildStartFailed>()
  readonly ended = new Outcome<Exit.Exit<ExitReason>>()
  /** Whether children restart together, and so may use the services of earlier siblings. */
  readonly isGroup: boolean
  /** Those that were abandoned and have not ended; undefined until there is one. */
  abandoned: Set<Incarnation> | undefined = undefined
  /** What is put around the children; undefined where there is nothing. */
  readonly middleware: ChildMiddleware | undefined
  /** What is counted for the metrics; undefined where they are off. */
  readonly tally: Tally | undefined
  status: "starting" | "running" | "stopping" | "stopped" | "failed" = "starting"
  /** The start in progress, which a stop order aborts. */
  starting: Incarnation | undefined = undefined
  stopOrdered = false
  /** What children have built to last; undefined until one has. */
  lasting: Lasting | undefined = undefined
  startedAtMillis: number | undefined = undefined
  lastExit: { readonly reason: ExitReason; readonly timeMillis: number } | undefined = undefined
  private readonly clock: Clock.Clock
  private stepper: Stepper | undefined = undefined

  constructor(
    name: string,
    settings: Settings,
    context: Context.Context<never>,
    surroundings: Surroundings,
    self?: (core: SupervisorCore) => Context.Context<never>
  ) {
    this.settings = settings
    this.context = context
    this.parent = Context.get(context, CurrentParent)
    const above = this.parent?.incarnation?.supervisor
    this.depth = above === undefined ? 0 : above.depth + 1
    this.outerStart = Context.get(context, CurrentStart)
    this.events = new EventHub(this.parent?.events)
    this.path = this.parent === undefined ? name : this.parent.attach(this, name)
    this.pathBelow = `${this.path}/`
    this.clock = Context.get(context, Clock.Clock)
    this.window = new RestartWindow(settings.intensity, settings.periodMillis)
    this.report = new Report(this, context)
    this.middleware = Context.get(context, ChildMiddleware)
    this.tally = Context.get(context, MetricsOn) ? new Tally() : undefined
    this.surroundings = surroundings
    this.isGroup = isGroup(settings.strategy)
    this.dynamic = settings.dynamic === undefined ? undefined : new Dynamic(settings.dynamic)
    this.logAnnotations = unlessEmpty(Context.get(context, References.CurrentLogAnnotations))
    this.spanAnnotations = unlessEmpty(Context.get(context, References.TracerSpanAnnotations))
    // One flat map, so that what each child adds stays a short chain on top of it.
    const layers = new ChildLayers(surroundings, (problem) => invalidHere(this, problem))
    const below = Context.add(Context.add(context, CurrentStart, undefined), Layer.CurrentMemoMap, layers)
    this.childContext = Context.makeUnsafe(
      (self === undefined ? below : Context.merge(below, self(this))).mapUnsafe
    )
    for (const spec of settings.children) this.children.append(new Entry(this.pathBelow, spec))
  }

  /** The number of the incarnation this supervisor is, or lives in. */
  get incarnation(): number {
    return this.parent?.incarnation?.number ?? 1
  }

  get hasEnded(): boolean {
    return this.status === "stopped" || this.status === "failed"
  }

  /** The time for people. */
  nowMillis(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** The time for the restart window, which no change of the wall clock disturbs. */
  monotonicMillis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1_000_000
  }

  /** Tells whoever listens. To be called only where somebody does: `if (core.events.heard > 0)`. */
  publish(event: SupervisorEvent): void {
    this.report.guard(() => this.events.publish(event))
  }

  /** Begins its life, which are these steps. */
  begin(life: Step): void {
    this.stepper = new Stepper(life, this.context, (cause) => this.report.loopDied(cause))
    this.stepper.begin()
  }

  /** Something has happened that it is to handle. */
  post(message: Message): void {
    this.mailbox.add(message)
    this.stepper?.wake()
  }

  /** The stop order: not a message, because it overtakes them all, and aborts the start in progress. */
  orderStop(): void {
    if (this.stopOrdered || this.hasEnded) return
    this.stopOrdered = true
    this.starting?.abortStart?.("stopped")
    this.stepper?.wake()
  }

  /** A child is not listed any more. */
  forget(entry: Entry): void {
    this.children.remove(entry)
    this.lasting?.release(entry)
  }

  /** The incarnations in which something runs that runs inside a child of this supervisor, the child's as the last. */
  around(context: Context.Context<never>): ReadonlyArray<Incarnation> {
    let incarnation = Context.get(context, CurrentParent)?.incarnation
    if (incarnation === undefined) return nowhere
    const around: Array<Incarnation> = []
    while (incarnation !== undefined) {
      around.push(incarnation)
      if (incarnation.supervisor === this) return around
      incarnation = incarnation.supervisor.parent?.incarnation
    }
    return nowhere
  }
}
