import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ExitReason, SupervisionTree, Supervisor, SupervisorError } from "coppice"
import {
  Cause,
  Clock,
  Context,
  Effect,
  ErrorReporter,
  Exit,
  Fiber,
  Layer,
  Logger,
  Schedule,
  Scheduler,
  Scope
} from "effect"
import { TestClock } from "effect/testing"
import { type AnyChild, ended, patient, states } from "./support/kit.ts"
import { answer, type Anything, collect, Lever, scenario, type World } from "./support/world.ts"

/** A supervisor with these children and a witness, by which to see that it lives. */
const supervise = (world: World, ...children: ReadonlyArray<AnyChild>) =>
  Supervisor.make("app", {
    strategy: "one-for-one",
    ...patient,
    children: [...children, world.kit.child("witness")]
  })

/** Lives: it answers, it restarts, and it starts. */
const survives = Effect.fnUntraced(function*(world: World, app: Supervisor.Supervisor) {
  const attempts = world.kit.attempts("witness")
  yield* world.kit.crash("witness")
  assert.strictEqual(world.kit.attempts("witness"), attempts + 1)
  const { specs } = yield* answer(app.countChildren)
  yield* answer(app.startChild(world.kit.child(`guest ${specs}`)))
  assert.strictEqual((yield* answer(app.countChildren)).specs, specs + 1)
})

const incarnationOf = (app: Supervisor.Supervisor, id: string) =>
  Effect.map(app.tree, (tree) => tree.children.find((child) => child.id === id)?.incarnation)

const trap = (): never => {
  throw new Error("trap")
}

/** What can be thrown at a supervisor. */
const nasty: Record<string, Anything> = {
  "undefined": undefined,
  "null": null,
  "a symbol": Symbol("nasty"),
  "a bigint": 1n,
  "a function": trap,
  "a cycle": (() => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    return cycle
  })(),
  "an object whose message throws": {
    get message(): string {
      return trap()
    }
  },
  "an object whose tag throws": {
    get _tag(): string {
      return trap()
    }
  },
  "an object without a prototype": Object.create(null),
  "an object whose conversions throw": { toString: trap, toJSON: trap, [Symbol.toPrimitive]: trap },
  "an error whose message throws": Object.defineProperty(new Error("nasty"), "message", { get: trap }),
  "an error whose cause is itself": (() => {
    const error = new Error("nasty")
    error.cause = error
    return error
  })(),
  "a proxy that throws at everything": new Proxy({}, {
    get: trap,
    has: trap,
    getPrototypeOf: trap,
    ownKeys: trap,
    getOwnPropertyDescriptor: trap
  }),
  "a message of a million characters": new Error("x".repeat(1_000_000))
}

/** An effect whose fiber has an observer of the user's, which throws. */
const observed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    fiber.addObserver(trap)
    return effect
  })

const dyingFinalizer = Effect.addFinalizer(() => Effect.die("the finalizer died"))

describe("a start that throws", () => {
  const starts: Record<string, AnyChild> = {
    "synchronously in a suspend": Child.make("a", Effect.suspend((): Effect.Effect<never> => trap())),
    "synchronously in a sync": Child.make("a", Effect.sync(trap)),
    "in a generator": Child.make(
      "a",
      Effect.gen(function*() {
        yield* Effect.void
        return trap()
      })
    ),
    "in a map": Child.make("a", Effect.map(Effect.void, () => trap())),
    "in a promise": Child.make("a", Effect.promise(() => Promise.reject(new Error("trap")))),
    "in the effect of a layer": Child.layer("a", Layer.effectDiscard(Effect.sync(trap))),
    "in the making of a layer": Child.layer("a", Layer.unwrap(Effect.sync((): Layer.Layer<never> => trap()))),
    "in a nested supervisor's start": Child.supervisor(
      "a",
      Supervisor.layer("nested", { strategy: "one-for-one", children: [Child.make("leaf", Effect.sync(trap))] })
    )
  }
  for (const [where, child] of Object.entries(starts)) {
    scenario(`${where} is a typed error for its caller and a line in the log`, (world) =>
      Effect.gen(function*() {
        const app = yield* supervise(world)
        const starting = yield* Effect.forkChild(Effect.flip(app.startChild(child)))
        yield* TestClock.adjust(1)
        const error = yield* Fiber.join(starting)
        assert.strictEqual(error._tag, "ChildStartFailed")
        assert.include(error.message, "trap")
        assert.include(world.takeMessages("Error"), "a: child could not start")
        yield* survives(world, app)
      }))
  }

  scenario("in the restart is tried again until the supervisor gives up", (world) =>
    Effect.gen(function*() {
      let starts = 0
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 3,
        children: [Child.make("a", Effect.sync(() => starts++ === 0 ? Effect.fail("crash") : trap()))]
      })
      yield* VirtualTime.settle
      assert.strictEqual(starts, 4)
      const error = yield* answer(Effect.flip(app.await))
      assert.strictEqual(error.pattern, "failed-to-start")
      assert.deepStrictEqual(
        world.takeMessages("Error", "Fatal").slice(0, -2),
        ["a: child terminated", ...Array.from({ length: 3 }, () => "a: child could not start")]
      )
    }))

  scenario("and answers no effect at all is a crash", (world) =>
    Effect.gen(function*() {
      const app = yield* supervise(world, Child.make("a", Effect.succeed(undefined as never), { restart: "temporary" }))
      assert.include(world.takeMessages("Error"), "a: child terminated")
      yield* survives(world, app)
    }))
})

