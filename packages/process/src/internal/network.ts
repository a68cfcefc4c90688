import * as Effect from "effect/Effect"
import { get } from "node:http"
import { connect } from "node:net"

interface Address {
  readonly host: string
  readonly port: number
}

/**
 * The status that somebody answers with, or why there is none. Each time by a connection of its own, which is closed at once:
 * one that is kept would hold up the end of the server.
 */
export const getStatus = (address: Address & { readonly path: string }): Effect.Effect<number | string> =>
  trying((resume) => {
    const request = get({ ...address, agent: false, headers: { connection: "close" } }, (response) => {
      resume(Effect.succeed(response.statusCode ?? 0))
      response.destroy()
    })
    request.on("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => void request.destroy())
  })

// An address may be none at all: then nobody is asked.
const trying = <A>(
  register: (resume: (answer: Effect.Effect<A | string>) => void) => Effect.Effect<void>
): Effect.Effect<A | string> =>
  Effect.callback((resume) => {
    try {
      return register(resume)
    } catch (thrown) {
      return resume(Effect.succeed(thrown instanceof Error ? thrown.message : String(thrown)))
    }
  })

/** Why nobody can be connected to; undefined where somebody can. */
export const answersTcp = (address: Address): Effect.Effect<string | undefined> =>
  trying((resume) => {
    const socket = connect(address, () => {
      resume(Effect.undefined)
      socket.destroy()
    })
    socket.on("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => void socket.destroy())
  })
