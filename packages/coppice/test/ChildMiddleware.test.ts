import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, ChildMiddleware, ChildRef, Supervisor, SupervisorError } from "coppice"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"

class Db extends Context.Service<Db, { readonly name: string }>()("coppice/test/ChildMiddleware.test/Db") {}

class DbRef extends ChildRef.Service<DbRef>()("coppice/test/ChildMiddleware.test/DbRef", Db) {}

const quiet = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  VirtualTime.run(Effect.scoped(effect)).pipe(Effect.provide(Logger.layer([])))

/** One child of each kind, in a supervisor inside another. */
const app = Supervisor.make("app", {
  strategy: "one-for-one",
  intensity: 100,
  children: [
    Child.supervisor(
      "inner",
      Supervisor.layer("inner", {
        strategy: "one-for-one",
        dependencies: [],
        children: [
          Child.effect("effect", Effect.never),
          Child.make("make", Effect.succeed(Effect.never)),
          Child.layer("layer", Layer.succeed(Db, { name: "first" })),
          Child.task("task", Effect.void)
        ]
      })
    )
  ]
})

describe("ChildMiddleware", () => {
  it.effect("is put around the start and the body of every child below, each with what it has", () => {
    const seen: Array<string> = []
    const middleware = ChildMiddleware.layer(({ incarnation, kind, path }) => {
      const note = (what: string) => seen.push(`${what} ${path} ${kind} ${incarnation}`)
      return {
        start: (start) => Effect.suspend(() => (note("start"), start)),
        run: (body) => Effect.suspend(() => (note("run"), body))
      }
    })
    return quiet(Effect.gen(function*() {
      yield* Effect.provide(app, middleware)
      yield* VirtualTime.settle
      assert.deepStrictEqual(seen, [
        "start app/inner supervisor 1",
        "run app/inner/effect effect 1",
        "start app/inner/make make 1",
        "run app/inner/make make 1",
        "start app/inner/layer layer 1",
        "start app/inner/task task 1"
      ])
    }))
  })

  it.effect("is asked anew for each incarnation, and its failure is the child's own", () => {
    const numbers: Array<number> = []
    const middleware = ChildMiddleware.layer(({ incarnation }) => {
      numbers.push(incarnation)
      return incarnation < 3 ? { run: () => Effect.fail(`number ${incarnation}`) } : undefined
    })
    return quiet(Effect.gen(function*() {
      const supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", Effect.never)]
      }).pipe(Effect.provide(middleware))
      yield* VirtualTime.settle
      const [child] = (yield* supervisor.tree).children
      assert.deepStrictEqual(numbers, [1, 2, 3])
      assert.deepStrictEqual([child?.state, child?.incarnation], ["running", 3])
    }))
  })

  it.effect("runs in the child: with its place, and with a scope that lives as long", () => {
    const ended: Array<string> = []
    const middleware = ChildMiddleware.layer(() => ({
      run: (body) =>
        Effect.gen(function*() {
          const { path, supervisor } = yield* Child.current
          yield* (Effect.addFinalizer(() => Effect.sync(() => ended.push(path))) as Effect.Effect<void>)
          assert.strictEqual(supervisor.path, "app")
          return yield* body
        })
    }))
    return quiet(Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(
        Supervisor.make("app", { strategy: "one-for-one", children: [Child.effect("a", Effect.never)] }),
        scope
      ).pipe(Effect.provide(middleware))
      yield* VirtualTime.settle
      assert.deepStrictEqual(ended, [])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(ended, ["app/a"])
    }))
  })

  it.effect("is put around each use through a ref, with the incarnation that fills it", () => {
    let fails = false
    const middleware = ChildMiddleware.layer(({ incarnation, path }) => ({
      use: <A, E, R>(use: Effect.Effect<A, E, R>, ref: string): Effect.Effect<A, E | SupervisorError.ChildDown, R> =>
        fails ? Effect.fail(new SupervisorError.ChildDown({ ref, path, incarnation })) : use
    }))
    return quiet(
      Effect.gen(function*() {
        const used = Effect.exit(DbRef.use((db) => Effect.succeed(db.name)))
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.layer("db", Layer.sync(Db, () => ({ name: "db" })), { ref: DbRef })]
        }).pipe(Effect.provide(middleware))
        assert.deepStrictEqual(yield* used, Exit.succeed("db"))
        fails = true
        const down = new SupervisorError.ChildDown({ ref: DbRef.key, path: "app/db", incarnation: 1 })
        assert.deepStrictEqual(yield* used, Exit.fail(down))
        fails = false
        assert.deepStrictEqual(yield* used, Exit.succeed("db"))
      }).pipe(Effect.provide(DbRef.layer))
    )
  })

  it.effect("is put around each check of readiness and of liveness", () => {
    const checks: Array<string> = []
    const middleware = ChildMiddleware.layer(({ incarnation }) => ({
      check: (check) => Effect.suspend(() => checks.push(`number ${incarnation}`) === 2 ? Effect.fail("no") : check)
    }))
    const options = { readiness: { check: Effect.void }, liveness: { check: Effect.void, failureThreshold: 1 } }
    return quiet(Effect.gen(function*() {
      yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.effect("a", Effect.never, options)] })
        .pipe(Effect.provide(middleware))
      yield* VirtualTime.settle
      // Ready; not alive; ready; alive.
      assert.deepStrictEqual(checks, ["number 1", "number 1", "number 2", "number 2"])
    }))
  })

  it.effect("that throws is a failure of the child, whose supervisor goes on", () => {
    const middleware = ChildMiddleware.layer(({ id, incarnation }) => {
      if (id === "bad" && incarnation === 1) throw new Error("thrown by a middleware")
      return undefined
    })
    return quiet(Effect.gen(function*() {
      const supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("good", Effect.never), Child.effect("bad", Effect.never)]
      }).pipe(Effect.provide(middleware))
      yield* VirtualTime.settle
      const { children } = yield* supervisor.tree
      assert.deepStrictEqual(children.map(({ incarnation, state }) => [state, incarnation]), [
        ["running", 1],
        ["running", 2]
      ])
      assert.strictEqual(children[1]?.lastExit?.reason._tag, "Defect")
    }))
  })
})
