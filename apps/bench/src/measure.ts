/**
 * Makes measurements in this process, one after another, and prints a line for each figure: `measure.ts coppice
 * life:1000 life:1` prints `start 1000 1.52`, and so on. Nothing is logged: the minimum log level is "None".
 *
 * A measurement is made again and again for some time, and the figure is the median of the second half, when the compiler has
 * done most of its work. With more than a thousand children it is made once, after that time with a thousand.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { percentile } from "./gauges.ts"
import { type Figures, measurements } from "./measurements.ts"
import { isOfMemory, type Measurement } from "./rows.ts"
import { coppice } from "./sides/coppice.ts"
import { effect } from "./sides/effect.ts"
import { floor } from "./sides/floor.ts"

const sides = { coppice, floor, effect }

const [sideName, ...wanted] = process.argv.slice(2)
const side = sides[sideName as keyof typeof sides]

// The compiler needs the most time for what all measurements share, and the least for another size of the same.
const millis = { alone: 1500, first: 900, other: 250, otherSize: 120 }

const repeat = Effect.fnUntraced(function*(measure: Effect.Effect<Figures>, millis: number) {
  const begun = performance.now()
  const all: Array<Figures> = []
  do all.push(yield* measure)
  while (performance.now() - begun < millis)
  return all
})

const median = (all: ReadonlyArray<Figures>): Figures => {
  const last = all.slice(all.length >> 1)
  return Object.fromEntries(
    Object.keys(all[0]!).map((row) => [row, percentile(last.map((figures) => figures[row]!), 0.5)])
  )
}

const known = new Set<Measurement>()

const timeFor = (name: Measurement, n: number): number => {
  if (known.size === 0) return wanted.length === 1 ? millis.alone : millis.first
  return known.has(name) || n > 1000 ? millis.otherSize : millis.other
}

const measure = Effect.fnUntraced(function*(name: Measurement, n: number) {
  const repeated = yield* repeat(measurements[name](side, Math.min(n, 1000)), isOfMemory(name) ? 0 : timeFor(name, n))
  known.add(name)
  return n > 1000 || isOfMemory(name) ? yield* measurements[name](side, n) : median(repeated)
})

const program = Effect.gen(function*() {
  for (const each of wanted) {
    const [name, size] = each.split(":") as [Measurement, string]
    const n = Number(size)
    const figures = yield* measure(name, n)
    for (const [row, figure] of Object.entries(figures)) process.stdout.write(`${row} ${n} ${figure}\n`)
  }
})

await Effect.runPromise(Effect.provideService(program, References.MinimumLogLevel, "None"))
