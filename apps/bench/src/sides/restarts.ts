import { Child, Supervisor } from "coppice"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Measure, micros } from "../gauges.ts"
import { familySize, groupSize } from "../rows.ts"
import { Crashing } from "./crashing.ts"
import { numbers, options, supervise } from "./supervise.ts"

/** Runs what is measured while the supervisor is up, and with it the listener to its events, if there is one. */
export type Listen = (supervisor: Supervisor.Supervisor) => Effect.Effect<void, never, Scope.Scope>

export const unheard: Listen = () => Effect.void

export const heard: Listen = (supervisor) =>
  Effect.asVoid(Effect.forkScoped(Stream.runDrain(supervisor.events), { startImmediately: true }))

/**
 * A tree of supervisors, each with a window of its own for its few children's restarts. One supervisor at a time, as OTP's
 * would share the cores otherwise.
 */
export const restartFew = (listen: Listen): Measure => (children) =>
  Effect.gen(function*() {
    const crashing = new Crashing()
    const families = numbers(children / familySize).map((family) => {
      const name = `family${family}`
      const list = crashing.children(family * familySize, familySize)
      return Child.supervisor(
        name,
        Supervisor.layer(name, { ...options, strategy: "one-for-one", children: list })
      )
    })
    yield* listen(yield* supervise(families))
    return yield* micros(Effect.forEach(
      numbers(families.length),
      (family) => crashing.crash(numbers(familySize).map((child) => family * familySize + child), familySize)
    ))
  }).pipe(Effect.scoped, Effect.orDie)

export const restartMany = (listen: Listen, options?: Child.Options): Measure => (children) =>
  Effect.gen(function*() {
    const crashing = new Crashing()
    yield* listen(yield* supervise(crashing.children(0, children, options)))
    return yield* micros(crashing.crash(numbers(children), children))
  }).pipe(Effect.scoped, Effect.orDie)

export const restartGroup = (listen: Listen): Measure => (children) =>
  Effect.gen(function*() {
    const crashing = new Crashing()
    const size = Math.min(groupSize, children)
    yield* listen(yield* supervise(crashing.children(0, size), "one-for-all"))
    const rounds = numbers(children / size)
    return yield* micros(Effect.forEach(rounds, (round) => crashing.crash([round % size], size)))
  }).pipe(Effect.scoped, Effect.orDie)
