/**
 * Makes up supervision scenarios.
 *
 * Each scenario follows one of a few themes, which say how likely each kind of
 * tree and step is, so that rare things (three levels giving up at once, a
 * restart failing halfway) are not rare here. The generator knows nothing of
 * what a supervisor will do: some steps turn out to do nothing, and
 * {@link tidy} takes them out once a run has shown which.
 */
import type { Weighted } from "./random.ts"
import * as Random from "./random.ts"
import type {
  AutoShutdown,
  Child,
  Entry,
  LeaveReason,
  Restart,
  Scenario,
  Shutdown,
  StartOutcome,
  Step,
  Strategy,
  Supervisor,
  Worker
} from "./scenario.ts"
import { supervisorsOf, withoutDefaults } from "./scenario.ts"

const levelsMax = 3
const stepsMax = 12
const advancesMax = 2
const advanceMillis = 2500
const childrenMax = 4

/** One for each node that a tree can have besides its root. */
const workerNames = "abcdefghijk"

/** Seconds no scenario lives to see the end of. */
const periodNever = 3600

type Move =
  | "leave"
  | "terminate"
  | "restart"
  | "delete"
  | "add"
  | "again"
  | "bounce"
  | "renew"
  | "advance"

interface Theme {
  readonly levels: Weighted<number>
  readonly restart: Weighted<Restart>
  /** The restart types of workers whose supervisor may shut itself down. */
  readonly restartUnderAuto: Weighted<Restart>
  readonly supervisorRestart: Weighted<Restart>
  readonly autoShutdown: Weighted<AutoShutdown>
  readonly rootIntensity: Weighted<number>
  readonly intensity: Weighted<number>
  /** How likely it is that a worker's later starts do not all succeed. */
  readonly failing: number
  readonly moves: Weighted<Move>
  readonly reasons: Weighted<LeaveReason>
  /** How likely it is that the worker that left last leaves again. */
  readonly insistence: number
  /** How likely it is that the next to leave is a significant worker, cleanly. */
  readonly ceremony: number
  /** How likely it is that the next to leave is one of the deepest workers. */
  readonly depth: number
  /** Whether restart periods end while the scenario runs. */
  readonly clock: boolean
}

const everyday: Theme = {
  levels: [[1, 22], [2, 40], [3, 38]],
  restart: [["permanent", 50], ["transient", 30], ["temporary", 20]],
  restartUnderAuto: [["permanent", 20], ["transient", 49], ["temporary", 31]],
  supervisorRestart: [["permanent", 62], ["transient", 23], ["temporary", 15]],
  autoShutdown: [["never", 64], ["any_significant", 17], ["all_significant", 19]],
  rootIntensity: [[0, 10], [1, 28], [2, 28], [3, 18], [5, 11], [10, 5]],
  intensity: [[0, 13], [1, 30], [2, 27], [3, 15], [5, 10], [10, 5]],
  failing: 0.38,
  moves: [
    ["leave", 66],
    ["terminate", 7],
    ["restart", 6],
    ["delete", 5],
    ["add", 8],
    ["again", 5],
    ["bounce", 8],
    ["renew", 4]
  ],
  reasons: [["crash", 50], ["kill", 16], ["normal", 18], ["shutdown", 16]],
  insistence: 0.45,
  ceremony: 0.1,
  depth: 0,
  clock: false
}

const cascade: Theme = {
  ...everyday,
  levels: [[2, 25], [3, 75]],
  restart: [["permanent", 78], ["transient", 18], ["temporary", 4]],
  supervisorRestart: [["permanent", 88], ["transient", 8], ["temporary", 4]],
  autoShutdown: [["never", 92], ["any_significant", 4], ["all_significant", 4]],
  rootIntensity: [[0, 16], [1, 26], [2, 24], [3, 22], [5, 12]],
  intensity: [[0, 42], [1, 46], [2, 12]],
  failing: 0.55,
  moves: [["leave", 88], ["terminate", 3], ["restart", 2], ["add", 4], ["bounce", 3]],
  reasons: [["crash", 78], ["kill", 16], ["normal", 6]],
  insistence: 0.75,
  depth: 0.65
}

