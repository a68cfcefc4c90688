import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { SupervisorEvent } from "../SupervisorEvent.ts"
import type { EventHub } from "./eventHub.ts"
import { eventBuffer, listen } from "./handle.ts"

/** How long a launched program that has ended waits for `onEvent` to be told the rest. */
const tellingTime = Duration.seconds(5)

/**
 * Runs an effect for every event, one at a time, as long as the scope is open. The queue outlives what is built later in
 * that scope, so that its last events are told as well.
 */
export const tell = Effect.fnUntraced(function*<R>(
  events: EventHub,
  onEvent: (event: SupervisorEvent) => Effect.Effect<void, never, R>
) {
  const tellOne = (event: SupervisorEvent) =>
    Effect.suspend(() => onEvent(event)).pipe(
      Effect.catchCause((cause) => Effect.logError(`onEvent failed at ${event._tag} of ${event.path}`, cause))
    )
  const { queue } = yield* Effect.acquireRelease(
    Effect.gen(function*() {
      const queue = yield* Queue.sliding<SupervisorEvent, Cause.Done>(eventBuffer)
      const telling = yield* Effect.forkDetach(Stream.runForEach(Stream.fromQueue(queue), tellOne))
      return { queue, telling }
    }),
    ({ queue, telling }) =>
      Queue.end(queue).pipe(
        Effect.andThen(Effect.timeoutOption(Fiber.await(telling), tellingTime)),
        Effect.flatMap((ended) => Option.isSome(ended) ? Effect.void : stopTelling(telling))
      )
  )
  yield* listen(events, queue)
})

const stopTelling = (telling: Fiber.Fiber<void>) =>
  Effect.andThen(
    Effect.logWarning(`onEvent has not returned for ${Duration.format(tellingTime)}: the last events are not told`),
    Effect.sync(() => telling.interruptUnsafe())
  )
