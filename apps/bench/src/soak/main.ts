/**
 * `npm run soak -- --minutes N`: strikes a tree of ten thousand children at random, as fast as it heals, and sees whether
 * anything grows.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { drift, megabytes, type Sample } from "./drift.ts"
import { storm } from "./faults.ts"
import { Forest } from "./forest.ts"
import { help, type Options, parse } from "./options.ts"

const randomSeed = (): number => Math.trunc(performance.timeOrigin) % 1_000_000

const listeners = (): number => process.eventNames().reduce((count, name) => count + process.listenerCount(name), 0)

// The least of some looks: a timer that is about to end is not one too many.
const handles = Effect.gen(function*() {
  let least = Infinity
  for (let i = 0; i < 10; i++) {
    yield* Effect.sleep("3 millis")
    least = Math.min(least, process.getActiveResourcesInfo().length)
  }
  return least
})

const sample = Effect.fnUntraced(function*(forest: Forest, begun: number) {
  const active = yield* forest.active
  if (active !== forest.size) return yield* Effect.die(new Error(`${active} of ${forest.size} children run`))
  const { resources, starts } = forest.census
  if (resources !== forest.resources) {
    return yield* Effect.die(new Error(`${resources} resources are held, by ${forest.resources} children`))
  }
  const open = yield* handles
  globalThis.gc!()
  return {
    seconds: (performance.now() - begun) / 1000,
    restarts: starts - forest.size,
    heap: process.memoryUsage().heapUsed,
    handles: open,
    listeners: listeners()
  }
})

const lineOf = ({ handles, heap, listeners, restarts, seconds }: Sample, before: Sample | undefined): string => {
  const rate = (restarts - (before?.restarts ?? 0)) / (seconds - (before?.seconds ?? 0))
  const cells = [
    `${seconds.toFixed(0)} s`,
    `${restarts} restarts`,
    `${rate.toFixed(0)} /s`,
    megabytes(heap),
    `${handles} handles`,
    `${listeners} listeners`
  ]
  return cells.map((cell, column) => cell.padStart([6, 18, 10, 10, 12, 13][column]!)).join(" ")
}

const soak = Effect.fnUntraced(function*({ children, minutes, seed = randomSeed() }: Options) {
  const forest = new Forest(children)
  const millis = minutes * 60_000
  const interval = Math.min(10_000, millis / 12)
  const samples: Array<Sample> = []
  yield* Effect.scoped(Effect.gen(function*() {
    yield* forest.start
    const begun = performance.now()
    process.stdout.write(`${forest.size} children of ${forest.plots.length} supervisors, seed ${seed}\n`)
    for (let round = 0; performance.now() - begun < millis; round++) {
      yield* storm(forest, seed + round * 1000, interval)
      const next = yield* sample(forest, begun)
      process.stdout.write(`${lineOf(next, samples.at(-1))}\n`)
      samples.push(next)
    }
  }))
  const struck = Object.entries(forest.census.faults).map(([fault, times]) => `${fault} ${times}`)
  process.stdout.write(`Healed: ${struck.join(", ")}\n`)
  const left = forest.census.resources
  return left === 0 ? drift(samples) : [...drift(samples), `${left} resources are held after the end`]
})

const options = parse(process.argv.slice(2))
if (typeof options === "string") {
  process.stderr.write(`${options}\n`)
  process.exitCode = 2
} else if (options.help) {
  process.stdout.write(help)
} else {
  const found = await Effect.runPromise(Effect.provideService(soak(options), References.MinimumLogLevel, "None"))
  const verdict = found.length === 0 ? "Nothing has grown.\n" : `${found.join("\n")}\n`
  // What is left open must not keep it from ending.
  process.stdout.write(verdict, () => process.exit(found.length === 0 ? 0 : 1))
}
