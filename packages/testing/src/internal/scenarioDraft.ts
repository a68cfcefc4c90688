import * as Schema from "effect/Schema"
import type * as Scenario from "../Scenario.ts"

/** How large what is made up may be, and what may be in it of that which not everything can perform. */
export interface Settings {
  readonly levels: number
  readonly steps: number
  readonly features: ReadonlyArray<"ignore" | "ignoresShutdown" | "advance">
}

type Value = string | number | boolean

const weighted = <const Weights extends ReadonlyArray<readonly [value: Value, weight: number]>>(
  ...weights: Weights
) =>
  Schema.Literals(
    weights.flatMap(([value, weight]): ReadonlyArray<Weights[number][0]> => Array.from({ length: weight }, () => value))
  )

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

const Restart = weighted(["permanent", 5], ["transient", 3], ["temporary", 2])

// Most starts succeed, the first above all: there would be nothing to look at otherwise.
const WorkerDraft = Schema.Struct({
  type: Schema.Literal("worker"),
  restart: Restart,
  isSignificant: Schema.Boolean,
  shutdown: weighted([5000, 14], ["brutal_kill", 3], ["infinity", 2], [1000, 1]),
  firstStart: weighted(["ok", 90], ["fail", 1], ["ignore", 2]),
  isSteady: weighted([true, 3], [false, 2]),
  laterStarts: Schema.Array(weighted(["fail", 5], ["ok", 3], ["ignore", 1])).check(Schema.isMaxLength(6)),
  ignoresShutdown: weighted([true, 1], [false, 11])
})

/** A worker as it is drawn. */
export type WorkerDraft = typeof WorkerDraft.Type

/** A supervisor as it is drawn. */
export interface SupervisorDraft {
  readonly type: "supervisor"
  readonly restart: Scenario.Supervisor["restart"]
  readonly isSignificant: boolean
  readonly strategy: Scenario.Supervisor["strategy"]
  readonly intensity: number
  readonly period: number
  readonly autoShutdown: Scenario.Supervisor["autoShutdown"]
  readonly children: ReadonlyArray<WorkerDraft | SupervisorDraft>
}

// The root's end is the end of the scenario.
const impatient = [[0, 3], [1, 5], [2, 3], [3, 1], [5, 1]] as const
const patient = [[0, 1], [1, 4], [2, 4], [3, 3], [5, 2], [10, 2]] as const

const supervisor = (level: number, levels: number): Schema.Codec<SupervisorDraft, unknown> =>
  Schema.Struct({
    type: Schema.Literal("supervisor"),
    restart: Restart,
    isSignificant: Schema.Boolean,
    strategy: Schema.Literals(["one_for_one", "one_for_all", "rest_for_one"]),
    intensity: weighted(...level === 1 ? patient : impatient),
    period: weighted([1, 6], [2, 2], [5, 2], [3600, 1]),
    autoShutdown: weighted(["never", 6], ["any_significant", 2], ["all_significant", 2]),
    children: Schema.Array(
      level < levels ? Schema.Union([WorkerDraft, supervisor(level + 1, levels)]) : WorkerDraft
    ).check(Schema.isMinLength(1), Schema.isMaxLength(4))
  })

const StepDraft = Schema.Struct({
  op: weighted(
    ["exit", 22],
    ["terminateChild", 3],
    ["restartChild", 3],
    ["deleteChild", 2],
    ["startChild", 3],
    ["advance", 10],
    ["stop", 1]
  ),
  whom: upTo(999),
  isSameAgain: Schema.Boolean,
  isAstray: weighted([true, 1], [false, 11]),
  reason: weighted(["crash", 6], ["kill", 2], ["normal", 2], ["shutdown", 2]),
  worker: Schema.Struct({ ...WorkerDraft.fields, firstStart: weighted(["ok", 9], ["fail", 2], ["ignore", 1]) }),
  // How much longer than a period: restarts at both its ends count together, a millisecond later they do not.
  millisOver: weighted([0, 4], [1, 3], [1500, 2], [-600, 1])
})

/** A step as it is drawn. */
export type StepDraft = typeof StepDraft.Type

/** Draws the steps. */
export const steps = (settings: Settings) =>
  Schema.Array(StepDraft).check(
    Schema.isMinLength(Math.ceil(settings.steps / 2)),
    Schema.isMaxLength(settings.steps)
  )

/** Draws a tree. */
export const tree = (settings: Settings) =>
  Schema.Struct({ hasClock: weighted([true, 1], [false, 2]), tree: supervisor(1, settings.levels) })

/** Draws a scenario. */
export const scenario = (settings: Settings) => Schema.Struct({ ...tree(settings).fields, steps: steps(settings) })
