import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Crashing } from "./crashing.ts"
import { heapUsed, micros, percentile, timed } from "./gauges.ts"
import type { Measurement } from "./rows.ts"
import { type Body, idOf, type Side, type Start } from "./side.ts"

/** The figures of some rows, by name: per child, in microseconds or in bytes. */
export type Figures = { readonly [name: string]: number }

type Measure = (side: Side, n: number) => Effect.Effect<Figures>

/** How many children a supervisor has in the rows with few restarts in a window, at most. */
const familySize = 100

/**
 * So many supervisors of this size, one after another, that what they take can be told from noise, and so few that what they
 * hold is not yet moved to where only a long collection finds it.
 */
const trees = (n: number): number => Math.ceil(Math.min(200, 2000 / n))

const times = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

const idle = (n: number): ReadonlyArray<Body> => Array.from<Body>({ length: n }).fill(Effect.never)

/** Places all over the list, never the same twice in a row where there is another. */
const place = (i: number, n: number): number => (i * 7919) % n

/** As many of the same as there are to be of that size. */
const each = <A>(n: number, start: Effect.Effect<A>, count = trees(n)): Effect.Effect<Array<A>> =>
  Effect.forEach(times(count), () => start)

/** Start, calls and stop of the same supervisors. */
const life: Measure = Effect.fnUntraced(function*(side, n) {
  const start = yield* timed(each(n, side.plain(idle(n))))
  const running = start.value
  const first = running[0]!
  const figures: Record<string, number> = {}
  const { whichChildren } = first
  if (whichChildren !== undefined) figures["which-children"] = (yield* typical(calls(n), () => whichChildren)) / n
  if (first.bounce !== undefined) figures["by-id"] = yield* typical(20, (i) => first.bounce!(idOf(place(i, n))))
  const stop = yield* micros(stopAll(running))
  const children = running.length * n
  return { ...figures, start: start.micros / children, stop: stop / children }
})

type Stoppable = { readonly stop: Effect.Effect<void> }

const stopAll = (trees: ReadonlyArray<Stoppable>): Effect.Effect<void> =>
  Effect.forEach(trees, (tree) => tree.stop, { discard: true })

const repeat = (count: number, effect: (i: number) => Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* effect(i)
  })

const batches = 15

/** What one of so many takes in the median of some batches, as a long collection may come into any of them. */
const typical = (count: number, effect: (i: number) => Effect.Effect<unknown>): Effect.Effect<number> =>
  Effect.map(
    Effect.forEach(times(batches), (batch) => micros(repeat(count, (i) => effect(batch * count + i)))),
    (taken) => percentile(taken, 0.5) / count
  )

/** So many calls that answer as many children make a batch. */
const calls = (n: number): number => Math.ceil(Math.min(100, 3000 / n))

const brutal: Measure = Effect.fnUntraced(function*(side, n) {
  const running = yield* each(n, side.brutal!(idle(n)))
  const stop = yield* micros(stopAll(running))
  return { "stop-brutal": stop / (running.length * n) }
})

/** So many that what they hold can be told from what else comes and goes. */
const held = (n: number): number => Math.ceil(Math.min(5000, 10_000 / n))

/** What trees hold, their specifications included: how much less is in use when they have stopped. */
const memoryOf = (row: string, start: (side: Side, n: number) => Effect.Effect<Stoppable>): Measure => (side, n) =>
  Effect.gen(function*() {
    const all = Effect.suspend(() => each(n, start(side, n), held(n)))
    const before = yield* Effect.flatMap(
      all,
      (running) => Effect.flatMap(heapUsed, (used) => Effect.as(stopAll(running), used))
    )
    return { [row]: (before - (yield* heapUsed)) / (held(n) * n) }
  })

const memory = memoryOf("memory", (side, n) => side.plain(idle(n)))

const layers = memoryOf("memory-layer", (side, n) => side.layers!(n))

const dynamic: Measure = Effect.fnUntraced(function*(side, n) {
  const supervisors = yield* each(n, side.dynamic!)
  const starts = supervisors.flatMap(({ startChild }) => Array.from<typeof startChild>({ length: n }).fill(startChild))
  const taken = yield* micros(repeat(starts.length, (i) => starts[i]!(Effect.never)))
  yield* stopAll(supervisors)
  return { "start-dynamic": taken / starts.length }
})

/** Crashes one after another, a hundred in each of ten supervisors, as OTP is slow with many restarts in its window. */
const latency: Measure = Effect.fnUntraced(function*(side, n) {
  const taken: Array<number> = []
  for (const _ of times(n > 10_000 ? 1 : 10)) {
    const crashing = new Crashing(n)
    const tree = yield* side.plain(crashing.bodies)
    for (let i = 0; i < 100; i++) taken.push(yield* crashing.crash([place(i, n)], 1))
    yield* tree.stop
  }
  return { "restart-p50": percentile(taken, 0.5), "restart-p99": percentile(taken, 0.99) }
})

