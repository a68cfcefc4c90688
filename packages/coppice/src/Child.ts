/**
 * How to say what a supervisor runs.
 *
 * A `Child` is OTP's *child specification*: an id, how to start it, and what to do when it ends. Where OTP has a start
 * function, a child here is an effect, an effect that acquires one, or any layer. Each start makes a new *incarnation*
 * with a scope of its own, which is closed before the next one starts.
 *
 * A plain resource layer has no way of its own to say that it is broken: it ends only when its supervisor stops it, when a
 * supervisor inside it gives up, when something in it calls `Child.exit`, or by `exitChild` from outside. Give it a
 * `liveness`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import type * as Scope from "effect/Scope"
import type * as Types from "effect/Types"
import type { Backoff } from "./Backoff.ts"
import type { Fills } from "./ChildRef.ts"
import { type ExitReason, failure, normal, shutdown } from "./ExitReason.ts"
import { makeHandle } from "./internal/handle.ts"
import type { Incarnation } from "./internal/incarnation.ts"
import { Lasting } from "./internal/lasting.ts"
import { CurrentParent, CurrentStart } from "./internal/parent.ts"
import { Ignore, Leave } from "./internal/signals.ts"
import { type AnyEffect, type AnyLayer, type LayerTypeId, Spec, type TypeId } from "./internal/spec.ts"
import type { Liveness, Probe } from "./Probe.ts"
import type { Details } from "./SupervisionTree.ts"
import type { Supervisor } from "./Supervisor.ts"

/**
 * When a child is restarted: always, only after an abnormal exit, or never (rules R1–R3).
 *
 * @category models
 * @since 0.1.0
 */
export type RestartType = "permanent" | "transient" | "temporary"

/**
 * A child specification.
 *
 * `Provides` is what a later sibling may use: the services of a permanent layer child. `Requires` is what the child
 * needs from its earlier siblings or from the supervisor's surroundings.
 *
 * @category models
 * @since 0.1.0
 */
export interface Child<out Id extends string, out Provides, out Requires> extends Any {
  readonly [TypeId]: {
    readonly _Provides: Types.Covariant<Provides>
    readonly _Requires: Types.Covariant<Requires>
  }
  readonly id: Id
}

/**
 * Any child. Its types are hidden, not `any`: an `any` would flow back into what is written where a child is expected,
 * and requirements would vanish.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Pipeable {
  readonly [TypeId]: unknown
  readonly id: string
  readonly kind: "effect" | "make" | "layer" | "supervisor" | "task"
  readonly type: "worker" | "supervisor"
  readonly restart: RestartType
  readonly significant: boolean
  readonly shutdown: Duration.Duration | "brutal-kill"
}

/**
 * What all kinds of children have in common.
 *
 * - `restart`: default `"permanent"`.
 * - `significant`: whether its end for good may end the supervisor (see `autoShutdown`); default false, and never for a
 *   permanent child, which does not end for good.
 * - `shutdown`: how long it may take to stop before it is abandoned. Default 5 seconds for `effect`, `make` and `task`, 30
 *   seconds for `layer`, `"Infinity"` for `supervisor` and for any child inside which a supervisor lives.
 *   `"brutal-kill"` waits 100 ms at most.
 * - `backoff`: how long it waits before a restart; default not at all. Under a group strategy its group is stopped at once,
 *   and waits with it.
 * - `resetAfter`: how long it has to be up for its backoff to begin anew; default 1 minute.
 * - `onExhausted`: what happens when its backoff has ended: the supervisor gives up (`"escalate"`, the default), or the child
 *   is *failed* (`"give-up"`): down, until `restartChild`; a significant child has then ended for good.
 * - `startTimeout`: how long a start may take, until it is ready; default `"Infinity"`. It is for the starts that are waited
 *   for: not for an `effect` without `readiness`.
 * - `readiness`: a probe that has to succeed before the child has started; default none.
 * - `liveness`: a probe whose failures end the child with `Unhealthy`; default none. What the checks of both need beyond what
 *   the child builds is required of the child. A task, which is over when it has started, has neither.
 *
 * `R` is what the checks need, to be said where options are typed before they are used.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<R = never> =
  & {
    readonly shutdown?: Duration.Input | "brutal-kill" | undefined
    readonly backoff?: Backoff | undefined
    readonly resetAfter?: Duration.Input | undefined
    readonly onExhausted?: "escalate" | "give-up" | undefined
    readonly startTimeout?: Duration.Input | undefined
    readonly readiness?: Probe<R> | undefined
    readonly liveness?: Liveness<R> | undefined
  }
  & (
    | { readonly restart?: "permanent" | undefined; readonly significant?: false | undefined }
    | { readonly restart: "transient" | "temporary"; readonly significant?: boolean | undefined }
  )

/**
 * What a child built from a layer can have besides: `ref` is a class made with `ChildRef.Service`, which each incarnation
 * fills with the service it has built. The child then requires the ref. Two live children filling one ref is a defect.
 *
 * @category models
 * @since 0.1.0
 */
