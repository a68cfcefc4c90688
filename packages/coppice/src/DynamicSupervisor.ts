/**
 * A supervisor whose children are started while it runs: OTP's `simple_one_for_one`, and Elixir's `DynamicSupervisor`.
 *
 * Where a `Supervisor` has a list of children it has a function that makes one: `startChild(arg)` makes a child for that
 * argument and starts it. Children are told apart by their *key*, if there is one, else by ids that are made for them.
 * A child that ends for good is forgotten, so that any number of them may come and go.
 *
 * The strategy is one-for-one, there is no automatic shutdown, and at the end all children are stopped at once, each in its
 * own time. When the supervisor itself is restarted it begins without children (rule U3). The numbers (D3, EL8, …) name the
 * rules of the guide "What a supervisor guarantees".
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Child from "./Child.ts"
import type { Options as UseOptions } from "./ChildRef.ts"
import type { ExitReason, RestartIntensityExceeded } from "./ExitReason.ts"
import { build } from "./internal/build.ts"
import type { DynamicSettings } from "./internal/dynamic.ts"
import type { HandleTypeId } from "./internal/dynamicChild.ts"
import { makeDynamicHandle, type TypeId } from "./internal/dynamicHandle.ts"
import { layerOf } from "./internal/layerOf.ts"
import { restartLimit } from "./internal/restartLimit.ts"
import { readOnce } from "./internal/specCheck.ts"
import type { Settings } from "./internal/supervisorCore.ts"
import type { SupervisionTree } from "./SupervisionTree.ts"
import type { CallFailed, ChildCount, ChildInfo } from "./Supervisor.ts"
import type {
  ChildAlreadyStarted,
  ChildDown,
  ChildNotFound,
  ChildRestarting,
  ChildStartFailed,
  ChildUnavailable,
  InvalidChild,
  MaxChildrenReached,
  SupervisorDown
} from "./SupervisorError.ts"
import type { SupervisorEvent } from "./SupervisorEvent.ts"

/**
 * The options of a dynamic supervisor.
 *
 * - `child`: makes the child for what `startChild` is given. Each child has a specification of its own: any kind, any
 *   restart type, any shutdown time (rule EL7). Its id is not used.
 * - `key`: names a child by what `startChild` is given; there is one child for each key at a time. A key is not empty and
 *   contains no slash, as it is the child's id. Default: ids are made, `"1"`, `"2"` and so on, none of them twice.
 * - `maxChildren`: how many children there may be at a time, restarting ones included; default Infinity.
 * - `intensity` and `period`: as for a `Supervisor`, shared by all children; default 3 in 5 seconds.
 * - `onEscalation`: run when the supervisor gives up and no parent hears of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Args extends ReadonlyArray<any>, C extends Child.Any> {
  readonly child: (...args: Args) => C
  readonly key?: KeyOf<Args> | undefined
  readonly maxChildren?: number | undefined
  readonly intensity?: number | undefined
  readonly period?: Duration.Input | undefined
  readonly onEscalation?: ((error: RestartIntensityExceeded) => Effect.Effect<void>) | undefined
}

/** Of the arguments that `child` takes, which are not inferred from here: it may take fewer. */
type KeyOf<Args> = Args extends infer Given extends ReadonlyArray<any> ? (...args: Given) => string : never

/** What a child builds, if it is built from a layer. */
type Builds<C> = C extends Child.LayerChild<any, any, any, infer Services, any> ? Services : never

type Requires<C> = C extends Child.Child<any, any, infer R> ? R : never

