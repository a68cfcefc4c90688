import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, ExitReason, SupervisionTree, Supervisor, SupervisorEvent } from "coppice"
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Pull,
  Random,
  Schedule,
  Schema,
  Scope
} from "effect"
import { TestClock } from "effect/testing"
import { ended, patient, states } from "./support/kit.ts"
import { type Given, given } from "./support/resources.ts"
import { answer, collect, scenario } from "./support/world.ts"

type Handle = Supervisor.Supervisor

/** The delays that a schedule answers, in milliseconds, to so many steps; fewer when it ends. */
const delays = Effect.fnUntraced(function*(schedule: Backoff.Backoff, steps: number) {
  const step = yield* Schedule.toStep(schedule)
  const found: Array<number> = []
  for (let attempt = 1; attempt <= steps; attempt++) {
    const input = { reason: ExitReason.normal, uptime: Duration.zero, attempt }
    const delay = yield* Pull.matchEffect(step(0, input), {
      onSuccess: ([, delay]) => Effect.succeed(Duration.toMillis(delay)),
      onFailure: Effect.failCause,
      onDone: () => Effect.undefined
    })
    if (delay === undefined) break
    found.push(delay)
  }
  return found
})

const times = (count: number) => Schedule.upTo(Backoff.fixed("1 second"), { times: count })

/** A crash from outside, and all that follows without time passing. */
const crash = (app: Handle, id: string, error: unknown = "crash") =>
  Effect.andThen(Effect.orDie(app.exitChild(id, ExitReason.failure(error))), VirtualTime.settle)

const node = (app: Handle, id: string) =>
  Effect.map(app.tree, (tree) => tree.children.find((child) => child.id === id)!)

/** A body that goes on. */
const idle = Effect.never

describe("exponential", () => {
  it.effect("waits the base, then twice as long each time, never longer than the cap", () =>
    Effect.gen(function*() {
      const found = yield* delays(Backoff.exponential("500 millis", "30 seconds"), 9)
      assert.deepStrictEqual(found, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    }))

  it.effect("waits no longer than the cap even the first time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(Backoff.exponential("1 minute", "30 seconds"), 2), [30_000, 30_000])
    }))

  it.effect("does not overflow, however often it is stepped", () =>
    Effect.gen(function*() {
      const found = yield* delays(Backoff.exponential("1 second", "1 minute"), 3000)
      assert.lengthOf(found, 3000)
      assert.deepStrictEqual(new Set(found.slice(6)), new Set([60_000]))
    }))

  it.effect("from zero stays at zero", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(new Set(yield* delays(Backoff.exponential(0, "1 minute"), 2000)), new Set([0]))
    }))
})

describe("fixed", () => {
  it.effect("waits the same each time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(Backoff.fixed("3 seconds"), 4), [3000, 3000, 3000, 3000])
    }))
})

describe("jittered", () => {
  it.effect("keeps each wait within a fifth, and uses both sides", () =>
    Effect.gen(function*() {
      const found = yield* Random.withSeed(delays(Backoff.jittered(Backoff.fixed("1 second")), 500), "coppice")
      assert.lengthOf(found, 500)
      assert.isTrue(found.every((delay) => delay >= 800 && delay <= 1200))
      assert.isTrue(found.some((delay) => delay < 900) && found.some((delay) => delay > 1100))
    }))

  it.effect("is fixed by the seed of Random", () =>
    Effect.gen(function*() {
      const jittered = Backoff.jittered(Backoff.exponential("1 second", "1 minute"))
      const once = yield* Random.withSeed(delays(jittered, 20), "a")
      assert.deepStrictEqual(yield* Random.withSeed(delays(jittered, 20), "a"), once)
      assert.notDeepEqual(yield* Random.withSeed(delays(jittered, 20), "b"), once)
    }))

  scenario("takes its random numbers from where the supervisor was built", () =>
    Effect.gen(function*() {
      const backoff = Backoff.jittered(Backoff.fixed("1 second"))
      const expected = yield* Random.withSeed(delays(backoff, 2), "seed")
      const app: Handle = yield* Random.withSeed(
        Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.effect("a", idle, { backoff })]
        }),
        "seed"
      )
      const { take } = yield* collect(app)
      yield* crash(app, "a")
      yield* TestClock.adjust("2 seconds")
      yield* crash(app, "a")
      const found = (yield* take).flatMap((event) => event._tag === "ChildBackingOff" ? [event.delayMillis] : [])
      assert.deepStrictEqual(found, expected)
    }))
})

