import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { type Body, idOf, type Side, type Tree } from "../side.ts"

// What one writes today: `Effect.retry` around each effect, forked into a `FiberMap`, which knows the fibers by id. There
// is no bound to the retries, as there is no window.

class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("@coppice/bench/sides/effect/Db") {}

const DbLayer = Layer.succeed(Db, { query: Effect.succeed(42) })

const again = (body: Body): Effect.Effect<never, string> => Effect.retry(body, Schedule.forever)

const run = (effects: ReadonlyArray<Effect.Effect<void, string>>): Effect.Effect<Tree> =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    return Effect.gen(function*() {
      const fibers = yield* FiberMap.make<string, void, string>()
      for (let i = 0; i < effects.length; i++) yield* FiberMap.run(fibers, idOf(i), effects[i]!)
      const byId = new Map(effects.map((effect, place) => [idOf(place), effect]))
      return {
        stop: Scope.close(scope, Exit.void),
        whichChildren: Effect.sync(() =>
          Array.from(fibers, ([id, fiber]) => ({ id, isRunning: fiber.pollUnsafe() === undefined }))
        ),
        bounce: (id: string) => Effect.andThen(FiberMap.remove(fibers, id), FiberMap.run(fibers, id, byId.get(id)!))
      }
    }).pipe(Scope.provide(scope))
  })

// A failure interrupts the others of an `Effect.all`, and all are begun anew.
const oneForAll: Side["one-for-all"] = (bodies) =>
  run([again(Effect.andThen(Effect.all(bodies, { concurrency: "unbounded" }), Effect.never))])

const nested: Side["nested"] = (levels, body) => {
  let inner = body
  for (let level = 0; level < levels; level++) {
    inner = Effect.andThen(Effect.all([inner], { concurrency: "unbounded", discard: true }), Effect.never)
  }
  return run([again(inner)])
}

const dynamic: Side["dynamic"] = Effect.suspend(() => {
  const scope = Scope.makeUnsafe()
  let next = 0
  return Effect.map(Scope.provide(FiberMap.make<string, void, string>(), scope), (fibers) => ({
    startChild: (body: Body) => FiberMap.run(fibers, idOf(next++), again(body)),
    stop: Scope.close(scope, Exit.void)
  }))
})

// The service as it was when the user was built: it may be dead.
const user: Side["user"] = Effect.sync(() => ({
  use: Effect.provideService(Effect.flatMap(Db, (db) => db.query), Db, { query: Effect.succeed(42) }),
  stop: Effect.void
}))

export const effect: Side = {
  plain: (bodies) => run(bodies.map(again)),
  "one-for-all": oneForAll,
  backoff: (bodies) => run(bodies.map((body) => Effect.retry(body, Schedule.spaced("1 millis")))),
  liveness: (bodies, check) => {
    const checks = Effect.repeat(check, Schedule.spaced("1 hour"))
    return run(bodies.map((body) => Effect.retry(Effect.raceFirst(body, checks), Schedule.forever)))
  },
  layers: (count) => run(Array.from({ length: count }, () => again(Layer.launch(DbLayer)))),
  families: (families) => run(families.flat().map(again)),
  nested,
  dynamic,
  user
}
