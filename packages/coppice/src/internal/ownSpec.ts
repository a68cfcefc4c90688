import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Spec, type Start } from "./spec.ts"

/** A child of its supervisor's own making: as it was given, but for its id, and perhaps the ref it fills. */
export const copyOf = (spec: Spec, own: { readonly id: string; readonly ref?: Spec["ref"] }): Spec =>
  Object.assign(Object.create(Spec.prototype) as Spec, spec, own)

const spent: Record<Start["kind"], Start> = {
  effect: { kind: "effect", run: Effect.void },
  make: { kind: "make", acquire: Effect.succeed(Effect.void) },
  task: { kind: "task", run: Effect.void },
  layer: { kind: "layer", layer: Layer.empty },
  supervisor: { kind: "supervisor", layer: Layer.empty }
}

/** What a temporary child has been started with is not kept: nothing starts it again (rule D4). */
export const spend = (spec: { start: Start }): void => {
  spec.start = spent[spec.start.kind]
}
