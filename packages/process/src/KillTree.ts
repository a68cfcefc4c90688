/**
 * Ending a process with all that it has started.
 *
 * Who belongs to it is collected before the first signal, while the lines of parents are whole: its descendants, the members
 * of its group, and whoever bears its mark, also those that left group, session and parent. What they start meanwhile is
 * found too. Each is known by its pid and its start time: a pid that has become another's is never sent anything.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Family } from "./internal/family.ts"
import { ended } from "./internal/identity.ts"
import type { ProcessIdentity } from "./ProcessIdentity.ts"

/**
 * To whom signals go, as long as the process lives.
 *
 * - `tree`: to all that belong to it. What it starts then is left alone: it may be there to clear up.
 * - `group`: to the members of its process group.
 * - `leader`: to the process alone, which is to end the others itself.
 *
 * When it has gone, whoever is left is sent them as well.
 *
 * @category models
 * @since 0.1.0
 */
export type KillMode = "tree" | "group" | "leader"

/**
 * A signal, and how long is waited before the next.
 *
 * @category models
 * @since 0.1.0
 */
export type StopStep = readonly [signal: NodeJS.Signals, wait: Duration.Input]

/**
 * How it is done: to whom signals go (`tree`), and which (`SIGTERM`, and 10 seconds for it). `SIGKILL` follows by itself, and
 * goes to all that belong to it, whatever the mode. `mark` is what its descendants bear in `COPPICE_SUPERVISOR`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly mode?: KillMode | undefined
  readonly steps?: ReadonlyArray<StopStep> | undefined
  readonly mark?: string | undefined
}

/**
 * A process that did not end when it was asked, with the short name by which the kernel knows what it ran.
 *
 * @category models
 * @since 0.1.0
 */
export interface Killed extends ProcessIdentity {
  readonly name: string
}

/**
 * What there is to know of a stop: who did not end when asked, and had to be killed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly killed: ReadonlyArray<Killed>
}

/**
 * Some do not even end when they are killed: they are in the kernel, or belong to another user.
 *
 * **Example** (It names them)
 *
 * ```ts import.meta.vitest
 * import { KillTree } from "@coppice/process"
 *
 * const { message } = new KillTree.StillAlive({ processes: [{ pid: 12, name: "sleep" }, { pid: 13, name: "node" }] })
 *
 * message // => "killed, but still there: 12 (sleep), 13 (node)"
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class StillAlive extends Schema.TaggedError<StillAlive>()("StillAlive", {
  processes: Schema.Array(Schema.Struct({ pid: Schema.Int, name: Schema.String }))
}) {
  override get message(): string {
    return `killed, but still there: ${this.processes.map(({ name, pid }) => `${pid} (${name})`).join(", ")}`
  }
}

/**
 * A `SIGTERM`, and 10 seconds for it.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultSteps: ReadonlyArray<StopStep> = [["SIGTERM", "10 seconds"]]

/**
 * Ends a process with all that it has started, and answers when all of it is gone.
 *
 * @category operations
 * @since 0.1.0
 */
export const killTree = Effect.fnUntraced(function*(leader: ProcessIdentity, options: Options = {}) {
  const { mark, mode = "tree", steps = defaultSteps } = options
  const since = leader.startTime === ended ? undefined : leader.startTime
  const family = new Family([leader], mark === undefined ? [] : [mark], since)
  const { killed, left } = yield* family.end(steps, mode)
  if (left.length > 0) return yield* new StillAlive({ processes: left.map(({ name, pid }) => ({ pid, name })) })
  return { killed: killed.map(({ name, pid, startTime }) => ({ pid, startTime, name })) } satisfies Report
})
