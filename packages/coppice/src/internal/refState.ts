import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Alive, ChildRef, Options } from "../ChildRef.ts"
import { ChildDown, ChildUnavailable } from "../SupervisorError.ts"
import { forkObserved } from "./forkObserved.ts"

/** How long a use waits for a child that is starting or restarting, unless it says otherwise. */
export const defaultPatience: Duration.Input = "5 seconds"

/** The key of a ref. */
export const TypeId = "~coppice/ChildRef"

// Each may end a fiber of the user's, whose observers may throw: the others are run all the same.
const runAll = (callbacks: ReadonlyArray<() => void>): void => {
  let failed = false
  let first: unknown
  for (const run of callbacks) {
    try {
      run()
    } catch (thrown) {
      if (!failed) first = thrown
      failed = true
    }
  }
  if (failed) throw first
}

/** An incarnation that fills a ref, and the effects that use it. */
class Tenure<S> implements Alive<S> {
  readonly path: string
  readonly incarnation: number
  readonly service: S
  over = false
  private readonly uses = new Set<() => void>()

  constructor(path: string, incarnation: number, service: S) {
    this.path = path
    this.incarnation = incarnation
    this.service = service
  }

  add(interrupt: () => void): void {
    this.uses.add(interrupt)
  }

  remove(interrupt: () => void): void {
    this.uses.delete(interrupt)
  }

  end(): void {
    this.over = true
    const uses = Array.from(this.uses)
    this.uses.clear()
    runAll(uses)
  }
}

/** A ref, as its child's supervisor sees it: filled, awaited, or given up. */
export class RefState<I, S> implements ChildRef<I, S> {
  readonly [TypeId]: typeof TypeId = TypeId
  readonly key: string
  readonly tag: Context.Key<I, S>
  private readonly patience: Duration.Input
  private tenure: Tenure<S> | undefined = undefined
  /** Whether its child is down and nothing is going to restart it. */
  private isGone = false
  private readonly waiting = new Set<() => void>()
  private readonly readers = new Set<(alive: Alive<S>) => void>()

  constructor(key: string, tag: Context.Key<I, S>, patience: Duration.Input) {
    this.key = key
    this.tag = tag
    this.patience = patience
  }

  /** A ref to what is always alive. */
  static of<I, S>(key: string, tag: Context.Key<I, S>, service: S): RefState<I, S> {
    const ref = new RefState(key, tag, 0)
    ref.tenure = new Tenure(key, 1, service)
    return ref
  }

  /** Whether an incarnation fills it now. */
  get isFilled(): boolean {
    return this.tenure !== undefined
  }

  /** A start of its child has begun: whoever comes waits. */
  await(): void {
    this.isGone = false
  }

  /** An incarnation has started. */
  fill(path: string, incarnation: number, services: Context.Context<I>): void {
    const tenure = new Tenure(path, incarnation, Context.get(services, this.tag))
    this.isGone = false
    this.tenure = tenure
    runAll([...Array.from(this.readers, (read) => () => read(tenure)), ...this.takeWaiting()])
  }

  /** That incarnation has ended. */
  empty(path: string, incarnation: number): void {
    const tenure = this.tenure
    if (tenure === undefined || tenure.path !== path || tenure.incarnation !== incarnation) return
    this.tenure = undefined
    tenure.end()
  }

  /** Its child is down, and nothing is going to restart it. */
  giveUp(): void {
    if (this.tenure !== undefined) return
    this.isGone = true
    runAll(this.takeWaiting())
  }

  use<A, E, R>(
    f: (service: S) => Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R> {
    return Effect.suspend(() => {
      const { tenure } = this
      return tenure === undefined
        ? Effect.andThen(this.filled(options?.patience ?? this.patience), this.use(f, options))
        : this.during(tenure, f)
    })
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
        const read = (alive: Alive<S>) => void Queue.offerUnsafe(queue, alive)
        if (this.tenure !== undefined) read(this.tenure)
        this.readers.add(read)
        return read
      }),
      (read) => Effect.sync(() => this.readers.delete(read))
    ), { bufferSize: 1, strategy: "sliding" })

  // Waits until an incarnation fills it, no longer than the patience.
  private filled(patience: Duration.Input): Effect.Effect<void, ChildUnavailable> {
    const duration = Duration.fromInputUnsafe(patience)
    if (this.isGone) return Effect.fail(this.unavailable("down", duration))
    if (Duration.isZero(duration)) return Effect.fail(this.unavailable("not-back-in-time", duration))
    return Effect.callback<void, ChildUnavailable>((resume) => {
      const woken = () => resume(this.isGone ? Effect.fail(this.unavailable("down", duration)) : Effect.void)
      this.waiting.add(woken)
      return Effect.sync(() => this.waiting.delete(woken))
    }).pipe(Effect.timeoutOrElse({
      duration,
      orElse: () => Effect.fail(this.unavailable("not-back-in-time", duration))
    }))
  }

  // In a fiber of its own, which the end of the incarnation interrupts.
  private during<A, E, R>(
    tenure: Tenure<S>,
    f: (service: S) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | ChildDown, R> {
    return Effect.contextWith((context: Context.Context<R>) =>
      Effect.callback<A, E | ChildDown>((resume) => {
        let fiber: Fiber.Fiber<A, E> | undefined
        const interrupt = () => fiber?.interruptUnsafe()
        tenure.add(interrupt)
        fiber = forkObserved(context, Effect.suspend(() => f(tenure.service)), (exit) => {
          tenure.remove(interrupt)
          resume(tenure.over ? this.down(tenure, exit) : exit)
        })
        // It may have ended the incarnation itself, before it had a name here.
        if (tenure.over) interrupt()
        return Fiber.interrupt(fiber)
      })
    )
  }

  // A finalizer that died on the way is not hidden.
  private down(tenure: Tenure<S>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<never, ChildDown> {
    const defects = exit._tag === "Failure" ? exit.cause.reasons.filter((reason) => reason._tag === "Die") : []
    if (defects.length > 0) return Effect.failCause(Cause.fromReasons(defects))
    return Effect.fail(new ChildDown({ ref: this.key, path: tenure.path, incarnation: tenure.incarnation }))
  }

  private unavailable(reason: ChildUnavailable["reason"], patience: Duration.Duration): ChildUnavailable {
    return new ChildUnavailable({ ref: this.key, reason, patienceMillis: Duration.toMillis(patience) })
  }

  private takeWaiting(): ReadonlyArray<() => void> {
    const waiting = Array.from(this.waiting)
    this.waiting.clear()
    return waiting
  }
}