describe("a finalizer that dies", () => {
  const hasLine = (world: World) => assert.include(world.takeMessages("Error"), "a: a finalizer of a child failed")

  scenario("when its child is stopped is a line in the log; the stop goes on", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.make("a", Effect.as(dyingFinalizer, Effect.never))
      )
      yield* answer(app.terminateChild("a"))
      assert.deepStrictEqual(yield* states(app), { a: "stopped", witness: "running" })
      hasLine(world)
      yield* survives(world, app)
    }))

  scenario("when its child crashes is a line in the log; the child is restarted", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.make("a", Effect.as(dyingFinalizer, lever.wait))
      )
      yield* lever.pull(Effect.fail("crash"))
      assert.strictEqual(yield* incarnationOf(app, "a"), 2)
      hasLine(world)
      yield* survives(world, app)
    }))

  scenario(
    "when its child's start failed is a line in the log; the start fails with its own error",
    (world) =>
      Effect.gen(function*() {
        const app = yield* supervise(world)
        const start = Child.make("a", Effect.andThen(dyingFinalizer, Effect.fail("no database")))
        const error = yield* answer(Effect.flip(app.startChild(start)))
        assert.strictEqual(error.message, "app/a could not start: no database\napp could not start \"a\"")
        hasLine(world)
        yield* survives(world, app)
      })
  )

  scenario("in a layer is a line in the log, and the layer's other finalizers run", (world) =>
    Effect.gen(function*() {
      const released: Array<string> = []
      const release = (name: string) => Effect.addFinalizer(() => Effect.sync(() => released.push(name)))
      const layer = Layer.effectDiscard(Effect.andThen(release("first"), dyingFinalizer)).pipe(
        Layer.provideMerge(Layer.effectDiscard(release("deep")))
      )
      const app: Supervisor.Supervisor = yield* supervise(world, Child.layer("a", layer))
      yield* answer(app.terminateChild("a"))
      assert.sameMembers(released, ["first", "deep"])
      hasLine(world)
      yield* survives(world, app)
    }))

  scenario("and throws synchronously is a line in the log too", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.make("a", Effect.as(Effect.addFinalizer(trap), Effect.never))
      )
      yield* answer(app.terminateChild("a"))
      hasLine(world)
      yield* survives(world, app)
    }))

  scenario("everywhere does not keep the supervisor's scope from closing", (world) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const child = (id: string) => Child.make(id, Effect.as(dyingFinalizer, Effect.never))
      const app = yield* Scope.provide(supervise(world, child("a"), child("b"), child("c")), scope)
      const exit = yield* answer(Effect.exit(Scope.close(scope, Exit.void)))
      assert.deepStrictEqual(exit, Exit.void)
      assert.strictEqual(yield* ended(app), "shut down")
    }))
})

describe("a backoff that dies", () => {
  const dying: Record<string, Schedule.Schedule<unknown>> = {
    "before it has begun": Schedule.fromStep(Effect.die("no schedule")),
    "at its first step": Schedule.fromStep(Effect.succeed(() => Effect.die("no step")))
  }
  for (const [when, backoff] of Object.entries(dying)) {
    scenario(`${when} is taken for exhausted`, (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          Child.effect("a", lever.wait, { backoff, onExhausted: "give-up" })
        )
        yield* lever.pull(Effect.fail("crash"))
        assert.deepStrictEqual(yield* states(app), { a: "failed", witness: "running" })
        assert.include(world.takeMessages("Error"), "a: the backoff of a child failed")
        yield* survives(world, app)
      }))
  }
})