/**
 * A child of a dynamic supervisor. It is this child that a handle names, and never another that has got its key since.
 *
 * `incarnation` and `services` are those of the incarnation that was alive when the handle was made; `use` is for
 * whichever is alive. `ignored` says that the start answered `Child.ignore`: nothing runs, and nothing is kept (rule D9).
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildHandle<in Services = never> {
  readonly [HandleTypeId]: typeof HandleTypeId
  readonly id: string
  readonly path: string
  readonly incarnation: number
  readonly ignored: boolean
  readonly services: Context.Context<Services>

  /** Stops the child and answers when it is gone; at once if it has ended already. */
  readonly terminate: Effect.Effect<void, CallFailed>

  /** Waits until the child has ended for good, and answers why its last incarnation did. Restarts are waited through. */
  readonly await: Effect.Effect<ExitReason>

  /**
   * Runs an effect with what the incarnation that is alive has built, linked to it as by a `ChildRef`: it waits while the
   * child is restarting, and fails with `ChildDown` if the incarnation ends meanwhile. For a child built from a layer.
   */
  use<A, E, R>(
    f: (services: Context.Context<Services>) => Effect.Effect<A, E, R>,
    options?: UseOptions
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R>
}

/**
 * Why `startChild` and `run` may fail. `ChildAlreadyStarted` and `ChildRestarting` say that the key is taken.
 *
 * @category models
 * @since 0.1.0
 */
export type StartFailed =
  | ChildAlreadyStarted
  | ChildRestarting
  | MaxChildrenReached
  | ChildStartFailed
  | InvalidChild
  | CallFailed

/**
 * A running dynamic supervisor. Its calls have no timeout and are handled one at a time, never in the middle of a start or
 * a stop (rule C11): where starts are slow, spread them over a `PartitionSupervisor`.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicSupervisor<in Args extends ReadonlyArray<any>, in Services> {
  readonly [TypeId]: typeof TypeId

  /** The ids from the root down to this supervisor, joined with slashes. */
  readonly path: string

  /**
   * Makes a child and starts it. If the start fails nothing is kept, and nothing is tried again (rules D10, C2).
   */
  startChild(...args: Args): Effect.Effect<ChildHandle<Services>, StartFailed>

  /**
   * Answers the child that has this key, or makes one and starts it. Concurrent calls start one. Where the child is
   * restarting it fails with `ChildRestarting`: it is safe to ask again. Without the option `key` it dies.
   */
  ensureChild(
    ...args: Args
  ): Effect.Effect<ChildHandle<Services>, Exclude<StartFailed, ChildAlreadyStarted>>

  /**
   * Starts a child, waits until it has ended for good and answers why it did. Interrupting it calls the start off, or
   * stops the child, and waits for that.
   */
  run(...args: Args): Effect.Effect<ExitReason, StartFailed>

  /**
   * Stops a child and answers when it is gone and forgotten; nothing is restarted. On a child that is restarting it
   * cancels the retry. The handle of a child that has ended already is accepted (rule D7), an unknown id is not.
   */
  terminateChild(child: string | ChildHandle): Effect.Effect<void, ChildNotFound | CallFailed>

  /**
   * Runs an effect with what a child has built, as the child's handle does. With an id it is for the child that has that
   * id now.
   */
  useChild<A, E, R>(
    child: string | ChildHandle,
    f: (services: Context.Context<Services>) => Effect.Effect<A, E, R>,
    options?: UseOptions
  ): Effect.Effect<A, E | ChildNotFound | ChildDown | ChildUnavailable, R>

  /** Sends a child an exit signal, as `exitChild` of a `Supervisor`. */
  exitChild(child: string | ChildHandle, reason: ExitReason): Effect.Effect<void, ChildNotFound | SupervisorDown>

  /** All children, the newest first. Those that ended for good are not among them. */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, CallFailed>

  /** How many children there are, restarting ones included; `active` are those that run (rules D8, EL6). */
  readonly countChildren: Effect.Effect<ChildCount, CallFailed>

  /** Waits for the end: fails if the supervisor gives up, succeeds if it is stopped. */
  readonly await: Effect.Effect<void, RestartIntensityExceeded>

  /** The supervisor and all below it, as they are now. It does not wait for the supervisor. */
  readonly tree: Effect.Effect<SupervisionTree>

  /** The events of the supervisor and all below it, as of a `Supervisor`. */
  readonly events: Stream.Stream<SupervisorEvent>
}

