import { Clock, Effect, Scheduler } from "effect"
import { TestClock } from "effect/testing"

/** A scheduler that knows how many tasks are pending, so that quiet can be waited for instead of slept for. */
class CountingScheduler implements Scheduler.Scheduler {
  readonly inner: Scheduler.Scheduler
  private pending = 0
  private waiting: Array<() => void> = []

  constructor(inner: Scheduler.Scheduler) {
    this.inner = inner
  }

  get executionMode() {
    return this.inner.executionMode
  }

  shouldYield(fiber: Parameters<Scheduler.Scheduler["shouldYield"]>[0]): boolean {
    return this.inner.shouldYield(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const dispatcher = this.inner.makeDispatcher()
    return {
      flush: () => dispatcher.flush(),
      scheduleTask: (task, priority) => {
        this.pending++
        dispatcher.scheduleTask(() => {
          try {
            task()
          } finally {
            this.pending--
            if (this.pending === 0) this.wake()
          }
        }, priority)
      }
    }
  }

  whenQuiet(run: () => void): void {
    if (this.pending === 0) run()
    else this.waiting.push(run)
  }

  private wake(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const run of waiting) run()
  }
}

/** Waits until nothing is runnable. */
export const settle: Effect.Effect<void> = Effect.gen(function*() {
  const scheduler = yield* Scheduler.Scheduler
  if (!(scheduler instanceof CountingScheduler)) return yield* Effect.die("settle outside withQuiet")
  yield* Effect.callback<void>((resume) => scheduler.whenQuiet(() => resume(Effect.void)))
})

/** Moves the test clock and waits until what that woke has come to rest. */
export const pass = (time: Parameters<typeof TestClock.adjust>[0]): Effect.Effect<void> =>
  Effect.andThen(TestClock.adjust(time), settle)

/** The current time of the test clock in milliseconds. */
export const now: Effect.Effect<number> = Clock.currentTimeMillis

/** Runs an effect in a world in which `settle` works. */
export const withQuiet = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Scheduler.Scheduler,
    (inner) =>
      // The yield moves this fiber itself onto the counting scheduler.
      Effect.provideService(Effect.andThen(Effect.yieldNow, effect), Scheduler.Scheduler, new CountingScheduler(inner))
  )
