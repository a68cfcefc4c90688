import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { type ExitReason, failure, fromExit, startFailed } from "../ExitReason.ts"
import { InvalidChild } from "../SupervisorError.ts"
import { childContext, explain } from "./childContext.ts"
import type { Entry } from "./children.ts"
import { Incarnation } from "./incarnation.ts"
import { OwnLayers } from "./ownLayer.ts"
import { CurrentStart, type StartInProgress } from "./parent.ts"
import { awaitRef, fillRef, refProblem } from "./refs.ts"
import { isIgnore } from "./signals.ts"
import type { AnyEffect, AnyLayer, Spec } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** How a start ended: the child runs, has nothing to run, was aborted by a stop order, or failed for this reason. */
export type StartOutcome = "started" | "ignored" | "aborted" | ExitReason

/**
 * Starts the next incarnation of a child. The start of an effect is done at once; any other runs in a fiber of its own,
 * so that a stop order or the end of something inside can abort it, and is answered as an effect. Unless the outcome is
 * `"started"` the incarnation is still there and has to be stopped.
 */
export const start = (core: SupervisorCore, entry: Entry): StartOutcome | Effect.Effect<StartOutcome> => {
  const incarnation = new Incarnation(core, entry, ++entry.number)
  entry.incarnation = incarnation
  entry.retry = undefined
  entry.state = "starting"
  entry.startedAtMillis = core.nowMillis()
  incarnation.publish("ChildStarting")
  const context = childContext(core, incarnation)
  const how = entry.spec.start
  awaitRef(core, entry, context)
  if (how.kind !== "effect") return startInFiber(core, incarnation, how, context)
  hasStarted(incarnation)
  runBody(incarnation, how.run, context)
  return "started"
}

const startInFiber = (
  core: SupervisorCore,
  incarnation: Incarnation,
  how: Exclude<Spec["start"], { readonly kind: "effect" }>,
  context: Context.Context<never>
): Effect.Effect<StartOutcome> =>
  Effect.callback<StartOutcome>((resume) => {
    // The loop may have been made to yield since it asked.
    if (core.stopOrdered) return resume(Effect.succeed("aborted"))
    const inProgress: StartInProgress = { active: true, supervisor: core, outer: core.outerStart }
    const end = () => {
      inProgress.active = false
      incarnation.abortStart = undefined
      core.starting = undefined
    }
    incarnation.abortStart = (why) => {
      end()
      resume(Effect.succeed(why === "stopped" ? "aborted" : startFailed(why)))
    }
    core.starting = incarnation
    const { acquire, whenAcquired } = preparation(incarnation, how, context)
    incarnation.fork(acquire, Context.add(context, CurrentStart, inProgress), (_, exit) => {
      if (!inProgress.active) return incarnation.endedUnjudged(exit)
      // Over before the body begins: from here on the child may call its supervisor, and stop it.
      end()
      const outcome = judgeStart(incarnation, exit)
      if (outcome === "started") whenAcquired((exit as Exit.Success<unknown>).value)
      resume(Effect.succeed(outcome))
    })
  })

/** What a start waits for, and what follows. */
interface Preparation {
  readonly acquire: AnyEffect
  readonly whenAcquired: (value: any) => void
}

const preparation = (
  incarnation: Incarnation,
  how: Exclude<Spec["start"], { readonly kind: "effect" }>,
  context: Context.Context<never>
): Preparation => {
  switch (how.kind) {
    case "make":
      return {
        acquire: how.acquire,
        whenAcquired: (body: AnyEffect) => {
          hasStarted(incarnation)
          runBody(incarnation, body, context)
        }
      }
    case "task":
      return { acquire: how.run, whenAcquired: () => {} }
    case "layer":
    case "supervisor": {
      const layers = ownLayers(incarnation, how.layer)
      return {
        acquire: Layer.buildWithMemoMap(how.layer, layers, incarnation.scope),
        whenAcquired: (services: Context.Context<any>) => {
          incarnation.built = {
            layers,
            services: Context.omit(Layer.CurrentMemoMap)(services) as Context.Context<never>
          }
          hasStarted(incarnation)
          fillRef(incarnation)
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
  const { entry, supervisor } = incarnation
  incarnation.status = "running"
  entry.state = "running"
  incarnation.publish("ChildStarted")
  supervisor.report.started(incarnation)
}

const runBody = (
  incarnation: Incarnation,
  body: AnyEffect,
  context: Context.Context<never>
): void => incarnation.fork(body, context, bodyEnded)

const bodyEnded = (incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>): void => {
  if (incarnation.status === "running") incarnation.end(explain(incarnation.entry, fromExit(exit)))
  else incarnation.endedUnjudged(exit)
}
