import { VirtualTime } from "@coppice/testing"
import { Clock, type Effect } from "effect"
import { TestClock } from "effect/testing"

/** Waits until nothing is runnable. */
export const settle = VirtualTime.settle

/** Moves the test clock and waits until what that woke has come to rest. */
export const pass = TestClock.adjust

/** The current time of the test clock in milliseconds. */
export const now: Effect.Effect<number> = Clock.currentTimeMillis

/** Runs an effect in a world in which `settle` works. */
export const withQuiet = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => VirtualTime.run(effect)
