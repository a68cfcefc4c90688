import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import type * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as References from "effect/References"
import {
  type ExitReason,
  format,
  type GaveUp,
  getCause,
  isClean,
  isToldInside,
  type RestartIntensityExceeded
} from "../ExitReason.ts"
import { ChildCrashed } from "../SupervisorError.ts"
import type { Verdict } from "../SupervisorEvent.ts"
import type { Entry } from "./children.ts"
import type { Incarnation } from "./incarnation.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** OTP's report contexts, and `progress` for its progress reports. */
type ReportContext = "start-error" | "child-terminated" | "shutdown-error" | "shutdown" | "progress"

/**
 * What a supervisor tells the logs and the error reporters, in the shape of OTP's supervisor reports: supervisor,
 * context, reason, child. A line that is off costs one test. Each is written in a fiber of its own, so that a logger
 * that throws hurts nobody.
 */
export class Report {
  private readonly supervisor: SupervisorCore
  private readonly context: Context.Context<never>
  private readonly reporting: boolean
  private readonly debug: boolean
  private readonly warning: boolean
  private readonly error: boolean

  constructor(supervisor: SupervisorCore, context: Context.Context<never>) {
    this.supervisor = supervisor
    this.context = context
    this.reporting = Context.get(context, ErrorReporter.CurrentErrorReporters).size > 0
    const logs = Context.get(context, References.CurrentLoggers).size > 0
    const minimum = Context.get(context, References.MinimumLogLevel)
    const isOn = (level: LogLevel.LogLevel) => logs && LogLevel.isGreaterThanOrEqualTo(level, minimum)
    this.debug = isOn("Debug")
    this.warning = isOn("Warn")
    this.error = isOn("Error")
  }

  started({ entry, number }: Incarnation): void {
    if (this.debug) this.write("Debug", "child started", "progress", { child: entry.spec.id, incarnation: number })
  }

  stopped({ entry, number }: Incarnation): void {
    if (this.debug) this.write("Debug", "child stopped", "progress", { child: entry.spec.id, incarnation: number })
  }

  supervisorStarted(): void {
    if (this.debug) this.write("Debug", "supervisor started", "progress", {})
  }

  supervisorStopped(reason: ExitReason): void {
    if (this.debug) this.write("Debug", "supervisor stopped", "shutdown", { reason: format(reason) })
  }

  /**
   * A child left. An abnormal exit is an error, and so is the end of a supervisor that gave up, which is clean for the
   * rules; what leaves cleanly and is not restarted is progress.
   */
  exited(incarnation: Incarnation, reason: ExitReason, verdict: Verdict): void {
    const crashed = !isClean(reason)
    if (crashed) this.reportCrash(incarnation, reason)
    if (crashed || reason._tag === "GaveUp") {
      if (this.error) this.failed("child terminated", "child-terminated", incarnation, reason)
    } else if (this.debug && verdict !== "restart") {
      const fields = { child: incarnation.entry.spec.id, incarnation: incarnation.number, reason: format(reason) }
      this.write("Debug", "child terminated", "child-terminated", fields)
    }
  }

  /** A child left, and was stopped before the supervisor came to judge it (rule Q3). */
  swallowed(incarnation: Incarnation, reason: ExitReason): void {
    if (isClean(reason)) return
    this.reportCrash(incarnation, reason)
    if (this.error) this.failed("child terminated just before it was stopped", "shutdown-error", incarnation, reason)
  }

  /** What a supervisor inside has told already is told again, but not with its cause, and not to the error reporters. */
  startFailed(incarnation: Incarnation, reason: ExitReason): void {
    if (!isToldInside(reason)) this.reportCrash(incarnation, reason)
    if (this.error) this.failed("child could not start", "start-error", incarnation, reason)
  }

  restarting(entry: Entry, reason: ExitReason): void {
    if (!this.warning) return
    const { count, intensity } = this.supervisor.window
    this.write("Warn", `restarting child (${count} of ${intensity} restarts)`, "child-terminated", {
      child: entry.spec.id,
      incarnation: entry.number,
      reason: format(reason)
    })
  }

  /** A fiber that was told to end, or whose child had left already, ended with an error of its own. */
  shutdownFailed(incarnation: Incarnation, cause: Cause.Cause<unknown>): void {
    this.problem("child failed while it ended", incarnation, cause)
  }

  finalizerFailed(incarnation: Incarnation, cause: Cause.Cause<unknown>): void {
    this.problem("a finalizer of a child failed", incarnation, cause)
  }

  /**
   * Does something that may run the observers of somebody else's fibers. Effect lets what they throw through to whoever
   * ended the fiber, which must not hurt the supervisor.
   */
  guard(run: () => void): void {
    try {
      run()
    } catch (thrown) {
      this.observerThrew(thrown)
    }
  }

  observerThrew(thrown: unknown): void {
    if (this.error) this.write("Error", "an observer of a fiber threw", "shutdown-error", {}, Cause.die(thrown))
  }

  /** The supervisor itself has failed. */
  loopDied(cause: Cause.Cause<unknown>): void {
    this.write(
      "Fatal",
      "the supervisor itself failed, which is a bug in coppice: its children are stopped",
      "shutdown",
      {},
      cause
    )
  }

