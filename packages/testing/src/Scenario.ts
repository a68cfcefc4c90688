/**
 * A supervision scenario with the trace that OTP's own `supervisor` left of it: a tree, steps, and after each step the
 * result, the events and the state. The format is described in `otp/README.md`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Code from "./internal/scenarioCode.ts"
import { supervisorDefaults, workerDefaults } from "./internal/scenarioDefaults.ts"
import { workersOf } from "./internal/scenarioTree.ts"

const orElse = <S extends Schema.Constraint>(schema: S, value: S["Encoded"]) =>
  Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

const RestartType = Schema.Literals(["permanent", "transient", "temporary"])

const child = {
  id: Schema.String,
  restart: orElse(RestartType, workerDefaults.restart),
  significant: orElse(Schema.Boolean, workerDefaults.significant)
}

/**
 * A worker of a scenario. `start` holds the outcomes of its start attempts in order, all further ones succeed;
 * `ignoresShutdown` means that only a kill ends it.
 *
 * @category models
 * @since 0.1.0
 */
export const Worker = Schema.Struct({
  ...child,
  type: Schema.Literal("worker"),
  shutdown: orElse(
    Schema.Union([Schema.Finite, Schema.Literals(["brutal_kill", "infinity"])]),
    workerDefaults.shutdown
  ),
  start: orElse(Schema.Array(Schema.Literals(["ok", "fail", "ignore"])), workerDefaults.start),
  ignoresShutdown: orElse(Schema.Boolean, workerDefaults.ignoresShutdown)
})

/**
 * A worker of a scenario.
 *
 * @category models
 * @since 0.1.0
 */
export type Worker = typeof Worker.Type

/**
 * A supervisor of a scenario; `period` is in seconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Supervisor {
  readonly id: string
  readonly restart: typeof RestartType.Type
  readonly significant: boolean
  readonly type: "supervisor"
  readonly strategy: "one_for_one" | "one_for_all" | "rest_for_one"
  readonly intensity: number
  readonly period: number
  readonly autoShutdown: "never" | "any_significant" | "all_significant"
  readonly children: ReadonlyArray<Worker | Supervisor>
}

/**
 * A supervisor of a scenario; `period` is in seconds.
 *
 * @category models
 * @since 0.1.0
 */
export const Supervisor: Schema.Codec<Supervisor, unknown> = Schema.Struct({
  ...child,
  type: Schema.Literal("supervisor"),
  strategy: orElse(Schema.Literals(["one_for_one", "one_for_all", "rest_for_one"]), supervisorDefaults.strategy),
  intensity: orElse(Schema.Int, supervisorDefaults.intensity),
  period: orElse(Schema.Finite, supervisorDefaults.period),
  autoShutdown: orElse(
    Schema.Literals(["never", "any_significant", "all_significant"]),
    supervisorDefaults.autoShutdown
  ),
  children: Schema.Array(Schema.Union([Worker, Schema.suspend((): Schema.Codec<Supervisor, unknown> => Supervisor)]))
})

const call = { supervisor: Schema.String, id: Schema.String }

/**
 * What is done to the tree.
 *
 * @category models
 * @since 0.1.0
 */
export const Step = Schema.Union([
  Schema.Struct({
    op: Schema.Literal("exit"),
    id: Schema.String,
    reason: Schema.Literals(["normal", "shutdown", "crash", "kill"])
  }),
  Schema.Struct({ op: Schema.Literal("startChild"), supervisor: Schema.String, child: Worker }),
  Schema.Struct({ op: Schema.Literal("terminateChild"), ...call }),
  Schema.Struct({ op: Schema.Literal("restartChild"), ...call }),
  Schema.Struct({ op: Schema.Literal("deleteChild"), ...call }),
  Schema.Struct({ op: Schema.Literal("advance"), ms: Schema.Finite }),
  Schema.Struct({ op: Schema.Literal("stop") })
])

/**
 * What is done to the tree.
 *
 * @category models
 * @since 0.1.0
 */
export type Step = typeof Step.Type

/**
 * Something that happened. `why` is a comment of the recorder, which OTP itself does not show.
 *
 * @category models
 * @since 0.1.0
 */
export const TraceEvent = Schema.Struct({
  ev: Schema.Literals(["start", "start_failed", "ignored", "stop", "sup_start", "sup_start_failed", "sup_stop"]),
  id: Schema.String,
  reason: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String)
})

/**
 * Something that happened.
 *
 * @category models
 * @since 0.1.0
 */
export type TraceEvent = typeof TraceEvent.Type

/**
 * The tree as it stands after a step: the running workers, and of each running supervisor its counts (specs, active,
 * supervisors, workers) and its children in start order, with a dash before those that do not run.
 *
 * @category models
 * @since 0.1.0
 */