/** All children at once, in new supervisors each time. */
const crashAll = (name: string, start: (bodies: ReadonlyArray<Body>) => ReturnType<Start>): Measure =>
  Effect.fnUntraced(function*(_side, n) {
    const storms = Math.min(200, trees(n))
    let taken = 0
    for (const _ of times(storms)) {
      const crashing = new Crashing(n)
      const tree = yield* start(crashing.bodies)
      taken += yield* crashing.crash(times(n), n)
      yield* tree.stop
    }
    return { [name]: taken / (storms * n) }
  })

const familiesOf = (bodies: ReadonlyArray<Body>): ReadonlyArray<ReadonlyArray<Body>> =>
  times(Math.ceil(bodies.length / familySize)).map((i) => bodies.slice(i * familySize, (i + 1) * familySize))

const storm: Measure = (side, n) => crashAll("storm", (bodies) => side.families!(familiesOf(bodies)))(side, n)

const stormOneWindow: Measure = (side, n) => crashAll("storm-one-window", side.plain)(side, n)

const backoff: Measure = (side, n) => crashAll("backoff", side.backoff!)(side, n)

/** Crashes of the middle child, so that under rest-for-one half of the children are restarted. */
const group = (strategy: "one-for-all" | "rest-for-one"): Measure =>
  Effect.fnUntraced(function*(side, n) {
    const crashing = new Crashing(n)
    const tree = yield* side[strategy]!(crashing.bodies)
    const middle = n >> 1
    const restarts = strategy === "one-for-all" ? n : n - middle
    const crashes = Math.min(100, trees(n))
    let taken = 0
    for (const _ of times(crashes)) taken += yield* crashing.crash([middle], restarts)
    yield* tree.stop
    return { [strategy]: taken / (crashes * restarts) }
  })

const escalation: Measure = Effect.fnUntraced(function*(side, levels) {
  const crashing = new Crashing(1)
  const tree = yield* side.nested!(levels, crashing.bodies[0]!)
  const taken: Array<number> = []
  const crashes = Math.max(20, Math.floor(100 / levels))
  for (const _ of times(crashes)) {
    taken.push(yield* crashing.crash([0], 1))
    // The leaf is the first to run again: until all do.
    yield* Effect.yieldNow
  }
  yield* tree.stop
  return { escalation: percentile(taken, 0.5) / levels }
})

const tree: Measure = Effect.fnUntraced(function*(side, n) {
  const running = yield* side.families!(familiesOf(idle(n)))
  const taken = yield* typical(calls(n), () => running.snapshot!)
  yield* running.stop
  return { tree: taken / n }
})

const use: Measure = Effect.fnUntraced(function*(side) {
  const { stop, use } = yield* side.user!
  const taken = yield* micros(repeat(10_000, () => use))
  yield* stop
  return { use: taken / 10_000 }
})

/** Storms small enough that no listener loses anything, until the last has heard of the last restart. */
const events = (listeners: number): Measure =>
  Effect.fnUntraced(function*(side, n) {
    const crashing = new Crashing(n)
    const tree = yield* side.plain(crashing.bodies)
    let unheard = 0
    let allHeard = Deferred.makeUnsafe<void>()
    const heard = () => {
      if (--unheard === 0) Deferred.doneUnsafe(allHeard, Exit.void)
    }
    for (const _ of times(listeners)) yield* tree.listen!(heard)
    const wave = Math.min(500, n)
    const crashes = Math.ceil(5000 / wave)
    let taken = 0
    for (let i = 0; i < crashes; i++) {
      allHeard = Deferred.makeUnsafe()
      unheard = listeners * wave
      const first = (i * wave) % n
      const crash = crashing.crash(times(wave).map((place) => (first + place) % n), wave)
      taken += yield* micros(Effect.andThen(crash, listeners === 0 ? Effect.void : Deferred.await(allHeard)))
    }
    yield* tree.stop
    return { [`events-${listeners}`]: taken / (crashes * wave) }
  })

const liveness: Measure = Effect.fnUntraced(function*(side, n) {
  const checked = Deferred.makeUnsafe<void>()
  let unchecked = trees(n) * n
  const check = Effect.sync(() => {
    if (--unchecked === 0) Deferred.doneUnsafe(checked, Exit.void)
  })
  const start = each(n, side.liveness!(idle(n), check))
  const started = yield* timed(Effect.tap(start, () => Deferred.await(checked)))
  yield* stopAll(started.value)
  return { liveness: started.micros / (trees(n) * n) }
})

const livenessMemory = memoryOf("liveness-memory", (side, n) => side.liveness!(idle(n), Effect.void))

/** How each of them is made, on any side that runs in this process. */
export const measurements: { readonly [M in Measurement]: Measure } = {
  "life": life,
  "memory": memory,
  "brutal": brutal,
  "layers": layers,
  "dynamic": dynamic,
  "latency": latency,
  "storm": storm,
  "storm-one-window": stormOneWindow,
  "one-for-all": group("one-for-all"),
  "rest-for-one": group("rest-for-one"),
  "escalation": escalation,
  "tree": tree,
  "use": use,
  "events-0": events(0),
  "events-1": events(1),
  "events-10": events(10),
  "backoff": backoff,
  "liveness": liveness,
  "liveness-memory": livenessMemory
}
