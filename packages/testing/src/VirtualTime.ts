/**
 * A deterministic world for fibers: one queue, a clock that moves only when it is told to, and an order of events that
 * can be made to follow from a seed.
 *
 * In such a world *quiet* can be seen: nothing is runnable. A test waits for it with {@link settle} instead of sleeping,
 * polling or yielding. Real I/O is not waited for; what promises do is.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import { CurrentHold, type Hold } from "./internal/hold.ts"
import { type Sleeping, VirtualClock } from "./internal/virtualClock.ts"

/**
 * What order a world has.
 *
 * - `seed`: which of several runnable fibers has its turn, where a fiber gives way in the middle, and which of two that
 *   wake at the same time is the first. Without one everything is done in the order of arrival, as Effect does it.
 * - `opsBeforeYield`: without a seed, after how many operations a fiber gives way; default 2048, as in Effect. With 3 they
 *   are interleaved as finely as they can be and still get on.
 * - `opsAtOnce`: after how many operations at one moment it is said that there is no end of them, with {@link Restless};
 *   default 20 million.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly seed?: number | string | undefined
  readonly opsBeforeYield?: number | undefined
  readonly opsAtOnce?: number | undefined
}

/** How likely a fiber is to give way before an operation, where there is a seed. */
const chanceToYield = 0.1

/** A fiber does at least so much in its turn, or it would not get on. */
const leastOps = 3

/**
 * Nothing comes to rest: something goes on and on without letting time pass, and would keep the host from ever having its
 * turn. The world has ended with it: {@link run} dies, and whoever drives a world from outside is thrown it.
 *
 * @category errors
 * @since 0.1.0
 */
export class Restless extends Schema.TaggedError<Restless>()("Restless", { atMillis: Schema.Finite }) {
  override get message(): string {
    return `there is no end of what is done at ${this.atMillis} ms: something tries again and again without a delay`
  }
}

interface Order {
  readonly shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
  /** Which of so many is next. */
  readonly choose: (count: number) => number
}

const orderOf = ({ opsBeforeYield = 2048, seed }: Options): Order => {
  if (seed === undefined) return { shouldYield: (fiber) => fiber.currentOpCount >= opsBeforeYield, choose: () => 0 }
  const random = Effect.runSync(Random.withSeed(Effect.service(Random.Random), seed))
  return {
    shouldYield: (fiber) => fiber.currentOpCount >= leastOps && random.nextDoubleUnsafe() < chanceToYield,
    choose: (count) => count === 1 ? 0 : Math.floor(random.nextDoubleUnsafe() * count)
  }
}

/**
 * A world on one queue with a clock that stands still, for a program that is driven from outside: everything happens inside
 * the call that causes it. To test from inside, see {@link run}.
 *
 * **Example** (A day passes at once)
 *
 * ```ts import.meta.vitest
 * import { VirtualTime } from "@coppice/testing"
 * import { Effect, Exit } from "effect"
 *
 * const world = new VirtualTime.VirtualTime()
 * const fiber = Effect.runForkWith(world.context)(Effect.as(Effect.sleep("1 day"), "awake"))
 *
 * fiber.pollUnsafe() // => undefined
 * world.advance(24 * 60 * 60 * 1000)
 * fiber.pollUnsafe() // => Exit.succeed("awake")
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export class VirtualTime {
  private readonly order: Order
  private readonly clock: VirtualClock
  private readonly tasks: Array<() => void> = []
  private readonly waiting: Array<() => void> = []
  private readonly holds = new Set<Hold>()
  /** Where the task goes that is scheduled next: that of a fiber that has just been made to hang. */
  private intoHold: Hold | undefined = undefined
  /** Has something done when the host has its next turn; undefined where the world is driven from outside. */
  private readonly later: ((task: () => void) => void) | undefined
  private hasTurn = false
  /** How many operations there have been, and at which moment. */
  private ops = 0
  private opsAt = 0
  private readonly opsAtOnce: number
  private readonly onRestless: (error: Restless) => void

  /** The services that put a fiber into this world. */
  readonly context: Context.Context<never>

  constructor(options: Options = {}, later?: (task: () => void) => void, onRestless = raise) {
    this.order = orderOf(options)
    this.later = later
    this.onRestless = onRestless
    this.opsAtOnce = options.opsAtOnce ?? 20_000_000
    this.clock = new VirtualClock(this.order.choose, settle)
    this.context = Context.make(Scheduler.Scheduler, this.scheduler()).pipe(
      Context.add(Clock.Clock, this.clock),
      Context.add(CurrentWorld, this)
    )
  }

  /** Who sleeps: until when, and in which child. */
  get sleeping(): ReadonlyArray<Sleeping> {
    return this.clock.sleeping
  }

  /** Runs an effect until quiet; no exit means that it waits for something that will not come. */
  run<A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> | undefined {
    const fiber = Effect.runForkWith(this.context)(effect)
    this.settle()
    return fiber.pollUnsafe()
  }

  /** Lets time pass. */
  advance(millis: number): void {
    const end = this.clock.currentTimeMillisUnsafe() + millis
    this.settle()
    while (this.clock.wakeNext(end)) this.settle()
    this.clock.moveTo(end)
  }

  /** Lets time pass until nobody sleeps any more, but for those who sleep for ever. */
  runFreely(): void {
    this.settle()
    while (this.clock.wakeNext(Infinity)) this.settle()
  }

  /** Runs what is runnable. */
  settle(): void {
    this.runTasks()
    // Driven from outside, nothing else is going to tell those who wait for quiet.
    while (this.later === undefined && this.waiting.length > 0) {
      this.tellQuiet()
      this.runTasks()
    }
  }

  /** Calls back when nothing is runnable, promises that are settled included. */
  whenQuiet(run: () => void): void {
    this.waiting.push(run)
    this.askForTurn()
  }

  /** Makes the fibers of a hold hang. Deaf ones do not even hear that they are told to end. */
  hang(hold: Hold, deaf: boolean): void {
    hold.begin(deaf)
    this.holds.add(hold)
  }

  /** Lets the fibers of a hold go on. */
  release(hold: Hold): void {
    this.holds.delete(hold)
    for (const task of hold.release()) this.add(task)
  }

  private runTasks(): void {
    while (this.tasks.length > 0) {
      if (this.isRestless()) {
        this.tasks.length = 0
        return this.onRestless(new Restless({ atMillis: this.opsAt }))
      }
      const [task] = this.tasks.splice(this.order.choose(this.tasks.length), 1)
      task!()
    }
  }

  private isRestless(): boolean {
    const now = this.clock.currentTimeMillisUnsafe()
    if (now !== this.opsAt) this.ops = 0
    this.opsAt = now
    return this.ops > this.opsAtOnce
  }

  // As tasks, so that none of them is lost where one throws.
  private tellQuiet(): void {
    this.tasks.push(...this.waiting.splice(0))
  }

  private scheduler(): Scheduler.Scheduler {
    return {
      executionMode: "async",
      shouldYield: (fiber) => {
        this.ops++
        return this.isHeld(fiber) || this.order.shouldYield(fiber)
      },
      makeDispatcher: () => ({
        scheduleTask: (task) => this.add(task),
        flush: () => this.runTasks()
      })
    }
  }

  private isHeld(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.holds.size === 0) return false
    const hold = fiber.getRef(CurrentHold)
    if (hold?.holds(fiber) !== true) return false
    this.intoHold = hold
    return true
  }

  private add(task: () => void): void {
    const hold = this.intoHold
    this.intoHold = undefined
    if (hold !== undefined) return hold.keep(task)
    this.tasks.push(task)
    this.askForTurn()
  }

  private askForTurn(): void {
    if (this.later === undefined || this.hasTurn) return
    this.hasTurn = true
    this.later(() => this.turn())
  }

  // It is quiet when nothing has come up since the last turn: promises have had theirs in between. What a task throws is the
  // host's to deal with; the world goes on.
  private turn(): void {
    if (this.tasks.length === 0) this.tellQuiet()
    try {
      this.runTasks()
    } finally {
      this.hasTurn = this.tasks.length > 0 || this.waiting.length > 0
      if (this.hasTurn) this.later!(() => this.turn())
    }
  }
}

