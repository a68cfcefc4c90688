import { Ports } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer, type Server } from "node:net"

const service = Ports.Ports
const { layer } = Ports.Ports

/** Somebody who listens on a port. */
const listener = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer()
      server.listen({ port, host: "127.0.0.1" }, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

describe("Ports", () => {
  it.live("gives each owner a port of its own, and the same again", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const owners = Array.from({ length: 30 }, (_, index) => `app/${index}`)
      const all = Effect.scoped(
        Effect.forEach(owners, (owner) => ports.assign({ owner }), { concurrency: "unbounded" })
      )
      const first = yield* all
      assert.strictEqual(new Set(first).size, 30)
      assert.deepStrictEqual(yield* all, first)
    }).pipe(Effect.provide(layer)))

  it.live("gives two owners of one name two ports", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const first = yield* ports.assign({ owner: "app/a" })
      assert.notStrictEqual(yield* ports.assign({ owner: "app/a" }), first)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("gives the preferred port if it is free, to one only, as long as that one has it", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const preferred = yield* Effect.scoped(ports.assign({ owner: "app/a" }))
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* ports.assign({ owner: "app/b", preferred }), preferred)
        const error = yield* Effect.flip(ports.assign({ owner: "app/c", preferred }))
        assert.strictEqual(
          error.message,
          `port ${preferred} is taken by app/b: choose another, or 0 for any that is free`
        )
        // Nobody listens on it, and that changes nothing.
        assert.isTrue(yield* ports.isFree(preferred))
        assert.notStrictEqual(yield* ports.assign({ owner: "app/d", preferred, fallback: true }), preferred)
        assert.notStrictEqual(yield* ports.assign({ owner: "app/a" }), preferred)
      }))
      assert.strictEqual(yield* ports.assign({ owner: "app/c", preferred }), preferred)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("does not give one on which another program listens", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const preferred = portOf(yield* listener(0))
      assert.isFalse(yield* ports.isFree(preferred))
      const error = yield* Effect.flip(ports.assign({ owner: "app/a", preferred }))
      assert.strictEqual(error.owner, undefined)
      assert.include(error.message, "taken by another program")
      assert.notStrictEqual(yield* ports.assign({ owner: "app/a", preferred, fallback: true }), preferred)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})
