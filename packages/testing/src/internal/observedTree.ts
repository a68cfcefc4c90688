import type { SupervisionTree, SupervisorEvent } from "coppice"
import { type ChildRules, Knowledge } from "./knowledge.ts"

type Verdict = SupervisorEvent.Verdict

/** Says that something is wrong with what is being read. */
export type Wrong = (problem: string) => void

/** A child, as its events show it. */
export class ObservedChild {
  readonly supervisor: ObservedSupervisor
  readonly id: string
  readonly path: string
  /** Its place in the list: those before it have a lower one. */
  readonly rank: number
  /** How it is treated, once that is known. */
  rules: ChildRules | undefined = undefined
  incarnation = 0
  /** `leaving`: it has left and is to be restarted. */
  state: "down" | "starting" | "running" | "leaving" = "down"
  /** Whether it has started and waits to be ready. */
  unready = false
  /** Whether it is not known if it has to become ready. */
  mayBecomeReady = false
  /** Whether its start was asked for by a call. */
  startedByCall = false
  /** Whether it is going to be restarted: it left, or did not start. */
  due = false
  /** Whether it waits for that, by its backoff. */
  waits = false
  /** Whether its backoff has ended, and it is left down. */
  failed = false
  /** Whether it was given up on though it was not to be restarted: only its own wish is a reason for that. */
  mustHaveEscalated = false
  /** Whether it is listed no more. */
  forgotten = false
  /** Whether all that its latest incarnation held has been released. */
  released = true
  /** How many noted calls wait for its stop. */
  terminating = 0
  /** Whether nothing was told of it since a noted call, which cancels the restart that is due. */
  mayBeCancelled = false
  /** Whether a call has been noted that deletes it once it is down. */
  mayBeDeleted = false
  /** The supervisors that live inside its latest incarnation. */
  readonly supervisors = new Map<string, ObservedSupervisor>()

  constructor(supervisor: ObservedSupervisor, id: string, rank: number) {
    this.supervisor = supervisor
    this.id = id
    this.path = `${supervisor.path}/${id}`
    this.rank = rank
  }

  /** It runs no more; if nothing is going to start it, it may be listed no more. */
  down(): void {
    this.state = "down"
    if (this.due) return
    if (this.rules?.restart === "temporary" || this.supervisor.settings?.dynamic === true) this.forget()
  }

  forget(): void {
    if (this.forgotten) return
    this.forgotten = true
    this.supervisor.forgotten.push(this)
  }
}

/** The children that are started one after another, without anything in between. */
export interface Run {
  readonly expected: ReadonlyArray<ObservedChild>
  /** Those of them that may have been deleted. */
  readonly optional: ReadonlySet<ObservedChild>
  /** Which of them is next. */
  next: number
  /** Whether a start has failed: only a `ChildFailed` of that child makes it go on. */
  paused: boolean
  /** The rule that has them started. */
  readonly rule: string
}

/** A supervisor, as its events show it. */
export class ObservedSupervisor {
  readonly path: string
  /** The child it lives in; none for a root. */
  readonly host: ObservedChild | undefined
  /** In the order of the list. */
  readonly children = new Map<string, ObservedChild>()
  /** Whether the list was known when the start began. */
  listIsKnown = false
  settings: SupervisionTree.Settings | undefined = undefined
  state: "starting" | "up" | "gave up" | "ended" = "starting"
  /** The child whose start has not been answered. */
  starting: ObservedChild | undefined = undefined
  /** The starts that are under way; `unknown` where it is not known who is to be started. */
  run: Run | "unknown" | undefined = undefined
  /** The child of a `ChildRestarting` that has not been followed by a start. */
  restarting: ObservedChild | undefined = undefined
  /** Whether it is handling an exit that is followed by a restart: no call comes in between. */
  handling = false
  /** Whether it is about to be stopped from outside, and does nothing else any more. */
  closing = false
  /** The latest exit, how it was judged, and when. */
  judged: { readonly child: ObservedChild; readonly verdict: Verdict; readonly atMillis: number } | undefined =
    undefined
  /** Whether it is being stopped: a start has failed or was aborted, or it has said so. */
  ending: "aborted" | "shut-down" | "give-up" | undefined = undefined
  /** Whom it gave up on and when that was decided. */
  gaveUp: { readonly child: ObservedChild | undefined; readonly atMillis: number } | undefined = undefined
  /** The times of its restarts, as far as they may be within its period. */
  restarts: Array<number> = []
  /** Whom it has stopped since it started somebody, but for those stopped by a call. */
  stopped: Array<ObservedChild> = []
  /** Those that are listed no more, but may still be told of. */
  forgotten: Array<ObservedChild> = []
  private nextRank = 0

  constructor(path: string, host: ObservedChild | undefined) {
    this.path = path
    this.host = host
  }

  /** Puts a child at the end of the list, in the place of one that had its id. */
  append(id: string): ObservedChild {
    const child = new ObservedChild(this, id, this.nextRank++)
    this.children.delete(id)
    this.children.set(id, child)
    return child
  }

  /** Lets go of those that are listed no more. */
  clear(): void {
    for (const child of this.forgotten) {
      if (child.forgotten && this.children.get(child.id) === child) this.children.delete(child.id)
    }
    this.forgotten = []
  }

  /** How many restarts are within the period as of some time (rule I3). */
  restartsWithin(periodMillis: number, atMillis: number): number {
    return this.restarts.filter((time) => time >= atMillis - periodMillis).length
  }

