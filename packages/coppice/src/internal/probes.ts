import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { unhealthy } from "../ExitReason.ts"
import { afterCheck, initial } from "./health.ts"
import type { Incarnation } from "./incarnation.ts"
import type { AnyLiveness, AnyProbe } from "./spec.ts"

const millis = (input: Duration.Input | undefined, otherwise: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? otherwise))

/** What a check runs in: the child's context, with what it has built. */
const probeContext = (incarnation: Incarnation, context: Context.Context<never>): Context.Context<never> =>
  incarnation.built === undefined ? context : Context.merge(context, incarnation.built.services)

// In the incarnation's scope, which ends it before anything else in it.
const forkProbe = (incarnation: Incarnation, context: Context.Context<never>, probe: Effect.Effect<void>): void => {
  const fork = Effect.forkIn(probe, incarnation.scope, { startImmediately: true })
  Effect.runForkWith(probeContext(incarnation, context))(fork)
}

/** The cause of a check's failure, or nothing if it succeeded. */
type Checked = Cause.Cause<unknown> | undefined

// In a fiber of its own: a check that is not to be interrupted has failed all the same when its time is over. As long as
// it goes on, no other is begun.
const checker = (probe: AnyProbe) => {
  const { check } = probe
  const timeoutMillis = millis(probe.timeout, "1 second")
  let pending: Fiber.Fiber<unknown, unknown> | undefined
  return Effect.suspend((): Effect.Effect<Checked> => {
    if (pending !== undefined && pending.pollUnsafe() === undefined) return Effect.succeed(timedOut(timeoutMillis))
    return Effect.flatMap(Effect.forkChild(check, { startImmediately: true }), (fiber) => {
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

/** Repeats the check until it succeeds for the first time. */
export const awaitReady = (
  incarnation: Incarnation,
  context: Context.Context<never>,
  probe: AnyProbe,
  onReady: () => void
): void => {
  const check = checker(probe)
  const interval = millis(probe.interval, "1 second")
  const loop: Effect.Effect<void> = Effect.flatMap(
    check,
    (failure) => failure === undefined ? Effect.sync(onReady) : Effect.andThen(Effect.sleep(interval), loop)
  )
  forkProbe(incarnation, context, loop)
}

/** Repeats the check as long as the incarnation lives, and ends it when the check has failed too often. */
export const watch = (incarnation: Incarnation, context: Context.Context<never>, probe: AnyLiveness): void => {
  const check = checker(probe)
  const interval = millis(probe.interval, "10 seconds")
  const thresholds = { failure: probe.failureThreshold ?? 3, success: probe.successThreshold ?? 1 }
  let record = initial
  const once = Effect.map(check, (failure) => {
    const next = afterCheck(record, failure === undefined, thresholds)
    if (next === "unhealthy") {
      incarnation.end(unhealthy(probe.name ?? "liveness", failure ?? Cause.empty))
      return
    }
    if (next.health !== record.health) incarnation.tellHealth(next.health)
    record = next
  })
  const loop = Effect.forever(Effect.andThen(once, Effect.sleep(interval)))
  forkProbe(incarnation, context, Effect.andThen(Effect.sleep(millis(probe.startPeriod, 0)), loop))
}
