import { Child, ChildRef, DynamicSupervisor, Supervisor } from "coppice"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { heapUsed, type Measure, micros, query, repeat } from "../gauges.ts"
import { familySize, groupSize, type RowName } from "../rows.ts"
import { Crashing } from "./crashing.ts"

type Children = ReadonlyArray<Child.Child<string, never, never>>

// An intensity that nothing here exceeds, and a period that nothing here outlives.
const options = { intensity: 10_000_000, period: "1 hour" } as const

const supervise = (children: Children, strategy: Supervisor.Strategy = "one-for-one") =>
  Supervisor.make("bench", { ...options, strategy, children })

const idle = (children: number): Children =>
  Array.from({ length: children }, (_, i) => Child.effect(`child${i}`, Effect.never))

const start: Measure = (children) => {
  const list = idle(children)
  return Effect.orDie(Effect.scoped(micros(supervise(list))))
}

// With the specifications, as they live as long as the children do.
const memory: Measure = (children) =>
  Effect.gen(function*() {
    const before = yield* heapUsed
    yield* supervise(idle(children))
    return (yield* heapUsed) - before
  }).pipe(Effect.scoped, Effect.orDie)

const stop: Measure = (children) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.provide(supervise(idle(children)), scope)
    return yield* micros(Scope.close(scope, Exit.void))
  }).pipe(Effect.orDie)

/** Runs what is measured while the supervisor is up, and with it the listener to its events, if there is one. */
type Listen = (supervisor: Supervisor.Supervisor) => Effect.Effect<void, never, Scope.Scope>

const unheard: Listen = () => Effect.void

const heard: Listen = (supervisor) =>
  Effect.asVoid(Effect.forkScoped(Stream.runDrain(supervisor.events), { startImmediately: true }))

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

// A tree of supervisors, each with a window of its own for its few children's restarts. One supervisor at a time, as OTP's
// would share the cores otherwise.
const restartFew = (listen: Listen): Measure => (children) =>
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

const restartMany = (listen: Listen): Measure => (children) =>
  Effect.gen(function*() {
    const crashing = new Crashing()
    yield* listen(yield* supervise(crashing.children(0, children)))
    return yield* micros(crashing.crash(numbers(children), children))
  }).pipe(Effect.scoped, Effect.orDie)

const restartGroup = (listen: Listen): Measure => (children) =>
  Effect.gen(function*() {
    const crashing = new Crashing()
    const size = Math.min(groupSize, children)
    yield* listen(yield* supervise(crashing.children(0, size), "one-for-all"))
    const rounds = numbers(children / size)
    return yield* micros(Effect.forEach(rounds, (round) => crashing.crash([round % size], size)))
  }).pipe(Effect.scoped, Effect.orDie)

class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("@coppice/bench/sides/coppice/Db") {}
class DbRef extends ChildRef.Service<DbRef>()("@coppice/bench/sides/coppice/DbRef", Db) {}

// Of a child that is alive and answers at once, one use after another: what is left is what a use costs.
const use: Measure = (uses) =>
  Effect.gen(function*() {
    yield* Supervisor.make("bench", {
      ...options,
      strategy: "one-for-one",
      children: [Child.layer("db", Layer.succeed(Db, { query }), { ref: DbRef })]
    })
    return yield* micros(repeat(DbRef.use((db) => db.query), uses))
  }).pipe(Effect.scoped, Effect.provide(DbRef.layer), Effect.orDie)

const dynamic = DynamicSupervisor.make("bench", {
  ...options,
  child: (_number: number) => Child.effect("child", Effect.never)
})

// A call for each child, one after another.
const dynamicStart: Measure = (children) =>
  Effect.gen(function*() {
    const supervisor = yield* dynamic
    return yield* micros(Effect.forEach(numbers(children), supervisor.startChild))
  }).pipe(Effect.scoped, Effect.orDie)

const dynamicTerminate: Measure = (children) =>
  Effect.gen(function*() {
    const supervisor = yield* dynamic
    const handles = yield* Effect.forEach(numbers(children), supervisor.startChild)
    return yield* micros(Effect.forEach(handles, supervisor.terminateChild, { discard: true }))
  }).pipe(Effect.scoped, Effect.orDie)

/** The rows of Coppice, with nobody listening. */
export const coppice: { readonly [Name in RowName]: Measure } = {
  start,
  memory,
  "restart-few": restartFew(unheard),
  "restart-many": restartMany(unheard),
  "restart-group": restartGroup(unheard),
  stop,
  use,
  "dynamic-start": dynamicStart,
  "dynamic-terminate": dynamicTerminate
}

/** The rows with one listener at the root. */
export const coppiceHeard: { readonly [Name in RowName]?: Measure } = {
  "restart-few": restartFew(heard),
  "restart-many": restartMany(heard),
  "restart-group": restartGroup(heard)
}
