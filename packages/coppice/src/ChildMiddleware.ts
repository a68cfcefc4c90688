/**
 * What is put around the children of every supervisor below: around each start, each body, and each use through a ref.
 *
 * It is found through the context, so that a tree need not know of it: tests inject faults with it, programs measure. Where
 * there is none, nothing is put around anything.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnyError } from "./internal/spec.ts"
import type { ChildDown, ChildUnavailable } from "./SupervisorError.ts"

/**
 * The incarnation that begins: where it is, its number, and how its child was made. `Child.current` tells more, where the
 * effects run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Incarnation {
  readonly id: string
  readonly path: string
  readonly kind: "effect" | "make" | "layer" | "supervisor" | "task"
  readonly incarnation: number
}

/**
 * What is put around one incarnation.
 *
 * - `start`: around what has to succeed before the child has started; its result is to be passed on. A `Child.effect` has
 *   nothing of the kind.
 * - `run`: around the body of a `Child.effect` or a `Child.make`. The other kinds have none.
 * - `check`: around each check of its readiness and of its liveness.
 * - `use`: around each use through the ref that the incarnation fills, whose key it is told. It runs in the fiber of the
 *   use.
 *
 * What all but `use` are given runs in the child: in its scope, with its services and annotations. So does what they
 * answer, and its failure is the child's own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Around {
  readonly start?: ((start: Effect.Effect<unknown, AnyError>) => Effect.Effect<unknown, AnyError>) | undefined
  readonly run?: ((body: Effect.Effect<unknown, AnyError>) => Effect.Effect<unknown, AnyError>) | undefined
  readonly check?: ((check: Effect.Effect<unknown, AnyError>) => Effect.Effect<unknown, AnyError>) | undefined
  readonly use?:
    | (<A, E, R>(use: Effect.Effect<A, E, R>, ref: string) => Effect.Effect<A, E | ChildDown | ChildUnavailable, R>)
    | undefined
}

/**
 * Says what is put around an incarnation, nothing if it answers `undefined`. It is called when the incarnation begins, in
 * the child: if it throws, the child fails with that defect.
 *
 * @category models
 * @since 0.1.0
 */
export type ChildMiddleware = (child: Incarnation) => Around | undefined

/**
 * The middleware of the supervisors that are built here.
 *
 * @category references
 * @since 0.1.0
 */
export const ChildMiddleware = Context.Reference<ChildMiddleware | undefined>("coppice/ChildMiddleware", {
  defaultValue: () => undefined
})

/**
 * Puts a middleware around the children of the supervisors that are built with this layer.
 *
 * **Example** (Counting the bodies that run)
 *
 * ```ts import.meta.vitest
 * import { Child, ChildMiddleware, Supervisor } from "coppice"
 * import { Deferred, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const begun: Array<string> = []
 *   const both = yield* Deferred.make<ReadonlyArray<string>>()
 *   const middleware = ChildMiddleware.layer(({ incarnation, path }) => ({
 *     run: (body) => {
 *       if (begun.push(`${path} ${incarnation}`) === 2) Deferred.doneUnsafe(both, Effect.succeed(begun))
 *       return body
 *     }
 *   }))
 *   const child = Child.effect("a", Effect.flatMap(Child.current, ({ incarnation }) =>
 *     incarnation === 1 ? Effect.fail("the first one fails") : Effect.never))
 *   yield* Supervisor.make("app", { strategy: "one-for-one", children: [child] }).pipe(Effect.provide(middleware))
 *   return yield* Deferred.await(both)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["app/a 1", "app/a 2"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (middleware: ChildMiddleware): Layer.Layer<never> => Layer.succeed(ChildMiddleware, middleware)
