/**
 * OTP's supervisor as a specification: what it does about each step of a scenario, in the plainest code that says it.
 *
 * Nothing runs here. A supervisor is a list of children and a list of restart times, a child is up or down, time is a
 * number; what happens is written down in order. The real supervisor shares none of this code, so that one can be held
 * against the other: the model is right because it foretells what was recorded of OTP, the supervisor because it does
 * what the model foretells of any other scenario.
 *
 * The letters in front of the rules (`S` start, `T` stop, `R` exit, `G` group, `I` intensity, `F` failed restart, `U`
 * escalation, `A` automatic shutdown, `C` calls) are for finding them again; each is said at one place.
 *
 * @since 0.1.0
 */
import type * as Scenario from "./Scenario.ts"

/**
 * Foretells what OTP's supervisor does: an entry for the start of the tree, then one for each step. There are none for
 * the steps if the tree does not come up.
 *
 * **Gotchas**
 *
 * Restarts are counted in a closed window of exact milliseconds, where OTP cuts all times to whole seconds: the two agree
 * if no restarts lie between one period and one period and a second apart. To stop a child takes no time.
 *
 * **Example** (A crash under rest-for-one)
 *
 * ```ts import.meta.vitest
 * import { Model, Scenario } from "@coppice/testing"
 *
 * const tree = Scenario.supervisor("root", { strategy: "rest_for_one" }, [
 *   Scenario.worker("a"),
 *   Scenario.worker("b"),
 *   Scenario.worker("c", { restart: "temporary" })
 * ])
 * const [start, crash] = Model.predict({ tree, steps: [{ op: "exit", id: "b", reason: "crash" }] })
 *
 * start?.state?.workers // => ["a", "b", "c"]
 * crash?.events.map(({ ev, id }) => `${ev} ${id}`) // => ["stop b", "stop c", "start b"]
 * crash?.state?.supervisors // => ({ root: { count: [2, 2, 0, 2], children: ["a", "b"] } })
 * ```
 *
 * @category predicting
 * @since 0.1.0
 */
export const predict = (
  { steps, tree }: Pick<Scenario.Scenario, "tree" | "steps">
): ReadonlyArray<Scenario.Entry> => {
  const otp = new Otp(tree)
  const entries = [otp.entry(otp.startRoot())]
  for (const step of otp.root.process === undefined ? [] : steps) entries.push(otp.entry(otp.perform(step)))
  return entries
}

// ---------------------------------------------------------------------------------------------------------------------
// What there is
// ---------------------------------------------------------------------------------------------------------------------

/** An entry in a supervisor's list. */
interface Child {
  readonly spec: Scenario.Worker | Scenario.Supervisor
  /** The supervisor whose child it is; the root is nobody's. */
  readonly parent: Supervisor | undefined
  /** What runs for it. None: it is down. */
  process: Supervisor | "worker" | undefined
}

/** A supervisor that runs. After a restart it is a new one: it has the children and the restarts of a new one (I8, U3). */
interface Supervisor {
  readonly spec: Scenario.Supervisor
  readonly child: Child
  /** In start order (T1). */
  children: ReadonlyArray<Child>
  /** When it restarted any of them (I4). */
  restarts: ReadonlyArray<number>
}

type Outcome = Scenario.Worker["start"][number]

class Otp {
  readonly root: Child
  private now = 0
  private events: Array<Scenario.TraceEvent> = []
  private readonly attempts = new Map<Scenario.Worker, number>()
  private lastState = ""

