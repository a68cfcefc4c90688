import { ExitReason, type SupervisorEvent } from "coppice"

type Event = SupervisorEvent.SupervisorEvent

/** A child of a tree as its events are checked; with `supervisor` a nested one. */
export interface ChildPlan {
  readonly id: string
  readonly restart: "permanent" | "transient" | "temporary"
  /** Whether it has started only when it is ready. */
  readonly becomesReady?: boolean
  /** Whether its health is watched. */
  readonly watched?: boolean
  /** What its backoff does: it goes on, ends with the supervisor giving up, or with the child left down. */
  readonly backoff?: "endless" | "escalate" | "give-up" | undefined
  readonly supervisor?: SupervisorPlan
}

/** A supervisor of a tree. `name` is the last part of its path where it is not that of its child. */
export interface SupervisorPlan {
  readonly name?: string
  readonly strategy: "one-for-one" | "one-for-all" | "rest-for-one"
  readonly intensity: number
  readonly periodMillis: number
  readonly children: ReadonlyArray<ChildPlan>
}

/** What the one who makes the events happen says in between: a call to terminate a child begins, and is over. */
export type CallNote =
  | { readonly _tag: "Terminating"; readonly path: string }
  | { readonly _tag: "Terminated"; readonly path: string }

interface ChildState {
  readonly plan: ChildPlan
  readonly path: string
  incarnation: number
  state: "down" | "starting" | "running" | "leaving"
  startedOnce: boolean
  /** How many calls wait for its stop. */
  terminating: number
  lastFailed: boolean
  /** Whether it waits to be ready. */
  unready: boolean
  /** Whether its backoff has ended, and it is left down. */
  failed: boolean
}

interface SupervisorState {
  readonly plan: SupervisorPlan
  readonly path: string
  readonly children: Array<ChildState>
  state: "starting" | "up" | "gave up" | "ended"
  /** The times of its restarts. */
  readonly restarts: Array<number>
  /** The positions of the children that it has stopped since it started one, but for those stopped by a call. */
  stopped: Array<number>
  /** The positions of the children that it has started in this initial start or group restart. */
  started: Array<number>
  restarting: ChildState | undefined
  aborted: boolean
}

/**
 * Reads a tree's events one by one and says what is wrong with them.
 *
 * It checks that children start in order and stop in reverse, one at a time; that each start is answered once, unless it
 * is aborted by a stop; that no incarnation begins before the one before has ended or been abandoned; that a supervisor
 * restarts no more often within its period than its intensity, restarts only whom the restart type says, and gives up
 * only when it must; and that nothing happens below a supervisor that has ended.
 */
export class EventCheck {
  readonly violations: Array<string> = []
  private readonly supervisors = new Map<string, SupervisorState>()
  private readonly children = new Map<string, { readonly supervisor: SupervisorState; readonly child: ChildState }>()
  private readonly root: SupervisorState
  private time = -Infinity

  constructor(path: string, plan: SupervisorPlan) {
    this.root = this.add(path, plan)
  }

  /** The paths of the children that run. */
  running(): ReadonlyArray<string> {
    return Array.from(this.children.values()).filter(({ child }) => child.state === "running").map(({ child }) =>
      child.path
    )
  }

  read(event: Event | CallNote): void {
    if (event._tag === "Terminating" || event._tag === "Terminated") {
      const found = this.children.get(event.path)
      if (found !== undefined) found.child.terminating += event._tag === "Terminating" ? 1 : -1
      return
    }
    const wrong = (problem: string) => {
      this.violations.push(`${event._tag} ${event.path} ${event.incarnation} at ${event.timeMillis}: ${problem}`)
    }
    if (event.timeMillis < this.time) wrong("time went back")
    this.time = event.timeMillis
    if (this.root.state === "ended") wrong("nothing happens after the root's end")
    if (event._tag.startsWith("Supervisor")) return this.ofSupervisor(event, wrong)
    const found = this.find(event.path)
    if (found === undefined) return wrong("there is no such child")
    this.ofChild(event, found.supervisor, found.child, wrong)
  }

  /** What is wrong with the whole, once the root has ended. */
  end(): ReadonlyArray<string> {
    // A root that was never up has no end of its own to tell.
    if (this.root.state === "up" || this.root.state === "gave up") this.violations.push("the root has not ended")
    for (const path of this.running()) this.violations.push(`${path} has not ended`)
    return this.violations
  }