describe("the schedule of a child", () => {
  scenario("is stepped with the reason, the uptime and the attempt", () =>
    Effect.gen(function*() {
      const inputs: Array<readonly [string, number, number]> = []
      const backoff = Schedule.passthrough(Backoff.fixed("1 second"))
        .pipe(
          Schedule.tap(({ output }) =>
            Effect.sync(() =>
              inputs.push([ExitReason.format(output.reason), Duration.toMillis(output.uptime), output.attempt])
            )
          )
        )
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.effect("a", idle, { backoff })]
      })
      yield* TestClock.adjust("7 seconds")
      yield* crash(app, "a", "first")
      yield* TestClock.adjust("3 seconds")
      yield* Effect.orDie(app.exitChild("a", ExitReason.killed))
      yield* VirtualTime.settle
      assert.deepStrictEqual(inputs, [["failed: first", 7000, 1], ["was killed", 2000, 2]])
    }))

  scenario("says exactly how long it waits", ({ kit }) =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const body = Effect.andThen(Effect.map(Clock.currentTimeMillis, (time) => starts.push(time)), Effect.fail("down"))
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [
          Child.effect("a", body, { backoff: Backoff.exponential("100 millis", "1 second") }),
          kit.child("b")
        ]
      })
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(starts, [0, 100, 300, 700, 1500, 2500, 3500])
      assert.strictEqual(kit.attempts("b"), 1)
    }))

  scenario("can end it for one reason and not for another: do not retry a bad password", () =>
    Effect.gen(function*() {
      const backoff = Backoff.fixed("1 second").pipe(
        Schedule.while(({ input }) => !(input.reason._tag === "Failure" && input.reason.error === "bad password"))
      )
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.effect("a", idle, { backoff, onExhausted: "give-up" })]
      })
      yield* crash(app, "a", "no route")
      assert.deepStrictEqual(yield* states(app), { a: "restarting" })
      yield* TestClock.adjust("1 second")
      yield* crash(app, "a", "bad password")
      assert.deepStrictEqual(yield* states(app), { a: "failed" })
    }))

  scenario("of delay zero restarts at once, and counts", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 1,
        children: [kit.child("a", { backoff: Backoff.fixed(0) })]
      })
      const { take } = yield* collect(app)
      yield* kit.crash("a")
      assert.deepStrictEqual((yield* take).map((event) => event._tag), [
        "ChildExited",
        "ChildRestarting",
        "ChildStarting",
        "ChildStarted"
      ])
      yield* kit.crash("a")
      assert.strictEqual(yield* ended(app), "gave up")
    }))

  scenario(
    "may wait for ever: calls are answered, a stop is not held up, and the event is JSON",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { backoff: Backoff.fixed("Infinity") })]
        })
        const { take } = yield* collect(app)
        yield* kit.crash("a")
        yield* TestClock.adjust("1000 days")
        assert.deepStrictEqual(yield* states(app), { a: "restarting" })
        const event = (yield* take).find((event) => event._tag === "ChildBackingOff")!
        const json = Schema.fromJsonString(Schema.toCodecJson(SupervisorEvent.SupervisorEvent))
        const sent = yield* Schema.decodeEffect(json)(yield* Schema.encodeEffect(json)(event))
        assert.strictEqual(sent._tag === "ChildBackingOff" ? sent.delayMillis : undefined, Infinity)
        yield* app.terminateChild("a")
        yield* app.restartChild("a")
        assert.isTrue(kit.isUp("a"))
      })
  )

  for (
    const [how, schedule, told] of [
      ["dies", Schedule.tap(Backoff.fixed(1), () => Effect.die("bug in the schedule")), "bug in the schedule"],
      ["fails", Schedule.tap(Backoff.fixed(1), () => Effect.fail("no settings")), "no settings"],
      [
        "dies while it ends",
        Schedule.tap(
          Backoff.fixed(1),
          () => Effect.failCause(Cause.combine(Cause.fail(Cause.Done()), Cause.die("bug in its end")))
        ),
        "bug in its end"
      ]
    ] as const
  ) {
    scenario(`that ${how} is an error line, and taken for exhausted`, (world) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            world.kit.child("a", { backoff: schedule as Backoff.Backoff, onExhausted: "give-up" }),
            world.kit.child("b")
          ]
        })
        world.takeLines()
        yield* world.kit.crash("a")
        const lines = world.takeLines().filter(({ level }) => level === "Error")
        assert.deepStrictEqual(lines.map(({ message }) => message), [
          "the backoff of a child failed",
          "child terminated",
          "child stays down, as its backoff is exhausted"
        ])
        assert.include(JSON.stringify(lines[0]?.cause), told)
        assert.deepStrictEqual(yield* states(app), { a: "failed", b: "running" })
      }))
  }

  scenario("that is none is said before anything starts", ({ kit }) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a", { backoff: "1 second" as unknown as Backoff.Backoff })]
      }))
      assert.include(String(exit), "backoff is a Schedule")
      assert.strictEqual(kit.attempts("a"), 0)
    }))
})

