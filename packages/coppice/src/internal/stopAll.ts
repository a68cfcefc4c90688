import * as Effect from "effect/Effect"
import { forkObserved } from "./forkObserved.ts"
import { endForGood } from "./keeping.ts"
import { stopDownTo, stopOne } from "./ranges.ts"
import type { Step } from "./steps.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/**
 * Stops all children at the end of their supervisor: one after another from the last to the first (rule T1), or, where
 * none depends on another, all at once (D6).
 */
export function* stopAll(core: SupervisorCore): Step {
  if (core.dynamic === undefined) yield* stopDownTo(core, core.children.first, false)
  else yield stopTogether(core)
  if (core.lasting !== undefined) yield* core.lasting.releaseAll()
}

// Each has its own shutdown time (rule EL13), which begins when it is asked.
const stopTogether = (core: SupervisorCore): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let stopping = 1
    const stopped = () => {
      if (--stopping === 0) resume(Effect.void)
    }
    for (const entry of core.children) {
      const gone = () => {
        endForGood(core, entry)
        stopped()
      }
      stopping++
      const ending = stopOne(core, entry)
      if (ending === undefined) gone()
      else forkObserved(core.context, () => ending, { onFiber: () => {}, onExit: gone })
    }
    stopped()
  })
