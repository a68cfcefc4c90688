import { VirtualTime } from "@coppice/testing"
/** What the run time says about the mistakes that newcomers make, word for word. */
import { assert, describe } from "@effect/vitest"
import { Child, ChildRef, SupervisionTree, Supervisor, SupervisorError } from "coppice"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { answer, collect, scenario } from "./support/world.ts"

class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("coppice/test/Messages.test/Db") {
  static readonly layer = Layer.succeed(Db, { query: Effect.succeed(1) })
}

class DbRef extends ChildRef.Service<DbRef>()("coppice/test/Messages.test/DbRef", Db) {}

/** What a program ends with: the message of its error, or of its defect. */
const message = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(program), (exit) => {
    if (Exit.isSuccess(exit)) return "no error"
    const error = Cause.squash(exit.cause)
    return error instanceof Error ? error.message : String(error)
  })

const makeOf = (children: ReadonlyArray<Child.Child<string, never, never>>) =>
  message(Supervisor.make("app", { strategy: "one-for-one", children }))

const startOf = (child: Child.Child<string, never, never>) =>
  Effect.flatMap(
    Supervisor.make("app", { strategy: "one-for-one", children: [] }),
    (app) => message(answer(app.startChild(child)))
  )

describe("what the run time says to", () => {
  scenario("an id twice in a list of unknown length", () =>
    Effect.gen(function*() {
      const children = ["a", "b", "a"].map((id) => Child.effect(id, Effect.never))
      assert.strictEqual(yield* makeOf(children), "app/a: two children have this id")
    }))

  scenario("an unknown id, where ids are plain strings", () =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const calls = [
        app.terminateChild("clok"),
        app.restartChild("clok"),
        app.deleteChild("clok"),
        app.getChildSpec("clok"),
        app.exitChild("clok", { _tag: "Killed" })
      ]
      for (const call of calls) {
        const error = yield* Effect.flip(answer(Effect.asVoid(call)))
        assert.isTrue(error instanceof SupervisorError.ChildNotFound)
        assert.strictEqual(error.message, `app has no child "clok"`)
      }
    }))

  scenario("calls that do not fit the child's state", () =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("clock", Effect.never), Child.task("migrate", Effect.void)]
      })
      assert.deepStrictEqual(
        [
          yield* message(answer(app.restartChild("clock"))),
          yield* message(answer(app.deleteChild("clock"))),
          yield* message(answer(app.startChild(Child.effect("clock", Effect.never)))),
          yield* message(answer(app.startChild(Child.effect("migrate", Effect.never))))
        ],
        [
          "app/clock is running: terminate it first",
          "app/clock is running: terminate it first",
          "app/clock is already running",
          "app/migrate is listed but not running: restart it, or delete it first"
        ]
      )
    }))

  scenario("a significant child that is permanent, or that has no effect", () =>
    Effect.gen(function*() {
      const permanent = Child.effect("leader", Effect.never, { significant: true } as {})
      const useless = Child.effect("leader", Effect.never, { restart: "transient", significant: true })
      const permanentSays = "app/leader: a permanent child cannot be significant, as it never ends for good: " +
        "make it transient or temporary"
      const uselessSays = `app/leader: a significant child has no effect under autoShutdown "never": ` +
        `choose "any-significant" or "all-significant"`
      assert.deepStrictEqual([yield* makeOf([permanent]), yield* startOf(permanent)], [permanentSays, permanentSays])
      assert.deepStrictEqual([yield* makeOf([useless]), yield* startOf(useless)], [uselessSays, uselessSays])
    }))

  scenario("a bad intensity or period", () =>
    Effect.gen(function*() {
      const options = [
        { intensity: -1 },
        { intensity: 1.5 },
        { intensity: NaN },
        { intensity: Infinity },
        { period: 0 },
        { period: "-1 second" },
        { period: NaN },
        { period: -1n }
      ] as const
      const messages: Array<string> = []
      for (const option of options) {
        messages.push(yield* message(Supervisor.make("app", { strategy: "one-for-one", children: [], ...option })))
      }
      assert.deepStrictEqual(messages, [
        "app: intensity is a whole number from zero, not -1",
        "app: intensity is a whole number from zero, not 1.5",
        "app: intensity is a whole number from zero, not NaN",
        "app: intensity is a whole number from zero, not Infinity",
        "app: period is a duration longer than zero, not 0",
        `app: period is a duration longer than zero, not "-1 second"`,
        "app: period is a duration longer than zero, not NaN",
        "app: period is a duration longer than zero, not -1"
      ])
    }))

  scenario("a bad id or shutdown time", () =>
    Effect.gen(function*() {
      const id = (id: string) => Child.effect(id, Effect.never)
      assert.deepStrictEqual([
        yield* makeOf([id("")]),
        yield* startOf(id("")),
        yield* makeOf([id("a/b")]),
        yield* startOf(id("a/b")),
        yield* makeOf([Child.effect("a", Effect.never, { shutdown: "-1 second" })])
      ], [
        "app/: an id is not empty and contains no slash",
        "app/: an id is not empty and contains no slash",
        "app/a/b: an id is not empty and contains no slash",
        "app/a/b: an id is not empty and contains no slash",
        `app/a: shutdown is a duration from zero, "Infinity" or "brutal-kill", not -1s`
      ])
    }))

  scenario("a program that is not typed", () =>
    Effect.gen(function*() {
      const untyped = (options: object) =>
        message(Supervisor.make("app", { strategy: "one-for-one", children: [], ...options }))
      assert.deepStrictEqual([
        yield* untyped({ strategy: "one_for_one" }),
        yield* untyped({ autoShutdown: "always" }),
        yield* untyped({ period: "soon" }),
        yield* untyped({ children: [Effect.never] }),
        yield* untyped({ children: [Child.effect("a", Effect.never, { restart: "always" } as {})] }),
        yield* untyped({ children: [Child.effect(7 as unknown as string, Effect.never)] })
      ], [
        `app: strategy is one of "one-for-one", "one-for-all", "rest-for-one", not "one_for_one"`,
        `app: autoShutdown is one of "never", "any-significant", "all-significant", not "always"`,
        `app: period is a duration longer than zero, not "soon"`,
        "app: children are made with Child.effect, .layer and so on",
        `app/a: restart is one of "permanent", "transient", "temporary", not "always"`,
        "app/7: an id is a string"
      ])
    }))

  scenario("Child.supervisor of a layer that builds none", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* makeOf([Child.supervisor("db", Layer.empty)]),
        "app/db could not start: it is listed with Child.supervisor, but its layer builds no supervisor, or takes one that " +
          "the surroundings or an earlier sibling have built: list that supervisor itself, or use Child.layer\napp could not start \"db\""
      )
    }))

  scenario("a child whose layer contains its own supervisor's", () =>
    Effect.gen(function*() {
      const inner: Layer.Layer<never> = Layer.suspend(() => App as Layer.Layer<never>)
      const App = Supervisor.layer("app", { strategy: "one-for-one", children: [Child.layer("loop", inner)] })
      assert.strictEqual(
        yield* message(answer(Layer.build(App))),
        "app/loop could not start: its layer contains the layer of the supervisor it is a child of\n" +
          "app could not start \"loop\""
      )
    }))

  scenario("two children that fill one ref, and a ref that nobody provides", () =>
    Effect.gen(function*() {
      const db = Child.layer("db", Db.layer, { ref: DbRef })
      const replica = Child.layer("replica", Db.layer, { ref: DbRef })
      const app = Supervisor.make("app", { strategy: "one-for-one", children: [db, replica] })
      assert.strictEqual(
        yield* message(Effect.provide(app, DbRef.layer)),
        "app/replica could not start: its ref coppice/test/Messages.test/DbRef is filled by another child, " +
          "which is alive\napp could not start \"replica\""
      )
      // Past the compiler, which asks for the ref.
      assert.strictEqual(
        yield* makeOf([db as unknown as Child.Child<string, never, never>]),
        "app/db could not start: its ref coppice/test/Messages.test/DbRef is not one made with ChildRef.Service: " +
          "provide that one's layer to the supervisor\napp could not start \"db\""
      )
    }))

  scenario("a permanent child that returns", () =>
    Effect.gen(function*() {
      const App = Supervisor.layer("app", { strategy: "one-for-one", children: [Child.effect("import", Effect.void)] })
      assert.strictEqual(
        yield* message(answer(Supervisor.launch(App))),
        "app/import returned normally\n" +
          `app gave up on "import": 4 restarts needed within 5 s, 3 allowed\n` +
          "Likely cause: app/import returned normally but is permanent; " +
          `make it "transient" if it may finish, or let it run for ever`
      )
    }))

  scenario("a child that does not start, at first and in a restart", () =>
    Effect.gen(function*() {
      const refused = Effect.fail("connection refused")
      const never = Child.make("db", refused)
      assert.strictEqual(
        yield* makeOf([never]),
        "app/db could not start: connection refused\napp could not start \"db\""
      )
      const crash = yield* Deferred.make<void>()
      const once = Effect.flatMap(
        Child.current,
        ({ incarnation }) => incarnation === 1 ? Effect.succeed(Deferred.await(crash)) : refused
      )
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.make("db", once)] })
      yield* Deferred.succeed(crash, undefined)
      assert.strictEqual(
        yield* message(answer(app.await)),
        "app/db could not start: connection refused\n" +
          `app gave up on "db": 4 restarts needed within 5 s, 3 allowed\n` +
          "Likely cause: every restart of app/db failed while it started; " +
          "what it needs is down longer than that (give it a backoff, or raise intensity and period)"
      )
    }))

  scenario(
    "a tree in a tree that cannot be kept alive: the story from the leaf to the root",
    () =>
      Effect.gen(function*() {
        const Storage = Supervisor.layer("Storage", {
          strategy: "one-for-one",
          intensity: 1,
          children: [Child.effect("db", Effect.delay(Effect.die(new Error("disk full")), "1 second"))]
        })
        const App = Supervisor.layer("app", {
          strategy: "one-for-one",
          intensity: 1,
          children: [Child.supervisor("storage", Storage)]
        })
        const launched = yield* Effect.forkChild(message(Supervisor.launch(App)))
        yield* TestClock.adjust("4 seconds")
        assert.strictEqual(
          yield* answer(Fiber.join(launched)),
          "app/storage/db panicked: disk full\n" +
            `app/storage gave up on "db": 2 restarts needed within 5 s, 1 allowed\n` +
            `app gave up on "storage": 2 restarts needed within 5 s, 1 allowed`
        )
      })
  )

  scenario("layerWith of a child that is not there, or is no layer", () =>
    Effect.sync(() => {
      class App extends Supervisor.Service<App>()("coppice/test/Messages.test/App", {
        strategy: "one-for-one",
        children: [Child.layer("db", Db.layer), Child.effect("clock", Effect.never)]
      }) {}
      const unchecked = App.layerWith as (replacements: Record<string, Layer.Layer<never>>) => unknown
      assert.throws(
        () => unchecked({ bd: Layer.empty }),
        TypeError,
        `layerWith of App: "bd" is not the id of a child built from a layer`
      )
      assert.throws(
        () => unchecked({ clock: Layer.empty }),
        TypeError,
        `layerWith of App: "clock" is not the id of a child built from a layer`
      )
    }))

  scenario("what is for the inside of a child, used outside", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual([
        yield* message(Child.current),
        yield* message(Child.exit()),
        yield* message(Child.escalate("no")),
        yield* message(Child.ignore)
      ], [
        "Child.current was called outside a child",
        "Child.exit was called outside a child",
        "Child.escalate was called outside a child",
        "Child.ignore is for the start of a Child.make or a Child.layer, and was called elsewhere"
      ])
    }))

  scenario("a call to its own supervisor from a start", () =>
    Effect.gen(function*() {
      const asks = Effect.flatMap(Child.current, ({ supervisor }) => supervisor.countChildren)
      assert.strictEqual(
        yield* makeOf([Child.make("eager", Effect.as(asks, Effect.never))]),
        "app/eager could not start: app was called from a start that it is waiting for, and could never answer: " +
          "call it when the start is over\napp could not start \"eager\""
      )
    }))

  scenario("a use of a ref whose child ends meanwhile, or is down", () =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("db", Db.layer, { ref: DbRef })]
      })
      const use = yield* Effect.forkChild(message(DbRef.use(() => Effect.never)))
      yield* VirtualTime.settle
      yield* answer(app.terminateChild("db"))
      assert.strictEqual(
        use.pollUnsafe()?.pipe(Exit.getSuccess, Option.getOrUndefined),
        "app/db ended while it was used: what was begun may have been done in part"
      )
      assert.strictEqual(
        yield* message(answer(DbRef.use((db) => db.query))),
        "coppice/test/Messages.test/DbRef is not available: the child that fills it is down, and nothing restarts it; " +
          "nothing was run"
      )
    }).pipe(Effect.provide(DbRef.layer)))

  // The mistake that Coppice cannot see: to the layer, that fiber is nobody's.
  scenario(
    "a layer whose background fiber dies: forkScoped nothing, Child.forkLinked why",
    (world) =>
      Effect.gen(function*() {
        const refresh = Effect.delay(Effect.die("the refresh loop died"), "1 second")
        const firstOnly = <R>(fork: Effect.Effect<unknown, never, R>) =>
          Layer.effectDiscard(
            Effect.flatMap(Child.current, ({ incarnation }) => incarnation === 1 ? fork : Effect.void)
          )
        const run = Effect.fnUntraced(function*(cache: Layer.Layer<never>) {
          const app = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            children: [Child.layer("cache", cache)]
          })
          const events = yield* collect(app)
          yield* TestClock.adjust("2 seconds")
          return {
            tree: SupervisionTree.toText(yield* app.tree),
            log: world.takeMessages("Error", "Warn"),
            events: (yield* events.take).map((event) => event._tag)
          }
        })
        assert.deepStrictEqual(yield* run(firstOnly(Effect.forkScoped(refresh))), {
          tree: "app  running\n└─ cache  running",
          log: [],
          events: []
        })
        assert.deepStrictEqual(yield* run(firstOnly(Child.forkLinked(refresh))), {
          tree: "app  running\n└─ cache  running, 1 restart (panicked: the refresh loop died)",
          log: ["cache: child terminated", "cache: restarting child (1 of 3 restarts)"],
          events: ["ChildExited", "ChildRestarting", "ChildStarting", "ChildStarted"]
        })
      })
  )
})