describe("an observer that throws", () => {
  scenario("when its fiber crashes does not hide the crash", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", observed(lever.wait)))
      yield* lever.pull(Effect.fail("crash"))
      assert.strictEqual(yield* incarnationOf(app, "a"), 2)
      yield* lever.pull(Effect.die("crash"))
      assert.strictEqual(yield* incarnationOf(app, "a"), 3)
      assert.include(world.takeMessages("Error"), "a: child terminated")
      yield* survives(world, app)
    }))

  scenario("when its fiber is stopped is a line in the log; the stop goes on", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", observed(Effect.never)))
      yield* answer(app.terminateChild("a"))
      assert.deepStrictEqual(yield* states(app), { a: "stopped", witness: "running" })
      assert.include(world.takeMessages("Error"), "an observer of a fiber threw")
      yield* survives(world, app)
    }))

  scenario("when its fiber completes at once does not hide the end", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.effect("a", observed(Effect.void), { restart: "transient" }),
        Child.make("b", Effect.succeed(observed(Effect.fail("crash"))), { restart: "temporary" })
      )
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(app), { a: "stopped", witness: "running" })
      assert.include(world.takeMessages("Error"), "an observer of a fiber threw")
      yield* survives(world, app)
    }))

  scenario("when its start ends does not hide the outcome", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.make("a", observed(Effect.succeed(Effect.never)))
      )
      assert.deepStrictEqual(yield* states(app), { a: "running", witness: "running" })
      const error = yield* answer(Effect.flip(app.startChild(Child.make("b", observed(Effect.fail("no database"))))))
      assert.strictEqual(error._tag, "ChildStartFailed")
      yield* survives(world, app)
    }))

  scenario(
    "when a backoff has been asked does not keep its child from being restarted",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const backoff = Schedule.tap(Schedule.spaced("1 second"), () => observed(Effect.void))
        const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", lever.wait, { backoff }))
        yield* lever.pull(Effect.fail("crash"))
        assert.deepStrictEqual(yield* states(app), { a: "restarting", witness: "running" })
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* incarnationOf(app, "a"), 2)
        yield* survives(world, app)
      })
  )

  scenario(
    "when a finalizer ends does not keep its child from being stopped or restarted",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const finalizer = Effect.addFinalizer(() => observed(Effect.void))
        const app: Supervisor.Supervisor = yield* supervise(world, Child.make("a", Effect.as(finalizer, lever.wait)))
        yield* lever.pull(Effect.fail("crash"))
        assert.strictEqual(yield* incarnationOf(app, "a"), 2)
        yield* answer(app.terminateChild("a"))
        assert.deepStrictEqual(yield* states(app), { a: "stopped", witness: "running" })
        yield* survives(world, app)
      })
  )

  scenario(
    "when a finalizer of an abandoned child ends does not keep the supervisor waiting",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const finalizer = Effect.addFinalizer(() => observed(Effect.void))
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          Child.make("a", Effect.as(finalizer, Effect.uninterruptible(lever.wait)))
        )
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust("5 seconds")
        assert.isDefined(terminating.pollUnsafe())
        yield* survives(world, app)
        yield* lever.pull(Effect.void)
      })
  )

  scenario(
    "in a fiber that waits for a call's answer does not reach the supervisor",
    (world) =>
      Effect.gen(function*() {
        const app = yield* supervise(world)
        const lever = new Lever()
        const slow = Child.make("slow", Effect.as(lever.wait, Effect.never))
        const calling = yield* Effect.forkChild(observed(Effect.exit(app.startChild(slow))))
        const refused = yield* Effect.forkChild(observed(Effect.exit(app.terminateChild("slow" as never))))
        yield* VirtualTime.settle
        yield* lever.pull(Effect.void)
        assert.isDefined(calling.pollUnsafe())
        assert.isDefined(refused.pollUnsafe())
        yield* survives(world, app)
      })
  )

  scenario(
    "in a fiber that waits for a supervisor's end does not keep its parent from hearing of it",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const nested = Supervisor.make("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [Child.effect("leaf", lever.wait)]
        })
        const host = Effect.flatMap(
          nested,
          (nested) => Effect.andThen(Effect.forkDetach(observed(Effect.exit(nested.await))), Effect.never)
        )
        const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("host", host))
        yield* VirtualTime.settle
        yield* lever.pull(Effect.fail("crash"))
        assert.strictEqual(yield* incarnationOf(app, "host"), 2)
        yield* survives(world, app)
      })
  )

  scenario(
    "in a fiber that waits for a root's end does not keep it from escalating",
    () =>
      Effect.gen(function*() {
        const lever = new Lever()
        let escalated = 0
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [Child.effect("a", lever.wait)],
          onEscalation: () => Effect.sync(() => escalated++)
        })
        yield* Effect.forkDetach(observed(Effect.exit(app.await)))
        yield* VirtualTime.settle
        yield* lever.pull(Effect.fail("crash"))
        assert.strictEqual(escalated, 1)
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  scenario(
    "in a fiber that waits for a supervisor's end keeps nobody else from hearing of it: its scope closes",
    (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(supervise(world), scope)
        yield* Effect.forkDetach(observed(Effect.exit(app.await)))
        const other = yield* Effect.forkChild(app.await)
        yield* VirtualTime.settle
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* VirtualTime.settle
        assert.deepStrictEqual(other.pollUnsafe(), Exit.void)
        assert.deepStrictEqual(closing.pollUnsafe(), Exit.void)
        assert.include(world.takeMessages("Error"), "an observer of a fiber threw")
      })
  )
})