export type LayerOptions<ROut, R = never> = Options<R> & {
  readonly ref?: Context.Key<any, any> & Fills<ROut> | undefined
}

/**
 * A child built from a layer, of which `layerWith` can put another in the place.
 *
 * @category models
 * @since 0.1.0
 */
export interface LayerChild<out Id extends string, out Provides, out Requires, out Builds, out RefId>
  extends Child<Id, Provides, Requires>
{
  readonly [LayerTypeId]: {
    readonly _Builds: Types.Covariant<Builds>
    readonly _Ref: Types.Covariant<RefId>
  }
}

/** The ref of a child is a requirement of it. */
type RefOf<O> = O extends { readonly ref: Context.Key<infer Self, any> } ? Self : never

/**
 * An id is a literal without a slash, as paths are ids joined with slashes. Any other is an error of the compiler.
 *
 * @category models
 * @since 0.1.0
 */
export type ValidId<Id extends string> = Id extends "" | `${string}/${string}` ?
  "an id is not empty and contains no slash"
  : Id

/** What the checks of a child need. */
type Checks<O> =
  | (O extends { readonly readiness?: infer P } ? CheckNeeds<P> : never)
  | (O extends { readonly liveness?: infer P } ? CheckNeeds<P> : never)

type CheckNeeds<P> = P extends { readonly check: Effect.Effect<any, any, infer R> } ? R : never

/** Only permanent children give services: others may be gone for good. */
type Given<Services, O> = [O] extends [{ readonly restart?: infer Restart }]
  ? unknown extends Restart ? Services : [Restart] extends ["permanent" | undefined] ? Services : never
  : Services

/**
 * Creates a child that runs an effect.
 *
 * **Details**
 *
 * It has started when its fiber is forked, and ends when the effect ends. `Scope` in the requirements of the effect is
 * the child's own.
 *
 * **Example** (A child that is restarted when it fails)
 *
 * ```ts import.meta.vitest
 * import { Child } from "coppice"
 * import { Effect } from "effect"
 *
 * const clock = Child.effect("clock", Effect.never, { shutdown: "1 second" })
 *
 * clock.restart // => "permanent"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const effect = <const Id extends string, A, E, R, const O extends Options<unknown> = {}>(
  id: ValidId<Id>,
  effect: Effect.Effect<A, E, R>,
  options?: O
): Child<Id, never, Exclude<R | Checks<O>, Scope.Scope>> =>
  new Spec(id, { kind: "effect", run: effect as AnyEffect }, options) as any

/**
 * Creates a child from an effect that acquires what it needs and returns the effect to run.
 *
 * **Details**
 *
 * It has started when `acquire` has returned: the later siblings wait for that. A failure of `acquire` is a failed start,
 * OTP's `init` that answers an error. It ends when the effect that `acquire` returned ends.
 *
 * **Example** (Later siblings wait for the connection)
 *
 * ```ts import.meta.vitest
 * import { Child } from "coppice"
 * import { Effect } from "effect"
 *
 * const consumer = Child.make(
 *   "consumer",
 *   Effect.acquireRelease(Effect.succeed("connection"), () => Effect.void).pipe(
 *     Effect.map((connection) => Effect.andThen(Effect.log("consuming", connection), Effect.never))
 *   )
 * )
 *
 * consumer.kind // => "make"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Id extends string,
  Body extends Effect.Effect<any, any, any>,
  E,
  R,
  const O extends Options<unknown> = {}
>(
  id: ValidId<Id>,
  acquire: Effect.Effect<Body, E, R>,
  options?: O
): Child<Id, never, Exclude<R | Effect.Services<Body> | Checks<O>, Scope.Scope>> =>
  new Spec(id, { kind: "make", acquire: acquire as unknown as AnyEffect<AnyEffect> }, options) as any

/**
 * Creates a child from a layer.
 *
 * **Details**
 *
 * It has started when the layer is built, in the child's scope. The layer is the child's own: it is built anew for each
 * incarnation and never taken from the surroundings. Under a group strategy a permanent layer child gives its services
 * to the later siblings.
 *
 * @category constructors
 * @since 0.1.0
 */
