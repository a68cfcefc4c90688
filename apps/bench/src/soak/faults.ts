import { Child } from "coppice"
import * as Effect from "effect/Effect"
import type { Forest, Plot, Target } from "./forest.ts"

/** How a child is made to restart. */
export type Fault = "failure" | "defect" | "leave" | "signal" | "bounce" | "unwell" | "escalate"

/** How often each happens, of a thousand. */
const weights: ReadonlyArray<readonly [Fault, number]> = [
  ["failure", 400],
  ["defect", 200],
  ["leave", 100],
  ["signal", 140],
  ["bounce", 150],
  ["escalate", 10]
]

/** Numbers from 0 up to 1 that follow from a seed (mulberry32). */
export const numbersFrom = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Which fault a number from 0 up to 1 stands for; a child with a liveness check is unwell half of the time. */
export const faultFor = (kind: Plot["kind"], number: number): Fault => {
  if (kind === "liveness" && number < 0.5) return "unwell"
  let left = (kind === "liveness" ? (number - 0.5) * 2 : number) * 1000
  for (const [fault, weight] of weights) {
    if (left < weight) return fault
    left -= weight
  }
  return "failure"
}

const cause = (plot: Plot, target: Target, fault: Fault): Effect.Effect<unknown> => {
  switch (fault) {
    case "failure":
      return Effect.sync(() => target.end(Effect.fail("crash")))
    case "defect":
      return Effect.sync(() => target.end(Effect.die("panic")))
    case "leave":
      return Effect.sync(() => target.end(Child.exit("done")))
    case "escalate":
      return Effect.sync(() => target.end(Child.escalate("no restart helps")))
    case "unwell":
      return Effect.sync(() => target.isWell = false)
    case "signal":
      return plot.exit(target)
    case "bounce":
      return plot.bounce(target)
  }
}

/** Causes a fault and waits until the child runs again, and with it all that was restarted. */
export const strike = (forest: Forest, plot: Plot, target: Target, fault: Fault): Effect.Effect<void> =>
  Effect.gen(function*() {
    const begun = Effect.callback<void>((resume) => {
      target.onBegun = () => resume(Effect.void)
    })
    yield* Effect.all([begun, cause(plot, target, fault)], { concurrency: "unbounded", discard: true })
    if (fault === "escalate") yield* forest.plotsRun
    yield* plot.active
    const { faults } = forest.census
    faults[fault] = (faults[fault] ?? 0) + 1
  }).pipe(
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () => Effect.die(new Error(`${fault} of ${target.id} under ${plot.kind}: it does not run again`))
    })
  )

/** Strikes without a pause until the time is over, at many places at once, but at one child of a supervisor at a time. */
export const storm = (forest: Forest, seed: number, millis: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const until = performance.now() + millis
    const strikers = Array.from({ length: 50 }, (_, striker) => {
      const number = numbersFrom(seed + striker)
      const own = forest.plots.filter((_, place) => place % 50 === striker)
      const strikeOne = Effect.suspend(() => {
        const plot = own[Math.floor(number() * own.length)]!
        const target = plot.targets[Math.floor(number() * plot.targets.length)]!
        return strike(forest, plot, target, faultFor(plot.kind, number()))
      })
      return own.length === 0 ? Effect.void : Effect.whileLoop({
        while: () => performance.now() < until,
        body: () => strikeOne,
        step: () => {}
      })
    })
    return Effect.all(strikers, { concurrency: "unbounded", discard: true })
  })
