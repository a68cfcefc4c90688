/** The workers: as many as the settings say, which is not known before the service runs. */
import { Child, DynamicSupervisor } from "coppice"
import { Array, Effect, Layer } from "effect"
import { Settings } from "./Settings.ts"
import { worker } from "./Worker.ts"

/** Three workers crash 30 times in that period at most, see `App`; with more of them poison is no rarer. */
export class Workers extends DynamicSupervisor.Service<Workers>()("@coppice/demo/workers", {
  child: (_name: string) => Child.effect("worker", worker),
  key: (name) => name,
  intensity: 100,
  period: "5 seconds"
}) {}

/** Sees to it that all workers are there. One that is just being restarted is. */
export const hiring = Layer.effectDiscard(Effect.gen(function*() {
  const { workers } = yield* Settings
  const names = Array.makeBy(workers, (index) => `worker-${index + 1}`)
  yield* Effect.forEach(
    names,
    (name) => Effect.catchTag(Workers.ensureChild(name), "ChildRestarting", () => Effect.void),
    { discard: true }
  )
}))
