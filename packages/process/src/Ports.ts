/**
 * Ports for processes: a free one on request, the same again after a restart, never one for two.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
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
 * Which port is asked for.
 *
 * - `owner`: who asks, such as the path of a child.
 * - `preferred`: the one that it is to be if that is free; default any.
 * - `fallback`: if that one is taken, any other; default that is `PortTaken`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Wish {
  readonly owner: string
  readonly preferred?: number | undefined
  readonly fallback?: boolean | undefined
}

/**
 * The ports of a program.
 *
 * `assign` answers a port on which nobody listens, and which nobody else is assigned as long as the scope is open: the one that
 * an owner of that name had before, if that is free; else the one that it prefers; else any. `isFree` says whether nobody listens
 * on a port.
 *
 * @category models
 * @since 0.1.0
 */
export class Ports extends Context.Service<Ports, {
  readonly assign: (wish: Wish) => Effect.Effect<number, PortTaken, Scope.Scope>
  readonly isFree: (port: number) => Effect.Effect<boolean>
}>()("@coppice/process/Ports") {
  /**
   * Ports of the loopback interface.
   *
   * @since 0.1.0
   */
  static readonly layer: Layer.Layer<Ports> = Layer.effect(
    Ports,
    Effect.gen(function*() {
      const assigned = new Map<number, string>()
      const latest = new Map<string, number>()
      const oneAtATime = yield* Semaphore.make(1)

      // One that the machine gives may be assigned to a child that does not listen just now.
      const anyFree: Effect.Effect<number> = Effect.flatMap(
        Effect.orDie(free(0)),
        (port) => assigned.has(port) ? anyFree : Effect.succeed(port)
      )

      const thisOne = (port: number): Effect.Effect<number, PortTaken> => {
        const owner = assigned.get(port)
        return owner === undefined ? free(port) : Effect.fail(new PortTaken({ port, owner }))
      }

      const find = Effect.fnUntraced(function*({ fallback = false, owner, preferred = 0 }: Wish) {
        const before = latest.get(owner)
        const again = before === undefined ? Option.none() : yield* Effect.option(thisOne(before))
        if (Option.isSome(again)) return again.value
        if (preferred === 0) return yield* anyFree
        return yield* fallback ? Effect.catch(thisOne(preferred), () => anyFree) : thisOne(preferred)
      })

      const take = Effect.fnUntraced(function*(wish: Wish) {
        const port = yield* find(wish)
        assigned.set(port, wish.owner)
        latest.delete(wish.owner)
        latest.set(wish.owner, port)
        const [oldest] = latest.keys()
        if (latest.size > mostRemembered && oldest !== undefined) latest.delete(oldest)
        return port
      }, oneAtATime.withPermits(1))

      return {
        assign: (wish) => Effect.acquireRelease(take(wish), (port) => Effect.sync(() => void assigned.delete(port))),
        isFree: (port) => Effect.isSuccess(free(port))
      }
    })
  )
}

/** Of how many owners it is remembered which port they had. */
const mostRemembered = 10_000

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