  /** Whether it is a dynamic supervisor, or may be one. */
  get mayBeDynamic(): boolean {
    return this.settings === undefined || this.settings.dynamic === true
  }

  /** Whether it is to start nothing more. */
  get isEnding(): boolean {
    return this.ending !== undefined || this.state === "gave up"
  }

  /** Whether it has ended, or was never up and nothing of it is left. */
  get isOver(): boolean {
    if (this.state !== "starting") return this.state === "ended"
    for (const { state } of this.children.values()) if (state === "running" || state === "leaving") return false
    return true
  }
}

/** The last part of a path, and what is before it. */
const split = (path: string) => {
  const slash = path.lastIndexOf("/")
  return { above: path.slice(0, Math.max(slash, 0)), id: path.slice(slash + 1) }
}

/** All supervisors and children, as their events show them. */
export class ObservedTree {
  readonly knowledge = new Knowledge()
  /** Whether every call that starts, stops or deletes a child is noted. */
  readonly callsAreNoted: boolean
  /** The paths of the children that calls have asked to start. */
  readonly called = new Set<string>()
  private readonly byPath = new Map<string, ObservedSupervisor>()
  /** The children that were abandoned with supervisors inside: two of one path may be alive, and cannot be told apart. */
  private readonly abandoned = new Set<string>()

  constructor(callsAreNoted: boolean) {
    this.callsAreNoted = callsAreNoted
  }

  get supervisors(): Iterable<ObservedSupervisor> {
    return this.byPath.values()
  }

  supervisor(path: string): ObservedSupervisor | undefined {
    return this.byPath.get(path)
  }

  /** The supervisor of a child, and the child's id. */
  supervisorOf(path: string): { readonly above: string; readonly id: string; supervisor?: ObservedSupervisor } {
    const { above, id } = split(path)
    const supervisor = this.byPath.get(above)
    return supervisor === undefined ? { above, id } : { above, id, supervisor }
  }

  child(path: string): ObservedChild | undefined {
    const { id, supervisor } = this.supervisorOf(path)
    return supervisor?.children.get(id)
  }

  /** All is closed from outside. Where a call may be in progress, that is the beginning of nothing. */
  close(): void {
    for (const supervisor of this.byPath.values()) {
      const { handling, path, starting } = supervisor
      supervisor.closing = !handling && starting === undefined && this.knowledge.isIdle(path)
    }
  }

  /** Whether a call may have asked for the start of a child. That of a dynamic supervisor has no name before it. */
  mayBeCalled({ path, supervisor }: ObservedChild): boolean {
    return !this.callsAreNoted || supervisor.mayBeDynamic || this.called.has(path)
  }

  /** A supervisor begins to start, for the first time or in the place of one that is over. */
  build(path: string, wrong: Wrong): ObservedSupervisor {
    const host = this.child(path) ?? this.child(split(path).above)
    if (host?.released === true) wrong(`${host.path}, in which it would live, does not live (R7)`)
    const supervisor = new ObservedSupervisor(path, host)
    const initial = this.knowledge.initial(path)
    if (initial !== undefined) {
      supervisor.listIsKnown = true
      supervisor.run = {
        expected: initial.map((id) => supervisor.append(id)),
        optional: new Set(),
        next: 0,
        paused: false,
        rule: "S1"
      }
    }
    this.byPath.set(path, supervisor)
    host?.supervisors.set(path, supervisor)
    return supervisor
  }

  /** What lived inside a child is gone with it. */
  dropInside(child: ObservedChild): void {
    for (const [path, supervisor] of child.supervisors) {
      if (this.byPath.get(path) === supervisor) this.byPath.delete(path)
      for (const below of supervisor.children.values()) this.dropInside(below)
    }
    child.supervisors.clear()
  }

  /** Nobody waits for what lives inside a child any more. */
  abandon(child: ObservedChild): void {
    if (Array.from(child.supervisors.values()).every(({ state }) => state === "ended")) return
    this.abandoned.add(child.path)
    this.dropInside(child)
  }

  /** Whether a supervisor's path is inside a child that was abandoned with supervisors in it. */
  isAbandoned(path: string): boolean {
    if (this.abandoned.size === 0) return false
    for (let above = path; above !== ""; above = split(above).above) if (this.abandoned.has(above)) return true
    return false
  }
}

/** All that lives inside a child must have ended. */
export const expectNothingInside = (child: ObservedChild, wrong: Wrong): void => {
  for (const supervisor of child.supervisors.values()) expectEnded(supervisor, wrong)
}

/** A supervisor and all below it must have ended. What has not is said once. */
export const expectEnded = (supervisor: ObservedSupervisor, wrong: Wrong): void => {
  expectChildrenEnded(supervisor, wrong)
  if (supervisor.state === "up" || supervisor.state === "gave up") wrong(`${supervisor.path} has not ended (T1)`)
  supervisor.state = "ended"
}

/** The children of a supervisor, and all below them, must have ended. */
export const expectChildrenEnded = (supervisor: ObservedSupervisor, wrong: Wrong): void => {
  for (const child of supervisor.children.values()) {
    if (child.state === "running" || child.state === "starting" && child.unready) wrong(`${child.path} still runs (T1)`)
    child.state = "down"
    expectNothingInside(child, wrong)
  }
}
