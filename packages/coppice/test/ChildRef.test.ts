import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Backoff, Child, ChildRef, ExitReason, Supervisor, SupervisorError } from "coppice"
import {
  Cause,
  Clock,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Queue,
  Scheduler,
  type Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { patient } from "./support/kit.ts"
import { answer, type Anything, scenario as inWorld, type World } from "./support/world.ts"

/** One incarnation of the database. */
interface Connection {
  readonly number: number
  open: boolean
}

class Db extends Context.Service<Db, Connection>()("coppice/test/ChildRef.test/Db") {}
class DbRef extends ChildRef.Service<DbRef>()("coppice/test/ChildRef.test/DbRef", Db) {}

class Cache extends Context.Service<Cache, { readonly name: string }>()("coppice/test/ChildRef.test/Cache") {}
class CacheRef extends ChildRef.Service<CacheRef>()("coppice/test/ChildRef.test/CacheRef", Cache) {}

/** What a start does before the connection is there, by its number; none does anything. */
type Starts = Readonly<Record<number, Effect.Effect<void, string>>>

/** The connections of a test. */
class Connections {
  opened = 0

  /** Opens the next one. */
  layer(starts: Starts = {}, release: Effect.Effect<void> = Effect.void): Layer.Layer<Db, string> {
    const acquire = Effect.suspend(() => {
      const connection = { number: ++this.opened, open: true }
      return Effect.as(starts[connection.number] ?? Effect.void, connection)
    })
    const close = (connection: Connection) =>
      Effect.andThen(
        Effect.sync(() => {
          connection.open = false
        }),
        release
      )
    return Layer.effect(Db, Effect.acquireRelease(acquire, close, { interruptible: true }))
  }

  child(starts?: Starts, options?: Child.Options) {
    return Child.layer("db", this.layer(starts), { ref: DbRef, ...options })
  }
}

/** A test with a ref that outlives all supervisors in it. */
const scenario = (
  sentence: string,
  test: (world: World) => Effect.Effect<void, Anything, Scope.Scope | DbRef | CacheRef>
): void =>
  inWorld(sentence, (world) =>
    Effect.flatMap(
      Layer.build(Layer.mergeAll(DbRef.layer, CacheRef.layer)),
      (refs) => Effect.provideContext(test(world), refs)
    ))

type AnyRefs = DbRef | CacheRef

const supervise = (...children: ReadonlyArray<Child.Child<string, unknown, AnyRefs>>) =>
  Supervisor.make("app", { strategy: "one-for-one", ...patient, children }) as Effect.Effect<
    Supervisor.Supervisor,
    SupervisorError.ChildStartFailed,
    AnyRefs | Scope.Scope
  >

/** What an exit says, in short. */
const told = (exit: Exit.Exit<unknown, unknown> | undefined): unknown => {
  if (exit === undefined) return "pending"
  if (Exit.isSuccess(exit)) return exit.value
  const [reason] = exit.cause.reasons
  if (reason?._tag === "Interrupt") return "interrupted"
  if (reason?._tag === "Die") return `died: ${String(reason.defect)}`
  const error = reason?.error
  if (error instanceof SupervisorError.ChildDown) return `${error.path} ${error.incarnation} is down`
  if (error instanceof SupervisorError.ChildUnavailable) return `unavailable: ${error.reason}`
  return error
}

/** Begins something, and answers how it stands whenever it is asked, when all has come to rest. */
const begin = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  yield* VirtualTime.settle
  return {
    told: Effect.map(VirtualTime.settle, () => told(fiber.pollUnsafe())),
    interrupt: Effect.forkChild(Fiber.interrupt(fiber)),
    fiber
  }
})

const number = (db: Connection) => Effect.succeed(db.number)

/** How a use ends that needs no time. */
const outcome = <E, R>(effect: Effect.Effect<unknown, E, R>) => Effect.flatMap(begin(effect), (begun) => begun.told)

/** How a use of the database ends now. */
const useNow = outcome(DbRef.use(number))

const crash = (app: Supervisor.Supervisor<any>, id = "db") =>
  Effect.andThen(app.exitChild(id, ExitReason.failure("crash")), VirtualTime.settle)

/** How much a ref remembers of those who use it. */
const remembered = (ref: unknown) => {
  const state = ref as {
    readonly tenure: { readonly uses: ReadonlySet<unknown> } | undefined
    readonly waiting: ReadonlySet<unknown>
    readonly readers: ReadonlySet<unknown>
  }
  return { uses: state.tenure?.uses.size ?? 0, waiting: state.waiting.size, readers: state.readers.size }
}
const nothing = { uses: 0, waiting: 0, readers: 0 }

