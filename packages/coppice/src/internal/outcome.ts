import * as Effect from "effect/Effect"
import { runAll } from "./runAll.ts"

/**
 * How something has come out, which is told once, perhaps before anybody waits for it. Unlike a Deferred it tells all who
 * wait, though an observer of one of their fibers throws.
 */
export class Outcome<A> {
  /** What it is, once it has been told. */
  told: A | undefined = undefined
  private waiting: Set<(outcome: A) => void> | undefined = undefined

  tell(outcome: A): void {
    if (this.told !== undefined) return
    this.told = outcome
    const { waiting } = this
    if (waiting === undefined) return
    this.waiting = undefined
    runAll(Array.from(waiting, (wake) => () => wake(outcome)))
  }

  /** Waits for it. */
  get await(): Effect.Effect<A> {
    if (this.told !== undefined) return Effect.succeed(this.told)
    return Effect.callback<A>((resume) => {
      if (this.told !== undefined) return resume(Effect.succeed(this.told))
      const wake = (outcome: A) => resume(Effect.succeed(outcome))
      const waiting = this.waiting ??= new Set()
      waiting.add(wake)
      return Effect.sync(() => waiting.delete(wake))
    })
  }
}
