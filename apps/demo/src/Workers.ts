/** The workers: as many as the settings say, which is not known before the service runs. */
import { Child, DynamicSupervisor } from "coppice"
import { Array, Effect, Layer } from "effect"
import { Settings } from "./Settings.ts"
import { worker } from "./Worker.ts"

/** The most there can be. Meeting nothing but poison they crash 100 times in the period below, and chaos adds some 30. */
export const maxWorkers = 10

/** A supervisor of workers that do this, with its workers: a dynamic one begins without any, also when it is restarted. */
export const workersThat = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { workers } = yield* Settings
    const supervisor = yield* DynamicSupervisor.make("workers", {
      child: (_name: string) => Child.effect("worker", work),
      key: (name) => name,
      maxChildren: maxWorkers,
      intensity: 250,
      period: "5 seconds"
    })
    const names = Array.makeBy(workers, (index) => `worker-${index + 1}`)
    yield* Effect.forEach(names, (name) => supervisor.startChild(name), { discard: true })
  }))

export const workers = workersThat(worker)
