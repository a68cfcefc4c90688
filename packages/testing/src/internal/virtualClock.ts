import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as TestClock from "effect/testing/TestClock"

/** Somebody who sleeps. */
interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** A clock that moves only when it is told to. What it wakes comes to rest before it moves on. */
export class VirtualClock implements TestClock.TestClock {
  private now = 0
  /** By time, and where that is the same in the order of arrival. */
  private readonly sleepers: Array<Sleeper> = []
  private readonly choose: (count: number) => number
  private readonly settled: Effect.Effect<void>

  /** `choose` says which of several that wake at the same time is the first; `settled` waits until nothing is runnable. */
  constructor(choose: (count: number) => number, settled: Effect.Effect<void>) {
    this.choose = choose
    this.settled = settled
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.sleepers.length
  }

  /** Wakes the next who sleeps no longer than until then. False: there is none. Who sleeps for ever is never woken. */
  wakeNext(until: number): boolean {
    const first = this.sleepers[0]
    if (first === undefined || first.at > until || first.at === Infinity) return false
    const after = this.sleepers.findIndex(({ at }) => at > first.at)
    const together = after === -1 ? this.sleepers.length : after
    const [next] = this.sleepers.splice(this.choose(together), 1)
    this.now = next!.at
    next!.wake()
    return true
  }

  moveTo(millis: number): void {
    this.now = millis
  }

  // Properties, as those of Effect's own test clock: whoever changes one of them makes a copy of the others.
  readonly currentTimeMillisUnsafe = (): number => this.now
  readonly currentTimeNanosUnsafe = (): bigint => BigInt(Math.round(this.now * 1_000_000))
  readonly monotonicTimeNanosUnsafe = this.currentTimeNanosUnsafe
  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(this.currentTimeMillisUnsafe)
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(this.currentTimeNanosUnsafe)
  readonly monotonicTimeNanos: Effect.Effect<bigint> = this.currentTimeNanos

  readonly sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const at = this.now + Duration.toMillis(duration)
      if (at <= this.now) return resume(Effect.void)
      const sleeper: Sleeper = { at, wake: () => resume(Effect.void) }
      const after = this.sleepers.findLastIndex(({ at }) => at <= sleeper.at)
      this.sleepers.splice(after + 1, 0, sleeper)
      return Effect.sync(() => {
        const index = this.sleepers.indexOf(sleeper)
        if (index !== -1) this.sleepers.splice(index, 1)
      })
    })

  readonly adjust = (duration: Duration.Input): Effect.Effect<void> =>
    Effect.suspend(() => this.setTime(this.now + Duration.toMillis(Duration.fromInputUnsafe(duration))))

  readonly setTime = (millis: number): Effect.Effect<void> => {
    const wakeAll: Effect.Effect<void> = Effect.andThen(
      this.settled,
      Effect.suspend(() => this.wakeNext(millis) ? wakeAll : Effect.void)
    )
    return Effect.andThen(wakeAll, Effect.sync(() => this.moveTo(millis)))
  }

  readonly withLive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Clock.Clock, live)
}

// A reference's default is the same for everybody: the clock of the machine.
const live: Clock.Clock = Clock.Clock.defaultValue()
