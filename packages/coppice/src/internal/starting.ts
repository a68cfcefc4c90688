import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { type ExitReason, failure, fromExit, startFailed } from "../ExitReason.ts"
import { InvalidChild } from "../SupervisorError.ts"
import type { Entry } from "./children.ts"
import { Incarnation } from "./incarnation.ts"
import { OwnLayers } from "./ownLayer.ts"
import { CurrentParent, CurrentStart, type StartInProgress } from "./parent.ts"
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
  if (core.events.heard > 0) {
    core.publish({
      _tag: "ChildStarting",
      path: incarnation.path,
      incarnation: incarnation.number,
      timeMillis: entry.startedAtMillis
    })
  }
  const context = childContext(core, incarnation)
  const how = entry.spec.start
  if (how.kind !== "effect") return startInFiber(core, incarnation, how, context)
  hasStarted(core, incarnation)
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
    const acquire = how.kind === "make" ? how.acquire : buildOwn(core, incarnation, how.layer)
    incarnation.fork(acquire, Context.add(context, CurrentStart, inProgress), (_, exit) => {
      if (!inProgress.active) return incarnation.endedUnjudged(exit)
      // Over before the body begins: from here on the child may call its supervisor, and stop it.
      end()
      const outcome = judgeStart(core, incarnation, exit)
      if (outcome === "started") {
        hasStarted(core, incarnation)
        const { value } = exit as Exit.Success<unknown>
        if (how.kind === "make") runBody(incarnation, value as AnyEffect, context)
        else incarnation.services = Context.omit(Layer.CurrentMemoMap)(value as Context.Context<any>)
      }
      resume(Effect.succeed(outcome))
    })
  })

const buildOwn = (core: SupervisorCore, incarnation: Incarnation, layer: AnyLayer): AnyEffect => {
  const memoMap = new OwnLayers(core.surroundings, layer, (problem) => invalid(core, incarnation, problem))
  return Layer.buildWithMemoMap(layer, memoMap, incarnation.scope)
}

const invalid = (core: SupervisorCore, incarnation: Incarnation, problem: string): InvalidChild =>
  new InvalidChild({ path: core.path, id: incarnation.entry.spec.id, problem })

const judgeStart = (
  core: SupervisorCore,
  incarnation: Incarnation,
  exit: Exit.Exit<unknown, unknown>
): "started" | "ignored" | ExitReason => {
  if (exit._tag === "Failure") return isIgnore(exit.cause) ? "ignored" : startFailed(fromExit(exit))
  if (incarnation.entry.spec.type === "worker" || incarnation.hasSupervisor) return "started"
  const problem = "it is listed with Child.supervisor, but its layer builds no supervisor: list it with Child.layer"
  return startFailed(failure(invalid(core, incarnation, problem)))
}

const hasStarted = (core: SupervisorCore, incarnation: Incarnation): void => {
  incarnation.status = "running"
  incarnation.entry.state = "running"
  if (core.events.heard > 0) {
    core.publish({
      _tag: "ChildStarted",
      path: incarnation.path,
      incarnation: incarnation.number,
      timeMillis: core.nowMillis()
    })
  }
  core.report.started(incarnation)
}

const runBody = (
  incarnation: Incarnation,
  body: AnyEffect,
  context: Context.Context<never>
): void => incarnation.fork(body, context, bodyEnded)

const bodyEnded = (incarnation: Incarnation, exit: Exit.Exit<unknown, unknown>): void => {
  if (incarnation.status === "running") incarnation.end(fromExit(exit))
  else incarnation.endedUnjudged(exit)
}

/** What a child runs in: its surroundings, its earlier siblings' services, its own scope and its name. */
const childContext = (core: SupervisorCore, incarnation: Incarnation): Context.Context<never> => {
  const { entry } = incarnation
  let context = core.childContext
  if (core.isGroup && core.children.layers > 0) context = withSiblings(context, entry)
  if (entry.supplied !== undefined) context = Context.merge(context, entry.supplied)
  const names = { "coppice.path": incarnation.path, "coppice.incarnation": incarnation.number }
  const logs = core.logAnnotations === undefined ? names : { ...core.logAnnotations, ...names }
  const spans = core.spanAnnotations === undefined ? names : { ...core.spanAnnotations, ...names }
  context = Context.add(context, References.CurrentLogAnnotations, logs)
  context = Context.add(context, References.TracerSpanAnnotations, spans)
  context = Context.add(context, CurrentParent, incarnation)
  return Context.add(context, Scope.Scope, incarnation.scope) as Context.Context<never>
}

const withSiblings = (context: Context.Context<never>, entry: Entry): Context.Context<never> => {
  const givers: Array<Incarnation> = []
  for (let earlier = entry.previous; earlier !== undefined; earlier = earlier.previous) {
    if (earlier.spec.restart === "permanent" && earlier.incarnation?.givesServices === true) {
      givers.push(earlier.incarnation)
    }
  }
  if (givers.length === 0) return context
  const services = new Map(context.mapUnsafe)
  for (const giver of givers.toReversed()) {
    for (const [key, service] of giver.services.mapUnsafe) services.set(key, service)
  }
  return Context.makeUnsafe(services)
}
