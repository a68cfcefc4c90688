import * as Equal from "effect/Equal"
import * as Scenario from "../Scenario.ts"
import { supervisorDefaults, workerDefaults } from "./scenarioDefaults.ts"
import { maySignify, supervisorsOf, workerName, workersOf } from "./scenarioTree.ts"

type Child = Scenario.Worker | Scenario.Supervisor

type Steps = ReadonlyArray<Scenario.Step>

type Candidate = readonly [tree: Scenario.Supervisor, steps: Steps]

/** A smaller tree, and what becomes of the steps that named what is gone. */
interface Smaller {
  readonly tree: Scenario.Supervisor
  /** Whose supervisor is asked instead. */
  readonly gone: string
  readonly parent: string
  /** The child that stands for all that is not there any more, if one does. */
  readonly heir: string | undefined
}

/**
 * What a scenario may shrink to next, much smaller ones first: fewer steps, fewer children, less nesting, plainer children,
 * plainer steps, and in the end plain names.
 */
export const shrinkScenario = ({ id, steps, tree }: Scenario.Scenario): ReadonlyArray<Scenario.Scenario> => {
  const smaller = [...smallerTrees(tree)]
  const candidates: ReadonlyArray<Candidate> = [
    ...fewerSteps(steps).map((steps): Candidate => [tree, steps]),
    ...smaller.map((smaller): Candidate => [smaller.tree, stepsAfter(smaller, steps)]),
    // A supervisor that gives up leaves cleanly, whatever its children did.
    ...smaller.map((smaller): Candidate => [smaller.tree, leavingCleanly(smaller, stepsAfter(smaller, steps))]),
    // It may take a step that names somebody who is not there.
    ...smaller.map((smaller): Candidate => [smaller.tree, steps]),
    ...thereFromTheStart(tree, steps),
    // With fewer restarts allowed, fewer exits may do.
    ...lessPatient(tree).flatMap((tree) => steps.map((_, index): Candidate => [tree, steps.toSpliced(index, 1)])),
    ...plainerTrees(tree).map((tree): Candidate => [tree, steps]),
    ...plainerSteps(steps).map((steps): Candidate => [tree, steps]),
    ...plainlyNamed(tree, steps)
  ]
  return candidates.map(([tree, steps]) => Scenario.make({ id, tree: sound(tree), steps })).filter(isTimely)
}

/** What a tree may shrink to next. */
export const shrinkTree = (tree: Scenario.Supervisor): ReadonlyArray<Scenario.Supervisor> =>
  [...Array.from(smallerTrees(tree), (smaller) => smaller.tree), ...plainerTrees(tree)]
    .map(sound)
    .filter((tree) => isTimely(Scenario.make({ tree, steps: [] })))

/** What steps may shrink to next where the tree is given. */
export const shrinkSteps = (steps: Steps): ReadonlyArray<Steps> => [...fewerSteps(steps), ...plainerSteps(steps)]

// With another parent or another restart type a child may not be significant any more.
const sound = (supervisor: Scenario.Supervisor): Scenario.Supervisor => ({
  ...supervisor,
  children: supervisor.children.map((child) => {
    const significant = child.significant && maySignify(child.restart, supervisor.autoShutdown)
    return { ...(child.type === "supervisor" ? sound(child) : child), significant }
  })
})

// A worker that is waited for takes time, and so is not found where a period may end.
const isTimely = ({ features, tree }: Scenario.Scenario): boolean =>
  !features.includes("ignoresShutdown") || supervisorsOf(tree).every(({ period }) => period === 3600)

// ---------------------------------------------------------------------------------------------------------------------
// Fewer steps, smaller trees
// ---------------------------------------------------------------------------------------------------------------------

// Without the first half, without the second, without the first quarter, and so on.
const fewerSteps = (steps: Steps): ReadonlyArray<Steps> => {
  const found: Array<Steps> = []
  for (let size = steps.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < steps.length; from += size) found.push(steps.toSpliced(from, size))
  }
  return found
}