export const layer = <const Id extends string, ROut, E, RIn, const O extends LayerOptions<ROut, unknown> = {}>(
  id: ValidId<Id>,
  layer: Layer.Layer<ROut, E, RIn>,
  options?: O
): LayerChild<Id, Given<ROut, O>, RIn | RefOf<O> | Exclude<Checks<O>, ROut | Scope.Scope>, ROut, RefOf<O>> =>
  new Spec(id, { kind: "layer", layer: layer as unknown as AnyLayer }, options) as any

/**
 * Creates a child from the layer of a supervisor, or from a class made with `Supervisor.Service`.
 *
 * **Details**
 *
 * Like `layer`, but of type `"supervisor"`: the supervisor has the child's path, and its stop is waited for without a
 * bound. A start that builds no supervisor fails with `InvalidChild`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const supervisor = <const Id extends string, ROut, E, RIn, const O extends LayerOptions<ROut, unknown> = {}>(
  id: ValidId<Id>,
  supervisor: Layer.Layer<ROut, E, RIn> | { readonly layer: Layer.Layer<ROut, E, RIn> },
  options?: O
): LayerChild<Id, Given<ROut, O>, RIn | RefOf<O> | Exclude<Checks<O>, ROut | Scope.Scope>, ROut, RefOf<O>> => {
  const layer = "layer" in supervisor ? supervisor.layer : supervisor
  return new Spec(id, { kind: "supervisor", layer: layer as unknown as AnyLayer }, options) as any
}

/**
 * Creates a child that does something once, such as a migration.
 *
 * **Details**
 *
 * It has started when the effect has succeeded: the later siblings wait for that. It is then down, as if it had answered
 * `Child.ignore`, and is done again by `restartChild` and by a group restart (rules S5, G5). A failure of the effect is a
 * failed start.
 *
 * **Example** (Migrating before anybody queries)
 *
 * ```ts import.meta.vitest
 * import { Child, SupervisionTree, Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "rest-for-one",
 *     children: [Child.task("migrate", Effect.log("migrated")), Child.effect("server", Effect.never)]
 *   })
 *   return SupervisionTree.toText(yield* app.tree)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "app  running\n├─ migrate  stopped\n└─ server  running"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const task = <const Id extends string, A, E, R>(
  id: ValidId<Id>,
  effect: Effect.Effect<A, E, R>,
  options?: Options & { readonly readiness?: undefined; readonly liveness?: undefined }
): Child<Id, never, Exclude<R, Scope.Scope>> => new Spec(id, { kind: "task", run: effect as AnyEffect }, options) as any

/**
 * What `Child.current` tells.
 *
 * - `path`: where the child is in its tree.
 * - `incarnation`: its number, 1 for the first start.
 * - `lastExit`: why the incarnation before this one ended; `Shutdown` if it was stopped, `Killed` if brutally, and none in
 *   the first incarnation.
 * - `supervisor`: the supervisor it is a child of, with plain strings for ids.
 *
 * @category models
 * @since 0.1.0
 */
