import type { SupervisionTree } from "coppice"
import type { ObservedChild, ObservedSupervisor, ObservedTree, Run, Wrong } from "./observedTree.ts"

/** Checks that it is this child's turn to be started, where it is known whose turn it is. */
export const expectTurn = (tree: ObservedTree, child: ObservedChild, timeMillis: number, wrong: Wrong): void => {
  const { supervisor } = child
  const { restarting } = supervisor
  if (restarting !== undefined) {
    supervisor.restarting = undefined
    // The stops before it do not age the record (rule I5).
    supervisor.restarts[supervisor.restarts.length - 1] = timeMillis
    supervisor.run = beginRun(tree, supervisor, restarting, wrong)
  } else if (isPaused(supervisor)) supervisor.run = undefined
  if (typeof supervisor.run === "object") supervisor.run = takeTurn(supervisor.run, child, wrong)
  child.startedByCall = supervisor.state === "up" && supervisor.run === undefined
  if (child.startedByCall && !tree.mayBeCalled(child)) wrong("neither a restart nor a call asks for its start")
  if (typeof supervisor.run === "object" && supervisor.run.next >= supervisor.run.expected.length) {
    supervisor.run = undefined
  }
}

// Answers what goes on: nothing where the others that might be started need not be, and this start is for a call.
const takeTurn = (run: Run, child: ObservedChild, wrong: Wrong): Run | undefined => {
  const turn = run.expected.indexOf(child, run.next)
  const before = run.expected.slice(run.next, turn < 0 ? undefined : turn).find((other) => !run.optional.has(other))
  if (before === undefined && turn < 0) return undefined
  if (child.failed) wrong(`its backoff has ended: it is to be left down (${run.rule})`)
  else if (before !== undefined) wrong(`${before.path} is to be started before it (${run.rule})`)
  if (turn >= 0) run.next = turn + 1
  return run
}

/** Checks that none was left out of the starts that came last. */
export const expectRunOver = ({ run }: ObservedSupervisor, wrong: Wrong): void => {
  if (typeof run !== "object" || run.paused) return
  const left = run.expected.slice(run.next).find((child) => !run.optional.has(child))
  if (left !== undefined) wrong(`${left.path} was to be started before that (${run.rule})`)
}

/** Whether a start has failed, so that calls may come before another. */
export const isPaused = ({ run }: ObservedSupervisor): boolean => typeof run === "object" && run.paused

/** The children that a restart touches (rules G1–G3). */
export const affected = (
  supervisor: ObservedSupervisor,
  strategy: SupervisionTree.Settings["strategy"],
  child: ObservedChild
): ReadonlyArray<ObservedChild> => {
  if (strategy === "one-for-one") return [child]
  const all = Array.from(supervisor.children.values())
  return strategy === "one-for-all" ? all : all.filter(({ rank }) => rank >= child.rank)
}

const rules = { "one-for-one": "G1", "one-for-all": "G2", "rest-for-one": "G3" }

// The first start of a restart: what it touches has been stopped, and nothing else; it is started in order, but for those
// that are listed no more or left down.
const beginRun = (
  tree: ObservedTree,
  supervisor: ObservedSupervisor,
  first: ObservedChild,
  wrong: Wrong
): Run | "unknown" => {
  const { settings } = supervisor
  if (settings === undefined) return "unknown"
  const range = affected(supervisor, settings.strategy, first)
  const rule = rules[settings.strategy]
  expectStopped(range, rule, wrong)
  const spared = new Set(supervisor.stopped)
  for (const child of range) spared.delete(child)
  for (const child of spared) {
    wrong(`${child.path} was stopped, which the restart of ${first.path} spares (${rule})`)
  }
  if (settings.strategy !== "one-for-one" && range.some((child) => child.rules === undefined)) return "unknown"
  const expected = range.filter((child) =>
    child === first || !(child.forgotten || child.failed || child.rules?.restart === "temporary")
  )
  const optional = expected.filter((child) =>
    child !== first && (child.mayBeDeleted || tree.knowledge.isUnlisted(supervisor.path, child.id))
  )
  return { expected, optional: new Set(optional), next: 0, paused: false, rule }
}

/** Checks that the children that are restarted together are all stopped. */
export const expectStopped = (range: ReadonlyArray<ObservedChild>, rule: string, wrong: Wrong): void => {
  for (const child of range) if (child.state === "running") wrong(`${child.path} is to be stopped before (${rule})`)
}

/** Checks that a child is stopped after those behind it, where its stop can only be part of a stop of several. */
export const expectStopOrder = (tree: ObservedTree, child: ObservedChild, wrong: Wrong): void => {
  const { supervisor } = child
  if (child.terminating > 0 || !isOrdered(tree, child)) return
  const before = supervisor.stopped.at(-1)
  if (before !== undefined && before.rank < child.rank) wrong(`${before.path} was stopped before it (T1)`)
  supervisor.stopped.push(child)
}

// A dynamic supervisor stops all at once (rule D6). In between, a call may have stopped any child.
const isOrdered = (tree: ObservedTree, { supervisor }: ObservedChild): boolean => {
  const { closing, handling, isEnding, mayBeDynamic, state } = supervisor
  if (mayBeDynamic) return false
  return tree.callsAreNoted || state !== "up" || handling || isEnding || closing
}
