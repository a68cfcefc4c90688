/**
 * Children that do as a test tells them: their starts fail or hang, they crash, they do not stop when they are asked to.
 *
 * A test of supervision asks what a supervisor does when a child misbehaves. A `TestChild` is a real child that misbehaves
 * on command, and writes down in a `Trace` what happens to it. Each command answers when everything has come to rest: the
 * supervisor has done all that it does about it without time passing. So a test that gives commands runs in the world of
 * `VirtualTime.run`.
 *
 * @since 0.1.0
 */
import { Child } from "coppice"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ScriptedChild } from "./internal/scriptedChild.ts"
import type { Trace } from "./Trace.ts"

/**
 * What a start does: it succeeds, it fails, it answers `Child.ignore`, or it hangs until it is released, and then succeeds.
 *
 * @category models
 * @since 0.1.0
 */
export type Start = "ok" | "fail" | "ignore" | "hang"

/**
 * What a child does that is asked to stop: it stops, it dies of it, it stops but its release hangs, or it is deaf and goes
 * on, to be abandoned.
 *
 * @category models
 * @since 0.1.0
 */
export type Stop = "ok" | "fail" | "hang" | "deaf"

/**
 * Where a child is: `starting` and `stopping` if its start or its release hangs, `ending` if it has been told how to leave
 * and has not done so yet.
 *
 * @category models
 * @since 0.1.0
 */
export type State = "down" | "starting" | "up" | "deaf" | "ending" | "stopping"

/**
 * How a child behaves.
 *
 * - `trace`: where it writes what happens to it; default nowhere.
 * - `starts`: what its starts do, the first of them first. All further ones, and by default all, succeed.
 * - `stops`: what it does when it is asked to stop; default `"ok"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  readonly trace?: Trace | undefined
  readonly starts?: ReadonlyArray<Start> | undefined
  readonly stops?: Stop | undefined
}

/**
 * How a child behaves, and the options of a `Child`.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = Script & Child.Options

/**
 * A child that does as it is told. `child` is what a supervisor is given.
 *
 * In its trace it writes these words, each with its id:
 *
 * - `start`, `fail`, `ignore`: a start has succeeded, failed, or answered `Child.ignore`.
 * - `crash`, `die`, `exit`, `return`, `leave`: it has ended by that command.
 * - `stop`: it has ended because it was asked to.
 * - `hang`: it begins to hang, in its start or by command. `gone`: its release hung, and is over.
 *
 * A command that makes no sense, such as to crash a child that is down, dies and says so.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestChild<out C extends Child.Any> {
  readonly child: C

  /** It fails. If it hangs in its start, it is the start that does: so with `die`, `exit` and `leave`. */
  readonly crash: Effect.Effect<void>

  /** It dies of a defect. */
  readonly die: Effect.Effect<void>

  /** It ends cleanly, by `Child.exit`. */
  readonly exit: Effect.Effect<void>

  /** It returns. */
  readonly return: Effect.Effect<void>

  /** It does this, and ends as that does. */
  leave<E>(how: Effect.Effect<void, E>): Effect.Effect<void>

  /** It is deaf from now on: asked to stop, it goes on. */
  readonly hang: Effect.Effect<void>

  /** Whatever hangs of it goes on: its start succeeds, its release ends, it hears that it has been asked to stop. */
  readonly release: Effect.Effect<void>

  /** Where it is, or its latest incarnation if one before that has been abandoned. */
  readonly state: Effect.Effect<State>

  /** Whether it has started and not ended: it is up, deaf or ending. */
  readonly isUp: Effect.Effect<boolean>

  /** How many starts have begun. */
  readonly starts: Effect.Effect<number>
}

