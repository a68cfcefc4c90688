import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { unhealthy } from "../ExitReason.ts"
import type { Surrounding } from "./around.ts"
import { afterCheck, initial, type Record } from "./health.ts"
import type { Incarnation } from "./incarnation.ts"
import { CurrentStart, type StartInProgress } from "./parent.ts"
import type { AnyLiveness, AnyProbe } from "./spec.ts"

/** What a check runs in: the child's context, with what it has built. */
const probeContext = (incarnation: Incarnation, context: Context.Context<never>): Context.Context<never> =>
  incarnation.built === undefined ? context : Context.merge(context, incarnation.built.services)

// In the incarnation's scope, which ends it before anything else in it; it is told to end as soon as the child is.
const forkProbe = (incarnation: Incarnation, context: Context.Context<never>, probe: Effect.Effect<void>): void => {
  const first = Effect.withFiber((fiber) => {
    const health = incarnation.probing?.health
    incarnation.probing = { fiber, health }
    fiber.addObserver(() => {
      const { probing } = incarnation
      if (probing?.fiber === fiber) incarnation.probing = { fiber: undefined, health: probing.health }
    })
    return probe
  })
  const fork = Effect.forkIn(first, incarnation.scope, { startImmediately: true })
  incarnation.supervisor.report.guard(() => Effect.runForkWith(probeContext(incarnation, context))(fork))
}

/** The cause of a check's failure, or nothing if it succeeded. */
type Checked = Cause.Cause<unknown> | undefined

// In a fiber of its own: a check that is not to be interrupted has failed all the same when its time is over. As long as
// it goes on, no other is begun.
const checker = ({ check, timeoutMillis }: AnyProbe, around: Surrounding): Effect.Effect<Checked> => {
  let pending: Fiber.Fiber<unknown, unknown> | undefined
  return Effect.suspend((): Effect.Effect<Checked> => {
    if (pending !== undefined && pending.pollUnsafe() === undefined) return Effect.succeed(timedOut(timeoutMillis))
    return Effect.flatMap(Effect.forkChild(around.check(check), { startImmediately: true }), (fiber) => {
      pending = fiber
      return Effect.map(Effect.timeoutOption(Fiber.await(fiber), timeoutMillis), (exit): Checked => {
        if (exit._tag === "None") {
          fiber.interruptUnsafe()
          return timedOut(timeoutMillis)
        }
        return Exit.isSuccess(exit.value) ? undefined : exit.value.cause
      })
    })
  })
}

const timedOut = (timeoutMillis: number): Cause.Cause<unknown> => Cause.fail(`no answer within ${timeoutMillis} ms`)

/**
 * Repeats the check until it succeeds for the first time. The start waits for it: a call to a supervisor that waits for
 * this start could never be answered.
 */
export const awaitReady = (
  incarnation: Incarnation,
  context: Context.Context<never>,
  start: StartInProgress,
  probe: AnyProbe,
  around: Surrounding,
  onReady: () => void
): void => {
  const check = checker(probe, around)
  const loop: Effect.Effect<void> = Effect.flatMap(
    check,
    (failure) => {
      if (failure === undefined) return Effect.sync(onReady)
      incarnation.probing = { fiber: incarnation.probing?.fiber, health: undefined, failure }
      return Effect.andThen(Effect.sleep(probe.intervalMillis), loop)
    }
  )
  forkProbe(incarnation, Context.add(context, CurrentStart, start), loop)
}

/** Repeats the check as long as the incarnation lives, and ends it when the check has failed too often. */
export const watch = (
  incarnation: Incarnation,
  context: Context.Context<never>,
  probe: AnyLiveness,
  around: Surrounding
): void => {
  const check = checker(probe, around)
  const thresholds = { failure: probe.failureThreshold, success: probe.successThreshold }
  const loop = (record: Record): Effect.Effect<void> =>
    Effect.flatMap(check, (failure) => {
      if (incarnation.status !== "running") return Effect.void
      const next = afterCheck(record, failure === undefined, thresholds)
      if (next === "unhealthy") {
        incarnation.end(unhealthy(probe.name, failure ?? Cause.empty))
        return Effect.void
      }
      if (next.health !== record.health) incarnation.tellHealth(next.health)
      return Effect.andThen(Effect.sleep(probe.intervalMillis), loop(next))
    })
  forkProbe(incarnation, context, Effect.andThen(Effect.sleep(probe.startPeriodMillis), loop(initial)))
}