type AnyOptions = Options<any, any>

const settingsOf = (options: AnyOptions): Settings => ({
  strategy: "one-for-one",
  ...restartLimit(options),
  autoShutdown: "never",
  children: [],
  onEscalation: options.onEscalation,
  dynamic: {
    child: options.child as unknown as DynamicSettings["child"],
    key: options.key,
    maxChildren: options.maxChildren ?? Infinity
  }
})

/**
 * Creates a dynamic supervisor in the current scope. Closing the scope stops it. What the children require it requires.
 *
 * **Example** (A worker for each job)
 *
 * ```ts import.meta.vitest
 * import { Child, DynamicSupervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const workers = yield* DynamicSupervisor.make("workers", {
 *     child: (job: string) => Child.effect("worker", Effect.log(job), { restart: "transient" })
 *   })
 *   const ended = yield* workers.run("sweep the floor")
 *   const { specs } = yield* workers.countChildren
 *   return [ended._tag, specs]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["Normal", 0]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  Args extends ReadonlyArray<any>,
  C extends Child.Any
>(
  name: string,
  options: Options<Args, C>
): Effect.Effect<DynamicSupervisor<Args, Builds<C>>, never, Requires<C> | Scope.Scope> => {
  const settings = readOnce(name, () => settingsOf(options))
  return Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const memoMap = Context.getOrUndefined(context, Layer.CurrentMemoMap)
    const scope = Context.get(context, Scope.Scope)
    const built = build(name, settings, memoMap, scope)
    // Without children at first, no start can fail.
    return Effect.map(Effect.orDie(built), makeDynamicHandle<Args, Builds<C>>)
  })
}

/**
 * Creates the layer of a dynamic supervisor under a tag of one's own. `Service` makes both at once.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <
  I,
  Args extends ReadonlyArray<any>,
  C extends Child.Any
>(
  tag: Context.Key<I, DynamicSupervisor<Args, Builds<C>>>,
  name: string,
  options: Options<Args, C>
): Layer.Layer<I, never, Exclude<Requires<C>, I>> =>
  // Without children at first, no start can fail.
  Layer.orDie(
    layerOf(name, () => settingsOf(options), (core) => Context.make(tag, makeDynamicHandle<Args, Builds<C>>(core)))
  )

/**
 * A class made with `Service`: the supervisor's tag, its layer, and its operations on the supervisor in the context.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<
  in out Self,
  in out Key extends string,
  Args extends ReadonlyArray<any>,
  C extends Child.Any
> extends Context.ServiceClass<Self, Key, DynamicSupervisor<Args, Builds<C>>> {
  /** The supervisor. It requires what the children do. */
  readonly layer: Layer.Layer<Self, never, Exclude<Requires<C>, Self>>

  /** `startChild` of the supervisor in the context. */
  startChild(...args: Args): Effect.Effect<ChildHandle<Builds<C>>, StartFailed, Self>

  /** `ensureChild` of the supervisor in the context. */
  ensureChild(
    ...args: Args
  ): Effect.Effect<ChildHandle<Builds<C>>, Exclude<StartFailed, ChildAlreadyStarted>, Self>

  /** `run` of the supervisor in the context. */
  run(...args: Args): Effect.Effect<ExitReason, StartFailed, Self>

  /** `terminateChild` of the supervisor in the context. */
  terminateChild(child: string | ChildHandle): Effect.Effect<void, ChildNotFound | CallFailed, Self>

  /** `useChild` of the supervisor in the context. */
  useChild<A, E, R>(
    child: string | ChildHandle,
    f: (services: Context.Context<Builds<C>>) => Effect.Effect<A, E, R>,
    options?: UseOptions
  ): Effect.Effect<A, E | ChildNotFound | ChildDown | ChildUnavailable, R | Self>

  /** `exitChild` of the supervisor in the context. */
  exitChild(
    child: string | ChildHandle,
    reason: ExitReason
  ): Effect.Effect<void, ChildNotFound | SupervisorDown, Self>

  /** `whichChildren` of the supervisor in the context. */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, CallFailed, Self>

  /** `countChildren` of the supervisor in the context. */
  readonly countChildren: Effect.Effect<ChildCount, CallFailed, Self>

  /** `await` of the supervisor in the context. */
  readonly await: Effect.Effect<void, RestartIntensityExceeded, Self>

  /** `tree` of the supervisor in the context. */
  readonly tree: Effect.Effect<SupervisionTree, never, Self>

  /** `events` of the supervisor in the context. */
  readonly events: Stream.Stream<SupervisorEvent, never, Self>

  /** `path` of the supervisor in the context. */
  readonly path: Effect.Effect<string, never, Self>
}

