/**
 * The supervision scenarios and the traces recorded from them.
 *
 * A scenario is a tree of scripted workers and a list of steps done to it. A
 * trace is a scenario together with what OTP answered to each step. Both are
 * kept one JSON object a line; README.md says what each field means.
 */

/** How a supervisor deals with a child's siblings. */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one"

/** Which exits of a child are followed by a restart. */
export type Restart = "permanent" | "transient" | "temporary"

/** Whether a supervisor ends itself with its significant children. */
export type AutoShutdown = "never" | "any_significant" | "all_significant"

/** What one run of a worker's start function answers. */
export type StartOutcome = "ok" | "fail" | "ignore"

/** How a worker is stopped: milliseconds of patience, at once, or with all patience. */
export type Shutdown = number | "brutal_kill" | "infinity"

/** How a worker leaves: by itself, or killed from outside. */
export type LeaveReason = "normal" | "shutdown" | "crash" | "kill"

export interface Worker {
  readonly id: string
  readonly type: "worker"
  readonly restart?: Restart
  readonly significant?: boolean
  readonly shutdown?: Shutdown
  readonly start?: ReadonlyArray<StartOutcome>
  readonly ignoresShutdown?: boolean
}

export interface Supervisor {
  readonly id: string
  readonly type: "supervisor"
  readonly strategy?: Strategy
  readonly intensity?: number
  readonly period?: number
  readonly autoShutdown?: AutoShutdown
  readonly restart?: Restart
  readonly significant?: boolean
  readonly children: ReadonlyArray<Child>
}

export type Child = Worker | Supervisor

export type Step =
  | { readonly op: "exit"; readonly id: string; readonly reason: LeaveReason }
  | { readonly op: "startChild"; readonly supervisor: string; readonly child: Worker }
  | {
    readonly op: "terminateChild" | "restartChild" | "deleteChild"
    readonly supervisor: string
    readonly id: string
  }
  | { readonly op: "advance"; readonly ms: number }
  | { readonly op: "stop" }

export type Event =
  | { readonly ev: "start" | "start_failed" | "ignored" | "sup_start" | "sup_start_failed"; readonly id: string }
  | { readonly ev: "stop"; readonly id: string; readonly reason: string }
  | {
    readonly ev: "sup_stop"
    readonly id: string
    readonly reason: string
    readonly why: "told" | "intensity" | "auto_shutdown"
  }

export interface State {
  readonly root: string
  readonly workers: ReadonlyArray<string>
  readonly supervisors: {
    readonly [id: string]: {
      readonly count: readonly [specs: number, active: number, supervisors: number, workers: number]
      readonly children: ReadonlyArray<string>
    }
  }
}

/** What one step did. The state is left out where the step before left the same one. */
export interface Entry {
  readonly result: string
  readonly events: ReadonlyArray<Event>
  readonly state?: State
}

/** What a driver may want to skip: see {@link featuresOf}. */
export type Feature = "ignore" | "ignoresShutdown" | "advance"

export interface Scenario {
  readonly id: string
  readonly features?: ReadonlyArray<Feature>
  readonly tree: Supervisor
  readonly steps: ReadonlyArray<Step>
}

/** A scenario and what happened: first for the start of the tree, then for each step. */
export interface Trace extends Scenario {
  readonly expect: ReadonlyArray<Entry>
}

/** A worker with all its fields. */
export type FullWorker = Required<Worker>

/** A supervisor with all its fields. */
export type FullSupervisor = Required<Supervisor>

/** OTP's defaults for the fields a worker leaves out. */
export const workerDefaults: Omit<FullWorker, "id" | "type"> = {
  restart: "permanent",
  significant: false,
  shutdown: 5000,
  start: [],
  ignoresShutdown: false
}

/** OTP's defaults for the fields a supervisor leaves out. */
export const supervisorDefaults: Omit<FullSupervisor, "id" | "type" | "children"> = {
  strategy: "one_for_one",
  intensity: 1,
  period: 5,
  autoShutdown: "never",
  restart: "permanent",
  significant: false
}

/** Leaves out the fields that have their default value. */
export const withoutDefaults = <A extends FullWorker | FullSupervisor>(
  full: A
): A extends FullWorker ? Worker : Supervisor => {
  const defaults: { readonly [field: string]: unknown } = full.type === "worker" ? workerDefaults : supervisorDefaults
  const said = Object.entries(full).filter(([field, value]) =>
    !(field in defaults) || JSON.stringify(value) !== JSON.stringify(defaults[field])
  )
  return Object.fromEntries(said) as A extends FullWorker ? Worker : Supervisor
}

/** All supervisors of a tree, each before those below it. */
export const supervisorsOf = (tree: Supervisor): ReadonlyArray<Supervisor> => [
  tree,
  ...tree.children.flatMap((child) => child.type === "supervisor" ? supervisorsOf(child) : [])
]

/** All workers a scenario defines, in the tree and in its steps. */
export const workersOf = (scenario: Pick<Scenario, "tree" | "steps">): ReadonlyArray<Worker> => [
  ...supervisorsOf(scenario.tree).flatMap(({ children }) => children.filter((child) => child.type === "worker")),
  ...scenario.steps.flatMap((step) => step.op === "startChild" ? [step.child] : [])
]

/** Names what a first driver may not be able to do. */
export const featuresOf = (scenario: Pick<Scenario, "tree" | "steps">): ReadonlyArray<Feature> => {
  const workers = workersOf(scenario)
  const present: Record<Feature, boolean> = {
    ignore: workers.some(({ start }) => start?.includes("ignore")),
    ignoresShutdown: workers.some(({ ignoresShutdown }) => ignoresShutdown),
    advance: scenario.steps.some(({ op }) => op === "advance")
  }
  return (["ignore", "ignoresShutdown", "advance"] as const).filter((feature) => present[feature])
}

/** Puts a trace together, its fields in the order of the files. */
export const makeTrace = (
  { id, steps, tree }: Pick<Scenario, "id" | "tree" | "steps">,
  expect: ReadonlyArray<Entry>
): Trace => {
  const features = featuresOf({ tree, steps })
  return features.length === 0 ? { id, tree, steps, expect } : { id, features, tree, steps, expect }
}
