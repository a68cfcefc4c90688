/**
 * Marks on interruptions, by which a fiber's end says more than "interrupted". An interruption is used, not a failure,
 * so that finalizers run and no `catch` of the user's gets in the way.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"

/** The child leaves by itself and cleanly: `Child.exit`. */
export class Leave extends Context.Service<Leave, { readonly reason: unknown }>()("coppice/internal/signals/Leave") {}

/** The start answers that there is nothing to run: `Child.ignore`. */
export class Ignore extends Context.Service<Ignore, true>()("coppice/internal/signals/Ignore") {}

/** Whether a start ended by `Child.ignore`. */
export const isIgnore = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) =>
    reason._tag === "Interrupt" && Context.getOrUndefined(Cause.reasonAnnotations(reason), Ignore) === true
  )