  private ofSupervisor(event: Event, wrong: (problem: string) => void): void {
    const supervisor = this.supervisors.get(event.path)
    if (supervisor === undefined) return wrong("there is no such supervisor")
    switch (event._tag) {
      case "SupervisorStarted": {
        if (supervisor.state !== "starting") wrong(`it was ${supervisor.state}`)
        if (supervisor.children.some((child) => child.state === "starting")) wrong("a child is still starting")
        if (supervisor.children.some((child) => !child.startedOnce)) wrong("a child has not been started")
        supervisor.state = "up"
        supervisor.started = []
        return
      }
      case "SupervisorGaveUp": {
        if (supervisor.state !== "up") wrong(`it was ${supervisor.state}`)
        const exhausted = supervisor.children.some(({ plan }) => plan.id === event.child && plan.backoff === "escalate")
        if (supervisor.restarts.length < supervisor.plan.intensity && !exhausted) wrong("it had restarts left")
        supervisor.state = "gave up"
        supervisor.stopped = []
        return
      }
      case "SupervisorStopped": {
        if (supervisor.state !== "up" && supervisor.state !== "gave up") wrong(`it was ${supervisor.state}`)
        if ((event.reason._tag === "GaveUp") !== (supervisor.state === "gave up")) wrong("its reason is another")
        this.expectEnded(supervisor, wrong)
        supervisor.state = "ended"
      }
    }
  }

  private ofChild(
    event: Event,
    supervisor: SupervisorState,
    child: ChildState,
    wrong: (problem: string) => void
  ): void {
    const position = supervisor.children.indexOf(child)
    const busy = supervisor.children.find((other) => other !== child && other.state === "starting")
    if (supervisor.state === "ended") wrong("its supervisor has ended")
    if (busy !== undefined && !supervisor.aborted && event._tag !== "ChildHealthChanged") {
      // A start may go unanswered only because the supervisor is being stopped, which starts nothing more.
      if (event._tag !== "ChildStopped" && event._tag !== "ChildAbandoned") wrong(`${busy.path} is starting`)
      else supervisor.aborted = true
    }
    if (event._tag !== "ChildStarting" && event.incarnation !== child.incarnation) wrong("another incarnation is meant")
    switch (event._tag) {
      case "ChildStarting": {
        if (child.state !== "down") wrong(`the incarnation before is ${child.state}`)
        if (event.incarnation !== child.incarnation + 1) wrong(`the incarnation before was ${child.incarnation}`)
        if (supervisor.state === "gave up" || supervisor.aborted) wrong("its supervisor is being stopped")
        if (child.failed && supervisor.plan.strategy !== "one-for-one") wrong("it was to be left down")
        child.failed = false
        this.expectOrder(supervisor, child, position, wrong)
        this.forget(child, wrong)
        child.incarnation = event.incarnation
        child.state = "starting"
        child.unready = false
        child.startedOnce = true
        supervisor.stopped = []
        supervisor.started.push(position)
        if (child.plan.supervisor !== undefined) {
          const { name } = child.plan.supervisor
          this.add(name === undefined ? child.path : `${child.path}/${name}`, child.plan.supervisor)
        }
        return
      }
      case "ChildStarted":
      case "ChildIgnored":
      case "ChildStartFailed": {
        if (child.state !== "starting") wrong(`it is ${child.state}`)
        if (child.unready && event._tag !== "ChildStartFailed") wrong("its start was answered")
        if (event._tag === "ChildStarted" && child.plan.becomesReady === true) {
          child.unready = true
          return
        }
        child.state = event._tag === "ChildStarted" ? "running" : "down"
        child.lastFailed = event._tag === "ChildStartFailed"
        if (event._tag !== "ChildStarted") this.expectNoneBelow(child, wrong)
        if (event._tag === "ChildStartFailed" && supervisor.state === "starting") supervisor.aborted = true
        return
      }
      case "ChildReady": {
        if (child.state !== "starting" || !child.unready) wrong("it was not to become ready")
        child.state = "running"
        child.lastFailed = false
        return
      }
      case "ChildHealthChanged": {
        if (child.state !== "running") wrong(`it is ${child.state}`)
        if (child.plan.watched !== true) wrong("nobody watches it")
        return
      }
      case "ChildBackingOff": {
        if (child.state !== "leaving" && child.state !== "down") wrong(`it is ${child.state}`)
        if (!child.lastFailed) wrong("there was no exit or failed start to restart it for")
        if (supervisor.state !== "up") wrong(`its supervisor is ${supervisor.state}`)
        if (!(event.delayMillis > 0)) wrong("it does not wait")
        const waits = (other: ChildState) => other.plan.backoff !== undefined
        if (supervisor.plan.strategy === "one-for-one" ? !waits(child) : !supervisor.children.some(waits)) {
          wrong("it has no backoff")
        }
        child.state = "down"
        return
      }
      case "ChildFailed": {
        if (child.state !== "down") wrong(`it is ${child.state}`)
        if (child.plan.backoff !== "give-up") wrong("it is not to be left down")
        child.failed = true
        child.lastFailed = false
        return
      }
      case "ChildExited": {
        if (child.state !== "running") wrong(`it is ${child.state}`)
        if (!expectedVerdicts(child.plan, event.reason).includes(event.verdict)) {
          wrong(`verdict ${event.verdict}`)
        }
        child.state = event.verdict === "restart" ? "leaving" : "down"
        child.lastFailed = event.verdict === "restart"
        return
      }
      case "ChildRestarting": {
        if (child.state !== "leaving" && child.state !== "down") wrong(`it is ${child.state}`)
        if (!child.lastFailed) wrong("there was no exit or failed start to restart it for")
        if (supervisor.state !== "up") wrong(`its supervisor is ${supervisor.state}`)
        child.state = "down"
        const { intensity, periodMillis } = supervisor.plan
        supervisor.restarts.push(event.timeMillis)
        const first = supervisor.restarts.at(-1 - intensity)
        if (first !== undefined && event.timeMillis - first <= periodMillis) {
          wrong(`more than ${intensity} restarts in ${periodMillis} ms`)
        }
        supervisor.restarting = child
        supervisor.stopped = []
        supervisor.started = []
        return
      }
      case "ChildStopped": {
        const isUp = child.state === "running" || child.state === "leaving"
        if (!isUp && !isUnready(child)) wrong(`it is ${child.state}`)
        if (!isUp) supervisor.aborted = true
        child.state = "down"
        child.lastFailed = false
        this.expectNoneBelow(child, wrong)
        if (child.terminating > 0) return
        const before = supervisor.stopped.at(-1)
        if (before !== undefined && before <= position) wrong("an earlier child was stopped before it")
        supervisor.stopped.push(position)
        return
      }
      case "ChildAbandoned":
    }
  }

