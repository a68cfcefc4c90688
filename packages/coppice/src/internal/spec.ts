import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { pipeArguments } from "effect/Pipeable"
import type { Backoff } from "../Backoff.ts"
import type { Liveness, Probe } from "../Probe.ts"
import type { RestartType } from "./verdict.ts"

/** The key under which a `Child` carries its types. */
export const TypeId = "~coppice/Child"

/** The key under which a child built from a layer carries what it builds. */
export const LayerTypeId = "~coppice/Child/Layer"

/** Whatever a user's effect fails with: every value there is. */
export type AnyError = {} | null | undefined

/** A user's effect. Its requirements are checked where the child is made, and its types are erased here. */
export type AnyEffect<A = unknown> = Effect.Effect<A, AnyError>

/** A user's layer, its types erased likewise. */
export type AnyLayer = Layer.Layer<never, AnyError>

/** A user's probe with its defaults, its types erased likewise. */
export interface AnyProbe {
  readonly check: AnyEffect
  readonly intervalMillis: number
  readonly timeoutMillis: number
}

/** A user's liveness probe with its defaults, its types erased likewise. */
export interface AnyLiveness extends AnyProbe {
  readonly name: string
  readonly startPeriodMillis: number
  readonly failureThreshold: number
  readonly successThreshold: number
}

/** What a start runs. */
export type Start =
  | { readonly kind: "effect"; readonly run: AnyEffect }
  | { readonly kind: "make"; readonly acquire: AnyEffect<AnyEffect> }
  | { readonly kind: "task"; readonly run: AnyEffect }
  | { readonly kind: "layer" | "supervisor"; readonly layer: AnyLayer }

/** The options of a child that its start does not depend on. */
export interface SpecOptions {
  readonly restart?: RestartType | undefined
  readonly significant?: boolean | undefined
  readonly shutdown?: Duration.Input | "brutal-kill" | undefined
  readonly ref?: Context.Key<any, any> | undefined
  readonly backoff?: Backoff | undefined
  readonly resetAfter?: Duration.Input | undefined
  readonly onExhausted?: "escalate" | "give-up" | undefined
  readonly startTimeout?: Duration.Input | undefined
  readonly readiness?: Probe<unknown> | undefined
  readonly liveness?: Liveness<unknown> | undefined
}

/** How long a child may take to stop, unless it says otherwise: OTP's 5 s, more for a layer, whose servers drain. */
const defaultShutdown: Record<Start["kind"], Duration.Duration> = {
  effect: Duration.seconds(5),
  make: Duration.seconds(5),
  task: Duration.seconds(5),
  layer: Duration.seconds(30),
  supervisor: Duration.infinity
}

/** After how long a child that is up has recovered, unless it says otherwise. */
const defaultResetAfter: Duration.Input = "1 minute"

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

type Unchecked<P> = Omit<P, "check"> & { readonly check: AnyEffect }

const probe = (
  { check, interval, timeout }: Unchecked<Probe<never>>,
  defaultInterval: Duration.Input
): AnyProbe => ({
  // A check has a scope of its own: what it acquires is not kept until the child ends.
  check: Effect.scoped(check),
  intervalMillis: millis(interval ?? defaultInterval),
  timeoutMillis: millis(timeout ?? "1 second")
})

const livenessProbe = (liveness: Unchecked<Liveness<never>>): AnyLiveness => ({
  ...probe(liveness, "10 seconds"),
  name: liveness.name ?? "liveness",
  startPeriodMillis: millis(liveness.startPeriod ?? 0),
  failureThreshold: liveness.failureThreshold ?? 3,
  successThreshold: liveness.successThreshold ?? 1
})

/** How a child is waited for and watched. Most have none of it, and no room for it. */
interface Care {
  readonly backoff: Backoff | undefined
  readonly resetAfterMillis: number
  readonly onExhausted: "escalate" | "give-up"
  readonly startTimeoutMillis: number
  readonly readiness: AnyProbe | undefined
  readonly liveness: AnyLiveness | undefined
}

const careOf = (options: SpecOptions): Care => {
  const readiness = options.readiness as Unchecked<Probe<never>> | undefined
  const liveness = options.liveness as Unchecked<Liveness<never>> | undefined
  return {
    backoff: options.backoff,
    resetAfterMillis: millis(options.resetAfter ?? defaultResetAfter),
    onExhausted: options.onExhausted ?? "escalate",
    startTimeoutMillis: millis(options.startTimeout ?? "Infinity"),
    readiness: readiness === undefined ? undefined : probe(readiness, "1 second"),
    liveness: liveness === undefined ? undefined : livenessProbe(liveness)
  }
}

const withoutCare = careOf({})

const isCaredFor = ({ backoff, liveness, onExhausted, readiness, resetAfter, startTimeout }: SpecOptions): boolean =>
  (backoff ?? liveness ?? onExhausted ?? readiness ?? resetAfter ?? startTimeout) !== undefined

const variance = { _Provides: identity, _Requires: identity }

/** A child specification at run time. */
export class Spec {
  readonly [TypeId] = variance
  readonly id: string
  readonly start: Start
  readonly restart: RestartType
  readonly shutdown: Duration.Duration | "brutal-kill"
  readonly care: Care
  private readonly options: SpecOptions | undefined

  /** `like`: one that says the same, but for its id and its ref. */
  constructor(id: string, start: Start, options: SpecOptions | undefined, like?: Spec) {
    this.id = id
    this.start = start
    this.options = options
    if (like !== undefined) {
      this.restart = like.restart
      this.care = like.care
      this.shutdown = like.shutdown
      return
    }
    this.restart = options?.restart ?? "permanent"
    this.care = options !== undefined && isCaredFor(options) ? careOf(options) : withoutCare
    const shutdown = options?.shutdown
    this.shutdown = shutdown === undefined
      ? defaultShutdown[start.kind]
      : shutdown === "brutal-kill"
      ? shutdown
      : Duration.fromInputUnsafe(shutdown)
  }

  /** The same child, built from another layer. */
  withLayer(layer: AnyLayer): Spec {
    return new Spec(this.id, { kind: this.type === "supervisor" ? "supervisor" : "layer", layer }, this.options)
  }

  /** A child of its supervisor's own making: this one, but for its id, and perhaps the ref it fills. */
  withId(id: string, ref = this.ref): Spec {
    const options = ref === this.ref ? this.options : { ...this.options, ref }
    return new Spec(id, this.start, options, this)
  }

  get significant(): boolean {
    return this.options?.significant ?? false
  }

  /** The ref that each incarnation fills. */
  get ref(): Context.Key<any, any> | undefined {
    return this.options?.ref
  }

  /** Whether `shutdown` is the default, which a supervisor inside the child prolongs. */
  get shutdownIsDefault(): boolean {
    return this.options?.shutdown === undefined
  }

  get kind(): Start["kind"] {
    return this.start.kind
  }

  get type(): "worker" | "supervisor" {
    return this.start.kind === "supervisor" ? "supervisor" : "worker"
  }

  get shutdownMillis(): number {
    return this.shutdown === "brutal-kill" ? 0 : Duration.toMillis(this.shutdown)
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

function identity<A>(value: A): A {
  return value
}