  abandoned(incarnation: Incarnation, waitingFor: "fiber" | "scope"): void {
    const what = waitingFor === "fiber" ? "its fiber does not end" : "its finalizers do not end"
    this.problem(`child abandoned: ${what}`, incarnation)
  }

  abandonedFiberEnded(incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>): void {
    if (!this.warning) return
    const fields = { child: incarnation.entry.spec.id, incarnation: incarnation.number }
    const cause = exit._tag === "Failure" ? exit.cause : undefined
    this.write("Warn", "an abandoned child has ended at last", "shutdown-error", fields, cause)
  }

  /** A schedule failed or died, which a backoff must not: it is taken for exhausted. */
  backoffFailed(entry: Entry, cause: Cause.Cause<unknown>): void {
    if (this.error) {
      this.write("Error", "the backoff of a child failed", "child-terminated", { child: entry.spec.id }, cause)
    }
  }

  /** A child is down for good, and its supervisor goes on. */
  childFailed(entry: Entry, reason: ExitReason): void {
    if (!this.error) return
    const fields = { child: entry.spec.id, incarnation: entry.number, reason: format(reason) }
    this.write("Error", "child stays down, as its backoff is exhausted", "shutdown", fields)
  }

  backingOff(entry: Entry, reason: ExitReason, delayMillis: number): void {
    if (!this.warning) return
    const fields = { child: entry.spec.id, incarnation: entry.number, reason: format(reason) }
    this.write("Warn", `restarting child in ${delayMillis} ms`, "child-terminated", fields)
  }

  gaveUp(reason: GaveUp): void {
    if (!this.error) return
    const { _tag, child, message } = reason.error
    this.write("Error", message, "shutdown", { child, reason: _tag })
  }

  /** A stop takes longer than a moment: this is the child it waits for. */
  stopIsSlow(incarnation: Incarnation, shutdownMillis: number): void {
    if (!this.warning) return
    const what = incarnation.fiber === undefined ? "finalizers" : "fiber"
    const bound = shutdownMillis === Infinity ? "without a bound" : `for ${shutdownMillis} ms at most`
    const fields = { child: incarnation.entry.spec.id, incarnation: incarnation.number }
    this.write("Warn", `waiting for the ${what} of a child to end, ${bound}`, "shutdown", fields)
  }

  /** The supervisor has ended, and these that were abandoned have not. */
  leftBehind(abandoned: Iterable<Incarnation>): void {
    if (!this.warning) return
    const children = Array.from(abandoned, ({ number, path }) => `${path} (incarnation ${number})`)
    this.write("Warn", `${children.length} abandoned, and still not ended: ${children.join(", ")}`, "shutdown", {})
  }

  /** The end of the line: no parent hears of it. */
  rootGaveUp(error: RestartIntensityExceeded): void {
    this.write("Fatal", "a root supervisor gave up and stays stopped; nothing restarts it", "shutdown", {
      child: error.child,
      reason: error._tag
    }, Cause.fail(error))
  }

  lastingFailed(entry: Entry, cause: Cause.Cause<unknown>): void {
    this.ofLasting("a finalizer of what a child had built to last failed", entry, cause)
  }

  lastingAbandoned(entry: Entry): void {
    this.ofLasting("what a child had built to last is abandoned: its finalizers do not end", entry)
  }

  escalationFailed(cause: Cause.Cause<unknown>): void {
    if (this.error) this.write("Error", "onEscalation failed", "shutdown", {}, cause)
  }

  private failed(message: string, context: ReportContext, incarnation: Incarnation, reason: ExitReason): void {
    const { entry, number } = incarnation
    const cause = isToldInside(reason) ? undefined : Option.getOrUndefined(getCause(reason))
    this.write("Error", message, context, { child: entry.spec.id, incarnation: number, reason: format(reason) }, cause)
  }

  private problem(message: string, { entry, number }: Incarnation, cause?: Cause.Cause<unknown>): void {
    if (!this.error) return
    this.write("Error", message, "shutdown-error", { child: entry.spec.id, incarnation: number }, cause)
  }

  private ofLasting(message: string, { spec }: Entry, cause?: Cause.Cause<unknown>): void {
    if (this.error) this.write("Error", message, "shutdown-error", { child: spec.id }, cause)
  }

  private write(
    level: LogLevel.Severity,
    message: string,
    context: ReportContext,
    fields: Record<string, unknown>,
    cause: Cause.Cause<unknown> = Cause.empty
  ): void {
    const annotations = { supervisor: this.supervisor.path, context, ...fields }
    const log = Effect.logWithLevel(level)
    // A cause that cannot be rendered does not take the line with it.
    const line = Effect.catchCause(log(message, cause), () => log(`${message} (its cause cannot be rendered)`))
    Effect.runForkWith(this.context)(Effect.annotateLogs(line, annotations))
  }

  // A fresh error for each crash: reporters remember what they have seen.
  private reportCrash({ path, number }: Incarnation, reason: ExitReason): void {
    if (!this.reporting) return
    const cause = Option.getOrUndefined(getCause(reason))
    const error = new ChildCrashed({
      path,
      incarnation: number,
      reason,
      ...(cause === undefined ? undefined : { cause: Cause.squash(cause) })
    })
    Effect.runForkWith(this.context)(ErrorReporter.report(Cause.fail(error)))
  }
}