export interface Current {
  readonly id: string
  readonly path: string
  readonly incarnation: number
  readonly lastExit: Option.Option<ExitReason>
  readonly supervisor: Supervisor<string>
}

/** The incarnation that runs here. Outside a child there is none, and to ask for it is a mistake of the program. */
const incarnation = (what: string): Effect.Effect<Incarnation> =>
  Effect.withFiber((fiber) => {
    const current = Context.get(fiber.context, CurrentParent)?.incarnation
    return current === undefined
      ? Effect.die(new TypeError(`${what} was called outside a child`))
      : Effect.succeed(current)
  })

/**
 * The child that runs here. Outside a child it dies.
 *
 * **Example** (Knowing that one has been restarted)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor } from "coppice"
 * import { Deferred, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const seen = yield* Deferred.make<string>()
 *   yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [
 *       Child.effect("worker", Effect.gen(function*() {
 *         const { incarnation, path } = yield* Child.current
 *         if (incarnation === 1) return yield* Effect.fail("the first one fails")
 *         yield* Deferred.succeed(seen, `${path} runs as number ${incarnation}`)
 *         return yield* Effect.never
 *       }))
 *     ]
 *   })
 *   return yield* Deferred.await(seen)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "app/worker runs as number 2"
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const current: Effect.Effect<Current> = Effect.map(incarnation("Child.current"), (incarnation) => ({
  id: incarnation.entry.spec.id,
  path: incarnation.path,
  incarnation: incarnation.number,
  lastExit: Option.fromUndefinedOr(incarnation.entry.exitReason),
  supervisor: makeHandle(incarnation.supervisor)
}))

/**
 * Whether the child that runs here is being killed, or will be when it is stopped, itself or with one it lives in. Then there are
 * no more than 100 ms for finalizers: they ask this to do without ceremony. Outside a child it dies.
 *
 * @category operations
 * @since 0.1.0
 */
export const isKilled: Effect.Effect<boolean> = Effect.map(incarnation("Child.isKilled"), (incarnation) => {
  if (incarnation.entry.spec.shutdown === "brutal-kill" || incarnation.left?._tag === "Killed") return true
  for (let around = incarnation.above; around !== undefined; around = around.above) {
    if (around.isBeingStopped && around.entry.spec.shutdown === "brutal-kill") return true
  }
  return false
})

/**
 * Whether the child that runs here has been abandoned: its supervisor has waited long enough for it to stop, and goes on without.
 * A finalizer that tries something again and again asks this to come to an end. Outside a child it dies.
 *
 * @category operations
 * @since 0.1.0
 */
export const isAbandoned: Effect.Effect<boolean> = Effect.map(incarnation("Child.isAbandoned"), (incarnation) => {
  for (let around: Incarnation | undefined = incarnation; around !== undefined; around = around.above) {
    if (around.abandoned) return true
  }
  return false
})

/**
 * Tells what the snapshots of the tree are to show of this incarnation besides, such as the pid of its process. What has been
 * told before stays, unless it is told again. Outside a child it dies.
 *
 * **Example** (A server tells its port)
 *
 * ```ts import.meta.vitest
 * import { Child, SupervisionTree, Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [Child.make("server", Effect.as(Child.describe({ port: 8080 }), Effect.never))]
 *   })
 *   return SupervisionTree.toText(yield* app.tree)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "app  running\n└─ server  running, port 8080"
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const describe = (details: Details): Effect.Effect<void> =>
  Effect.map(incarnation("Child.describe"), (incarnation) => {
    incarnation.details = { ...incarnation.details, ...details }
  })

/**
 * Ends the child that runs here, cleanly: OTP's `exit(shutdown)`, or `{shutdown, Reason}` with a reason. A transient
 * child is not restarted after it. Called in a start it is a failed start. Outside a child it dies.
 *
 * @category operations
 * @since 0.1.0
 */