describe("use", () => {
  scenario("runs an effect with the service of the incarnation that is alive", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      assert.strictEqual(yield* useNow, 1)
      yield* crash(app)
      assert.strictEqual(yield* useNow, 2)
    }))

  scenario(
    "passes on what the effect fails or dies with, and its interruption of itself",
    () =>
      Effect.gen(function*() {
        yield* supervise(new Connections().child())
        assert.strictEqual(yield* outcome(DbRef.use(() => Effect.fail("no such table"))), "no such table")
        assert.strictEqual(yield* outcome(DbRef.use(() => Effect.die("bug"))), "died: bug")
        assert.strictEqual(yield* outcome(DbRef.use(() => Effect.interrupt)), "interrupted")
      })
  )

  scenario("makes a defect of what its function throws, and keeps nothing", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const thrown = DbRef.use((): Effect.Effect<number> => {
        throw new TypeError("not a query")
      })
      assert.strictEqual(yield* outcome(thrown), "died: TypeError: not a query")
      assert.deepStrictEqual(remembered(yield* DbRef), nothing)
      assert.strictEqual(yield* useNow, 1)
    }))

  scenario(
    "interrupts the effect when the incarnation ends, and fails with ChildDown, which names it",
    () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child())
        let interrupted = false
        const using = yield* begin(DbRef.use(() =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted = true
            }))
        ))
        assert.strictEqual(yield* using.told, "pending")
        yield* crash(app)
        assert.isTrue(interrupted)
        assert.deepStrictEqual(
          yield* Effect.flip(Fiber.join(using.fiber)),
          new SupervisorError.ChildDown({ ref: DbRef.key, path: "app/db", incarnation: 1 })
        )
      })
  )

  scenario("awaits the finalizers of an effect that it interrupts", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      const go = yield* Deferred.make<void>()
      const using = yield* begin(DbRef.use(() => Effect.onInterrupt(Effect.never, () => Deferred.await(go))))
      yield* crash(app)
      assert.strictEqual(yield* useNow, 2)
      assert.strictEqual(yield* using.told, "pending")
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* using.told, "app/db 1 is down")
    }))

  for (const [how, end] of [["succeeds", Effect.succeed("stored")], ["fails", Effect.fail("not stored")]] as const) {
    scenario(
      `is ChildDown when the effect outlives the incarnation, even if it then ${how}`,
      () =>
        Effect.gen(function*() {
          const app = yield* supervise(new Connections().child())
          const go = yield* Deferred.make<void>()
          const using = yield* begin(DbRef.use(() => Effect.uninterruptible(Effect.andThen(Deferred.await(go), end))))
          yield* crash(app)
          assert.strictEqual(yield* using.told, "pending")
          yield* Deferred.succeed(go, undefined)
          assert.strictEqual(yield* using.told, "app/db 1 is down")
        })
    )
  }

  scenario("does not hide that a finalizer died while the incarnation ended", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      const using = yield* begin(
        DbRef.use(() => Effect.onInterrupt(Effect.never, () => Effect.die("cannot roll back")))
      )
      yield* crash(app)
      assert.strictEqual(yield* using.told, "died: cannot roll back")
    }))

  scenario("ends the fibers that the effect has forked when it ends", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const forked = yield* DbRef.use(() => Effect.forkChild(Effect.never))
      assert.strictEqual(told(forked.pollUnsafe()), "interrupted")
    }))

  scenario("leaves the scope to the caller", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const closed: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        yield* DbRef.use(() => Effect.addFinalizer(() => Effect.sync(() => closed.push("cursor"))))
        assert.deepStrictEqual(closed, [])
      }))
      assert.deepStrictEqual(closed, ["cursor"])
    }))

  scenario("needs the ref, and says so where there is none", () =>
    Effect.gen(function*() {
      const nowhere = Effect.updateContext(
        DbRef.use(number),
        (context: Context.Context<DbRef>) => Context.omit(DbRef)(context) as Context.Context<DbRef>
      )
      assert.match(
        String(yield* outcome(nowhere)),
        /died: Error: Service not found: coppice\/test\/ChildRef.test\/DbRef/
      )
    }))
})

describe("provide", () => {
  scenario("runs an effect that needs the service, as use does", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      assert.strictEqual(yield* DbRef.provide(Effect.map(Db, ({ number }) => number)), 1)
      const using = yield* begin(DbRef.provide(Effect.andThen(Db, Effect.never)))
      yield* crash(app)
      assert.strictEqual(yield* using.told, "app/db 1 is down")
      assert.strictEqual(yield* DbRef.provide(Effect.map(Db, ({ number }) => number), { patience: 0 }), 2)
    }))

  scenario(
    "gives the service of the incarnation, whatever the caller has under the same tag",
    () =>
      Effect.gen(function*() {
        yield* supervise(new Connections().child())
        const own = { number: 99, open: true }
        const effect = DbRef.provide(Effect.map(Db, ({ number }) => number))
        assert.strictEqual(yield* Effect.provideService(effect, Db, own), 1)
      })
  )
})

describe("a use while no incarnation is alive", () => {
  scenario("waits before any supervisor is there", () =>
    Effect.gen(function*() {
      const using = yield* begin(DbRef.use(number))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* using.told, "pending")
      yield* supervise(new Connections().child())
      assert.strictEqual(yield* using.told, 1)
    }))

  scenario("waits while the child starts", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const app = yield* Effect.forkChild(supervise(new Connections().child({ 1: Deferred.await(go) })))
      const using = yield* begin(DbRef.use(number))
      assert.strictEqual(yield* using.told, "pending")
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* using.told, 1)
      yield* Fiber.join(app)
    }))

  scenario("waits while the child restarts, and while its restarts fail", () =>
    Effect.gen(function*() {
      const app = yield* supervise(
        new Connections().child({
          2: Effect.andThen(Effect.sleep("1 second"), Effect.fail("not yet")),
          3: Effect.andThen(Effect.sleep("1 second"), Effect.fail("not yet")),
          4: Effect.sleep("1 second")
        })
      )
      yield* crash(app)
      const using = yield* begin(DbRef.use(number))
      yield* TestClock.adjust("2999 millis")
      assert.strictEqual(yield* using.told, "pending")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* using.told, 4)
    }))

  scenario("waits 5 seconds, then fails with ChildUnavailable, and has run nothing", () =>
    Effect.gen(function*() {
      let ran = false
      const using = yield* begin(DbRef.use(() =>
        Effect.sync(() => {
          ran = true
        })
      ))
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* using.told, "pending")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* using.told, "unavailable: not-back-in-time")
      assert.isFalse(ran)
      assert.deepStrictEqual(
        yield* Effect.flip(Fiber.join(using.fiber)),
        new SupervisorError.ChildUnavailable({ ref: DbRef.key, reason: "not-back-in-time", patienceMillis: 5000 })
      )
    }))

  scenario("waits as long as the class says, or the use", () =>
    Effect.gen(function*() {
      class Hasty extends ChildRef.Service<Hasty>()("coppice/test/ChildRef.test/Hasty", Db, { patience: "1 second" }) {}
      const ref = Context.get(yield* Layer.build(Hasty.layer), Hasty)
      const uses = [
        yield* begin(ref.use(number)),
        yield* begin(ref.use(number, { patience: "2 seconds" })),
        yield* begin(ref.provide(Db, { patience: "3 seconds" }))
      ]
      for (const ended of [1, 2, 3]) {
        yield* TestClock.adjust("1 second")
        for (const [i, using] of uses.entries()) {
          assert.strictEqual(yield* using.told, i < ended ? "unavailable: not-back-in-time" : "pending")
        }
      }
    }))

  scenario("fails at once with a patience of 0", () =>
    Effect.gen(function*() {
      const atOnce = DbRef.use(number, { patience: 0 })
      assert.strictEqual(yield* outcome(atOnce), "unavailable: not-back-in-time")
      const clock = yield* Clock.Clock
      const standing = Effect.provideService(atOnce, Clock.Clock, { ...clock, sleep: () => Effect.never })
      assert.strictEqual(yield* outcome(standing), "unavailable: not-back-in-time")
      yield* supervise(new Connections().child())
      assert.strictEqual(yield* outcome(DbRef.use(number, { patience: 0 })), 1)
    }))

  scenario("waits for ever with an infinite patience, without a timer", (world) =>
    Effect.gen(function*() {
      const using = yield* begin(DbRef.use(number, { patience: "Infinity" }))
      assert.strictEqual(world.timers, 0)
      yield* TestClock.adjust("36500 days")
      assert.strictEqual(yield* using.told, "pending")
      yield* supervise(new Connections().child())
      assert.strictEqual(yield* using.told, 1)
    }))

  scenario(
    "sees only incarnations that live: one that comes and goes before its turn begins no new patience",
    () =>
      Effect.gen(function*() {
        const app = yield* supervise(
          new Connections().child({ 2: Effect.sleep("2 seconds"), 3: Effect.sleep("2 seconds"), 4: Effect.never })
        )
        yield* crash(app)
        // The first in the queue ends the incarnation at once, the second the next one.
        const end = DbRef.use(() => app.exitChild("db", ExitReason.failure("crash")))
        const enders = [yield* begin(end), yield* begin(end)]
        const seen: Array<number> = []
        const last = yield* begin(DbRef.use((db) =>
          Effect.sync(() => {
            seen.push(db.number)
          })
        ))
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(yield* last.told, "pending")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* last.told, "unavailable: not-back-in-time")
        assert.deepStrictEqual(seen, [])
        assert.strictEqual(yield* enders[0]!.told, "app/db 2 is down")
        assert.strictEqual(yield* enders[1]!.told, "app/db 3 is down")
      })
  )

  scenario("leaves no waiter and no timer behind when its caller is interrupted", (world) =>
    Effect.gen(function*() {
      const using = yield* begin(DbRef.use(number))
      assert.deepStrictEqual(remembered(yield* DbRef), { ...nothing, waiting: 1 })
      assert.strictEqual(world.timers, 1)
      yield* using.interrupt
      assert.strictEqual(yield* using.told, "interrupted")
      assert.deepStrictEqual(remembered(yield* DbRef), nothing)
      assert.strictEqual(world.timers, 0)
    }))

  scenario("leaves no waiter and no timer behind however it ends", (world) =>
    Effect.gen(function*() {
      yield* begin(DbRef.use(number, { patience: "1 second" }))
      yield* begin(DbRef.use(number))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(remembered(yield* DbRef), { ...nothing, waiting: 1 })
      assert.strictEqual(world.timers, 1)
      yield* supervise(new Connections().child())
      assert.deepStrictEqual(remembered(yield* DbRef), nothing)
      assert.strictEqual(world.timers, 0)
    }))

  scenario("ends when its patience does where its caller cannot be interrupted", (world) =>
    Effect.gen(function*() {
      const using = yield* begin(Effect.uninterruptible(DbRef.use(number)))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* using.told, "unavailable: not-back-in-time")
      assert.strictEqual(world.timers, 0)
    }))
})

