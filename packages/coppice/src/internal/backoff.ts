import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { Input } from "../Backoff.ts"
import type { ExitReason } from "../ExitReason.ts"
import type { Entry } from "./children.ts"
import { type Step, wait } from "./steps.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** How far a child is in its backoff. */
export interface Account {
  step: (now: number, input: Input) => Pull.Pull<[unknown, Duration.Duration], never, unknown>
  attempt: number
  /** Whether it is at its end, and the child is left down. */
  isClosed: boolean
}

/** Of those children that have a backoff: how far they are in it, since when they are up, and how long they were. */
export class Backoffs {
  readonly accounts = new WeakMap<Entry, Account>()
  readonly upSince = new WeakMap<Entry, number>()
  readonly uptimes = new WeakMap<Entry, number>()
}

const backoffsOf = (core: SupervisorCore): Backoffs => core.backoffs ??= new Backoffs()

/** A start begins: until it is up, a child has no uptime. */
export const forgetStart = (core: SupervisorCore, entry: Entry): void => {
  core.backoffs?.uptimes.delete(entry)
}

/** Notes that an incarnation has started, as its uptime may close the account. */
export const noteStart = (core: SupervisorCore, entry: Entry): void => {
  // Stryker disable next-line ConditionalExpression: to note it of every child would only take memory
  if (entry.spec.care.backoff !== undefined) backoffsOf(core).upSince.set(entry, core.monotonicMillis())
}

/** Notes how long an incarnation was up. What the supervisor does before it comes to judge the end does not count. */
export const noteEnd = (core: SupervisorCore, entry: Entry): void => {
  const upSince = core.backoffs?.upSince.get(entry)
  // Stryker disable next-line ConditionalExpression: likewise
  if (upSince !== undefined) backoffsOf(core).uptimes.set(entry, core.monotonicMillis() - upSince)
}

/** The child, whose backoff has ended, is left down until it is started by hand. */
export const closeAccount = (core: SupervisorCore, entry: Entry): void => {
  backoffsOf(core).accounts.get(entry)!.isClosed = true
}

/** The child is started by hand: what it has been through counts no more. */
export const forgetAccount = (core: SupervisorCore, entry: Entry): void => {
  core.backoffs?.accounts.delete(entry)
}

/** Whether a child is down because its backoff has ended: a group restart passes it by. */
export const isGivenUp = (core: SupervisorCore, entry: Entry): boolean =>
  core.backoffs?.accounts.get(entry)?.isClosed === true

/**
 * How long a child waits before it is restarted, in milliseconds; without a backoff not at all. A child that was up for
 * `resetAfter` has a new account.
 */
export function* nextDelay(core: SupervisorCore, entry: Entry, reason: ExitReason): Step<number | "exhausted"> {
  const { backoff, resetAfterMillis } = entry.spec.care
  if (backoff === undefined) return 0
  const { accounts, uptimes } = backoffsOf(core)
  const uptime = uptimes.get(entry) ?? 0
  let account = accounts.get(entry)
  if (account === undefined || uptime >= resetAfterMillis) {
    account = { step: yield* wait(Schedule.toStep(backoff)), attempt: 0, isClosed: false }
    accounts.set(entry, account)
  }
  const input = { reason, uptime: Duration.millis(uptime), attempt: ++account.attempt }
  const { step } = account
  const exit = yield* wait(Effect.exit(Effect.suspend(() => step(core.nowMillis(), input))))
  if (Exit.isSuccess(exit)) return Duration.toMillis(exit.value[1])
  if (!exit.cause.reasons.every(Pull.isDoneFailure)) core.report.backoffFailed(entry, exit.cause)
  return "exhausted"
}