export const TreeState = Schema.Struct({
  root: Schema.String,
  workers: Schema.Array(Schema.String),
  supervisors: Schema.Record(
    Schema.String,
    Schema.Struct({ count: Schema.Array(Schema.Int), children: Schema.Array(Schema.String) })
  )
})

/**
 * The tree as it stands after a step.
 *
 * @category models
 * @since 0.1.0
 */
export type TreeState = typeof TreeState.Type

/**
 * What one step did; the state is left out where it equals the one before.
 *
 * @category models
 * @since 0.1.0
 */
export const Entry = Schema.Struct({
  result: Schema.String,
  events: Schema.Array(TraceEvent),
  state: Schema.optionalKey(TreeState)
})

/**
 * What one step did.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = typeof Entry.Type

/**
 * A scenario with its trace. `expect[0]` is the start, `expect[k]` belongs to `steps[k - 1]`.
 *
 * @category models
 * @since 0.1.0
 */
export const Scenario = Schema.Struct({
  id: Schema.String,
  features: orElse(Schema.Array(Schema.String), []),
  tree: Supervisor,
  steps: Schema.Array(Step),
  expect: Schema.Array(Entry)
})

/**
 * A scenario with its trace.
 *
 * @category models
 * @since 0.1.0
 */
export type Scenario = typeof Scenario.Type

/**
 * Reads one line of a file of scenarios.
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromLine = Schema.decodeUnknownEffect(Schema.fromJsonString(Scenario))

/**
 * Creates a worker. What is not said is as in OTP: permanent, not significant, 5000 ms to stop, each start succeeds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const worker = (id: string, options?: Partial<Omit<Worker, "id" | "type">>): Worker => ({
  id,
  type: "worker",
  ...workerDefaults,
  ...options
})

/**
 * Creates a supervisor. What is not said is as in OTP: one_for_one, one restart in 5 seconds, permanent, not significant,
 * and no automatic shutdown.
 *
 * @category constructors
 * @since 0.1.0
 */
export const supervisor = (
  id: string,
  options: Partial<Omit<Supervisor, "id" | "type" | "children">>,
  children: ReadonlyArray<Worker | Supervisor>
): Supervisor => ({ id, type: "supervisor", ...supervisorDefaults, ...options, children })

/**
 * Creates a scenario; its features follow from the tree and the steps. The trace may come later.
 *
 * **Example** (What OTP would do is done)
 *
 * ```ts import.meta.vitest
 * import { Conformance, Model, Scenario } from "@coppice/testing"
 *
 * const scenario = Scenario.make({
 *   tree: Scenario.supervisor("root", { strategy: "one_for_all" }, [Scenario.worker("a"), Scenario.worker("b")]),
 *   steps: [{ op: "exit", id: "a", reason: "crash" }]
 * })
 *
 * Conformance.check({ ...scenario, expect: Model.predict(scenario) }) // => undefined
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly id?: string | undefined
  readonly tree: Supervisor
  readonly steps: ReadonlyArray<Step>
  readonly expect?: ReadonlyArray<Entry> | undefined
}): Scenario => {
  const { expect = [], id = "scenario", steps, tree } = options
  return { id, features: featuresOf(tree, steps), tree, steps, expect }
}

const featuresOf = (tree: Supervisor, steps: ReadonlyArray<Step>): ReadonlyArray<string> => {
  const workers = [...workersOf(tree), ...steps.flatMap((step) => step.op === "startChild" ? step.child : [])]
  return [
    ...workers.some(({ start }) => start.includes("ignore")) ? ["ignore"] : [],
    ...workers.some(({ ignoresShutdown }) => ignoresShutdown) ? ["ignoresShutdown"] : [],
    ...steps.some(({ op }) => op === "advance") ? ["advance"] : []
  ]
}

/**
 * Renders a scenario as the TypeScript that makes it, to be pasted into a test.
 *
 * **Example** (A recorded line becomes a test)
 *
 * ```ts import.meta.vitest
 * import { Scenario } from "@coppice/testing"
 *
 * const scenario = Scenario.make({
 *   tree: Scenario.supervisor("root", { intensity: 0 }, [Scenario.worker("a", { restart: "transient" })]),
 *   steps: [{ op: "exit", id: "a", reason: "normal" }, { op: "stop" }]
 * })
 *
 * const lines = Scenario.toCode(scenario).split("\n")
 *
 * lines[2] // => "  tree: Scenario.supervisor(\"root\", { intensity: 0 }, ["
 * lines[3] // => "    Scenario.worker(\"a\", { restart: \"transient\" })"
 * lines[6] // => "    { op: \"exit\", id: \"a\", reason: \"normal\" },"
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const toCode: (scenario: Scenario) => string = Code.toCode
