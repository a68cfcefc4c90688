import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { heapUsed, type Measure, micros, query, repeat } from "../gauges.ts"
import type { RowName } from "../rows.ts"

// The floor: what a child is made of, a scope of its own and a fiber that runs in it, with nobody looking after it.
interface Bare {
  readonly scope: Scope.Closeable
  readonly fiber: Fiber.Fiber<never>
}

const start = (children: number): Effect.Effect<ReadonlyArray<Bare>> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      const running: Array<Bare> = []
      for (let i = 0; i < children; i++) {
        const scope = Scope.makeUnsafe()
        const fiber = Effect.runForkWith(Context.add(context, Scope.Scope, scope))(Effect.never)
        running.push({ scope, fiber })
      }
      return running
    })
  )

const stop = Effect.fnUntraced(function*(running: ReadonlyArray<Bare>) {
  for (let i = running.length - 1; i >= 0; i--) {
    const { fiber, scope } = running[i]!
    yield* Fiber.interrupt(fiber)
    yield* Scope.close(scope, Exit.void)
  }
})

// The floor of a use: a fiber for it, and waiting for it.
const forkAndJoin = Effect.flatMap(
  Effect.suspend(() => Effect.forkChild(query, { startImmediately: true })),
  Fiber.join
)

/** The rows without Coppice. */
export const effect: { readonly [Name in RowName]?: Measure } = {
  "start": Effect.fnUntraced(function*(children) {
    let running: ReadonlyArray<Bare> = []
    const taken = yield* micros(Effect.map(start(children), (started) => running = started))
    yield* stop(running)
    return taken
  }),
  "memory": Effect.fnUntraced(function*(children) {
    const before = yield* heapUsed
    const running = yield* start(children)
    const after = yield* heapUsed
    yield* stop(running)
    return after - before
  }),
  "stop": (children) => Effect.flatMap(start(children), (running) => micros(stop(running))),
  "use": (uses) => micros(repeat(forkAndJoin, uses))
}
