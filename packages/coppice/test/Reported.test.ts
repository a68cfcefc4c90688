/** What users of other supervisors have reported as bugs, or asked for: each is named by where it was. */
import { assert, describe } from "@effect/vitest"
import { Child, ChildRef, ExitReason, SupervisionTree, Supervisor } from "coppice"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { ended, patient, rule, states } from "./support/kit.ts"
import { pass, settle } from "./support/quiet.ts"
import { Lever, scenario } from "./support/world.ts"

type Handle = Supervisor.Supervisor

const now = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

describe("a start", () => {
  rule(
    "Unitech/pm2#2831",
    "children start in the order of the list, each after the one before is up",
    (kit) =>
      Effect.gen(function*() {
        const children = [kit.child("a", { starts: ["hold"] }), kit.child("b", { starts: ["hold"] }), kit.child("c")]
        yield* now(Supervisor.make("app", { strategy: "one-for-one", children }))
        yield* settle
        assert.deepStrictEqual(kit.take(), ["hold a"])
        yield* kit.release("a")
        assert.deepStrictEqual(kit.take(), ["start a", "hold b"])
        yield* kit.release("b")
        assert.deepStrictEqual(kit.take(), ["start b", "start c"])
      })
  )

  rule(
    "gleam-lang/otp#73",
    "that takes too long is an error of the one who builds the tree, and nobody else's end",
    (kit) =>
      Effect.gen(function*() {
        const making = yield* now(Effect.flip(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a"), Child.make("b", Effect.never, { startTimeout: "5 seconds" })]
        })))
        yield* pass("5 seconds")
        const error = yield* Fiber.join(making)
        assert.strictEqual(error.id, "b")
        assert.strictEqual(error.reason._tag, "StartTimedOut")
        assert.deepStrictEqual(kit.take(), ["start a", "stop a"])
      })
  )

  rule(
    "just-containers/s6-overlay#566",
    "that is interrupted by a stop ends, and stops what had started",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a"), kit.child("b"), kit.child("c", { starts: ["hold"] })]
        const making = yield* now(Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope))
        yield* settle
        const interrupting = yield* now(Fiber.interrupt(making))
        yield* settle
        assert.isDefined(interrupting.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "hold c", "stop b", "stop a"])
      })
  )

  rule(
    "pathosDev/actor-ts#914",
    "that throws is a defect of that start: the child is down, what it acquired is released, and nothing remains",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
        const acquire = Effect.acquireRelease(
          Effect.sync(() => kit.note("acquire")),
          () => Effect.sync(() => kit.note("release"))
        )
        const throwing = Child.make(
          "a",
          Effect.andThen(
            acquire,
            Effect.sync(() => {
              throw new Error("constructor")
            })
          )
        )
        const error = yield* Effect.flip(app.startChild(throwing))
        assert.strictEqual(error._tag, "ChildStartFailed")
        assert.deepStrictEqual(kit.take(), ["acquire", "release"])
        assert.deepStrictEqual(yield* states(app), {})
      })
  )
})

