/** Which services a supervisor requires, by its strategy and the order of its children. */
import { Child, Supervisor, type SupervisorError } from "coppice"
import { Effect, Layer, type Scope } from "effect"
import { Cache, cache, Db, db, Mail, reader, same, usesCache, usesDb, usesMail, writer } from "./support.ts"

type Requires<L extends Layer.Any> = Layer.Services<L>

// What each kind of child requires and gives.
same<typeof reader, Child.Child<"reader", never, Db>>()
same<typeof writer, Child.Child<"writer", never, Db | Cache>>()
same<typeof db, Child.LayerChild<"db", Db, never, Db, never>>()
same<typeof cache, Child.LayerChild<"cache", Cache, Db, Cache, never>>()

// Scope is the child's own.
export const scoped = Child.effect("scoped", Effect.andThen(Effect.addFinalizer(() => Effect.void), usesDb))
same<typeof scoped, Child.Child<"scoped", never, Db>>()
export const scopedMake = Child.make("scoped", Effect.as(Effect.addFinalizer(() => Effect.void), Effect.scope))
same<typeof scopedMake, Child.Child<"scoped", never, never>>()
export const failing = Child.make("failing", Effect.fail("no database"))
same<typeof failing, Child.Child<"failing", never, never>>()

// Under one-for-one nobody gives.
export const oneForOne = Supervisor.layer("app", { strategy: "one-for-one", children: [db, reader] })
same<Requires<typeof oneForOne>, Db>()

// Under the group strategies a permanent layer child gives to the later ones.
export const oneForAll = Supervisor.layer("app", { strategy: "one-for-all", children: [db, reader] })
same<Requires<typeof oneForAll>, never>()
export const restForOne = Supervisor.layer("app", { strategy: "rest-for-one", children: [db, cache, writer] })
same<Requires<typeof restForOne>, never>()

// What is missing stays.
export const missing = Supervisor.layer("app", {
  strategy: "rest-for-one",
  children: [db, writer, Child.effect("mailer", usesMail)]
})
same<Requires<typeof missing>, Cache | Mail>()

// An earlier child does not use what a later one gives.
export const wrongOrder = Supervisor.layer("app", { strategy: "one-for-all", children: [reader, db] })
same<Requires<typeof wrongOrder>, Db>()
export const wrongOrderOfLayers = Supervisor.layer("app", { strategy: "rest-for-one", children: [cache, db, writer] })
same<Requires<typeof wrongOrderOfLayers>, Db>()

// A child does not give to itself.
export const itself = Supervisor.layer("app", {
  strategy: "one-for-all",
  children: [Child.layer("both", Layer.effect(Db, Effect.as(Db, { query: Effect.succeed(1) })))]
})
same<Requires<typeof itself>, Db>()

// Only permanent children give: others may be gone for good.
export const transient = Child.layer("db", Db.layer, { restart: "transient" })
same<typeof transient, Child.LayerChild<"db", never, never, Db, never>>()
export const temporary = Child.layer("db", Db.layer, { restart: "temporary" })
same<typeof temporary, Child.LayerChild<"db", never, never, Db, never>>()
export const permanent = Child.layer("db", Db.layer, { restart: "permanent", shutdown: "1 second" })
same<typeof permanent, Child.LayerChild<"db", Db, never, Db, never>>()
export const withOptions = Child.layer("db", Db.layer, { shutdown: "1 second" })
same<typeof withOptions, Child.LayerChild<"db", Db, never, Db, never>>()
export const notToldWhich = Child.layer("db", Db.layer, {} as { readonly restart?: "permanent" | undefined })
same<typeof notToldWhich, Child.LayerChild<"db", Db, never, Db, never>>()
export const anyOptions = Child.layer("db", Db.layer, {} as Child.Options)
same<typeof anyOptions, Child.LayerChild<"db", never, never, Db, never>>()
export const fromTransient = Supervisor.layer("app", { strategy: "one-for-all", children: [transient, reader] })
same<Requires<typeof fromTransient>, Db>()

// A supervisor's service is given like any other, also to its siblings.
export class Storage extends Supervisor.Service<Storage>()("coppice/typetest/services/Storage", {
  strategy: "rest-for-one",
  children: [db, reader]
}) {}
same<typeof Storage.layer, Layer.Layer<Storage, SupervisorError.ChildStartFailed>>()
export const storage = Child.supervisor("storage", Storage)
same<typeof storage, Child.LayerChild<"storage", Storage, never, Storage, never>>()
export const byLayer = Child.supervisor("storage", Storage.layer)
same<typeof byLayer, Child.LayerChild<"storage", Storage, never, Storage, never>>()
export const transientStorage = Child.supervisor("storage", Storage, { restart: "transient" })
same<typeof transientStorage, Child.LayerChild<"storage", never, never, Storage, never>>()
export const counting = Child.effect("counting", Effect.flatMap(Storage, (storage) => storage.countChildren))
export const shop = Supervisor.layer("shop", { strategy: "one-for-all", children: [storage, counting] })
same<Requires<typeof shop>, never>()
export const shopOneForOne = Supervisor.layer("shop", { strategy: "one-for-one", children: [storage, counting] })
same<Requires<typeof shopOneForOne>, Storage>()

