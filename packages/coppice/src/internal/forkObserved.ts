import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"

/**
 * Runs an effect in a fiber of its own and tells how it ends. The observer is registered from inside the fiber's first
 * operation: one of the user's, registered earlier, could throw and hide the exit.
 */
export const forkObserved = <A, E, R>(
  context: Context.Context<R>,
  effect: Effect.Effect<A, E, R>,
  onExit: (exit: Exit.Exit<A, E>) => void
): Fiber.Fiber<A, E> => {
  let observed = false
  const observe = (fiber: Fiber.Fiber<any, any>) => {
    if (observed) return
    observed = true
    fiber.addObserver(onExit)
  }
  const fiber = Effect.runForkWith(context)(Effect.withFiber((fiber) => {
    observe(fiber)
    return effect
  }))
  // From outside only where a scheduler has put off even the first operation.
  observe(fiber)
  return fiber
}
