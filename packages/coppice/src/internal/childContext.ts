import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { type ExitReason, providerDown } from "../ExitReason.ts"
import type { Entry } from "./children.ts"
import type { Incarnation } from "./incarnation.ts"
import { CurrentParent } from "./parent.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** What a child runs in: its surroundings, its earlier siblings' services, its own scope and its name. */
export const childContext = (core: SupervisorCore, incarnation: Incarnation): Context.Context<never> => {
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

/** The earlier siblings that may give services, in start order: only permanent ones, as others may be gone for good. */
const givers = (entry: Entry): ReadonlyArray<Entry> => {
  const givers: Array<Entry> = []
  for (let earlier = entry.previous; earlier !== undefined; earlier = earlier.previous) {
    const { kind, restart } = earlier.spec
    if (restart === "permanent" && (kind === "layer" || kind === "supervisor")) givers.push(earlier)
  }
  return givers.toReversed()
}

// A giver that is down leaves a gap: what the surroundings have under the same key is not what was meant.
const withSiblings = (context: Context.Context<never>, entry: Entry): Context.Context<never> => {
  const siblings = givers(entry)
  if (siblings.length === 0) return context
  const services = new Map(context.mapUnsafe)
  for (const sibling of siblings) {
    const built = sibling.incarnation?.built
    if (built === undefined) { for (const key of sibling.gave ?? []) services.delete(key) }
    else for (const [key, service] of built.services.mapUnsafe) services.set(key, service)
  }
  return Context.makeUnsafe(services)
}

/** Names the sibling that is down, where a child died for want of a service that this sibling gives. */
export const explain = (entry: Entry, reason: ExitReason): ExitReason => {
  if (reason._tag !== "Defect") return reason
  return Option.match(missingService(reason.defect), {
    onNone: () => reason,
    onSome: (service) => {
      const giver = givers(entry).find((sibling) =>
        sibling.incarnation?.built === undefined && (sibling.gave === undefined || sibling.gave.includes(service))
      )
      return giver === undefined ? reason : providerDown(giver.spec.id, service, reason.cause)
    }
  })
}

// Effect's own defect for a service that is not there has no type of its own.
const missingService = (defect: unknown): Option.Option<string> => {
  try {
    const service = defect instanceof Error ? /^Service not found: (.+)$/.exec(defect.message)?.[1] : undefined
    return Option.fromUndefinedOr(service)
  } catch {
    return Option.none()
  }
}
