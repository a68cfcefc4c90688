/**
 * The processes of this machine: who lives, whose child each is, and since when.
 *
 * Linux is read from `/proc`, macOS from `ps`. On any other platform to read is `UnsupportedPlatform`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as table from "./internal/table.ts"

/**
 * A process as the machine shows it. `startTime` says when it was started, in the machine's own words: it tells one process
 * from another that has its pid later. A `zombie` has ended, and waits for its parent to ask how. `name` is the short one by
 * which the kernel knows what it runs: no arguments, nothing secret.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = table.Entry

/**
 * Processes cannot be seen on this platform.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedPlatform extends Schema.TaggedError<UnsupportedPlatform>()("UnsupportedPlatform", {
  platform: Schema.String
}) {
  override get message(): string {
    return `processes are supervised on Linux and macOS, not on ${this.platform}`
  }
}

const reading = <A>(
  read: (platform: NonNullable<typeof table.platform>) => A
): Effect.Effect<A, UnsupportedPlatform> =>
  Effect.suspend(() =>
    table.platform === undefined
      ? Effect.fail(new UnsupportedPlatform({ platform: process.platform }))
      : Effect.succeed(read(table.platform))
  )

/**
 * All processes. One that begins or ends while they are read may be there or not.
 *
 * @category reading
 * @since 0.1.0
 */
export const all: Effect.Effect<ReadonlyArray<Entry>, UnsupportedPlatform> = reading((platform) => platform.all())

/**
 * The pids of those that have one of these texts in the value of the variable `COPPICE_SUPERVISOR`, as far as their environment can
 * be read.
 *
 * @category reading
 * @since 0.1.0
 */
export const marked = (...texts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<number>, UnsupportedPlatform> =>
  reading((platform) => table.bearing(platform.marks(), texts))

/**
 * Those whose line of parents leads to one of these pids, the pids themselves included, each before its children.
 *
 * **Example** (A shell, what it runs, and somebody else)
 *
 * ```ts import.meta.vitest
 * import { ProcessTable } from "@coppice/process"
 *
 * const entry = (pid: number, parent: number): ProcessTable.Entry => ({
 *   pid,
 *   parent,
 *   group: pid,
 *   session: pid,
 *   startTime: "0",
 *   zombie: false,
 *   name: "sh"
 * })
 * const table = [entry(30, 20), entry(20, 10), entry(10, 1), entry(99, 1)]
 *
 * ProcessTable.descendants(table, [10]).map(({ pid }) => pid) // => [10, 20, 30]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const descendants: (table: ReadonlyArray<Entry>, pids: Iterable<number>) => ReadonlyArray<Entry> =
  table.descendants

/**
 * Those who belong to the process with the pid `leader`: those that surely do, the members of its group as long as one of
 * these is in it, and the descendants of all of them; but never this process. A group is known by a pid, and that may be
 * another's when none of its members is left.
 *
 * @category reading
 * @since 0.1.0
 */
export const family: (
  table: ReadonlyArray<Entry>,
  leader: number,
  isSurely: (entry: Entry) => boolean
) => ReadonlyArray<Entry> = (entries, leader, isSurely) => table.familyOf(entries, (pid) => pid === leader, isSurely)