export const exit = (reason?: unknown): Effect.Effect<never> =>
  Effect.flatMap(incarnation("Child.exit"), (incarnation) =>
    Effect.withFiber((fiber) => {
      incarnation.end(shutdown(reason))
      return Effect.failCause(Cause.annotate(Cause.interrupt(fiber.id), Context.make(Leave, { reason })))
    }))

/**
 * In a start: there is nothing to run, and that is no failure. OTP's `ignore` (rules S5, F11): the child is listed as
 * down, a temporary one is removed. Anywhere else it dies.
 *
 * @category operations
 * @since 0.1.0
 */
export const ignore: Effect.Effect<never> = Effect.withFiber((fiber) =>
  Context.get(fiber.context, CurrentStart)?.active === true
    ? Effect.failCause(Cause.annotate(Cause.interrupt(fiber.id), Context.make(Ignore, true)))
    : Effect.die(
      new TypeError("Child.ignore is for the start of a Child.make or a Child.layer, and was called elsewhere")
    )
)

/**
 * Ends the child that runs here as if its effect had returned: OTP's `exit(normal)`. For children built from layers, which
 * have no effect that could. Called in a start it is a failed start. Outside a child it dies.
 *
 * @category operations
 * @since 0.1.0
 */
export const done: Effect.Effect<never> = Effect.flatMap(
  incarnation("Child.done"),
  (incarnation) =>
    Effect.withFiber((fiber) => {
      incarnation.end(normal)
      return Effect.failCause(Cause.annotate(Cause.interrupt(fiber.id), Context.make(Leave, { reason: undefined })))
    })
)

