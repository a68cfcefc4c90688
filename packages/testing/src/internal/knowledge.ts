import type { SupervisionTree } from "coppice"

type Node = SupervisionTree.Node

/** How a child is treated. */
export interface ChildRules {
  readonly restart: NonNullable<Node["restart"]>
  readonly significant: boolean
  /** What follows when its backoff has ended; undefined where it has none. */
  readonly onExhausted: Node["onExhausted"]
  /** Whether it has started only when it is ready. */
  readonly becomesReady: boolean
  /** Whether its health is watched. */
  readonly isWatched: boolean
}

/** What is known of a supervisor. */
interface KnownSupervisor {
  readonly settings: SupervisionTree.Settings
  /** The ids of the children it starts with, in order. */
  readonly initial: ReadonlyArray<string> | undefined
  /** The ids of its children by the latest snapshot. */
  readonly listed: ReadonlySet<string>
  /** The ids that were listed once, and are no more; not of a dynamic supervisor, where there is no end to them. */
  readonly unlisted: ReadonlySet<string>
  /** Whether it was neither starting nor stopping a child in the latest snapshot, so that no call was in progress. */
  readonly isIdle: boolean
}

/**
 * What snapshots have said of the rules in a tree. It may run ahead of the events: of each path the latest is known.
 */
export class Knowledge {
  private readonly supervisors = new Map<string, KnownSupervisor>()
  private readonly children = new Map<string, ChildRules>()

  learn(node: Node): void {
    if (node.restart !== undefined) this.learnChild(node, node.restart)
    if (node.supervisor !== undefined) this.learnSupervisor(node, node.supervisor)
    for (const child of node.children) this.learn(child)
  }

  settings(path: string): SupervisionTree.Settings | undefined {
    return this.supervisors.get(path)?.settings
  }

  initial(path: string): ReadonlyArray<string> | undefined {
    return this.supervisors.get(path)?.initial
  }

  rules(path: string): ChildRules | undefined {
    return this.children.get(path)
  }

  /** Whether the child of a supervisor is known to be listed no more. */
  isUnlisted(supervisor: string, id: string): boolean {
    return this.supervisors.get(supervisor)?.unlisted.has(id) === true
  }

  /** Whether no call was in progress in a supervisor. */
  isIdle(path: string): boolean {
    return this.supervisors.get(path)?.isIdle === true
  }

  private learnChild({ onExhausted, path, probes, significant }: Node, restart: ChildRules["restart"]): void {
    this.children.set(path, {
      restart,
      significant: significant === true,
      onExhausted,
      becomesReady: probes?.includes("readiness") === true,
      isWatched: probes?.includes("liveness") === true
    })
  }

  private learnSupervisor(node: Node, settings: SupervisionTree.Settings): void {
    const known = this.supervisors.get(node.path)
    // What has no restart type is no child, but a supervisor beside this one in the same child.
    const children = node.children.filter(({ restart }) => restart !== undefined)
    const listed = new Set(children.map(({ id }) => id))
    const unlisted = settings.dynamic === true ? none : withoutListed(known, listed)
    const initial = isInitial(node, children, known?.initial) ? Array.from(listed) : known?.initial
    const isIdle = children.every(({ state }) => state !== "starting" && state !== "stopping")
    this.supervisors.set(node.path, { settings, initial, listed, unlisted, isIdle })
  }
}

const none: ReadonlySet<string> = new Set()

const withoutListed = (known: KnownSupervisor | undefined, listed: ReadonlySet<string>): ReadonlySet<string> => {
  const unlisted = new Set([...known?.unlisted ?? none, ...known?.listed ?? none])
  for (const id of listed) unlisted.delete(id)
  return unlisted
}

/**
 * Whether a snapshot shows the list a supervisor begins with, better than what is known. Later in the same start it may
 * lack a temporary child that had nothing to run.
 */
const isInitial = (node: Node, children: ReadonlyArray<Node>, known: ReadonlyArray<string> | undefined): boolean => {
  if (node.state !== "starting" || node.supervisor?.dynamic === true) return false
  const isFresh = children.filter(({ incarnation }) => incarnation > 0).length <= 1
  return isFresh || known === undefined || children.some(({ id }) => !known.includes(id))
}
