import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Around } from "../ChildMiddleware.ts"
import type { Alive, ChildRef, Options } from "../ChildRef.ts"
import { ChildDown, ChildUnavailable } from "../SupervisorError.ts"
import { forkObserved, type Observer } from "./forkObserved.ts"
import { runAll } from "./runAll.ts"

/** How long a use waits for a child that is starting or restarting, unless it says otherwise. */
export const defaultPatience: Duration.Input = "5 seconds"

/** The key of a ref. */
export const TypeId = "~coppice/ChildRef"

/** An incarnation that fills a ref, and the effects that use it. */
class Tenure<S> implements Alive<S> {
  readonly ref: string
  readonly path: string
  readonly incarnation: number
  readonly service: S
  /** What is put around each use. */
  readonly around: Around["use"]
  over = false
  private readonly uses = new Set<Use<any, any>>()

  constructor(ref: string, path: string, incarnation: number, service: S, around: Around["use"]) {
    this.ref = ref
    this.path = path
    this.incarnation = incarnation
    this.service = service
    this.around = around
  }

  add(use: Use<any, any>): void {
    this.uses.add(use)
  }

  remove(use: Use<any, any>): void {
    this.uses.delete(use)
  }

  end(): void {
    this.over = true
    const uses = Array.from(this.uses, (use) => () => use.interrupt())
    this.uses.clear()
    runAll(uses)
  }
}

/** An effect that runs during a tenure, in a fiber of its own, which the end of the tenure interrupts. */
class Use<A, E> implements Observer<A, E> {
  private readonly tenure: Tenure<any>
  private readonly resume: (outcome: Effect.Effect<A, E | ChildDown>) => void
  private fiber: Fiber.Fiber<A, E> | undefined = undefined
  private exit: Exit.Exit<A, E> | undefined = undefined
  private onEnd: ((exit: Exit.Exit<A, E>) => void) | undefined = undefined

  constructor(tenure: Tenure<any>, resume: (outcome: Effect.Effect<A, E | ChildDown>) => void) {
    this.tenure = tenure
    this.resume = resume
  }

  onFiber(fiber: Fiber.Fiber<A, E>): void {
    this.fiber = fiber
    this.tenure.add(this)
  }

  onExit(exit: Exit.Exit<A, E>): void {
    this.exit = exit
    this.tenure.remove(this)
    this.resume(this.tenure.over ? this.down(exit) : exit)
    this.onEnd?.(exit)
  }

  interrupt(by?: number): void {
    this.fiber?.interruptUnsafe(by)
  }

  /** What is done when its user is interrupted: the effect is interrupted too, and awaited. */
  abort(): Effect.Effect<void> | undefined {
    if (this.exit !== undefined) return undefined
    // Not Fiber.interrupt, which waits for ever if an observer of the user's throws before its own has been told.
    return Effect.callback<void>((resume) => {
      this.onEnd = (exit) => resume(defects(exit) ?? Effect.void)
      if (this.exit === undefined) this.interrupt(Fiber.getCurrent()?.id)
      else this.onEnd(this.exit)
    })
  }

  private down(exit: Exit.Exit<A, E>): Effect.Effect<never, ChildDown> {
    const { incarnation, path, ref } = this.tenure
    return defects(exit) ?? Effect.fail(new ChildDown({ ref, path, incarnation }))
  }
}

// A finalizer that died on the way is not hidden.
const defects = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<never> | undefined => {
  const died = exit._tag === "Failure" ? exit.cause.reasons.filter((reason) => reason._tag === "Die") : []
  return died.length === 0 ? undefined : Effect.failCause(Cause.fromReasons(died))
}

/** A ref, as its child's supervisor sees it: filled, awaited, or given up. */
export class RefState<I, S> implements ChildRef<I, S> {
  readonly [TypeId]: typeof TypeId = TypeId
  readonly key: string
  readonly tag: Context.Key<I, S>
  /** Whether it is one for tests, that no child fills. */
  readonly isFake: boolean
  private readonly patience: Duration.Duration
  private tenure: Tenure<S> | undefined = undefined
  /** The child that has filled it last, or is about to. */
  private owner: object | undefined = undefined
  /** Whether that child is down, or will be when its incarnation has ended, and nothing is going to restart it. */
  private isGone = false
  private isClosed = false
  private readonly waiting = new Set<() => void>()
  private readonly readers = new Set<Queue.Queue<Alive<S>, Cause.Done>>()

  constructor(key: string, tag: Context.Key<I, S>, patience: Duration.Duration, fake?: { readonly service: S }) {
    this.key = key
    this.tag = tag
    this.patience = patience
    this.isFake = fake !== undefined
    if (fake !== undefined) this.tenure = new Tenure(key, key, 1, fake.service, undefined)
  }

  /** Whether an incarnation fills it now. */
  get isFilled(): boolean {
    return this.tenure !== undefined
  }

  /** Whether this child is the one that has filled it last, or is about to. */
  isOf(owner: object): boolean {
    return this.owner === owner
  }

  /** A start of a child has begun: whoever comes waits. */
  await(owner: object): void {
    if (this.tenure !== undefined) return
    this.owner = owner
    this.isGone = false
  }

