import { type TestChild, VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Backoff, Child, ChildRef, DynamicSupervisor, ExitReason, Supervisor, type SupervisorEvent } from "coppice"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { collected, heapUsed } from "./support/garbage.ts"
import { type AnyChild, type Kit, patient, rule as test } from "./support/kit.ts"

const rule = (sentence: string, run: Parameters<typeof test>[2]): void => test("DynamicSupervisor", sentence, run)

const tag = <R>(effect: Effect.Effect<unknown, { readonly _tag: string }, R>) =>
  Effect.match(effect, { onFailure: (error) => error._tag, onSuccess: () => "ok" })

const now = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const keyed = (kit: Kit, options: { readonly maxChildren?: number } = {}) =>
  DynamicSupervisor.make("pool", {
    ...patient,
    ...options,
    child: (id: string, job: TestChild.Options = {}): AnyChild => kit.child(id, job),
    key: (id) => id
  })

/** Services of children, numbered by the order of their making. */
class Db extends Context.Service<Db, { readonly name: string; readonly number: number }>()(
  "coppice/test/DynamicSupervisor.test/Db"
) {}

const databases = () => {
  let made = 0
  return DynamicSupervisor.make("databases", {
    ...patient,
    child: (name: string) =>
      Child.layer("db", Layer.sync(Db, () => ({ name, number: ++made })), { restart: "transient" }),
    key: (name) => name
  })
}

const describeDb = (services: Context.Context<Db>) => {
  const { name, number } = Context.get(services, Db)
  return `${name} ${number}`
}

describe("ensureChild", () => {
  rule(
    "starts one child for concurrent calls with the same key, and answers all of them with it",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const call = pool.ensureChild("a", { starts: ["hang"] })
        const calls = yield* now(Effect.all([call, call, call], { concurrency: "unbounded" }))
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["hang a"])
        yield* kit.release("a")
        const handles = yield* Fiber.join(calls)
        assert.deepStrictEqual(handles.map(({ incarnation, path }) => [path, incarnation]), [
          ["pool/a", 1],
          ["pool/a", 1],
          ["pool/a", 1]
        ])
        assert.deepStrictEqual(kit.take(), ["start a"])
        yield* handles[1].terminate
        assert.deepStrictEqual(yield* handles[2].await, { _tag: "Shutdown" })
      })
  )

  rule("starts a child for each call whose predecessor's start has failed", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const call = tag(pool.ensureChild("a", { starts: ["hang", "fail", "ok"] }))
      const calls = yield* now(Effect.all([call, call, call, call], { concurrency: "unbounded" }))
      yield* VirtualTime.settle
      yield* kit.crash("a")
      assert.deepStrictEqual(yield* Fiber.join(calls), ["ChildStartFailed", "ChildStartFailed", "ok", "ok"])
      assert.strictEqual(kit.attempts("a"), 3)
    }))

  rule("tells the incarnation that is alive", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      yield* pool.ensureChild("a")
      yield* kit.crash("a")
      assert.strictEqual((yield* pool.ensureChild("a")).incarnation, 2)
    }))

  rule("is a mistake where there is no key", () =>
    Effect.gen(function*() {
      const pool = yield* DynamicSupervisor.make("pool", { child: () => Child.effect("a", Effect.never) })
      const exit = yield* Effect.exit(pool.ensureChild())
      assert.include(String(exit), "ensureChild is for a supervisor with the option \"key\"")
    }))
})

