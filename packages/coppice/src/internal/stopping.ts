import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Incarnation } from "./incarnation.ts"
import { CurrentParent } from "./parent.ts"

/**
 * Ends an incarnation: interrupts its fiber, waits for it, then closes its scope, all within its shutdown time. At the
 * bound it is abandoned: its scope is closed all the same, and nobody waits any more (rules T2–T4). Answers `undefined`
 * when that was done at once.
 */
export const end = (incarnation: Incarnation, killed = false): Effect.Effect<void> | undefined => {
  // A supervisor that is killed still has its children to stop (rule T11).
  const brutal = incarnation.entry.spec.shutdown === "brutal-kill" || (killed && !incarnation.hasSupervisor)
  incarnation.status = "closing"
  incarnation.emptyRef()
  incarnation.interrupt()
  if (incarnation.fiber === undefined && incarnation.scope.state._tag === "Empty") {
    Scope.closeUnsafe(incarnation.scope, Exit.void)
    return undefined
  }
  return Effect.callback<void>((resume) => {
    let timer: Fiber.Fiber<void> | undefined
    let waiting = true
    const settle = () => {
      if (!waiting) return
      waiting = false
      timer?.interruptUnsafe()
      resume(Effect.void)
    }
    let closedLate: (() => void) | undefined
    const close = () => {
      closeScope(incarnation, () => {
        settle()
        closedLate?.()
      })
    }
    if (incarnation.fiber === undefined) close()
    else incarnation.onFiberDone = close
    incarnation.refuseCalls()
    if (!waiting) return
    const millis = brutal ? brutalKillMillis : shutdownMillis(incarnation)
    const late = Effect.sync(() => {
      if (!waiting) return
      closedLate = abandon(incarnation)
      settle()
    })
    const patience = millis <= slowMillis
      ? Effect.delay(late, millis)
      : Effect.andThen(
        Effect.delay(Effect.sync(() => incarnation.supervisor.report.stopIsSlow(incarnation, millis)), slowMillis),
        Effect.delay(late, millis - slowMillis)
      )
    timer = Effect.runForkWith(incarnation.supervisor.context)(patience)
  })
}

/** After how long a stop says which child it waits for. */
const slowMillis = 1000

/** How long a brutally killed child is waited for. */
const brutalKillMillis = 100

/** A child inside which a supervisor lives has that supervisor's own bounds, unless it says otherwise (rule T5). */
const shutdownMillis = (incarnation: Incarnation): number => {
  const { spec } = incarnation.entry
  return spec.shutdownIsDefault && incarnation.hasSupervisor ? Infinity : spec.shutdownMillis
}

// The answer is to be told when the scope that was waited for has closed late.
const abandon = (incarnation: Incarnation): () => void => {
  const { supervisor } = incarnation
  const { events, report } = supervisor
  const waitingFor = incarnation.fiber === undefined ? "scope" : "fiber"
  if (events.heard > 0) {
    supervisor.publish({
      _tag: "ChildAbandoned",
      path: incarnation.path,
      incarnation: incarnation.number,
      timeMillis: supervisor.nowMillis(),
      waitingFor
    })
  }
  report.abandoned(incarnation, waitingFor)
  incarnation.abandoned = true
  supervisor.tally?.abandoned()
  const abandoned = supervisor.abandoned ??= new Set()
  abandoned.add(incarnation)
  let left = waitingFor === "fiber" ? 2 : 1
  const oneEnded = () => {
    if (--left === 0) abandoned.delete(incarnation)
  }
  if (waitingFor === "fiber") {
    incarnation.onFiberDone = oneEnded
    closeScope(incarnation, oneEnded)
  }
  return oneEnded
}

// In a fiber of its own: whoever waits for it can stop waiting. Its context says where it belongs, so that a finalizer
// that calls the supervisor waiting for it is told so.
const closeScope = (incarnation: Incarnation, onClosed: () => void): void => {
  const { supervisor } = incarnation
  const context = Context.add(supervisor.childContext, CurrentParent, incarnation)
  const close = Effect.withFiber((fiber) => {
    fiber.addObserver((exit) => {
      if (exit._tag === "Failure") supervisor.report.finalizerFailed(incarnation, exit.cause)
      onClosed()
    })
    return Scope.close(incarnation.scope, incarnation.exit ?? Exit.void)
  })
  supervisor.report.guard(() => Effect.runForkWith(context)(close))
}