  /** An incarnation of a child has started. */
  fill(
    owner: object,
    path: string,
    incarnation: number,
    services: Context.Context<I>,
    around: Around["use"]
  ): void {
    const tenure = new Tenure(this.key, path, incarnation, Context.get(services, this.tag), around)
    // Another may have had it still when this one began to start.
    this.owner = owner
    this.isGone = false
    this.tenure = tenure
    runAll([...Array.from(this.readers, (reader) => () => Queue.offerUnsafe(reader, tenure)), ...this.takeWaiting()])
  }

  /** That incarnation has ended. */
  empty(path: string, incarnation: number): void {
    const tenure = this.tenure
    if (tenure === undefined || tenure.path !== path || tenure.incarnation !== incarnation) return
    this.tenure = undefined
    tenure.end()
  }

  /** That child is down, or ends now, and nothing is going to restart it. */
  giveUp(owner: object): void {
    if (this.owner !== owner) return
    this.isGone = true
    runAll(this.takeWaiting())
  }

  /** What it was built in is closed. */
  close(): void {
    this.isClosed = true
    this.isGone = true
    this.owner = undefined
    const readers = Array.from(this.readers, (reader) => () => Queue.endUnsafe(reader))
    runAll([...readers, ...this.takeWaiting()])
  }

  use<A, E, R>(
    f: (service: S) => Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R> {
    return this.useOr(f, () => this.usePatiently(f, options?.patience ?? this.patience))
  }

  provide<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, Exclude<R, I>> {
    return this.use((service) => Effect.provideService(effect, this.tag, service), options)
  }

  readonly changes: Stream.Stream<Alive<S>> = Stream.callback<Alive<S>>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        if (this.tenure !== undefined) Queue.offerUnsafe(queue, this.tenure)
        if (this.isClosed) Queue.endUnsafe(queue)
        else this.readers.add(queue)
      }),
      () => Effect.sync(() => this.readers.delete(queue))
    ), { bufferSize: 1, strategy: "sliding" })

  // One operation, in which the fiber is forked and whoever interrupts the caller is told of it: between two operations a
  // caller can be interrupted.
  private useOr<A, E, R>(
    f: (service: S) => Effect.Effect<A, E, R>,
    otherwise: () => Effect.Effect<A, E | ChildDown | ChildUnavailable, R>
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R> {
    return Effect.callback<A, E | ChildDown | ChildUnavailable, R>((resume) => {
      const { tenure } = this
      if (tenure === undefined) return resume(otherwise())
      const use = new Use<A, E | ChildDown | ChildUnavailable>(tenure, resume)
      const { around } = tenure
      const run = around === undefined
        ? () => f(tenure.service)
        : () => around(Effect.suspend(() => f(tenure.service)), this.key)
      forkObserved(Fiber.getCurrent()!.context as Context.Context<R>, run, use)
      return use.abort()
    })
  }

  // Each incarnation may be over before the caller has its turn: the patience is for all of the waiting together.
  private usePatiently<A, E, R>(
    f: (service: S) => Effect.Effect<A, E, R>,
    patience: Duration.Input
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R> {
    return Clock.clockWith((clock) => {
      const nowMillis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
      const patienceMillis = Duration.toMillis(Duration.fromInputUnsafe(patience))
      const deadline = nowMillis() + patienceMillis
      const retry: Effect.Effect<A, E | ChildDown | ChildUnavailable, R> = Effect.suspend(() =>
        Effect.andThen(this.woken(deadline - nowMillis(), patienceMillis), this.useOr(f, () => retry))
      )
      return retry
    })
  }

  // Waits until an incarnation fills it or it is given up, no longer than the time that is left. One may have filled it since
  // the caller has looked.
  private woken(millis: number, patienceMillis: number): Effect.Effect<void, ChildUnavailable> {
    const unavailable = (reason: ChildUnavailable["reason"]) =>
      Effect.fail(new ChildUnavailable({ ref: this.key, reason, patienceMillis }))
    return Effect.callback<void, ChildUnavailable>((resume) => {
      if (this.tenure !== undefined) return resume(Effect.void)
      if (this.isGone) return resume(unavailable("down"))
      if (millis <= 0) return resume(unavailable("not-back-in-time"))
      let timer: Fiber.Fiber<void> | undefined
      const wake = () => {
        timer?.interruptUnsafe()
        resume(Effect.void)
      }
      const forget = () => {
        this.waiting.delete(wake)
        timer?.interruptUnsafe()
      }
      this.waiting.add(wake)
      // Not a race: where the caller cannot be interrupted, the loser could not either.
      if (millis < Infinity) {
        timer = Effect.runForkWith(Fiber.getCurrent()!.context)(
          Effect.andThen(
            Effect.sleep(millis),
            Effect.sync(() => {
              this.waiting.delete(wake)
              resume(unavailable("not-back-in-time"))
            })
          )
        )
      }
      return Effect.sync(forget)
    })
  }

  private takeWaiting(): ReadonlyArray<() => void> {
    const waiting = Array.from(this.waiting)
    this.waiting.clear()
    return waiting
  }
}
