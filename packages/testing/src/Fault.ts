/**
 * What can be done to a child of a running tree, without the tree knowing of it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

const at = { path: Schema.String }
const lasting = { ...at, millis: Schema.Finite }

/**
 * What can be done to the child at `path`.
 *
 * | fault | what it does |
 * | --- | --- |
 * | `Crash` | it fails with an error |
 * | `Panic` | it dies with a defect |
 * | `Interrupt` | its fiber is interrupted by somebody who is not its supervisor: that of its start, then that of its body, if it has one |
 * | `Kill` | it is killed: its resources have 100 ms to be released |
 * | `Hang` | for so long it does nothing: its fibers stand still, and so do its checks and whoever uses it; it can be stopped |
 * | `Freeze` | likewise, and it does not hear that it is to stop |
 * | `FailStart` | its next start fails; that of a `Child.effect`, which cannot, is followed by a crash |
 * | `SlowStart` | its next start takes so much longer |
 * | `SlowStop` | its next stop takes so much longer |
 * | `RefuseUse` | the next use of it through its ref is `ChildUnavailable`, and not run |
 * | `LoseUse` | the next use of it through its ref is run, and then `ChildDown`: what it did is not known |
 *
 * Where a supervisor lives inside the child, only its checks and users hang: a supervisor is no code of yours that could.
 *
 * @category models
 * @since 0.1.0
 */
export const Fault = Schema.Union([
  Schema.TaggedStruct("Crash", at),
  Schema.TaggedStruct("Panic", at),
  Schema.TaggedStruct("Interrupt", at),
  Schema.TaggedStruct("Kill", at),
  Schema.TaggedStruct("Hang", lasting),
  Schema.TaggedStruct("Freeze", lasting),
  Schema.TaggedStruct("FailStart", at),
  Schema.TaggedStruct("SlowStart", lasting),
  Schema.TaggedStruct("SlowStop", lasting),
  Schema.TaggedStruct("RefuseUse", at),
  Schema.TaggedStruct("LoseUse", at)
])

/**
 * What can be done to the child at `path`.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = typeof Fault.Type

/**
 * The kinds of faults, the simplest first.
 *
 * @category models
 * @since 0.1.0
 */
export const kinds = [
  "Crash",
  "Panic",
  "Interrupt",
  "Kill",
  "FailStart",
  "SlowStart",
  "SlowStop",
  "Hang",
  "Freeze",
  "RefuseUse",
  "LoseUse"
] as const satisfies ReadonlyArray<Fault["_tag"]>

/**
 * A fault of any kind. Those that last for some time last for so many milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (kind: Fault["_tag"], path: string, millis: number): Fault => {
  switch (kind) {
    case "Hang":
    case "Freeze":
    case "SlowStart":
    case "SlowStop":
      return { _tag: kind, path, millis }
    default:
      return { _tag: kind, path }
  }
}

const millisOf = (duration: Duration.Input): number => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(duration))
  if (Number.isFinite(millis)) return millis
  throw new RangeError(`a fault lasts for a time that ends, not for ${Duration.format(Duration.millis(millis))}`)
}

/**
 * The child fails with an error.
 *
 * @category constructors
 * @since 0.1.0
 */
export const crash = (path: string): Fault => ({ _tag: "Crash", path })

/**
 * The child dies with a defect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const panic = (path: string): Fault => ({ _tag: "Panic", path })

/**
 * The child's fiber is interrupted by somebody who is not its supervisor.
 *
 * @category constructors
 * @since 0.1.0
 */
export const interrupt = (path: string): Fault => ({ _tag: "Interrupt", path })

/**
 * The child is killed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const kill = (path: string): Fault => ({ _tag: "Kill", path })

/**
 * The child does nothing for so long, unless it is stopped.
 *
 * @category constructors
 * @since 0.1.0
 */
export const hang = (path: string, duration: Duration.Input): Fault => ({
  _tag: "Hang",
  path,
  millis: millisOf(duration)
})

/**
 * The child does nothing for so long, and does not hear that it is to stop.
 *
 * @category constructors
 * @since 0.1.0
 */
export const freeze = (path: string, duration: Duration.Input): Fault => ({
  _tag: "Freeze",
  path,
  millis: millisOf(duration)
})

/**
 * The child's next start fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failStart = (path: string): Fault => ({ _tag: "FailStart", path })

/**
 * The child's next start takes so much longer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const slowStart = (path: string, duration: Duration.Input): Fault => ({
  _tag: "SlowStart",
  path,
  millis: millisOf(duration)
})

/**
 * The child's next stop takes so much longer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const slowStop = (path: string, duration: Duration.Input): Fault => ({
  _tag: "SlowStop",
  path,
  millis: millisOf(duration)
})

/**
 * The next use of the child through its ref is refused, and not run.
 *
 * @category constructors
 * @since 0.1.0
 */
export const refuseUse = (path: string): Fault => ({ _tag: "RefuseUse", path })

/**
 * The next use of the child through its ref is run, but its answer is lost.
 *
 * @category constructors
 * @since 0.1.0
 */
export const loseUse = (path: string): Fault => ({ _tag: "LoseUse", path })

/**
 * Renders a fault as one line.
 *
 * **Example** (A fault for people)
 *
 * ```ts import.meta.vitest
 * import { Fault } from "@coppice/testing"
 *
 * Fault.format(Fault.hang("app/db", "2 seconds")) // => "app/db hangs for 2s"
 * Fault.toCode(Fault.hang("app/db", "2 seconds")) // => 'Fault.hang("app/db", "2 seconds")'
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (fault: Fault): string => {
  const lasts = "millis" in fault ? Duration.format(Duration.millis(fault.millis)) : ""
  return `${fault.path} ${sentences[fault._tag]}${lasts}`
}

const sentences: Record<Fault["_tag"], string> = {
  Crash: "crashes",
  Panic: "panics",
  Interrupt: "is interrupted",
  Kill: "is killed",
  Hang: "hangs for ",
  Freeze: "hangs and cannot be stopped for ",
  FailStart: "will fail to start",
  SlowStart: "will start more slowly, by ",
  SlowStop: "will stop more slowly, by ",
  RefuseUse: "will refuse a use",
  LoseUse: "will lose the answer of a use"
}

/**
 * Renders a fault as the code that makes it.
 *
 * @category formatting
 * @since 0.1.0
 */
export const toCode = (fault: Fault): string => {
  const name = fault._tag[0]!.toLowerCase() + fault._tag.slice(1)
  const path = JSON.stringify(fault.path)
  if (!("millis" in fault)) return `Fault.${name}(${path})`
  const { millis } = fault
  const duration = millis % 1000 === 0 ? `${millis / 1000} second${millis === 1000 ? "" : "s"}` : `${millis} millis`
  return `Fault.${name}(${path}, "${duration}")`
}