describe("startChild", () => {
  rule(
    "is over before anything that the new child asks of its supervisor in its first moment",
    () =>
      Effect.gen(function*() {
        const events: Array<string> = []
        const pool = yield* DynamicSupervisor.make("pool", {
          ...patient,
          key: (id) => id,
          child: (_id: string, first: Effect.Effect<void>) =>
            Child.effect("job", Effect.andThen(first, Effect.never), { restart: "temporary" })
        })
        yield* Effect.forkScoped(
          Stream.runForEach(pool.events, (event) =>
            Effect.sync(() => {
              if ("path" in event) events.push(`${event._tag} ${event.path}`)
            }))
        )
        yield* VirtualTime.settle
        const leave = Effect.orDie(pool.terminateChild("a"))
        const another = Effect.orDie(pool.startChild("b", Effect.die("b crashes at once")))
        const a = yield* pool.startChild("a", Effect.andThen(another, leave))
        assert.strictEqual(a.path, "pool/a")
        yield* VirtualTime.settle
        assert.deepStrictEqual(events, [
          "ChildStarting pool/a",
          "ChildStarted pool/a",
          "ChildStarting pool/b",
          "ChildStarted pool/b",
          "ChildExited pool/b",
          "ChildStopped pool/a"
        ])
      })
  )

  rule("hands what the functions of its options throw to the caller, and goes on", () =>
    Effect.gen(function*() {
      const pool = yield* DynamicSupervisor.make("pool", {
        child: (id: string) => {
          if (id === "bad child") throw new Error("no child")
          return Child.effect("a", Effect.never)
        },
        key: (id) => {
          if (id === "bad key") throw new Error("no key")
          return id
        }
      })
      assert.include(String(yield* Effect.exit(pool.startChild("bad child"))), "no child")
      assert.include(String(yield* Effect.exit(pool.startChild("bad key"))), "no key")
      yield* pool.startChild("good")
      assert.strictEqual((yield* pool.countChildren).specs, 1)
    }))

  rule("fails when the supervisor is stopped in the middle of it, and leaves nothing", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(keyed(kit), scope)
      yield* pool.startChild("up", { stops: "hang" })
      const starting = yield* now(tag(pool.startChild("slow", { starts: ["hang"] })))
      const queued = yield* now(tag(pool.startChild("queued")))
      yield* VirtualTime.settle
      const closing = yield* now(Scope.close(scope, Exit.void))
      yield* VirtualTime.settle
      assert.deepStrictEqual(starting.pollUnsafe(), Exit.succeed("SupervisorDown"))
      yield* kit.release("up")
      assert.deepStrictEqual(queued.pollUnsafe(), Exit.succeed("SupervisorDown"))
      assert.isDefined(closing.pollUnsafe())
      assert.strictEqual(kit.isUp("slow"), false)
    }))

  rule(
    "gives children what surrounds the supervisor, not the caller, and the supervisor itself",
    () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const starting: Child.Child<string, never, Db | Pool> = Child.effect(
          "a",
          Effect.gen(function*() {
            const { specs } = yield* Effect.orDie(Pool.countChildren)
            seen.push(`${(yield* Db).name}, one of ${specs}`)
          })
        )
        class Pool extends DynamicSupervisor.Service<Pool>()("coppice/test/DynamicSupervisor.test/Pool", {
          child: (_: string): Child.Child<string, never, Db | Pool> => starting
        }) {}
        yield* Pool.run("a").pipe(
          Effect.timeoutOption("1 second"),
          Effect.provideService(Db, { name: "the caller's", number: 1 }),
          Effect.provide(Pool.layer.pipe(Layer.provide(Layer.succeed(Db, { name: "the supervisor's", number: 1 })))),
          Effect.forkChild
        )
        yield* VirtualTime.settle
        assert.strictEqual(seen[0], "the supervisor's, one of 1")
      })
  )
})