function* smallerTrees(tree: Scenario.Supervisor): Iterable<Smaller> {
  const { id } = tree
  for (const below of supervisorsOf(tree).slice(1)) {
    const root = { ...below, id, restart: tree.restart, significant: tree.significant }
    yield { tree: root, gone: below.id, parent: id, heir: undefined }
  }
  yield* replacing(tree, () => [[]])
  yield* replacing(tree, () => [[]], "neighbour")
  yield* replacing(tree, (child) => child.type === "supervisor" ? [child.children] : [])
  yield* replacing(
    tree,
    ({ id, restart, significant, type }) =>
      type === "supervisor" ? [[Scenario.worker(id, { restart, significant })]] : []
  )
}

// All trees in which one child has given way to others. Its heir is who has its id now, or else is next to it.
function* replacing(
  supervisor: Scenario.Supervisor,
  by: (child: Child) => ReadonlyArray<ReadonlyArray<Child>>,
  otherwise?: "neighbour"
): Iterable<Smaller> {
  for (const [index, child] of supervisor.children.entries()) {
    for (const others of by(child)) {
      const children = supervisor.children.toSpliced(index, 1, ...others)
      const heir = others.find(({ id }) => id === child.id) ?? (otherwise && (children[index] ?? children[index - 1]))
      yield { tree: { ...supervisor, children }, gone: child.id, parent: supervisor.id, heir: heir?.id }
    }
    if (child.type === "worker") continue
    for (const smaller of replacing(child, by, otherwise)) {
      yield { ...smaller, tree: { ...supervisor, children: supervisor.children.with(index, smaller.tree) } }
    }
  }
}

// A step goes with the child that it names, unless another stands for it.
const stepsAfter = ({ gone, heir, parent, tree }: Smaller, steps: Steps): Steps => {
  const supervisors = new Set(supervisorsOf(tree).map(({ id }) => id))
  const children = new Set(supervisorsOf(tree).flatMap(({ children }) => children.map(({ id }) => id)))
  const standIn = (id: string) => children.has(id) ? id : heir
  return steps.flatMap((step) => {
    if (step.op === "advance" || step.op === "stop") return step
    if (step.op === "startChild") children.add(step.child.id)
    const id = standIn(step.op === "startChild" ? step.child.id : step.id)
    if (id === undefined) return []
    if (step.op === "exit") return { ...step, id }
    const supervisor = step.supervisor === gone ? parent : step.supervisor
    if (!supervisors.has(supervisor)) return []
    return step.op === "startChild" ? { ...step, supervisor } : { ...step, supervisor, id }
  })
}

const leavingCleanly = ({ heir }: Smaller, steps: Steps): Steps =>
  steps.map((step) => step.op === "exit" && step.id === heir ? { ...step, reason: "normal" } : step)

// Those that are started later, listed in the tree instead.
const thereFromTheStart = (tree: Scenario.Supervisor, steps: Steps): ReadonlyArray<Candidate> =>
  steps.flatMap((step, index): ReadonlyArray<Candidate> => {
    if (step.op !== "startChild" || workersOf(tree).some(({ id }) => id === step.child.id)) return []
    const withChild = (supervisor: Scenario.Supervisor) =>
      supervisor.id === step.supervisor ? [{ ...supervisor, children: [...supervisor.children, step.child] }] : []
    return changing(tree, () => [], withChild).map((tree) => [tree, steps.toSpliced(index, 1)])
  })

// ---------------------------------------------------------------------------------------------------------------------
// Plainer ones of the same size
// ---------------------------------------------------------------------------------------------------------------------

// All trees in which one node, the root too, is another.
const changing = (
  tree: Scenario.Supervisor,
  workers: (worker: Scenario.Worker) => ReadonlyArray<Scenario.Worker>,
  supervisors: (supervisor: Scenario.Supervisor) => ReadonlyArray<Scenario.Supervisor>
): ReadonlyArray<Scenario.Supervisor> => {
  const others = (child: Child) => child.type === "worker" ? workers(child) : supervisors(child)
  const below = replacing(tree, (child) => others(child).map((other) => [other]))
  return [...supervisors(tree), ...Array.from(below, ({ tree }) => tree)]
}

