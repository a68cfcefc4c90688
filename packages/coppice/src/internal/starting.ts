import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { type ExitReason, failure, fromExit, startFailed, startTimedOut } from "../ExitReason.ts"
import { InvalidChild } from "../SupervisorError.ts"
import { nothingAround, surround, type Surrounding } from "./around.ts"
import { forgetStart, noteStart } from "./backoff.ts"
import { Built } from "./built.ts"
import { childContext, explain } from "./childContext.ts"
import type { Entry } from "./children.ts"
import { Incarnation } from "./incarnation.ts"
import { Outcome } from "./outcome.ts"
import { OwnLayers } from "./ownLayer.ts"
import { CurrentStart, type StartInProgress } from "./parent.ts"
import { awaitReady, watch } from "./probes.ts"
import { awaitRef, fillRef, refProblem } from "./refs.ts"
import { isIgnore } from "./signals.ts"
import type { AnyEffect, AnyLayer, Spec } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** How a start ended: the child runs, has nothing to run, was aborted by a stop order, or failed for this reason. */
export type StartOutcome = "started" | "ignored" | "aborted" | ExitReason

/**
 * Starts the next incarnation of a child. The start of an effect is done at once; any other runs in a fiber of its own,
 * so that a stop order or the end of something inside can abort it, from the moment on that it is called; what is not over
 * at once is answered as an effect. Unless the outcome is `"started"` the incarnation is still there and has to be stopped.
 */
export const start = (core: SupervisorCore, entry: Entry): StartOutcome | Effect.Effect<StartOutcome> => {
  const incarnation = new Incarnation(core, entry, ++entry.number)
  entry.incarnation = incarnation
  entry.cancelRetry()
  forgetStart(core, entry)
  entry.state = "starting"
  entry.startedAtMillis = core.nowMillis()
  incarnation.publish("ChildStarting")
  const context = childContext(core, incarnation)
  const how = entry.spec.start
  const around = core.middleware === undefined ? nothingAround : surround(core.middleware, incarnation)
  awaitRef(core, entry, context)
  if (how.kind !== "effect" || entry.spec.care.readiness !== undefined) {
    return startInFiber(core, incarnation, how, context, around)
  }
  hasStarted(incarnation)
  isUp(incarnation)
  runBody(incarnation, around.run(how.run), context)
  watchOver(incarnation, context, around)
  return "started"
}

const startInFiber = (
  core: SupervisorCore,
  incarnation: Incarnation,
  how: Spec["start"],
  context: Context.Context<never>,
  around: Surrounding
): StartOutcome | Effect.Effect<StartOutcome> => {
  if (core.stopOrdered) return "aborted"
  const outcome = new Outcome<StartOutcome>()
  const inProgress: StartInProgress = { active: true, supervisor: core, outer: core.outerStart }
  let timeout: Fiber.Fiber<void> | undefined
  const end = () => {
    timeout?.interruptUnsafe()
    inProgress.active = false
    incarnation.abortStart = undefined
    core.starting = undefined
  }
  incarnation.abortStart = (why) => {
    end()
    outcome.tell(why === "stopped" ? "aborted" : startFailed(why))
  }
  core.starting = incarnation
  const { acquire, begin, keep } = preparation(incarnation, how, context, around)
  const { readiness } = incarnation.entry.spec.care
  const ready = () => {
    if (!inProgress.active) return
    end()
    incarnation.publish("ChildReady")
    isUp(incarnation)
    watchOver(incarnation, context, around)
    outcome.tell("started")
  }
  incarnation.fork(acquire, Context.add(context, CurrentStart, inProgress), (_, exit) => {
    if (!inProgress.active) return incarnation.endedUnjudged(exit)
    const judged = judgeStart(incarnation, exit)
    if (judged !== "started") {
      end()
      return outcome.tell(judged)
    }
    const { value } = exit as Exit.Success<unknown>
    keep?.(value)
    if (readiness !== undefined) {
      hasStarted(incarnation)
      begin?.(value)
      if (inProgress.active) awaitReady(incarnation, context, inProgress, readiness, around, ready)
      return
    }
    // Over before the body begins: from here on the child may call its supervisor, and stop it.
    end()
    hasStarted(incarnation)
    isUp(incarnation)
    begin?.(value)
    watchOver(incarnation, context, around)
    outcome.tell("started")
  })
  // After what is done at once, in which a clock may say that no time is left.
  if (inProgress.active) timeout = timeLimit(incarnation)
  return outcome.told ?? outcome.await
}

