/**
 * A name for "whichever incarnation of this child is alive".
 *
 * A service that a child builds dies with that child, and who holds it holds a dead instance from then on. A `ChildRef`
 * is held instead: `use` runs an effect with the service of the incarnation that is alive, linked to it. It is OTP's
 * registered name, typed, and with the link that a call to a registered process has.
 *
 * A ref is an ordinary service. Any ancestor or the surroundings provide it (`layer`), a child fills it at each start
 * (the option `ref`), and tests fake it (`layerOf`).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import { defaultPatience, RefState, TypeId } from "./internal/refState.ts"
import type { ChildDown, ChildUnavailable } from "./SupervisorError.ts"

/**
 * An incarnation that is alive, with the service it has built.
 *
 * @category models
 * @since 0.1.0
 */
export interface Alive<out S> {
  readonly path: string
  readonly incarnation: number
  readonly service: S
}

/**
 * How a use goes about an incarnation that is not there: `patience` is how long it waits while the child is starting or
 * restarting; default 5 seconds, 0 to fail at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly patience?: Duration.Input | undefined
}

/**
 * The operations of a ref to a service `S`, which is the service of the tag `I`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildRef<in out I, in out S> {
  readonly [TypeId]: typeof TypeId

  /**
   * Runs an effect with the service of the incarnation that is alive, in a fiber that is linked to it: if the incarnation
   * ends meanwhile the effect is interrupted and fails with `ChildDown`, and so does an effect that outlives it even if it
   * succeeded. While there is no incarnation it waits, at most the patience, then it fails with `ChildUnavailable`; at
   * once when the child is down for good. Interrupting the caller interrupts the effect and awaits it.
   */
  use<A, E, R>(
    f: (service: S) => Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R>

  /** Runs an effect that needs the service, as `use` does. */
  provide<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, Exclude<R, I>>

  /** The incarnations, from the one that is alive now on. A reader that is slow sees the latest. */
  readonly changes: Stream.Stream<Alive<S>>
}

/**
 * What is filled with the service of the tag `I`: a child whose layer builds that service can have it as its ref.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fills<out I> {
  readonly [TypeId]: Types.Covariant<I>
}

/**
 * A class made with `Service`: the tag of a ref, its layers, and its operations.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<in out Self, in out Key extends string, in out I, in out S>
  extends Context.Key<Self, ChildRef<I, S>>, Fills<I>
{
  new(_: never): Context.ServiceClass.Shape<Key, ChildRef<I, S>>
  readonly key: Key

  /** A ref that is filled by a child. */
  readonly layer: Layer.Layer<Self>

  /** A ref to a service that is always alive, for tests. */
  layerOf(service: S): Layer.Layer<Self>

  /** `use` of the ref in the context. */
  use<A, E, R>(
    f: (service: S) => Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R | Self>

  /** `provide` of the ref in the context. */
  provide<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, Exclude<R, I> | Self>

  /** `changes` of the ref in the context. */
  readonly changes: Stream.Stream<Alive<S>, never, Self>
}

/**
 * Creates a class that is a ref to the service of a tag.
 *
 * **Example** (A counter that outlives its incarnations' crashes)
 *
 * ```ts import.meta.vitest
 * import { Child, ChildRef, ExitReason, Supervisor } from "coppice"
 * import { Context, Effect, Layer, Logger } from "effect"
 *
 * class Db extends Context.Service<Db, { readonly query: Effect.Effect<string> }>()("shop/Db") {}
 * class DbRef extends ChildRef.Service<DbRef>()("shop/DbRef", Db) {}
 *
 * let connections = 0
 * const DbLive = Layer.sync(Db, () => {
 *   const number = ++connections
 *   return { query: Effect.succeed(`answered by connection ${number}`) }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [Child.layer("db", DbLive, { ref: DbRef })]
 *   })
 *   yield* app.exitChild("db", ExitReason.killed)
 *   return yield* DbRef.use((db) => db.query)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([DbRef.layer, Logger.layer([])]))) // => "answered by connection 2"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Key extends string, I, S>(
  key: Key,
  tag: Context.Key<I, S>,
  options?: Options
): ServiceClass<Self, Key, I, S> => {
  const service = Context.Service<Self, ChildRef<I, S>>()(key)
  const patience = options?.patience ?? defaultPatience
  return Object.assign(service, {
    [TypeId]: (_: never): I => _,
    layer: Layer.sync(service, () => new RefState(key, tag, patience)),
    layerOf: (alive: S) => Layer.sync(service, () => RefState.of(key, tag, alive)),
    use: <A, E, R>(f: (service: S) => Effect.Effect<A, E, R>, options?: Options) =>
      Effect.flatMap(service, (ref) => ref.use(f, options)),
    provide: <A, E, R>(effect: Effect.Effect<A, E, R>, options?: Options) =>
      Effect.flatMap(service, (ref) => ref.provide(effect, options)),
    changes: Stream.unwrap(Effect.map(service, (ref) => ref.changes))
  })
}
