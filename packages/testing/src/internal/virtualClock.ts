import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type * as TestClock from "effect/testing/TestClock"

/** A fiber that sleeps: until when, and the path of the child to which it belongs, if any. */
export interface Sleeping {
  readonly until: number
  readonly path: string | undefined
}

interface Sleeper extends Sleeping {
  readonly wake: () => void
}

/** A clock that moves only when it is told to. Whom it wakes comes to rest before time moves on. */
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

  /** Who sleeps, the first to wake first. */
  get sleeping(): ReadonlyArray<Sleeping> {
    return this.sleepers.map(({ path, until }) => ({ until, path }))
  }

  /** Wakes the next who sleeps no longer than until then, perhaps with others of the same time; who sleeps for ever, never. False: there is none. */
  wakeNext(until: number): boolean {
    const first = this.sleepers[0]
    if (first === undefined || first.until > until || first.until === Infinity) return false
    const after = this.sleepers.findIndex((other) => other.until > first.until)
    const together = after === -1 ? this.sleepers.length : after
    const [next] = this.sleepers.splice(this.choose(together), 1)
    this.now = next!.until
    next!.wake()
    // Whether it comes to rest before the others wake is a matter of order, too.
    if (together > 1 && this.choose(2) === 1) this.wakeNext(this.now)
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
      const until = this.now + Duration.toMillis(duration)
      if (until <= this.now) return resume(Effect.void)
      const sleeper: Sleeper = { until, path: currentPath(), wake: () => resume(Effect.void) }
      const after = this.sleepers.findLastIndex((other) => other.until <= until)
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
    return Effect.andThen(
      wakeAll,
      Effect.suspend(() => {
        this.moveTo(millis)
        return this.settled
      })
    )
  }

  readonly withLive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Clock.Clock, live)
}

const currentPath = (): string | undefined => {
  const path = Fiber.getCurrent()?.getRef(References.CurrentLogAnnotations)["coppice.path"]
  return typeof path === "string" ? path : undefined
}

// A reference's default is the same for everybody: the clock of the machine.
const live: Clock.Clock = Clock.Clock.defaultValue()
