import type * as Effect from "effect/Effect"

/** What a child runs. */
export type Body = Effect.Effect<never, string>

/** Children that run, and what a row asks of them; a side that lacks something has no figure for it. */
export interface Tree {
  readonly stop: Effect.Effect<void>
  readonly whichChildren?: Effect.Effect<unknown>
  readonly snapshot?: Effect.Effect<unknown>
  /** Terminates a child by its id, and restarts it. */
  readonly bounce?: (id: string) => Effect.Effect<unknown>
  /** Adds a listener, who is told of each restart among all else that happens. */
  readonly listen?: (onRestart: () => void) => Effect.Effect<void>
}

/** Makes children of these bodies, whose ids are `idOf` their places, and answers what starts them. */
export type Start = (bodies: ReadonlyArray<Body>) => Effect.Effect<Tree>

/** One of the columns that run in this process: what is measured, apart from how. */
export interface Side {
  readonly plain: Start
  readonly brutal?: Start
  readonly "one-for-all"?: Start
  readonly "rest-for-one"?: Start
  /** Waits a millisecond before each restart. */
  readonly backoff?: Start
  /** Runs the check of each child once it has started, and then every hour. */
  readonly liveness?: (bodies: ReadonlyArray<Body>, check: Effect.Effect<void>) => Effect.Effect<Tree>
  /** Children that are layers with one service. */
  readonly layers?: (count: number) => Effect.Effect<Tree>
  /** Several supervisors under one. */
  readonly families?: (families: ReadonlyArray<ReadonlyArray<Body>>) => Effect.Effect<Tree>
  /** Supervisors in each other, whose innermost has this child and each of which gives up at the first failure. */
  readonly nested?: (levels: number, body: Body) => Effect.Effect<Tree>
  readonly dynamic?: Effect.Effect<Tree & { readonly startChild: (body: Body) => Effect.Effect<unknown> }>
  /** One use of a service that a child has built. */
  readonly user?: Effect.Effect<Tree & { readonly use: Effect.Effect<number> }>
}

export const idOf = (place: number): string => `child${place}`

/** An intensity that nothing here exceeds, and a period that nothing here outlives. */
export const limit = { intensity: 10_000_000, period: "1 hour" } as const
