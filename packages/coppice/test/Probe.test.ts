import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, ChildRef, ExitReason, type Probe, SupervisionTree, Supervisor } from "coppice"
import { Cause, Clock, Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, patient, states } from "./support/kit.ts"
import { type Given, given } from "./support/resources.ts"
import { answer, type Anything, collect, scenario } from "./support/world.ts"

type Handle = Supervisor.Supervisor

class Server extends Context.Service<Server, { open: boolean; readonly number: number }>()(
  "coppice/test/Probe.test/Server"
) {}

class ServerRef extends ChildRef.Service<ServerRef>()("coppice/test/Probe.test/ServerRef", Server) {}

/** A check that can be told how to go, and counts how often and when it was made. */
class Patient {
  readonly times: Array<number> = []
  /** How many checks go on. */
  active = 0
  most = 0
  how: Effect.Effect<unknown, Anything> = Effect.void

  readonly check: Effect.Effect<unknown, Anything> = Effect.suspend(() => {
    this.most = Math.max(this.most, ++this.active)
    return Effect.andThen(Effect.map(Clock.currentTimeMillis, (time) => this.times.push(time)), this.how)
  }).pipe(Effect.ensuring(Effect.sync(() => this.active--)))

  /** The times since this was asked last. */
  take(): ReadonlyArray<number> {
    return this.times.splice(0)
  }
}

const failing = Effect.fail("no answer")

const idle = Effect.never

const node = (app: Handle, id: string) =>
  Effect.map(app.tree, (tree) => tree.children.find((child) => child.id === id)!)

const tags = Effect.map((events: ReadonlyArray<{ readonly _tag: string; readonly path: string }>) =>
  events.map(({ _tag, path }) => `${_tag} ${path}`)
)

/** Every kind of child that can be ready. */
const kinds: Record<string, (options: Child.Options) => Given> = {
  effect: (options) => Child.effect("a", idle, options) as Given,
  make: (options) => Child.make("a", Effect.succeed(idle), options) as Given,
  layer: (options) => given(Child.layer("a", Layer.succeed(Server, { open: true, number: 1 }), options)),
  supervisor: (options) =>
    given(Child.supervisor(
      "a",
      Supervisor.layer("in", { strategy: "one-for-one", children: [Child.effect("x", idle)] }),
      options
    ))
}

/** A supervisor whose start takes time. */
const begin = <E>(making: Effect.Effect<Handle, E, Scope.Scope>) =>
  Effect.tap(Effect.forkChild(making), () => VirtualTime.settle)

