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
      const first = yield* Effect.forEach(owners, (owner) => ports.assign(owner), { concurrency: "unbounded" })
      assert.strictEqual(new Set(first).size, 30)
      assert.deepStrictEqual(yield* Effect.forEach(owners, (owner) => ports.assign(owner)), first)
    }).pipe(Effect.provide(layer)))

  it.live("gives the preferred port if it is free, to one only", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const preferred = yield* ports.assign("app/a")
      yield* ports.release("app/a")
      assert.strictEqual(yield* ports.assign("app/b", { preferred }), preferred)
      const error = yield* Effect.flip(ports.assign("app/c", { preferred }))
      assert.strictEqual(
        error.message,
        `port ${preferred} is taken by app/b: choose another, or 0 for any that is free`
      )
      assert.notStrictEqual(yield* ports.assign("app/c", { preferred, fallback: true }), preferred)
    }).pipe(Effect.provide(layer)))

  it.live("does not give one on which another program listens", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const preferred = portOf(yield* listener(0))
      const error = yield* Effect.flip(ports.assign("app/a", { preferred }))
      assert.strictEqual(error.owner, undefined)
      assert.include(error.message, "taken by another program")
      assert.notStrictEqual(yield* ports.assign("app/a", { preferred, fallback: true }), preferred)
    }).pipe(Effect.provide(layer)))

  it.live("keeps a port for its owner while nobody listens on it", () =>
    Effect.gen(function*() {
      const ports = yield* service
      const port = yield* ports.assign("app/a")
      yield* Effect.scoped(Effect.map(listener(port), (server) => assert.strictEqual(portOf(server), port)))
      assert.strictEqual((yield* Effect.flip(ports.assign("app/b", { preferred: port }))).owner, "app/a")
      assert.strictEqual(yield* ports.assign("app/a"), port)
    }).pipe(Effect.provide(layer)))
})