/** A ref that nothing fills any more, now and for whoever has been waiting. */
const isDown = Effect.gen(function*() {
  assert.strictEqual(yield* useNow, "unavailable: down")
  assert.deepStrictEqual(remembered(yield* DbRef), nothing)
})

const isAwaited = Effect.gen(function*() {
  const using = yield* begin(DbRef.use(number))
  assert.strictEqual(yield* using.told, "pending")
  yield* using.interrupt
  yield* VirtualTime.settle
})

describe("a child is down for good, and a use fails at once, when", () => {
  scenario(
    "it has been terminated; restartChild makes it available again, deleteChild does not",
    () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child())
        yield* app.terminateChild("db")
        yield* isDown
        yield* app.restartChild("db")
        assert.strictEqual(yield* useNow, 2)
        yield* app.terminateChild("db")
        yield* app.deleteChild("db")
        yield* isDown
        yield* app.startChild(new Connections().child())
        assert.strictEqual(yield* useNow, 1)
      })
  )

  scenario(
    "it is terminated: whoever uses it gets ChildDown, and whoever waits for its restart is told",
    () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child({ 2: Effect.sleep("1 second") }))
        const using = yield* begin(DbRef.use(() => Effect.never))
        yield* crash(app)
        assert.strictEqual(yield* using.told, "app/db 1 is down")
        yield* Effect.forkChild(app.terminateChild("db"))
        // The start in progress comes first.
        const waiting = yield* begin(DbRef.use(() => Effect.never))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* waiting.told, "app/db 2 is down")
        yield* isDown
      })
  )

  scenario("it is transient and has left cleanly", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child({}, { restart: "transient" }))
      yield* crash(app)
      assert.strictEqual(yield* useNow, 2)
      yield* app.exitChild("db", ExitReason.shutdown())
      yield* isDown
    }))

  scenario("it is temporary and has left", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child({}, { restart: "temporary" }))
      yield* crash(app)
      yield* isDown
    }))

  scenario("it is temporary, and a group restart has forgotten it", () =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        children: [Child.effect("other", Effect.never), new Connections().child({}, { restart: "temporary" })]
      })
      yield* crash(app, "other")
      yield* isDown
    }))

  scenario("its restart has answered ignore", () =>
    Effect.gen(function*() {
      const app = yield* supervise(
        new Connections().child({ 2: Effect.andThen(Effect.sleep("1 second"), Child.ignore) })
      )
      yield* crash(app)
      const waiting = yield* begin(DbRef.use(number))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* waiting.told, "unavailable: down")
      yield* isDown
    }))

  scenario("restartChild has failed", () =>
    Effect.gen(function*() {
      const slowly = Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))
      const app = yield* supervise(new Connections().child({ 2: slowly }))
      yield* app.terminateChild("db")
      yield* Effect.forkChild(Effect.ignore(app.restartChild("db")))
      const waiting = yield* begin(DbRef.use(number))
      assert.strictEqual(yield* waiting.told, "pending")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* waiting.told, "unavailable: down")
      yield* isDown
    }))

  scenario("startChild has failed", () =>
    Effect.gen(function*() {
      const app = yield* supervise()
      yield* Effect.ignore(app.startChild(new Connections().child({ 1: Effect.fail("no") })))
      yield* isDown
    }))

  for (
    const [how, end] of [
      ["the failed child of its group, whose retry would have started it, was terminated", "terminateChild"],
      ["it has been deleted while the failed child of its group is tried again", "deleteChild"]
    ] as const
  ) {
    scenario(how, () =>
      Effect.gen(function*() {
        let attempts = 0
        const failing = Layer.effect(
          Cache,
          Effect.suspend(() =>
            ++attempts === 1
              ? Effect.succeed({ name: "cache" })
              : Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))
          )
        )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [Child.layer("cache", failing), new Connections().child()]
        })
        yield* crash(app, "cache")
        yield* isAwaited
        yield* Effect.forkChild(end === "terminateChild" ? app.terminateChild("cache") : app.deleteChild("db"))
        yield* TestClock.adjust("1 second")
        yield* isDown
      }))
  }

  scenario("its root has been stopped", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(supervise(new Connections().child()))
      yield* isDown
    }))

  scenario("its root has given up", () =>
    Effect.gen(function*() {
      const slowly = Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 1,
        children: [new Connections().child({ 2: slowly })]
      })
      yield* crash(app)
      const waiting = yield* begin(DbRef.use(number))
      assert.strictEqual(yield* waiting.told, "pending")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* waiting.told, "unavailable: down")
      yield* isDown
    }))

  scenario("its root has shut itself down", () =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        autoShutdown: "any-significant",
        children: [new Connections().child({}, { restart: "temporary", significant: true })]
      })
      yield* crash(app)
      yield* isDown
    }))

  scenario("its root could not start", () =>
    Effect.gen(function*() {
      const waiting = yield* begin(DbRef.use(number))
      yield* Effect.ignore(supervise(new Connections().child({ 1: Effect.fail("no") })))
      assert.strictEqual(yield* waiting.told, "unavailable: down")
      yield* isDown
    }))

  scenario(
    "its root is stopping, and it has been stopped: a finalizer of a sibling does not wait for it",
    () =>
      Effect.gen(function*() {
        let last: unknown
        const user = Child.effect(
          "user",
          Effect.onInterrupt(Effect.never, () =>
            Effect.map(Effect.exit(DbRef.use(number)), (exit) => {
              last = told(exit)
            }))
        )
        yield* Effect.scoped(supervise(user, new Connections().child()))
        assert.strictEqual(last, "unavailable: down")
        assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      })
  )

  for (
    const [how, options, end] of [
      ["has been terminated", {}, (app: Supervisor.Supervisor) => app.terminateChild("storage")],
      ["is transient and gave up", { restart: "transient" }, () => Effect.void],
      ["is temporary and gave up", { restart: "temporary" }, () => Effect.void]
    ] as const
  ) {
    scenario(`the supervisor it lives in ${how}`, () =>
      Effect.gen(function*() {
        const slowly = Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))
        const storage = Supervisor.layer("storage", {
          strategy: "one-for-one",
          intensity: 0,
          children: [new Connections().child({ 2: slowly })]
        })
        // Two levels: what is handed up is handed up again.
        const middle = Supervisor.layer("middle", {
          strategy: "one-for-one",
          intensity: 0,
          children: [Child.supervisor("inner", storage)]
        })
        const app = yield* supervise(Child.supervisor("storage", middle, options))
        const tree = yield* app.whichChildren
        const inner = (yield* tree[0]!.supervisors[0]!.whichChildren)[0]!.supervisors[0]!
        const using = yield* begin(DbRef.use(() => Effect.never))
        yield* crash(inner)
        assert.strictEqual(yield* using.told, "app/storage/inner/db 1 is down")
        yield* Effect.forkChild(end(app))
        // Which waits for the start in progress.
        yield* TestClock.adjust("1 second")
        yield* isDown
      }))
  }

  scenario("its root has given up over the supervisor it lived in", () =>
    Effect.gen(function*() {
      const storage = Supervisor.layer("storage", {
        strategy: "one-for-one",
        intensity: 0,
        children: [new Connections().child()]
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.supervisor("storage", storage)]
      })
      const inner = (yield* app.whichChildren)[0]!.supervisors[0]!
      yield* begin(DbRef.use(() => Effect.never))
      yield* crash(inner)
      yield* isDown
    }))

  scenario("the supervisor above the one it lives in has ended, and is not restarted", () =>
    Effect.gen(function*() {
      const inner = Supervisor.layer("inner", { strategy: "one-for-one", children: [new Connections().child()] })
      const middle = Supervisor.layer("middle", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.supervisor("inner", inner), Child.effect("other", Effect.never)]
      })
      const app = yield* supervise(Child.supervisor("middle", middle, { restart: "transient" }))
      yield* crash((yield* app.whichChildren)[0]!.supervisors[0]!, "other")
      yield* isDown
    }))

  scenario("the supervisor it lives in was abandoned, and has ended at last", () =>
    Effect.gen(function*() {
      const start = Effect.uninterruptible(Effect.sleep("20 seconds"))
      const storage = Supervisor.layer("storage", {
        strategy: "one-for-one",
        children: [new Connections().child({ 2: start })]
      })
      const app = yield* supervise(Child.supervisor("storage", storage, { shutdown: "1 second" }))
      yield* crash((yield* app.whichChildren)[0]!.supervisors[0]!)
      yield* Effect.forkChild(app.terminateChild("storage"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* app.whichChildren).map(({ state }) => state), ["stopped"])
      yield* TestClock.adjust("10 seconds")
      yield* isDown
    }))

  scenario("the layer of the ref has been released", () =>
    Effect.gen(function*() {
      const ref = yield* Effect.scoped(Effect.gen(function*() {
        const ref = Context.get(yield* Layer.build(Layer.fresh(DbRef.layer)), DbRef)
        return { ref, waiting: yield* begin(ref.use(number)) }
      }))
      assert.strictEqual(yield* ref.waiting.told, "unavailable: down")
      assert.strictEqual(yield* outcome(ref.ref.use(number)), "unavailable: down")
    }))

  scenario("it is terminated, though another had the ref when it began to start", () =>
    Effect.gen(function*() {
      const before = yield* supervise(new Connections().child({}, { backoff: Backoff.fixed("1 hour") }))
      const starting = yield* begin(supervise(new Connections().child({ 1: Effect.sleep("1 second") })))
      yield* crash(before)
      yield* TestClock.adjust("1 second")
      const app = yield* Fiber.join(starting.fiber)
      assert.strictEqual(yield* useNow, 1)
      yield* app.terminateChild("db")
      yield* isDown
    }))
})

