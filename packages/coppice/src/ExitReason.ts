/**
 * Why a child ended.
 *
 * Every way in which a child can end is one value of the union `ExitReason`: OTP's *exit reason*, with a panic (a
 * throw, a defect) as the typed `Defect`. A supervisor judges a child by whether its reason is *clean*: `Normal`,
 * `Shutdown` and `GaveUp` are, everything else is abnormal. An interruption nobody asked for is abnormal too, so that
 * no fiber dies unseen.
 *
 * `RestartIntensityExceeded`, the error of a supervisor that gives up, lives here because it is itself a reason: that of
 * the child in which that supervisor ran.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Leave } from "./internal/signals.ts"

// What a user throws may itself throw when it is read. Here and below that must not hurt whoever reads it.
const guarded = <A>(read: () => A, fallback: A): A => {
  try {
    return read()
  } catch {
    return fallback
  }
}

const unreadable = "(an error that cannot be read)"

// Schema.Defect, but for errors that cannot be read.
const Anything = Schema.Json.pipe(Schema.decodeTo(
  Schema.Unknown,
  SchemaTransformation.transform({
    decode: Schema.decodeSync(Schema.Defect()),
    encode: (error) => guarded(() => Schema.encodeSync(Schema.Defect())(error), unreadable)
  })
))

const AnyCause = Schema.Cause(Anything, Anything)

/**
 * The child's effect returned.
 *
 * @category models
 * @since 0.1.0
 */
export const Normal = Schema.TaggedStruct("Normal", {})

/**
 * The child left cleanly, by `Child.exit` or because it was asked to.
 *
 * @category models
 * @since 0.1.0
 */
export const Shutdown = Schema.TaggedStruct("Shutdown", { reason: Schema.optionalKey(Anything) })

/**
 * The child failed with a typed error; `cause` holds everything that went wrong.
 *
 * @category models
 * @since 0.1.0
 */
export const Failure = Schema.TaggedStruct("Failure", { error: Anything, cause: AnyCause })

/**
 * The child panicked: something threw, or the effect died.
 *
 * @category models
 * @since 0.1.0
 */
export const Defect = Schema.TaggedStruct("Defect", { defect: Anything, cause: AnyCause })

/**
 * The child was interrupted by somebody other than its supervisor. Abnormal.
 *
 * @category models
 * @since 0.1.0
 */
export const Interrupted = Schema.TaggedStruct("Interrupted", { cause: AnyCause })

/**
 * The child was killed from outside, OTP's `killed`. Abnormal.
 *
 * @category models
 * @since 0.1.0
 */
export const Killed = Schema.TaggedStruct("Killed", {})

/**
 * A start of the child failed. `error` is the typed error or the defect, a `ChildStartFailed` where the child is a
 * supervisor.
 *
 * @category models
 * @since 0.1.0
 */
export const StartFailed = Schema.TaggedStruct("StartFailed", { error: Anything, cause: AnyCause })

/**
 * A start took longer than the child's `startTimeout`, and was aborted. `error` is what the last readiness check failed with, if
 * there was one.
 *
 * @category models
 * @since 0.1.0
 */
export const StartTimedOut = Schema.TaggedStruct("StartTimedOut", {
  timeoutMillis: Schema.Finite,
  error: Schema.optionalKey(Anything)
})

/**
 * The liveness check `check` of the child failed too often; `cause` is the latest failure.
 *
 * @category models
 * @since 0.1.0
 */
export const Unhealthy = Schema.TaggedStruct("Unhealthy", { check: Schema.String, error: Anything, cause: AnyCause })

/**
 * The child needs a service of its earlier sibling `id`, which is down: it was terminated, or had nothing to run.
 *
 * @category models
 * @since 0.1.0
 */
export const ProviderDown = Schema.TaggedStruct("ProviderDown", {
  id: Schema.String,
  service: Schema.String,
  cause: AnyCause
})

/**
 * A supervisor inside the child gave up. Clean, as in OTP (rule U2): a transient child is not restarted.
 *
 * @category models
 * @since 0.1.0
 */
export interface GaveUp {
  readonly _tag: "GaveUp"
  readonly error: RestartIntensityExceeded
}

