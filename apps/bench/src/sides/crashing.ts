import { Child } from "coppice"
import * as Effect from "effect/Effect"

/** Children that fail when they are told to, and know when all of them run. */
export class Crashing {
  private readonly crashes: Array<() => void> = []
  private missing = 0
  private onAllRun: () => void = () => {}

  /** The children from number `first` on. */
  children(first: number, count: number, options?: Child.Options) {
    return Array.from({ length: count }, (_, i) => Child.effect(`child${first + i}`, this.body(first + i), options))
  }

  /** Fails these children one after another, and waits until so many bodies have begun anew. */
  crash(children: Iterable<number>, restarts: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.missing = restarts
      this.onAllRun = () => resume(Effect.void)
      for (const child of children) this.crashes[child]!()
    })
  }

  private body(child: number): Effect.Effect<never, string> {
    return Effect.callback((resume) => {
      this.crashes[child] = () => resume(Effect.fail("crash"))
      if (--this.missing === 0) this.onAllRun()
    })
  }
}
