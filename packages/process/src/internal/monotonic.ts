import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds that no change of the wall clock disturbs. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(
  Clock.clockWith((clock) => clock.monotonicTimeNanos),
  (nanos) => Number(nanos) / 1_000_000
)