/**
 * Why a child ended.
 *
 * @category models
 * @since 0.1.0
 */
export type ExitReason =
  | typeof Normal.Type
  | typeof Shutdown.Type
  | typeof Failure.Type
  | typeof Defect.Type
  | typeof Interrupted.Type
  | typeof Killed.Type
  | typeof StartFailed.Type
  | typeof StartTimedOut.Type
  | typeof Unhealthy.Type
  | typeof ProviderDown.Type
  | GaveUp

/**
 * The Schema of `ExitReason`, for the wire. A typed error or a defect is encoded as `Schema.Defect` does it.
 *
 * @category models
 * @since 0.1.0
 */
export const ExitReason: Schema.Codec<ExitReason, unknown> = Schema.Union([
  Normal,
  Shutdown,
  Failure,
  Defect,
  Interrupted,
  Killed,
  StartFailed,
  StartTimedOut,
  Unhealthy,
  ProviderDown,
  Schema.TaggedStruct("GaveUp", {
    error: Schema.suspend((): Schema.Codec<RestartIntensityExceeded, unknown> => RestartIntensityExceeded)
  })
])

/**
 * The error of a supervisor that gave up: its children needed more restarts within `periodMillis` than `intensity`
 * allows (rule I1). `child` is the child it could not keep alive, `reason` why that child ended last; where that child
 * was itself a supervisor the reason is `GaveUp`, so that the chain reaches from the leaf to the root.
 *
 * `pattern` says what all the counted restarts have in common, if anything; `"escalated"` that the child asked for this
 * by `Child.escalate`, `"exhausted"` that its backoff has ended, whatever the count.
 *
 * @category errors
 * @since 0.1.0
 */
export class RestartIntensityExceeded extends Schema.TaggedError<RestartIntensityExceeded>()(
  "RestartIntensityExceeded",
  {
    path: Schema.String,
    child: Schema.String,
    intensity: Schema.Int,
    // @effect-diagnostics-next-line schemaNumber:off - a period may be infinite
    periodMillis: Schema.Number,
    restarts: Schema.Int,
    pattern: Schema.Literals(["failed-to-start", "returned", "escalated", "exhausted", "mixed"]),
    reason: ExitReason
  }
) {
  override get message(): string {
    const cause = likelyCause(this)
    return story(this).join("\n") + (cause === undefined ? "" : `\nLikely cause: ${cause}`)
  }
}

