/**
 * A supervisor keeps its children alive.
 *
 * It starts them in order, watches them, and when one ends decides by the child's restart type and its own strategy what
 * to stop and what to start again. When its children need more restarts within a period than its intensity allows it
 * *gives up*: it stops them in reverse order and ends, and its parent decides in turn.
 *
 * A supervisor is a layer. Built anywhere inside the start or the body of another supervisor's child it finds that child
 * through the context and escalates there, so that trees nest by ordinary layer composition. Its semantics are OTP's;
 * the numbers in the documentation (S1, G2, …) name the rules of the guide "What a supervisor guarantees".
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Child from "./Child.ts"
import type { ExitReason, RestartIntensityExceeded } from "./ExitReason.ts"
import { build } from "./internal/build.ts"
import type { Ids, Needs, NoDuplicates, Replaced, Replacements, Requires, UnknownIds } from "./internal/flow.ts"
import { makeHandle, type TypeId } from "./internal/handle.ts"
import { Launched } from "./internal/launched.ts"
import { layerOf } from "./internal/layerOf.ts"
import { standsFor } from "./internal/ownLayer.ts"
import { CurrentParent } from "./internal/parent.ts"
import { restartLimit } from "./internal/restartLimit.ts"
import type { AnyLayer, Spec } from "./internal/spec.ts"
import { readOnce } from "./internal/specCheck.ts"
import type { SupervisorCore } from "./internal/supervisorCore.ts"
import type { Settings } from "./internal/supervisorCore.ts"
import { tell } from "./internal/telling.ts"
import type { SupervisionTree } from "./SupervisionTree.ts"
import type {
  CallFromWithin,
  ChildAlreadyPresent,
  ChildAlreadyStarted,
  ChildNotFound,
  ChildRestarting,
  ChildRunning,
  ChildStartFailed,
  InvalidChild,
  SupervisorDown
} from "./SupervisorError.ts"
import type { SupervisorEvent } from "./SupervisorEvent.ts"

/**
 * What is restarted together with a child that is restarted: nothing else, every other child, or the children after it.
 *
 * @category models
 * @since 0.1.0
 */
export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one"

/**
 * Whether the end of significant children ends their supervisor (rules A1, A2).
 *
 * @category models
 * @since 0.1.0
 */
export type AutoShutdown = "never" | "any-significant" | "all-significant"

/**
 * The options of a supervisor.
 *
 * - `strategy`: required. It also decides the types: under `"one-for-all"` and `"rest-for-one"` a child may use the
 *   services of earlier permanent siblings, under `"one-for-one"` it may not.
 * - `intensity`: how many restarts are allowed within `period`, a whole number from zero; default 3. A failed restart is
 *   tried again at once and counts again, and one supervisor's end is one restart for the next: intensities multiply
 *   along a path of the tree.
 * - `period`: the length of that sliding window, longer than zero; default 5 seconds.
 * - `autoShutdown`: default `"never"`.
 * - `children`: in start order, with different ids.
 * - `dependencies`: layers that are built once, before the children, and shared by them. They live as long as the
 *   supervisor.
 * - `onEscalation`: run when the supervisor gives up and no parent hears of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<
  S extends Strategy,
  Children extends ReadonlyArray<Child.Any>,
  Deps extends ReadonlyArray<Layer.Any> = ReadonlyArray<never>
> {
  readonly strategy: S
  readonly intensity?: number | undefined
  readonly period?: Duration.Input | undefined
  readonly autoShutdown?: AutoShutdown | undefined
  readonly children: Children & NoDuplicates<Children>
  readonly dependencies?: Deps | undefined
  readonly onEscalation?: ((error: RestartIntensityExceeded) => Effect.Effect<void>) | undefined
}

/**
 * What `startChild` and `restartChild` answer. `services` is what a layer child has built; `ignored` says that the start
 * answered `Child.ignore`, so that nothing runs and `services` is empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildHandle<out Id extends string = string, in Services = never> {
  readonly id: Id
  readonly path: string
  readonly incarnation: number
  readonly ignored: boolean
  readonly services: Context.Context<Services>
}

/**
 * A child as `whichChildren` lists it, with the supervisors that live inside it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildInfo {
  readonly id: string
  readonly path: string
  readonly type: "worker" | "supervisor"
  readonly state: SupervisionTree["state"]
  readonly incarnation: number
  readonly supervisors: ReadonlyArray<Supervisor<string>>
}

/**
 * What `countChildren` answers (rule C10): all children, the running ones, and all by type.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChildCount {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

/**
 * A call that could not be answered: the supervisor has ended, or waits for the caller.
 *
 * @category models
 * @since 0.1.0
 */
