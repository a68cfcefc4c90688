import { Child, DynamicSupervisor } from "coppice"
import * as Effect from "effect/Effect"
import { type Measure, micros } from "../gauges.ts"
import { numbers, options } from "./supervise.ts"

const dynamic = DynamicSupervisor.make("bench", {
  ...options,
  child: (_number: number) => Child.effect("child", Effect.never)
})

/** A call for each child, one after another. */
export const dynamicStart: Measure = (children) =>
  Effect.gen(function*() {
    const supervisor = yield* dynamic
    return yield* micros(Effect.forEach(numbers(children), supervisor.startChild))
  }).pipe(Effect.scoped, Effect.orDie)

export const dynamicTerminate: Measure = (children) =>
  Effect.gen(function*() {
    const supervisor = yield* dynamic
    const handles = yield* Effect.forEach(numbers(children), supervisor.startChild)
    return yield* micros(Effect.forEach(handles, supervisor.terminateChild, { discard: true }))
  }).pipe(Effect.scoped, Effect.orDie)