describe("a restart", () => {
  rule(
    "erlang/otp#1287",
    "is counted by when it is made: a shutdown that takes longer than the period does not hide a crash loop",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          period: "1 second",
          children: [
            kit.child("a"),
            Child.make(
              "slow",
              Effect.as(Effect.addFinalizer(() => Effect.sleep("3 seconds")), Effect.never),
              { shutdown: "10 seconds" }
            )
          ]
        })
        for (let crash = 1; crash <= 2; crash++) {
          assert.strictEqual(yield* ended(app), "no")
          yield* kit.crash("a")
          yield* pass("3 seconds")
        }
        yield* pass("3 seconds")
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  rule(
    "elixir-lang/elixir#7369",
    "goes by the specification of the child, with what startChild was given: siblings are not drawn in",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("b")] })
        for (const argument of ["first", "second"]) {
          yield* app.startChild(
            Child.make(argument, Effect.as(Effect.sync(() => kit.note(`given ${argument}`)), Effect.never))
          )
        }
        kit.take()
        yield* app.exitChild("second", ExitReason.killed)
        yield* app.exitChild("first", ExitReason.killed)
        yield* pass("1 second")
        assert.deepStrictEqual(kit.take(), ["given second", "given first"])
        assert.deepStrictEqual(yield* states(app), { b: "running", first: "running", second: "running" })
      })
  )

  rule(
    "elixir-lang/elixir#9319, gleam-lang/erlang#45",
    "leaves the callers what they call by: their ref",
    (kit) =>
      Effect.gen(function*() {
        class Db extends Context.Service<Db, number>()("coppice/test/Reported.test/Db") {}
        class DbRef extends ChildRef.Service<DbRef>()("coppice/test/Reported.test/DbRef", Db) {}
        let made = 0
        yield* Effect.gen(function*() {
          const app: Supervisor.Supervisor<any> = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            children: [Child.layer("db", Layer.sync(Db, () => ++made), { ref: DbRef }), kit.child("b")]
          })
          const ref = yield* DbRef
          assert.strictEqual(yield* ref.use(Effect.succeed), 1)
          yield* app.exitChild("db", ExitReason.killed)
          assert.strictEqual(yield* ref.use(Effect.succeed), 2)
        }).pipe(Effect.provide(DbRef.layer))
      })
  )

  rule(
    "Unitech/pm2#6129",
    "is made once for one end: the exit of an incarnation that has been replaced starts nothing",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [kit.child("a"), kit.child("b")]
        })
        // Both ends are there before it looks.
        yield* now(app.startChild(kit.child("slow", { starts: ["hold"] })))
        yield* kit.crashTogether("a", "b")
        kit.take()
        yield* kit.release("slow")
        assert.deepStrictEqual(kit.take(), ["start slow", "stop slow", "start a", "start b", "start slow"])
        const tree = yield* app.tree
        assert.deepStrictEqual(tree.children.map(({ incarnation }) => incarnation), [2, 2, 2])
      })
  )

  rule(
    "pathosDev/actor-ts#926",
    "of a supervisor that has given up starts its children by the same names, and leaves no other of them",
    (kit) =>
      Effect.gen(function*() {
        const below = Supervisor.layer("below", {
          strategy: "one-for-one",
          intensity: 1,
          children: [kit.child("a"), kit.child("b")]
        })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("below", below)]
        })
        kit.take()
        yield* kit.crash("a")
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), [
          "exit a",
          "start a",
          "exit a",
          "stop b",
          "start a",
          "start b"
        ])
        const tree = yield* app.tree
        assert.strictEqual(
          SupervisionTree.toText(tree).replaceAll(/ {2}running.*/g, ""),
          ["app", "└─ below", "   ├─ a", "   └─ b"].join("\n")
        )
      })
  )

  rule(
    "elle-lisp/elle#1215",
    "of a group starts those again that startChild has added, in their place",
    (kit) =>
      Effect.gen(function*() {
        for (const strategy of ["one-for-all", "rest-for-one"] as const) {
          const app: Handle = yield* Supervisor.make("app", {
            strategy,
            ...patient,
            children: [kit.child(`${strategy} a`), kit.child(`${strategy} b`)]
          })
          yield* app.startChild(kit.child(`${strategy} c`))
          yield* app.startChild(kit.child(`${strategy} d`))
          kit.take()
          yield* kit.crash(`${strategy} a`)
          assert.deepStrictEqual(
            kit.take().filter((line) => line.startsWith("start")),
            ["a", "b", "c", "d"].map((id) => `start ${strategy} ${id}`)
          )
        }
      })
  )

  rule(
    "atomvm/AtomVM#1915, atomvm/AtomVM#1957",
    "that fails counts like any other, and is its supervisor's regular end when it fails too often",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 2,
          children: [kit.child("a", { starts: ["ok", "fail", "fail", "fail"] }), kit.child("b")]
        })
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["exit a", "fail a", "fail a", "stop b"])
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )
})

describe("an end", () => {
  rule(
    "gleam-lang/otp#67",
    "that is normal does its supervisor no harm, whatever the restart type",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            kit.child("permanent"),
            kit.child("transient", { restart: "transient" }),
            kit.child("temporary", { restart: "temporary" })
          ]
        })
        for (const id of ["permanent", "transient", "temporary"]) yield* kit.leave(id, Effect.void)
        assert.deepStrictEqual(yield* states(app), { permanent: "running", transient: "stopped" })
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  rule(
    "Supervisor/supervisor#712, ergo-services/ergo#67",
    "for good of a child that matters is that of all, and those who wait are told why",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a"), kit.child("critical")]
        })
        const waiting = yield* now(Effect.flip(app.await))
        yield* kit.crash("critical")
        const error = yield* Fiber.join(waiting)
        assert.strictEqual(error.child, "critical")
        assert.strictEqual(ExitReason.format(error.reason), "failed: critical crashed")

        const other: Handle = yield* Supervisor.make("other", {
          strategy: "one-for-one",
          autoShutdown: "any-significant",
          children: [kit.child("b"), kit.child("main", { restart: "temporary", significant: true })]
        })
        yield* kit.crash("main")
        assert.strictEqual(yield* ended(other), "shut down")
      })
  )

  rule(
    "F1bonacc1/process-compose#200",
    "of all children is not that of their supervisor: it answers",
    (kit) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { restart: "transient" }), kit.child("b", { restart: "temporary" })]
        })
        for (const id of ["a", "b"]) yield* kit.leave(id, Effect.void)
        assert.strictEqual(yield* ended(app), "no")
        yield* app.restartChild("a")
        assert.deepStrictEqual(yield* states(app), { a: "running" })
      })
  )
})

