/** What backoff and probes take, and what checks require. */
import { Backoff, Child, Supervisor } from "coppice"
import { Effect, type Layer, Schedule } from "effect"
import { Cache, Db, Mail, same, usesCache, usesDb, usesMail } from "./support.ts"

type Requires<L extends Layer.Any> = Layer.Services<L>

// What a check needs is required of the child.
export const effect = Child.effect("a", Effect.never, { liveness: { check: usesDb } })
same<typeof effect, Child.Child<"a", never, Db>>()
export const both = Child.effect("a", usesMail, { liveness: { check: usesDb }, readiness: { check: usesCache } })
same<typeof both, Child.Child<"a", never, Db | Cache | Mail>>()
export const make = Child.make("a", Effect.succeed(Effect.never), {
  readiness: { check: usesDb, interval: "1 second" }
})
same<typeof make, Child.Child<"a", never, Db>>()

// But for what the child's layer builds, and for Scope, which each check has of its own.
export const own = Child.layer("db", Db.layer, { liveness: { check: usesDb }, readiness: { check: usesDb } })
same<typeof own, Child.LayerChild<"db", Db, never, Db, never>>()
export const others = Child.layer("db", Db.layer, { liveness: { check: Effect.andThen(usesDb, usesCache) } })
same<typeof others, Child.LayerChild<"db", Db, Cache, Db, never>>()
export const scoped = Child.effect("a", Effect.never, {
  liveness: { check: Effect.andThen(Effect.addFinalizer(() => Effect.void), usesDb) }
})
same<typeof scoped, Child.Child<"a", never, Db>>()
export const transient = Child.layer("db", Db.layer, { restart: "transient", liveness: { check: usesDb } })
same<typeof transient, Child.LayerChild<"db", never, never, Db, never>>()

// What a supervisor's layer builds is its own service.
export class Storage extends Supervisor.Service<Storage>()("coppice/typetest/backoff/Storage", {
  strategy: "one-for-one",
  children: []
}) {}
export const supervisor = Child.supervisor("storage", Storage, {
  liveness: { check: Effect.flatMap(Storage, (storage) => storage.countChildren) }
})
same<typeof supervisor, Child.LayerChild<"storage", Storage, never, Storage, never>>()

// Under the group strategies an earlier sibling gives it, otherwise it is missing.
export const given = Supervisor.layer("app", {
  strategy: "rest-for-one",
  children: [Child.layer("db", Db.layer), Child.effect("a", Effect.never, { liveness: { check: usesDb } })]
})
same<Requires<typeof given>, never>()
export const missing = Supervisor.layer("app", {
  strategy: "one-for-one",
  children: [Child.layer("db", Db.layer), Child.effect("a", Effect.never, { liveness: { check: usesDb } })]
})
same<Requires<typeof missing>, Db>()

// Options in a variable.
const options = { liveness: { check: usesDb, failureThreshold: 2 }, startTimeout: "5 seconds" } as const
export const fromVariable = Child.effect("a", Effect.never, options)
same<typeof fromVariable, Child.Child<"a", never, Db>>()
declare const maybe: typeof options.liveness | undefined
export const fromMaybe = Child.effect("a", Effect.never, { liveness: maybe })
same<typeof fromMaybe, Child.Child<"a", never, Db>>()
declare const needless: Child.Options
export const fromNeedless = Child.effect("a", Effect.never, needless)
same<typeof fromNeedless, Child.Child<"a", never, never>>()
declare const needing: Child.Options<Db>
export const fromNeeding = Child.effect("a", Effect.never, needing)
same<typeof fromNeeding, Child.Child<"a", never, Db>>()
same<typeof options extends Child.Options ? "needs nothing" : "needs Db", "needs Db">()

// A schedule may look at what it is stepped with, and the presets say what that is.
export const looking = Child.effect("a", Effect.never, {
  backoff: Backoff.exponential("1 second", "1 minute").pipe(
    Schedule.while(({ input }) => input.reason._tag !== "Defect" && input.attempt < 10)
  ),
  resetAfter: "10 minutes",
  onExhausted: "give-up"
})
same<typeof looking, Child.Child<"a", never, never>>()
export const declared: Backoff.Backoff = Schedule.spaced("1 second")
export const jittered: Backoff.Backoff = Backoff.jittered(Backoff.fixed("1 second"))
export const plain = Child.effect("a", Effect.never, {
  backoff: Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(5)])
})

// A schedule that needs something, fails, or is stepped with something else is none.
declare const needy: Schedule.Schedule<number, unknown, never, Db>
// @ts-expect-error It needs a Db.
export const withNeeds = Child.effect("a", Effect.never, { backoff: needy })
declare const failing: Schedule.Schedule<number, unknown, string>
// @ts-expect-error It fails.
export const withError = Child.effect("a", Effect.never, { backoff: failing })
declare const ofNumbers: Schedule.Schedule<number, number>
// @ts-expect-error It is stepped with numbers.
export const withNumbers = Child.effect("a", Effect.never, { backoff: ofNumbers })

// A task has no probes: when it has started, it is over.
// @ts-expect-error
export const task = Child.task("a", Effect.void, { readiness: { check: Effect.void } })
// @ts-expect-error
export const watched = Child.task("a", Effect.void, { liveness: { check: Effect.void } })