describe("resetAfter", () => {
  const app = Effect.fnUntraced(function*(options: Child.Options) {
    const app: Handle = yield* Supervisor.make("app", {
      strategy: "one-for-one",
      ...patient,
      children: [Child.effect("a", idle, { backoff: Backoff.exponential("1 second", "1 hour"), ...options })]
    })
    const { take } = yield* collect(app)
    const waits = Effect.map(
      take,
      (events) => events.flatMap((event) => event._tag === "ChildBackingOff" ? [event.delayMillis] : [])
    )
    return { app, waits }
  })

  scenario(
    "is how long a child has to be up for its account to begin anew: just below it goes on",
    () =>
      Effect.gen(function*() {
        const { app: supervisor, waits } = yield* app({ resetAfter: "10 seconds" })
        yield* crash(supervisor, "a")
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust(9999)
        yield* crash(supervisor, "a")
        yield* TestClock.adjust("2 seconds")
        yield* TestClock.adjust("10 seconds")
        yield* crash(supervisor, "a")
        assert.deepStrictEqual(yield* waits, [1000, 2000, 1000])
      })
  )

  scenario("is a minute unless it is said", () =>
    Effect.gen(function*() {
      const { app: supervisor, waits } = yield* app({})
      yield* crash(supervisor, "a")
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust(59_999)
      yield* crash(supervisor, "a")
      yield* TestClock.adjust("2 seconds")
      yield* TestClock.adjust("1 minute")
      yield* crash(supervisor, "a")
      assert.deepStrictEqual(yield* waits, [1000, 2000, 1000])
    }))

  scenario("does not count the time that a child waits, nor that of a start which fails", () =>
    Effect.gen(function*() {
      const ups: Array<number> = []
      let attempts = 0
      const start = Effect.gen(function*() {
        if (++attempts === 1) return Effect.andThen(Effect.sleep(1), Effect.fail("crash"))
        yield* Effect.sleep("1 minute")
        return yield* Effect.fail("no start")
      })
      const backoff = Schedule.tap(
        Schedule.passthrough(Backoff.fixed("1 minute")),
        ({ output }) => Effect.sync(() => ups.push(Duration.toMillis(output.uptime)))
      )
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.make("a", start, { backoff, resetAfter: "30 seconds" })]
      })
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(ups, [1, 0, 0])
    }))

  scenario(
    "does not count the time that the supervisor takes before it comes to judge the end",
    ({ kit }) =>
      Effect.gen(function*() {
        const { app: supervisor, waits } = yield* app({ resetAfter: "10 seconds" })
        yield* crash(supervisor, "a")
        yield* TestClock.adjust("2 seconds")
        yield* Effect.forkChild(supervisor.startChild(kit.child("slow", { starts: ["hang"] })))
        yield* crash(supervisor, "a")
        yield* TestClock.adjust("1 minute")
        yield* kit.release("slow")
        assert.deepStrictEqual(yield* waits, [1000, 2000])
      })
  )

  scenario(
    "does not take the uptime of the incarnation before for that of a start that failed",
    ({ kit }) =>
      Effect.gen(function*() {
        const supervisor: Handle = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [
            kit.child("a"),
            kit.child("b", {
              starts: ["ok", "ok", "fail"],
              backoff: Backoff.exponential("1 second", "1 hour"),
              resetAfter: "10 seconds"
            })
          ]
        })
        const { take } = yield* collect(supervisor)
        yield* kit.crash("b")
        yield* TestClock.adjust("1 minute")
        yield* kit.crash("a")
        const waits = (yield* take).flatMap((event) => event._tag === "ChildBackingOff" ? [event.delayMillis] : [])
        assert.deepStrictEqual(waits, [1000, 2000])
      })
  )
})

