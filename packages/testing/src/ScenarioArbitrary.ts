/**
 * Scenarios made up at random, for properties of anything that supervises as OTP does.
 *
 * A counterexample shrinks to few steps on a small tree of plain children. Steps name children by their ids, so that what
 * a step means does not change when some other child goes; a step whose child goes, goes with it.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Draft from "./internal/scenarioDraft.ts"
import { growTree, planSteps } from "./internal/scenarioPlan.ts"
import { shrinkScenario, shrinkSteps, shrinkTree } from "./internal/scenarioShrink.ts"
import * as Scenario from "./Scenario.ts"

/**
 * What is made up: at most so many `levels` of supervisors (default 3), at most so many `steps` (default 12), and which
 * `features` may occur of those that not everything can perform (default: all).
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly levels?: number | undefined
  readonly steps?: number | undefined
  readonly features?: ReadonlyArray<"ignore" | "ignoresShutdown" | "advance"> | undefined
}

/**
 * Makes up scenarios, without their traces: `Model.predict` tells these.
 *
 * **Details**
 *
 * All strategies, restart types, intensities and ways to shut down occur, significant children wherever OTP allows them,
 * starts that fail or are ignored, and calls that OTP refuses. A worker that ignores its shutdown is not found together
 * with restart periods that end, as its end takes time.
 *
 * **Gotchas**
 *
 * To shrink well takes more than the 100 candidates that `Arbitrary.checkEffect` looks at by default: `maxShrinks`.
 *
 * **Example** (What is left of a tree that gives up)
 *
 * ```ts import.meta.vitest
 * import { Model, Scenario, ScenarioArbitrary } from "@coppice/testing"
 * import { Arbitrary, Effect } from "effect"
 *
 * const neverGivesUp = (scenario: Scenario.Scenario) =>
 *   Model.predict(scenario).every(({ events }) => events.every(({ why }) => why !== "intensity"))
 *
 * const check = Arbitrary.checkEffect(ScenarioArbitrary.scenario(), neverGivesUp, { seed: 1, maxShrinks: 5000 })
 * const result = await Effect.runPromise(check)
 *
 * const found = result._tag === "Falsified" ? result.shrunkInput : undefined
 * found?.tree // => Scenario.supervisor("root", { intensity: 0 }, [Scenario.worker("a")])
 * found?.steps // => [{ op: "exit", id: "a", reason: "crash" }]
 * ```
 *
 * @category arbitraries
 * @since 0.1.0
 */
export const scenario = (options?: Options): Arbitrary.Arbitrary<Scenario.Scenario> => {
  const settings = settingsOf(options)
  return arbitrary(Scenario.Scenario, {
    draft: Draft.scenario(settings),
    resolve: ({ hasClock, steps, tree }) => {
      const grown = growTree(settings, hasClock, tree)
      return Scenario.make({ tree: grown, steps: planSteps(settings, grown, steps) })
    },
    shrink: shrinkScenario
  })
}

/**
 * Makes up trees.
 *
 * @category arbitraries
 * @since 0.1.0
 */
export const tree = (options?: Options): Arbitrary.Arbitrary<Scenario.Supervisor> => {
  const settings = settingsOf(options)
  return arbitrary(Scenario.Supervisor, {
    draft: Draft.tree(settings),
    resolve: ({ hasClock, tree }) => growTree(settings, hasClock, tree),
    shrink: shrinkTree
  })
}

/**
 * Makes up what may be done to a given tree; `levels` has no meaning here.
 *
 * @category arbitraries
 * @since 0.1.0
 */
export const steps = (
  tree: Scenario.Supervisor,
  options?: Options
): Arbitrary.Arbitrary<ReadonlyArray<Scenario.Step>> => {
  const settings = settingsOf(options)
  return arbitrary(Schema.Array(Scenario.Step), {
    draft: Draft.steps(settings),
    resolve: (steps) => planSteps(settings, tree, steps),
    shrink: shrinkSteps
  })
}

/**
 * Makes nothing up, but cuts down a scenario that you have, for example a recorded one; its trace is left out.
 *
 * **Example** (What it takes for a restart to fail)
 *
 * ```ts import.meta.vitest
 * import { Model, Scenario, ScenarioArbitrary } from "@coppice/testing"
 * import { Arbitrary, Effect } from "effect"
 *
 * const recorded = Scenario.make({
 *   tree: Scenario.supervisor("root", { strategy: "one_for_all", intensity: 5 }, [
 *     Scenario.worker("db", { shutdown: "brutal_kill" }),
 *     Scenario.supervisor("web", {}, [Scenario.worker("http", { start: ["ok", "fail"] })])
 *   ]),
 *   steps: [{ op: "exit", id: "db", reason: "kill" }, { op: "stop" }]
 * })
 * const noRestartFails = (scenario: Scenario.Scenario) =>
 *   Model.predict(scenario).slice(1).every(({ events }) => events.every(({ ev }) => ev !== "start_failed"))
 *
 * const check = Arbitrary.checkEffect(ScenarioArbitrary.from(recorded), noRestartFails, { maxShrinks: 5000 })
 * const result = await Effect.runPromise(check)
 *
 * const found = result._tag === "Falsified" ? result.shrunkInput : undefined
 * found?.tree // => Scenario.supervisor("root", {}, [Scenario.worker("a", { start: ["ok", "fail"] })])
 * found?.steps // => [{ op: "exit", id: "a", reason: "crash" }]
 * ```
 *
 * @category arbitraries
 * @since 0.1.0
 */
export const from = (scenario: Scenario.Scenario): Arbitrary.Arbitrary<Scenario.Scenario> =>
  arbitrary(Scenario.Scenario, { draft: Schema.Null, resolve: () => scenario, shrink: shrinkScenario })

const settingsOf = (options: Options = {}): Draft.Settings => ({
  levels: options.levels ?? 3,
  steps: options.steps ?? 12,
  features: options.features ?? ["ignore", "ignoresShutdown", "advance"]
})

// Values of a schema that are made from drafts, and are shrunk as what they are: the drafts know nothing of each other.
const arbitrary = <A, D>(schema: Schema.Codec<A, unknown>, options: {
  readonly draft: Schema.Codec<D, unknown>
  readonly resolve: (draft: D) => A
  readonly shrink: (value: A) => ReadonlyArray<A>
}): Arbitrary.Arbitrary<A> => {
  const { draft, resolve, shrink } = options
  const made = Schema.declare(Schema.is(schema), {
    toCodecArbitrary: () =>
      Schema.link<A>()(draft, { decode: SchemaGetter.transform(resolve), encode: SchemaGetter.forbiddenEncoding })
  })
  return Arbitrary.schema(made, { shrink })
}