const departure: Theme = {
  ...everyday,
  supervisorRestart: [["permanent", 20], ["transient", 50], ["temporary", 30]],
  autoShutdown: [["never", 8], ["any_significant", 42], ["all_significant", 50]],
  ceremony: 0.6,
  insistence: 0.2
}

const calls: Theme = {
  ...everyday,
  failing: 0.58,
  moves: [
    ["leave", 22],
    ["terminate", 16],
    ["restart", 14],
    ["delete", 10],
    ["add", 12],
    ["again", 11],
    ["bounce", 14],
    ["renew", 8]
  ]
}

const clock: Theme = {
  ...cascade,
  levels: [[1, 55], [2, 35], [3, 10]],
  autoShutdown: [["never", 95], ["any_significant", 5]],
  rootIntensity: [[0, 8], [1, 50], [2, 42]],
  intensity: [[0, 8], [1, 50], [2, 42]],
  failing: 0.12,
  moves: [["leave", 64], ["terminate", 2], ["add", 3], ["bounce", 3], ["advance", 28]],
  depth: 0,
  clock: true
}

const themes: Weighted<Theme> = [[everyday, 44], [cascade, 17], [departure, 14], [calls, 12], [clock, 14]]

/** What is settled for one scenario before it is made. */
interface Plan {
  readonly random: Random.Random
  readonly theme: Theme
  readonly levels: number
  /** Whether starts may be ignored. */
  readonly ignore: boolean
  /** Whether workers may ignore a shutdown request. */
  readonly stubborn: boolean
  /** Whether a first start may fail. */
  readonly broken: boolean
}

/** The scenario of a seed with a given number, its steps not yet tidied. */
export const generate = (seed: number, number: number, id: string): Scenario => {
  const random = Random.make(seed, number)
  const theme = random.weighted(themes)
  const plan: Plan = {
    random,
    theme,
    levels: random.weighted(theme.levels),
    ignore: random.chance(0.11),
    stubborn: !theme.clock && random.chance(0.5),
    broken: random.chance(0.035)
  }
  const tree = growTree(plan)
  return { id, tree, steps: planSteps(plan, tree) }
}

// ---- The tree

/** How many more nodes a tree may get, and how many of each kind it has. */
interface Supplies {
  nodes: number
  supervisors: number
  workers: number
}

const growTree = (plan: Plan): Supervisor =>
  growSupervisor(plan, {
    nodes: plan.levels === 1 ? plan.random.between(2, 6) : plan.random.between(5, 11),
    supervisors: 0,
    workers: 0
  }, { id: "root", level: 1, above: "never" })

const growSupervisor = (
  plan: Plan,
  supplies: Supplies,
  place: { readonly id: string; readonly level: number; readonly above: AutoShutdown }
): Supervisor => {
  const { random, theme } = plan
  const autoShutdown = random.weighted(theme.autoShutdown)
  const restart = place.level === 1 ? "permanent" : random.weighted(theme.supervisorRestart)
  const mayBeSignificant = place.above !== "never" && restart !== "permanent"
  return withoutDefaults({
    id: place.id,
    type: "supervisor",
    strategy: random.weighted<Strategy>([["one_for_one", 6], ["one_for_all", 7], ["rest_for_one", 8]]),
    intensity: random.weighted(place.level === 1 ? theme.rootIntensity : theme.intensity),
    period: theme.clock && (place.level === 1 || random.chance(0.85)) ? 1 : periodNever,
    autoShutdown,
    restart,
    significant: mayBeSignificant && random.chance(0.65),
    children: growChildren(plan, supplies, { level: place.level, autoShutdown })
  })
}