describe("run", () => {
  rule("answers why the child ended, through its restarts", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const running = yield* now(pool.run("a", { restart: "transient" }))
      yield* kit.crash("a")
      yield* kit.crash("a")
      assert.isUndefined(running.pollUnsafe())
      yield* kit.return("a")
      assert.deepStrictEqual(running.pollUnsafe(), Exit.succeed(ExitReason.normal))
      const crashing = yield* now(pool.run("a", { restart: "temporary" }))
      yield* kit.crash("a")
      const reason = yield* Fiber.join(crashing)
      assert.isTrue(reason._tag === "Failure" && reason.error === "a crashed")
      assert.strictEqual(yield* tag(pool.run("b", { starts: ["fail"] })), "ChildStartFailed")
    }))

  rule("stops the child when it is interrupted, and waits until it is gone", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const running = yield* now(pool.run("a", { stops: "hang" }))
      const interrupting = yield* now(Fiber.interrupt(running))
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["start a", "stop a"])
      assert.isUndefined(interrupting.pollUnsafe())
      yield* kit.release("a")
      assert.isDefined(interrupting.pollUnsafe())
      assert.strictEqual((yield* pool.countChildren).specs, 0)
    }))

  rule(
    "calls off a start in progress when it is interrupted, and one that has not begun",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const slow = yield* now(pool.run("slow", { starts: ["hang"] }))
        const behind = yield* now(pool.run("behind"))
        const other = yield* now(pool.startChild("other"))
        yield* VirtualTime.settle
        yield* Fiber.interrupt(behind)
        yield* Fiber.interrupt(slow)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["hang slow", "start other"])
        assert.isDefined(other.pollUnsafe())
        assert.strictEqual((yield* pool.countChildren).specs, 1)
      })
  )

  rule("calls off the restart of its child when it is interrupted", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const running = yield* now(pool.run("a", { starts: ["ok", "hang"] }))
      yield* kit.crash("a")
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(kit.take(), ["start a", "crash a", "hang a"])
      assert.strictEqual((yield* pool.countChildren).specs, 0)
    }))

  rule("stops what a child has run when that child is stopped by the same supervisor", (kit) =>
    Effect.gen(function*() {
      const pool: DynamicSupervisor.DynamicSupervisor<[id: string, child?: AnyChild], never> = yield* DynamicSupervisor
        .make("pool", {
          child: (id: string, child?: AnyChild) => child ?? kit.child(id),
          key: (id) => id
        })
      const outer = Child.effect("outer", Effect.suspend(() => Effect.asVoid(pool.run("inner"))))
      yield* pool.startChild("outer", outer as AnyChild)
      yield* VirtualTime.settle
      assert.strictEqual((yield* pool.countChildren).specs, 2)
      yield* pool.terminateChild("outer")
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["start inner", "stop inner"])
      assert.strictEqual((yield* pool.countChildren).specs, 0)
    }))

  rule("of many at a time keeps to maxChildren", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit, { maxChildren: 3 })
      const running = yield* now(Effect.all(
        Array.from({ length: 5 }, (_, i) => tag(pool.run(`job ${i}`, { restart: "temporary" }))),
        { concurrency: "unbounded" }
      ))
      yield* VirtualTime.settle
      for (let i = 0; i < 3; i++) yield* kit.return(`job ${i}`)
      assert.deepStrictEqual(yield* Fiber.join(running), ["ok", "ok", "ok", "MaxChildrenReached", "MaxChildrenReached"])
    }))
})