  constructor(tree: Scenario.Supervisor) {
    this.root = { spec: tree, parent: undefined, process: undefined }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Start
  // -------------------------------------------------------------------------------------------------------------------

  startRoot(): string {
    return this.start(this.root) === "ok" ? "ok" : "error:failed_to_start_child"
  }

  private start(child: Child): Outcome {
    return child.spec.type === "worker" ? this.startWorker(child, child.spec) : this.startSupervisor(child, child.spec)
  }

  // R7: each start runs the same start function, whoever asks for it; what that answers depends on how often it has run.
  private startWorker(child: Child, spec: Scenario.Worker): Outcome {
    const attempt = this.attempts.get(spec) ?? 0
    this.attempts.set(spec, attempt + 1)
    const outcome = spec.start[attempt] ?? "ok"
    if (outcome === "ok") child.process = "worker"
    this.tell({ ev: outcome === "ok" ? "start" : outcome === "fail" ? "start_failed" : "ignored", id: spec.id })
    return outcome
  }

  // S2: it is up once all its children are. S3, S4: if one of them cannot start, it cannot either, and stops the others.
  private startSupervisor(child: Child, spec: Scenario.Supervisor): Outcome {
    const supervisor: Supervisor = { spec, child, children: [], restarts: [] }
    supervisor.children = spec.children.map((spec) => ({ spec, parent: supervisor, process: undefined }))
    if (this.startAll(supervisor, supervisor.children) !== undefined) {
      this.stopAll(supervisor.children)
      this.tell({ ev: "sup_start_failed", id: spec.id })
      return "fail"
    }
    child.process = supervisor
    this.tell({ ev: "sup_start", id: spec.id })
    return "ok"
  }

  // S1: in list order, one after the other; the first that fails is answered, and those behind it stay down (F6).
  private startAll(supervisor: Supervisor, children: ReadonlyArray<Child>): Child | undefined {
    return children.find((child) => {
      const outcome = this.start(child)
      if (outcome === "ignore") this.keepUnlessTemporary(supervisor, child) // S5, F11
      return outcome === "fail"
    })
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Stop
  // -------------------------------------------------------------------------------------------------------------------

  // T1: in reverse list order, each gone before the next is asked. T6: what is down is skipped.
  private stopAll(children: ReadonlyArray<Child>): void {
    for (const child of children.toReversed()) {
      const { process, spec } = child
      child.process = undefined
      if (spec.type === "worker" && process !== undefined) this.stopWorker(spec)
      if (typeof process === "object") this.endSupervisor(process, "told")
    }
  }

  // T2, T4: a worker is killed, at once or when it has not done as it was asked. Which of both makes no difference (T7).
  private stopWorker({ id, ignoresShutdown, shutdown }: Scenario.Worker): void {
    this.tell({ ev: "stop", id, reason: shutdown === "brutal_kill" || ignoresShutdown ? "killed" : "shutdown" })
  }

  // T9, U1: a supervisor is gone after its children, and always with reason `shutdown`.
  private endSupervisor(supervisor: Supervisor, why: "told" | "intensity" | "auto_shutdown"): void {
    this.stopAll(supervisor.children)
    this.tell({ ev: "sup_stop", id: supervisor.spec.id, reason: "shutdown", why })
  }

  // -------------------------------------------------------------------------------------------------------------------
  // A child exits
  // -------------------------------------------------------------------------------------------------------------------

  // R5: only a child that leaves by itself comes here, not one that is stopped (nor G7, A5).
  private left(child: Child, isClean: boolean): void {
    child.process = undefined
    const supervisor = child.parent
    if (supervisor === undefined) return
    if (isRestarted(child.spec.restart, isClean)) return this.restart(supervisor, child)
    this.keepUnlessTemporary(supervisor, child)
    if (child.spec.significant && endsWithSignificant(supervisor)) this.leave(supervisor, "auto_shutdown")
  }

  // I7, A1, A7: a supervisor that ends by itself. U2, U4: its parent judges that like any other clean exit.
  private leave(supervisor: Supervisor, why: "intensity" | "auto_shutdown"): void {
    this.endSupervisor(supervisor, why)
    this.left(supervisor.child, true)
  }

  // R3, R4: a temporary child that is down is forgotten, any other stays listed.
  private keepUnlessTemporary(supervisor: Supervisor, child: Child): void {
    if (child.spec.restart === "temporary") this.forget(supervisor, child)
  }

  private forget(supervisor: Supervisor, child: Child): void {
    supervisor.children = supervisor.children.filter((other) => other !== child)
  }

  // F1: a restart that fails is tried again at once. F2, I5: each try is one record. F4, F5: the child that failed is now
  // the one that is restarted.
  private restart(supervisor: Supervisor, child: Child): void {
    for (let failed: Child | undefined = child; failed !== undefined; failed = this.tryRestart(supervisor, failed)) {
      supervisor.restarts = [...supervisor.restarts, this.now]
      if (this.isTooOften(supervisor)) return this.leave(supervisor, "intensity")
    }
  }

  // I1: more records than the intensity. I3: in a closed window.
  private isTooOften({ restarts, spec }: Supervisor): boolean {
    return restarts.filter((time) => time >= this.now - spec.period * 1000).length > spec.intensity
  }

  // Stops whom the strategy says, and starts them. G4: but not the temporary ones, which are forgotten. G5: those too that
  // were down before.
  private tryRestart(supervisor: Supervisor, child: Child): Child | undefined {
    const affected = affectedBy(supervisor, child)
    this.stopAll(affected)
    for (const other of affected) this.keepUnlessTemporary(supervisor, other)
    return this.startAll(supervisor, affected.filter((other) => other.spec.restart !== "temporary"))
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Steps
  // -------------------------------------------------------------------------------------------------------------------

  perform(step: Scenario.Step): string {
    switch (step.op) {
      case "advance":
        this.now += step.ms
        return "ok"
      case "stop":
        this.stopAll([this.root])
        return "ok"
      case "exit":
        return this.exit(step.id, step.reason)
      default: {
        const supervisor = this.supervisors().find(({ spec }) => spec.id === step.supervisor)
        return supervisor === undefined ? "error:noproc" : this.call(supervisor, step) // C12
      }
    }
  }

  private exit(id: string, reason: "normal" | "shutdown" | "crash" | "kill"): string {
    const worker = this.running().find(({ spec }) => spec.type === "worker" && spec.id === id)
    if (worker === undefined) return "error:not_running"
    this.tell({ ev: "stop", id, reason: reason === "kill" ? "killed" : reason })
    this.left(worker, reason === "normal" || reason === "shutdown")
    return "ok"
  }

  // C1: the table of calls and of what the child with that id is. I6: no call is a restart.
  private call(supervisor: Supervisor, step: Extract<Scenario.Step, { readonly supervisor: string }>): string {
    const id = step.op === "startChild" ? step.child.id : step.id
    const child = supervisor.children.find(({ spec }) => spec.id === id)
    if (step.op === "startChild") return this.startChild(supervisor, step.child, child)
    if (child === undefined) return "error:not_found"
    if (step.op === "terminateChild") return this.terminateChild(supervisor, child)
    if (child.process !== undefined) return "error:running"
    if (step.op === "restartChild") return answers[child.spec.type][this.start(child)] // C6, C7
    this.forget(supervisor, child)
    return "ok"
  }

  private startChild(supervisor: Supervisor, spec: Scenario.Worker, present: Child | undefined): string {
    if (isBadCombination(spec, supervisor)) return "error:bad_combination" // C4
    if (present !== undefined) return present.process === undefined ? "error:already_present" : "error:already_started"
    // A copy, so that its starts are counted from the first.
    const child: Child = { spec: { ...spec }, parent: supervisor, process: undefined }
    const outcome = this.start(child)
    if (outcome !== "fail") supervisor.children = [...supervisor.children, child] // C2
    if (outcome === "ignore") this.keepUnlessTemporary(supervisor, child) // C3
    return answers.worker[outcome]
  }

  // C5: it is down afterwards; nobody is restarted for it, and no supervisor ends.
  private terminateChild(supervisor: Supervisor, child: Child): string {
    this.stopAll([child])
    this.keepUnlessTemporary(supervisor, child)
    return "ok"
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What is seen of it
  // -------------------------------------------------------------------------------------------------------------------

  entry(result: string): Scenario.Entry {
    const { events } = this
    this.events = []
    const state = this.state()
    const text = JSON.stringify(state)
    if (text === this.lastState) return { result, events }
    this.lastState = text
    return { result, events, state }
  }

  private tell(event: Scenario.TraceEvent): void {
    this.events.push(event)
  }

  private running(): ReadonlyArray<Child> {
    const withAllBelow = (child: Child): ReadonlyArray<Child> => {
      if (child.process === undefined) return []
      return child.process === "worker" ? [child] : [child, ...child.process.children.flatMap(withAllBelow)]
    }
    return withAllBelow(this.root)
  }

  private supervisors(): ReadonlyArray<Supervisor> {
    return this.running().flatMap(({ process }) => typeof process === "object" ? process : [])
  }

  private state(): Scenario.TreeState {
    const isUp = this.root.process !== undefined
    return {
      root: isUp ? "alive" : this.lastState === "" ? "not_started" : "exited:shutdown",
      workers: this.running().flatMap(({ spec }) => spec.type === "worker" ? spec.id : []).toSorted(),
      supervisors: Object.fromEntries(this.supervisors().map(({ children, spec }) => [spec.id, listed(children)]))
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Decisions
// ---------------------------------------------------------------------------------------------------------------------

// R1: a permanent child always; R2: a transient one after a crash; R3: a temporary one never.
const isRestarted = (restart: Scenario.Worker["restart"], isClean: boolean): boolean =>
  restart === "permanent" || restart === "transient" && !isClean

// G1: the child alone; G2: all; G3: the child and those after it.
const affectedBy = ({ children, spec }: Supervisor, child: Child): ReadonlyArray<Child> => {
  switch (spec.strategy) {
    case "one_for_one":
      return [child]
    case "one_for_all":
      return children
    case "rest_for_one":
      return children.slice(children.indexOf(child))
  }
}

// A significant child has left for good. A1: that is enough; A2: the others have to be down, A4: for whatever reason.
const endsWithSignificant = ({ children, spec }: Supervisor): boolean => {
  switch (spec.autoShutdown) {
    case "never":
      return false
    case "any_significant":
      return true
    case "all_significant":
      return children.every((child) => !child.spec.significant || child.process === undefined)
  }
}

// A8: significant is who may leave for good, where that means something.
const isBadCombination = ({ restart, significant }: Scenario.Worker, { spec }: Supervisor): boolean =>
  significant && (restart === "permanent" || spec.autoShutdown === "never")

const answers = {
  worker: { ok: "ok", ignore: "ok:ignore", fail: "error:start_failed" },
  supervisor: { ok: "ok", ignore: "ok:ignore", fail: "error:failed_to_start_child" }
}

// C10: specs, active, supervisors, workers. C9: here in start order.
const listed = (children: ReadonlyArray<Child>): Scenario.TreeState["supervisors"][string] => {
  const count = (isCounted: (child: Child) => boolean) => children.filter(isCounted).length
  return {
    count: [
      children.length,
      count(({ process }) => process !== undefined),
      count(({ spec }) => spec.type === "supervisor"),
      count(({ spec }) => spec.type === "worker")
    ],
    children: children.map(({ process, spec }) => `${process === undefined ? "-" : ""}${spec.id}`)
  }
}