describe("a backoff that has ended", () => {
  scenario(
    "has the supervisor give up, unless it says otherwise, and that is not counted",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [kit.child("a", { backoff: times(1) })]
        })
        yield* kit.crash("a")
        yield* TestClock.adjust("1 second")
        yield* kit.crash("a")
        const error = yield* Effect.flip(app.await)
        assert.deepStrictEqual([error.pattern, error.restarts, error.child], ["exhausted", 1, "a"])
        assert.strictEqual(error.message, "app/a failed: a crashed\napp gave up on \"a\", whose backoff is exhausted")
      })
  )

  scenario("by failed starts has the supervisor give up likewise", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [kit.child("a", { starts: ["ok", "fail", "fail"], backoff: times(2) })]
      })
      yield* kit.crash("a")
      yield* TestClock.adjust("2 seconds")
      const error = yield* Effect.flip(app.await)
      assert.deepStrictEqual([error.pattern, error.restarts, error.reason._tag], ["exhausted", 2, "StartFailed"])
      assert.strictEqual(kit.attempts("a"), 3)
    }))

  for (const strategy of ["one-for-one", "one-for-all", "rest-for-one"] as const) {
    scenario(
      `with "give-up" leaves the child failed and its siblings unharmed under ${strategy}`,
      (world) =>
        Effect.gen(function*() {
          const { kit } = world
          const app: Handle = yield* Supervisor.make("app", {
            strategy,
            intensity: 0,
            children: [
              kit.child("a"),
              kit.child("b", { backoff: times(0), onExhausted: "give-up" }),
              kit.child("c")
            ]
          })
          const { take } = yield* collect(app)
          kit.take()
          world.takeLines()
          yield* TestClock.adjust("5 seconds")
          yield* kit.crash("b")
          assert.deepStrictEqual(kit.take(), ["crash b"])
          assert.deepStrictEqual(yield* states(app), { a: "running", b: "failed", c: "running" })
          const { lastExit } = yield* node(app, "b")
          assert.deepStrictEqual([lastExit?.reason._tag, lastExit?.timeMillis], ["Failure", 5000])
          const about = { path: "app/b", incarnation: 1, timeMillis: 5000 }
          const reason = ExitReason.failure("b crashed")
          assert.deepStrictEqual(yield* take, [
            { _tag: "ChildExited", ...about, reason, verdict: "fail" },
            { _tag: "ChildFailed", ...about, reason }
          ])
          assert.deepStrictEqual(world.takeMessages("Error", "Warn"), [
            "b: child terminated",
            "b: child stays down, as its backoff is exhausted"
          ])
        })
    )
  }

  scenario(
    "in a group restart leaves the child failed, and starts the later ones of the group",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [
            kit.child("a"),
            kit.child("b", { starts: ["ok", "fail"], backoff: times(0), onExhausted: "give-up" }),
            kit.child("c"),
            kit.child("d")
          ]
        })
        kit.take()
        yield* kit.crash("d")
        assert.deepStrictEqual(kit.take(), [
          "crash d",
          "stop c",
          "stop b",
          "stop a",
          "start a",
          "fail b",
          "start c",
          "start d"
        ])
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "failed", c: "running", d: "running" })
      })
  )

  scenario(
    "keeps the child down through the group restarts of its siblings: only restartChild starts it",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [kit.child("a"), kit.child("b", { backoff: times(1), onExhausted: "give-up" }), kit.child("c")]
        })
        yield* kit.crash("b")
        yield* TestClock.adjust("1 second")
        yield* kit.crash("b")
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop c", "start a", "start c"])
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "failed", c: "running" })
        assert.strictEqual((yield* node(app, "b")).lastExit?.reason._tag, "Failure")
        yield* app.restartChild("b")
        yield* kit.crash("a")
        assert.isTrue(kit.isUp("b"))
      })
  )

  scenario("is forgotten by restartChild: the child has a fresh account", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [kit.child("a", { backoff: times(1), onExhausted: "give-up" })]
      })
      const exhaust = Effect.gen(function*() {
        yield* kit.crash("a")
        assert.deepStrictEqual(yield* states(app), { a: "restarting" })
        yield* TestClock.adjust("1 second")
        yield* kit.crash("a")
        assert.deepStrictEqual(yield* states(app), { a: "failed" })
      })
      yield* exhaust
      assert.deepStrictEqual((yield* app.restartChild("a")).incarnation, 3)
      yield* exhaust
    }))

  scenario("lets a failed child be deleted, and another have its id", ({ kit }) =>
    Effect.gen(function*() {
      const child = kit.child("a", { backoff: times(0), onExhausted: "give-up" })
      const app: Handle = yield* Supervisor.make("app", { strategy: "one-for-one", children: [child] })
      yield* kit.crash("a")
      yield* app.deleteChild("a")
      yield* app.startChild(kit.child("a"))
      assert.isTrue(kit.isUp("a"))
    }))

  for (const autoShutdown of ["any-significant", "all-significant"] as const) {
    scenario(
      `of a significant child is its end for good: the supervisor shuts down under ${autoShutdown}`,
      ({ kit }) =>
        Effect.gen(function*() {
          const app: Handle = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            autoShutdown,
            children: [
              kit.child("a", { restart: "transient", significant: true, backoff: times(0), onExhausted: "give-up" }),
              kit.child("b")
            ]
          })
          yield* kit.crash("a")
          assert.strictEqual(yield* ended(app), "shut down")
        })
    )

    scenario(
      `of a significant child in a failed start is its end for good under ${autoShutdown}`,
      ({ kit }) =>
        Effect.gen(function*() {
          const options = { restart: "transient", significant: true, onExhausted: "give-up" } as const
          const app: Handle = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            autoShutdown,
            children: [kit.child("a", { ...options, starts: ["ok", "fail"], backoff: times(1) }), kit.child("b")]
          })
          yield* kit.crash("a")
          assert.strictEqual(yield* ended(app), "no")
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* ended(app), "shut down")
        })
    )
  }
})

