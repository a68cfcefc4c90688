import { Child } from "coppice"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { heapUsed, type Measure, micros } from "../gauges.ts"
import { type Children, numbers, supervise } from "./supervise.ts"

/** Makes children that do nothing, and says what there is to wait for once they have started. */
export type Idle = (children: number) => { readonly list: Children; readonly settled: Effect.Effect<void> }

/** Children of effects. */
export const effects = (options?: Child.Options): Idle => (children) => ({
  list: numbers(children).map((i) => Child.effect(`child${i}`, Effect.never, options)),
  settled: Effect.void
})

/** Children whose start is waited for, which is over at once. */
export const acquired = (options?: Child.Options): Idle => (children) => ({
  list: numbers(children).map((i) => Child.make(`child${i}`, Effect.succeed(Effect.never), options)),
  settled: Effect.void
})

/** Children with a liveness probe, until each has been checked for the first time. The next check never comes. */
export const watched: Idle = (children) => {
  const checked = Deferred.makeUnsafe<void>()
  let missing = children
  const check = Effect.sync(() => {
    if (--missing === 0) Deferred.doneUnsafe(checked, Exit.void)
  })
  const { list } = effects({ liveness: { check, interval: "1 hour" } })(children)
  return { list, settled: Deferred.await(checked) }
}

export const start = (idle: Idle): Measure => (children) => {
  const { list, settled } = idle(children)
  return Effect.orDie(Effect.scoped(micros(Effect.andThen(supervise(list), settled))))
}

/** With the specifications, as they live as long as the children do. */
export const memory = (idle: Idle): Measure => (children) =>
  Effect.gen(function*() {
    const before = yield* heapUsed
    const { list, settled } = idle(children)
    yield* Effect.andThen(supervise(list), settled)
    return (yield* heapUsed) - before
  }).pipe(Effect.scoped, Effect.orDie)

export const stop = (idle: Idle): Measure => (children) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.provide(supervise(idle(children).list), scope)
    return yield* micros(Scope.close(scope, Exit.void))
  }).pipe(Effect.orDie)
