/**
 * A supervision tree as it is at one moment: an immutable value, as text, as a Mermaid diagram, or as JSON by its Schema.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExitReason, format as formatReason } from "./ExitReason.ts"

/**
 * Where a child or a supervisor is in its life.
 *
 * @category models
 * @since 0.1.0
 */
export const State = Schema.Literals(["starting", "running", "restarting", "stopping", "stopped", "failed"])

/**
 * Where a child or a supervisor is in its life: `restarting` while a restart is under way or will be tried again,
 * `failed` when it is down because of a failure that nobody will try to mend.
 *
 * @category models
 * @since 0.1.0
 */
export type State = typeof State.Type

/**
 * The rules by which a supervisor treats its children.
 *
 * @category models
 * @since 0.1.0
 */
export const Settings = Schema.Struct({
  strategy: Schema.Literals(["one-for-one", "one-for-all", "rest-for-one"]),
  intensity: Schema.Int,
  // @effect-diagnostics-next-line schemaNumber:off - a period may be without end
  periodMillis: Schema.Number,
  autoShutdown: Schema.Literals(["never", "any-significant", "all-significant"]),
  dynamic: Schema.optionalKey(Schema.Literal(true)),
  maxChildren: Schema.optionalKey(Schema.Int)
})

/**
 * The rules by which a supervisor treats its children: as it was given them, or the defaults. `dynamic` is there for a
 * `DynamicSupervisor`, and `maxChildren` where that has a bound.
 *
 * @category models
 * @since 0.1.0
 */
export type Settings = typeof Settings.Type

/**
 * What a child has told of itself with `Child.describe`, such as the pid of its process.
 *
 * @category models
 * @since 0.1.0
 */
export const Details = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))

/**
 * What a child has told of itself with `Child.describe`, such as the pid of its process.
 *
 * @category models
 * @since 0.1.0
 */
export type Details = typeof Details.Type

/**
 * A child or a supervisor, with all below it. Times are milliseconds since the epoch; `restarts` counts how often its
 * supervisor tried to start it again, and begins at zero with each incarnation of that supervisor. A supervisor under
 * `Child.supervisor` is one node with that child; elsewhere its `incarnation` is that of the child it lives in.
 *
 * What a child was made with is `restart`, `significant` where it is, `onExhausted` where it has a backoff, and `probes`
 * where it has any. A node that is a supervisor and no child, such as a root, has none of these. What a supervisor was made
 * with is `supervisor`, as long as it lives. Where there is a readiness probe, `ready` says since the child has started
 * whether it has succeeded; `health` is what the liveness probe has found; `details` what the incarnation tells of itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface Node {
  readonly path: string
  readonly id: string
  readonly kind: "effect" | "make" | "layer" | "supervisor" | "task"
  readonly restart?: "permanent" | "transient" | "temporary"
  readonly significant?: true
  readonly onExhausted?: "escalate" | "give-up"
  readonly probes?: ReadonlyArray<"readiness" | "liveness">
  readonly supervisor?: Settings
  readonly state: State
  readonly incarnation: number
  readonly restarts: number
  readonly startedAtMillis?: number
  readonly ready?: boolean
  readonly health?: "unknown" | "healthy" | "failing"
  readonly details?: Details
  readonly lastExit?: { readonly reason: ExitReason; readonly timeMillis: number }
  readonly children: ReadonlyArray<Node>
}

/**
 * The Schema of a tree, for the wire.
 *
 * @category models
 * @since 0.1.0
 */
export const Node: Schema.Codec<Node, unknown> = Schema.Struct({
  path: Schema.String,
  id: Schema.String,
  kind: Schema.Literals(["effect", "make", "layer", "supervisor", "task"]),
  restart: Schema.optionalKey(Schema.Literals(["permanent", "transient", "temporary"])),
  significant: Schema.optionalKey(Schema.Literal(true)),
  onExhausted: Schema.optionalKey(Schema.Literals(["escalate", "give-up"])),
  probes: Schema.optionalKey(Schema.Array(Schema.Literals(["readiness", "liveness"]))),
  supervisor: Schema.optionalKey(Settings),
  state: State,
  incarnation: Schema.Int,
  restarts: Schema.Int,
  startedAtMillis: Schema.optionalKey(Schema.Finite),
  ready: Schema.optionalKey(Schema.Boolean),
  health: Schema.optionalKey(Schema.Literals(["unknown", "healthy", "failing"])),
  details: Schema.optionalKey(Details),
  lastExit: Schema.optionalKey(Schema.Struct({ reason: ExitReason, timeMillis: Schema.Finite })),
  children: Schema.Array(Schema.suspend((): Schema.Codec<Node, unknown> => Node))
})

/**
 * A supervision tree: its root.
 *
 * @category models
 * @since 0.1.0
 */
export type SupervisionTree = Node

/**
 * Renders a tree as text, a line a node.
 *
 * **Example** (A tree with a child that crashed once)
 *
 * ```ts import.meta.vitest
 * import { Child, SupervisionTree, Supervisor } from "coppice"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [Child.effect("clock", Effect.never), Child.effect("once", Effect.void, { restart: "transient" })]
 *   })
 *   return SupervisionTree.toText(yield* app.tree)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "app  running\n├─ clock  running\n└─ once  stopped (returned normally)"
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const toText = (tree: SupervisionTree): string => [describe(tree), ...branches(tree, "")].join("\n")

const branches = (node: Node, indent: string): ReadonlyArray<string> =>
  node.children.flatMap((child, index) => {
    const last = index === node.children.length - 1
    return [
      `${indent}${last ? "└─ " : "├─ "}${describe(child)}`,
      ...branches(child, indent + (last ? "   " : "│  "))
    ]
  })

const describe = (node: Node): string => {
  const restarts = node.restarts === 0 ? "" : `, ${node.restarts} ${node.restarts === 1 ? "restart" : "restarts"}`
  const exit = node.lastExit === undefined ? "" : ` (${formatReason(node.lastExit.reason)})`
  const ready = node.ready === false ? ", not ready" : ""
  const health = node.health === "failing" ? ", failing" : ""
  return `${node.id}  ${node.state}${ready}${health}${detailsOf(node)}${restarts}${exit}`
}

const detailsOf = ({ details = {} }: Node): string =>
  Object.entries(details).map(([name, value]) => `, ${name} ${value}`.replaceAll(/[\r\n]+/g, " ")).join("")

/**
 * Renders a tree as a Mermaid flowchart.
 *
 * @category formatting
 * @since 0.1.0
 */
export const toMermaid = (tree: SupervisionTree): string => {
  const lines = ["flowchart TD"]
  const add = (node: Node): string => {
    const name = `n${lines.length}`
    const label = `${escape(node.id)}<br/>${node.state}`
    lines.push(node.kind === "supervisor" ? `  ${name}["${label}"]` : `  ${name}("${label}")`)
    for (const child of node.children) lines.push(`  ${name} --> ${add(child)}`)
    return name
  }
  add(tree)
  return lines.join("\n")
}

// Mermaid's own escapes: an id is any text, and must not become markup.
const escapes: Record<string, string> = { "#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", "\"": "#quot;" }

const escape = (text: string): string => text.replaceAll(/[#&<>"]/g, (character) => escapes[character] ?? character)

/**
 * Renders a tree as JSON text, by its Schema.
 *
 * @category formatting
 * @since 0.1.0
 */
export const toJson = (tree: SupervisionTree): string => encodeJson(tree)

const encodeJson = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(Node)))