describe("the wait", () => {
  scenario(
    "does not block: the child is restarting, calls are answered, siblings crash and restart",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [kit.child("a", { backoff: Backoff.fixed("10 seconds") }), kit.child("b")]
        })
        yield* kit.crash("a")
        assert.deepStrictEqual(yield* states(app), { a: "restarting", b: "running" })
        assert.strictEqual((yield* answer(Effect.flip(app.restartChild("a"))))._tag, "ChildRestarting")
        assert.strictEqual((yield* answer(Effect.flip(app.deleteChild("a"))))._tag, "ChildRestarting")
        assert.strictEqual((yield* answer(Effect.flip(app.startChild(kit.child("a")))))._tag, "ChildAlreadyPresent")
        assert.deepStrictEqual(yield* answer(app.countChildren), { specs: 2, active: 1, supervisors: 0, workers: 2 })
        yield* kit.crash("b")
        yield* kit.crash("b")
        assert.strictEqual(kit.attempts("b"), 3)
        yield* TestClock.adjust(9999)
        assert.strictEqual(kit.attempts("a"), 1)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
        assert.strictEqual((yield* node(app, "a")).restarts, 1)
      })
  )

  scenario("of several children goes on at the same time", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [
          kit.child("a", { backoff: Backoff.fixed("10 seconds") }),
          kit.child("b", { backoff: Backoff.fixed("5 seconds") })
        ]
      })
      yield* kit.crashTogether("a", "b")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* states(app), { a: "restarting", b: "running" })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
    }))

  scenario("is told in an event and a line", (world) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a", { backoff: Backoff.fixed("2 seconds") })]
      })
      const { take } = yield* collect(app)
      yield* world.kit.crash("a")
      yield* TestClock.adjust("2 seconds")
      const reason = ExitReason.failure("a crashed")
      const about = { path: "app/a", incarnation: 1, timeMillis: 0 }
      assert.deepStrictEqual(yield* take, [
        { _tag: "ChildExited", ...about, reason, verdict: "restart" },
        { _tag: "ChildBackingOff", ...about, reason, delayMillis: 2000 },
        { _tag: "ChildRestarting", ...about, timeMillis: 2000, reason },
        { _tag: "ChildStarting", ...about, incarnation: 2, timeMillis: 2000 },
        { _tag: "ChildStarted", ...about, incarnation: 2, timeMillis: 2000 }
      ])
      assert.deepStrictEqual(world.takeMessages("Warn"), [
        "a: restarting child in 2000 ms",
        "a: restarting child (1 of 3 restarts)"
      ])
    }))

  scenario("is cancelled by terminateChild", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a", { backoff: Backoff.fixed("10 seconds") })]
      })
      yield* kit.crash("a")
      assert.strictEqual(world.timers, 1)
      yield* app.terminateChild("a")
      yield* VirtualTime.settle
      assert.strictEqual(world.timers, 0)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* states(app), { a: "stopped" })
      assert.strictEqual((yield* node(app, "a")).lastExit?.reason._tag, "Failure")
    }))

  scenario(
    "of a temporary child is none, and terminateChild leaves no retry behind for a child started again",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a", { backoff: Backoff.fixed("10 seconds") })]
        })
        yield* kit.crash("a")
        yield* app.terminateChild("a")
        yield* app.restartChild("a")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(kit.attempts("a"), 2)
        yield* app.startChild(kit.child("t", { restart: "temporary", backoff: Backoff.fixed("10 seconds") }))
        yield* kit.crash("t")
        assert.deepStrictEqual(yield* states(app), { a: "running" })
      })
  )

  scenario("is cancelled by the stop of the supervisor, and leaves no timer", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const scope = yield* Scope.make()
      const children = [kit.child("a"), kit.child("b", { backoff: Backoff.fixed("10 seconds") })]
      yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
      yield* kit.crash("b")
      kit.take()
      yield* answer(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(kit.take(), ["stop a"])
      assert.strictEqual(world.timers, 0)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(kit.attempts("b"), 1)
    }))

  scenario("counts as active for all-significant", ({ kit }) =>
    Effect.gen(function*() {
      const significant = { restart: "transient", significant: true } as const
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        autoShutdown: "all-significant",
        children: [
          kit.child("a", { ...significant, backoff: Backoff.fixed("10 seconds") }),
          kit.child("b", significant)
        ]
      })
      yield* kit.crash("a")
      yield* kit.return("b")
      assert.strictEqual(yield* ended(app), "no")
      yield* TestClock.adjust("10 seconds")
      yield* kit.return("a")
      assert.strictEqual(yield* ended(app), "shut down")
    }))

  scenario(
    "is recorded when it is over: waits longer than the period never use up the intensity",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1,
          period: "5 seconds",
          children: [kit.child("a", { backoff: Backoff.fixed("6 seconds") })]
        })
        for (let time = 0; time < 10; time++) {
          yield* kit.crash("a")
          yield* TestClock.adjust("6 seconds")
        }
        assert.strictEqual(yield* ended(app), "no")
        assert.strictEqual(kit.attempts("a"), 11)
      })
  )

  scenario("shorter than the period does not hide from the intensity", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 2,
        period: "5 seconds",
        children: [kit.child("a", { backoff: Backoff.fixed("1 second") })]
      })
      for (let time = 0; time < 2; time++) {
        yield* kit.crash("a")
        yield* TestClock.adjust("1 second")
      }
      yield* kit.crash("a")
      assert.strictEqual(yield* ended(app), "no")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ended(app), "gave up")
      assert.strictEqual(kit.attempts("a"), 3)
    }))

  scenario("that is given up is not recorded: a sibling has the whole intensity", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 1,
        children: [kit.child("a", { backoff: times(0), onExhausted: "give-up" }), kit.child("b")]
      })
      yield* kit.crash("a")
      yield* kit.crash("b")
      assert.strictEqual(yield* ended(app), "no")
      assert.isTrue(kit.isUp("b"))
    }))

  scenario("comes again when the start after it fails, and each try is counted", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [
          kit.child("a", { starts: ["ok", "fail", "fail"], backoff: Backoff.exponential("1 second", "1 hour") })
        ]
      })
      kit.take()
      yield* kit.crash("a")
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(kit.take(), ["crash a"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(kit.take(), ["fail a"])
      yield* TestClock.adjust(1999)
      assert.deepStrictEqual(kit.take(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(kit.take(), ["fail a"])
      yield* TestClock.adjust(4000)
      assert.deepStrictEqual(kit.take(), ["start a"])
      assert.strictEqual((yield* node(app, "a")).restarts, 3)
    }))

  scenario("is cut short when a stop order comes in the start after it", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const scope = yield* Scope.make()
      const children = [kit.child("a", { starts: ["ok", "hang"], backoff: Backoff.fixed("1 second") })]
      yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
      yield* kit.crash("a")
      yield* TestClock.adjust("1 second")
      kit.take()
      yield* answer(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(kit.take(), [])
      assert.strictEqual(world.timers, 0)
    }))

  scenario(
    "does not begin in the first start: a supervisor that does not come up says so",
    ({ kit }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a"), kit.child("b", { starts: ["fail"], backoff: Backoff.fixed("1 second") })]
        }))
        assert.strictEqual(error._tag, "ChildStartFailed")
        assert.deepStrictEqual(kit.take(), ["start a", "fail b", "stop a"])
      })
  )

  scenario("does not begin in a call: the caller hears of the failure", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a", { starts: ["ok", "fail"], backoff: Backoff.fixed("1 second") })]
      })
      yield* app.terminateChild("a")
      assert.strictEqual((yield* Effect.flip(app.restartChild("a")))._tag, "ChildStartFailed")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(kit.attempts("a"), 2)
    }))
})

