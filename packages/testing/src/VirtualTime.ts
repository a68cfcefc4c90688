/**
 * A deterministic world for fibers: one queue, and a clock that moves only when it is told to.
 *
 * Everything happens inside the call that causes it, so that *quiet* can be seen: nothing is runnable. It is meant for
 * programs without real I/O.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/**
 * A world on one queue with a clock that stands still.
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
  private readonly queue: Array<() => void> = []
  private sleepers: Array<Sleeper> = []
  private now = 0
  private readonly shouldYield: Scheduler.Scheduler["shouldYield"]

  /** The services that put a fiber into this world. */
  readonly context: Context.Context<never> = Context.make(Scheduler.Scheduler, this.scheduler()).pipe(
    Context.add(Clock.Clock, this.clock())
  )

  /** `shouldYield` says when a fiber has to give way to another; after 2048 operations by default, as in Effect. */
  constructor(shouldYield: Scheduler.Scheduler["shouldYield"] = (fiber) => fiber.currentOpCount >= 2048) {
    this.shouldYield = shouldYield
  }

  /** Runs an effect until quiet; no exit means that it waits for something that will not come. */
  run<A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> | undefined {
    const fiber = Effect.runForkWith(this.context)(effect)
    this.settle()
    return fiber.pollUnsafe()
  }

  /** Lets time pass. */
  advance(millis: number): void {
    const end = this.now + millis
    while (this.wakeNext(end)) this.settle()
    this.now = end
    this.settle()
  }

  /** Lets time pass until nobody sleeps any more. */
  runFreely(): void {
    while (this.wakeNext(Infinity)) this.settle()
  }

  /** Runs what is runnable. */
  settle(): void {
    for (let task = this.queue.shift(); task !== undefined; task = this.queue.shift()) task()
  }

  private wakeNext(until: number): boolean {
    const next = this.sleepers.reduce<Sleeper | undefined>(
      (first, sleeper) => first === undefined || sleeper.at < first.at ? sleeper : first,
      undefined
    )
    if (next === undefined || next.at > until) return false
    this.sleepers = this.sleepers.filter((sleeper) => sleeper !== next)
    this.now = next.at
    next.wake()
    return true
  }

  private scheduler(): Scheduler.Scheduler {
    return {
      executionMode: "async",
      shouldYield: (fiber) => this.shouldYield(fiber),
      makeDispatcher: () => ({
        scheduleTask: (task) => void this.queue.push(task),
        flush: () => this.settle()
      })
    }
  }

  private clock(): Clock.Clock {
    const nanos = () => BigInt(this.now) * 1_000_000n
    return {
      currentTimeMillisUnsafe: () => this.now,
      currentTimeMillis: Effect.sync(() => this.now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const sleeper: Sleeper = {
            at: this.now + Duration.toMillis(duration),
            wake: () => resume(Effect.void)
          }
          this.sleepers.push(sleeper)
          return Effect.sync(() => {
            this.sleepers = this.sleepers.filter((other) => other !== sleeper)
          })
        })
    }
  }
}
