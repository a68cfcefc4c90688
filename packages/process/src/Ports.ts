/**
 * Ports for processes: a free one on request, the same again after a restart, never one for two.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { createServer } from "node:net"

/**
 * The port that was asked for belongs to somebody else: to another child of this program, or to another program.
 *
 * @category errors
 * @since 0.1.0
 */
export class PortTaken extends Schema.TaggedError<PortTaken>()("PortTaken", {
  port: Schema.Int,
  owner: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const owner = this.owner ?? "another program"
    return `port ${this.port} is taken by ${owner}: choose another, or 0 for any that is free`
  }
}

/**
 * The ports of a program.
 *
 * `assign` answers the port of an owner, such as the path of a child: the one that it had before, if any; else the one that
 * it prefers; else, or where that is 0, one that is free. With `fallback` a preferred port that is taken is no error, and
 * another is found. `release` gives it back, for others.
 *
 * @category models
 * @since 0.1.0
 */
export class Ports extends Context.Service<Ports, {
  readonly assign: (
    owner: string,
    options?: { readonly preferred?: number | undefined; readonly fallback?: boolean | undefined }
  ) => Effect.Effect<number, PortTaken>
  readonly release: (owner: string) => Effect.Effect<void>
}>()("@coppice/process/Ports") {
  /**
   * Ports of the loopback interface.
   *
   * @since 0.1.0
   */
  static readonly layer: Layer.Layer<Ports> = Layer.effect(
    Ports,
    Effect.gen(function*() {
      const byOwner = new Map<string, number>()
      const oneAtATime = yield* Semaphore.make(1)
      const ownerOf = (port: number) => Array.from(byOwner).find(([, taken]) => taken === port)?.[0]

      // One that the machine gives may be assigned to a child that does not listen just now.
      const anyFree: Effect.Effect<number> = Effect.flatMap(
        Effect.orDie(free(0)),
        (port) => ownerOf(port) === undefined ? Effect.succeed(port) : anyFree
      )

      const find = Effect.fnUntraced(function*(preferred: number, fallback: boolean) {
        if (preferred === 0) return yield* anyFree
        const owner = ownerOf(preferred)
        const port = owner === undefined ? free(preferred) : new PortTaken({ port: preferred, owner })
        return yield* fallback ? Effect.catch(port, () => anyFree) : port
      })

      return {
        assign: Effect.fnUntraced(function*(owner, { fallback = false, preferred = 0 } = {}) {
          const before = byOwner.get(owner)
          if (before !== undefined) return before
          const port = yield* find(preferred, fallback)
          byOwner.set(owner, port)
          return port
        }, oneAtATime.withPermits(1)),
        release: (owner) => Effect.sync(() => void byOwner.delete(owner))
      }
    })
  )
}

/** A port on which nobody listens: this one, or any if it is 0. */
const free = (wanted: number): Effect.Effect<number, PortTaken> =>
  Effect.callback<number, PortTaken>((resume) => {
    const server = createServer()
    server.on("error", () => resume(new PortTaken({ port: wanted })))
    server.listen({ port: wanted, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : wanted
      server.close(() => resume(Effect.succeed(port)))
    })
    return Effect.sync(() => void server.close())
  })