const growChildren = (
  plan: Plan,
  supplies: Supplies,
  place: { readonly level: number; readonly autoShutdown: AutoShutdown }
): ReadonlyArray<Child> => {
  const { random } = plan
  const wanted = random.between(place.level === 1 || random.chance(0.85) ? 2 : 1, childrenMax)
  const children: Array<Child> = []
  while (children.length < wanted && supplies.nodes > 0) {
    supplies.nodes -= 1
    const isLastChance = children.length === wanted - 1 && children.every(({ type }) => type === "worker")
    const mayNest = place.level < Math.min(plan.levels, levelsMax) && supplies.nodes > 0
    children.push(
      mayNest && (isLastChance || random.chance(0.35))
        ? growSupervisor(plan, supplies, {
          id: `s${++supplies.supervisors}`,
          level: place.level + 1,
          above: place.autoShutdown
        })
        : makeWorker(plan, workerNames.charAt(supplies.workers++), {
          autoShutdown: place.autoShutdown,
          firstFails: plan.broken && random.chance(0.25)
        })
    )
  }
  return random.shuffled(children)
}

// ---- Workers

const makeWorker = (plan: Plan, id: string, options: {
  readonly autoShutdown: AutoShutdown
  readonly firstFails: boolean
  /** Whether the worker comes by startChild, where OTP refuses what does not go together. */
  readonly added?: boolean
}): Worker => {
  const { random, theme } = plan
  const restart = random.weighted(options.autoShutdown === "never" ? theme.restart : theme.restartUnderAuto)
  const mayBeSignificant = options.autoShutdown !== "never" && restart !== "permanent"
  const ignoresShutdown = plan.stubborn && random.chance(0.08)
  return withoutDefaults({
    id,
    type: "worker",
    restart,
    significant: mayBeSignificant && random.chance(0.6) || options.added === true && random.chance(0.05),
    shutdown: random.weighted<Shutdown>(
      ignoresShutdown
        ? [[30, 3], [50, 3], ["brutal_kill", 1]]
        : [[5000, 70], ["brutal_kill", 15], ["infinity", 9], [1000, 6]]
    ),
    start: options.firstFails ? failingFirst(plan) : startOutcomes(plan),
    ignoresShutdown
  })
}

const failingFirst = ({ ignore, random }: Plan): ReadonlyArray<StartOutcome> => {
  if (random.chance(ignore ? 0.5 : 0)) return ["ignore"]
  return random.chance(0.75) ? ["fail"] : ["fail", "fail"]
}

const startOutcomes = ({ ignore, random, theme }: Plan): ReadonlyArray<StartOutcome> => {
  if (ignore && random.chance(0.15)) {
    return random.weighted<ReadonlyArray<StartOutcome>>([[["ignore"], 4], [["ok", "ignore"], 5], [
      ["ignore", "fail"],
      1
    ]])
  }
  if (!random.chance(theme.failing)) return []
  const outcomes: Array<StartOutcome> = [
    ...repeat("ok", random.weighted([[1, 8], [2, 4], [3, 1]])),
    ...repeat("fail", random.weighted([[1, 7], [2, 4], [3, 2], [4, 1], [6, 1]]))
  ]
  if (random.chance(0.25)) outcomes.push("ok", ...repeat("fail", random.between(1, 3)))
  if (ignore && random.chance(0.5)) outcomes[random.between(1, outcomes.length - 1)] = "ignore"
  return outcomes
}

const repeat = (outcome: StartOutcome, times: number): ReadonlyArray<StartOutcome> =>
  Array.from({ length: times }, () => outcome)

// ---- The steps

