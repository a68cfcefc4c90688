import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"

/** Why a program is to end: somebody asks for it, or something was thrown outside of every fiber. */
export type Demand =
  | { readonly _tag: "Signal"; readonly signal: NodeJS.Signals }
  | { readonly _tag: "Uncaught"; readonly error: unknown }

/**
 * Listens to signals, and to what nobody has caught, as long as the scope is open. Each would end the program at once
 * without anybody who listens.
 */
export const listen = (options: { readonly hangupEnds: boolean }) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.map(Queue.unbounded<Demand>(), (queue) => {
        const onSignal = (signal: NodeJS.Signals) => void Queue.offerUnsafe(queue, { _tag: "Signal", signal })
        const onHangup = options.hangupEnds ? onSignal : () => {}
        const onUncaught = (error: unknown) => void Queue.offerUnsafe(queue, { _tag: "Uncaught", error })
        process.on("SIGTERM", onSignal).on("SIGINT", onSignal).on("SIGHUP", onHangup)
        process.on("uncaughtException", onUncaught)
        const stop = () => {
          process.off("SIGTERM", onSignal).off("SIGINT", onSignal).off("SIGHUP", onHangup)
          process.off("uncaughtException", onUncaught)
        }
        return { queue, stop }
      }),
      ({ stop }) => Effect.sync(stop)
    ),
    ({ queue }): Queue.Dequeue<Demand> => queue
  )
