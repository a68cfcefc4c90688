// A tree may be as deep as it likes: what descends or climbs through it does not do so on one stack.
import { assert, describe, it } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Effect, Exit, Logger, Scope } from "effect"

const levels = 1500

/** Supervisors in each other that give up at the first failure, and what makes the leaf fail. */
const deep = (starts: Array<() => void>) => {
  const body = Effect.callback<never, string>((resume) => {
    starts.push(() => resume(Effect.fail("crash")))
  })
  let child: Child.Child<string, never, never> = Child.effect("leaf", body)
  for (let level = 0; level < levels; level++) {
    const layer = Supervisor.layer("level", { strategy: "one-for-one", intensity: 0, children: [child] })
    child = Child.supervisor("x", layer)
  }
  return child
}

describe(`a tree of ${levels} levels`, () => {
  it.effect("starts, and stops when its scope is closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const children = [deep([])] as const
      const app = yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
      assert.strictEqual((yield* app.countChildren).active, 1)
      yield* Scope.close(scope, Exit.void)
      yield* app.await
      assert.strictEqual((yield* app.tree).state, "stopped")
    }).pipe(Effect.provide(Logger.layer([]))))

  it.effect("is restarted by the root when its leaf has crashed", () =>
    Effect.gen(function*() {
      const starts: Array<() => void> = []
      const children = [deep(starts)] as const
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", intensity: 1, children })
      starts[0]!()
      while (starts.length < 2) yield* Effect.yieldNow
      // And the second time it gives up too, with an error that tells of each level.
      starts[1]!()
      const error = yield* Effect.flip(app.await)
      let told = 1
      for (let { reason } = error; reason._tag === "GaveUp"; reason = reason.error.reason) told++
      assert.strictEqual(told, levels + 1)
    }).pipe(Effect.provide(Logger.layer([]))))
})