/**
 * Ends the child that runs here and has its supervisor give up at once: no restart can help. The supervisor fails with
 * `RestartIntensityExceeded`, its pattern `"escalated"`, without counting restarts. In a start that is part of a restart it
 * does the same; in the first start of a supervisor, and in a call, it is a failed start. Outside a child it dies.
 *
 * **Example** (A wrong password does not get better)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor } from "coppice"
 * import { Effect, Logger } from "effect"
 *
 * const App = Supervisor.layer("app", {
 *   strategy: "one-for-one",
 *   children: [Child.effect("db", Child.escalate("wrong password"))]
 * })
 *
 * const error = await Effect.runPromise(Effect.flip(Supervisor.launch(App)).pipe(Effect.provide(Logger.layer([]))))
 *
 * error.message // => "app/db failed: wrong password\napp gave up on \"db\", which said that no restart can help"
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const escalate = (error: unknown): Effect.Effect<never> =>
  Effect.flatMap(incarnation("Child.escalate"), (incarnation) =>
    Effect.withFiber((fiber) => {
      incarnation.escalate(failure(error))
      return Effect.failCause(Cause.annotate(Cause.interrupt(fiber.id), Context.make(Leave, { reason: error })))
    }))

/**
 * Forks an effect in the current scope, linked to the child that runs here: if it fails, the child ends for that reason.
 * OTP's `spawn_link`, and the cure for background fibers of layers that die unseen.
 *
 * **Details**
 *
 * An effect that succeeds, or is interrupted, ends alone. Outside a child it is `Effect.forkScoped` that logs a failure.
 *
 * **Example** (A layer that cannot go on without its background fiber)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor } from "coppice"
 * import { Deferred, Effect, Layer, Logger } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const second = yield* Deferred.make<number>()
 *   const Cache = Layer.effectDiscard(Effect.gen(function*() {
 *     const { incarnation } = yield* Child.current
 *     if (incarnation === 2) yield* Deferred.succeed(second, incarnation)
 *     else yield* Child.forkLinked(Effect.fail("the refresh loop failed"))
 *   }))
 *   yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.layer("cache", Cache)] })
 *   return yield* Deferred.await(second)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([])))) // => 2
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const forkLinked = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R | Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const incarnation = Context.get(fiber.context, CurrentParent)?.incarnation
    if (incarnation === undefined) return Effect.forkScoped(Effect.tapCause(effect, logUnlinked))
    return Effect.forkScoped(Effect.withFiber((linked) => {
      linked.addObserver((exit) => incarnation.linkedEnded(exit))
      return effect
    }))
  })

const logUnlinked = (cause: Cause.Cause<unknown>) =>
  Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a fiber forked with Child.forkLinked failed", cause)

/**
 * Makes a layer last longer than the incarnation it is built in: it is built once for a child, when it is first needed, and
 * found again by each restart. It is let go of when the child is forgotten, or its supervisor has ended: then within the
 * child's shutdown time. So a queue keeps what nobody has taken, and a port its number.
 *
 * **Details**
 *
 * What is provided to the layer itself lasts with it. A build that fails is tried again by the next incarnation. Each child has
 * its own, also where several name the same layer. Outside a child it changes nothing.
 *
 * **Gotchas**
 *
 * A restart does not mend what lasts. Keep there what cannot be broken, or check it.
 *
 * What is provided from outside, as in `Child.lasting(A).pipe(Layer.provide(B))`, or by a sibling, is that of the first
 * incarnation, and gone with it: write `Child.lasting(A.pipe(Layer.provide(B)))`.
 *
 * **Example** (A queue that survives its worker)
 *
 * ```ts import.meta.vitest
 * import { Child, Supervisor } from "coppice"
 * import { Context, Effect, Layer, Logger, Queue } from "effect"
 *
 * class Jobs extends Context.Service<Jobs, Queue.Queue<string>>()("Jobs") {
 *   static readonly layer = Layer.effect(Jobs, Queue.unbounded<string>())
 * }
 *
 * const done = Queue.unbounded<string>()
 *
 * const program = Effect.gen(function*() {
 *   const results = yield* done
 *   const Worker = Layer.effectDiscard(Effect.gen(function*() {
 *     const { incarnation } = yield* Child.current
 *     const jobs = yield* Jobs
 *     if (incarnation === 1) {
 *       yield* Queue.offerAll(jobs, ["a", "b"])
 *       return yield* Child.forkLinked(Effect.fail("the first worker fails"))
 *     }
 *     yield* Child.forkLinked(Effect.forever(Effect.flatMap(Queue.take(jobs), (job) => Queue.offer(results, job))))
 *   }))
 *   const layer = Worker.pipe(Layer.provide(Child.lasting(Jobs.layer)))
 *   yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.layer("worker", layer)] })
 *   return [yield* Queue.take(results), yield* Queue.take(results)]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([])))) // => ["a", "b"]
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const lasting = <ROut, E, RIn>(layer: Layer.Layer<ROut, E, RIn>): Layer.Layer<ROut, E, RIn> =>
  Layer.fromBuild((memoMap, scope) =>
    Effect.withFiber((fiber) => {
      const incarnation = Context.get(fiber.context, CurrentParent)?.incarnation
      // One that was abandoned has nothing that lasts any more.
      if (incarnation === undefined || incarnation.entry.incarnation !== incarnation) {
        return Layer.buildWithMemoMap(layer, memoMap, scope)
      }
      return Lasting.of(incarnation.supervisor, incarnation.entry).get(layer)
    })
  )

/**
 * Takes along the place in the tree: a supervisor in the answered layer is a node below the child that runs here, also
 * where the layer is built by a runtime started by hand, such as `ManagedRuntime`, whose supervisors otherwise are roots.
 * Outside a child it pins the layer to no child: its supervisors are roots wherever it is built.
 *
 * @category operations
 * @since 0.1.0
 */
export const inherit = <ROut, E, RIn>(
  layer: Layer.Layer<ROut, E, RIn>
): Effect.Effect<Layer.Layer<ROut, E, RIn>> =>
  Effect.map(
    Effect.all([CurrentParent, CurrentStart]),
    ([parent, start]) =>
      Layer.fromBuild((memoMap, scope) =>
        Layer.buildWithMemoMap(layer, memoMap, scope).pipe(
          Effect.provideService(CurrentParent, parent),
          Effect.provideService(CurrentStart, start)
        )
      )
  )