describe("a stop", () => {
  rule(
    "erlang/otp#3670",
    "of a supervisor waits for all below it: no child's time is cut by that of the supervisor it lives in",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const below = Supervisor.layer("below", {
          strategy: "one-for-one",
          children: [
            kit.child("a", { slowStop: true, shutdown: "1 hour" }),
            kit.child("b", { slowStop: true, shutdown: "1 hour" })
          ]
        })
        yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children: [Child.supervisor("below", below)] }),
          scope
        )
        kit.take()
        const closing = yield* now(Scope.close(scope, Exit.void))
        yield* pass("30 minutes")
        yield* kit.release("b")
        yield* pass("30 minutes")
        assert.isUndefined(closing.pollUnsafe())
        yield* kit.release("a")
        assert.isDefined(closing.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["stop b", "gone b", "stop a", "gone a"])
      })
  )

  rule(
    "thejerf/suture#12, gleam-lang/otp#65",
    "is over when all has ended, and not before",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const children = [kit.child("a", { slowStop: true }), kit.child("b", { slowStop: true })]
        yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
        kit.take()
        const closing = yield* now(Scope.close(scope, Exit.void))
        yield* kit.release("b")
        assert.isUndefined(closing.pollUnsafe())
        assert.deepStrictEqual(kit.take(), ["stop b", "gone b", "stop a"])
        yield* kit.release("a")
        assert.isDefined(closing.pollUnsafe())
      })
  )

  scenario(
    "thejerf/suture#34: of a child by hand leaves no timer that reports it late",
    (world) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a", { slowStop: true, shutdown: "5 seconds" }), world.kit.child("b")]
        })
        const before = world.timers
        const terminating = yield* now(app.terminateChild("a"))
        yield* pass("500 millis")
        yield* world.kit.release("a")
        yield* Fiber.join(terminating)
        assert.strictEqual(world.timers, before)
        yield* pass("1 minute")
        assert.deepStrictEqual(world.takeMessages("Warn", "Error", "Fatal"), [])
      })
  )

  scenario(
    "F1bonacc1/process-compose#354: that hangs says which child it waits for, and goes on",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.effect("quick", Effect.never),
            Child.make("stuck", Effect.succeed(Effect.uninterruptible(lever.wait)), { shutdown: "5 seconds" })
          ]
        })
        const both = yield* now(
          Effect.all([app.terminateChild("stuck"), app.terminateChild("quick")], { discard: true })
        )
        yield* pass("1 second")
        assert.deepStrictEqual(
          world.takeMessages("Warn"),
          ["stuck: waiting for the fiber of a child to end, for 5000 ms at most"]
        )
        yield* pass("4 seconds")
        assert.isDefined(both.pollUnsafe())
        yield* lever.pull(Effect.void)
      })
  )

  rule(
    "slawlor/ractor#226, slawlor/ractor#277",
    "of a subtree needs no handle but one",
    (kit) =>
      Effect.gen(function*() {
        const inner = Supervisor.layer("inner", {
          strategy: "one-for-one",
          children: [kit.child("a"), kit.child("b")]
        })
        const outer = Supervisor.layer("outer", {
          strategy: "one-for-one",
          children: [Child.supervisor("inner", inner), kit.child("c")]
        })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("d"), Child.supervisor("outer", outer)]
        })
        kit.take()
        yield* app.terminateChild("outer")
        assert.deepStrictEqual(kit.take(), ["stop c", "stop b", "stop a"])
        assert.deepStrictEqual(yield* states(app), { d: "running", outer: "stopped" })
      })
  )
})

describe("what is told", () => {
  scenario("thejerf/suture#76: of a normal start and stop, not of failures alone", (world) =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const app = Supervisor.layer("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a"), world.kit.child("b")]
      })
      const onEvent = (event: { readonly _tag: string; readonly path: string }) =>
        Effect.sync(() => void seen.push(`${event.path} ${event._tag}`))
      const running = yield* now(Supervisor.launch(app, { onEvent }))
      yield* settle
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(seen, [
        "app/a ChildStarting",
        "app/a ChildStarted",
        "app/b ChildStarting",
        "app/b ChildStarted",
        "app SupervisorStarted",
        "app/b ChildStopped",
        "app/a ChildStopped",
        "app SupervisorStopped"
      ])
    }))

  scenario("pathosDev/actor-ts#916: of a crash loop there is a line for each crash", (world) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 2,
        children: [world.kit.child("a"), world.kit.child("b")]
      })
      for (let crash = 1; crash <= 3; crash++) yield* world.kit.crash("a")
      const lines = world.takeLines().filter(({ level }) => level === "Error" || level === "Fatal")
      assert.isAtLeast(lines.filter(({ fields }) => fields["child"] === "a").length, 3)
      assert.strictEqual(lines.at(-1)?.level, "Fatal")
    }))
})
