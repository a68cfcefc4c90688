import * as Effect from "effect/Effect"
import type { Around, ChildMiddleware } from "../ChildMiddleware.ts"
import type { Incarnation } from "./incarnation.ts"
import type { AnyEffect } from "./spec.ts"

/** What is put around the effects of one incarnation. */
export interface Surrounding {
  readonly start: (start: AnyEffect) => AnyEffect
  readonly run: (body: AnyEffect) => AnyEffect
  readonly check: (check: AnyEffect) => AnyEffect
  /** What is put around each use of it; to be asked when it has started. */
  readonly use: () => Around["use"]
}

const asItIs = (effect: AnyEffect): AnyEffect => effect

/** Where there is no middleware. */
export const nothingAround: Surrounding = { start: asItIs, run: asItIs, check: asItIs, use: () => undefined }

/** What a middleware puts around an incarnation. It is asked inside the first effect, whose fiber bears what it throws. */
export const surround = (middleware: ChildMiddleware, incarnation: Incarnation): Surrounding => {
  let around: Around | undefined
  let asked = false
  const ask = (): Around | undefined => {
    if (!asked) {
      asked = true
      const { entry: { spec }, number, path } = incarnation
      around = middleware({ id: spec.id, path, kind: spec.kind, incarnation: number })
    }
    return around
  }
  return {
    start: (start) => Effect.suspend(() => ask()?.start?.(start) ?? start),
    run: (body) => Effect.suspend(() => ask()?.run?.(body) ?? body),
    check: (check) => Effect.suspend(() => ask()?.check?.(check) ?? check),
    use: () => around?.use
  }
}