export type CallFailed = SupervisorDown | CallFromWithin

/**
 * A running supervisor. Its operations are OTP's calls: they have no timeout and are handled one at a time, never in the
 * middle of a start, a stop or a restart (rule C11). A child is named by its id, or by its handle, which stands for the id.
 *
 * @category models
 * @since 0.1.0
 */
export interface Supervisor<Id extends string = string> {
  readonly [TypeId]: typeof TypeId

  /** The ids from the root down to this supervisor, joined with slashes. */
  readonly path: string

  /**
   * Adds a child at the end of the list and starts it. The caller supplies what it requires, kept for its restarts. If
   * the start fails nothing is kept, and nothing is tried again (rules C1–C4).
   */
  startChild<NewId extends string, Provides, R>(
    child: Child.Child<NewId, Provides, R>
  ): Effect.Effect<
    ChildHandle<NewId, Provides>,
    ChildAlreadyStarted | ChildAlreadyPresent | ChildStartFailed | InvalidChild | CallFailed,
    R
  >

  /**
   * Stops a child and answers when it is gone. It stays listed, unless it is temporary; nothing is restarted (rule C5).
   * On a child that is restarting it cancels the retry (F8).
   */
  terminateChild(child: Id | ChildHandle): Effect.Effect<void, ChildNotFound | CallFailed>

  /** Starts a child that is down, at its place in the list. If that fails it stays down, and is not tried again (C6, C7). */
  restartChild(
    child: Id | ChildHandle
  ): Effect.Effect<ChildHandle, ChildNotFound | ChildRunning | ChildRestarting | ChildStartFailed | CallFailed>

  /** Forgets a child that is down (rule C1). */
  deleteChild(
    child: Id | ChildHandle
  ): Effect.Effect<void, ChildNotFound | ChildRunning | ChildRestarting | CallFailed>

  /** The specification of a child. */
  getChildSpec(child: Id | ChildHandle): Effect.Effect<Child.Any, ChildNotFound | CallFailed>

  /** All children, the newest first (rule C9). */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, CallFailed>

  /** How many children there are. */
  readonly countChildren: Effect.Effect<ChildCount, CallFailed>

  /**
   * Sends a child an exit signal: it ends for that reason as if by itself, and the supervisor judges it so. A signal does
   * not wait for the supervisor, and does nothing to a child that is down. Unlike in OTP, `Normal` ends the child too;
   * `Killed` gives it 100 ms, unless a supervisor lives inside, which stops its children as always.
   */
  exitChild(child: Id | ChildHandle, reason: ExitReason): Effect.Effect<void, ChildNotFound | SupervisorDown>

  /** Waits for the end: fails if the supervisor gives up, succeeds if it is stopped or shuts itself down. */
  readonly await: Effect.Effect<void, RestartIntensityExceeded>

  /** The supervisor and all below it, as they are now. It does not wait for the supervisor. */
  readonly tree: Effect.Effect<SupervisionTree>

  /**
   * The events of the supervisor and all below it, from when the stream is run until the supervisor has ended. A reader
   * that is 4096 events behind loses the oldest.
   */
  readonly events: Stream.Stream<SupervisorEvent>
}

type AnyOptions = Options<Strategy, any, ReadonlyArray<Layer.Any>>

type AnyDependencies = readonly [Layer.Layer<never>, ...Array<Layer.Layer<never>>]

const settingsOf = (options: AnyOptions): Settings => ({
  strategy: options.strategy,
  ...restartLimit(options),
  autoShutdown: options.autoShutdown ?? "never",
  // A copy, as it is checked once.
  children: Array.from(options.children as ReadonlyArray<unknown> as ReadonlyArray<Spec>),
  onEscalation: options.onEscalation
})

const dependenciesOf = (options: AnyOptions): AnyDependencies | undefined => {
  const { dependencies } = options
  return dependencies === undefined || dependencies.length === 0
    ? undefined
    : dependencies as unknown as AnyDependencies
}