  // The order of an initial start and of a group restart is that of the list; it begins where the strategy says.
  private expectOrder(
    supervisor: SupervisorState,
    child: ChildState,
    position: number,
    wrong: (problem: string) => void
  ): void {
    const { restarting, started } = supervisor
    const before = started.at(-1)
    const { strategy } = supervisor.plan
    if (supervisor.state === "starting" || restarting !== undefined && strategy !== "one-for-one") {
      if (before !== undefined && position <= before) wrong("a later child was started before it")
    }
    if (restarting === undefined || started.length > 0) return
    if (strategy !== "one-for-all") {
      if (restarting !== child) wrong(`${restarting.path} is to be restarted`)
      if (strategy === "one-for-one") supervisor.restarting = undefined
    } else if (
      supervisor.children.some((other, index) =>
        index < position && other.plan.restart !== "temporary" && !other.failed
      )
    ) {
      wrong("the whole group is to be restarted")
    }
  }

  private expectNoneBelow(child: ChildState, wrong: (problem: string) => void): void {
    for (const path of this.running()) if (path.startsWith(`${child.path}/`)) wrong(`${path} still runs`)
  }

  private expectEnded(supervisor: SupervisorState, wrong: (problem: string) => void): void {
    for (const child of supervisor.children) {
      if (child.state === "running" || isUnready(child)) wrong(`${child.path} still runs`)
      else child.state = "down"
      this.expectNoneBelow(child, wrong)
    }
  }

  // What lived below an incarnation is gone with it.
  private forget(child: ChildState, wrong: (problem: string) => void): void {
    this.expectNoneBelow(child, wrong)
    for (const path of Array.from(this.children.keys())) {
      if (path.startsWith(`${child.path}/`)) this.children.delete(path)
    }
    for (const path of Array.from(this.supervisors.keys())) {
      if (path === child.path || path.startsWith(`${child.path}/`)) this.supervisors.delete(path)
    }
  }

  // A child that is not in the plan has been added by a call, at the end of the list.
  private find(path: string) {
    const known = this.children.get(path)
    if (known !== undefined) return known
    const slash = path.lastIndexOf("/")
    const supervisor = this.supervisors.get(path.slice(0, slash))
    if (supervisor === undefined || supervisor.state !== "up") return undefined
    return this.list(supervisor, { id: path.slice(slash + 1), restart: "permanent" })
  }

  private add(path: string, plan: SupervisorPlan): SupervisorState {
    const supervisor: SupervisorState = {
      plan,
      path,
      children: [],
      state: "starting",
      restarts: [],
      stopped: [],
      started: [],
      restarting: undefined,
      aborted: false
    }
    this.supervisors.set(path, supervisor)
    for (const child of plan.children) this.list(supervisor, child)
    return supervisor
  }

  private list(supervisor: SupervisorState, plan: ChildPlan) {
    const path = `${supervisor.path}/${plan.id}`
    const child: ChildState = {
      plan,
      path,
      incarnation: 0,
      state: "down",
      startedOnce: false,
      terminating: 0,
      lastFailed: false,
      unready: false,
      failed: false
    }
    supervisor.children.push(child)
    const entry = { supervisor, child }
    this.children.set(path, entry)
    return entry
  }
}

const expectedVerdicts = (
  { backoff, restart }: ChildPlan,
  reason: ExitReason.ExitReason
): ReadonlyArray<SupervisorEvent.Verdict> => {
  if (restart === "temporary") return ["remove", "shut-down"]
  if (restart === "transient" && ExitReason.isClean(reason)) return ["keep", "shut-down"]
  return backoff === "give-up" ? ["restart", "give-up", "fail"] : ["restart", "give-up"]
}

/** Whether a child has started, and waits to be ready. */
const isUnready = (child: ChildState): boolean => child.state === "starting" && child.unready
