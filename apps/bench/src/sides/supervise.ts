import { type Child, Supervisor } from "coppice"

export type Children = ReadonlyArray<Child.Child<string, never, never>>

/** An intensity that nothing here exceeds, and a period that nothing here outlives. */
export const options = { intensity: 10_000_000, period: "1 hour" } as const

export const supervise = (children: Children, strategy: Supervisor.Strategy = "one-for-one") =>
  Supervisor.make("bench", { ...options, strategy, children })

export const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