describe("whatever a child ends with", () => {
  for (const [name, value] of Object.entries(nasty)) {
    scenario(
      `${name}: as an error or a defect it is a crash with an event and a line, and one more restart`,
      (world) =>
        Effect.gen(function*() {
          const lever = new Lever()
          const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", lever.wait))
          const events = yield* collect(app)
          for (const how of [Effect.fail(value), Effect.die(value)]) {
            yield* lever.pull(how)
            const tags = (yield* events.take).map((event) => event._tag)
            assert.deepStrictEqual(tags, ["ChildExited", "ChildRestarting", "ChildStarting", "ChildStarted"])
            assert.include(world.takeMessages("Error"), "a: child terminated")
          }
          yield* survives(world, app)
        })
    )

    scenario(
      `${name}: as why it does not start it ends its supervisor with a readable error`,
      () =>
        Effect.gen(function*() {
          for (const how of [Effect.fail(value), Effect.die(value)]) {
            let starts = 0
            const app = yield* Supervisor.make("app", {
              strategy: "one-for-one",
              intensity: 1,
              children: [
                Child.make("a", Effect.suspend(() => starts++ === 0 ? Effect.succeed(Effect.fail("crash")) : how))
              ]
            })
            yield* VirtualTime.settle
            const error = yield* answer(Effect.flip(app.await))
            assert.include(error.message, "app gave up on \"a\": 2 restarts needed within 5 s, 1 allowed")
            assert.isBelow(error.message.length, 2000)
            const failed = yield* answer(Effect.flip(Supervisor.make("next", {
              strategy: "one-for-one",
              children: [Child.make("a", how)]
            })))
            assert.include(failed.message, "next/a could not start")
          }
        })
    )

    scenario(`${name}: in a tree it can be shown and sent`, (world) =>
      Effect.gen(function*() {
        for (const how of [Effect.fail(value), Effect.die(value)]) {
          const lever = new Lever()
          const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", lever.wait))
          yield* lever.pull(how)
          const tree = yield* app.tree
          assert.strictEqual(SupervisionTree.toText(tree).split("\n").length, 3)
          const json = SupervisionTree.toJson(tree)
          assert.isBelow(json.length, 10_000_000)
          assert.strictEqual(JSON.parse(json).children[0].lastExit.reason._tag, tree.children[0]?.lastExit?.reason._tag)
        }
      }))

    scenario(`${name}: as why a finalizer dies it is a line in the log`, (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          Child.make("a", Effect.as(Effect.addFinalizer(() => Effect.die(value)), Effect.never))
        )
        yield* answer(app.terminateChild("a"))
        assert.include(world.takeMessages("Error"), "a: a finalizer of a child failed")
        yield* survives(world, app)
      }))

    scenario(`${name}: as why it is told to exit it is carried along`, (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", Effect.never))
        yield* app.exitChild("a", ExitReason.shutdown(value))
        yield* VirtualTime.settle
        yield* app.exitChild("a", ExitReason.failure(value))
        yield* VirtualTime.settle
        assert.strictEqual(yield* incarnationOf(app, "a"), 3)
        yield* survives(world, app)
      }))
  }

  scenario("a cause with a thousand reasons is a crash like any other", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", lever.wait))
      const events = yield* collect(app)
      const reasons = Array.from({ length: 1000 }, (_, index) => Cause.makeFailReason(`reason ${index}`))
      yield* lever.pull(Effect.failCause(Cause.fromReasons(reasons)))
      const exited = (yield* events.take)[0]
      assert.isTrue(exited?._tag === "ChildExited" && exited.reason._tag === "Failure")
      if (exited?._tag === "ChildExited" && exited.reason._tag === "Failure") {
        assert.strictEqual(exited.reason.error, "reason 0")
        assert.strictEqual(exited.reason.cause.reasons.length, 1000)
      }
      assert.strictEqual(yield* incarnationOf(app, "a"), 2)
      yield* survives(world, app)
    }))
})

describe("a start that never returns", () => {
  for (
    const [kind, child] of Object.entries<AnyChild>({
      make: Child.make("a", Effect.never),
      layer: Child.layer("a", Layer.effectDiscard(Effect.never))
    })
  ) {
    scenario(`is aborted by the stop of its supervisor, as a ${kind}`, (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app = yield* Scope.provide(supervise(world), scope)
        const starting = yield* Effect.forkChild(Effect.flip(app.startChild(child)))
        yield* VirtualTime.settle
        yield* answer(Scope.close(scope, Exit.void))
        assert.deepStrictEqual(
          starting.pollUnsafe(),
          Exit.succeed(new SupervisorError.SupervisorDown({ path: "app" }))
        )
        assert.deepStrictEqual(world.living(), {})
      }))

    scenario(`is aborted by exitChild, as a ${kind}`, (world) =>
      Effect.gen(function*() {
        const app = yield* supervise(world)
        const starting = yield* Effect.forkChild(Effect.flip(app.startChild(child)))
        yield* VirtualTime.settle
        yield* app.exitChild("a" as never, ExitReason.killed)
        yield* VirtualTime.settle
        const exit = starting.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && exit.value._tag === "ChildStartFailed")
        yield* survives(world, app)
      }))

    scenario(`is aborted in a restart too, as a ${kind}`, (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        let starts = 0
        const lever = new Lever()
        const first = Effect.suspend(() => starts++ === 0 ? Effect.void : Effect.never)
        const crashing = kind === "make"
          ? Child.make("a", Effect.as(first, lever.wait))
          : Child.layer(
            "a",
            Layer.effectDiscard(Effect.andThen(first, Effect.forkScoped(Effect.andThen(lever.wait, Child.exit()))))
          )
        yield* Scope.provide(supervise(world, crashing), scope)
        yield* VirtualTime.settle
        yield* lever.pull(kind === "make" ? Effect.fail("crash") : Effect.void)
        assert.strictEqual(starts, 2)
        yield* answer(Scope.close(scope, Exit.void))
        assert.deepStrictEqual(world.living(), {})
      }))
  }

  scenario(
    "and cannot be interrupted is abandoned: the stop goes on after its shutdown time",
    (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const lever = new Lever()
        let released = 0
        const app = yield* Scope.provide(supervise(world), scope)
        const acquire = Effect.uninterruptible(Effect.andThen(
          lever.wait,
          Effect.addFinalizer(() => Effect.sync(() => released++))
        ))
        yield* Effect.forkChild(Effect.exit(app.startChild(Child.make("a", Effect.as(acquire, Effect.never)))))
        yield* VirtualTime.settle
        const closing = yield* Effect.forkChild(Effect.andThen(Scope.close(scope, Exit.void), Clock.currentTimeMillis))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(closing.pollUnsafe(), Exit.succeed(5000))
        assert.include(world.takeMessages("Error"), "a: child abandoned: its fiber does not end")
        yield* lever.pull(Effect.void)
        assert.strictEqual(released, 1)
        assert.deepStrictEqual(world.living(), {})
      })
  )
})

