import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ChildStartFailed } from "../SupervisorError.ts"
import { build } from "./build.ts"
import { readOnce } from "./specCheck.ts"
import type { Settings, SupervisorCore } from "./supervisorCore.ts"

/** The layer of a supervisor. Its children have its service too, the same that whoever builds the layer gets. */
export const layerOf = <Out>(
  name: string,
  settings: () => Settings,
  toService: (core: SupervisorCore) => Context.Context<Out>
): Layer.Layer<Out, ChildStartFailed> => {
  const checked = readOnce(name, settings)
  const layer: Layer.Layer<any, ChildStartFailed> = Layer.fromBuildMemo((memoMap, scope) =>
    Effect.suspend(() => {
      let service: Context.Context<any>
      const self = (core: SupervisorCore) => service = toService(core)
      return Effect.map(build(name, checked, memoMap, scope, layer, self), () => service)
    })
  )
  return layer
}