/**
 * `Normal`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const normal: ExitReason = { _tag: "Normal" }

/**
 * Creates a `Shutdown`, with an optional reason of one's own (OTP's `{shutdown, Reason}`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const shutdown = (reason?: unknown): ExitReason =>
  reason === undefined ? { _tag: "Shutdown" } : { _tag: "Shutdown", reason }

/**
 * Creates a `Failure` from a typed error.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (error: unknown): ExitReason => ({ _tag: "Failure", error, cause: Cause.fail(error) })

/**
 * Creates a `Defect`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defect = (defect: unknown): ExitReason => ({ _tag: "Defect", defect, cause: Cause.die(defect) })

/**
 * `Killed`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const killed: ExitReason = { _tag: "Killed" }

/**
 * Creates a `StartTimedOut`, from the latest failure of its readiness check if there was one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const startTimedOut = (timeoutMillis: number, check?: Cause.Cause<unknown>): ExitReason =>
  check === undefined
    ? { _tag: "StartTimedOut", timeoutMillis }
    : { _tag: "StartTimedOut", timeoutMillis, error: Cause.squash(check) }

/**
 * Creates an `Unhealthy` from the latest failure of a check.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unhealthy = (check: string, cause: Cause.Cause<unknown>): ExitReason => ({
  _tag: "Unhealthy",
  check,
  error: Cause.squash(cause),
  cause
})

/**
 * Creates a `ProviderDown`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const providerDown = (id: string, service: string, cause: Cause.Cause<unknown>): ExitReason => ({
  _tag: "ProviderDown",
  id,
  service,
  cause
})

/**
 * Reads the reason off a fiber's exit. A defect counts for more than a typed error, and both for more than an
 * interruption.
 *
 * **Example** (A panic is a typed value)
 *
 * ```ts import.meta.vitest
 * import { ExitReason } from "coppice"
 * import { Exit } from "effect"
 *
 * ExitReason.fromExit(Exit.void)._tag // => "Normal"
 * ExitReason.fromExit(Exit.fail("no route"))._tag // => "Failure"
 * ExitReason.fromExit(Exit.die(new Error("bug")))._tag // => "Defect"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): ExitReason =>
  exit._tag === "Success" ? normal : fromCause(exit.cause)

const fromCause = (cause: Cause.Cause<unknown>): ExitReason => {
  let failed: Cause.Fail<unknown> | undefined
  let left: Option.Option<{ readonly reason: unknown }> = Option.none()
  for (const reason of cause.reasons) {
    if (reason._tag === "Die") return { _tag: "Defect", defect: reason.defect, cause }
    if (reason._tag === "Fail") failed ??= reason
    else if (Option.isNone(left)) left = Context.getOption(Cause.reasonAnnotations(reason), Leave)
  }
  if (failed !== undefined) return { _tag: "Failure", error: failed.error, cause }
  return Option.isSome(left) ? shutdown(left.value.reason) : { _tag: "Interrupted", cause }
}

/**
 * Creates the reason of a start that failed from why it failed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const startFailed = (why: ExitReason): ExitReason => {
  switch (why._tag) {
    case "StartFailed":
    case "StartTimedOut":
    case "ProviderDown":
      return why
    case "Failure":
      return { _tag: "StartFailed", error: why.error, cause: why.cause }
    case "Defect":
      return { _tag: "StartFailed", error: why.defect, cause: why.cause }
    case "GaveUp":
      return { _tag: "StartFailed", error: why.error, cause: Cause.fail(why.error) }
    case "Interrupted":
      return { _tag: "StartFailed", error: "the start was interrupted", cause: why.cause }
    default: {
      const error = `the child left while it started: ${format(why)}`
      return { _tag: "StartFailed", error, cause: Cause.fail(error) }
    }
  }
}

/**
 * Checks whether a reason is clean: `Normal`, `Shutdown` or `GaveUp`. After a clean exit a transient child is not
 * restarted (rule R2).
 *
 * @category predicates
 * @since 0.1.0
 */
export const isClean = (reason: ExitReason): boolean =>
  reason._tag === "Normal" || reason._tag === "Shutdown" || reason._tag === "GaveUp"

/**
 * The whole `Cause` of a reason, where there is one.
 *
 * @category getters
 * @since 0.1.0
 */
export const getCause = (reason: ExitReason): Option.Option<Cause.Cause<unknown>> => {
  if (reason._tag === "GaveUp") return Option.some(Cause.fail(reason.error))
  return "cause" in reason ? Option.some(reason.cause) : Option.none()
}

/**
 * Renders a reason as one line.
 *
 * **Example** (Reasons for people)
 *
 * ```ts import.meta.vitest
 * import { ExitReason } from "coppice"
 *
 * ExitReason.format(ExitReason.failure(new Error("no route"))) // => "failed: no route"
 * ExitReason.format(ExitReason.shutdown("drained")) // => "shut down: drained"
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (reason: ExitReason): string => {
  switch (reason._tag) {
    case "Normal":
      return "returned normally"
    case "Shutdown":
      return reason.reason === undefined ? "shut down" : `shut down: ${formatError(reason.reason)}`
    case "Failure":
      return `failed: ${formatError(reason.error)}`
    case "Defect":
      return `panicked: ${formatError(reason.defect)}`
    case "Interrupted":
      return "was interrupted, and not by its supervisor"
    case "Killed":
      return "was killed"
    case "StartFailed":
      return `could not start: ${formatError(reason.error)}`
    case "Unhealthy":
      return `is unhealthy: ${reason.check} failed: ${formatError(reason.error)}`
    case "StartTimedOut":
      return `did not start within ${reason.timeoutMillis} ms` +
        ("error" in reason ? `, and was not ready: ${formatError(reason.error)}` : "")
    case "ProviderDown":
      return `needs ${reason.service}, and its sibling "${reason.id}", which gives it, is down`
    case "GaveUp":
      return firstLine(gaveUpLine(reason.error))
  }
}

const maxLength = 300

const firstLine = (text: string): string => {
  const line = /[^\r\n]+/.exec(text)?.[0] ?? ""
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line
}

const formatError = (error: unknown): string =>
  guarded(() => {
    // Told where the child is named already.
    if (Predicate.isTagged(error, "InvalidChild") && Predicate.hasProperty(error, "problem")) {
      return String(error.problem)
    }
    if (Predicate.hasProperty(error, "message") && typeof error.message === "string" && error.message !== "") {
      return firstLine(error.message)
    }
    if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return firstLine(error._tag)
    if (error instanceof Error) return firstLine(error.name)
    return firstLine(typeof error === "object" ? JSON.stringify(error) : String(error))
  }, unreadable)

/**
 * Tells how an escalation came about, a line a level, from the leaf to the supervisor whose error it is.
 *
 * @category formatting
 * @since 0.1.0
 */