// A start that takes longer than it may has failed.
const timeLimit = (incarnation: Incarnation): Fiber.Fiber<void> | undefined => {
  const { startTimeoutMillis } = incarnation.entry.spec.care
  if (startTimeoutMillis === Infinity) return undefined
  const tooLate = Effect.sync(() => {
    incarnation.end(startTimedOut(startTimeoutMillis, incarnation.probing?.failure))
  })
  return Effect.runForkWith(incarnation.supervisor.context)(Effect.delay(tooLate, startTimeoutMillis))
}

/** What a start waits for, what it keeps of that, and what runs when it is over. */
interface Preparation {
  readonly acquire: AnyEffect
  readonly keep?: (value: any) => void
  readonly begin?: (value: any) => void
}

const preparation = (
  incarnation: Incarnation,
  how: Spec["start"],
  context: Context.Context<never>,
  around: Surrounding
): Preparation => {
  switch (how.kind) {
    case "effect":
      return { acquire: Effect.void, begin: () => runBody(incarnation, around.run(how.run), context) }
    case "make":
      return {
        acquire: around.start(how.acquire),
        begin: (body: AnyEffect) => runBody(incarnation, around.run(body), context)
      }
    case "task":
      return { acquire: around.start(how.run) }
    case "layer":
    case "supervisor": {
      const layers = ownLayers(incarnation, how.layer)
      return {
        acquire: around.start(Layer.buildWithMemoMap(how.layer, layers, incarnation.scope)),
        keep: (services: Context.Context<any>) => {
          incarnation.built = new Built(services, layers, around.use())
        }
      }
    }
  }
}

const ownLayers = (incarnation: Incarnation, listed: AnyLayer): OwnLayers => {
  const { entry, scope, supervisor } = incarnation
  return new OwnLayers({
    scope,
    surroundings: supervisor.surroundings,
    listed,
    siblings: () => supervisor.isGroup ? earlierLayers(entry) : [],
    invalid: (problem) => invalid(incarnation, problem)
  })
}

const earlierLayers = (entry: Entry): ReadonlyArray<OwnLayers> => {
  const layers: Array<OwnLayers> = []
  for (let earlier = entry.previous; earlier !== undefined; earlier = earlier.previous) {
    if (earlier.incarnation?.built !== undefined) layers.push(earlier.incarnation.built.layers)
  }
  return layers.toReversed()
}

const invalid = ({ entry, supervisor }: Incarnation, problem: string): InvalidChild =>
  new InvalidChild({ path: supervisor.path, id: entry.spec.id, problem })

const judgeStart = (
  incarnation: Incarnation,
  exit: Exit.Exit<unknown, unknown>
): "started" | "ignored" | ExitReason => {
  const { spec } = incarnation.entry
  if (exit._tag === "Failure") {
    return isIgnore(exit.cause) ? "ignored" : startFailed(explain(incarnation.entry, fromExit(exit)))
  }
  if (spec.kind === "task") return "ignored"
  const problem = spec.type === "supervisor" && !incarnation.hasSupervisor
    ? "it is listed with Child.supervisor, but its layer builds no supervisor, or takes one that the " +
      "surroundings or an earlier sibling have built: list that supervisor itself, or use Child.layer"
    : refProblem(incarnation.supervisor, incarnation.entry)
  return problem === undefined ? "started" : startFailed(failure(invalid(incarnation, problem)))
}

const hasStarted = (incarnation: Incarnation): void => {
  incarnation.publish("ChildStarted")
  incarnation.supervisor.report.started(incarnation)
}

// Started, and ready if it has to be: its end is judged from now on.
const isUp = (incarnation: Incarnation): void => {
  const { entry, supervisor } = incarnation
  incarnation.status = "running"
  entry.state = "running"
  noteStart(supervisor, entry)
  fillRef(incarnation)
  supervisor.tally?.started(entry, supervisor.monotonicMillis())
}

// Last of all: the first check finds the body running.
const watchOver = (incarnation: Incarnation, context: Context.Context<never>, around: Surrounding): void => {
  const { liveness } = incarnation.entry.spec.care
  if (liveness === undefined || incarnation.status !== "running") return
  incarnation.probing = { fiber: undefined, health: "unknown" }
  watch(incarnation, context, liveness, around)
}

const runBody = (
  incarnation: Incarnation,
  body: AnyEffect,
  context: Context.Context<never>
): void => incarnation.fork(body, context, bodyEnded)

const bodyEnded = (incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>): void => {
  if (incarnation.status === "running" || incarnation.status === "starting") {
    incarnation.end(explain(incarnation.entry, fromExit(exit)))
  } else incarnation.endedUnjudged(exit)
}
