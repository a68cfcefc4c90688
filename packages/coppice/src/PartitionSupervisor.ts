/**
 * A number of copies of one child, its *partitions*, and a stable way from a key to one of them: Elixir's
 * `PartitionSupervisor`.
 *
 * A supervisor, like any service that does one thing at a time, is a bottleneck once many use it. Partitions are that
 * service several times over: everything about one key goes to one of them, and what goes wrong in one leaves the others
 * alone. They are the children `"0"`, `"1"` and so on of an ordinary one-for-one supervisor; one that dies comes back under
 * its number, and `use` finds whichever incarnation is alive.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as Child from "./Child.ts"
import * as ChildRef from "./ChildRef.ts"
import type { RestartIntensityExceeded } from "./ExitReason.ts"
import { layerOf } from "./internal/layerOf.ts"
import { makePartitions, type PartitionRef, partitionSpecs, type TypeId } from "./internal/partitions.ts"
import { restartLimit } from "./internal/restartLimit.ts"
import type { SupervisionTree } from "./SupervisionTree.ts"
import type { CallFailed, ChildCount, ChildInfo } from "./Supervisor.ts"
import type { ChildDown, ChildStartFailed, ChildUnavailable } from "./SupervisorError.ts"
import type { SupervisorEvent } from "./SupervisorEvent.ts"

type AnyLayerChild = Child.LayerChild<any, any, any, any, any>

type Requires<C> = C extends Child.Child<any, any, infer R> ? R : never

/** Nothing for a child that builds the service, else a message. */
type Building<C, I> = C extends Child.LayerChild<any, any, any, infer Builds, any>
  ? [I] extends [Builds] ? unknown : "the child does not build the service of the tag"
  : never