/**
 * Creates a class that is a dynamic supervisor's service and holds its layer. The supervisor's name is the last segment of
 * the key.
 *
 * **Example** (One room for each name)
 *
 * ```ts import.meta.vitest
 * import { Child, DynamicSupervisor, SupervisionTree } from "coppice"
 * import { Effect } from "effect"
 *
 * class Rooms extends DynamicSupervisor.Service<Rooms>()("chat/Rooms", {
 *   child: (name: string) => Child.effect("room", Effect.annotateLogs(Effect.never, { name })),
 *   key: (name) => name,
 *   maxChildren: 1000
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Rooms.ensureChild("lobby")
 *   yield* Rooms.ensureChild("lobby")
 *   yield* Rooms.ensureChild("kitchen")
 *   yield* Rooms.terminateChild("kitchen")
 *   return SupervisionTree.toText(yield* Rooms.tree)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Rooms.layer)) // => "Rooms  running\n└─ lobby  running"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<
  const Key extends string,
  Args extends ReadonlyArray<any>,
  C extends Child.Any
>(
  key: Key,
  options: Options<Args, C>
): ServiceClass<Self, Key, Args, C> => {
  const service = Context.Service<Self, DynamicSupervisor<Args, Builds<C>>>()(key)
  const statics: Statics<Self, Args, C> = {
    layer: layer(service, key.slice(key.lastIndexOf("/") + 1), options) as Statics<Self, Args, C>["layer"],
    startChild: (...args) => Effect.flatMap(service, (supervisor) => supervisor.startChild(...args)),
    ensureChild: (...args) => Effect.flatMap(service, (supervisor) => supervisor.ensureChild(...args)),
    run: (...args) => Effect.flatMap(service, (supervisor) => supervisor.run(...args)),
    terminateChild: (child) => Effect.flatMap(service, (supervisor) => supervisor.terminateChild(child)),
    useChild: (child, f, options) => Effect.flatMap(service, (supervisor) => supervisor.useChild(child, f, options)),
    exitChild: (child, reason) => Effect.flatMap(service, (supervisor) => supervisor.exitChild(child, reason)),
    whichChildren: Effect.flatMap(service, (supervisor) => supervisor.whichChildren),
    countChildren: Effect.flatMap(service, (supervisor) => supervisor.countChildren),
    await: Effect.flatMap(service, (supervisor) => supervisor.await),
    tree: Effect.flatMap(service, (supervisor) => supervisor.tree),
    events: Stream.unwrap(Effect.map(service, (supervisor) => supervisor.events)),
    path: Effect.map(service, (supervisor) => supervisor.path)
  }
  return Object.assign(service, statics) as any
}

type Statics<Self, Args extends ReadonlyArray<any>, C extends Child.Any> = Omit<
  ServiceClass<Self, string, Args, C>,
  keyof Context.ServiceClass<Self, string, DynamicSupervisor<Args, Builds<C>>>
>
