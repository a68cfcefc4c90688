import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"

/** What is told of a fiber: first which it is, before it does anything, then how it has ended. */
export interface Observer<A, E> {
  onFiber(fiber: Fiber.Fiber<A, E>): void
  onExit(exit: Exit.Exit<A, E>): void
}

/**
 * Runs an effect in a fiber of its own, which an observer is told of. The observer is registered from inside the fiber's
 * first operation: one of the user's, registered earlier, could throw and hide the exit.
 */
export const forkObserved = <A, E, R>(
  context: Context.Context<R>,
  effect: () => Effect.Effect<A, E, R>,
  observer: Observer<A, E>
): void => {
  let observed = false
  const observe = (fiber: Fiber.Fiber<any, any>) => {
    if (observed) return
    observed = true
    observer.onFiber(fiber)
    fiber.addObserver((exit) => observer.onExit(exit))
  }
  const fiber = Effect.runForkWith(context)(Effect.withFiber((fiber) => {
    observe(fiber)
    return effect()
  }))
  // From outside only where a scheduler has put off even the first operation.
  observe(fiber)
}
