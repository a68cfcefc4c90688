/**
 * Makes measurements in this process, one after another, and prints a line for each figure: `measure.ts coppice
 * life:1000 life:1` prints `start 1000 1.52`, and so on. Each is made beforehand with up to a thousand children, again and
 * again, to warm up. Nothing is logged: the minimum log level is "None".
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { measurements } from "./measurements.ts"
import type { Measurement } from "./rows.ts"
import { coppice } from "./sides/coppice.ts"
import { effect } from "./sides/effect.ts"
import { floor } from "./sides/floor.ts"

const sides = { coppice, floor, effect }

const [sideName, ...wanted] = process.argv.slice(2)
const side = sides[sideName as keyof typeof sides]

// The compiler needs the most time for what all measurements share.
const warmMillis = { first: 1000, other: 300, afterCollection: 100 }

const warmUp = Effect.fnUntraced(function*(measure: Effect.Effect<unknown>, millis: number) {
  const begun = performance.now()
  do yield* measure
  while (performance.now() - begun < millis)
})

const program = Effect.gen(function*() {
  const warm = new Set<Measurement>()
  for (const each of wanted) {
    const [name, size] = each.split(":") as [Measurement, string]
    const measure = measurements[name]
    const n = Number(size)
    if (!warm.has(name)) {
      yield* warmUp(measure(side, Math.min(n, 1000)), warm.size === 0 ? warmMillis.first : warmMillis.other)
    }
    warm.add(name)
    globalThis.gc?.()
    // A collection of everything throws away compiled code too.
    yield* warmUp(measure(side, Math.min(n, 1000)), warmMillis.afterCollection)
    const figures = yield* measure(side, n)
    for (const [row, figure] of Object.entries(figures)) process.stdout.write(`${row} ${n} ${figure}\n`)
  }
})

await Effect.runPromise(Effect.provideService(program, References.MinimumLogLevel, "None"))
