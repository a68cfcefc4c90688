import type { Node, Settings } from "../SupervisionTree.ts"
import type { Entry } from "./children.ts"
import type { Spec } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** A supervisor and all below it, as it is at this moment. */
export const supervisorNode = (core: SupervisorCore): Node => ({
  path: core.path,
  id: core.path.slice(core.path.lastIndexOf("/") + 1),
  kind: "supervisor",
  supervisor: settingsOf(core),
  state: core.status,
  incarnation: core.incarnation,
  restarts: 0,
  ...(core.startedAtMillis === undefined ? undefined : { startedAtMillis: core.startedAtMillis }),
  ...(core.lastExit === undefined ? undefined : { lastExit: core.lastExit }),
  children: Array.from(core.children, childNode)
})

const settingsOf = ({ settings }: SupervisorCore): Settings => {
  const { autoShutdown, dynamic, intensity, periodMillis, strategy } = settings
  const rules = { strategy, intensity, periodMillis, autoShutdown }
  if (dynamic === undefined) return rules
  const { maxChildren } = dynamic
  return { ...rules, dynamic: true, ...(maxChildren === Infinity ? undefined : { maxChildren }) }
}

/** A node in the making: what there is nothing of it does not have. */
type Draft = { -readonly [Key in keyof Node]: Node[Key] }

const nothingBelow: ReadonlyArray<Node> = []

const childNode = (entry: Entry): Node => {
  const { incarnation, path, spec } = entry
  const node: Draft = {
    path,
    id: spec.id,
    kind: spec.kind,
    restart: spec.restart,
    state: entry.state,
    incarnation: entry.number,
    restarts: entry.restarts,
    children: nothingBelow
  }
  addTreatment(node, spec)
  if (entry.startedAtMillis !== undefined) node.startedAtMillis = entry.startedAtMillis
  const ready = isReady(entry)
  if (ready !== undefined) node.ready = ready
  const health = incarnation?.probing?.health
  if (health !== undefined) node.health = health
  if (incarnation?.details !== undefined) node.details = incarnation.details
  const { exitReason, exitedAtMillis } = entry
  if (exitReason !== undefined && exitedAtMillis !== undefined) {
    node.lastExit = { reason: exitReason, timeMillis: exitedAtMillis }
  }
  if (incarnation?.hasSupervisor === true) addSupervisors(node, incarnation.supervisors)
  return node
}

// The first supervisor under Child.supervisor is the child itself: one node for both.
const addSupervisors = (node: Draft, supervisors: Iterable<SupervisorCore>): void => {
  const children: Array<Node> = []
  for (const supervisor of supervisors) {
    const below = supervisorNode(supervisor)
    if (supervisor.path === node.path) {
      if (below.supervisor !== undefined) node.supervisor = below.supervisor
      children.push(...below.children)
    } else children.push(below)
  }
  node.children = children
}

// How its supervisor treats a child. Most have nothing but a restart type.
const addTreatment = (node: Draft, { care, significant }: Spec): void => {
  const { backoff, liveness, onExhausted, readiness } = care
  if (significant) node.significant = true
  if (backoff !== undefined) node.onExhausted = onExhausted
  if (readiness === undefined && liveness === undefined) return
  node.probes = [
    ...(readiness === undefined ? [] : ["readiness" as const]),
    ...(liveness === undefined ? [] : ["liveness" as const])
  ]
}

// A child that has not started, or has ended, is neither ready nor not.
const isReady = ({ incarnation, spec }: Entry): boolean | undefined => {
  if (spec.care.readiness === undefined || incarnation === undefined) return undefined
  if (incarnation.status === "running") return true
  return incarnation.status === "starting" && incarnation.probing !== undefined ? false : undefined
}
