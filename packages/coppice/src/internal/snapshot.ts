import type { Node, Settings } from "../SupervisionTree.ts"
import type { Entry } from "./children.ts"
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

// The first supervisor under Child.supervisor is the child itself: one node for both.
const childNode = (entry: Entry): Node => {
  const { path, spec } = entry
  const health = entry.incarnation?.probing?.health
  const details = entry.incarnation?.details
  const ready = isReady(entry)
  const children: Array<Node> = []
  let settings: Settings | undefined
  for (const supervisor of entry.incarnation?.supervisors ?? []) {
    const node = supervisorNode(supervisor)
    if (supervisor.path === path) {
      settings = node.supervisor
      children.push(...node.children)
    } else children.push(node)
  }
  return {
    path,
    id: spec.id,
    kind: spec.kind,
    ...treatment(entry),
    ...(settings === undefined ? undefined : { supervisor: settings }),
    state: entry.state,
    incarnation: entry.number,
    restarts: entry.restarts,
    ...(entry.startedAtMillis === undefined ? undefined : { startedAtMillis: entry.startedAtMillis }),
    ...(ready === undefined ? undefined : { ready }),
    ...(health === undefined ? undefined : { health }),
    ...(details === undefined ? undefined : { details }),
    ...(entry.exitReason === undefined || entry.exitedAtMillis === undefined
      ? undefined
      : { lastExit: { reason: entry.exitReason, timeMillis: entry.exitedAtMillis } }),
    children
  }
}

// How its supervisor treats a child. Most have nothing but a restart type.
const treatment = ({ spec }: Entry): Pick<Node, "restart" | "significant" | "onExhausted" | "probes"> => {
  const { care, restart, significant } = spec
  const { backoff, liveness, onExhausted, readiness } = care
  return {
    restart,
    ...(significant ? { significant } : undefined),
    ...(backoff === undefined ? undefined : { onExhausted }),
    ...(readiness === undefined && liveness === undefined ? undefined : {
      probes: [
        ...(readiness === undefined ? [] : ["readiness" as const]),
        ...(liveness === undefined ? [] : ["liveness" as const])
      ]
    })
  }
}

// A child that has not started, or has ended, is neither ready nor not.
const isReady = ({ incarnation, spec }: Entry): boolean | undefined => {
  if (spec.care.readiness === undefined || incarnation === undefined) return undefined
  if (incarnation.status === "running") return true
  return incarnation.status === "starting" && incarnation.probing !== undefined ? false : undefined
}
