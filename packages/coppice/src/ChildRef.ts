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
import * as Duration from "effect/Duration"
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
 * How long a use waits while no incarnation is alive: all of its waiting together, however often the child comes and goes
 * meanwhile. Default 5 seconds; 0 fails at once, `"Infinity"` waits for ever.
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
   * Runs an effect with the service of the incarnation that is alive, in a fiber of its own that is linked to it.
   *
   * **Details**
   *
   * - If the incarnation ends meanwhile, the effect is interrupted and awaited, and the use fails with `ChildDown`; also
   *   when the effect succeeds or fails all the same, because it cannot be interrupted. The effect may have done part of
   *   its work. A defect of its finalizers is passed on in the place of `ChildDown`.
   * - While the child has not started yet or is restarting, the use waits, at most the patience. After that, or at once
   *   when the child is down and nothing is going to restart it, it fails with `ChildUnavailable`. Nothing was run then,
   *   and it is safe to try again.
   * - Interrupting the caller interrupts the effect and awaits it. A caller that cannot be interrupted does not shield the
   *   effect from the end of the incarnation.
   * - Its users hear of the end of an incarnation before its resources are released, but are not waited for.
   * - Fibers that the effect forks with `forkChild` end with it. Its scope and all else in the context are the caller's.
   *
   * A use in the start of the child itself, or of an earlier sibling, waits in vain: the child has not started.
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

  /**
   * The incarnations: the one that is alive, if any, then each that comes. A reader that is slow sees the latest, which may
   * have ended meanwhile: use the service with `use`. It goes on while the child is down, and ends when the layer of the
   * ref is released.
   */
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

  /**
   * A ref that is filled by a child. It belongs where all of its users can have it, and outlives the child: in the
   * surroundings, or among the `dependencies` of a supervisor. Each build of it is a ref of its own.
   */
  readonly layer: Layer.Layer<Self>

  /** A ref to a service that is always alive, for tests. No child can fill it. */
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
 * Creates a class that is a ref to the service of a tag. `patience` is the default of its uses.
 *
 * **Example** (A database that crashes and comes back)
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
  const patience = Duration.fromInputUnsafe(options?.patience ?? defaultPatience)
  const layerOfState = (make: () => RefState<I, S>) =>
    Layer.effect(service, Effect.acquireRelease(Effect.sync(make), (state) => Effect.sync(() => state.close())))
  const current = <A, E, R>(use: (ref: ChildRef<I, S>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Self> =>
    Effect.withFiber((fiber) => use(Context.get(fiber.context as Context.Context<Self>, service)))
  return Object.assign(service, {
    [TypeId]: (_: never): I => _,
    layer: layerOfState(() => new RefState(key, tag, patience)),
    layerOf: (alive: S) => layerOfState(() => new RefState(key, tag, patience, { service: alive })),
    use: <A, E, R>(f: (service: S) => Effect.Effect<A, E, R>, options?: Options) =>
      current((ref) => ref.use(f, options)),
    provide: <A, E, R>(effect: Effect.Effect<A, E, R>, options?: Options) =>
      current((ref) => ref.provide(effect, options)),
    changes: Stream.unwrap(Effect.map(service, (ref) => ref.changes))
  })
}