describe("the wait of a group", () => {
  const three = (
    kit: Parameters<Parameters<typeof scenario>[1]>[0]["kit"],
    strategy: "one-for-all" | "rest-for-one",
    options: Child.Options = { backoff: Backoff.fixed("10 seconds") }
  ) =>
    Supervisor.make("app", {
      strategy,
      ...patient,
      children: [kit.child("a"), kit.child("b", options), kit.child("c")]
    })

  scenario(
    "under one-for-all begins with its stop, and ends with its start in order",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* three(kit, "one-for-all")
        kit.take()
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "stop c", "stop a"])
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "restarting", c: "stopped" })
        yield* TestClock.adjust(9999)
        assert.deepStrictEqual(kit.take(), [])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "start c"])
        assert.deepStrictEqual((yield* app.tree).children.map((child) => child.restarts), [1, 1, 1])
      })
  )

  scenario("under rest-for-one leaves what is before it up", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* three(kit, "rest-for-one")
      kit.take()
      yield* kit.crash("b")
      assert.deepStrictEqual(kit.take(), ["crash b", "stop c"])
      assert.deepStrictEqual(yield* states(app), { a: "running", b: "restarting", c: "stopped" })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(kit.take(), ["start b", "start c"])
    }))

  scenario("is widened by the crash of an earlier sibling, and goes on", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const app: Handle = yield* three(kit, "rest-for-one")
      yield* kit.crash("b")
      yield* TestClock.adjust("4 seconds")
      kit.take()
      yield* kit.crash("a")
      assert.deepStrictEqual(kit.take(), ["crash a"])
      assert.deepStrictEqual(yield* states(app), { a: "restarting", b: "stopped", c: "stopped" })
      assert.strictEqual(world.timers, 1)
      yield* TestClock.adjust(5999)
      assert.deepStrictEqual(kit.take(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(kit.take(), ["start a", "start b", "start c"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(kit.take(), [])
    }))

  scenario("that is widened is as long as the longer of the two", ({ kit }) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        ...patient,
        children: [
          kit.child("a", { backoff: Backoff.fixed("20 seconds") }),
          kit.child("b", { backoff: Backoff.fixed("10 seconds") })
        ]
      })
      yield* kit.crash("b")
      yield* TestClock.adjust("5 seconds")
      yield* kit.crash("a")
      kit.take()
      yield* TestClock.adjust(19_999)
      assert.deepStrictEqual(kit.take(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(kit.take(), ["start a", "start b"])
    }))

  scenario("that is over does not hold up later crashes", ({ kit }) =>
    Effect.gen(function*() {
      yield* three(kit, "rest-for-one")
      yield* kit.crash("b")
      yield* TestClock.adjust("10 seconds")
      kit.take()
      yield* kit.crash("a")
      assert.deepStrictEqual(kit.take(), ["crash a", "stop c", "stop b", "start a", "start b", "start c"])
    }))

  scenario(
    "that was terminated does not hold up later crashes, which start all of the group",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* three(kit, "rest-for-one")
        yield* kit.crash("b")
        yield* app.terminateChild("b")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "stopped", c: "stopped" })
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "start a", "start b", "start c"])
      })
  )

  scenario(
    "goes on when a child of it is started by hand, which the restart then restarts",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* three(kit, "one-for-all")
        yield* kit.crash("b")
        yield* app.restartChild("c")
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "restarting", c: "running" })
        kit.take()
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(kit.take(), ["stop c", "start a", "start b", "start c"])
      })
  )

  scenario(
    "comes again when a start fails, from the child that failed under rest-for-one",
    ({ kit }) =>
      Effect.gen(function*() {
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [
            kit.child("a"),
            kit.child("b", { starts: ["ok", "fail"], backoff: Backoff.fixed("10 seconds") }),
            kit.child("c")
          ]
        })
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop c", "stop b", "start a", "fail b"])
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "restarting", c: "stopped" })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(kit.take(), ["start b", "start c"])
      })
  )

  scenario(
    "comes again when a start fails, and stops what the try has started under one-for-all",
    ({ kit }) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [
            kit.child("a"),
            kit.child("b", { starts: ["ok", "fail"], backoff: Backoff.fixed("10 seconds") }),
            kit.child("c")
          ]
        })
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop c", "stop b", "start a", "fail b", "stop a"])
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "start c"])
      })
  )

  scenario("is cancelled by the stop of the supervisor, and leaves no timer", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const scope = yield* Scope.make()
      yield* Scope.provide(three(kit, "rest-for-one"), scope)
      yield* kit.crash("b")
      kit.take()
      yield* answer(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(kit.take(), ["stop a"])
      assert.strictEqual(world.timers, 0)
    }))

  scenario("is recorded once, when it is over", ({ kit }) =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        intensity: 1,
        period: "1 hour",
        children: [kit.child("a"), kit.child("b", { backoff: Backoff.fixed("10 seconds") })]
      })
      yield* kit.crash("b")
      yield* kit.crash("a")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* states(app), { a: "running", b: "running" })
      assert.strictEqual(yield* ended(app), "no")
    }))

  scenario("of a child that gives a service rebuilds its users after it", () =>
    Effect.gen(function*() {
      class Counted extends Context.Service<Counted, number>()("coppice/test/Backoff.test/Counted") {}
      let built = 0
      const used: Array<number> = []
      const app = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        children: [
          Child.layer("db", Layer.sync(Counted, () => ++built), { backoff: Backoff.fixed("1 second") }),
          Child.effect("user", Effect.andThen(Effect.map(Counted, (number) => used.push(number)), Effect.never))
        ]
      })
      yield* app.exitChild("db", ExitReason.killed)
      yield* VirtualTime.settle
      assert.deepStrictEqual(used, [1])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(used, [1, 2])
    }))
})

