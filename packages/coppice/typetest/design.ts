/** The shop of the guides: a ref, a tree in a tree, dependencies, replaced layers. */
import { Child, ChildRef, Supervisor, type SupervisorError } from "coppice"
import { Context, Effect, Layer } from "effect"
import { Cache, cache, Db, db, same, usesDb } from "./support.ts"

type Requires<L extends Layer.Any> = Layer.Services<L>

export class DbRef extends ChildRef.Service<DbRef>()("coppice/typetest/design/DbRef", Db) {}

// A child that fills a ref requires it.
export class Storage extends Supervisor.Service<Storage>()("coppice/typetest/design/Storage", {
  strategy: "rest-for-one",
  intensity: 3,
  period: "5 seconds",
  children: [
    Child.layer("db", Db.layer, { ref: DbRef }),
    Child.effect("projector", usesDb, { restart: "transient", shutdown: "10 seconds" })
  ]
}) {}
same<typeof Storage.layer, Layer.Layer<Storage, SupervisorError.ChildStartFailed, DbRef>>()

const HttpLive = Layer.effectDiscard(DbRef.use((db) => db.query))
same<Requires<typeof HttpLive>, DbRef>()

// Dependencies are built before the children, and given to them.
export class Shop extends Supervisor.Service<Shop>()("coppice/typetest/design/Shop", {
  strategy: "one-for-one",
  dependencies: [DbRef.layer],
  children: [Child.supervisor("storage", Storage), Child.layer("http", HttpLive)]
}) {}
same<typeof Shop.layer, Layer.Layer<Shop, SupervisorError.ChildStartFailed>>()
same<Requires<typeof Shop.layerNoDeps>, DbRef>()

export const made = Supervisor.make("shop", {
  strategy: "one-for-one",
  dependencies: [DbRef.layer],
  children: [Child.layer("http", HttpLive)]
})
same<Effect.Services<typeof made>, import("effect").Scope.Scope>()

// What a dependency needs and how it can fail is the supervisor's.
class Config extends Context.Service<Config, string>()("coppice/typetest/design/Config") {}
const configured = Layer.effect(Db, Effect.flatMap(Config, () => Effect.fail("no database" as const)))
export const dependent = Supervisor.layer("app", {
  strategy: "one-for-one",
  dependencies: [configured],
  children: [Child.effect("reader", usesDb)]
})
same<typeof dependent, Layer.Layer<never, SupervisorError.ChildStartFailed | "no database", Config>>()

// Operations as statics need the class, and keep what they answer.
same<Effect.Services<ReturnType<typeof Shop.terminateChild>>, Shop>()
export const guest = Shop.startChild(Child.effect("guest", usesDb))
same<Effect.Services<typeof guest>, Db | Shop>()
// @ts-expect-error: no child has that id
export const unknown = Shop.terminateChild("htpp")

// A replacement builds the same services; what it needs replaces what the layer needed.
export class Caches extends Supervisor.Service<Caches>()("coppice/typetest/design/Caches", {
  strategy: "one-for-one",
  children: [cache, db, Child.effect("reader", usesDb)]
}) {}
same<Requires<typeof Caches.layer>, Db>()
const replaced = Caches.layerWith({ cache: Cache.layer })
same<typeof replaced, Layer.Layer<Caches, SupervisorError.ChildStartFailed, Db>>()
const needy = Caches.layerWith({ db: Layer.effect(Db, Effect.as(Config, { query: Effect.succeed(1) })) })
same<Requires<typeof needy>, Db | Config>()
/** What may stand in for the database. */
type Stand = NonNullable<Parameters<typeof Caches.layerWith>[0]["db"]>
same<typeof Cache.layer extends Stand ? true : false, false>()
same<"reader" extends keyof Parameters<typeof Caches.layerWith>[0] ? true : false, false>()

// A ref is filled with a service that the layer builds.
// @ts-expect-error: a cache is no database
Child.layer("cache", Cache.layer, { ref: DbRef })

// A child may use its own supervisor's class, where its type is written.
const counting: Layer.Layer<never, never, Self> = Layer.effectDiscard(
  Effect.suspend(() => Effect.ignore(Self.countChildren))
)
export class Self extends Supervisor.Service<Self>()("coppice/typetest/design/Self", {
  strategy: "one-for-one",
  children: [Child.layer("counting", counting)]
}) {}
same<typeof Self.layer, Layer.Layer<Self, SupervisorError.ChildStartFailed>>()

// Uses of a ref fail with what the effect fails with, and with the ref's own two errors.
export const used = DbRef.use((db) => Effect.andThen(db.query, Effect.fail("mine" as const)))
same<
  typeof used,
  Effect.Effect<never, "mine" | SupervisorError.ChildDown | SupervisorError.ChildUnavailable, DbRef>
>()
export const provided = DbRef.provide(Effect.andThen(usesDb, Config))
same<Effect.Services<typeof provided>, Config | DbRef>()

// A task is a child that gives nothing; Scope is its own.
export const migrate = Child.task("migrate", Effect.andThen(Effect.addFinalizer(() => Effect.void), usesDb))
same<typeof migrate, Child.Child<"migrate", never, Db>>()

// A linked fiber needs what its effect needs, and a scope.
export const linked = Child.forkLinked(usesDb)
same<Effect.Services<typeof linked>, Db | import("effect").Scope.Scope>()
