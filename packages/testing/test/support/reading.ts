import { Invariants } from "@coppice/testing"
import { assert, it } from "@effect/vitest"
import { ExitReason, type SupervisionTree, type SupervisorEvent } from "coppice"

export type Event = SupervisorEvent.SupervisorEvent
export type Node = SupervisionTree.Node
/** What is read, or done in between. */
export type Item =
  | Event
  | Invariants.Note
  | { readonly _tag: "Learn"; readonly node: Node }
  | { readonly _tag: "Compare"; readonly node: Node }
  | { readonly _tag: "End" }

export const crash = ExitReason.failure("crash")

export const gaveUp = (
  path: string,
  child: string,
  pattern: ExitReason.RestartIntensityExceeded["pattern"] = "mixed"
): ExitReason.ExitReason => ({
  _tag: "GaveUp",
  error: new ExitReason.RestartIntensityExceeded({
    path,
    child,
    intensity: 1,
    periodMillis: 1000,
    restarts: 2,
    pattern,
    reason: crash
  })
})

/** The events of one path and incarnation at one time. */
export const at = (path: string, incarnation = 1, timeMillis = 0) => {
  const about = { path, incarnation, timeMillis }
  const e = {
    starting: { _tag: "ChildStarting", ...about },
    started: { _tag: "ChildStarted", ...about },
    ready: { _tag: "ChildReady", ...about },
    ignored: { _tag: "ChildIgnored", ...about },
    startFailed: { _tag: "ChildStartFailed", ...about, reason: crash },
    healthy: { _tag: "ChildHealthChanged", ...about, health: "healthy" },
    restarting: { _tag: "ChildRestarting", ...about, reason: crash },
    failed: { _tag: "ChildFailed", ...about, reason: crash },
    stopped: { _tag: "ChildStopped", ...about },
    abandoned: { _tag: "ChildAbandoned", ...about, waitingFor: "fiber" },
    up: { _tag: "SupervisorStarted", ...about },
    ended: { _tag: "SupervisorStopped", ...about, reason: ExitReason.shutdown() }
  } as const satisfies Record<string, Event>
  return {
    ...e,
    starts: [e.starting, e.started],
    left: (verdict: SupervisorEvent.Verdict, reason: ExitReason.ExitReason = crash): Event => ({
      _tag: "ChildExited",
      ...about,
      reason,
      verdict
    }),
    backingOff: (delayMillis = 100): Event => ({ _tag: "ChildBackingOff", ...about, reason: crash, delayMillis }),
    gaveUp: (child: string): Event => ({ _tag: "SupervisorGaveUp", ...about, child, reason: crash }),
    endedFor: (reason: ExitReason.ExitReason): Event => ({ _tag: "SupervisorStopped", ...about, reason })
  }
}

export const lastOf = (path: string) => path.slice(path.lastIndexOf("/") + 1)

export const child = (path: string, fields?: Partial<Node>): Node => ({
  path,
  id: lastOf(path),
  kind: "make",
  restart: "permanent",
  state: "stopped",
  incarnation: 0,
  restarts: 0,
  children: [],
  ...fields
})

export const supervisor = (
  path: string,
  children: ReadonlyArray<Node>,
  settings?: Partial<SupervisionTree.Settings>
): Node => ({
  path,
  id: lastOf(path),
  kind: "supervisor",
  supervisor: { strategy: "one-for-one", intensity: 1, periodMillis: 1000, autoShutdown: "never", ...settings },
  state: "starting",
  incarnation: 1,
  restarts: 0,
  children
})

export const learn = (node: Node): Item => ({ _tag: "Learn", node })
export const compare = (node: Node): Item => ({ _tag: "Compare", node })
export const end: Item = { _tag: "End" }
export const closing: Item = { _tag: "Closing" }

export const note = (_tag: "Starting" | "Terminating" | "Terminated" | "Deleting", path: string): Item => ({
  _tag,
  path
})

/** What is wrong with what is read. */
export const violations = (items: ReadonlyArray<Item>, options?: Invariants.Options): ReadonlyArray<string> => {
  const invariants = new Invariants.Invariants(options)
  for (const item of items) {
    if (item._tag === "Learn") invariants.learn(item.node)
    else if (item._tag === "Compare") invariants.compare(item.node)
    else if (item._tag === "End") invariants.end()
    else invariants.read(item)
  }
  return invariants.violations
}

interface Found {
  readonly items: ReadonlyArray<Item>
  readonly violations: ReadonlyArray<string>
  readonly options?: Invariants.Options
}

export const finds = (table: Record<string, Found>): void => {
  for (const [what, found] of Object.entries(table)) {
    it(what, () => assert.deepStrictEqual(violations(found.items, found.options), found.violations))
  }
}

/** What is no violation, from its start to its end. */
export const passes = (table: Record<string, ReadonlyArray<Item>>, options?: Invariants.Options): void => {
  for (const [what, items] of Object.entries(table)) {
    it(what, () => assert.deepStrictEqual(violations([...items, end], options), []))
  }
}

// The trees that most are about: three children; nested supervisors; a dynamic one.

export const [a, b, c] = [at("app/a"), at("app/b"), at("app/c")]
export const [a2, b2, c2] = [at("app/a", 2), at("app/b", 2), at("app/c", 2)]
export const app = at("app")

/** Three children of one kind. */
export const three = (
  fields?: Partial<Node>
) => [child("app/a", fields), child("app/b", fields), child("app/c", fields)]

export const oneForOne = learn(supervisor("app", three()))
export const oneForAll = learn(supervisor("app", three(), { strategy: "one-for-all" }))
export const restForOne = learn(supervisor("app", three(), { strategy: "rest-for-one" }))

export const up: ReadonlyArray<Item> = [...a.starts, ...b.starts, ...c.starts, app.up]

/** A supervisor that is a child, one inside a child, and a child after them. */
export const nested = learn(supervisor("app", [
  { ...supervisor("app/n", [child("app/n/x"), child("app/n/y")]), restart: "permanent" },
  child("app/l", { kind: "layer", children: [supervisor("app/l/in", [child("app/l/in/z")])] })
]))
export const [n, x, y, l, within, z] = [
  at("app/n"),
  at("app/n/x"),
  at("app/n/y"),
  at("app/l"),
  at("app/l/in"),
  at("app/l/in/z")
]
export const nestedUp: ReadonlyArray<Item> = [
  n.starting,
  ...x.starts,
  ...y.starts,
  n.up,
  n.started,
  l.starting,
  ...z.starts,
  within.up,
  l.started,
  app.up
]

export const pool = learn(supervisor("pool", [], { dynamic: true, maxChildren: 2 }))
export const [p, q, r] = [at("pool/p"), at("pool/q"), at("pool/r")]
export const dynamic = (id: string, fields?: Partial<Node>) => child(`pool/${id}`, { ...fields, incarnation: 1 })
export const poolOf = (...children: ReadonlyArray<Node>) =>
  learn({ ...supervisor("pool", children, { dynamic: true, maxChildren: 2 }), state: "running" })