/**
 * Creates a supervisor in the current scope and waits until all its children have started. Closing the scope stops it.
 *
 * **Details**
 *
 * If a child does not start, those already started are stopped and it fails with `ChildStartFailed` (rule S3). Options
 * that cannot be (a duplicate id, a negative intensity) are a defect.
 *
 * **Example** (Calling a supervisor)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [Child.effect("clock", Effect.never)]
 *   })
 *   yield* app.startChild(Child.effect("guest", Effect.never, { restart: "temporary" }))
 *   yield* app.terminateChild("clock")
 *   return yield* app.countChildren
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ({ specs: 2, active: 1, supervisors: 0, workers: 2 })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const S extends Strategy,
  const Children extends ReadonlyArray<Child.Any>,
  const Deps extends ReadonlyArray<Layer.Any> = readonly []
>(
  name: string,
  options: Options<S, Children, Deps>
): Effect.Effect<
  Supervisor<Ids<Children>>,
  ChildStartFailed | Layer.Error<Deps[number]>,
  Needs<S, Children, Deps> | Scope.Scope
> => {
  const settings = readOnce(name, () => settingsOf(options as AnyOptions))
  return Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const scope = Context.get(context, Scope.Scope)
    const dependencies = dependenciesOf(options as AnyOptions)
    const buildWith = (memoMap: Layer.MemoMap | undefined) =>
      Effect.map(build(name, settings, memoMap, scope), makeHandle)
    if (dependencies === undefined) return buildWith(Context.getOrUndefined(context, Layer.CurrentMemoMap))
    const memoMap = Layer.CurrentMemoMap.forkOrCreate(context)
    return Effect.flatMap(
      Layer.buildWithMemoMap(Layer.mergeAll(...dependencies), memoMap, scope),
      (services) => Effect.provideContext(buildWith(memoMap), services)
    )
  })
}

/** The layer of a supervisor, with and without its dependencies. */
const layersOf = <Out>(
  name: string,
  options: AnyOptions,
  toService: (core: SupervisorCore) => Context.Context<Out>
): {
  readonly layer: Layer.Layer<Out, ChildStartFailed>
  readonly layerNoDeps: Layer.Layer<Out, ChildStartFailed>
} => {
  const layerNoDeps = layerOf(name, () => settingsOf(options), toService)
  const dependencies = dependenciesOf(options)
  return {
    layerNoDeps,
    layer: dependencies === undefined
      ? layerNoDeps
      : standsFor(Layer.provide(layerNoDeps, Layer.mergeAll(...dependencies)), layerNoDeps)
  }
}