const commands = (scripted: ScriptedChild): Omit<TestChild<never>, "child" | "return"> => ({
  crash: scripted.leave("crash", Effect.fail(`${scripted.id} crashed`)),
  die: scripted.leave("die", Effect.die(`${scripted.id} died`)),
  exit: scripted.leave("exit", Child.exit()),
  leave: (how) => scripted.leave("leave", how as Effect.Effect<void, {}>),
  hang: scripted.hang,
  release: scripted.release,
  state: Effect.sync(() => scripted.state),
  isUp: Effect.sync(() => scripted.isUp),
  starts: Effect.sync(() => scripted.starts)
})

/**
 * Creates a child that does as it is told.
 *
 * **Example** (Who is restarted with whom)
 *
 * ```ts import.meta.vitest
 * import { TestChild, Trace, VirtualTime } from "@coppice/testing"
 * import { Supervisor } from "coppice"
 * import { Effect, Logger } from "effect"
 *
 * const test = Effect.gen(function*() {
 *   const trace = yield* Trace.make
 *   const database = yield* TestChild.make("database", { trace })
 *   const cache = yield* TestChild.make("cache", { trace, restart: "transient" })
 *   const server = yield* TestChild.make("server", { trace })
 *   yield* Supervisor.make("app", {
 *     strategy: "rest-for-one",
 *     children: [database.child, cache.child, server.child]
 *   })
 *   yield* trace.take // => ["start database", "start cache", "start server"]
 *
 *   yield* cache.crash
 *   yield* trace.take // => ["crash cache", "stop server", "start cache", "start server"]
 *
 *   yield* cache.exit
 *   yield* trace.take // => ["exit cache"]
 * })
 *
 * await Effect.runPromise(VirtualTime.run(Effect.scoped(test)).pipe(Effect.provide(Logger.layer([]))))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Id extends string>(
  id: Id,
  options: Options = {}
): Effect.Effect<TestChild<Child.Child<Id, never, never>>> =>
  Effect.sync(() => {
    const scripted = new ScriptedChild(id, options)
    const child = Child.make(id as string, scripted.start, options) as Child.Child<Id, never, never>
    return { child, ...commands(scripted), return: scripted.leave("return", Effect.void) }
  })

/**
 * Creates a child that does as it is told and gives a service, which `service` makes for each start, the first being 1. As
 * any child made from a layer it has no body that could return.
 *
 * **Example** (What a database that crashes does to its users)
 *
 * ```ts import.meta.vitest
 * import { TestChild, VirtualTime } from "@coppice/testing"
 * import { ChildRef, Supervisor } from "coppice"
 * import { Context, Effect, Logger } from "effect"
 *
 * class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("shop/Db") {}
 * class DbRef extends ChildRef.Service<DbRef>()("shop/DbRef", Db) {}
 *
 * const test = Effect.gen(function*() {
 *   const db = yield* TestChild.layer("db", Db, (start) => ({ query: Effect.succeed(start * 100) }), { ref: DbRef })
 *   yield* Supervisor.make("app", { strategy: "one-for-one", children: [db.child] })
 *   const before = yield* DbRef.use((db) => db.query)
 *   yield* db.crash
 *   return [before, yield* DbRef.use((db) => db.query)]
 * }).pipe(Effect.provide(DbRef.layer))
 *
 * await Effect.runPromise(VirtualTime.run(Effect.scoped(test)).pipe(Effect.provide(Logger.layer([])))) // => [100, 200]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const layer = <const Id extends string, I, S, const O extends Script & Child.LayerOptions<I> = {}>(
  id: Id,
  tag: Context.Key<I, S>,
  service: (start: number) => S,
  options?: O
): Effect.Effect<Omit<TestChild<ReturnType<typeof Child.layer<Id, I, never, never, O>>>, "return">> =>
  Effect.sync(() => {
    const scripted = new ScriptedChild(id, options ?? {})
    const built = Effect.flatMap(scripted.start, (body) => Effect.as(Child.forkLinked(body), service(scripted.starts)))
    const child = Child.layer(id as string, Layer.effect(tag, built), options)
    return { child: child as ReturnType<typeof Child.layer<Id, I, never, never, O>>, ...commands(scripted) }
  })
