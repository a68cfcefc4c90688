import * as Effect from "effect/Effect"
import { type Fault, kinds, make } from "../Fault.ts"
import type { Plan, Step } from "./chaosRun.ts"

/** The pauses and the lengths that plans have, the simplest first. */
export const pauses: ReadonlyArray<number> = [0, 10, 100, 500, 1000, 2000, 5000, 10_000, 60_000]
export const lengths: ReadonlyArray<number> = [100, 1000, 5000, 10_000, 60_000]

/** How many simpler plans are tried at most. */
const triesMax = 400

/**
 * Finds a plan that is as simple as can be and still breaks the rule: without any step that is not needed, in the order of
 * arrival unless the rule holds in that, with the simplest faults, the shortest pauses and lengths.
 */
export const simplify = Effect.fnUntraced(function*(plan: Plan, breaks: (plan: Plan) => Effect.Effect<boolean>) {
  let simplest = plan
  let tries = 0
  const improve = Effect.fnUntraced(function*(candidates: Iterable<Plan>) {
    for (const candidate of candidates) {
      if (tries++ >= triesMax) return false
      if (yield* breaks(candidate)) {
        simplest = candidate
        return true
      }
    }
    return false
  })
  while (yield* improve(simpler(simplest))) continue
  return simplest
})

/** All that is one step simpler, what helps most first. */
export function* simpler({ order, steps }: Plan): Generator<Plan> {
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length; from += size) yield { order, steps: without(steps, from, size) }
  }
  if (order !== 0) yield* inOrderOfArrival(steps)
  for (const [index, step] of steps.entries()) {
    for (const changed of simplerSteps(step)) yield { order, steps: steps.with(index, changed) }
  }
}

// What needs another order may be seen in this one at another time.
function* inOrderOfArrival(steps: ReadonlyArray<Step>): Generator<Plan> {
  yield { order: 0, steps }
  for (const [index, { fault }] of steps.entries()) {
    for (const afterMillis of pauses) yield { order: 0, steps: steps.with(index, { afterMillis, fault }) }
  }
}

// What is taken out leaves its time to the step after it: the others come when they came.
const without = (steps: ReadonlyArray<Step>, from: number, size: number): ReadonlyArray<Step> => {
  const next = steps[from + size]
  if (next === undefined) return steps.slice(0, from)
  const time = steps.slice(from, from + size).reduce((sum, { afterMillis }) => sum + afterMillis, next.afterMillis)
  return [...steps.slice(0, from), { ...next, afterMillis: time }, ...steps.slice(from + size + 1)]
}

function* simplerSteps({ afterMillis, fault }: Step): Generator<Step> {
  for (const pause of pauses) if (pause < afterMillis) yield { afterMillis: pause, fault }
  for (const simplerFault of simplerFaults(fault)) yield { afterMillis, fault: simplerFault }
}

function* simplerFaults(fault: Fault): Generator<Fault> {
  const millis = "millis" in fault ? fault.millis : 0
  for (const kind of kinds.slice(0, kinds.indexOf(fault._tag))) yield make(kind, fault.path, millis)
  for (const length of lengths) if (length < millis) yield make(fault._tag, fault.path, length)
}
