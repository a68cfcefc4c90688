/** What dynamic and partition supervisors take, answer and require. */
import { Child, ChildRef, DynamicSupervisor, type ExitReason, PartitionSupervisor, type SupervisorError } from "coppice"
import { type Context, Effect, Layer, type Scope } from "effect"
import { Cache, Db, same, usesCache, usesDb } from "./support.ts"

type StartError =
  | SupervisorError.ChildAlreadyStarted
  | SupervisorError.ChildRestarting
  | SupervisorError.MaxChildrenReached
  | SupervisorError.ChildStartFailed
  | SupervisorError.InvalidChild
  | SupervisorError.SupervisorDown
  | SupervisorError.CallFromWithin

// What the children require the layer requires, and nobody else.
class Readers extends DynamicSupervisor.Service<Readers>()("coppice/typetest/dynamic/Readers", {
  child: (_: number) => Child.effect("reader", usesDb, { restart: "transient" })
}) {}
same<typeof Readers.layer, Layer.Layer<Readers, never, Db>>()
export const started = Readers.startChild(1)
same<typeof started, Effect.Effect<DynamicSupervisor.ChildHandle, StartError, Readers>>()
export const run = Readers.run(1)
same<typeof run, Effect.Effect<ExitReason.ExitReason, StartError, Readers>>()
// @ts-expect-error: the argument is a number
export const wrongArgument = Readers.startChild("1")
// @ts-expect-error: there is one
export const noArgument = Readers.startChild()

// Any number of arguments; a key is made of the first few of them.
class Caches extends DynamicSupervisor.Service<Caches>()("coppice/typetest/dynamic/Caches", {
  child: (_name: string, _size = 1) => Child.layer("cache", Cache.overDb, { restart: "temporary" }),
  key: (name) => name,
  maxChildren: 10,
  period: "1 minute"
}) {}
same<typeof Caches.layer, Layer.Layer<Caches, never, Db>>()
export const two = [Caches.startChild("a"), Caches.startChild("a", 2)]
// A handle has what the child builds, temporary or not.
export const ensured = Caches.ensureChild("a")
same<
  typeof ensured,
  Effect.Effect<
    DynamicSupervisor.ChildHandle<Cache>,
    Exclude<StartError, SupervisorError.ChildAlreadyStarted>,
    Caches
  >
>()
export const used = Effect.flatMap(
  ensured,
  (child) => child.use((services: Context.Context<Cache>) => Effect.as(usesCache, services))
)
same<Effect.Services<typeof used>, Cache | Caches>()
export const usedByKey = Caches.useChild("a", (services) => Effect.provideContext(usesCache, services))
same<
  typeof usedByKey,
  Effect.Effect<
    number,
    SupervisorError.ChildNotFound | SupervisorError.ChildDown | SupervisorError.ChildUnavailable,
    Caches
  >
>()
// A handle of any child may be given back.
export const back = Effect.flatMap(ensured, (child) => Caches.terminateChild(child))
same<Effect.Services<typeof back>, Caches>()

// A child may be one of several; it then requires what any of them does.
export const either = DynamicSupervisor.make("either", {
  child: (reader: boolean) => reader ? Child.effect("reader", usesDb) : Child.layer("cache", Cache.layer)
})
same<Effect.Services<typeof either>, Db | Scope.Scope>()
same<Effect.Error<typeof either>, never>()

// No argument at all.
export const none = DynamicSupervisor.make("none", { child: () => Child.effect("a", Effect.never) })
same<
  typeof none,
  Effect.Effect<DynamicSupervisor.DynamicSupervisor<[], never>, never, Scope.Scope>
>()

// @ts-expect-error: a child is made
export const noChild = DynamicSupervisor.make("no child", { child: () => Effect.never })
export const wrongKey = DynamicSupervisor.make("wrong key", {
  child: (_: number) => Child.effect("a", Effect.never),
  // @ts-expect-error: a key is a string
  key: (number) => number
})
export const typo = DynamicSupervisor.make("typo", {
  child: () => Child.effect("a", Effect.never),
  // @ts-expect-error: there is no such option
  maxChild: 1
})

// A supervisor is a child like any other, and its ref can be filled.
class CachesRef extends ChildRef.Service<CachesRef>()("coppice/typetest/dynamic/CachesRef", Caches) {}
export const child = Child.supervisor("caches", Caches, { ref: CachesRef })
same<typeof child, Child.LayerChild<"caches", Caches, Db | CachesRef, Caches, CachesRef>>()

// A partition supervisor gives the service of its tag, which the child builds.
class Dbs extends PartitionSupervisor.Service<Dbs>()("coppice/typetest/dynamic/Dbs", Db, {
  child: Child.layer("db", Db.layer)
}) {}
same<typeof Dbs.layer, Layer.Layer<Dbs, SupervisorError.ChildStartFailed>>()
export const query = Dbs.use("key", (db) => db.query)
same<
  typeof query,
  Effect.Effect<number, SupervisorError.ChildDown | SupervisorError.ChildUnavailable, Dbs>
>()
export const provided = Dbs.provide(1, Effect.andThen(usesDb, usesCache))
same<Effect.Services<typeof provided>, Cache | Dbs>()

class AllCaches extends PartitionSupervisor.Service<AllCaches>()("coppice/typetest/dynamic/AllCaches", Caches, {
  partitions: 4,
  child: (_: number) => Child.supervisor("caches", Caches)
}) {}
same<typeof AllCaches.layer, Layer.Layer<AllCaches, SupervisorError.ChildStartFailed, Db>>()
export const routed = AllCaches.use("a", (caches) => caches.ensureChild("a"))
same<Effect.Services<typeof routed>, AllCaches>()
same<Effect.Success<typeof routed>, DynamicSupervisor.ChildHandle<Cache>>()

export const wrongTag = PartitionSupervisor.Service<any>()("coppice/typetest/dynamic/WrongTag", Db, {
  // @ts-expect-error: a cache is no database
  child: Child.layer("cache", Cache.layer)
})
export const effectChild = PartitionSupervisor.Service<any>()("coppice/typetest/dynamic/EffectChild", Db, {
  // @ts-expect-error: an effect builds no service
  child: Child.effect("reader", usesDb)
})
