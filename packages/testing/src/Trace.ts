/**
 * What happened in a test, line by line: the order in which children started and stopped, and what the test notes itself.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * A trace. Several {@link TestChild}ren write in one, so that it shows their order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trace {
  /** Adds a line. */
  readonly note: (line: string) => Effect.Effect<void>

  /** The lines since this was asked last. */
  readonly take: Effect.Effect<ReadonlyArray<string>>
}

/**
 * Creates a trace that is empty.
 *
 * **Example** (What has happened since one looked last)
 *
 * ```ts import.meta.vitest
 * import { Trace } from "@coppice/testing"
 * import { Effect } from "effect"
 *
 * const test = Effect.gen(function*() {
 *   const trace = yield* Trace.make
 *   yield* trace.note("open the shop")
 *   yield* trace.note("sell an apple")
 *   const morning = yield* trace.take
 *   yield* trace.note("close the shop")
 *   return [morning, yield* trace.take]
 * })
 *
 * Effect.runSync(test) // => [["open the shop", "sell an apple"], ["close the shop"]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Trace> = Effect.sync(() => {
  const lines: Array<string> = []
  return {
    note: (line) => Effect.sync(() => void lines.push(line)),
    take: Effect.sync(() => lines.splice(0))
  }
})
