/** Ids are literals: in the list of children, on the handle, and in what is an error. */
import { Child, ExitReason, Supervisor, type SupervisorError } from "coppice"
import { type Context, Effect } from "effect"
import { type Cache, cache, Db, db, type Mail, reader, same, usesDb, usesMail } from "./support.ts"

declare const app: Supervisor.Supervisor<"db" | "reader">

// A handle knows its children.
export const known = [
  app.terminateChild("db"),
  app.restartChild("reader"),
  app.deleteChild("db"),
  app.getChildSpec("reader"),
  app.exitChild("db", ExitReason.killed)
]
// @ts-expect-error No child has that id.
export const unknownTerminate = app.terminateChild("cache")
// @ts-expect-error No child has that id.
export const unknownRestart = app.restartChild("cache")
// @ts-expect-error No child has that id.
export const unknownDelete = app.deleteChild("cache")
// @ts-expect-error No child has that id.
export const unknownSpec = app.getChildSpec("cache")
// @ts-expect-error No child has that id.
export const unknownExit = app.exitChild("cache", ExitReason.killed)
// @ts-expect-error A string may be any id.
export const anyString = app.terminateChild("db" as string)

// Widened to plain strings it takes any: so one writes functions over any supervisor.
export const widened: Supervisor.Supervisor = app
export const byString = widened.terminateChild("whatever" as string)
// @ts-expect-error A supervisor of one child is not one of another.
export const other: Supervisor.Supervisor<"cache"> = app
export const stop = (supervisor: Supervisor.Supervisor, id: string) => supervisor.terminateChild(id)
export const stopped = stop(app, "db")

// What startChild answered names its child, also where the type of the supervisor does not know it.
export const guest = Effect.flatMap(app.startChild(Child.effect("guest", Effect.never)), (handle) => {
  same<typeof handle, Supervisor.ChildHandle<"guest", never>>()
  return Effect.andThen(app.terminateChild(handle), app.exitChild(handle, ExitReason.killed))
})
same<
  typeof guest,
  Effect.Effect<
    void,
    | SupervisorError.ChildAlreadyStarted
    | SupervisorError.ChildAlreadyPresent
    | SupervisorError.ChildStartFailed
    | SupervisorError.InvalidChild
    | SupervisorError.ChildNotFound
    | SupervisorError.SupervisorDown
    | SupervisorError.CallFromWithin
  >
>()

// The requirements of a child that is started fall to the caller; Scope is its own.
export const startReader = app.startChild(Child.effect("late", Effect.andThen(Effect.scope, usesDb)))
same<Effect.Services<typeof startReader>, Db>()
export const startCache = app.startChild(cache)
same<Effect.Services<typeof startCache>, Db>()
same<Effect.Success<typeof startCache>, Supervisor.ChildHandle<"cache", Cache>>()
export const startAny = (child: Child.Child<string, never, Mail>) => widened.startChild(child)
same<Effect.Services<ReturnType<typeof startAny>>, Mail>()
export const provided = Effect.provide(startReader, Db.layer)
same<Effect.Services<typeof provided>, never>()

// What a layer child built is in its handle.
export const services = Effect.map(startCache, (handle) => handle.services)
same<Effect.Success<typeof services>, Context.Context<Cache>>()

// Of a class the ids are those of its children.
export class Shop extends Supervisor.Service<Shop>()("coppice/typetest/ids/Shop", {
  strategy: "one-for-one",
  children: [db, reader, Child.effect("mailer", usesMail)]
}) {}
same<Shop["Service"], Supervisor.Supervisor<"db" | "reader" | "mailer">>()
export const ofClass = Effect.flatMap(Shop, (shop) => shop.terminateChild("mailer"))
// @ts-expect-error No child has that id.
export const notOfClass = Effect.flatMap(Shop, (shop) => shop.terminateChild("storage"))

// Ids that are made by a computation are strings.
export const computed = Supervisor.make("app", {
  strategy: "one-for-one",
  children: [1, 2, 3].map((number) => Child.effect(`worker-${number}`, Effect.never))
})
same<Effect.Success<typeof computed>, Supervisor.Supervisor<`worker-${number}`>>()
export const plain = (id: string) => Child.effect(id, Effect.never)
same<ReturnType<typeof plain>, Child.Child<string, never, never>>()