describe("a handle", () => {
  rule("has what the child has built; use is for whichever incarnation is alive", () =>
    Effect.gen(function*() {
      const pool = yield* databases()
      const users = yield* pool.startChild("users")
      yield* pool.startChild("orders")
      assert.strictEqual(describeDb(users.services), "users 1")
      assert.strictEqual(yield* users.use((services) => Effect.succeed(describeDb(services))), "users 1")
      yield* pool.exitChild("users", ExitReason.killed)
      assert.strictEqual(yield* users.use((services) => Effect.succeed(describeDb(services))), "users 3")
      assert.strictEqual(yield* pool.useChild("orders", (services) => Effect.succeed(describeDb(services))), "orders 2")
      assert.strictEqual(yield* tag(pool.useChild("nobody", () => Effect.void)), "ChildNotFound")
    }))

  rule("whose child ends fails what uses it, and what would", () =>
    Effect.gen(function*() {
      const pool = yield* databases()
      const users = yield* pool.startChild("users")
      const using = yield* now(tag(users.use(() => Effect.never)))
      yield* pool.exitChild(users, ExitReason.killed)
      yield* VirtualTime.settle
      assert.deepStrictEqual(using.pollUnsafe(), Exit.succeed("ChildDown"))
      yield* users.terminate
      assert.strictEqual(yield* tag(users.use(() => Effect.void)), "ChildUnavailable")
      const never = yield* pool.startChild("never used")
      yield* never.terminate
      assert.strictEqual(yield* tag(never.use(() => Effect.void)), "ChildUnavailable")
      const last = yield* pool.startChild("last")
      const patientUse = yield* now(tag(last.use(() => Effect.never)))
      yield* pool.exitChild(last, ExitReason.shutdown())
      yield* VirtualTime.settle
      assert.deepStrictEqual(patientUse.pollUnsafe(), Exit.succeed("ChildDown"))
      assert.strictEqual((yield* last.await)._tag, "Shutdown")
    }))

  rule("waits with its use while the child is restarting", (kit) =>
    Effect.gen(function*() {
      const hold = yield* Deferred.make<void>()
      let starts = 0
      const layer = Layer.effect(
        Db,
        Effect.gen(function*() {
          if (++starts === 2) yield* Deferred.await(hold)
          return { name: "db", number: starts }
        })
      )
      const pool = yield* DynamicSupervisor.make("pool", { child: () => Child.layer("db", layer) })
      const db = yield* pool.startChild()
      yield* pool.exitChild(db, ExitReason.killed)
      yield* VirtualTime.settle
      const use = (patience: number) => tag(db.use(() => Effect.sync(() => kit.note("used")), { patience }))
      assert.strictEqual(yield* use(0), "ChildUnavailable")
      const waiting = yield* now(use(1000))
      yield* TestClock.adjust(999)
      yield* Deferred.succeed(hold, undefined)
      yield* VirtualTime.settle
      assert.deepStrictEqual(waiting.pollUnsafe(), Exit.succeed("ok"))
      assert.deepStrictEqual(kit.take(), ["used"])
    }))

  rule("has no use left when the supervisor ends while its child is restarting", () =>
    Effect.gen(function*() {
      let starts = 0
      const layer = Layer.effect(
        Db,
        Effect.suspend(() => ++starts === 1 ? Effect.succeed({ name: "db", number: 1 }) : Effect.never)
      )
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(
        DynamicSupervisor.make("pool", { child: () => Child.layer("db", layer) }),
        scope
      )
      const db = yield* pool.startChild()
      yield* pool.exitChild(db, ExitReason.killed)
      yield* VirtualTime.settle
      const using = yield* now(tag(db.use(() => Effect.void)))
      const ended = yield* now(db.await)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(using.pollUnsafe(), Exit.succeed("ChildUnavailable"))
      assert.deepStrictEqual(ended.pollUnsafe(), Exit.succeed(ExitReason.killed))
    }))

  rule("has no use left when the supervisor is restarted, which begins without children", () =>
    Effect.gen(function*() {
      let starts = 0
      const layer = Layer.effect(
        Db,
        Effect.suspend(() => ++starts === 1 ? Effect.succeed({ name: "db", number: 1 }) : Effect.never)
      )
      class Pool extends DynamicSupervisor.Service<Pool>()("coppice/test/DynamicSupervisor.test/Pool", {
        child: () => Child.layer("db", layer)
      }) {}
      const pools: Array<Pool["Service"]> = []
      const keep = Layer.effectDiscard(Effect.map(Pool, (pool) => pools.push(pool)))
      const app: Supervisor.Supervisor<any> = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("pool", Layer.provideMerge(keep, Pool.layer))]
      })
      const db = yield* pools[0]!.startChild()
      yield* pools[0]!.exitChild(db, ExitReason.killed)
      yield* VirtualTime.settle
      const using = yield* now(tag(db.use(() => Effect.void)))
      yield* app.exitChild("pool", ExitReason.killed)
      yield* VirtualTime.settle
      assert.lengthOf(pools, 2)
      assert.deepStrictEqual(using.pollUnsafe(), Exit.succeed("ChildUnavailable"))
    }))

  rule("has no use left when its first start fails, or is called off", () =>
    Effect.gen(function*() {
      const hold = yield* Deferred.make<never, string>()
      const pool = yield* DynamicSupervisor.make("pool", {
        child: (_name: string) => Child.layer("db", Layer.effect(Db, Deferred.await(hold))),
        key: (name) => name
      })
      const use = Effect.suspend(() => tag(pool.useChild("orders", () => Effect.void)))
      const running = yield* now(pool.run("orders"))
      const first = yield* now(use)
      yield* Fiber.interrupt(running)
      yield* VirtualTime.settle
      assert.deepStrictEqual(first.pollUnsafe(), Exit.succeed("ChildUnavailable"))
      const starting = yield* now(tag(pool.startChild("orders")))
      const second = yield* now(use)
      yield* Deferred.fail(hold, "no disk")
      yield* VirtualTime.settle
      assert.deepStrictEqual(starting.pollUnsafe(), Exit.succeed("ChildStartFailed"))
      assert.deepStrictEqual(second.pollUnsafe(), Exit.succeed("ChildUnavailable"))
    }))

  rule("has no use left when its child has ended, also for who tries again at once", () =>
    Effect.gen(function*() {
      const pool = yield* databases()
      const ends: Array<
        (db: { readonly terminate: Effect.Effect<void, {}>; readonly id: string }) => Effect.Effect<void, {}>
      > = [
        (db) => db.terminate,
        (db) => pool.exitChild(db.id, ExitReason.shutdown())
      ]
      for (const end of ends) {
        const db = yield* pool.startChild("users")
        const use = db.use(() => Effect.never)
        const using = yield* now(tag(Effect.catchTag(use, "ChildDown", () => Effect.retry(use, { times: 3 }))))
        yield* VirtualTime.settle
        yield* end(db)
        yield* VirtualTime.settle
        assert.deepStrictEqual(using.pollUnsafe(), Exit.succeed("ChildUnavailable"))
      }
    }))

  rule("of a child with a ref of its own uses that", () =>
    Effect.gen(function*() {
      class DbRef extends ChildRef.Service<DbRef>()("coppice/test/DynamicSupervisor.test/DbRef", Db) {}
      const layer = Layer.succeed(Db, { name: "db", number: 1 })
      const test = Effect.gen(function*() {
        const pool = yield* DynamicSupervisor.make("pool", { child: () => Child.layer("db", layer, { ref: DbRef }) })
        const db = yield* pool.startChild()
        assert.strictEqual(yield* db.use((services) => Effect.succeed(describeDb(services))), "db 1")
        assert.strictEqual(yield* DbRef.use(({ name }) => Effect.succeed(name)), "db")
        assert.strictEqual(yield* tag(pool.startChild()), "ChildStartFailed")
        yield* db.terminate
        yield* pool.startChild()
      })
      yield* Effect.provide(test, DbRef.layer)
    }))

  rule("of a child that builds nothing has no use", () =>
    Effect.gen(function*() {
      const pool = yield* DynamicSupervisor.make("pool", { child: () => Child.effect("a", Effect.never) })
      const a = yield* pool.startChild()
      assert.include(String(yield* Effect.exit(a.use(() => Effect.void))), "pool/1 is not built from a layer")
    }))
})