/** What the steps so far have named and, as far as one can tell from the steps alone, brought down. */
interface Story {
  readonly plan: Plan
  readonly supervisors: ReadonlyMap<string, Supervisor>
  /** The supervisor of each child. An id stays with it throughout. */
  readonly home: Map<string, string>
  readonly workers: Map<string, Worker>
  readonly deepest: ReadonlyArray<string>
  readonly steps: Array<Step>
  readonly significant: Array<string>
  readonly finished: Set<string>
  readonly stopped: Array<string>
  focus: string | undefined
}

const planSteps = (plan: Plan, tree: Supervisor): ReadonlyArray<Step> => {
  const story = beginStory(plan, tree)
  const length = plan.random.weighted([[4, 2], [6, 3], [8, 3], [10, 2], [stepsMax, 1]])
  while (story.steps.length < length) moves[plan.random.weighted(plan.theme.moves)](story)
  const steps = story.steps.slice(0, stepsMax)
  return plan.random.chance(0.4) ? [...steps.slice(0, stepsMax - 1), { op: "stop" }] : steps
}

const beginStory = (plan: Plan, tree: Supervisor): Story => {
  const supervisors = supervisorsOf(tree)
  const home = new Map(supervisors.flatMap(({ children, id }) => children.map((child) => [child.id, id] as const)))
  const workers = supervisors.flatMap(({ children }) => children.filter((child) => child.type === "worker"))
  const levelOf = (id: string): number => id === "root" ? 0 : 1 + levelOf(home.get(id) ?? "root")
  const level = Math.max(...workers.map(({ id }) => levelOf(id)))
  return {
    plan,
    supervisors: new Map(supervisors.map((supervisor) => [supervisor.id, supervisor])),
    home,
    workers: new Map(workers.map((worker) => [worker.id, worker])),
    deepest: workers.map(({ id }) => id).filter((id) => levelOf(id) === level),
    steps: [],
    significant: plan.random.shuffled(workers.filter(({ significant }) => significant).map(({ id }) => id)),
    finished: new Set(),
    stopped: [],
    focus: undefined
  }
}

const chooseLeaver = (story: Story): { readonly id: string; readonly reason: LeaveReason } => {
  const { random, theme } = story.plan
  if (random.chance(theme.ceremony)) {
    const id = story.significant.pop()
    if (id !== undefined) {
      return { id, reason: random.weighted<LeaveReason>([["normal", 6], ["shutdown", 3], ["crash", 1]]) }
    }
  }
  const reason = random.weighted(theme.reasons)
  if (story.focus !== undefined && random.chance(theme.insistence)) return { id: story.focus, reason }
  const known = random.chance(theme.depth) ? story.deepest : [...story.workers.keys()]
  const running = random.chance(0.9) ? known.filter((id) => !story.finished.has(id)) : known
  return { id: random.element(running.length > 0 ? running : [...story.workers.keys()]), reason }
}

const leave = (story: Story) => {
  const { id, reason } = chooseLeaver(story)
  const restart = story.workers.get(id)?.restart ?? "permanent"
  const isClean = reason === "normal" || reason === "shutdown"
  story.steps.push({ op: "exit", id, reason })
  if (restart === "temporary" || restart === "transient" && isClean) {
    story.finished.add(id)
    story.stopped.push(id)
    story.focus = undefined
  } else {
    story.focus = id
  }
}

// Now and then the wrong supervisor is asked for a child.
const addressee = ({ home, plan, supervisors }: Story, id: string): string =>
  plan.random.chance(0.07) ? plan.random.element([...supervisors.keys()]) : home.get(id) ?? "root"

const ask = (story: Story, op: "terminateChild" | "restartChild" | "deleteChild", id: string) => {
  story.steps.push({ op, supervisor: addressee(story, id), id })
  if (op === "terminateChild") {
    story.stopped.push(id)
    story.finished.add(id)
  } else {
    story.finished.delete(id)
  }
}

const anyChild = ({ home, plan }: Story): string => plan.random.element([...home.keys()])

const stoppedChild = (story: Story): string => {
  const last = story.stopped.at(-1)
  return last !== undefined && story.plan.random.chance(0.75) ? last : anyChild(story)
}