describe("a finalizer that never returns", () => {
  scenario(
    "is abandoned at its shutdown time: an event, a line, and the next incarnation",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const hanging = Effect.addFinalizer(() => Effect.never)
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          Child.make("a", Effect.as(hanging, lever.wait), { shutdown: "3 seconds" })
        )
        const events = yield* collect(app)
        yield* lever.pull(Effect.fail("crash"))
        yield* TestClock.adjust(2999)
        assert.deepStrictEqual(yield* states(app), { a: "restarting", witness: "running" })
        yield* events.take
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(
          (yield* events.take)[0],
          { _tag: "ChildAbandoned", path: "app/a", incarnation: 1, timeMillis: 3000, waitingFor: "scope" }
        )
        assert.include(world.takeMessages("Error"), "a: child abandoned: its finalizers do not end")
        assert.strictEqual(yield* incarnationOf(app, "a"), 2)
        assert.strictEqual(world.timers, 0)
        yield* survives(world, app)
      })
  )

  scenario(
    "does not keep the finalizers after it from running only if it returns: they are the scope's",
    (world) =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const lever = new Lever()
        const start = Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => order.push("first acquired")))
          yield* Effect.addFinalizer(() => Effect.ignore(lever.wait))
          return Effect.never
        })
        const app: Supervisor.Supervisor = yield* supervise(world, Child.make("a", start))
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust("5 seconds")
        assert.isDefined(terminating.pollUnsafe())
        assert.deepStrictEqual(order, [])
        yield* lever.pull(Effect.void)
        assert.deepStrictEqual(order, ["first acquired"])
      })
  )

  scenario("is abandoned after a failed start too", (world) =>
    Effect.gen(function*() {
      const app = yield* supervise(world)
      const start = Effect.andThen(Effect.addFinalizer(() => Effect.never), Effect.fail("no database"))
      const starting = yield* Effect.forkChild(Effect.flip(app.startChild(Child.make("a", start))))
      yield* TestClock.adjust(4999)
      assert.isUndefined(starting.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(starting))._tag, "ChildStartFailed")
      assert.include(world.takeMessages("Error"), "a: child abandoned: its finalizers do not end")
      yield* survives(world, app)
    }))
})

/** A child that swallows interruption until its lever is pulled, once; its later incarnations can be interrupted. */
const stubborn = (lever: Lever, released: Array<number>, options?: Child.Options) =>
  Child.make(
    "a",
    Effect.gen(function*() {
      const { incarnation } = yield* Child.current
      yield* Effect.addFinalizer(() => Effect.sync(() => released.push(incarnation)))
      return incarnation === 1 ? Effect.uninterruptible(lever.wait) : Effect.never
    }),
    options
  )

describe("a fiber that swallows interruption", () => {
  scenario(
    "is abandoned: its scope is closed all the same, and its child can be started again",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const released: Array<number> = []
        const app: Supervisor.Supervisor = yield* supervise(world, stubborn(lever, released))
        const events = yield* collect(app)
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust(4999)
        assert.isUndefined(terminating.pollUnsafe())
        assert.deepStrictEqual(released, [])
        yield* TestClock.adjust(1)
        assert.isDefined(terminating.pollUnsafe())
        assert.deepStrictEqual(released, [1])
        assert.deepStrictEqual(yield* events.take, [
          { _tag: "ChildAbandoned", path: "app/a", incarnation: 1, timeMillis: 5000, waitingFor: "fiber" },
          { _tag: "ChildStopped", path: "app/a", incarnation: 1, timeMillis: 5000 }
        ])
        assert.deepStrictEqual(world.takeMessages("Error"), ["a: child abandoned: its fiber does not end"])

        yield* answer(app.restartChild("a"))
        assert.deepStrictEqual(world.living(), { "app/a": 2, "app/witness": 1 })
        assert.strictEqual(world.timers, 0)

        yield* lever.pull(Effect.void)
        assert.deepStrictEqual(world.living(), { "app/a": 1, "app/witness": 1 })
      })
  )

  for (
    const [what, how] of Object.entries({
      "a return": Effect.void,
      "a failure": Effect.fail("late"),
      "a defect": Effect.die("late")
    })
  ) {
    scenario(`ends late with ${what}: that is void, and a warning`, (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const app: Supervisor.Supervisor = yield* supervise(world, stubborn(lever, []))
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(terminating)
        yield* answer(app.restartChild("a"))
        const events = yield* collect(app)
        world.takeLines()
        yield* lever.pull(how)
        assert.deepStrictEqual(yield* events.take, [])
        assert.strictEqual(yield* incarnationOf(app, "a"), 2)
        assert.deepInclude(
          world.takeLines().map(({ fields, level, message }) => [level, message, fields["incarnation"]]),
          ["Warn", "an abandoned child has ended at last", 1]
        )
        yield* survives(world, app)
      }))
  }

  scenario("does not hold up a group restart for more than its shutdown time", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        ...patient,
        children: [stubborn(lever, [], { shutdown: "1 second" }), world.kit.child("witness")]
      })
      yield* world.kit.crash("witness")
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* incarnationOf(app, "a"), 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* incarnationOf(app, "a"), 2)
      yield* lever.pull(Effect.fail("late"))
      assert.strictEqual(yield* incarnationOf(app, "a"), 2)
      assert.strictEqual(yield* incarnationOf(app, "witness"), 2)
    }))

  scenario(
    "cannot call its supervisor into doing anything to the next incarnation by Child.exit",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          Child.effect("a", Effect.uninterruptible(Effect.andThen(lever.wait, Child.exit())), { shutdown: 0 })
        )
        const first = lever
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust(1)
        yield* Fiber.join(terminating)
        const pull = first.pull(Effect.void)
        yield* app.startChild(world.kit.child("b"))
        yield* pull
        assert.deepStrictEqual(yield* states(app), { a: "stopped", witness: "running", b: "running" })
        yield* survives(world, app)
      })
  )
})