describe("a child is not down for good when", () => {
  scenario("its supervisor gave up and is restarted", () =>
    Effect.gen(function*() {
      const connections = new Connections()
      const storage = Supervisor.layer("storage", {
        strategy: "one-for-one",
        intensity: 0,
        children: [connections.child({ 2: Effect.sleep("1 second") })]
      })
      const app = yield* supervise(Child.supervisor("storage", storage))
      const inner = (yield* app.whichChildren)[0]!.supervisors[0]!
      yield* crash(inner)
      const waiting = yield* begin(DbRef.use(number))
      assert.strictEqual(yield* waiting.told, "pending")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* waiting.told, 2)
    }))

  scenario("its supervisor gave up, and nobody yet knows what its parent does", () =>
    Effect.gen(function*() {
      const storage = Supervisor.layer("storage", {
        strategy: "one-for-one",
        intensity: 0,
        children: [new Connections().child({ 2: Effect.fail("no"), 3: Effect.fail("no"), 4: Effect.sleep("1 second") })]
      })
      const app = yield* supervise(Child.supervisor("storage", storage))
      const waiting = yield* begin(Effect.flip(DbRef.use(() => Effect.never)).pipe(Effect.andThen(DbRef.use(number))))
      yield* crash((yield* app.whichChildren)[0]!.supervisors[0]!)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* waiting.told, 4)
    }))

  scenario("it is terminated in a supervisor that has been replaced since", () =>
    Effect.gen(function*() {
      const storage = Supervisor.layer("storage", {
        strategy: "one-for-one",
        children: [new Connections().child()]
      })
      const app = yield* supervise(
        Child.supervisor("first", storage, { restart: "temporary" }),
        Child.effect("other", Effect.never)
      )
      yield* app.terminateChild("first")
      yield* isDown
      yield* app.startChild(Child.supervisor("second", Layer.fresh(storage)))
      yield* crash(app, "other")
      assert.strictEqual(yield* useNow, 2)
    }))

  scenario("it starts again after all", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child({ 2: Effect.sleep("1 second") }))
      yield* app.terminateChild("db")
      yield* Effect.forkChild(app.restartChild("db"))
      const waiting = yield* begin(DbRef.use(number))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* waiting.told, 2)
    }))

  scenario("a child that would have filled its ref too is down", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const app = yield* supervise(
        Child.layer("db", new Connections().layer({}, Deferred.await(go)), { ref: DbRef })
      )
      const failed = yield* Effect.flip(app.startChild(Child.layer("db2", new Connections().layer(), { ref: DbRef })))
      assert.match(failed.message, /is filled by another child, which is alive/)
      assert.strictEqual(yield* useNow, 1)
      yield* crash(app)
      yield* isAwaited
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* useNow, 2)
    }))
})

