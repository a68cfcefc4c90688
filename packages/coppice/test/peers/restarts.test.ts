import { VirtualTime } from "@coppice/testing"
/** What users of other supervisors have reported, each as a test that bears the reference. */
import { assert, describe } from "@effect/vitest"
import { Backoff, Child, ExitReason, RestartPolicy, Supervisor } from "coppice"
import { Clock, Context, Effect, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { ended, patient, states } from "../support/kit.ts"
import { answer, collect, scenario } from "../support/world.ts"

type Handle = Supervisor.Supervisor

const idle = Effect.never

/** An external system, and the times at which it was asked for. */
class External {
  up = true
  readonly asked: Array<number> = []

  readonly connect = Effect.gen({ self: this }, function*() {
    this.asked.push(yield* Clock.currentTimeMillis)
    if (!this.up) return yield* Effect.fail("connection refused")
  })

  /** A child that is up as long as the system is: it notices after a second. */
  child(id: string, options: Child.Options) {
    const body: Effect.Effect<void, string> = Effect.suspend(() =>
      this.up ? Effect.andThen(Effect.sleep("1 second"), body) : Effect.fail("connection lost")
    )
    return Child.make(id, Effect.as(this.connect, body), options)
  }
}

const node = (app: Handle, id: string) =>
  Effect.map(app.tree, (tree) => tree.children.find((child) => child.id === id)!)

const one = (child: Child.Child<string, never, never>, options = {}) =>
  Supervisor.make("app", { strategy: "one-for-one", ...patient, ...options, children: [child] })

/** The waits before restarts since this was asked last, in milliseconds. */
const waitsOf = Effect.fnUntraced(function*(app: Handle) {
  const { take } = yield* collect(app)
  return Effect.map(
    take,
    (events) => events.flatMap((event) => event._tag === "ChildBackingOff" ? [event.delayMillis] : [])
  )
})

const crash = (app: Handle, id: string) =>
  Effect.andThen(Effect.orDie(app.exitChild(id, ExitReason.failure("crash"))), VirtualTime.settle)

describe("backoff", () => {
  scenario(
    "Supervisor/supervisor#487: a child retries, with a delay, as long as an external system is down",
    () =>
      Effect.gen(function*() {
        const db = new External()
        const app: Handle = yield* one(db.child("a", { backoff: Backoff.fixed("10 seconds") }))
        db.up = false
        yield* TestClock.adjust("1 hour")
        assert.isAtLeast(db.asked.length, 350)
        assert.strictEqual(yield* ended(app), "no")
        db.up = true
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* states(app), { a: "running" })
      })
  )

  scenario(
    "Supervisor/supervisor#1528, #1310: the wait has a cap, and there may be any number of retries",
    () =>
      Effect.gen(function*() {
        const db = new External()
        const app: Handle = yield* one(db.child("a", { backoff: Backoff.exponential("1 second", "8 seconds") }))
        const waits = yield* waitsOf(app)
        db.up = false
        yield* TestClock.adjust("10 minutes")
        const found = yield* waits
        assert.deepStrictEqual(found.slice(0, 4), [1000, 2000, 4000, 8000])
        assert.strictEqual(Math.max(...found), 8000)
        assert.isAtLeast(found.length, 70)
      })
  )

  for (
    const reference of [
      "systemd/systemd#6129, #43813: the growing wait begins anew after a successful run",
      "moby/moby#22283: the doubling wait begins anew after a day of health"
    ]
  ) {
    scenario(reference, ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* one(kit.child("a", { backoff: Backoff.exponential("1 second", "1 hour") }))
        const waits = yield* waitsOf(app)
        for (let time = 0; time < 5; time++) {
          yield* kit.crash("a")
          yield* TestClock.adjust(2 ** time * 1000)
        }
        yield* TestClock.adjust("1 day")
        yield* kit.crash("a")
        assert.deepStrictEqual(yield* waits, [1000, 2000, 4000, 8000, 16_000, 1000])
      }))
  }

  scenario(
    "kubernetes/kubernetes#57291, enhancements#4603: the wait is tuned by child, some exits have none",
    ({ kit }) =>
      Effect.gen(function*() {
        const backoff = Backoff.exponential("1 second", "5 seconds").pipe(
          Schedule.modifyDelay(({ duration, input }) => Effect.succeed(input.reason._tag === "Normal" ? 0 : duration))
        )
        const app: Handle = yield* one(kit.child("a", { backoff }))
        const waits = yield* waitsOf(app)
        yield* kit.return("a")
        assert.isTrue(kit.isUp("a"))
        yield* kit.crash("a")
        assert.isFalse(kit.isUp("a"))
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* waits, [2000])
      })
  )

  scenario("Unitech/pm2#4361: the cap of the wait is one's own", () =>
    Effect.gen(function*() {
      const db = new External()
      const app: Handle = yield* one(db.child("a", { backoff: Backoff.exponential("1 second", "10 minutes") }))
      const waits = yield* waitsOf(app)
      db.up = false
      yield* TestClock.adjust("1 day")
      assert.strictEqual(Math.max(...yield* waits), 600_000)
    }))

  scenario(
    "open-cli-tools/concurrently#265: a child that was alive for 60 seconds waits as at first",
    ({ kit }) =>
      Effect.gen(function*() {
        const { backoff, onExhausted, resetAfter, restart } = RestartPolicy.toOptions(RestartPolicy.make())
        const options = { backoff, onExhausted, resetAfter, restart } as Child.Options
        const app: Handle = yield* one(kit.child("a", options))
        const waits = yield* waitsOf(app)
        yield* TestClock.adjust("5 seconds")
        yield* kit.crash("a")
        yield* TestClock.adjust("30 seconds")
        yield* kit.crash("a")
        yield* TestClock.adjust("61 seconds")
        yield* kit.crash("a")
        assert.deepStrictEqual(yield* waits, [500, 1000, 500])
      })
  )

  scenario(
    "Unitech/pm2#2584, Supervisor/supervisor#1285: a child that lives for a second each time is not stable",
    ({ kit }) =>
      Effect.gen(function*() {
        const policy = RestartPolicy.toOptions(RestartPolicy.make({ maxRestarts: 5, startupGraceMillis: 0 }))
        const app: Handle = yield* one(kit.child("a", policy as Child.Options))
        while ((yield* states(app))["a"] !== "failed") {
          assert.isAtMost(kit.attempts("a"), 6)
          yield* TestClock.adjust("1100 millis")
          yield* kit.crash("a")
          yield* TestClock.adjust("30 seconds")
        }
        assert.strictEqual(kit.attempts("a"), 6)
      })
  )

  scenario(
    "just-containers/s6-overlay#544, #440, #277: N times, with growing waits, and then no more",
    ({ kit }) =>
      Effect.gen(function*() {
        const backoff = Schedule.upTo(Backoff.exponential("1 second", "1 minute"), { times: 4 })
        const app: Handle = yield* one(kit.child("a", {
          starts: ["ok", "fail", "fail", "fail", "fail", "fail", "fail"],
          backoff,
          onExhausted: "give-up"
        }))
        yield* kit.crash("a")
        yield* TestClock.adjust("1 day")
        assert.strictEqual(kit.attempts("a"), 1 + 4)
        assert.deepStrictEqual(yield* states(app), { a: "failed" })
      })
  )

  scenario(
    "Supervisor/supervisor#712, #733, s6-overlay#87: a critical child that fails for good ends everything",
    ({ kit }) =>
      Effect.gen(function*() {
        const backoff = Schedule.upTo(Backoff.fixed("1 second"), { times: 1 })
        const critical = yield* one(kit.child("a", { backoff }))
        yield* kit.crash("a")
        yield* TestClock.adjust("1 second")
        yield* kit.crash("a")
        assert.strictEqual((yield* Effect.flip(critical.await)).pattern, "exhausted")
        const options = { backoff, onExhausted: "give-up", restart: "transient", significant: true } as const
        const significant = yield* one(kit.child("b", options), { autoShutdown: "any-significant" })
        yield* kit.crash("b")
        yield* TestClock.adjust("1 second")
        yield* kit.crash("b")
        assert.strictEqual(yield* ended(significant), "shut down")
      })
  )

  scenario(
    "erlang/otp#1287, eep#28: the wait does not block the supervisor, and failures meanwhile are one restart",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          intensity: 1,
          period: "1 hour",
          children: [kit.child("a"), kit.child("b", { backoff: Backoff.fixed("10 seconds") }), kit.child("c")]
        })
        yield* kit.crash("b")
        assert.strictEqual((yield* answer(app.whichChildren)).length, 3)
        yield* kit.crash("a")
        kit.take()
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "start c"])
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  scenario(
    "rabbitmq/rabbitmq-common#201, klarna/supervisor3#13: a child whose restart waits is restarting, and not lost",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [kit.child("a"), kit.child("b", { starts: ["ok", "fail"], backoff: Backoff.fixed("10 seconds") })]
        })
        yield* kit.crash("b")
        assert.strictEqual((yield* Effect.flip(app.restartChild("b")))._tag, "ChildRestarting")
        yield* app.restartChild("a")
        yield* kit.crash("a")
        yield* TestClock.adjust("10 seconds")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
      })
  )

  scenario(
    "akka/akka-core#24129, #25772: what counts against a limit of restarts is forgotten after a good run",
    ({ kit }) =>
      Effect.gen(function*() {
        const backoff = Schedule.upTo(Backoff.fixed("1 second"), { times: 2 })
        const app: Handle = yield* one(kit.child("a", { backoff, resetAfter: "1 minute" }))
        for (let time = 0; time < 10; time++) {
          yield* kit.crash("a")
          yield* TestClock.adjust("1 second")
          yield* TestClock.adjust("1 minute")
        }
        assert.strictEqual(yield* ended(app), "no")
        for (let time = 0; time < 3; time++) {
          yield* kit.crash("a")
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  scenario(
    "pathosDev/actor-ts#665, #926: backoff is an option of the child, and survives its supervisor's restart",
    ({ kit }) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("in", {
          strategy: "one-for-one",
          ...patient,
          children: [kit.child("x", { backoff: Backoff.fixed("1 second") })]
        })
        const app: Handle = yield* one(Child.supervisor("in", nested))
        yield* kit.crash("x")
        // The supervisor is restarted while its child waits.
        yield* crash(app, "in")
        assert.deepStrictEqual([kit.attempts("x"), kit.isUp("x")], [2, true])
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(kit.attempts("x"), 2)
        yield* kit.crash("x")
        yield* TestClock.adjust("1 second")
        assert.isTrue(kit.isUp("x"))
      })
  )

  scenario(
    "pathosDev/actor-ts#917: the account of a child is its own, and no sibling uses it up",
    ({ kit }) =>
      Effect.gen(function*() {
        const backoff = Schedule.upTo(Backoff.fixed("1 second"), { times: 2 })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [
            kit.child("a", { backoff, onExhausted: "give-up" }),
            kit.child("b", { backoff, onExhausted: "give-up" })
          ]
        })
        for (let time = 0; time < 3; time++) {
          yield* kit.crash("a")
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(yield* states(app), { a: "failed", b: "running" })
        yield* kit.crash("b")
        assert.deepStrictEqual(yield* states(app), { a: "failed", b: "restarting" })
      })
  )

  scenario(
    "elixir-lang/elixir#7369: a child that cannot be started again does not take its siblings with it",
    ({ kit }) =>
      Effect.gen(function*() {
        const { onExhausted, backoff } = RestartPolicy.toOptions(RestartPolicy.make())
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            kit.child("a", { starts: ["ok", "fail", "fail", "fail", "fail", "fail"], backoff, onExhausted }),
            kit.child("b")
          ]
        })
        yield* kit.crash("a")
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* states(app), { a: "failed", b: "running" })
        assert.strictEqual(kit.attempts("b"), 1)
      })
  )
})