describe("a backoff on a supervisor", () => {
  scenario(
    "delays its restart after it gave up; its children are none of its parent's business",
    ({ kit }) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", { strategy: "one-for-one", intensity: 0, children: [kit.child("x")] })
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", nested, { backoff: Backoff.fixed("10 seconds") }), kit.child("z")]
        })
        yield* kit.crash("x")
        assert.deepStrictEqual(yield* states(app), { nested: "restarting", z: "running" })
        assert.strictEqual((yield* node(app, "nested")).lastExit?.reason._tag, "GaveUp")
        yield* TestClock.adjust("10 seconds")
        assert.isTrue(kit.isUp("x"))
        assert.strictEqual(kit.attempts("z"), 1)
      })
  )

  scenario("delays the next try when it does not come up", ({ kit }) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        intensity: 0,
        children: [kit.child("x", { starts: ["ok", "fail"] })]
      })
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("nested", nested, { backoff: Backoff.exponential("1 second", "1 hour") })]
      })
      yield* kit.crash("x")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([kit.attempts("x"), kit.isUp("x")], [2, false])
      assert.deepStrictEqual(yield* states(app), { nested: "restarting" })
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(kit.isUp("x"))
    }))

  scenario("that is exhausted tells the whole story", ({ kit }) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        children: [kit.child("x", { backoff: times(0) })]
      })
      const app: Handle = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("nested", nested, { backoff: times(0) })]
      })
      yield* kit.crash("x")
      const error = yield* Effect.flip(app.await)
      assert.strictEqual(
        error.message,
        "app/nested/x failed: x crashed\napp/nested gave up on \"x\", whose backoff is exhausted\n" +
          "app gave up on \"nested\", whose backoff is exhausted"
      )
    }))
})

