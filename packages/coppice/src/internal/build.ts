import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { ChildStartFailed } from "../SupervisorError.ts"
import { live } from "./loop.ts"
import { registerMetrics } from "./metrics.ts"
import { Surroundings } from "./ownLayer.ts"
import type { AnyLayer } from "./spec.ts"
import { type Settings, SupervisorCore } from "./supervisorCore.ts"

/**
 * Builds a supervisor in a scope and waits until it is up (rule S2). Closing the scope stops it, and so does interrupting
 * the build. `self` is the supervisor's own service, for its children.
 */
export const build = (
  name: string,
  settings: () => Settings | Error,
  memoMap: Layer.MemoMap | undefined,
  scope: Scope.Scope,
  own?: AnyLayer,
  self?: (core: SupervisorCore) => Context.Context<never>
): Effect.Effect<SupervisorCore, ChildStartFailed> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber(({ context }) => {
      const sound = settings()
      if (sound instanceof Error) return Effect.die(sound)
      // In a scope of its own: a build that fails leaves nothing behind in a scope that goes on.
      const life = Scope.forkUnsafe(scope)
      let core: SupervisorCore | undefined
      let removeMetrics: (() => void) | undefined
      const begin = Effect.suspend(() => {
        // Closed before, or while this fiber had to give way. From here to its start nobody else has a turn.
        if (life.state._tag === "Closed") return Effect.interrupt
        core = new SupervisorCore(name, sound, context, new Surroundings(memoMap, own), self)
        if (core.tally !== undefined) removeMetrics = registerMetrics(core, core.tally)
        core.begin(live(core))
        // Most are up at once.
        if (core.status === "running") return Effect.succeed(core)
        const isUp = Effect.as(restore(Deferred.await(core.started)), core)
        return Effect.onError(isUp, () => Scope.close(life, Exit.void))
      })
      const stop = Effect.suspend(() => core === undefined ? Effect.void : end(core, removeMetrics))
      return Effect.andThen(Scope.addFinalizer(life, stop), begin)
    })
  )

// Its metrics are read, and what is shared is held, until it has stopped. One of its own children that orders that does not
// wait for it: that would be to wait for oneself.
const end = (core: SupervisorCore, removeMetrics: (() => void) | undefined): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    core.orderStop()
    const letGo = Effect.flatMap(core.ended.await, () => {
      removeMetrics?.()
      return core.surroundings.release
    })
    return core.around(fiber.context).length === 0 ? letGo : Effect.asVoid(Effect.forkDetach(letGo))
  })
