import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, ChildRef, DynamicSupervisor, ExitReason, Supervisor, type SupervisorEvent } from "coppice"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope, Stream } from "effect"
import { orderOf } from "./support/eventOrder.ts"
import { random } from "./support/random.ts"
import { DbRef as TreeRef, RandomTree } from "./support/randomTree.ts"

/** Runs a program, in which no time passes, in the world of each seed; a failure names the seed that repeats it. */
const forSeeds = (program: (next: () => number) => Effect.Effect<void, {}, Scope.Scope>): void => {
  for (let seed = 1; seed <= 400; seed++) {
    const exit = new VirtualTime.VirtualTime({ seed }).run(
      Effect.scoped(program(random(seed))).pipe(Effect.provide(Logger.layer([])))
    )
    assert.strictEqual(String(exit), String(Exit.void), `seed ${seed}`)
  }
}

/** Lets others have their turn, up to so many times. */
const turns = (most: number, next: () => number) =>
  Effect.gen(function*() {
    for (let turn = next() * most; turn > 0; turn--) yield* Effect.yieldNow
  })

const crashing = (id: string, crash: Deferred.Deferred<void>, incarnations: { count: number }) =>
  Child.effect(
    id,
    Effect.suspend(() => {
      incarnations.count++
      return incarnations.count > 1 ? Effect.never : Effect.andThen(Deferred.await(crash), Effect.fail("crash"))
    })
  )

const stateOf = (app: Supervisor.Supervisor<any>) => Effect.map(app.tree, (tree) => tree.children[0]!.state)

class Db extends Context.Service<Db, number>()("@coppice/testing/test/Interleaving.test/Db") {}
class DbRef extends ChildRef.Service<DbRef>()("@coppice/testing/test/Interleaving.test/DbRef", Db) {}

describe("wherever fibers give way", () => {
  it("every exit is handled and every call is answered", () =>
    forSeeds(() =>
      Effect.gen(function*() {
        const crash = yield* Deferred.make<void>()
        const lives = ["a", "b", "c"].map((id) => ({ id, count: 0 }))
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: lives.map((life) => crashing(life.id, crash, life))
        })
        const calls = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(app.countChildren))
        yield* Deferred.succeed(crash, undefined)
        for (const call of calls) assert.strictEqual((yield* Fiber.join(call)).specs, 3)
        while (lives.some((life) => life.count < 2)) yield* Effect.yieldNow
      })
    ))

  it("a stop is obeyed, and calls that come too late are refused, also while a start goes on that never ends", () =>
    forSeeds((next) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children: [Child.effect("a", Effect.never)] }),
          scope
        )
        const starting = yield* Effect.forkChild(Effect.exit(app.startChild(Child.make("slow", Effect.never))))
        const calls = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(Effect.exit(app.countChildren)))
        yield* turns(60, next)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        for (let more = 0; more < 20; more++) {
          calls.push(yield* Effect.forkChild(Effect.exit(app.countChildren)))
          yield* Effect.yieldNow
        }
        yield* Fiber.join(closing)
        yield* Fiber.join(starting)
        for (const call of calls) yield* Fiber.join(call)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(app.countChildren)))
      })
    ))

  it("a supervisor whose scope is closed while it is built has not been started, or is stopped", () =>
    forSeeds((next) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        let running = 0
        const body = Effect.acquireUseRelease(Effect.sync(() => running++), () =>
          Effect.never, () =>
          Effect.sync(() => running--))
        const build = Supervisor.make("app", { strategy: "one-for-one", children: [Child.effect("a", body)] })
        const building = yield* Effect.forkChild(Effect.exit(Scope.provide(build, scope)))
        yield* turns(10, next)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(running, 0)
        yield* Fiber.join(building)
        assert.strictEqual(running, 0)
      })
    ))

  it("an exit signal reaches a child that starts", () =>
    forSeeds(() =>
      Effect.gen(function*() {
        let starts = 0
        const start = Effect.suspend(() => ++starts === 2 ? Effect.never : Effect.succeed(Effect.never))
        const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.make("a", start)] })
        yield* app.exitChild("a", ExitReason.killed)
        while ((yield* stateOf(app)) !== "starting") yield* Effect.yieldNow
        yield* app.exitChild("a", ExitReason.killed)
        yield* VirtualTime.settle
        assert.strictEqual(yield* stateOf(app), "running")
        assert.strictEqual((yield* app.tree).children[0]!.incarnation, 3)
      })
    ))

  it("a use is woken when its child is back", () =>
    forSeeds((next) =>
      Effect.gen(function*() {
        let starts = 0
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 5,
          children: [Child.layer("db", Layer.sync(Db, () => ++starts), { ref: DbRef })]
        })
        const use = Effect.retry(DbRef.use(Effect.succeed), { while: (error) => error._tag === "ChildDown" })
        const uses: Array<Fiber.Fiber<number, {}>> = []
        for (let crash = 0; crash < 5; crash++) {
          yield* app.exitChild("db", ExitReason.killed)
          yield* turns(8, next)
          uses.push(yield* Effect.forkChild(use))
        }
        for (const using of uses) assert.isAtLeast(yield* Fiber.join(using), 1)
      }).pipe(Effect.provide(DbRef.layer))
    ))
})

