import * as Effect from "effect/Effect"

/** How many microseconds an effect takes, and what it answers. */
export const timed = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<{ readonly micros: number; readonly value: A }, E, R> =>
  Effect.suspend(() => {
    const begun = performance.now()
    return Effect.map(effect, (value) => ({ micros: (performance.now() - begun) * 1000, value }))
  })

export const micros = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(timed(effect), ({ micros }) => micros)

/** The bytes in use after a collection; needs `--expose-gc`. */
export const heapUsed: Effect.Effect<number> = Effect.andThen(
  Effect.yieldNow,
  Effect.sync(() => {
    if (globalThis.gc === undefined) throw new TypeError("run this with --expose-gc")
    // Twice, as the first lets go of what is held by what it collects.
    globalThis.gc()
    globalThis.gc()
    return process.memoryUsage().heapUsed
  })
)

/** The value at a share of the sorted values: 0.5 is the median. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
