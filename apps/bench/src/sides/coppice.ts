import { Backoff, Child, ChildRef, Supervisor, SupervisorMetrics } from "coppice"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Measure, micros, query, repeat } from "../gauges.ts"
import type { RowName } from "../rows.ts"
import { dynamicStart, dynamicTerminate } from "./dynamic.ts"
import { acquired, effects, memory, start, stop, watched } from "./idle.ts"
import { heard, restartFew, restartGroup, restartMany, unheard } from "./restarts.ts"
import { options } from "./supervise.ts"

class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("@coppice/bench/sides/coppice/Db") {}
class DbRef extends ChildRef.Service<DbRef>()("@coppice/bench/sides/coppice/DbRef", Db) {}

// Of a child that is alive and answers at once, one use after another: what is left is what a use costs.
const use: Measure = (uses) =>
  Effect.gen(function*() {
    yield* Supervisor.make("bench", {
      ...options,
      strategy: "one-for-one",
      children: [Child.layer("db", Layer.succeed(Db, { query }), { ref: DbRef })]
    })
    return yield* micros(repeat(DbRef.use((db) => db.query), uses))
  }).pipe(Effect.scoped, Effect.provide(DbRef.layer), Effect.orDie)

/** The rows of Coppice, with nobody listening. */
export const coppice: { readonly [Name in RowName]: Measure } = {
  start: start(effects()),
  memory: memory(effects()),
  "restart-few": restartFew(unheard),
  "restart-many": restartMany(unheard),
  "restart-group": restartGroup(unheard),
  stop: stop(effects()),
  use,
  "dynamic-start": dynamicStart,
  "dynamic-terminate": dynamicTerminate,
  backoff: restartMany(unheard),
  "backoff-wait": restartMany(unheard),
  metrics: restartMany(unheard),
  readiness: start(effects()),
  "start-timeout": start(acquired()),
  liveness: start(effects()),
  "liveness-memory": memory(effects())
}

/** The rows with one listener at the root. */
export const coppiceHeard: { readonly [Name in RowName]?: Measure } = {
  "restart-few": restartFew(heard),
  "restart-many": restartMany(heard),
  "restart-group": restartGroup(heard)
}

/** The rows of what one may turn on, with that on. */
export const coppiceWith: { readonly [Name in RowName]?: Measure } = {
  backoff: restartMany(unheard, { backoff: Backoff.fixed(0) }),
  "backoff-wait": restartMany(unheard, { backoff: Backoff.fixed("1 millis") }),
  metrics: (children) => Effect.provide(restartMany(unheard)(children), SupervisorMetrics.layer),
  readiness: start(effects({ readiness: { check: Effect.void } })),
  "start-timeout": start(acquired({ startTimeout: "1 minute" })),
  liveness: start(watched),
  "liveness-memory": memory(watched)
}