describe("the service", () => {
  rule("has the operations as statics", (kit) =>
    Effect.gen(function*() {
      class Pool extends DynamicSupervisor.Service<Pool>()("coppice/test/DynamicSupervisor.test/Pool", {
        child: (id: string): AnyChild => kit.child(id, { restart: "transient" }),
        key: (id) => id
      }) {}
      const test = Effect.gen(function*() {
        const events: Array<SupervisorEvent.SupervisorEvent> = []
        yield* now(Stream.runForEach(Pool.events, (event) => Effect.sync(() => events.push(event))))
        const a = yield* Pool.startChild("a")
        yield* Pool.ensureChild("a")
        assert.strictEqual(yield* Pool.path, "Pool")
        const running = yield* now(Pool.run("b"))
        assert.deepStrictEqual((yield* Pool.whichChildren).map(({ id }) => id), ["b", "a"])
        assert.strictEqual((yield* Pool.countChildren).active, 2)
        assert.strictEqual((yield* Pool.tree).children.length, 2)
        yield* Pool.exitChild(a, ExitReason.shutdown())
        yield* Pool.terminateChild("b")
        assert.deepStrictEqual(yield* Fiber.join(running), ExitReason.shutdown())
        assert.strictEqual(
          yield* tag(Pool.useChild(a, () => Effect.void).pipe(Effect.catchDefect(() => Effect.void))),
          "ok"
        )
        yield* VirtualTime.settle
        // A transient child that ends cleanly is not kept here.
        assert.deepStrictEqual(
          events.flatMap((event) => event._tag === "ChildExited" ? [[event.path, event.verdict]] : []),
          [["Pool/a", "remove"]]
        )
      })
      yield* Effect.provide(test, Pool.layer)
    }))

  rule("can have a tag of its own", (kit) =>
    Effect.gen(function*() {
      class Pool extends Context.Service<Pool, DynamicSupervisor.DynamicSupervisor<[id: string], never>>()(
        "coppice/test/DynamicSupervisor.test/Pool"
      ) {}
      const layer = DynamicSupervisor.layer(Pool, "pool", { child: (id: string): AnyChild => kit.child(id) })
      const { path } = yield* Effect.provide(Effect.flatMap(Pool, (pool) => pool.startChild("a")), layer)
      assert.strictEqual(path, "pool/1")
    }))
})

