/**
 * The errors of a supervisor: one class per condition, none of them a child's own.
 *
 * What a child fails with is an event and, when restarts do not help, a reason inside `RestartIntensityExceeded` or
 * `ChildStartFailed`. `ChildDown` and `ChildUnavailable` are those of a
 * `ChildRef`. The other classes are answers to calls and correspond to OTP's `{error, …}` answers.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as ErrorReporter from "effect/ErrorReporter"
import * as Schema from "effect/Schema"
import { childStory, ExitReason, format } from "./ExitReason.ts"

export {
  /**
   * The supervisor gave up.
   *
   * @category errors
   * @since 0.1.0
   */
  RestartIntensityExceeded
} from "./ExitReason.ts"

const child = { path: Schema.String, id: Schema.String }

/**
 * A child could not be started: the initial start of a supervisor (rule S3), `startChild` (C2) or `restartChild` (C6).
 *
 * `path` is the supervisor's, `id` the child's, `reason` a `StartFailed`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildStartFailed extends Schema.TaggedError<ChildStartFailed>()("ChildStartFailed", {
  ...child,
  reason: ExitReason
}) {
  override get message(): string {
    return [...childStory(`${this.path}/${this.id}`, this.reason), `${this.path} could not start "${this.id}"`].join(
      "\n"
    )
  }
}

/**
 * No child of this supervisor has that id. OTP's `not_found`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildNotFound extends Schema.TaggedError<ChildNotFound>()("ChildNotFound", child) {
  override get message(): string {
    return `${this.path} has no child "${this.id}"`
  }
}

/**
 * The call needs a child that is down, and it is running. OTP's `running`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildRunning extends Schema.TaggedError<ChildRunning>()("ChildRunning", child) {
  override get message(): string {
    return `${this.path}/${this.id} is running: terminate it first`
  }
}

/**
 * The call needs a child that is down, and its restart is being tried. OTP's `restarting`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildRestarting extends Schema.TaggedError<ChildRestarting>()("ChildRestarting", child) {
  override get message(): string {
    return `${this.path}/${this.id} is restarting: terminate it first, which cancels the retry`
  }
}

/**
 * `startChild` with the id of a child that is running. OTP's `already_started`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildAlreadyStarted extends Schema.TaggedError<ChildAlreadyStarted>()("ChildAlreadyStarted", {
  ...child,
  incarnation: Schema.Int
}) {
  override get message(): string {
    return `${this.path}/${this.id} is already running`
  }
}

/**
 * `startChild` with the id of a child that is listed but not running. OTP's `already_present`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildAlreadyPresent extends Schema.TaggedError<ChildAlreadyPresent>()("ChildAlreadyPresent", child) {
  override get message(): string {
    return `${this.path}/${this.id} is listed but not running: restart it, or delete it first`
  }
}

/**
 * A dynamic supervisor has as many children as it may have, restarting ones included (rule EL8). Nothing was run. Elixir's
 * `max_children`.
 *
 * @category errors
 * @since 0.1.0
 */
export class MaxChildrenReached extends Schema.TaggedError<MaxChildrenReached>()("MaxChildrenReached", {
  path: Schema.String,
  maxChildren: Schema.Int
}) {
  override get message(): string {
    return `${this.path} has all the ${this.maxChildren} children it may have: nothing was started`
  }
}

/**
 * A child or a supervisor that cannot be: a duplicate or malformed id, a bad combination, a number out of range (rules
 * A8, V1–V4). `startChild` fails with it; in an initial list or in a supervisor's options it is a defect.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidChild extends Schema.TaggedError<InvalidChild>()("InvalidChild", {
  ...child,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.path}/${this.id}: ${this.problem}`
  }
}

/**
 * The supervisor that was called has ended. OTP's `noproc`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SupervisorDown extends Schema.TaggedError<SupervisorDown>()("SupervisorDown", { path: Schema.String }) {
  override get message(): string {
    return `${this.path} has ended`
  }
}

/**
 * A call from a start or a stop that the supervisor is waiting for. It could never be answered, as the supervisor does
 * one thing at a time (rules S8, C11). A fiber forked there cannot be told apart, and is refused too for as long as the
 * start or the stop goes on.
 *
 * @category errors
 * @since 0.1.0
 */
export class CallFromWithin extends Schema.TaggedError<CallFromWithin>()("CallFromWithin", {
  path: Schema.String,
  during: Schema.Literals(["start", "stop"])
}) {
  override get message(): string {
    return `${this.path} was called from a ${this.during} that it is waiting for, and could never answer: ` +
      `call it when the ${this.during} is over`
  }
}

/**
 * The incarnation ended while it was used. The effect was interrupted, or was over too late: it may have done part of
 * its work.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildDown extends Schema.TaggedError<ChildDown>()("ChildDown", {
  ref: Schema.String,
  path: Schema.String,
  incarnation: Schema.Int
}) {
  override get message(): string {
    return `${this.path} ended while it was used: what was begun may have been done in part`
  }
}

/**
 * No incarnation is alive: the child is down for good, or has not come back within the patience. Nothing was run, so that
 * it is safe to try again.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildUnavailable extends Schema.TaggedError<ChildUnavailable>()("ChildUnavailable", {
  ref: Schema.String,
  reason: Schema.Literals(["down", "not-back-in-time"]),
  // @effect-diagnostics-next-line schemaNumber:off - one may wait for ever
  patienceMillis: Schema.Number
}) {
  override get message(): string {
    const why = this.reason === "down"
      ? "the child that fills it is down, and nothing restarts it"
      : `no child has filled it within ${Duration.format(Duration.millis(this.patienceMillis))}`
    return `${this.ref} is not available: ${why}; nothing was run`
  }
}

/**
 * What an `ErrorReporter` is given, once for each crash of a child: an abnormal exit or a failed start.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChildCrashed extends Schema.TaggedError<ChildCrashed>()("ChildCrashed", {
  path: Schema.String,
  incarnation: Schema.Int,
  reason: ExitReason,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly [ErrorReporter.severity] = "Error" as const

  override get message(): string {
    return `${this.path} ${format(this.reason)}`
  }

  override get [ErrorReporter.attributes](): Readonly<Record<string, unknown>> {
    return { "coppice.path": this.path, "coppice.incarnation": this.incarnation }
  }
}
