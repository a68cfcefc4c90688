import type { SupervisionTree } from "coppice"
import type { ObservedChild, ObservedSupervisor, ObservedTree, Wrong } from "./observedTree.ts"
import { expectRunOver } from "./turns.ts"

type Node = SupervisionTree.Node

/** What a snapshot shows, by path. */
interface Shown {
  readonly children: Map<string, Node>
  readonly supervisors: Map<string, Node>
}

/** Checks that a snapshot shows what the events have said, as of a moment when nothing happens and all is read. */
export const compare = (
  tree: ObservedTree,
  root: SupervisionTree.SupervisionTree,
  wrongOf: (path: string) => Wrong
): void => {
  const shown: Shown = { children: new Map(), supervisors: new Map() }
  show(tree, root, shown)
  for (const supervisor of tree.supervisors) {
    if (supervisor.path !== root.path && !supervisor.path.startsWith(`${root.path}/`)) continue
    const node = shown.supervisors.get(supervisor.path)
    compareSupervisor(supervisor, node, wrongOf(supervisor.path))
    if (node?.state === "running" && supervisor.starting === undefined) {
      expectRunOver(supervisor, wrongOf(supervisor.path))
    }
    for (const child of supervisor.children.values()) {
      compareChild(child, shown.children.get(child.path), node, wrongOf(child.path))
    }
  }
  for (const node of shown.supervisors.values()) {
    if (hasEnded(node) || node.state === "starting" || tree.supervisor(node.path) !== undefined) continue
    wrongOf(node.path)(`no event has told of this supervisor, which is ${node.state}`)
  }
  for (const node of shown.children.values()) {
    if (node.incarnation === 0 || tree.child(node.path) !== undefined) continue
    // A dynamic supervisor forgets one whose start was called off when it comes to that.
    if (hasEnded(node) && tree.supervisorOf(node.path).supervisor?.mayBeDynamic === true) continue
    wrongOf(node.path)(`by the events there is no such child, which is ${node.state}`)
  }
}

const show = (tree: ObservedTree, node: Node, shown: Shown): void => {
  if (node.restart !== undefined) shown.children.set(node.path, node)
  if (tree.isAbandoned(node.path)) return
  if (node.supervisor !== undefined) shown.supervisors.set(node.path, node)
  for (const child of node.children) show(tree, child, shown)
}

const hasEnded = ({ state }: Node): boolean => state === "stopped" || state === "failed"

const compareSupervisor = ({ state }: ObservedSupervisor, node: Node | undefined, wrong: Wrong): void => {
  // The node of a child that is a supervisor has the state of the child, and is no supervisor any more when that ends.
  const lives = node !== undefined && (node.restart !== undefined || !hasEnded(node))
  if ((state === "up" || state === "gave up") && !lives) wrong(`by the events it is ${state}, and it has ended`)
  if (state === "ended" && lives) wrong("by the events it has ended, and it lives")
  if (state === "starting" && node?.restart === undefined && node?.state === "running") {
    wrong("by the events it is starting, and it is running")
  }
}

/** What the events may have said of a child in this state. */
const possible: Record<SupervisionTree.State, ReadonlyArray<ObservedChild["state"]>> = {
  starting: ["starting"],
  running: ["running"],
  restarting: ["leaving", "down"],
  // Its end is told when it is over, but for that of one that has left.
  stopping: ["starting", "running", "leaving", "down"],
  stopped: ["down"],
  failed: ["down"]
}

const compareChild = (
  child: ObservedChild,
  node: Node | undefined,
  supervisor: Node | undefined,
  wrong: Wrong
): void => {
  const { incarnation, state } = child
  const isDown = state === "down" || (state !== "running" && mayBeCutShort(child, supervisor))
  if (node === undefined) {
    if (!isDown) wrong(`by the events it is ${state}, and the tree does not have it`)
    return
  }
  if (!possible[node.state].includes(state) && !(isDown && hasEnded(node))) {
    wrong(`by the events it is ${state}, and it is ${node.state}`)
  }
  if (node.incarnation !== incarnation) {
    wrong(`by the events it is incarnation ${incarnation}, and it is ${node.incarnation}`)
  }
}

// No event tells of a start that was aborted or called off, or of a restart that was not made because of a stop; and while
// those are stopped that are restarted together, the one that left shows as stopped.
const mayBeCutShort = ({ supervisor }: ObservedChild, node: Node | undefined): boolean => {
  if (supervisor.handling || supervisor.mayBeDynamic) return true
  return node?.state !== "running" && node?.state !== "starting"
}
