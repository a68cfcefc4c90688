import * as Effect from "effect/Effect"

/** A row: takes the number of children and answers what all of them took together, in microseconds or in bytes. */
export type Measure = (children: number) => Effect.Effect<number>

/** How many microseconds an effect takes. */
export const micros = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const begun = performance.now()
    return Effect.map(effect, () => (performance.now() - begun) * 1000)
  })

/** The bytes in use after a collection; needs `--expose-gc`. */
export const heapUsed: Effect.Effect<number> = Effect.andThen(
  Effect.yieldNow,
  Effect.sync(() => {
    if (globalThis.gc === undefined) throw new TypeError("run this with --expose-gc")
    globalThis.gc()
    return process.memoryUsage().heapUsed
  })
)

/** What is asked for in the row of uses: it answers at once. */
export const query: Effect.Effect<number> = Effect.succeed(42)

/** Runs an effect so many times, one after another. */
export const repeat = <E, R>(effect: Effect.Effect<unknown, E, R>, times: number): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    for (let i = 0; i < times; i++) yield* effect
  })