describe("restarts", () => {
  scenario(
    "erlang/otp#1289: who gives up says the intensity, the period and the likely cause",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { starts: ["ok", "fail", "fail", "fail", "fail"] })]
        })
        yield* kit.crash("a")
        const { message } = yield* Effect.flip(app.await)
        assert.include(message, "4 restarts needed within 5 s, 3 allowed")
        assert.include(message, "Likely cause: every restart of app/a failed while it started")
        assert.include(message, "backoff")
      })
  )

  scenario(
    "erlang/otp#1287 (comment): stops that are longer than the period do not make restarts uncounted",
    ({ kit }) =>
      Effect.gen(function*() {
        const slow = (id: string) =>
          Child.make(id, Effect.as(Effect.addFinalizer(() => Effect.sleep("10 seconds")), idle), {
            shutdown: "1 minute"
          })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 1,
          period: "5 seconds",
          children: [slow("slow"), kit.child("a")]
        })
        for (let time = 0; time < 2; time++) {
          yield* kit.crash("a")
          yield* TestClock.adjust("10 seconds")
        }
        assert.strictEqual(yield* ended(app), "gave up")
      })
  )

  scenario(
    "gleam-lang/otp#67: the normal exit of a child is no crash of its supervisor",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { restart: "transient" }), kit.child("b", { restart: "temporary" }), kit.child("c")]
        })
        yield* kit.return("a")
        yield* kit.return("b")
        yield* kit.return("c")
        assert.deepStrictEqual(yield* states(app), { a: "stopped", c: "running" })
      })
  )

  scenario(
    "F1bonacc1/process-compose#200: when all children have ended the supervisor lives, and can be told",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* one(kit.child("a", { restart: "transient" }))
        yield* kit.return("a")
        yield* TestClock.adjust("1 day")
        assert.strictEqual(yield* ended(app), "no")
        yield* app.restartChild("a")
        assert.isTrue(kit.isUp("a"))
      })
  )

  scenario(
    "Unitech/pm2#74, #2126, #2279: a port is free again before the next incarnation takes it",
    () =>
      Effect.gen(function*() {
        let taken = false
        const listen = Effect.acquireRelease(
          Effect.suspend(() => {
            if (taken) return Effect.fail("EADDRINUSE")
            taken = true
            return Effect.void
          }),
          () => Effect.andThen(Effect.sleep("2 seconds"), Effect.sync(() => taken = false))
        )
        const app: Handle = yield* one(Child.layer("web", Layer.effectDiscard(listen)), { intensity: 1 })
        yield* crash(app, "web")
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* states(app), { web: "running" })
        assert.strictEqual((yield* node(app, "web")).restarts, 1)
      })
  )

  scenario("Unitech/pm2#4901: a child that does not stop is not stopping for ever", (world) =>
    Effect.gen(function*() {
      const app: Handle = yield* one(world.kit.child("a", { stops: "deaf", shutdown: "1 second" }))
      const terminating = yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(app), { a: "stopping" })
      yield* TestClock.adjust("1 second")
      yield* answer(Fiber.join(terminating))
      assert.deepStrictEqual(yield* states(app), { a: "stopped" })
      yield* world.kit.return("a")
    }))

  scenario(
    "Unitech/pm2#6129, #6142: the late exit of a replaced incarnation starts nothing",
    (world) =>
      Effect.gen(function*() {
        let late: Effect.Effect<void> = Effect.void
        let starts = 0
        const body = Effect.suspend(() => {
          if (++starts > 1) return idle
          return Effect.uninterruptible(Effect.callback<void, string>((resume) => {
            late = Effect.sync(() => resume(Effect.fail("late")))
          }))
        })
        const app: Handle = yield* one(
          Child.effect("a", body, { shutdown: "1 second", backoff: Backoff.fixed("1 second") })
        )
        yield* crash(app, "a")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(starts, 2)
        yield* late
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(starts, 2)
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        assert.include(world.takeMessages("Warn"), "a: an abandoned child has ended at last")
      })
  )

  scenario("pathosDev/actor-ts#914: a start that throws leaves nothing behind", (world) =>
    Effect.gen(function*() {
      let starts = 0
      const start = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.sync(() => world.kit.note("released")))
        yield* Effect.forkScoped(idle)
        if (++starts === 2) return yield* Effect.die(new Error("thrown"))
        return idle
      })
      const app: Handle = yield* one(Child.make("a", start, { backoff: Backoff.fixed("1 second") }))
      const before = world.living()
      yield* crash(app, "a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(world.kit.take(), ["released", "released"])
      assert.deepStrictEqual(world.living(), {})
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(world.living(), before)
    }))

  scenario(
    "pathosDev/actor-ts#916: a crash loop is in the log, each crash and each wait",
    (world) =>
      Effect.gen(function*() {
        world.takeLines()
        yield* one(Child.effect("a", Effect.fail("down"), { backoff: Backoff.exponential("1 second", "4 seconds") }))
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(world.takeMessages("Error", "Warn"), [
          "a: child terminated",
          "a: restarting child in 1000 ms",
          "a: restarting child (1 of 1000 restarts)",
          "a: child terminated",
          "a: restarting child in 2000 ms",
          "a: restarting child (2 of 1000 restarts)",
          "a: child terminated",
          "a: restarting child in 4000 ms"
        ])
      })
  )
})

