/** What a ref gives, requires and refuses. */
import { Child, ChildRef, Supervisor, type SupervisorError } from "coppice"
import { Context, Effect, Layer, type Stream } from "effect"
import { Cache, Db, db, Mail, type MailError, same, usesCache, usesDb } from "./support.ts"

type DbService = Context.Service.Shape<typeof Db>
type MailService = Context.Service.Shape<typeof Mail>
type RefError = SupervisorError.ChildDown | SupervisorError.ChildUnavailable

export class DbRef extends ChildRef.Service<DbRef>()("coppice/typetest/ref/DbRef", Db) {}
export class MailRef extends ChildRef.Service<MailRef>()("coppice/typetest/ref/MailRef", Mail, { patience: 0 }) {}

// The key is a literal, the layers need nothing, and the service in the context is the ref.
same<typeof DbRef.key, "coppice/typetest/ref/DbRef">()
same<typeof DbRef.layer, Layer.Layer<DbRef>>()
export const fake = DbRef.layerOf({ query: Effect.succeed(1) })
same<typeof fake, Layer.Layer<DbRef>>()
export const ref = Effect.map(DbRef, (ref) => ref)
same<typeof ref, Effect.Effect<ChildRef.ChildRef<Db, DbService>, never, DbRef>>()

// A use has what its effect has, two errors more, and needs the ref.
export const used = DbRef.use((db) => db.query)
same<typeof used, Effect.Effect<number, RefError, DbRef>>()
export const usedMail = MailRef.use((mail: MailService) => mail.send)
same<typeof usedMail, Effect.Effect<void, MailError | RefError, MailRef>>()
export const usedWith = DbRef.use(() => usesCache, { patience: "1 minute" })
same<typeof usedWith, Effect.Effect<number, RefError, DbRef | Cache>>()
export const scoped = DbRef.use(() => Effect.addFinalizer(() => Effect.void))
same<typeof scoped, Effect.Effect<void, RefError, DbRef | import("effect").Scope.Scope>>()
export const never = DbRef.use(() => Effect.never)
same<typeof never, Effect.Effect<never, RefError, DbRef>>()

// What is provided is no longer needed, and nothing else.
export const provided = DbRef.provide(usesDb)
same<typeof provided, Effect.Effect<number, RefError, DbRef>>()
export const providedToMore = DbRef.provide(Effect.andThen(usesDb, usesCache), { patience: "Infinity" })
same<typeof providedToMore, Effect.Effect<number, RefError, DbRef | Cache>>()
export const providedByTwo = MailRef.provide(DbRef.provide(Effect.andThen(Mail, usesDb)))
same<typeof providedByTwo, Effect.Effect<number, RefError, DbRef | MailRef>>()
export const providedInVain = DbRef.provide(usesCache)
same<typeof providedInVain, Effect.Effect<number, RefError, DbRef | Cache>>()

// The errors are handled one by one.
export const handled = used.pipe(
  Effect.catchTags({
    ChildDown: ({ incarnation, path }) => Effect.succeed(`${path} ${incarnation}`),
    ChildUnavailable: ({ reason }) => Effect.succeed(reason)
  })
)
same<typeof handled, Effect.Effect<number | string, never, DbRef>>()

// Through the ref itself the ref is not needed.
export const held = Effect.flatMap(DbRef, (ref) => ref.use((db) => db.query))
same<typeof held, Effect.Effect<number, RefError, DbRef>>()
declare const state: ChildRef.ChildRef<Db, DbService>
export const heldUse = state.use(() => usesCache)
same<typeof heldUse, Effect.Effect<number, RefError, Cache>>()
export const heldProvide = state.provide(Effect.andThen(usesDb, usesCache))
same<typeof heldProvide, Effect.Effect<number, RefError, Cache>>()
same<typeof state.changes, Stream.Stream<ChildRef.Alive<DbService>>>()
same<typeof DbRef.changes, Stream.Stream<ChildRef.Alive<DbService>, never, DbRef>>()

// A child that fills a ref requires it, whatever it needs besides, and gives what it gave.
export const filling = Child.layer("db", Db.layer, { ref: DbRef })
same<typeof filling, Child.LayerChild<"db", Db, DbRef, Db, DbRef>>()
export const temporary = Child.layer("db", Db.layer, { ref: DbRef, restart: "temporary", significant: true })
same<typeof temporary, Child.LayerChild<"db", never, DbRef, Db, DbRef>>()
export const both = Child.layer("both", Layer.merge(Db.layer, Cache.layer), { ref: DbRef })
same<typeof both, Child.LayerChild<"both", Db | Cache, DbRef, Db | Cache, DbRef>>()

// A user under one-for-one needs the ref and not the service.
export const user = Child.effect("user", Effect.ignore(used))
export const app = Supervisor.layer("app", { strategy: "one-for-one", children: [filling, user] })
same<Layer.Services<typeof app>, DbRef>()
export const whole = Supervisor.layer("app", {
  strategy: "one-for-one",
  dependencies: [DbRef.layer],
  children: [filling, user]
})
same<Layer.Services<typeof whole>, never>()

// A supervisor can be the service of a ref.
export class Storage extends Supervisor.Service<Storage>()("coppice/typetest/ref/Storage", {
  strategy: "one-for-one",
  children: [db]
}) {}
export class StorageRef extends ChildRef.Service<StorageRef>()("coppice/typetest/ref/StorageRef", Storage) {}
export const storage = Child.supervisor("storage", Storage, { ref: StorageRef })
same<typeof storage, Child.LayerChild<"storage", Storage, StorageRef, Storage, StorageRef>>()
export const terminated = StorageRef.use((storage) => storage.terminateChild("db"))
same<Effect.Services<typeof terminated>, StorageRef>()
// @ts-expect-error: no child has that id
export const unknownChild = StorageRef.use((storage) => storage.terminateChild("bd"))

// A ref is filled with its own service.
// @ts-expect-error: a cache is no database
Child.layer("cache", Cache.layer, { ref: DbRef })
// @ts-expect-error: a supervisor is no database
Child.supervisor("storage", Storage, { ref: DbRef })
// @ts-expect-error: the tag of the service is no ref
Child.layer("db", Db.layer, { ref: Db })
// @ts-expect-error: an effect gives no service
Child.effect("db", Effect.never, { ref: DbRef })
// @ts-expect-error: that is no database
DbRef.layerOf({ query: Effect.succeed("one") })
// @ts-expect-error: a function that answers no effect
export const noEffect: Effect.Effect<unknown, RefError, DbRef> = DbRef.use((db: DbService) => db)
// @ts-expect-error: a database has no such operation
export const noOperation = DbRef.use((db): Effect.Effect<number> => db.quary)
type Patience = NonNullable<ChildRef.Options["patience"]>
same<"5 lightyears" extends Patience ? true : false, false>()
same<"5 minutes" extends Patience ? true : false, true>()
same<typeof usedMail extends Effect.Effect<void, MailError | RefError, DbRef> ? "one ref" : "its own", "its own">()