describe("the bounds of a stop", () => {
  scenario(
    "are 100 ms under brutal-kill, from the supervisor and from exitChild alike",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const released: Array<number> = []
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          stubborn(lever, released, { shutdown: "brutal-kill" })
        )
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust(99)
        assert.isUndefined(terminating.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.isDefined(terminating.pollUnsafe())
        assert.deepStrictEqual(released, [1])
        yield* lever.pull(Effect.void)

        const other = new Lever()
        const killed: Supervisor.Supervisor = yield* Supervisor.make("other", {
          strategy: "one-for-one",
          children: [stubborn(other, [], { shutdown: "1 hour" })]
        })
        yield* killed.exitChild("a", ExitReason.killed)
        yield* TestClock.adjust(99)
        assert.strictEqual(yield* incarnationOf(killed, "a"), 1)
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* incarnationOf(killed, "a"), 2)
        yield* other.pull(Effect.void)
      })
  )

  scenario(
    "are nothing with shutdown 0, which still closes the scope and runs what ends at once",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const released: Array<number> = []
        const app: Supervisor.Supervisor = yield* supervise(
          world,
          stubborn(lever, released, { shutdown: 0 }),
          Child.make(
            "gentle",
            Effect.as(Effect.addFinalizer(() => Effect.sync(() => released.push(7))), Effect.never),
            {
              shutdown: 0
            }
          )
        )
        yield* answer(app.terminateChild("gentle"))
        assert.deepStrictEqual(world.takeMessages("Error"), [])
        yield* answer(app.terminateChild("a"))
        assert.deepStrictEqual(released, [7, 1])
        assert.deepStrictEqual(world.takeMessages("Error"), ["a: child abandoned: its fiber does not end"])
        yield* lever.pull(Effect.void)
        yield* survives(world, app)
      })
  )

  scenario("hang for the fiber and its finalizers together", (world) =>
    Effect.gen(function*() {
      const start = Effect.as(
        Effect.addFinalizer(() => Effect.sleep("2 seconds")),
        Effect.onInterrupt(Effect.never, () => Effect.sleep("2 seconds"))
      )
      const app: Supervisor.Supervisor = yield* supervise(world, Child.make("a", start, { shutdown: "3 seconds" }))
      const terminating = yield* Effect.forkChild(Effect.andThen(app.terminateChild("a"), Clock.currentTimeMillis))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(terminating.pollUnsafe(), Exit.succeed(3000))
      assert.deepStrictEqual(world.takeMessages("Error"), ["a: child abandoned: its finalizers do not end"])
    }))

  scenario("are what a child says also where a supervisor lives inside it", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const nested = Supervisor.make("nested", {
        strategy: "one-for-one",
        children: [Child.effect("leaf", Effect.uninterruptible(lever.wait), { shutdown: "1 hour" })]
      })
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.effect("a", Effect.andThen(nested, Effect.never), { shutdown: "2 seconds" })
      )
      yield* VirtualTime.settle
      const terminating = yield* Effect.forkChild(app.terminateChild("a"))
      yield* TestClock.adjust(1999)
      assert.isUndefined(terminating.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(terminating.pollUnsafe())
      assert.deepStrictEqual(world.takeMessages("Error"), ["a: child abandoned: its finalizers do not end"])
      yield* lever.pull(Effect.void)
      yield* survives(world, app)
    }))

  scenario("leave no timer behind when the stop is faster", (world) =>
    Effect.gen(function*() {
      const start = Effect.as(Effect.addFinalizer(() => Effect.sleep("1 second")), Effect.never)
      const app: Supervisor.Supervisor = yield* supervise(world, Child.make("a", start))
      const terminating = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      assert.strictEqual(world.timers, 2)
      yield* TestClock.adjust("1 second")
      assert.isDefined(terminating.pollUnsafe())
      assert.strictEqual(world.timers, 0)
    }))
})