describe("wherever fibers give way, dynamic children", () => {
  it("have an end that everybody hears of who waits for it", () =>
    forSeeds((next) =>
      Effect.gen(function*() {
        const pool = yield* DynamicSupervisor.make("pool", {
          child: () => Child.effect("job", turns(8, next), { restart: "temporary" })
        })
        const running = yield* Effect.forkChild(pool.run())
        const job = yield* pool.startChild()
        assert.deepStrictEqual(yield* job.await, ExitReason.normal)
        assert.deepStrictEqual(yield* Fiber.join(running), ExitReason.normal)
      })
    ))

  it("are called off with who runs them, also while a start goes on that never ends", () =>
    forSeeds((next) =>
      Effect.gen(function*() {
        const pool = yield* DynamicSupervisor.make("pool", { child: () => Child.make("job", Effect.never) })
        const running = yield* Effect.forkChild(pool.run())
        yield* turns(12, next)
        yield* Fiber.interrupt(running)
        assert.strictEqual((yield* pool.countChildren).specs, 0)
      })
    ))
})

describe("wherever fibers give way, random trees", () => {
  // Several use it from outside. Then it comes to rest and is looked at, or is stopped in the middle of all.
  const live = Effect.fnUntraced(function*(tree: RandomTree, restsFirst: boolean) {
    const scope = yield* Scope.make()
    const root = yield* Effect.option(Scope.provide(tree.root, scope))
    const events: Array<SupervisorEvent.SupervisorEvent> = []
    if (root._tag === "Some") {
      tree.isUp = true
      yield* Effect.forkDetach(Stream.runForEach(root.value.events, (event) => Effect.sync(() => events.push(event))))
      const callers = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(Effect.repeat(Effect.andThen(tree.pause, tree.call), { times: 4 }))
      )
      if (restsFirst) {
        for (const caller of callers) yield* Fiber.join(caller)
        tree.isCalm = true
        yield* Effect.sleep("3 seconds")
        yield* VirtualTime.settle
        tree.wrong.push(...tree.restless(yield* root.value.tree))
      } else {
        yield* tree.turns(200)
        yield* tree.pause
      }
      yield* Scope.close(scope, Exit.void)
      for (const caller of callers) yield* Fiber.join(caller)
    } else yield* Scope.close(scope, Exit.void)
    yield* VirtualTime.settle
    return [...tree.wrong, ...tree.left, ...orderOf(events)]
  })

  it("run each body once at a time, answer every call, come to rest, and leave nothing", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const world = new VirtualTime.VirtualTime({ seed })
      const program = live(new RandomTree(random(seed)), seed % 2 === 0)
      const fiber = Effect.runForkWith(world.context)(
        program.pipe(Effect.provide(Layer.mergeAll(TreeRef.layer, Logger.layer([]))))
      )
      for (let turn = 0; turn < 100 && fiber.pollUnsafe() === undefined; turn++) world.advance(100)
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed([]), `seed ${seed}`)
      assert.deepStrictEqual(world.sleeping, [], `timers that are left under seed ${seed}`)
    }
  })
})
