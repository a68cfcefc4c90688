/** What the types refuse. */
import { Child, Supervisor } from "coppice"
import { Effect } from "effect"
import { db, reader, same } from "./support.ts"

// Ids are not empty and contain no slash, for every kind of child.
// @ts-expect-error An id is not empty.
export const empty = Child.effect("", Effect.never)
// @ts-expect-error An id contains no slash.
export const slash = Child.effect("a/b", Effect.never)
// @ts-expect-error An id contains no slash.
export const slashes = Child.make("/a", Effect.succeed(Effect.never))
// @ts-expect-error An id contains no slash.
export const slashLayer = Child.layer("a/", Supervisor.layer("n", { strategy: "one-for-one", children: [] }))
// @ts-expect-error An id contains no slash.
export const slashOnly = Child.supervisor("/", Supervisor.layer("n", { strategy: "one-for-one", children: [] }))
// @ts-expect-error One of the two has a slash.
export const oneOfTwo = Child.effect("a" as "a" | "b/c", Effect.never)
export const fine = Child.effect("a b-c.d#1", Effect.never)

// Two children with one id: the message names it, in every way to make a supervisor.
export const twice = Supervisor.layer("app", {
  strategy: "one-for-one",
  // @ts-expect-error two children have the id "reader"
  children: [reader, db, reader]
})
export const twiceMade = Supervisor.make("app", {
  strategy: "one-for-all",
  // @ts-expect-error two children have the id "a"
  children: [Child.effect("a", Effect.never), Child.make("a", Effect.succeed(Effect.never))]
})
export const TwiceClass = Supervisor.Service<{ readonly _: "twice" }>()("coppice/typetest/mistakes/Twice", {
  strategy: "one-for-all",
  // @ts-expect-error two children have the id "b"
  children: [Child.effect("a", Effect.never), Child.effect("b", Effect.never), Child.effect("b", Effect.never)]
})
type Options<Children extends ReadonlyArray<Child.Any>> = Supervisor.Options<"one-for-one", Children>["children"]
same<
  Options<readonly [typeof reader, typeof db, typeof reader]>,
  readonly [typeof reader, typeof db, typeof reader] & "two children have the id \"reader\""
>()
same<Options<readonly [typeof reader, typeof db]>, readonly [typeof reader, typeof db]>()

// Where the ids are not known there is no telling; it is a defect at run time.
export const unknownIds = Supervisor.layer("app", {
  strategy: "one-for-one",
  children: [Child.effect("a" as string, Effect.never), Child.effect("a" as string, Effect.never)]
})

// A permanent child is not significant.
// @ts-expect-error It never ends for good.
export const significant = Child.effect("a", Effect.never, { significant: true })
// @ts-expect-error It never ends for good.
export const significantPermanent = Child.effect("a", Effect.never, { restart: "permanent", significant: true })
// @ts-expect-error It never ends for good.
export const significantLayer = Child.layer("a", db as never, { significant: true })
export const allowed = [
  Child.effect("a", Effect.never, { restart: "transient", significant: true }),
  Child.effect("b", Effect.never, { restart: "temporary", significant: true }),
  Child.effect("c", Effect.never, { restart: "permanent", significant: false }),
  Child.effect("d", Effect.never, { significant: false }),
  Child.effect("e", Effect.never, { restart: undefined, significant: undefined, shutdown: undefined })
]

// Options have the values there are.
// @ts-expect-error There is no such restart type.
export const noSuchRestart = Child.effect("a", Effect.never, { restart: "always" })
// @ts-expect-error There is no such strategy.
export const noSuchStrategy = Supervisor.layer("app", { strategy: "simple-one-for-one", children: [] })
// @ts-expect-error The strategy is always said.
export const noStrategy = Supervisor.layer("app", { children: [] })
// @ts-expect-error There is no such automatic shutdown.
export const noSuchShutdown = Supervisor.layer("app", { strategy: "one-for-one", children: [], autoShutdown: "always" })
// @ts-expect-error An intensity is a number.
export const noNumber = Supervisor.layer("app", { strategy: "one-for-one", children: [], intensity: "three" })
// @ts-expect-error An effect is no child.
export const noChild = Supervisor.layer("app", { strategy: "one-for-one", children: [Effect.never] })
// @ts-expect-error make answers the effect to run.
export const noBody = Child.make("a", Effect.succeed("not an effect"))