describe("the end of an incarnation", () => {
  scenario("may be brought about by the use itself, which goes no further: exitChild", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      let further = false
      const using = yield* begin(DbRef.use(() =>
        Effect.andThen(
          app.exitChild("db", ExitReason.killed),
          Effect.sync(() => {
            further = true
          })
        )
      ))
      assert.strictEqual(yield* using.told, "app/db 1 is down")
      assert.isFalse(further)
      assert.strictEqual(yield* useNow, 2)
    }))

  scenario(
    "may be brought about by the use itself, which is no deadlock: terminateChild",
    () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child())
        assert.strictEqual(yield* outcome(DbRef.use(() => app.terminateChild("db"))), "app/db 1 is down")
        yield* isDown
        yield* app.restartChild("db")
        const stubborn = DbRef.use(() => Effect.uninterruptible(app.terminateChild("db")))
        assert.strictEqual(yield* outcome(stubborn), "app/db 2 is down")
      })
  )

  scenario(
    "interrupts its users before its resources are released, and waits for none of them",
    () =>
      Effect.gen(function*() {
        const trace: Array<string> = []
        const layer = new Connections().layer({}, Effect.sync(() => trace.push("released")))
        const app = yield* supervise(Child.layer("db", layer, { ref: DbRef }))
        const clean = DbRef.use((db) =>
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => trace.push(`rolled back: ${db.open}`)))
        )
        const go = yield* Deferred.make<void>()
        const slow = DbRef.use(() => Effect.onInterrupt(Effect.never, () => Deferred.await(go)))
        const using = [yield* begin(clean), yield* begin(slow), yield* begin(clean)]
        yield* answer(app.terminateChild("db"))
        assert.deepStrictEqual(trace, ["rolled back: true", "rolled back: true", "released"])
        assert.strictEqual(yield* using[1]!.told, "pending")
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual(yield* using[1]!.told, "app/db 1 is down")
      })
  )

  scenario("does not wait for a user that cannot be interrupted, when all is stopped", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const using = yield* Effect.scoped(Effect.gen(function*() {
        yield* supervise(new Connections().child())
        return yield* begin(DbRef.use(() => Effect.uninterruptible(Deferred.await(go))))
      }))
      assert.strictEqual(yield* using.told, "pending")
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* using.told, "app/db 1 is down")
    }))

  scenario(
    "reaches every user, and the supervisor lives, though observers of users' fibers throw",
    (world) =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child(), world.kit.child("other"))
        const throwing = Effect.withFiber((fiber) => {
          fiber.addObserver(() => {
            throw new Error("an observer threw")
          })
          return Effect.never
        })
        const uses = [
          yield* begin(DbRef.use(() => throwing)),
          yield* begin(DbRef.use(() => Effect.never)),
          yield* begin(DbRef.use(() => throwing))
        ]
        yield* crash(app)
        for (const using of uses) assert.strictEqual(yield* using.told, "app/db 1 is down")
        assert.deepStrictEqual(world.takeMessages("Error"), [
          "an observer of a fiber threw",
          "db: child terminated"
        ])
        assert.strictEqual(yield* useNow, 2)
        yield* world.kit.crash("other")
        assert.strictEqual(world.kit.attempts("other"), 2)
      })
  )

  scenario("of one that is abandoned is its end: nobody uses it while it goes on", () =>
    Effect.gen(function*() {
      const layer = new Connections().layer({}, Effect.sleep("1 day"))
      const app = yield* supervise(Child.layer("db", layer, { ref: DbRef, shutdown: "1 second" }))
      const using = yield* begin(DbRef.use(() => Effect.never))
      yield* crash(app)
      assert.strictEqual(yield* using.told, "app/db 1 is down")
      yield* isAwaited
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* useNow, 2)
    }))
})