describe("what reports", () => {
  scenario("a logger that throws hurts nobody", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.make("a", Effect.as(dyingFinalizer, lever.wait)),
        world.kit.child("b")
      ).pipe(Effect.provide(Logger.layer([Logger.make(trap)])))
      yield* lever.pull(Effect.fail("crash"))
      assert.strictEqual(yield* incarnationOf(app, "a"), 2)
      yield* answer(app.terminateChild("a"))
      yield* survives(world, app)
    }))

  scenario("a logger that throws does not keep a root from escalating", (world) =>
    Effect.gen(function*() {
      let escalated = 0
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [world.kit.child("a")],
        onEscalation: () => Effect.sync(() => escalated++)
      }).pipe(Effect.provide(Logger.layer([Logger.make(trap)])))
      yield* world.kit.crash("a")
      assert.strictEqual(escalated, 1)
      assert.strictEqual(yield* ended(app), "gave up")
    }))

  scenario(
    "an error reporter that throws hurts nobody, and the line is written all the same",
    (world) =>
      Effect.gen(function*() {
        const lever = new Lever()
        const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", lever.wait)).pipe(
          Effect.provide(ErrorReporter.layer([ErrorReporter.make(trap)]))
        )
        yield* lever.pull(Effect.fail("crash"))
        assert.strictEqual(yield* incarnationOf(app, "a"), 2)
        assert.include(world.takeMessages("Error"), "a: child terminated")
        yield* survives(world, app)
      })
  )

  scenario("a crash whose cause cannot be rendered is a line all the same", (world) =>
    Effect.gen(function*() {
      for (const format of [Logger.formatLogFmt, Logger.formatJson, Logger.formatSimple]) {
        const lines: Array<string> = []
        const lever = new Lever()
        const app: Supervisor.Supervisor = yield* supervise(world, Child.effect("a", lever.wait)).pipe(
          Effect.provide(Logger.layer([Logger.map(format, (line) => {
            lines.push(line)
          })]))
        )
        yield* lever.pull(Effect.die(nasty["an object whose message throws"]))
        assert.include(lines.join("\n"), "child terminated")
        yield* survives(world, app)
      }
    }))

  for (
    const [what, onEscalation] of Object.entries({
      "dies": () => Effect.die("escalation"),
      "throws": trap
    })
  ) {
    scenario(`an onEscalation that ${what} is a line in the log`, (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("a")],
          onEscalation
        })
        yield* world.kit.crash("a")
        assert.strictEqual(yield* ended(app), "gave up")
        assert.deepStrictEqual(world.takeMessages("Error", "Fatal").slice(-2), [
          "a: a root supervisor gave up and stays stopped; nothing restarts it",
          "onEscalation failed"
        ])
      }))
  }

  scenario("an onEvent that dies does not change how launch ends", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const layer = Supervisor.layer("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.effect("a", lever.wait)]
      })
      const launched = yield* Effect.forkChild(
        Effect.flip(Supervisor.launch(layer, { onEvent: () => Effect.die("teller") }))
      )
      yield* VirtualTime.settle
      yield* lever.pull(Effect.fail("crash"))
      const exit = launched.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit), String(exit))
      assert.isNotEmpty(world.takeLines().filter((line) => Cause.pretty(line.cause).includes("teller")))
    }))
})

describe("what goes wrong on the way out", () => {
  const dies = Effect.die("cleanup")
  const hasLine = (world: World) => {
    const lines = world.takeLines().filter(({ cause, level }) =>
      (level === "Error" || level === "Warn") && Cause.pretty(cause).includes("cleanup")
    )
    assert.isNotEmpty(lines)
  }

  scenario("of a child that is stopped is a line", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.effect("a", Effect.onInterrupt(Effect.never, () => dies))
      )
      yield* answer(app.terminateChild("a"))
      hasLine(world)
    }))

  scenario("of a child that is told to exit is a line", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.effect("a", Effect.onInterrupt(Effect.never, () => dies), { restart: "temporary" })
      )
      yield* app.exitChild("a", ExitReason.shutdown("drain"))
      yield* VirtualTime.settle
      hasLine(world)
    }))

  scenario("of a child that exits is a line", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* supervise(
        world,
        Child.effect("a", Effect.onExit(Child.exit(), () => dies), { restart: "temporary" })
      )
      yield* VirtualTime.settle
      yield* survives(world, app)
      hasLine(world)
    }))

  scenario("of a child in which a supervisor gave up is a line", (world) =>
    Effect.gen(function*() {
      const lever = new Lever()
      const nested = Supervisor.make("nested", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.effect("leaf", lever.wait)]
      })
      yield* supervise(
        world,
        Child.effect("a", Effect.onInterrupt(Effect.andThen(nested, Effect.never), () => dies), {
          restart: "temporary"
        })
      )
      yield* VirtualTime.settle
      yield* lever.pull(Effect.fail("crash"))
      hasLine(world)
    }))

  scenario("of a start that is aborted is a line", (world) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const app = yield* Scope.provide(supervise(world), scope)
      const start = Effect.onInterrupt(Effect.never, () => dies)
      yield* Effect.forkChild(Effect.exit(app.startChild(Child.make("a", start))))
      yield* VirtualTime.settle
      yield* answer(Scope.close(scope, Exit.void))
      hasLine(world)
    }))
})

describe("a supervisor", () => {
  scenario("without a limit in time gives up like any other", (world) =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 1,
        period: "Infinity",
        children: [world.kit.child("a")]
      })
      yield* world.kit.crash("a")
      yield* TestClock.adjust("1 day")
      yield* world.kit.crash("a")
      const error = yield* answer(Effect.flip(app.await))
      assert.include(error.message, "app gave up on \"a\": 2 restarts needed")
    }))

  scenario(
    "misses no fiber where the scheduler yields at the first operation of each",
    (world) =>
      Effect.gen(function*() {
        const inner = yield* Scheduler.Scheduler
        const seen = new WeakSet<object>()
        const eager: Scheduler.Scheduler = {
          executionMode: inner.executionMode,
          makeDispatcher: () => inner.makeDispatcher(),
          shouldYield: (fiber) => {
            if (seen.has(fiber)) return inner.shouldYield(fiber)
            seen.add(fiber)
            return true
          }
        }
        const trace: Array<string> = []
        const body = (id: string) =>
          Effect.suspend(() => {
            trace.push(`start ${id}`)
            return Effect.onExit(Effect.never, () => Effect.sync(() => trace.push(`stop ${id}`)))
          })
        yield* Effect.gen(function*() {
          const scope = yield* Scope.make()
          const app = yield* Scope.provide(
            Supervisor.make("app", {
              strategy: "one-for-one",
              children: [
                Child.effect("a", body("a")),
                Child.make("b", Effect.succeed(body("b"))),
                Child.effect("c", body("c")),
                Child.make("d", Effect.succeed(body("d")))
              ]
            }),
            scope
          )
          // At once: none of the bodies has begun.
          yield* app.terminateChild("b")
          yield* app.terminateChild("a")
          yield* Scope.close(scope, Exit.void)
        }).pipe(Effect.provideService(Scheduler.Scheduler, eager))
        yield* VirtualTime.settle
        const of = (what: string) => trace.filter((line) => line.startsWith(what)).map((line) => line.slice(-1))
        assert.sameMembers(of("stop"), of("start"))
        assert.deepStrictEqual(world.living(), {})
      })
  )
})