describe("readiness", () => {
  for (const [kind, make] of Object.entries(kinds)) {
    scenario(
      `of a child made from ${kind} holds the later siblings until it succeeds for the first time`,
      ({ kit }) =>
        Effect.gen(function*() {
          const patient = new Patient()
          patient.how = failing
          const making = yield* begin(Supervisor.make("app", {
            strategy: "one-for-one",
            children: [kit.child("before"), make({ readiness: { check: patient.check } }), kit.child("after")]
          }))
          yield* TestClock.adjust("3 seconds")
          assert.deepStrictEqual(patient.take(), [0, 1000, 2000, 3000])
          assert.deepStrictEqual(kit.take(), ["start before"])
          assert.isUndefined(making.pollUnsafe())
          patient.how = Effect.void
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(kit.take(), ["start after"])
          const app = yield* answer(Fiber.join(making))
          assert.deepStrictEqual(yield* states(app), { before: "running", a: "running", after: "running" })
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(patient.take(), [4000])
        })
    )

    scenario(`of a child made from ${kind} is bounded by startTimeout`, (world) =>
      Effect.gen(function*() {
        const making = yield* begin(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            world.kit.child("before"),
            make({ readiness: { check: failing }, startTimeout: "2500 millis" })
          ]
        }))
        yield* TestClock.adjust(2499)
        assert.isUndefined(making.pollUnsafe())
        yield* TestClock.adjust(1)
        const error = yield* answer(Effect.flip(Fiber.join(making)))
        assert.deepStrictEqual(error.reason, ExitReason.startTimedOut(2500, Cause.fail("no answer")))
        assert.deepStrictEqual(world.kit.take(), ["start before", "stop before"])
        assert.strictEqual(world.timers, 0)
        assert.deepStrictEqual(world.living(), {})
      }))
  }

  scenario(
    "tells ChildStarted, then ChildReady, and the child is starting until then",
    (world) =>
      Effect.gen(function*() {
        const patient = new Patient()
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.effect("a", idle, { readiness: { check: patient.check, interval: "5 seconds" } })]
        })
        const { take } = yield* collect(app)
        patient.how = failing
        yield* Effect.orDie(app.exitChild("a", ExitReason.killed))
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* states(app), { a: "starting" })
        assert.strictEqual((yield* node(app, "a")).ready, false)
        assert.match(SupervisionTree.toText(yield* app.tree), /a {2}starting, not ready, 1 restart/)
        assert.deepStrictEqual((yield* tags(take)).slice(-2), ["ChildStarting app/a", "ChildStarted app/a"])
        patient.how = Effect.void
        yield* TestClock.adjust(4999)
        assert.deepStrictEqual(yield* states(app), { a: "starting" })
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        assert.strictEqual((yield* node(app, "a")).ready, true)
        assert.deepStrictEqual(yield* tags(take), ["ChildReady app/a"])
        assert.deepStrictEqual(world.takeMessages("Debug"), [])
      })
  )

  scenario("is not spoken of before the child has started, nor when it has ended", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const slow = kit.child("a", { starts: ["hang"], readiness: { check: Effect.void }, restart: "transient" })
      yield* Effect.forkChild(Effect.orDie(app.startChild(slow)))
      yield* VirtualTime.settle
      assert.isFalse("ready" in (yield* node(app, "a")))
      yield* kit.release("a")
      assert.strictEqual((yield* node(app, "a")).ready, true)
      yield* kit.return("a")
      assert.isFalse("ready" in (yield* node(app, "a")))
    }))

  scenario("that succeeds at once is a start like any other", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", idle, { readiness: { check: Effect.void } }), kit.child("b")]
      })
      assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
    }))

  scenario("fills the ref of the child only when it is ready", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      patient.how = failing
      const ref = yield* Layer.build(ServerRef.layer)
      const making = yield* begin(
        Effect.provide(
          Supervisor.make("app", {
            strategy: "one-for-one",
            children: [
              Child.layer("server", Layer.succeed(Server, { open: true, number: 7 }), {
                ref: ServerRef,
                readiness: { check: patient.check }
              })
            ]
          }),
          ref
        )
      )
      const using = yield* Effect.forkChild(
        Effect.provide(ServerRef.use(({ number }) => Effect.succeed(number)), ref)
      )
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(using.pollUnsafe())
      patient.how = Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* answer(Fiber.join(using)), 7)
      yield* Fiber.join(making)
    }))

  scenario("uses what the child has built", () =>
    Effect.gen(function*() {
      const server = { open: false, number: 1 }
      const check = Effect.flatMap(Server, ({ open }) => open ? Effect.void : failing)
      const making = yield* begin(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("server", Layer.succeed(Server, server), { readiness: { check } })]
      }))
      yield* TestClock.adjust("2 seconds")
      server.open = true
      assert.isUndefined(making.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* answer(Fiber.join(making))
    }))

  for (
    const [how, body, told] of [
      ["returns", Effect.sleep("1500 millis"), "returned normally"],
      ["fails", Effect.andThen(Effect.sleep("1500 millis"), Effect.fail("port taken")), "port taken"]
    ] as const
  ) {
    scenario(`of a child whose body ${how} before it is ready is a failed start`, (world) =>
      Effect.gen(function*() {
        for (
          const child of [
            Child.effect("a", body, { readiness: { check: failing } }),
            Child.make("a", Effect.succeed(body), { readiness: { check: failing } })
          ]
        ) {
          const making = yield* begin(Supervisor.make("app", { strategy: "one-for-one", children: [child] }))
          yield* TestClock.adjust("1500 millis")
          const error = yield* answer(Effect.flip(Fiber.join(making)))
          assert.strictEqual(error.reason._tag, "StartFailed")
          assert.include(error.message, told)
          assert.strictEqual(world.timers, 0)
          assert.deepStrictEqual(world.living(), {})
        }
      }))
  }

  scenario("is not asked of a child whose body has ended at once", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      const error = yield* Effect.flip(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", Effect.fail("port taken"), { readiness: { check: patient.check } })]
      }))
      assert.include(error.message, "port taken")
      assert.deepStrictEqual(patient.take(), [])
    }))

  scenario(
    "that does not come in a restart is tried again, after the backoff where there is one",
    ({ kit }) =>
      Effect.gen(function*() {
        const patient = new Patient()
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.effect("a", idle, {
              readiness: { check: patient.check },
              startTimeout: "2 seconds",
              backoff: Backoff.fixed("10 seconds")
            }),
            kit.child("b")
          ]
        })
        patient.how = failing
        yield* Effect.orDie(app.exitChild("a", ExitReason.killed))
        yield* TestClock.adjust("10 seconds")
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(
          (yield* node(app, "a")).lastExit?.reason,
          ExitReason.startTimedOut(2000, Cause.fail("no answer"))
        )
        patient.how = Effect.void
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
        assert.strictEqual((yield* node(app, "a")).restarts, 2)
      })
  )

  scenario("is aborted by a stop order: what was started is stopped in reverse", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const scope = yield* Scope.make()
      const body = Effect.ensuring(idle, Effect.sync(() => kit.note("stop a")))
      const making = yield* begin(Scope.provide(
        Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            kit.child("before"),
            Child.effect("a", body, { readiness: { check: failing } }),
            kit.child("after")
          ]
        }),
        scope
      ))
      kit.take()
      const stopping = yield* Effect.forkChild(Fiber.interrupt(making))
      yield* answer(Fiber.join(stopping))
      assert.deepStrictEqual(kit.take(), ["stop a", "stop before"])
      assert.strictEqual(world.timers, 0)
      assert.deepStrictEqual(world.living(), {})
      yield* Scope.close(scope, Exit.void)
    }))

  scenario("holds a group restart, in order", ({ kit }) =>
    Effect.gen(function*() {
      const patient = new Patient()
      yield* Supervisor.make("app", {
        strategy: "one-for-all",
        children: [
          kit.child("before"),
          Child.effect("a", idle, { readiness: { check: patient.check } }),
          kit.child("after")
        ]
      })
      patient.how = failing
      kit.take()
      yield* kit.crash("after")
      assert.deepStrictEqual(kit.take(), ["crash after", "stop before", "start before"])
      patient.how = Effect.void
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(kit.take(), ["start after"])
    }))

  scenario("check that takes too long has failed", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      patient.how = Effect.never
      const making = yield* begin(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", idle, { readiness: { check: patient.check, timeout: 300, interval: 700 } })]
      }))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(patient.take(), [0, 1000, 2000])
      patient.how = Effect.void
      yield* TestClock.adjust("1 second")
      yield* answer(Fiber.join(making))
      assert.strictEqual(patient.most, 1)
    }))

  scenario("check that asks its supervisor, which waits for it, is told so", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const check = Effect.gen(function*() {
        const { supervisor } = yield* Child.current
        const error = yield* Effect.flip(supervisor.whichChildren)
        told.push(error._tag)
      })
      yield* answer(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", idle, { readiness: { check } })]
      }))
      assert.deepStrictEqual(told, ["CallFromWithin"])
    }))

  scenario("of a task is a mistake: when it has started it is over", () =>
    Effect.gen(function*() {
      const options = { readiness: { check: Effect.void } } as {}
      const exit = yield* Effect.exit(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.task("migrate", Effect.void, options)]
      }))
      assert.include(String(exit), "a task has no readiness: when it has started, it is over")
    }))
})