// What a nested supervisor lacks its parent requires, or a sibling gives.
export class Work extends Supervisor.Service<Work>()("coppice/typetest/services/Work", {
  strategy: "one-for-one",
  children: [reader, Child.effect("mailer", usesMail)]
}) {}
same<Requires<typeof Work.layer>, Db | Mail>()
export const work = Child.supervisor("work", Work)
same<typeof work, Child.LayerChild<"work", Work, Db | Mail, Work, never>>()
export const company = Supervisor.layer("company", { strategy: "rest-for-one", children: [db, work] })
same<Requires<typeof company>, Mail>()

// make requires a scope besides.
export const made = Supervisor.make("app", { strategy: "one-for-one", children: [db, writer] })
same<
  typeof made,
  Effect.Effect<Supervisor.Supervisor<"db" | "writer">, SupervisorError.ChildStartFailed, Db | Cache | Scope.Scope>
>()

// A list of unknown length gives nothing, and requires what any of its elements does.
declare const unknownLength: ReadonlyArray<typeof db | typeof reader | typeof writer>
export const ofUnknownLength = Supervisor.layer("app", { strategy: "one-for-all", children: unknownLength })
same<Requires<typeof ofUnknownLength>, Db | Cache>()
export const endingUnknown = Supervisor.layer("app", { strategy: "one-for-all", children: [db, ...unknownLength] })
same<Requires<typeof endingUnknown>, Cache>()
export const beginningUnknown = Supervisor.layer("app", {
  strategy: "one-for-all",
  children: [...unknownLength, Child.effect("own reader", usesDb)]
})
same<Requires<typeof beginningUnknown>, Db | Cache>()
export const mapped = Supervisor.layer("app", {
  strategy: "one-for-all",
  children: [1, 2, 3].map((number) => Child.effect(`reader ${number}`, usesDb))
})
same<Requires<typeof mapped>, Db>()

// A child that is one of several gives nothing, and requires what any of them does.
declare const either: typeof db | typeof cache
export const ofEither = Supervisor.layer("app", { strategy: "one-for-all", children: [either, reader] })
same<Requires<typeof ofEither>, Db>()
const plainCache = Child.layer("plain cache", Cache.layer)
declare const dbOrPlainCache: typeof db | typeof plainCache
export const givenByOneOf = Supervisor.layer("app", {
  strategy: "one-for-all",
  children: [dbOrPlainCache, reader, Child.effect("user", usesCache)]
})
same<Requires<typeof givenByOneOf>, Db | Cache>()
declare const dbOrReader: typeof db | typeof reader
export const maybeGiven = Supervisor.layer("app", {
  strategy: "one-for-all",
  children: [dbOrReader, Child.effect("last", usesDb)]
})
same<Requires<typeof maybeGiven>, Db>()

// A supervisor whose strategy is not known requires what it does under the one that gives least.
declare const strategy: Supervisor.Strategy
export const unknownStrategy = Supervisor.layer("app", { strategy, children: [db, reader] })
same<Requires<typeof unknownStrategy>, Db>()

// What is given is not asked of the surroundings, so that no other can be meant by mistake; what is not given is.
export const shadowed = Layer.provide(restForOne, Db.layer)
same<Requires<typeof shadowed>, never>()
same<
  typeof oneForOne extends Layer.Layer<never, SupervisorError.ChildStartFailed> ? "can be built" : "lacks Db",
  "lacks Db"
>()
same<
  typeof restForOne extends Layer.Layer<never, SupervisorError.ChildStartFailed> ? "can be built" : "lacks",
  "can be built"
>()
export const provided: Effect.Effect<void, SupervisorError.ChildStartFailed> = Effect.scoped(
  Effect.asVoid(Effect.provide(made, [Db.layer, Cache.layer]))
)

// Nothing of a child's errors is in the types: they are events and reasons.
same<Layer.Error<typeof missing>, SupervisorError.ChildStartFailed>()
same<Child.Child<"any", never, never>["id"], "any">()
export const cacheUser = Child.effect("user", usesCache)
same<typeof cacheUser, Child.Child<"user", never, Cache>>()