/**
 * Creates the layer of a supervisor that nobody calls: it is up when the layer is built and stops when the layer's scope
 * closes. Use `Service` where something holds the supervisor.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <
  const S extends Strategy,
  const Children extends ReadonlyArray<Child.Any>,
  const Deps extends ReadonlyArray<Layer.Any> = readonly []
>(
  name: string,
  options: Options<S, Children, Deps>
): Layer.Layer<never, ChildStartFailed | Layer.Error<Deps[number]>, Needs<S, Children, Deps>> =>
  layersOf<never>(name, options as AnyOptions, () => Context.empty()).layer

/**
 * A class made with `Service`: the supervisor's tag, its layers, and its operations on the supervisor in the context.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<
  in out Self,
  in out Key extends string,
  S extends Strategy,
  Children extends ReadonlyArray<Child.Any>,
  Deps extends ReadonlyArray<Layer.Any>
> extends Context.ServiceClass<Self, Key, Supervisor<Ids<Children>>> {
  /** The supervisor and its dependencies. */
  readonly layer: Layer.Layer<
    Self,
    ChildStartFailed | Layer.Error<Deps[number]>,
    Exclude<Needs<S, Children, Deps>, Self>
  >

  /** The supervisor, its dependencies being left to the surroundings. */
  readonly layerNoDeps: Layer.Layer<Self, ChildStartFailed, Exclude<Requires<S, Children>, Self>>

  /**
   * The supervisor with other layers in the place of some children's, by id: for tests. A replacement builds the same
   * services; the child keeps its place and its options.
   */
  layerWith<const By extends Replacements<Children>>(
    replacements: By & UnknownIds<By, Children>
  ): Layer.Layer<
    Self,
    ChildStartFailed | Layer.Error<Deps[number]>,
    Exclude<Needs<S, Replaced<Children, By>, Deps>, Self>
  >

  /** `startChild` of the supervisor in the context. */
  startChild<Id extends string, Provides, R>(
    child: Child.Child<Id, Provides, R>
  ): Effect.Effect<
    ChildHandle<Id, Provides>,
    ChildAlreadyStarted | ChildAlreadyPresent | ChildStartFailed | InvalidChild | CallFailed,
    R | Self
  >

  /** `terminateChild` of the supervisor in the context. */
  terminateChild(child: Ids<Children> | ChildHandle): Effect.Effect<void, ChildNotFound | CallFailed, Self>

  /** `restartChild` of the supervisor in the context. */
  restartChild(
    child: Ids<Children> | ChildHandle
  ): Effect.Effect<ChildHandle, ChildNotFound | ChildRunning | ChildRestarting | ChildStartFailed | CallFailed, Self>

  /** `deleteChild` of the supervisor in the context. */
  deleteChild(
    child: Ids<Children> | ChildHandle
  ): Effect.Effect<void, ChildNotFound | ChildRunning | ChildRestarting | CallFailed, Self>

  /** `getChildSpec` of the supervisor in the context. */
  getChildSpec(child: Ids<Children> | ChildHandle): Effect.Effect<Child.Any, ChildNotFound | CallFailed, Self>

  /** `whichChildren` of the supervisor in the context. */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, CallFailed, Self>

  /** `countChildren` of the supervisor in the context. */
  readonly countChildren: Effect.Effect<ChildCount, CallFailed, Self>

  /** `exitChild` of the supervisor in the context. */
  exitChild(
    child: Ids<Children> | ChildHandle,
    reason: ExitReason
  ): Effect.Effect<void, ChildNotFound | SupervisorDown, Self>

  /** `await` of the supervisor in the context. */
  readonly await: Effect.Effect<void, RestartIntensityExceeded, Self>

  /** `tree` of the supervisor in the context. */
  readonly tree: Effect.Effect<SupervisionTree, never, Self>

  /** `events` of the supervisor in the context. */
  readonly events: Stream.Stream<SupervisorEvent, never, Self>
}