describe("interrupting a caller", () => {
  scenario("interrupts its effect, and awaits it", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const go = yield* Deferred.make<void>()
      const using = yield* begin(DbRef.use(() => Effect.onInterrupt(Effect.never, () => Deferred.await(go))))
      assert.deepStrictEqual(remembered(yield* DbRef), { ...nothing, uses: 1 })
      yield* using.interrupt
      assert.strictEqual(yield* using.told, "pending")
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* using.told, "interrupted")
      assert.deepStrictEqual(remembered(yield* DbRef), nothing)
    }))

  scenario("tells its effect who interrupts", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      let by: ReadonlyArray<number> = []
      const using = yield* begin(DbRef.use(() =>
        Effect.onExit(Effect.never, (exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) by = Array.from(Cause.interruptors(exit.cause))
          }))
      ))
      yield* using.interrupt
      yield* VirtualTime.settle
      assert.deepStrictEqual(by, [using.fiber.id])
    }))

  scenario("awaits its effect also when an observer of it throws", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const go = yield* Deferred.make<void>()
      const using = yield* begin(DbRef.use(() =>
        Effect.withFiber((fiber) => {
          fiber.addObserver(() => {
            throw new Error("an observer threw")
          })
          return Effect.onInterrupt(Effect.never, () => Deferred.await(go))
        })
      ))
      yield* using.interrupt
      assert.strictEqual(yield* using.told, "pending")
      // It throws into whoever lets the effect end.
      assert.strictEqual(yield* outcome(Deferred.succeed(go, undefined)), "died: Error: an observer threw")
      assert.strictEqual(yield* using.told, "interrupted")
    }))

  scenario("does not hide that a finalizer of the effect died", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const using = yield* begin(
        DbRef.use(() => Effect.onInterrupt(Effect.never, () => Effect.die("cannot roll back")))
      )
      yield* using.interrupt
      yield* VirtualTime.settle
      const exit = yield* Fiber.await(using.fiber)
      const defects = Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason) : []
      assert.deepStrictEqual(defects.map(({ defect }) => defect), ["cannot roll back"])
    }))

  scenario(
    "that is uninterruptible leaves its effect alone, which the end of the incarnation interrupts all the same",
    () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child())
        const using = yield* begin(Effect.uninterruptible(Effect.exit(DbRef.use(() => Effect.never))))
        yield* using.interrupt
        assert.strictEqual(yield* using.told, "pending")
        yield* crash(app)
        assert.notStrictEqual(yield* using.told, "pending")
      })
  )

  for (
    const [what, most] of [["every operation", 3], ["the first operation of every fiber", Infinity]] as const
  ) {
    scenario(`is heard by its effect wherever it is, while a scheduler puts off ${what}`, () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child())
        const scheduler = yield* Scheduler.Scheduler
        const known = new WeakSet<object>()
        const isNew = (fiber: object) => !known.has(fiber) && known.add(fiber) === known
        const hesitant: Scheduler.Scheduler = {
          executionMode: scheduler.executionMode,
          shouldYield: (fiber) => isNew(fiber) || fiber.currentOpCount >= most,
          makeDispatcher: () => scheduler.makeDispatcher()
        }
        let running = 0
        const effect = DbRef.use(() =>
          Effect.acquireUseRelease(
            Effect.sync(() => running++),
            () => Effect.never,
            () => Effect.sync(() => running--)
          )
        )
        // By a fiber that has its turn before the others.
        for (let operations = 0; operations < 40; operations++) {
          let using: Fiber.Fiber<unknown, unknown> | undefined
          const interrupter = yield* Effect.forkChild(Effect.gen(function*() {
            for (let i = 0; i < operations; i++) yield* Effect.yieldNow
            yield* Fiber.interrupt(using!)
          }))
          using = yield* Effect.forkChild(Effect.provideService(effect, Scheduler.Scheduler, hesitant))
          yield* VirtualTime.settle
          assert.isDefined(interrupter.pollUnsafe(), `interrupted after ${operations} operations`)
          assert.strictEqual(running, 0, `interrupted after ${operations} operations`)
        }
        const using = yield* begin(Effect.provideService(effect, Scheduler.Scheduler, hesitant))
        assert.strictEqual(running, 1)
        yield* crash(app)
        assert.strictEqual(yield* using.told, "app/db 1 is down")
        assert.deepStrictEqual(remembered(yield* DbRef), nothing)
      }))
  }
})

const cacheChild = Child.layer("cache", Layer.sync(Cache, () => ({ name: "cache" })), { ref: CacheRef })

describe("refs together", () => {
  for (const [id, path] of [["db", "app/db 1 is down"], ["cache", "app/cache 1 is down"]] as const) {
    scenario(`nest: the end of ${id} ends the use of both`, () =>
      Effect.gen(function*() {
        const app = yield* supervise(new Connections().child(), cacheChild)
        const using = yield* begin(DbRef.use(() => CacheRef.use(() => Effect.never)))
        yield* crash(app, id)
        assert.strictEqual(yield* using.told, path)
        assert.deepStrictEqual(remembered(yield* DbRef), nothing)
        assert.deepStrictEqual(remembered(yield* CacheRef), nothing)
      }))
  }

  scenario("the same ref nests in itself", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      const nested = DbRef.use((outer) => DbRef.use((inner) => Effect.succeed([outer.number, inner.number])))
      assert.deepStrictEqual(yield* nested, [1, 1])
      const using = yield* begin(DbRef.use(() => DbRef.use(() => Effect.never)))
      yield* crash(app)
      assert.strictEqual(yield* using.told, "app/db 1 is down")
    }))

  scenario("one class provided twice is two refs", () =>
    Effect.gen(function*() {
      const dbs = (name: string, connections: Connections) =>
        Effect.gen(function*() {
          const refs = yield* Layer.build(Layer.fresh(DbRef.layer))
          const app: Supervisor.Supervisor = yield* Effect.provideContext(
            Supervisor.make(name, { strategy: "one-for-one", children: [connections.child()] }),
            refs
          )
          return { app, ref: Context.get(refs, DbRef) }
        })
      const left = yield* dbs("left", new Connections())
      const right = yield* dbs("right", new Connections())
      yield* crash(left.app)
      yield* left.app.terminateChild("db")
      assert.strictEqual(yield* outcome(left.ref.use(number)), "unavailable: down")
      assert.strictEqual(yield* outcome(right.ref.use(number)), 1)
    }))
})

