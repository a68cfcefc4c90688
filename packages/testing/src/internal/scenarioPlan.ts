import { predict } from "../Model.ts"
import * as Scenario from "../Scenario.ts"
import type { Settings, StepDraft, SupervisorDraft, WorkerDraft } from "./scenarioDraft.ts"
import { supervisorsOf, workerName, workersOf } from "./scenarioTree.ts"

/** Seconds no scenario lives to see the end of. */
const periodNever = 3600

/** Gives the children of a drawn tree their names, and takes out what does not go together. */
export const growTree = (settings: Settings, hasClock: boolean, draft: SupervisorDraft): Scenario.Supervisor => {
  const isTimed = hasClock && settings.features.includes("advance")
  let workers = 0
  let supervisors = 0
  const grow = (
    draft: SupervisorDraft,
    id: string,
    above: Scenario.Supervisor["autoShutdown"]
  ): Scenario.Supervisor => {
    const { autoShutdown, intensity, isSignificant, period, strategy } = draft
    const significant = isSignificant && above !== "never"
    const restart = id === "root" ? "permanent" : restartOf(draft, significant)
    const children = draft.children.map((child) =>
      child.type === "supervisor"
        ? grow(child, `s${++supervisors}`, autoShutdown)
        : hire(settings, child, { id: workerName(workers++), above: autoShutdown, mayIgnoreShutdown: !isTimed })
    )
    const options = { restart, significant, strategy, intensity, autoShutdown }
    return Scenario.supervisor(id, { ...options, period: isTimed ? period : periodNever }, children)
  }
  return grow(draft, "root", "never")
}

// OTP refuses what is permanent and significant.
const restartOf = ({ restart }: WorkerDraft | SupervisorDraft, significant: boolean): Scenario.Worker["restart"] =>
  significant && restart === "permanent" ? "transient" : restart

const hire = (settings: Settings, draft: WorkerDraft, place: {
  readonly id: string
  readonly above: Scenario.Supervisor["autoShutdown"]
  readonly mayIgnoreShutdown: boolean
}): Scenario.Worker => {
  const significant = draft.isSignificant && place.above !== "never"
  const ignoresShutdown = draft.ignoresShutdown && place.mayIgnoreShutdown &&
    settings.features.includes("ignoresShutdown")
  return Scenario.worker(place.id, {
    restart: restartOf(draft, significant),
    significant,
    shutdown: ignoresShutdown && draft.shutdown !== "brutal_kill" ? 50 : draft.shutdown,
    start: startsOf(settings, draft),
    ignoresShutdown
  })
}

const startsOf = (settings: Settings, { firstStart, isSteady, laterStarts }: WorkerDraft): Scenario.Worker["start"] => {
  const starts = [firstStart, ...isSteady ? [] : laterStarts]
    .map((outcome) => outcome === "ignore" && !settings.features.includes("ignore") ? "ok" : outcome)
  return starts.slice(0, starts.findLastIndex((outcome) => outcome !== "ok") + 1)
}

// ---------------------------------------------------------------------------------------------------------------------
// Steps
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Decides whom the drawn steps are about. The model tells who is up by then: most steps would come to nothing otherwise.
 */
export const planSteps = (
  settings: Settings,
  tree: Scenario.Supervisor,
  drafts: ReadonlyArray<StepDraft>
): ReadonlyArray<Scenario.Step> => {
  const plan = new Plan(settings, tree)
  for (const draft of drafts) plan.add(draft)
  return plan.steps
}

class Plan {
  readonly steps: Array<Scenario.Step> = []
  private readonly settings: Settings
  private readonly tree: Scenario.Supervisor
  private readonly supervisors: ReadonlyArray<Scenario.Supervisor>
  /** The supervisor of each child, now or ever; an id stays with it. */
  private readonly homes = new Map<string, string>()
  private readonly workers: Array<string>
  /** Those that may end. */
  private readonly periods: ReadonlyArray<number>
  private state: Scenario.TreeState | undefined
  private last: string | undefined
  private added = 0

  constructor(settings: Settings, tree: Scenario.Supervisor) {
    this.settings = settings
    this.tree = tree
    this.supervisors = supervisorsOf(tree)
    for (const { children, id } of this.supervisors) for (const child of children) this.homes.set(child.id, id)
    const workers = workersOf(tree)
    this.workers = workers.map(({ id }) => id)
    this.periods = workers.some(({ ignoresShutdown }) => ignoresShutdown)
      ? []
      : this.supervisors.map(({ period }) => period).filter((period) => period !== periodNever)
    this.look()
  }

  add(draft: StepDraft): void {
    if (this.state?.root !== "alive") return
    const step = this.step(draft)
    if (step === undefined) return
    this.steps.push(step)
    this.look()
  }

  private look(): void {
    this.state = predict({ tree: this.tree, steps: this.steps }).findLast(({ state }) => state !== undefined)?.state
  }

  private step(draft: StepDraft): Scenario.Step | undefined {
    const { isAstray, op, reason } = draft
    switch (op) {
      case "advance":
        return this.advance(draft)
      case "stop":
        return { op }
      case "startChild":
        return this.startChild(draft)
      case "exit": {
        const id = this.choose(draft, isAstray ? this.workers : this.state!.workers)
        return id === undefined ? undefined : { op, id, reason }
      }
      default: {
        const id = this.choose(draft, isAstray ? [...this.homes.keys()] : this.listed(op === "terminateChild"))
        return id === undefined ? undefined : { op, supervisor: this.addressee(draft, id), id }
      }
    }
  }

  private advance({ millisOver, whom }: StepDraft): Scenario.Step | undefined {
    const { periods, settings } = this
    if (periods.length === 0 || !settings.features.includes("advance")) return undefined
    return { op: "advance", ms: periods[whom % periods.length]! * 1000 + millisOver }
  }

  // What was named last is often named again: to crash it once more, to restart what was stopped.
  private choose({ isSameAgain, whom }: StepDraft, ids: ReadonlyArray<string>): string | undefined {
    const id = isSameAgain && this.last !== undefined && ids.includes(this.last) ? this.last : ids[whom % ids.length]
    if (id !== undefined) this.last = id
    return id
  }

  private listed(isUp: boolean): ReadonlyArray<string> {
    const entries = Object.values(this.state!.supervisors).flatMap(({ children }) => children)
    return entries.filter((entry) => entry.startsWith("-") !== isUp).map((entry) => entry.replace("-", ""))
  }

  // Now and then the wrong supervisor is asked.
  private addressee({ isAstray, whom }: StepDraft, id: string): string {
    return isAstray && whom % 2 === 0 ? this.supervisors[whom / 2 % this.supervisors.length]!.id : this.homes.get(id)!
  }

  private startChild(draft: StepDraft): Scenario.Step {
    const running = Object.keys(this.state!.supervisors)
    const present = draft.isSameAgain ? this.choose(draft, this.workers) : undefined
    const id = present ?? `new${++this.added}`
    const home = this.homes.get(id) ?? running[draft.whom % running.length]!
    if (present === undefined) this.workers.push(id)
    this.homes.set(id, home)
    this.last = id
    const { autoShutdown } = this.supervisors.find((supervisor) => supervisor.id === home)!
    const child = hire(this.settings, draft.worker, {
      id,
      above: autoShutdown,
      mayIgnoreShutdown: this.periods.length === 0
    })
    return { op: "startChild", supervisor: home, child: draft.isAstray ? { ...child, significant: true } : child }
  }
}
