/**
 * What every supervisor promises, whatever its kind: a suite of tests for a kind of supervisor.
 *
 * All kinds of `coppice` pass it. Run it on a kind of your own: a supervisor with the options that your house prescribes,
 * or one that is built over these. The suite is for Vitest and needs `@effect/vitest`, for which reason it is not among the
 * modules of `@coppice/testing` but has a path of its own, `@coppice/testing/SupervisorContract`.
 *
 * @since 0.1.0
 */
import { describe, it } from "@effect/vitest"
import type { Child, ExitReason, SupervisionTree, Supervisor, SupervisorError, SupervisorEvent } from "coppice"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { promises, promisesOfExitChild } from "./internal/contractPromises.ts"
import { run } from "./internal/contractWorld.ts"
import type * as TestChild from "./TestChild.ts"

/**
 * A running supervisor, as the suite sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly path: string
  readonly whichChildren: Effect.Effect<ReadonlyArray<Supervisor.ChildInfo>, Supervisor.CallFailed>
  readonly countChildren: Effect.Effect<Supervisor.ChildCount, Supervisor.CallFailed>
  readonly exitChild?: (
    id: string,
    reason: ExitReason.ExitReason
  ) => Effect.Effect<void, SupervisorError.ChildNotFound | SupervisorError.SupervisorDown>
  readonly await: Effect.Effect<void, ExitReason.RestartIntensityExceeded>
  readonly tree: Effect.Effect<SupervisionTree.SupervisionTree>
  readonly events: Stream.Stream<SupervisorEvent.SupervisorEvent>
}

/**
 * What a supervisor is to be built with. `onEscalation` is run when whoever is above it hears that it has given up: where
 * nobody is, it is the option of that name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings<out C extends Child.Any> {
  readonly children: ReadonlyArray<C>
  readonly intensity: number
  readonly period: Duration.Input
  readonly onEscalation: (error: ExitReason.RestartIntensityExceeded) => Effect.Effect<void>
}

/**
 * How a kind of supervisor is tested.
 *
 * - `child`: a test child as this kind takes it, such as `TestChild.make`. The ids are `"0"`, `"1"` and `"2"`.
 * - `make`: a supervisor in the current scope, whose children have started one after the other.
 * - `stopsInOrder`: whether it stops its children one after the other, the last first; default true. Else all at once.
 * - `forgets`: whether a child that has ended for good is no longer listed; default false.
 * - `exitsChildren`: whether it has `exitChild`; default true.
 *
 * @category models
 * @since 0.1.0
 */
export interface How<C extends Child.Any> {
  readonly child: (id: string, options: TestChild.Options) => Effect.Effect<Omit<TestChild.TestChild<C>, "return">>
  readonly make: (settings: Settings<C>) => Effect.Effect<Subject, {}, Scope.Scope>
  readonly stopsInOrder?: boolean | undefined
  readonly forgets?: boolean | undefined
  readonly exitsChildren?: boolean | undefined
}

/**
 * The tests of a kind of supervisor, each with the promise that it tests. A test is run in the order of arrival, and in ten
 * others that follow from seeds.
 *
 * **Example** (What a supervisor of our own keeps)
 *
 * ```ts import.meta.vitest
 * import { TestChild } from "@coppice/testing"
 * import * as SupervisorContract from "@coppice/testing/SupervisorContract"
 * import { Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const [first, second] = SupervisorContract.tests({
 *   child: (id, options) => TestChild.make(id, options),
 *   make: (settings) => Supervisor.make("ours", { strategy: "rest-for-one", ...settings })
 * })
 *
 * first?.promise // => "tells every start, and lists every child"
 * second?.promise // => "tells a crash, restarts the child, and counts that"
 * await Effect.runPromise(first!.test)
 * await Effect.runPromise(second!.test)
 * ```
 *
 * @category suites
 * @since 0.1.0
 */
export const tests = <C extends Child.Any>(
  how: How<C>
): ReadonlyArray<{ readonly promise: string; readonly test: Effect.Effect<void> }> =>
  Object.entries({ ...promises, ...(how.exitsChildren === false ? {} : promisesOfExitChild) })
    .map(([promise, test]) => ({ promise, test: run(how, test) }))

/**
 * Declares the {@link tests} of a kind of supervisor as a suite of Vitest.
 *
 * @category suites
 * @since 0.1.0
 */
export const suite = <C extends Child.Any>(name: string, how: How<C>): void => {
  describe(name, () => {
    for (const { promise, test } of tests(how)) it.effect(promise, () => test)
  })
}