const lessPatient = (tree: Scenario.Supervisor): ReadonlyArray<Scenario.Supervisor> =>
  changing(tree, () => [], (supervisor) =>
    [0, supervisor.intensity - 1]
      .filter((intensity) => intensity >= 0 && intensity < supervisor.intensity)
      .map((intensity) => ({ ...supervisor, intensity })))

const plainerTrees = (tree: Scenario.Supervisor): ReadonlyArray<Scenario.Supervisor> =>
  changing(tree, plainerWorkers, plainerSupervisors)

const plainerSupervisors = (supervisor: Scenario.Supervisor): ReadonlyArray<Scenario.Supervisor> => [
  ...withOneDefault(supervisor, supervisorDefaults),
  ...supervisor.intensity > 2 ? [{ ...supervisor, intensity: supervisor.intensity - 1 }] : []
]

const plainerWorkers = (worker: Scenario.Worker): ReadonlyArray<Scenario.Worker> => [
  ...withOneDefault(worker, workerDefaults),
  ...worker.start.flatMap((outcome, index) => [
    { ...worker, start: worker.start.toSpliced(index, 1) },
    ...outcome === "ok" ? [] : [{ ...worker, start: worker.start.with(index, "ok") }]
  ])
]

const withOneDefault = <A extends Child>(child: A, defaults: Partial<A>): ReadonlyArray<A> =>
  Object.entries({ ...child, ...defaults }).flatMap(([field, value]) =>
    Equal.equals(child[field as keyof A], value) ? [] : { ...child, [field]: value }
  )

const plainerSteps = (steps: Steps): ReadonlyArray<Steps> =>
  steps.flatMap((step, index) => plainerStep(step).map((step) => steps.with(index, step)))

const plainerReasons = { crash: [], normal: ["crash"], shutdown: ["crash", "normal"], kill: ["crash"] } as const

const plainerStep = (step: Scenario.Step): Steps => {
  switch (step.op) {
    case "exit":
      return [{ op: "stop" }, ...plainerReasons[step.reason].map((reason) => ({ ...step, reason }))]
    case "startChild":
      return plainerWorkers(step.child).map((child) => ({ ...step, child }))
    case "advance":
      return [1000, 1001, 2500].filter((ms) => ms < step.ms).map((ms) => ({ ...step, ms }))
    case "stop":
      return []
    default:
      return [{ op: "stop" }]
  }
}

// The names of a tree that nothing was taken out of; those that are not in it are `new1` and so on.
const plainlyNamed = (tree: Scenario.Supervisor, steps: Steps): ReadonlyArray<Candidate> => {
  const names = new Map([[tree.id, tree.id]])
  for (const [index, { id }] of supervisorsOf(tree).slice(1).entries()) names.set(id, `s${index + 1}`)
  for (const [index, { id }] of workersOf(tree).entries()) names.set(id, workerName(index))
  const others = new Set(steps.flatMap(idsIn).filter((id) => !names.has(id)))
  for (const [index, id] of [...others].entries()) names.set(id, `new${index + 1}`)
  const nameOf = (id: string) => names.get(id)!

  const named = (supervisor: Scenario.Supervisor): Scenario.Supervisor => ({
    ...supervisor,
    id: nameOf(supervisor.id),
    children: supervisor.children.map((child) =>
      child.type === "supervisor" ? named(child) : { ...child, id: nameOf(child.id) }
    )
  })
  const candidate: Candidate = [named(tree), steps.map((step) => withIds(step, nameOf))]
  return Equal.equals(candidate, [tree, steps]) ? [] : [candidate]
}

const idsIn = (step: Scenario.Step): ReadonlyArray<string> => {
  const ids: Array<string> = []
  withIds(step, (id) => {
    ids.push(id)
    return id
  })
  return ids
}

const withIds = (step: Scenario.Step, nameOf: (id: string) => string): Scenario.Step => {
  switch (step.op) {
    case "advance":
    case "stop":
      return step
    case "exit":
      return { ...step, id: nameOf(step.id) }
    case "startChild":
      return { ...step, supervisor: nameOf(step.supervisor), child: { ...step.child, id: nameOf(step.child.id) } }
    default:
      return { ...step, supervisor: nameOf(step.supervisor), id: nameOf(step.id) }
  }
}