export const story = (error: RestartIntensityExceeded): ReadonlyArray<string> => [
  ...childStory(`${error.path}/${error.child}`, error.reason),
  gaveUpLine(error)
]

/**
 * Tells how a child ended, a line a level, from the leaf upwards.
 *
 * @category formatting
 * @since 0.1.0
 */
export const childStory = (path: string, reason: ExitReason): ReadonlyArray<string> => {
  if (reason._tag === "GaveUp") return story(reason.error)
  const inner = reason._tag === "StartFailed" ? guarded(() => innerStory(path, reason.error), undefined) : undefined
  return inner ?? [`${path} ${format(reason)}`]
}

/**
 * Checks whether a reason is that of a supervisor inside the child, which has told of it itself: it gave up, or one of its
 * children did not start.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isToldInside = (reason: ExitReason): boolean =>
  reason._tag === "GaveUp" ||
  (reason._tag === "StartFailed" && guarded(() => isSupervisors(reason.error), false))

// A ChildStartFailed is told by its shape, because that class is built on this module.
const isSupervisors = (error: unknown): error is Error =>
  error instanceof RestartIntensityExceeded || (Predicate.isTagged(error, "ChildStartFailed") && error instanceof Error)

// A supervisor inside the child tells its own story.
const innerStory = (path: string, error: unknown): ReadonlyArray<string> | undefined => {
  if (error instanceof RestartIntensityExceeded) return story(error)
  if (!isSupervisors(error)) return undefined
  const told = error.message.split("\n")
  // Under Child.supervisor it is the child, and has said so.
  return Predicate.hasProperty(error, "path") && error.path === path ? told : [...told, `${path} could not start`]
}

const gaveUpLine = (error: RestartIntensityExceeded): string =>
  error.pattern === "exhausted" ?
    `${error.path} gave up on "${error.child}", whose backoff is exhausted` :
    error.pattern === "escalated" ?
    `${error.path} gave up on "${error.child}", which said that no restart can help` :
    `${error.path} gave up on "${error.child}": ${error.restarts} ${
      error.restarts === 1 ? "restart" : "restarts"
    } needed ${within(error.periodMillis)}, ` +
    `${error.intensity} allowed`

const within = (millis: number): string => {
  if (millis === Infinity) return "since its start"
  return millis < 1000 ? `within ${millis} ms` : `within ${millis / 1000} s`
}

// The supervisor where it began.
const leaf = (error: RestartIntensityExceeded): RestartIntensityExceeded => {
  const { reason } = error
  if (reason._tag === "GaveUp") return leaf(reason.error)
  const inner = reason._tag === "StartFailed" ? reason.error : undefined
  return guarded(() => inner instanceof RestartIntensityExceeded, false)
    ? leaf(inner as RestartIntensityExceeded)
    : error
}

const likelyCause = (error: RestartIntensityExceeded): string | undefined => {
  const origin = leaf(error)
  const path = `${origin.path}/${origin.child}`
  if (origin.pattern === "failed-to-start") {
    return `every restart of ${path} failed while it started; ` +
      `what it needs is down longer than that (give it a backoff, or raise intensity and period)`
  }
  if (origin.pattern === "returned") {
    return `${path} returned normally but is permanent; ` +
      `make it "transient" if it may finish, or let it run for ever`
  }
  return undefined
}