describe("startTimeout", () => {
  class Db extends Context.Service<Db, string>()("coppice/test/Backoff.test/Db") {}

  const kinds = (
    start: Effect.Effect<unknown>
  ): Record<string, (options: { startTimeout: Duration.Input }) => Given> => ({
    make: (options) => Child.make("slow", Effect.as(start, idle), options),
    layer: (options) => given(Child.layer("slow", Layer.effect(Db, Effect.as(start, "db")), options)),
    task: (options) => Child.task("slow", start, options),
    supervisor: (options) =>
      Child.supervisor(
        "slow",
        Supervisor.layer("in", {
          strategy: "one-for-one",
          children: [Child.effect("x", idle), Child.task("y", start)]
        }),
        options
      )
  })

  for (const kind of ["make", "layer", "task", "supervisor"]) {
    scenario(
      `aborts a start of a ${kind} that takes longer, and releases what it has acquired`,
      (world) =>
        Effect.gen(function*() {
          const start = Effect.onInterrupt(
            Effect.sleep("1 hour"),
            () => Effect.sync(() => world.kit.note("interrupted"))
          )
          const making = yield* Effect.forkChild(Effect.flip(Supervisor.make("app", {
            strategy: "one-for-one",
            children: [kinds(start)[kind]!({ startTimeout: "2 seconds" })]
          })))
          yield* TestClock.adjust(1999)
          assert.isUndefined(making.pollUnsafe())
          yield* TestClock.adjust(1)
          const error = yield* answer(Fiber.join(making))
          assert.deepStrictEqual(error._tag === "ChildStartFailed" && error.reason, ExitReason.startTimedOut(2000))
          assert.deepStrictEqual(world.kit.take(), ["interrupted"])
          assert.strictEqual(world.timers, 0)
          assert.strictEqual(
            error.message,
            "app/slow did not start within 2000 ms\napp could not start \"slow\""
          )
        })
    )

    scenario(`leaves a start of a ${kind} alone that is in time, and no timer`, (world) =>
      Effect.gen(function*() {
        const making = yield* Effect.forkChild(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kinds(Effect.sleep(1999))[kind]!({ startTimeout: "2 seconds" })]
        }))
        yield* TestClock.adjust(1999)
        const app: Handle = yield* answer(Fiber.join(making))
        assert.strictEqual(world.timers, 0)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* states(app), { slow: kind === "task" ? "stopped" : "running" })
      }))
  }

  scenario("of zero leaves a start only what it does at once", () =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.make("atOnce", Effect.succeed(idle), { startTimeout: 0 })]
      })
      const slow = Child.make("slow", Effect.never, { startTimeout: 0 })
      const error = yield* answer(Effect.flip(app.startChild(slow)))
      assert.deepStrictEqual(error._tag === "ChildStartFailed" && error.reason, ExitReason.startTimedOut(0))
      assert.deepStrictEqual(yield* states(app), { atOnce: "running" })
    }))

  scenario(
    "is told in events, the tree and JSON, and is tried again by the backoff",
    (world) =>
      Effect.gen(function*() {
        let attempts = 0
        const start = Effect.suspend(() => ++attempts === 2 ? Effect.never : Effect.succeed(idle))
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [Child.make("a", start, { startTimeout: "2 seconds", backoff: Backoff.fixed("10 seconds") })]
        })
        const { take } = yield* collect(app)
        yield* crash(app, "a")
        yield* TestClock.adjust("12 seconds")
        const events = yield* take
        const reason = ExitReason.startTimedOut(2000)
        const about = { path: "app/a", incarnation: 2, timeMillis: 12_000, reason }
        assert.deepStrictEqual(events.slice(-2), [
          { _tag: "ChildStartFailed", ...about },
          { _tag: "ChildBackingOff", ...about, delayMillis: 10_000 }
        ])
        const json = Schema.fromJsonString(Schema.toCodecJson(Schema.Array(SupervisorEvent.SupervisorEvent)))
        assert.deepStrictEqual(yield* Schema.decodeEffect(json)(yield* Schema.encodeEffect(json)(events)), events)
        const tree = yield* app.tree
        assert.deepStrictEqual(tree.children[0]?.lastExit?.reason, reason)
        assert.include(SupervisionTree.toText(tree), "did not start within 2000 ms")
        assert.include(SupervisionTree.toJson(tree), "\"StartTimedOut\"")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        assert.strictEqual(world.timers, 0)
      })
  )

  scenario(
    "without a backoff is a failed start like any other: tried again at once, and counted",
    () =>
      Effect.gen(function*() {
        let attempts = 0
        const start = Effect.suspend(() => ++attempts > 1 ? Effect.never : Effect.succeed(idle))
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 3,
          children: [Child.make("a", start, { startTimeout: "1 second" })]
        })
        yield* crash(app, "a")
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(attempts, 1 + 3)
        const error = yield* Effect.flip(app.await)
        assert.deepStrictEqual([error.pattern, error.reason._tag], ["failed-to-start", "StartTimedOut"])
      })
  )

  scenario(
    "is not prolonged by a start that will not be interrupted: that is abandoned",
    (world) =>
      Effect.gen(function*() {
        let attempts = 0
        const stubborn = Effect.uninterruptible(Effect.sleep("1 hour"))
        const start = Effect.suspend(() => Effect.as(++attempts === 2 ? stubborn : Effect.void, idle))
        const app: Handle = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.make("a", start, { startTimeout: "1 second", shutdown: "1 second" })]
        })
        yield* crash(app, "a")
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        assert.include(world.takeMessages("Error").join("\n"), "child abandoned")
        yield* TestClock.adjust("2 hours")
      })
  )

  scenario("is reported to the caller of startChild and restartChild", () =>
    Effect.gen(function*() {
      const app: Handle = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const child = Child.make("a", Effect.as(Effect.never, idle), { startTimeout: "1 second" })
      const starting = yield* Effect.forkChild(Effect.flip(app.startChild(child)))
      yield* TestClock.adjust("1 second")
      const error = yield* answer(Fiber.join(starting))
      assert.isTrue(error._tag === "ChildStartFailed" && error.reason._tag === "StartTimedOut")
      assert.deepStrictEqual(yield* states(app), {})
    }))
})
