/** Who does the work of a row. */
export type Side = "coppice" | "floor" | "effect" | "otp" | "elixir"

/** All sides, in the order of the columns. */
export const sides: ReadonlyArray<Side> = ["coppice", "floor", "effect", "otp", "elixir"]

/** A program that every side has: it answers the figures of one or several rows for a number of children. */
export type Measurement =
  | "life"
  | "memory"
  | "brutal"
  | "layers"
  | "dynamic"
  | "latency"
  | "storm"
  | "storm-one-window"
  | "one-for-all"
  | "rest-for-one"
  | "escalation"
  | "tree"
  | "use"
  | "events-0"
  | "events-1"
  | "events-10"
  | "backoff"
  | "liveness"
  | "liveness-memory"

/** A row of the table: it has a line for each size. */
export interface Row {
  readonly name: string
  readonly title: string
  readonly unit: "µs" | "B"
  readonly measurement: Measurement
  /** Why a side has no figure. */
  readonly missing: { readonly [S in Side]?: string }
}

/** A reason holds for both columns of the BEAM, unless they differ. */
const row = (
  name: string,
  title: string,
  unit: Row["unit"],
  measurement: Measurement,
  missing: Row["missing"] & { readonly beam?: string } = {}
): Row => {
  const { beam, ...others } = missing
  return {
    name,
    title,
    unit,
    measurement,
    missing: beam === undefined ? others : { otp: beam, elixir: beam, ...others }
  }
}

const noGroups = "a DynamicSupervisor is one-for-one"
const untold = "tells nobody"
const noEvents = "has no events, but log lines"

/** All rows, in the order of the table. */
export const rows: ReadonlyArray<Row> = [
  row("start", "start of a static list, per child", "µs", "life", { elixir: "has no static list" }),
  row("start-dynamic", "startChild of a dynamic supervisor", "µs", "dynamic"),
  row("memory", "memory of an idle effect child", "B", "memory"),
  row("memory-layer", "memory of an idle layer child (BEAM: a gen_server)", "B", "layers"),
  row("stop", "stop of all, in order, per child", "µs", "life"),
  row("stop-brutal", "stop of all, brutally, per child", "µs", "brutal", { effect: "cannot but wait for a fiber" }),
  row("restart-p50", "crash to restarted, median; few restarts in the window (≤ 100)", "µs", "latency"),
  row("restart-p99", "crash to restarted, 99th percentile; few (≤ 100)", "µs", "latency"),
  row("storm", "all crash at once, per child; few restarts in each window (≤ 100)", "µs", "storm"),
  row("storm-one-window", "all crash at once, per child; many restarts in one window (n)", "µs", "storm-one-window", {
    effect: "has no window"
  }),
  row("one-for-all", "one-for-all restart, per child restarted", "µs", "one-for-all", { elixir: noGroups }),
  row("rest-for-one", "rest-for-one restart, per child restarted", "µs", "rest-for-one", {
    effect: "has no counterpart",
    elixir: noGroups
  }),
  row("escalation", "escalation through n levels, per level", "µs", "escalation"),
  row("which-children", "whichChildren, per child", "µs", "life"),
  row("tree", "snapshot of a tree, per child", "µs", "tree", { effect: "has no tree" }),
  row("by-id", "terminate and restart one child by its id", "µs", "life", {
    elixir: "forgets a child that is terminated"
  }),
  row("use", "ChildRef.use (Effect: the bare service; BEAM: a gen_server call)", "µs", "use"),
  row("events-0", "crash to restarted in a storm, nobody listening", "µs", "events-0", {
    effect: untold,
    beam: noEvents
  }),
  row("events-1", "the same, and heard by 1 subscriber", "µs", "events-1", { effect: untold, beam: noEvents }),
  row("events-10", "the same, and heard by 10 subscribers", "µs", "events-10", { effect: untold, beam: noEvents }),
  row("backoff", "all crash at once, with a backoff of 1 ms, per child", "µs", "backoff", { beam: "has no backoff" }),
  row("liveness", "start with a liveness probe, until first checked, per child", "µs", "liveness", {
    beam: "has no probes"
  }),
  row("liveness-memory", "memory of an idle child with a liveness probe", "B", "liveness-memory", {
    beam: "has no probes"
  })
]

/** Whether a measurement is of memory alone. */
export const isOfMemory = (measurement: Measurement): boolean =>
  measurement === "memory" || measurement === "layers" || measurement === "liveness-memory"

/** How many children a measurement is made with: up to 1 000 000, and in `--quick` what there is time for. */
export const sizes: { readonly [M in Measurement]: ReadonlyArray<number> } = {
  "life": [1, 1000, 100_000, 1_000_000],
  "memory": [1, 1000, 100_000, 1_000_000],
  "brutal": [1, 1000, 100_000],
  "layers": [1, 1000, 100_000],
  "dynamic": [1, 1000, 100_000, 1_000_000],
  "latency": [1, 1000, 100_000, 1_000_000],
  "storm": [1, 1000, 100_000, 1_000_000],
  "storm-one-window": [1, 1000, 10_000, 100_000],
  "one-for-all": [1, 1000, 100_000],
  "rest-for-one": [1, 1000, 100_000],
  "escalation": [1, 10, 100],
  "tree": [1, 1000, 100_000],
  "use": [1],
  "events-0": [1000],
  "events-1": [1000],
  "events-10": [1000],
  "backoff": [1000, 100_000],
  "liveness": [1000, 100_000],
  "liveness-memory": [1000, 100_000]
}

/** What is measured with 100 000 children in `--quick` too. */
const quickWithMany: ReadonlyArray<Measurement> = ["life", "dynamic", "latency", "storm"]

/** Whether a measurement is made with so many children in `--quick`. */
export const isQuick = (measurement: Measurement, n: number): boolean =>
  n <= 1000 || (n === 100_000 && quickWithMany.includes(measurement))

/** Why a side has no figure of a row for this many children, if it has none. */
export const missing = ({ measurement, missing, name }: Row, side: Side, n: number): string | undefined => {
  const isBeam = side === "otp" || side === "elixir"
  if (isBeam && measurement === "storm-one-window" && n > 10_000) {
    return "walks the list of its window at every restart, and its children: minutes"
  }
  if (side === "elixir" && (name === "stop" || name === "stop-brutal") && n > 10_000) {
    return "needs time as the square of the children: 20 s and more"
  }
  return missing[side]
}