/**
 * Creates a class that is a supervisor's service and holds its layers. The supervisor's name is the last segment of the
 * key.
 *
 * **Details**
 *
 * The operations are statics of the class, on the supervisor in the context. The children may use the class too, also
 * from the inside: TypeScript accepts that where the child is made by a function or a constant with a written type.
 *
 * **Example** (A tree of two supervisors)
 *
 * ```ts import.meta.vitest
 * import { Child, SupervisionTree, Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * class Storage extends Supervisor.Service<Storage>()("shop/Storage", {
 *   strategy: "rest-for-one",
 *   children: [Child.effect("projector", Effect.never)]
 * }) {}
 *
 * class Shop extends Supervisor.Service<Shop>()("shop/Shop", {
 *   strategy: "one-for-one",
 *   children: [Child.supervisor("storage", Storage)]
 * }) {}
 *
 * const program = Effect.map(Shop.tree, SupervisionTree.toText)
 *
 * await Effect.runPromise(Effect.provide(program, Shop.layer)) // => "Shop  running\n└─ storage  running\n   └─ projector  running"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<
  const Key extends string,
  const S extends Strategy,
  const Children extends ReadonlyArray<Child.Any>,
  const Deps extends ReadonlyArray<Layer.Any> = readonly []
>(
  key: Key,
  options: Options<S, Children, Deps>
): ServiceClass<Self, Key, S, Children, Deps> => {
  const service = Context.Service<Self, Supervisor<any>>()(key)
  const name = key.slice(key.lastIndexOf("/") + 1)
  const layers = (options: AnyOptions) => layersOf(name, options, (core) => Context.make(service, makeHandle(core)))
  const statics: Statics<Self> = {
    ...layers(options as AnyOptions),
    layerWith: (replacements) => layers(withLayers(name, options as AnyOptions, replacements)).layer,
    startChild: (child) => Effect.flatMap(service, (supervisor) => supervisor.startChild(child)),
    terminateChild: (child) => Effect.flatMap(service, (supervisor) => supervisor.terminateChild(child)),
    restartChild: (child) => Effect.flatMap(service, (supervisor) => supervisor.restartChild(child)),
    deleteChild: (child) => Effect.flatMap(service, (supervisor) => supervisor.deleteChild(child)),
    getChildSpec: (child) => Effect.flatMap(service, (supervisor) => supervisor.getChildSpec(child)),
    whichChildren: Effect.flatMap(service, (supervisor) => supervisor.whichChildren),
    countChildren: Effect.flatMap(service, (supervisor) => supervisor.countChildren),
    exitChild: (child, reason) => Effect.flatMap(service, (supervisor) => supervisor.exitChild(child, reason)),
    await: Effect.flatMap(service, (supervisor) => supervisor.await),
    tree: Effect.flatMap(service, (supervisor) => supervisor.tree),
    events: Stream.unwrap(Effect.map(service, (supervisor) => supervisor.events))
  }
  return Object.assign(service, statics) as any
}

type Statics<Self> = Omit<
  ServiceClass<Self, string, Strategy, ReadonlyArray<Child.Any>, readonly []>,
  keyof Context.ServiceClass<Self, string, Supervisor<any>>
>

const withLayers = (name: string, options: AnyOptions, replacements: Readonly<Record<string, unknown>>): AnyOptions => {
  const specs = options.children as ReadonlyArray<Spec>
  for (const id of Object.keys(replacements)) {
    const spec = specs.find((spec) => spec.id === id)
    if (spec === undefined || (spec.kind !== "layer" && spec.kind !== "supervisor")) {
      throw new TypeError(`layerWith of ${name}: "${id}" is not the id of a child built from a layer`)
    }
  }
  const children = specs.map((spec) =>
    spec.id in replacements ? spec.withLayer(replacements[spec.id] as AnyLayer) : spec
  )
  return { ...options, children }
}

/**
 * What `launch` can be asked for: `onEvent` is run for every event, from the start of the tree to its end, one at a time.
 * It is behind by 4096 events at most, and the program's end waits 5 seconds for the last ones to be told.
 *
 * @category models
 * @since 0.1.0
 */
export interface LaunchOptions<R = never> {
  readonly onEvent?: ((event: SupervisorEvent) => Effect.Effect<void, never, R>) | undefined
}

/**
 * Builds a layer and lives as long as the root supervisors in it: until interrupted, or until one of them ends by itself.
 *
 * **When to use**
 *
 * Use as the main program of a supervised app, in the place of `Layer.launch`, which would go on with a dead tree.
 *
 * **Details**
 *
 * It fails with `RestartIntensityExceeded` when a root gives up and with the layer's own error, such as
 * `ChildStartFailed`, when it does not start. It succeeds when a root shuts itself down. In each case everything is
 * stopped first.
 *
 * **Example** (An app that cannot be kept alive)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const App = Supervisor.layer("app", {
 *   strategy: "one-for-one",
 *   intensity: 2,
 *   children: [Child.effect("bomb", Effect.die("boom"))]
 * })
 *
 * const error = await Effect.runPromise(Effect.flip(Supervisor.launch(App)))
 *
 * error.message // => "app/bomb panicked: boom\napp gave up on \"bomb\": 3 restarts needed within 5 s, 2 allowed"
 * ```
 *
 * @category running
 * @since 0.1.0
 */
// One signature: overloads would keep `layer.pipe(Supervisor.launch)` from compiling.
export const launch = <ROut, E, R, R2 = never>(
  layer: Layer.Layer<ROut, E, R>,
  options?: LaunchOptions<R2>
): Effect.Effect<void, E | RestartIntensityExceeded, R | R2> =>
  Effect.scoped(Effect.gen(function*() {
    const launched = new Launched(yield* CurrentParent)
    yield* Effect.addFinalizer(() => Effect.sync(() => launched.close()))
    if (options?.onEvent !== undefined) yield* tell(launched.events, options.onEvent)
    const alive = Effect.andThen(Layer.build(layer), Effect.never)
    // In a race, as a root may end while others are still being built.
    yield* Effect.raceFirst(
      Effect.provideService(alive, CurrentParent, launched),
      Deferred.await(launched.over)
    )
  }))
