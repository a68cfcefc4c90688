import * as Effect from "effect/Effect"
import type { Body } from "./side.ts"

/** Bodies that fail when they are told to, and say when so many of them have begun anew. */
export class Crashing {
  readonly bodies: ReadonlyArray<Body>
  private readonly crashes: Array<() => void> = []
  private missing = 0
  private onAllBegun: () => void = () => {}

  constructor(count: number) {
    this.bodies = Array.from({ length: count }, (_, place) => this.body(place))
  }

  /** Fails these one after another, and answers after how many microseconds so many bodies have begun anew. */
  crash(places: Iterable<number>, restarts: number): Effect.Effect<number> {
    return Effect.callback((resume) => {
      const begun = performance.now()
      this.missing = restarts
      this.onAllBegun = () => {
        const taken = (performance.now() - begun) * 1000
        resume(Effect.succeed(taken))
      }
      for (const place of places) this.crashes[place]!()
    })
  }

  private body(place: number): Body {
    return Effect.callback((resume) => {
      this.crashes[place] = () => resume(Effect.fail("crash"))
      if (--this.missing === 0) this.onAllBegun()
    })
  }
}
