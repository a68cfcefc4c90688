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
  Effect.callback((resume) => {
    const request = get({ ...address, agent: false, headers: { connection: "close" } }, (response) => {
      resume(Effect.succeed(response.statusCode ?? 0))
      response.destroy()
    })
    request.on("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => void request.destroy())
  })

/** Why nobody can be connected to; undefined where somebody can. */
export const answersTcp = (address: Address): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const socket = connect(address, () => {
      resume(Effect.undefined)
      socket.destroy()
    })
    socket.on("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => void socket.destroy())
  })
