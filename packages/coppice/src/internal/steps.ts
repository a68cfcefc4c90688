import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { asyncContext } from "./asyncContext.ts"
import { forkObserved } from "./forkObserved.ts"

/**
 * What a supervisor does, in steps. An effect that has to be waited for is yielded as it is, `yield effect`, and none of these
 * fails; other steps are taken with `yield*`.
 */
export type Step<A = void, E = never> = Effect.fn.Return<A, E>

/** Waits for what an effect answers, where its type is of use. */
export function* wait<A>(effect: Effect.Effect<A>): Step<A> {
  return yield effect
}

/** Ends the steps with an error. */
export function* fail<E>(error: E): Step<never, E> {
  throw new StepFailed(Cause.fail(error) as Cause.Cause<never>)
}

/** Ends the steps as if they had been interrupted. */
export function* interrupt(): Step<never> {
  throw new StepFailed(Cause.interrupt())
}

/** Yielded where there is nothing to do until somebody wakes whoever takes the steps. */
export const asleep: Effect.Effect<void> = Effect.callback(() => {})

/** What steps have ended with. */
class StepFailed {
  // Typed where it is yielded.
  readonly cause: Cause.Cause<never>

  constructor(cause: Cause.Cause<never>) {
    this.cause = cause
  }
}

/** What has been thrown by steps, as a cause. */
export const causeOf = (thrown: unknown): Cause.Cause<never> =>
  thrown instanceof StepFailed ? thrown.cause : Cause.die(thrown)

/** How many may go on on one stack, each because of what the one before has done. */
const nestedAtMost = 128
let nested = 0

/**
 * Takes the steps of one supervisor: at once as far as there is nothing to wait for, on the stack of whoever wakes it. So it
 * needs no fiber, and to be woken costs nothing; an effect that is waited for has a fiber of its own. Whatever is begun on the
 * way belongs to the async context in which this was made, and not to that of whoever woke it.
 */
export class Stepper {
  private readonly steps: Step
  private readonly context: Context.Context<never>
  private readonly onDefect: (cause: Cause.Cause<never>) => void
  private readonly asyncContext = asyncContext()
  private isAsleep = false

  constructor(steps: Step, context: Context.Context<never>, onDefect: (cause: Cause.Cause<never>) => void) {
    this.steps = steps
    this.context = context
    this.onDefect = onDefect
  }

  /** Takes the first steps. */
  begin(): void {
    this.goOnHere(Exit.void)
  }

  /** Goes on, unless it has not yet come to where it sleeps. */
  wake(): void {
    if (!this.isAsleep) return
    this.isAsleep = false
    if (this.asyncContext === undefined) this.goOnHere(Exit.void)
    else this.asyncContext.runInAsyncScope(this.goOnHere, this, Exit.void)
  }

  // On this stack, unless it has grown long: starts and stops descend through any number of supervisors, and ends climb.
  private goOnHere(waitedFor: Exit.Exit<unknown>): void {
    if (nested === nestedAtMost) {
      const later = { onFiber: () => {}, onExit: () => this.goOn(waitedFor) }
      return forkObserved(this.context, () => Effect.yieldNow, later)
    }
    nested++
    try {
      this.goOn(waitedFor)
    } finally {
      nested--
    }
  }

  private goOn(waitedFor: Exit.Exit<unknown>): void {
    try {
      let exit: Exit.Exit<unknown> | undefined = waitedFor
      while (exit !== undefined) {
        const { done, value }: IteratorResult<Effect.Effect<unknown>, void> = exit._tag === "Success"
          ? this.steps.next(exit.value)
          : this.steps.throw(new StepFailed(exit.cause))
        if (done === true) return this.asyncContext?.emitDestroy()
        if (value === asleep) {
          this.isAsleep = true
          return
        }
        exit = this.waitFor(value)
      }
    } catch (thrown) {
      this.asyncContext?.emitDestroy()
      this.onDefect(causeOf(thrown))
    }
  }

  // Answers how it has ended, if it has at once.
  private waitFor(effect: Effect.Effect<unknown>): Exit.Exit<unknown> | undefined {
    let atOnce: Exit.Exit<unknown> | undefined
    let isWaiting = false
    const onExit = (exit: Exit.Exit<unknown>) => {
      if (isWaiting) this.goOnHere(exit)
      else atOnce = exit
    }
    try {
      forkObserved(this.context, () => effect, { onFiber: () => {}, onExit })
    } catch (thrown) {
      // An observer that the effect has put on its fiber, most likely.
      return atOnce ?? Exit.die(thrown)
    }
    isWaiting = true
    return atOnce
  }
}