describe("a ref is filled by", () => {
  scenario("a child that startChild has added, with the ref that its caller has", () =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      yield* app.startChild(new Connections().child())
      assert.strictEqual(yield* useNow, 1)
      yield* crash(app)
      assert.strictEqual(yield* useNow, 2)
    }))

  scenario("a supervisor in a supervisor, whose operations one calls through it", () =>
    Effect.gen(function*() {
      class Storage extends Supervisor.Service<Storage>()("coppice/test/ChildRef.test/Storage", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.effect("a", Effect.never)]
      }) {}
      class StorageRef extends ChildRef.Service<StorageRef>()("coppice/test/ChildRef.test/StorageRef", Storage) {}
      const context = yield* Layer.build(StorageRef.layer)
      const app: Supervisor.Supervisor = yield* Effect.provideContext(
        Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("storage", Storage, { ref: StorageRef })]
        }),
        context
      )
      const ref = Context.get(context, StorageRef)
      const counted = ref.use((storage) => Effect.map(storage.countChildren, ({ active }) => active))
      assert.strictEqual(yield* outcome(counted), 1)
      yield* outcome(ref.use((storage) => storage.exitChild("a", ExitReason.killed)))
      const paths = ref.use((storage) => Effect.map(app.whichChildren, ([child]) => [storage.path, child!.incarnation]))
      assert.deepStrictEqual(yield* outcome(paths), ["app/storage", 2])
      // Which has ended it from inside.
      const given = ref.use((storage) => Effect.andThen(storage.exitChild("a", ExitReason.killed), Effect.never))
      assert.strictEqual(yield* outcome(given), "app/storage 2 is down")
    }))

  scenario("one child at a time, not always the same", () =>
    Effect.gen(function*() {
      const connections = new Connections()
      const app = yield* supervise(connections.child())
      yield* app.terminateChild("db")
      yield* app.startChild(Child.layer("replica", connections.layer(), { ref: DbRef }))
      assert.strictEqual(yield* useNow, 2)
      const failed = yield* Effect.flip(app.restartChild("db"))
      assert.match(failed.message, /filled by another child, which is alive/)
      yield* crash(app, "replica")
      assert.strictEqual(yield* useNow, 4)
    }))

  scenario("not two live children: the second does not start", () =>
    Effect.gen(function*() {
      const failed = yield* Effect.flip(
        supervise(new Connections().child(), Child.layer("replica", new Connections().layer(), { ref: DbRef }))
      )
      assert.match(failed.message, /app\/replica could not start: .*is filled by another child, which is alive/)
    }))

  scenario("no child where it is a fake: its child does not start, and is told why", () =>
    Effect.gen(function*() {
      const fake = yield* Layer.build(DbRef.layerOf({ number: 0, open: true }))
      const failed = yield* Effect.flip(Effect.provideContext(supervise(new Connections().child()), fake))
      assert.match(failed.message, /is one made with layerOf, which no child fills/)
    }))
})

describe("a ref is used by", () => {
  scenario("a sibling under one-for-one, which is not restarted with it", (world) =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const asks = yield* Queue.unbounded<void>()
      const user = Child.effect(
        "user",
        Effect.forever(Effect.andThen(
          Queue.take(asks),
          Effect.map(DbRef.use(number), (seenNumber) => {
            seen.push(seenNumber)
          })
        ))
      )
      const app = yield* supervise(new Connections().child(), user, world.kit.child("other"))
      for (let i = 0; i < 2; i++) {
        yield* Queue.offer(asks, undefined)
        yield* VirtualTime.settle
        yield* crash(app)
      }
      assert.deepStrictEqual(seen, [1, 2])
      assert.deepStrictEqual((yield* app.whichChildren).map(({ id, incarnation }) => `${id} ${incarnation}`), [
        "other 1",
        "user 1",
        "db 3"
      ])
    }))

  scenario("a child that is stopped: its use is interrupted with it", () =>
    Effect.gen(function*() {
      let interrupted = false
      const user = Child.effect(
        "user",
        DbRef.use(() =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted = true
            }))
        )
      )
      const app = yield* supervise(new Connections().child(), user)
      yield* app.terminateChild("user")
      assert.isTrue(interrupted)
      assert.deepStrictEqual(remembered(yield* DbRef), nothing)
    }))

  scenario("the child that fills it, once it has started", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const connections = new Connections()
      const layer = Layer.tap(connections.layer(), () =>
        Child.forkLinked(Effect.flatMap(
          Effect.exit(DbRef.use((db) => {
            seen.push(db.number)
            return Effect.never
          })),
          (exit) => Effect.sync(() => seen.push(told(exit)))
        )))
      const app = yield* supervise(Child.layer("db", layer, { ref: DbRef }))
      yield* VirtualTime.settle
      yield* crash(app)
      assert.deepStrictEqual(seen.filter((value) => typeof value === "number"), [1, 2])
    }))

  scenario(
    "the start of the child that fills it in vain: the start fails when the patience ends",
    () =>
      Effect.gen(function*() {
        const layer = Layer.tap(new Connections().layer(), () => DbRef.use(number))
        const starting = yield* begin(supervise(Child.layer("db", layer, { ref: DbRef })))
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(yield* starting.told, "pending")
        yield* TestClock.adjust("1 millis")
        const failed = yield* Effect.flip(Fiber.join(starting.fiber))
        assert.include(failed.message, "is not available: no child has filled it within 5s")
      })
  )
})

describe("changes", () => {
  const collect = Effect.fnUntraced(function*(stream: Stream.Stream<ChildRef.Alive<Connection>, never, DbRef>) {
    const seen: Array<string> = []
    const reader = yield* begin(Stream.runForEach(stream, ({ incarnation, path, service }) =>
      Effect.sync(() => {
        seen.push(`${path} ${incarnation}: connection ${service.number}`)
      })))
    return { seen, reader }
  })

  scenario("tells the incarnation that is alive first, then each that comes", () =>
    Effect.gen(function*() {
      const early = yield* collect(DbRef.changes)
      const app = yield* supervise(new Connections().child())
      yield* VirtualTime.settle
      yield* crash(app)
      const late = yield* collect(DbRef.changes)
      yield* crash(app)
      assert.deepStrictEqual(early.seen, [1, 2, 3].map((n) => `app/db ${n}: connection ${n}`))
      assert.deepStrictEqual(late.seen, [2, 3].map((n) => `app/db ${n}: connection ${n}`))
    }))

  scenario("tells nothing while none is alive", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      yield* app.terminateChild("db")
      const { reader, seen } = yield* collect(DbRef.changes)
      assert.deepStrictEqual(seen, [])
      assert.strictEqual(yield* reader.told, "pending")
    }))

  scenario("tells a slow reader the latest", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      const seen: Array<number> = []
      yield* begin(Stream.runForEach(DbRef.changes, ({ incarnation }) => {
        seen.push(incarnation)
        return Effect.sleep("1 minute")
      }))
      for (let i = 0; i < 5; i++) yield* crash(app)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen, [1, 6])
      yield* crash(app)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen, [1, 6, 7])
    }))

  scenario("goes on when the child is down for good, as it may come back", () =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      const { seen } = yield* collect(DbRef.changes)
      yield* app.terminateChild("db")
      yield* app.restartChild("db")
      yield* VirtualTime.settle
      assert.deepStrictEqual(seen, ["app/db 1: connection 1", "app/db 2: connection 2"])
    }))

  scenario("ends when the layer of the ref is released", () =>
    Effect.gen(function*() {
      const { readers, ref } = yield* Effect.scoped(Effect.gen(function*() {
        const refs = yield* Layer.build(Layer.fresh(DbRef.layer))
        const readers = [
          yield* begin(Stream.runDrain(Context.get(refs, DbRef).changes)),
          yield* begin(Effect.provideContext(Stream.runDrain(DbRef.changes), refs))
        ]
        for (const reader of readers) assert.strictEqual(yield* reader.told, "pending")
        return { readers, ref: Context.get(refs, DbRef) }
      }))
      for (const reader of readers) assert.strictEqual(yield* reader.told, undefined)
      assert.strictEqual(yield* outcome(Stream.runDrain(ref.changes)), undefined)
      assert.deepStrictEqual(remembered(ref), nothing)
    }))

  scenario("forgets a reader that has gone", () =>
    Effect.gen(function*() {
      yield* supervise(new Connections().child())
      const { reader } = yield* collect(DbRef.changes)
      assert.deepStrictEqual(remembered(yield* DbRef), { ...nothing, readers: 1 })
      yield* reader.interrupt
      yield* VirtualTime.settle
      yield* Stream.runDrain(Stream.take(DbRef.changes, 1))
      assert.deepStrictEqual(remembered(yield* DbRef), nothing)
    }))
})