describe("memory", () => {
  rule("nothing is kept of children that have ended, however many", () =>
    Effect.gen(function*() {
      const cycles = 50_000
      const pool = yield* DynamicSupervisor.make("pool", {
        child: (number: number) =>
          Child.effect("job", number % 2 === 0 ? Effect.void : Effect.never, {
            restart: number % 4 < 2 ? "temporary" : "transient"
          }),
        key: (number) => `job ${number}`
      })
      const cycle = Effect.fnUntraced(function*(number: number) {
        if (number % 2 === 0) return yield* pool.run(number)
        const child = yield* pool.startChild(number)
        return yield* child.terminate
      })
      for (let number = 0; number < 2000; number++) yield* cycle(number)
      const before = yield* heapUsed
      for (let number = 2000; number < 2000 + 2 * cycles; number++) yield* cycle(number)
      const grown = (yield* heapUsed) - before
      assert.isBelow(grown / (2 * cycles), 8, "bytes kept per child")
      assert.strictEqual((yield* pool.countChildren).specs, 0)
    }))

  rule(
    "what a child has built is let go with each of its incarnations",
    () =>
      Effect.gen(function*() {
        const made: Array<WeakRef<object>> = []
        class Big extends Context.Service<Big, object>()("coppice/test/DynamicSupervisor.test/Big") {}
        const pool = yield* DynamicSupervisor.make("pool", {
          child: () =>
            Child.layer(
              "big",
              Layer.sync(Big, () => {
                const big = { big: true }
                made.push(new WeakRef(big))
                return big
              })
            )
        })
        // The handle would keep the services that it has.
        const { id } = yield* pool.startChild()
        yield* pool.exitChild(id, ExitReason.killed)
        yield* VirtualTime.settle
        yield* pool.terminateChild(id)
        yield* VirtualTime.settle
        assert.strictEqual(made.length, 2)
        for (const big of made) assert.isTrue(yield* collected(big))
      })
  )
})

describe("a child that waits for its restart", () => {
  const crashed = Effect.fnUntraced(function*(kit: Kit, options: { readonly maxChildren?: number } = {}) {
    const pool = yield* keyed(kit, options)
    const handle = yield* pool.startChild("a", { backoff: Backoff.fixed("10 seconds") })
    kit.take()
    yield* kit.crash("a")
    kit.take()
    return { handle, pool }
  })

  rule(
    "is restarting, and counts (rabbitmq/rabbitmq-common#201, elixir-lang/elixir#7655)",
    (kit) =>
      Effect.gen(function*() {
        const { pool } = yield* crashed(kit, { maxChildren: 1 })
        assert.deepStrictEqual(yield* pool.countChildren, { specs: 1, active: 0, supervisors: 0, workers: 1 })
        assert.deepStrictEqual((yield* pool.whichChildren).map(({ state }) => state), ["restarting"])
        assert.strictEqual(yield* tag(pool.startChild("b")), "MaxChildrenReached")
        assert.strictEqual(yield* tag(pool.startChild("a")), "ChildRestarting")
        assert.strictEqual(yield* tag(pool.ensureChild("a")), "ChildRestarting")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(kit.take(), ["start a"])
        assert.deepStrictEqual(yield* pool.countChildren, { specs: 1, active: 1, supervisors: 0, workers: 1 })
      })
  )

  rule(
    "is not started any more when it has been terminated, and who waits for its end hears of it",
    (kit) =>
      Effect.gen(function*() {
        const { handle, pool } = yield* crashed(kit)
        const waiting = yield* now(handle.await)
        yield* handle.terminate
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "Failure")
        assert.strictEqual(yield* tag(pool.startChild("a")), "ok")
        assert.deepStrictEqual(kit.take(), ["start a"])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(kit.take(), [])
      })
  )

  rule("is forgotten when its backoff is exhausted and that ends not the supervisor", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const handle = yield* pool.startChild("a", { backoff: Schedule.recurs(0), onExhausted: "give-up" })
      yield* pool.startChild("b")
      const waiting = yield* now(handle.await)
      yield* kit.crash("a")
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "Failure")
      assert.deepStrictEqual((yield* pool.whichChildren).map(({ id }) => id), ["b"])
      assert.strictEqual(yield* tag(pool.ensureChild("a")), "ok")
    }))
})