const raise = (error: Restless): void => {
  throw error
}

/** The world in which a fiber runs. */
const CurrentWorld = Context.Reference<VirtualTime | undefined>("@coppice/testing/VirtualTime/CurrentWorld", {
  defaultValue: () => undefined
})

/**
 * Runs an effect in a world of its own. `TestClock.adjust` moves its clock and answers when what that woke has come to
 * rest. `Random` follows from the seed, if there is one.
 *
 * **Example** (A test that waits for quiet, and for an hour)
 *
 * ```ts import.meta.vitest
 * import { VirtualTime } from "@coppice/testing"
 * import { Effect } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const test = Effect.gen(function*() {
 *   const seen: Array<string> = []
 *   yield* Effect.forkChild(Effect.sync(() => seen.push("at once")))
 *   yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 hour"), Effect.sync(() => seen.push("later"))))
 *   yield* VirtualTime.settle
 *   const first = [...seen]
 *   yield* TestClock.adjust("1 hour")
 *   return [first, seen]
 * })
 *
 * await Effect.runPromise(VirtualTime.run(test)) // => [["at once"], ["at once", "later"]]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E, R>(effect: Effect.Effect<A, E, R>, options: Options = {}): Effect.Effect<A, E, R> =>
  Effect.withFiber((host) => {
    const dispatcher = host.getRef(Scheduler.Scheduler).makeDispatcher()
    const seeded = options.seed === undefined ? effect : Random.withSeed(effect, options.seed)
    return Effect.callback<A, E>((resume) => {
      const later = (task: () => void) => dispatcher.scheduleTask(task, 0)
      const world = new VirtualTime(options, later, (error) => resume(Effect.die(error)))
      const context = Context.merge(host.context as Context.Context<R>, world.context)
      const fiber = Effect.runForkWith(context)(seeded)
      fiber.addObserver(resume)
      return Fiber.interrupt(fiber)
    })
  })

/**
 * The world in which the effect runs. Outside {@link run} it dies.
 *
 * @category accessors
 * @since 0.1.0
 */
export const current: Effect.Effect<VirtualTime> = Effect.flatMap(CurrentWorld, (world) =>
  world === undefined
    ? Effect.die(new TypeError("there is no virtual time here: run the test in VirtualTime.run"))
    : Effect.succeed(world))

/**
 * Waits until nothing is runnable: everything that can happen without time passing has happened. Outside
 * {@link run} it dies.
 *
 * @category waiting
 * @since 0.1.0
 */
export const settle: Effect.Effect<void> = Effect.flatMap(
  current,
  (world) => Effect.callback<void>((resume) => world.whenQuiet(() => resume(Effect.void)))
)
