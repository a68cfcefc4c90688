import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Start } from "./spec.ts"

const spent: Record<Start["kind"], Start> = {
  effect: { kind: "effect", run: Effect.void },
  make: { kind: "make", acquire: Effect.succeed(Effect.void) },
  // Stryker disable next-line ObjectLiteral,StringLiteral: a temporary task that has been done is forgotten
  task: { kind: "task", run: Effect.void },
  layer: { kind: "layer", layer: Layer.empty },
  supervisor: { kind: "supervisor", layer: Layer.empty }
}

/** What a temporary child has been started with is not kept: nothing starts it again (rule D4). */
export const spend = (spec: { start: Start }): void => {
  spec.start = spent[spec.start.kind]
}