describe("layerOf", () => {
  scenario("is a ref that is always filled, for as many as use it", () =>
    Effect.gen(function*() {
      const fake = yield* Layer.build(DbRef.layerOf({ number: 42, open: true }))
      const using = Effect.provideContext(DbRef.use((db) => Effect.as(Effect.sleep("1 hour"), db.number)), fake)
      const both = [yield* begin(using), yield* begin(using)]
      yield* TestClock.adjust("1 hour")
      for (const each of both) assert.strictEqual(yield* each.told, 42)
      const provided = Effect.provideContext(DbRef.provide(Effect.map(Db, (db) => db.number)), fake)
      assert.strictEqual(yield* provided, 42)
      const [alive] = yield* Stream.runCollect(
        Stream.take(Context.get(fake, DbRef).changes, 1)
      )
      assert.deepStrictEqual(
        { ...alive!, uses: undefined },
        { ...alive!, uses: undefined, path: DbRef.key, incarnation: 1, service: { number: 42, open: true } }
      )
      assert.deepStrictEqual(remembered(Context.get(fake, DbRef)), nothing)
    }))
})

describe("many uses", () => {
  scenario("leave nothing behind, whether they succeed, fail, wait or are cut off", (world) =>
    Effect.gen(function*() {
      const app = yield* supervise(new Connections().child())
      const ref = yield* DbRef
      for (let i = 0; i < 10_000; i++) {
        if (i % 4 === 0) yield* ref.use(number)
        if (i % 4 === 1) yield* Effect.ignore(ref.use(() => Effect.fail("no")))
        if (i % 4 === 2) yield* Effect.forkChild(Effect.ignore(ref.use(() => Effect.never)))
        if (i % 4 === 3) yield* Effect.forkChild(ref.use(() => Effect.yieldNow))
      }
      yield* VirtualTime.settle
      assert.deepStrictEqual(remembered(ref), { ...nothing, uses: 2500 })
      yield* app.terminateChild("db")
      yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.ignore(ref.use(number)))
      yield* Effect.forkChild(app.restartChild("db"))
      yield* VirtualTime.settle
      assert.deepStrictEqual(remembered(ref), nothing)
      assert.strictEqual(world.timers, 0)
    }))

  scenario(
    "under many restarts: each of 10 000 ends, with the value of a living incarnation or with one of the two errors",
    (world) =>
      Effect.gen(function*() {
        const uses = 10_000
        const restarts = 1000
        // What is random is the same in every run.
        let seed = 1
        const random = (below: number): number => {
          seed = (seed * 48_271) % 2_147_483_647
          return seed % below
        }
        let opened = 0
        const layer = Layer.effect(
          Db,
          Effect.acquireRelease(
            Effect.suspend(() => {
              const connection = { number: ++opened, open: true }
              const slow = opened === 1 ? 0 : random(3)
              return slow === 0 ? Effect.succeed(connection) : Effect.as(Effect.sleep(slow), connection)
            }),
            (connection) =>
              Effect.sync(() => {
                connection.open = false
              })
          )
        )
        const app = yield* supervise(Child.layer("db", layer, { ref: DbRef }))
        const ref = yield* DbRef
        const counts = { value: 0, down: 0, unavailable: 0 }
        const wrong: Array<unknown> = []
        const use = Effect.suspend(() => {
          const length = random(6)
          let during = false
          return ref.use((db) =>
            Effect.gen(function*() {
              if (!db.open) wrong.push("begun with a dead one")
              during = true
              if (length === 1) yield* Effect.yieldNow
              if (length > 1) yield* Effect.sleep(length)
              return db
            }), { patience: random(4) })
            .pipe(
              Effect.exit,
              Effect.map((exit) => {
                if (Exit.isSuccess(exit)) {
                  counts.value++
                  if (!exit.value.open) wrong.push("completed against a dead one")
                  return
                }
                const [reason] = exit.cause.reasons
                const error = reason?._tag === "Fail" ? reason.error : undefined
                if (error instanceof SupervisorError.ChildDown) counts.down++
                else if (error instanceof SupervisorError.ChildUnavailable && !during) counts.unavailable++
                else wrong.push(exit.cause)
              })
            )
        })
        for (let i = 0; i < uses; i++) yield* Effect.forkChild(Effect.andThen(Effect.sleep(random(3 * restarts)), use))
        yield* VirtualTime.settle
        yield* Effect.forkChild(Effect.gen(function*() {
          for (let i = 0; i < restarts; i++) {
            yield* Effect.sleep(3)
            yield* app.exitChild("db", ExitReason.killed)
          }
        }))
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(wrong, [])
        assert.strictEqual(counts.value + counts.down + counts.unavailable, uses)
        for (const [what, count] of Object.entries(counts)) assert.isAbove(count, 500, what)
        assert.isAbove(opened, restarts * 0.9)
        assert.deepStrictEqual(remembered(ref), nothing)
        assert.strictEqual(world.timers, 0)
      })
  )
})