/**
 * The options of a partition supervisor.
 *
 * - `child`: the child that is copied, made with `Child.layer` or `Child.supervisor`, or a function of the partition's
 *   number. Its id is not used.
 * - `partitions`: how many; default 8. JavaScript has one thread, so that this has nothing to do with the number of cores;
 *   as it decides where a key goes, it is the same on every machine.
 * - `intensity` and `period`: as for a `Supervisor`, shared by all partitions; default 3 in 5 seconds.
 * - `onEscalation`: run when the supervisor gives up and no parent hears of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<C extends AnyLayerChild, I> {
  readonly child: (C | ((partition: number) => C)) & Building<C, I>
  readonly partitions?: number | undefined
  readonly intensity?: number | undefined
  readonly period?: Duration.Input | undefined
  readonly onEscalation?: ((error: RestartIntensityExceeded) => Effect.Effect<void>) | undefined
}

/**
 * A running partition supervisor.
 *
 * A key is any value. A whole number goes to the partition of its remainder, anything else to that of its `Hash`: equal
 * keys go to the same partition, in every process.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionSupervisor<in out I, in out S> {
  readonly [TypeId]: typeof TypeId

  /** The ids from the root down to this supervisor, joined with slashes. */
  readonly path: string

  /** How many partitions there are, `resize` apart. */
  readonly partitions: number

  /** How many partitions are in use. */
  readonly size: Effect.Effect<number>

  /** The number of the partition that a key goes to. */
  partitionOf(key: unknown): Effect.Effect<number>

  /** Runs an effect with the service of the partition that a key goes to, as `use` of a `ChildRef` does. */
  use<A, E, R>(
    key: unknown,
    f: (service: S) => Effect.Effect<A, E, R>,
    options?: ChildRef.Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R>

  /** Runs an effect that needs the service, as `use` does. */
  provide<A, E, R>(
    key: unknown,
    effect: Effect.Effect<A, E, R>,
    options?: ChildRef.Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, Exclude<R, I>>

  /**
   * Changes how many partitions are in use, from 1 to all of them (rule EL21): stops the last ones, or starts them again.
   * Most keys go to another partition from then on.
   */
  resize(partitions: number): Effect.Effect<void, ChildStartFailed | CallFailed>

  /** The partitions, the last one first, with the supervisors inside. */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>, CallFailed>

  /** How many partitions there are, and how many of them run. */
  readonly countChildren: Effect.Effect<ChildCount, CallFailed>

  /** Waits for the end: fails if the supervisor gives up, succeeds if it is stopped. */
  readonly await: Effect.Effect<void, RestartIntensityExceeded>

  /** The supervisor and all below it, as they are now. It does not wait for the supervisor. */
  readonly tree: Effect.Effect<SupervisionTree>

  /** The events of the supervisor and all below it, as of a `Supervisor`. */
  readonly events: Stream.Stream<SupervisorEvent>
}

/**
 * A class made with `Service`: the supervisor's tag, its layer, and its operations on the supervisor in the context.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<in out Self, in out Key extends string, C extends AnyLayerChild, in out I, in out S>
  extends Context.Key<Self, PartitionSupervisor<I, S>>
{
  new(_: never): Context.ServiceClass.Shape<Key, PartitionSupervisor<I, S>>
  readonly key: Key

  /** The supervisor. It requires what the child does. */
  readonly layer: Layer.Layer<Self, ChildStartFailed, Exclude<Requires<C>, Self>>

  /** `size` of the supervisor in the context. */
  readonly size: Effect.Effect<number, never, Self>

  /** `partitionOf` of the supervisor in the context. */
  partitionOf(key: unknown): Effect.Effect<number, never, Self>

  /** `use` of the supervisor in the context. */
  use<A, E, R>(
    key: unknown,
    f: (service: S) => Effect.Effect<A, E, R>,
    options?: ChildRef.Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R | Self>

  /** `provide` of the supervisor in the context. */
  provide<A, E, R>(
    key: unknown,
    effect: Effect.Effect<A, E, R>,
    options?: ChildRef.Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, Exclude<R, I> | Self>

  /** `resize` of the supervisor in the context. */
  resize(partitions: number): Effect.Effect<void, ChildStartFailed | CallFailed, Self>

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
}

const defaultPartitions = 8

/**
 * Creates a class that is a partition supervisor's service and holds its layer. `tag` is the service that `use` gives, which
 * the child builds. The supervisor's name is the last segment of the key.
 *
 * **Example** (Counters, spread over partitions by name)
 *
 * ```ts import.meta.vitest
 * import { Child, PartitionSupervisor } from "coppice"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Counter extends Context.Service<Counter, { readonly next: Effect.Effect<number> }>()("app/Counter") {}
 *
 * const CounterLive = Layer.sync(Counter, () => {
 *   let count = 0
 *   return { next: Effect.sync(() => ++count) }
 * })
 *
 * class Counters extends PartitionSupervisor.Service<Counters>()("app/Counters", Counter, {
 *   partitions: 4,
 *   child: Child.layer("counter", CounterLive)
 * }) {}
 *
 * const next = (name: string | number) => Counters.use(name, (counter) => counter.next)
 *
 * const program = Effect.all([next("anna"), next("anna"), next(0), next(1), next(4), Counters.partitionOf(4)])
 *
 * const counted = await Effect.runPromise(Effect.provide(program, Counters.layer))
 *
 * counted.slice(0, 2) // => [1, 2]
 * counted.at(-1) // => 0
 * ```
 *
 * **Example** (Several dynamic supervisors, so that a slow start holds up only its own partition)
 *
 * ```ts import.meta.vitest
 * import { Child, DynamicSupervisor, PartitionSupervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * class Sessions extends DynamicSupervisor.Service<Sessions>()("app/Sessions", {
 *   child: (user: string) => Child.effect("session", Effect.annotateLogs(Effect.never, { user })),
 *   key: (user) => user
 * }) {}
 *
 * class AllSessions extends PartitionSupervisor.Service<AllSessions>()("app/AllSessions", Sessions, {
 *   child: Child.supervisor("sessions", Sessions)
 * }) {}
 *
 * const open = (user: string) => AllSessions.use(user, (sessions) => sessions.ensureChild(user))
 *
 * const program = Effect.map(Effect.all([open("anna"), open("anna")]), ([one, other]) => one.path === other.path)
 *
 * await Effect.runPromise(Effect.provide(program, AllSessions.layer)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<const Key extends string, I, S, C extends AnyLayerChild>(
  key: Key,
  tag: Context.Key<I, S>,
  options: Options<C, I>
): ServiceClass<Self, Key, C, I, S> => {
  const service = Context.Service<Self, PartitionSupervisor<I, S>>()(key)
  const name = key.slice(key.lastIndexOf("/") + 1)
  const statics: Statics<Self, C, I, S> = {
    layer: layerWith(service, name, refsOf(key, tag, options), options) as Statics<Self, C, I, S>["layer"],
    size: Effect.flatMap(service, (supervisor) => supervisor.size),
    partitionOf: (key) => Effect.flatMap(service, (supervisor) => supervisor.partitionOf(key)),
    use: (key, f, options) => Effect.flatMap(service, (supervisor) => supervisor.use(key, f, options)),
    provide: (key, effect, options) =>
      Effect.flatMap(service, (supervisor) => supervisor.provide(key, effect, options)),
    resize: (partitions) => Effect.flatMap(service, (supervisor) => supervisor.resize(partitions)),
    whichChildren: Effect.flatMap(service, (supervisor) => supervisor.whichChildren),
    countChildren: Effect.flatMap(service, (supervisor) => supervisor.countChildren),
    await: Effect.flatMap(service, (supervisor) => supervisor.await),
    tree: Effect.flatMap(service, (supervisor) => supervisor.tree),
    events: Stream.unwrap(Effect.map(service, (supervisor) => supervisor.events))
  }
  return Object.assign(service, statics) as any
}

type Statics<Self, C extends AnyLayerChild, I, S> = Omit<
  ServiceClass<Self, string, C, I, S>,
  keyof Context.Key<Self, PartitionSupervisor<I, S>>
>

/** The refs that the partitions fill: as many as there are. */
const refsOf = <I, S>(
  key: string,
  tag: Context.Key<I, S>,
  { partitions = defaultPartitions }: { readonly partitions?: number | undefined }
): ReadonlyArray<ChildRef.ServiceClass<any, string, I, S>> => {
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new RangeError(`${key}: partitions is a whole number from 1, not ${partitions}`)
  }
  return Array.from(
    { length: partitions },
    (_, partition) => ChildRef.Service<any>()<string, I, S>(`${key}/${partition}`, tag)
  )
}

const layerWith = <Self, I, S>(
  service: Context.Key<Self, PartitionSupervisor<I, S>>,
  name: string,
  refs: ReadonlyArray<PartitionRef<I, S> & { readonly layer: Layer.Layer<never> }>,
  options: Options<any, any>
): Layer.Layer<Self, ChildStartFailed> => {
  const settings = () => ({
    strategy: "one-for-one" as const,
    ...restartLimit(options),
    autoShutdown: "never" as const,
    children: partitionSpecs(name, options.child, refs),
    onEscalation: options.onEscalation
  })
  const supervisor = layerOf(name, settings, (core) => Context.make(service, makePartitions(core, refs)))
  // Fresh, as each supervisor has refs of its own, also where several are built side by side.
  const [first, ...rest] = refs.map((ref) => ref.layer)
  return Layer.provide(supervisor, Layer.fresh(Layer.mergeAll(first!, ...rest)))
}