describe("liveness", () => {
  const one = Effect.fnUntraced(function*(liveness: Probe.Liveness<never>, options: Child.Options = {}) {
    const app: Handle = yield* Supervisor.make("app", {
      strategy: "one-for-one",
      ...patient,
      children: [Child.effect("a", idle, { ...options, liveness })]
    })
    const { take } = yield* collect(app)
    return { app, take }
  })

  scenario("is checked at once, then every 10 seconds, unless it says otherwise", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      yield* one({ check: patient.check })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(patient.take(), [0, 10_000, 20_000, 30_000])
    }))

  scenario(
    "begins after the start period, and its interval begins at the end of a check",
    () =>
      Effect.gen(function*() {
        const patient = new Patient()
        patient.how = Effect.sleep("500 millis")
        yield* one({ check: patient.check, startPeriod: "1 minute", interval: "2 seconds" })
        yield* TestClock.adjust(59_999)
        assert.deepStrictEqual(patient.take(), [])
        yield* TestClock.adjust(5001)
        assert.deepStrictEqual(patient.take(), [60_000, 62_500, 65_000])
      })
  )

  scenario("finds the body of the child running at its first check", () =>
    Effect.gen(function*() {
      const seen: Array<boolean> = []
      let running = false
      const body = Effect.andThen(Effect.sync(() => running = true), idle)
      const liveness = { check: Effect.sync(() => seen.push(running)) }
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.effect("a", body, { liveness }),
          Child.make("b", Effect.sync(() => (running = false, body)), { liveness })
        ]
      })
      assert.deepStrictEqual(seen, [true, true])
    }))

  scenario(
    "ends the child after as many failures in a row as the threshold, and it is restarted",
    () =>
      Effect.gen(function*() {
        const patient = new Patient()
        patient.how = failing
        const { app, take } = yield* one({ check: patient.check, interval: "1 second", failureThreshold: 3 })
        yield* TestClock.adjust(1999)
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        patient.how = Effect.fail({ message: "connection refused" })
        yield* TestClock.adjust(1)
        const { incarnation, lastExit, restarts } = yield* node(app, "a")
        assert.deepStrictEqual([incarnation, restarts], [2, 1])
        const reason = lastExit?.reason
        assert.isTrue(reason?._tag === "Unhealthy" && reason.check === "liveness")
        assert.strictEqual(ExitReason.format(reason!), "is unhealthy: liveness failed: connection refused")
        assert.include(SupervisionTree.toText(yield* app.tree), "is unhealthy: liveness failed: connection refused")
        assert.include(yield* tags(take), "ChildExited app/a")
      })
  )

  scenario(
    "is 3 failures in a row unless it says otherwise: a success in between begins anew",
    () =>
      Effect.gen(function*() {
        const patient = new Patient()
        const { app } = yield* one({ check: patient.check, interval: "1 second" })
        for (let time = 0; time < 5; time++) {
          patient.how = failing
          yield* TestClock.adjust("2 seconds")
          patient.how = Effect.void
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual((yield* node(app, "a")).incarnation, 1)
        patient.how = failing
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual((yield* node(app, "a")).incarnation, 2)
      })
  )

  scenario("names its check where it has a name", () =>
    Effect.gen(function*() {
      const { app } = yield* one({ check: failing, name: "ping", failureThreshold: 1, startPeriod: "1 second" })
      yield* TestClock.adjust("1 second")
      const { lastExit } = yield* node(app, "a")
      assert.strictEqual(ExitReason.format(lastExit!.reason), "is unhealthy: ping failed: no answer")
    }))

  scenario("check that takes longer than a second has failed, and says so", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      patient.how = Effect.never
      const { app } = yield* one({ check: patient.check, failureThreshold: 1 })
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* node(app, "a")).incarnation, 1)
      yield* TestClock.adjust(1)
      const { lastExit } = yield* node(app, "a")
      assert.strictEqual(
        ExitReason.format(lastExit!.reason),
        "is unhealthy: liveness failed: no answer within 1000 ms"
      )
    }))

  for (const [how, check] of [["dies", Effect.die("bug")], ["is interrupted", Effect.interrupt]] as const) {
    scenario(`check that ${how} has failed`, () =>
      Effect.gen(function*() {
        const { app } = yield* one({ check, failureThreshold: 2, interval: "1 second" })
        yield* TestClock.adjust(999)
        assert.strictEqual((yield* node(app, "a")).incarnation, 1)
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* node(app, "a")).lastExit?.reason._tag, "Unhealthy")
      }))
  }

  scenario("is shown in the tree, and its changes are events", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      const { app, take } = yield* one({
        check: patient.check,
        interval: "1 second",
        startPeriod: "1 second",
        successThreshold: 2
      })
      const health = Effect.map(node(app, "a"), (child) => child.health)
      const changes = Effect.map(take, (events) =>
        events.flatMap((event) =>
          event._tag === "ChildHealthChanged" ? [[event.timeMillis, event.health]] : []
        ))
      assert.strictEqual(yield* health, "unknown")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* health, "unknown")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* health, "healthy")
      patient.how = failing
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* health, "failing")
      patient.how = Effect.void
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* health, "failing")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* health, "healthy")
      assert.deepStrictEqual(yield* changes, [[2000, "healthy"], [3000, "failing"], [6000, "healthy"]])
      const json = Schema.fromJsonString(Schema.toCodecJson(SupervisionTree.Node))
      const tree = yield* app.tree
      assert.deepStrictEqual(yield* Schema.decodeEffect(json)(SupervisionTree.toJson(tree)), tree)
      yield* app.terminateChild("a")
      assert.isUndefined(yield* health)
    }))

  scenario(
    "begins anew with each incarnation, and a child without one has no health",
    ({ kit }) =>
      Effect.gen(function*() {
        const patient = new Patient()
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 10,
          children: [
            Child.effect("a", idle, {
              liveness: { check: patient.check, startPeriod: "1 second", failureThreshold: 2, interval: "1 second" }
            }),
            kit.child("b")
          ]
        })
        patient.how = failing
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* node(app, "a")).health, "failing")
        assert.match(SupervisionTree.toText(yield* app.tree), /a {2}running, failing/)
        yield* Effect.orDie(app.exitChild("a", ExitReason.killed))
        yield* VirtualTime.settle
        assert.strictEqual((yield* node(app, "a")).health, "unknown")
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* node(app, "a")).incarnation, 2)
        assert.isUndefined((yield* node(app, "b")).health)
        assert.doesNotHaveAnyKeys(yield* node(app, "b"), ["health", "ready"])
      })
  )

  scenario("uses what the child has built, each incarnation its own", () =>
    Effect.gen(function*() {
      let number = 0
      const checked: Array<number> = []
      const check = Effect.flatMap(Server, (server) => {
        checked.push(server.number)
        return server.open ? Effect.void : failing
      })
      const servers: Array<{ open: boolean; readonly number: number }> = []
      const layer = Layer.sync(Server, () => {
        const server = { open: true, number: ++number }
        servers.push(server)
        return server
      })
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("server", layer, { liveness: { check, interval: "1 second", failureThreshold: 1 } })]
      })
      yield* TestClock.adjust("1 second")
      servers[0]!.open = false
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(checked, [1, 1, 1, 2, 2])
    }))

  for (const restart of ["transient", "temporary"] as const) {
    scenario(
      `is judged by the rules: a ${restart} child ${restart === "transient" ? "is restarted" : "is gone"}`,
      () =>
        Effect.gen(function*() {
          const { app } = yield* one({ check: failing, failureThreshold: 1, startPeriod: "1 second" }, { restart })
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* states(app), restart === "transient" ? { a: "running" } : {})
        })
    )
  }

  scenario("counts: a child that never becomes healthy uses up the intensity", () =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 2,
        children: [Child.effect("a", idle, { liveness: { check: failing, failureThreshold: 1, startPeriod: 100 } })]
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ended(app), "gave up")
      const error = yield* Effect.flip(app.await)
      assert.include(error.message, "app/a is unhealthy: liveness failed: no answer")
    }))

  scenario("waits by the backoff of the child", () =>
    Effect.gen(function*() {
      const liveness = { check: failing, failureThreshold: 1, startPeriod: "1 second" } as const
      const { app } = yield* one(liveness, { backoff: Backoff.fixed("5 seconds") })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* states(app), { a: "restarting" })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* states(app), { a: "running" })
    }))

  scenario("restarts the group of the child", ({ kit }) =>
    Effect.gen(function*() {
      const patient = new Patient()
      const body = Effect.ensuring(
        Effect.andThen(Effect.sync(() => kit.note("start b")), idle),
        Effect.sync(() => kit.note("stop b"))
      )
      yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        children: [
          kit.child("a"),
          Child.effect("b", body, { liveness: { check: patient.check, interval: "1 second", failureThreshold: 1 } }),
          kit.child("c")
        ]
      })
      kit.take()
      patient.how = failing
      yield* Effect.forkChild(Effect.andThen(Effect.sleep(1500), Effect.sync(() => patient.how = Effect.void)))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(kit.take().slice(0, 4), ["stop b", "stop c", "start b", "start c"])
    }))

  scenario(
    "never has two checks at once, also when one swallows its interruption: that has failed",
    () =>
      Effect.gen(function*() {
        const patient = new Patient()
        patient.how = Effect.uninterruptible(Effect.sleep("5 seconds"))
        const { app } = yield* one({ check: patient.check, interval: "1 second", failureThreshold: 100 })
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(patient.most, 1)
        // Each goes on for 5 seconds, and is looked at every second.
        assert.deepStrictEqual(patient.take(), [0, 5000, 10_000, 15_000, 20_000])
        assert.strictEqual((yield* node(app, "a")).health, "failing")
        assert.match(SupervisionTree.toText(yield* app.tree), /a {2}running, failing/)
        patient.how = Effect.void
        yield* TestClock.adjust("10 seconds")
      })
  )

  scenario("closes after each check what it has acquired", ({ kit }) =>
    Effect.gen(function*() {
      const connection = Effect.acquireRelease(
        Effect.sync(() => kit.note("open")),
        () => Effect.sync(() => kit.note("close"))
      )
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", idle, { liveness: { check: connection, interval: "1 second" } })]
      })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(kit.take(), ["open", "close", "open", "close"])
    }))

  for (
    const [how, stop] of [
      ["terminateChild", (app: Handle) => app.terminateChild("a")],
      ["a restart", (app: Handle) => app.exitChild("a", ExitReason.killed)]
    ] as const
  ) {
    scenario(
      `does not outlive its incarnation after ${how}: no fiber and no timer is left of it`,
      (world) =>
        Effect.gen(function*() {
          const patient = new Patient()
          patient.how = Effect.never
          const { app } = yield* one({ check: patient.check, interval: "1 second" })
          yield* TestClock.adjust(1)
          const before = { living: world.living(), timers: world.timers }
          yield* Effect.orDie(stop(app))
          yield* VirtualTime.settle
          assert.strictEqual(patient.active, how === "a restart" ? 1 : 0)
          const after = { living: world.living(), timers: world.timers }
          assert.deepStrictEqual(after, how === "a restart" ? before : { living: {}, timers: 0 })
        })
    )
  }

  scenario("does not outlive its incarnation when the child is abandoned", (world) =>
    Effect.gen(function*() {
      const patient = new Patient()
      const { kit } = world
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a", { stops: "deaf", shutdown: "1 second", liveness: { check: patient.check } })]
      })
      const terminating = yield* Effect.forkChild(app.terminateChild("a"))
      yield* TestClock.adjust("1 second")
      yield* answer(Fiber.join(terminating))
      patient.take()
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(patient.take(), [])
      assert.deepStrictEqual(world.living(), { "app/a": 1 })
      assert.strictEqual(world.timers, 0)
      yield* kit.return("a")
    }))

  scenario(
    "tells nothing more of the health of a child that has left and is yet to be judged",
    ({ kit }) =>
      Effect.gen(function*() {
        const patient = new Patient()
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { liveness: { check: patient.check, interval: "1 second" } })]
        })
        const { take } = yield* collect(app)
        yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
        yield* VirtualTime.settle
        yield* kit.crash("a")
        patient.how = failing
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* tags(take), ["ChildStarting app/slow"])
        patient.how = Effect.void
        yield* kit.release("slow")
      })
  )

  scenario("does not begin for a child that has ended at once", () =>
    Effect.gen(function*() {
      const patient = new Patient()
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.effect("a", Effect.void, { restart: "transient", liveness: { check: patient.check } }),
          Child.make("b", Effect.succeed(Effect.void), { restart: "transient", liveness: { check: patient.check } })
        ]
      })
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "stopped" })
      assert.deepStrictEqual(patient.take(), [])
    }))

  scenario(
    "is not checked while the child takes its time to stop, and nothing is told of its health then",
    (world) =>
      Effect.gen(function*() {
        const patient = new Patient()
        const body = Effect.onInterrupt(idle, () => Effect.sleep("4 seconds"))
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.effect("a", body, { liveness: { check: patient.check, interval: "1 second" } })]
        })
        patient.take()
        const { take } = yield* collect(app)
        patient.how = failing
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* TestClock.adjust("4 seconds")
        yield* answer(Fiber.join(terminating))
        assert.deepStrictEqual(patient.take(), [])
        assert.deepStrictEqual(yield* tags(take), ["ChildStopped app/a"])
        assert.strictEqual(world.timers, 0)
      })
  )

  scenario("begins when the child is ready", () =>
    Effect.gen(function*() {
      const [readiness, liveness] = [new Patient(), new Patient()]
      readiness.how = failing
      const making = yield* begin(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.effect("a", idle, {
            readiness: { check: readiness.check },
            liveness: { check: liveness.check, interval: "1 second" }
          })
        ]
      }))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(liveness.take(), [])
      readiness.how = Effect.void
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([readiness.take(), liveness.take()], [[0, 1000, 2000, 3000], [3000, 4000]])
      yield* Fiber.join(making)
    }))

  scenario("may call the supervisor of the child, and may end the child itself", () =>
    Effect.gen(function*() {
      const check = Effect.gen(function*() {
        const { incarnation, supervisor } = yield* Child.current
        assert.strictEqual((yield* supervisor.countChildren).active, 1)
        if (incarnation === 1) return yield* Child.exit("had enough")
      })
      const { app } = yield* one({ check, startPeriod: "1 second" })
      yield* TestClock.adjust("1 second")
      const { incarnation, lastExit } = yield* node(app, "a")
      assert.deepStrictEqual([incarnation, lastExit?.reason], [2, ExitReason.shutdown("had enough")])
    }))

  scenario(
    "keeps its replacement's options: a layer put in the place by layerWith is checked likewise",
    () =>
      Effect.gen(function*() {
        const checked: Array<number> = []
        class App extends Supervisor.Service<App>()("coppice/test/Probe.test/App", {
          strategy: "one-for-one",
          children: [
            Child.layer("server", Layer.succeed(Server, { open: true, number: 1 }), {
              liveness: { check: Effect.map(Server, ({ number }) => checked.push(number)) }
            })
          ]
        }) {}
        yield* Layer.build(App.layerWith({ server: Layer.succeed(Server, { open: true, number: 2 }) }))
        assert.deepStrictEqual(checked, [2])
      })
  )

  for (
    const [what, liveness, problem] of [
      [
        "a threshold of zero",
        { failureThreshold: 0 },
        "the thresholds of its liveness are whole numbers from 1, not 0"
      ],
      [
        "half a threshold",
        { successThreshold: 0.5 },
        "the thresholds of its liveness are whole numbers from 1, not 0.5"
      ],
      ["no interval", { interval: 0 }, "the interval of its liveness is a duration longer than zero"]
    ] as const
  ) {
    scenario(`with ${what} is said before anything starts`, ({ kit }) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a"), Child.effect("b", idle, { liveness: { check: Effect.void, ...liveness } })]
        }))
        assert.include(String(exit), problem)
        assert.deepStrictEqual(kit.take(), [])
      }))
  }
})