describe("health", () => {
  class Web extends Context.Service<Web, { hangs: boolean }>()("coppice/test/peers/restarts.test/Web") {}

  const ping = Effect.flatMap(Web, (web) => web.hangs ? Effect.never : Effect.void)

  scenario(
    "F1bonacc1/process-compose#403, #189: who fails to become ready is restarted, not killed",
    () =>
      Effect.gen(function*() {
        let ready = true
        const app: Handle = yield* one(Child.effect("a", idle, {
          readiness: { check: Effect.suspend(() => ready ? Effect.void : Effect.fail("not yet")) },
          startTimeout: "5 seconds",
          backoff: Backoff.fixed("1 second")
        }))
        ready = false
        yield* crash(app, "a")
        yield* TestClock.adjust("30 seconds")
        assert.notStrictEqual((yield* states(app))["a"], "failed")
        ready = true
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* states(app), { a: "running" })
      })
  )

  scenario(
    "F1bonacc1/process-compose#403, #544: dependents wait through the restart of what they depend on",
    ({ kit }) =>
      Effect.gen(function*() {
        let answers = true
        const check = Effect.suspend(() => answers ? Effect.void : Effect.fail("not ready"))
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [
            Child.effect("db", idle, { readiness: { check }, backoff: Backoff.fixed("5 seconds") }),
            kit.child("web"),
            kit.child("worker")
          ]
        })
        kit.take()
        answers = false
        yield* crash(app, "db")
        assert.deepStrictEqual(kit.take(), ["stop worker", "stop web"])
        yield* TestClock.adjust("15 seconds")
        assert.deepStrictEqual(kit.take(), [])
        answers = true
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(kit.take(), ["start web", "start worker"])
      })
  )

  scenario(
    "F1bonacc1/process-compose#531, #217, #488: started, ready and healthy are three things; readiness is asked no more once it is there",
    () =>
      Effect.gen(function*() {
        let asked = 0
        let answers = true
        const app: Handle = yield* one(Child.effect("a", idle, {
          readiness: { check: Effect.suspend(() => (asked++, answers ? Effect.void : Effect.fail("booting"))) },
          liveness: { check: Effect.void, startPeriod: "5 seconds" }
        }))
        const { take } = yield* collect(app)
        answers = false
        asked = 0
        yield* crash(app, "a")
        yield* TestClock.adjust("1500 millis")
        answers = true
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(asked, 3)
        const phases = (yield* take).map((event) => [event._tag, event.timeMillis])
        assert.deepStrictEqual(phases.slice(-4), [
          ["ChildStarting", 0],
          ["ChildStarted", 0],
          ["ChildReady", 2000],
          ["ChildHealthChanged", 7000]
        ])
      })
  )

  scenario(
    "Unitech/pm2#2197, #1072, #3916: a child that hangs, and has not ended, is found and restarted",
    () =>
      Effect.gen(function*() {
        const webs: Array<{ hangs: boolean }> = []
        const WebLive = Layer.sync(Web, () => {
          const web = { hangs: false }
          webs.push(web)
          return web
        })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.layer("web", WebLive, { liveness: { check: ping, interval: "5 seconds" } })]
        })
        yield* TestClock.adjust("1 hour")
        webs[0]!.hangs = true
        yield* TestClock.adjust("18 seconds")
        assert.lengthOf(webs, 2)
        const { lastExit, state } = yield* node(app, "web")
        assert.strictEqual(state, "running")
        assert.strictEqual(
          ExitReason.format(lastExit!.reason),
          "is unhealthy: liveness failed: no answer within 1000 ms"
        )
      })
  )
})