describe("nothing outlives the supervisor's scope", () => {
  class Resource extends Context.Service<Resource, string>()("coppice/test/Robustness.test/Resource") {}

  /** How often each finalizer has run that was ever registered. */
  class Finalizers {
    readonly runs: Array<number> = []

    readonly add = Effect.suspend(() => {
      const index = this.runs.push(0) - 1
      return Effect.addFinalizer(() => Effect.sync(() => this.runs[index]!++))
    })
  }

  /** A child of every kind that forks in every way and has finalizers everywhere. */
  const busy = (finalizers: Finalizers) => {
    const forks = Effect.gen(function*() {
      yield* finalizers.add
      yield* Effect.forkChild(Effect.never)
      yield* Effect.forkScoped(Effect.never)
      yield* Effect.forkIn(Effect.sleep("1 hour"), yield* Effect.scope)
      return yield* Effect.never
    })
    const started = Effect.gen(function*() {
      yield* finalizers.add
      yield* Effect.forkScoped(Effect.forever(Effect.sleep("1 second")))
    })
    const layer = Layer.effect(Resource, Effect.as(started, "resource"))
    const leaves = [
      Child.effect("effect", forks),
      Child.make("make", Effect.as(started, forks)),
      Child.layer("layer", layer)
    ] as const
    return [
      ...leaves,
      Child.supervisor("one", Supervisor.layer("one", { strategy: "one-for-one", ...patient, children: leaves })),
      Child.supervisor("all", Supervisor.layer("all", { strategy: "one-for-all", ...patient, children: leaves })),
      Child.layer("inside", Supervisor.layer("deep", { strategy: "rest-for-one", ...patient, children: leaves })),
      Child.effect(
        "making",
        Effect.andThen(Supervisor.make("made", { strategy: "one-for-one", children: leaves }), Effect.never)
      )
    ] as const
  }

  for (const strategy of ["one-for-one", "one-for-all", "rest-for-one"] as const) {
    scenario(
      `under ${strategy}: all fibers have ended, and every finalizer has run exactly once`,
      (world) =>
        Effect.gen(function*() {
          const finalizers = new Finalizers()
          const scope = yield* Scope.make()
          const app = yield* Scope.provide(
            Supervisor.make("app", { strategy, ...patient, children: busy(finalizers) }),
            scope
          )
          yield* VirtualTime.settle
          for (const id of ["effect", "make", "layer", "one", "all", "inside", "making"] as const) {
            yield* app.exitChild(id, ExitReason.failure("crash"))
            yield* VirtualTime.settle
          }
          yield* answer(app.terminateChild("make"))
          yield* TestClock.adjust("10 seconds")
          assert.isAbove(Object.keys(world.living()).length, 10)

          yield* answer(Scope.close(scope, Exit.void))
          assert.deepStrictEqual(world.living(), {})
          assert.strictEqual(world.timers, 0)
          assert.isAbove(finalizers.runs.length, 20)
          assert.deepStrictEqual(new Set(finalizers.runs), new Set([1]))
        })
    )
  }

  scenario("after it gave up either: nothing runs, even before its scope is closed", (world) =>
    Effect.gen(function*() {
      const finalizers = new Finalizers()
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [...busy(finalizers), world.kit.child("bomb")]
      })
      yield* VirtualTime.settle
      yield* world.kit.crash("bomb")
      assert.strictEqual(yield* ended(app), "gave up")
      assert.deepStrictEqual(world.living(), {})
      assert.strictEqual(world.timers, 0)
      assert.deepStrictEqual(new Set(finalizers.runs), new Set([1]))
    }))

  scenario("nor a failed start: nothing runs after it", (world) =>
    Effect.gen(function*() {
      const finalizers = new Finalizers()
      const scope = yield* Scope.make()
      const make = Supervisor.make("app", {
        strategy: "one-for-all",
        children: [...busy(finalizers), Child.make("bomb", Effect.fail("no database"))]
      })
      assert.strictEqual((yield* answer(Effect.flip(Scope.provide(make, scope))))._tag, "ChildStartFailed")
      assert.deepStrictEqual(world.living(), {})
      assert.deepStrictEqual(new Set(finalizers.runs), new Set([1]))
    }))

  scenario(
    "and the end is known: await succeeds, calls are refused, the tree says stopped",
    (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(supervise(world), scope)
        yield* answer(Scope.close(scope, Exit.void))
        const down = new SupervisorError.SupervisorDown({ path: "app" })
        assert.deepStrictEqual(yield* answer(Effect.flip(app.countChildren)), down)
        assert.deepStrictEqual(yield* answer(Effect.flip(app.exitChild("witness", ExitReason.killed))), down)
        assert.strictEqual((yield* app.tree).state, "stopped")
      })
  )
})