// The pure function is internal, and another project's: its types are not to be had here.
interface Checks {
  readonly health: "unknown" | "healthy" | "failing"
  readonly failures: number
  readonly successes: number
}
const healthModule = "../src/internal/health.ts"
const { afterCheck, initial } = await import(healthModule) as {
  readonly initial: Checks
  readonly afterCheck: (
    record: Checks,
    succeeded: boolean,
    thresholds: { readonly failure: number; readonly success: number }
  ) => Checks | "unhealthy"
}

describe("what checks amount to", () => {
  /** The health after each check: `+` succeeds, `-` fails. */
  const after = (checks: string, failure: number, success: number): ReadonlyArray<string> => {
    const found: Array<string> = []
    let record = initial
    for (const check of checks) {
      const next = afterCheck(record, check === "+", { failure, success })
      if (next === "unhealthy") return [...found, "unhealthy"]
      record = next
      found.push(record.health)
    }
    return found
  }

  it("is unknown until a check fails or enough succeed", () => {
    assert.strictEqual(initial.health, "unknown")
    assert.deepStrictEqual(after("+", 3, 1), ["healthy"])
    assert.deepStrictEqual(after("+++", 3, 3), ["unknown", "unknown", "healthy"])
    assert.deepStrictEqual(after("-", 3, 1), ["failing"])
  })

  it("is unhealthy after so many failures in a row, not one fewer, and whatever was before", () => {
    assert.deepStrictEqual(after("---", 3, 1), ["failing", "failing", "unhealthy"])
    assert.deepStrictEqual(after("--+--", 3, 1), ["failing", "failing", "healthy", "failing", "failing"])
    assert.deepStrictEqual(after("++++---", 3, 1).slice(-3), ["failing", "failing", "unhealthy"])
    assert.deepStrictEqual(after("-", 1, 1), ["unhealthy"])
  })

  it("fails on until so many successes in a row", () => {
    assert.deepStrictEqual(after("-++", 3, 2), ["failing", "failing", "healthy"])
    assert.deepStrictEqual(after("-+-+-++", 3, 2).slice(-2), ["failing", "healthy"])
  })

  it("counts the failures in a row from the latest success, even one that was not enough", () => {
    assert.deepStrictEqual(after("--+--+--", 3, 2).includes("unhealthy"), false)
  })
})

describe("unhealthy", () => {
  it("names the check, and carries the error and the cause", () => {
    const cause = Cause.fail("no answer")
    assert.deepStrictEqual(ExitReason.unhealthy("ping", cause), {
      _tag: "Unhealthy",
      check: "ping",
      error: "no answer",
      cause
    })
  })
})