// Nested supervisors come back as new ones, so they are worth more than their number.
const bouncingChild = (story: Story): string => {
  const nested = [...story.supervisors.keys()].filter((id) => id !== "root")
  return nested.length > 0 && story.plan.random.chance(0.4) ? story.plan.random.element(nested) : anyChild(story)
}

const startChild = (story: Story, id: string, supervisor: string) => {
  const { plan } = story
  const child = makeWorker(plan, id, {
    autoShutdown: story.supervisors.get(supervisor)?.autoShutdown ?? "never",
    firstFails: plan.random.chance(0.14),
    added: true
  })
  story.steps.push({ op: "startChild", supervisor, child })
  story.home.set(id, supervisor)
  story.workers.set(id, child)
  story.finished.delete(id)
  story.stopped.push(id)
}

const startAgain = (story: Story, id: string) => startChild(story, id, story.home.get(id) ?? "root")

const moves: Record<Move, (story: Story) => void> = {
  leave,
  terminate: (story) => ask(story, "terminateChild", anyChild(story)),
  restart: (story) => ask(story, "restartChild", stoppedChild(story)),
  delete: (story) => ask(story, "deleteChild", stoppedChild(story)),
  add: (story) => {
    const added = [...story.workers.keys()].filter((id) => id.startsWith("z")).length
    startChild(story, `z${added + 1}`, story.plan.random.element([...story.supervisors.keys()]))
  },
  again: (story) => startAgain(story, story.plan.random.element([...story.workers.keys()])),
  bounce: (story) => {
    const id = bouncingChild(story)
    ask(story, "terminateChild", id)
    ask(story, "restartChild", id)
    if (story.workers.has(id) && story.plan.random.chance(0.4)) story.focus = id
  },
  renew: (story) => {
    const id = story.plan.random.element([...story.workers.keys()])
    ask(story, "terminateChild", id)
    if (story.plan.random.chance(0.7)) ask(story, "deleteChild", id)
    startAgain(story, id)
  },
  advance: ({ steps }) => {
    const made = steps.filter(({ op }) => op === "advance").length
    if (steps.length > 0 && steps.at(-1)?.op !== "advance" && made < advancesMax) {
      steps.push({ op: "advance", ms: advanceMillis })
    }
  }
}

// ---- Tidying

// How many of the steps stay that OTP answered without doing anything. Some have to:
// the answers are part of what is recorded.
const idleShare: { readonly [result: string]: number } = {
  "error:not_running": 0.15,
  "error:noproc": 0.15,
  "error:not_found": 0.4,
  "error:running": 0.7,
  "error:already_started": 0.6
}

/**
 * Takes out of a run scenario most steps that did nothing, and all that come
 * after the end of the root, with what was recorded for them.
 */
export const tidy = (
  scenario: Scenario,
  entries: ReadonlyArray<Entry>,
  random: Random.Random
): { readonly steps: ReadonlyArray<Step>; readonly entries: ReadonlyArray<Entry> } => {
  const [first, ...rest] = entries
  if (first === undefined) return { steps: [], entries: [] }
  const kept: Array<readonly [step: Step, entry: Entry]> = []
  let root = first.state?.root
  for (const [index, entry] of rest.entries()) {
    const step = scenario.steps[index]
    if (step === undefined || root !== "alive") break
    const isIdle = entry.events.length === 0 && entry.state === undefined
    if (isIdle && !random.chance(idleShare[entry.result] ?? 1)) continue
    if (step.op === "advance" && kept.at(-1)?.[0].op === "advance") continue
    kept.push([step, entry])
    root = entry.state?.root ?? root
  }
  while (kept.at(-1)?.[0].op === "advance") kept.pop()
  return { steps: kept.map(([step]) => step), entries: [first, ...kept.map(([, entry]) => entry)] }
}
