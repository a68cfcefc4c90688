// What a child holds, counted: a change that lets each have one more of anything is seen here, whatever the machine.
import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, ExitReason, Supervisor } from "coppice"
import { Context, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { queryObjects } from "node:v8"
import { Incarnation } from "../src/internal/incarnation.js"

/** How many objects of a class are alive, after a collection. */
const alive = (kind: abstract new(...args: ReadonlyArray<never>) => unknown): number =>
  queryObjects(kind, { format: "count" })

const FiberImpl = Effect.runSync(Effect.sync(() => Fiber.getCurrent()!.constructor)) as new() => unknown

/** An incarnation has one scope, and whatever else there is of scopes is in the surrounding one. */
interface Counts {
  readonly fibers: number
  readonly scopes: number
  readonly finalizers: number
  readonly timers: number
  readonly listeners: number
}

const count = (scope: Scope.Scope): Effect.Effect<Counts> =>
  Effect.gen(function*() {
    yield* VirtualTime.settle
    const { sleeping } = yield* VirtualTime.current
    return {
      fibers: alive(FiberImpl),
      scopes: alive(Incarnation),
      finalizers: scope.state._tag === "Open" ? scope.state.finalizers?.size ?? 1 : 0,
      timers: sleeping.length,
      listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
    }
  })

const less = (after: Counts, before: Counts): Counts => ({
  fibers: after.fibers - before.fibers,
  scopes: after.scopes - before.scopes,
  finalizers: after.finalizers - before.finalizers,
  timers: after.timers - before.timers,
  listeners: after.listeners - before.listeners
})

const nothing: Counts = { fibers: 0, scopes: 0, finalizers: 0, timers: 0, listeners: 0 }

class Db extends Context.Service<Db, { readonly name: string }>()("coppice/test/Costs.test/Db") {}

const db = Layer.effect(Db, Effect.acquireRelease(Effect.succeed({ name: "db" }), () => Effect.void))

const check = { check: Effect.void, interval: "1 hour" } as const

const inner = Supervisor.layer("inner", { strategy: "one-for-one", children: [] })

type Make = (id: string) => Child.Child<string, unknown, never>

/** What each child is made of, and what one of them holds. */
const kinds: Record<string, readonly [make: Make, holds: Partial<Counts>]> = {
  "an effect": [(id) => Child.effect(id, Effect.never), { fibers: 1, scopes: 1 }],
  "a make": [(id) => Child.make(id, Effect.succeed(Effect.never)), { fibers: 1, scopes: 1 }],
  "a layer": [(id) => Child.layer(id, db), { scopes: 1 }],
  "a supervisor": [(id) => Child.supervisor(id, inner), { scopes: 1 }],
  "a task that is done": [(id) => Child.task(id, Effect.void), {}],
  "an effect with a backoff": [
    (id) => Child.effect(id, Effect.never, { backoff: Backoff.fixed("1 second") }),
    { fibers: 1, scopes: 1 }
  ],
  "an effect that waits for its restart": [
    (id) => Child.effect(id, Effect.fail("crash"), { backoff: Backoff.fixed("1 hour") }),
    { fibers: 1, timers: 1 }
  ],
  "an effect with a readiness": [
    (id) => Child.effect(id, Effect.never, { readiness: check }),
    { fibers: 1, scopes: 1 }
  ],
  "an effect with a liveness": [
    (id) => Child.effect(id, Effect.never, { liveness: check }),
    { fibers: 3, scopes: 1, timers: 1 }
  ]
}

const n = 50

const times = (one: Partial<Counts>): Counts => {
  const counts = { ...nothing, ...one }
  const { fibers, finalizers, listeners, scopes, timers } = counts
  return {
    fibers: fibers * n,
    scopes: scopes * n,
    finalizers: finalizers * n,
    timers: timers * n,
    listeners: listeners * n
  }
}

describe("what a child holds", () => {
  it.effect.each(Object.entries(kinds))("%s", ([_, [make, holds]]) =>
    VirtualTime.run(
      Effect.gen(function*() {
        const scope = Scope.makeUnsafe()
        const children: ReadonlyArray<ReturnType<Make>> = []
        const start = Supervisor.make("app", { strategy: "one-for-one", intensity: 1_000_000, children })
        const app = yield* Scope.provide(start, scope)
        const before = yield* count(scope)
        const ids = Array.from({ length: n }, (_, index) => `child${index}`)
        yield* Effect.forEach(ids, (id) => app.startChild(make(id)), { discard: true })
        const first = yield* count(scope)
        assert.deepStrictEqual(less(first, before), times(holds))
        // And no more when they have been restarted, whatever their number.
        for (let restart = 0; restart < 3; restart++) {
          yield* Effect.forEach(ids, (id) => app.exitChild(id, ExitReason.failure("crash")), { discard: true })
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(less(yield* count(scope), before), times(holds))
        yield* Effect.forEach(ids, (id) => app.terminateChild(id), { discard: true })
        assert.deepStrictEqual(less(yield* count(scope), before), nothing)
        yield* Scope.close(scope, Exit.void)
      }).pipe(Effect.provide(Logger.layer([])))
    ))
})
