/** The workers: as many as the settings say, which is not known before the service runs. */
import { Child, DynamicSupervisor } from "coppice"
import { Array, Effect, Layer } from "effect"
import { Settings } from "./Settings.ts"
import { worker } from "./Worker.ts"

/** The most there can be. Meeting nothing but poison they crash 100 times in the period below, and chaos adds some 30. */
export const maxWorkers = 10

class Workers extends DynamicSupervisor.Service<Workers>()("@coppice/demo/workers", {
  child: (_name: string) => Child.effect("worker", worker),
  key: (name) => name,
  maxChildren: maxWorkers,
  intensity: 250,
  period: "5 seconds"
}) {}

const hire = Effect.gen(function*() {
  const { workers } = yield* Settings
  const names = Array.makeBy(workers, (index) => `worker-${index + 1}`)
  yield* Effect.forEach(names, (name) => Workers.startChild(name), { discard: true })
})

/** The supervisor with its workers: a dynamic one begins without any, also when it is restarted. */
export const workers = Layer.provideMerge(Layer.effectDiscard(hire), Workers.layer)
