import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, ExitReason, Supervisor, SupervisorError } from "coppice"
import { Cause, Context, Effect, Exit, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { withoutStack } from "../src/internal/withoutStack.js"
import { answer, type Anything, collect, scenario } from "./support/world.ts"

const fail = Cause.makeFailReason
const die = Cause.makeDieReason
const interrupt = Cause.makeInterruptReason

const of = (...reasons: ReadonlyArray<Cause.Reason<Anything>>) =>
  ExitReason.fromExit(Exit.failCause(Cause.fromReasons(reasons)))

describe("fromExit", () => {
  it("is Normal for a success, whatever its value", () => {
    for (const value of [undefined, null, 0, "value", new Error("value")]) {
      assert.deepStrictEqual(ExitReason.fromExit(Exit.succeed(value)), ExitReason.normal)
    }
  })

  it("is Failure for a typed error, with the whole cause", () => {
    for (const error of ["no route", undefined, null, 0, { _tag: "NoRoute" }, new Error("no route")]) {
      assert.deepStrictEqual(of(fail(error)), { _tag: "Failure", error, cause: Cause.fail(error) })
    }
  })

  it("is Defect for a panic, with the whole cause", () => {
    for (const defect of ["bug", undefined, null, 0, new Error("bug")]) {
      assert.deepStrictEqual(of(die(defect)), { _tag: "Defect", defect, cause: Cause.die(defect) })
    }
  })

  it("is Interrupted for an interruption that nobody asked for, and for a cause without reasons", () => {
    assert.deepStrictEqual(of(interrupt(7)), { _tag: "Interrupted", cause: Cause.interrupt(7) })
    assert.deepStrictEqual(of(), { _tag: "Interrupted", cause: Cause.empty })
  })

  it("lets a defect count for more than an error, and an error for more than an interruption, in any order", () => {
    const reasons = [interrupt(7), fail("first"), fail("second"), die("bug"), die("other bug")]
    const orders = [reasons, reasons.toReversed(), [reasons[3]!, reasons[0]!, reasons[1]!, reasons[4]!, reasons[2]!]]
    for (const order of orders) assert.strictEqual(of(...order)._tag, "Defect")
    const withoutDefects = reasons.slice(0, 3)
    for (const order of [withoutDefects, withoutDefects.toReversed()]) assert.strictEqual(of(...order)._tag, "Failure")
  })

  it("takes the first of several, and keeps all of them in the cause", () => {
    const failed = of(interrupt(7), fail("first"), fail("second"))
    assert.deepStrictEqual(failed, {
      _tag: "Failure",
      error: "first",
      cause: Cause.fromReasons([interrupt(7), fail("first"), fail("second")])
    })
    const panicked = of(fail("error"), die("first"), die("second"))
    assert.isTrue(panicked._tag === "Defect" && panicked.defect === "first" && panicked.cause.reasons.length === 3)
  })

  it.effect("is Shutdown where the child left by Child.exit, also among other interruptions, but not beside a failure", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const leaving = Child.make(
        "leaving",
        Effect.succeed(Effect.flatMap(Effect.exit(Child.exit("drained")), (exit) =>
          Effect.sync(() => {
            exits.push(exit)
          })))
      )
      yield* Supervisor.make("app", { strategy: "one-for-one", children: [] }).pipe(
        Effect.flatMap((app) => app.startChild(leaving))
      )
      const [exit] = exits
      if (exit?._tag !== "Failure") return assert.fail("did not leave")
      assert.deepStrictEqual(ExitReason.fromExit(exit), ExitReason.shutdown("drained"))

      const left = exit.cause.reasons
      const all = (...more: ReadonlyArray<Cause.Reason<unknown>>) =>
        ExitReason.fromExit(Exit.failCause(Cause.fromReasons([...more, ...left])))._tag
      assert.strictEqual(all(interrupt(7)), "Shutdown")
      const before = Exit.failCause(Cause.fromReasons([...left, interrupt(7)]))
      assert.deepStrictEqual(ExitReason.fromExit(before), ExitReason.shutdown("drained"))
      assert.strictEqual(all(fail("no route")), "Failure")
      assert.strictEqual(all(die("bug")), "Defect")
    }))
})

const exceeded = (
  path: string,
  child: string,
  reason: ExitReason.ExitReason,
  fields?: Partial<ExitReason.RestartIntensityExceeded>
) =>
  new ExitReason.RestartIntensityExceeded({
    path,
    child,
    reason,
    intensity: 3,
    periodMillis: 5000,
    restarts: 4,
    pattern: "mixed",
    ...fields
  })

const gaveUp = (error: ExitReason.RestartIntensityExceeded): ExitReason.ExitReason => ({ _tag: "GaveUp", error })

/** Every kind of reason. */
const reasons: Record<ExitReason.ExitReason["_tag"], ExitReason.ExitReason> = {
  Normal: ExitReason.normal,
  Shutdown: ExitReason.shutdown("drained"),
  Failure: ExitReason.failure("no route"),
  Defect: ExitReason.defect("bug"),
  Interrupted: of(interrupt(7)),
  Killed: ExitReason.killed,
  StartFailed: ExitReason.startFailed(ExitReason.failure("no database")),
  StartTimedOut: ExitReason.startTimedOut(500, Cause.fail("no answer")),
  Unhealthy: ExitReason.unhealthy("ping", Cause.fail("no answer")),
  ProviderDown: ExitReason.providerDown("db", "shop/Db", Cause.die("Service not found: shop/Db")),
  GaveUp: gaveUp(exceeded("app", "a", ExitReason.failure("no route")))
}

describe("isClean", () => {
  it("is true of Normal, Shutdown and GaveUp, and of nothing else", () => {
    const clean = Object.values(reasons).filter(ExitReason.isClean).map((reason) => reason._tag)
    assert.deepStrictEqual(clean, ["Normal", "Shutdown", "GaveUp"])
  })
})

describe("isToldInside", () => {
  it("is true of the end of a supervisor, and of a start that a supervisor inside has spoilt, and of nothing else", () => {
    const inside = exceeded("app/a", "b", ExitReason.killed)
    const notStarted = new SupervisorError.ChildStartFailed({ path: "app/a", id: "b", reason: reasons.StartFailed })
    const told = [
      gaveUp(inside),
      ...[inside, notStarted].map((error) => ExitReason.startFailed(ExitReason.failure(error)))
    ]
    assert.deepStrictEqual(told.map(ExitReason.isToldInside), [true, true, true])
    const others = [
      ...Object.values(reasons).filter((reason) => reason._tag !== "GaveUp"),
      ExitReason.failure(inside),
      ExitReason.defect(notStarted),
      ExitReason.startFailed(ExitReason.failure({ _tag: "ChildStartFailed", message: "of another program" }))
    ]
    assert.deepStrictEqual(others.filter(ExitReason.isToldInside), [])
  })
})

describe("getCause", () => {
  it("is the cause where there is one; for a supervisor that gave up, its error", () => {
    assert.deepStrictEqual(
      Object.values(reasons).map((reason) => [reason._tag, ExitReason.getCause(reason)]),
      [
        ["Normal", Option.none()],
        ["Shutdown", Option.none()],
        ["Failure", Option.some(Cause.fail("no route"))],
        ["Defect", Option.some(Cause.die("bug"))],
        ["Interrupted", Option.some(Cause.interrupt(7))],
        ["Killed", Option.none()],
        ["StartFailed", Option.some(Cause.fail("no database"))],
        ["StartTimedOut", Option.none()],
        ["Unhealthy", Option.some(Cause.fail("no answer"))],
        ["ProviderDown", Option.some(Cause.die("Service not found: shop/Db"))],
        ["GaveUp", Option.some(Cause.fail(reasons.GaveUp._tag === "GaveUp" ? reasons.GaveUp.error : undefined))]
      ]
    )
  })
})

describe("startFailed", () => {
  it("keeps the error and the cause of a failure and of a panic", () => {
    assert.deepStrictEqual(ExitReason.startFailed(reasons.Failure), {
      _tag: "StartFailed",
      error: "no route",
      cause: Cause.fail("no route")
    })
    assert.deepStrictEqual(ExitReason.startFailed(reasons.Defect), {
      _tag: "StartFailed",
      error: "bug",
      cause: Cause.die("bug")
    })
  })

  it("says in words what else can happen to a start", () => {
    const words = (reason: ExitReason.ExitReason) => ExitReason.format(ExitReason.startFailed(reason))
    assert.strictEqual(words(reasons.Interrupted), "could not start: the start was interrupted")
    assert.strictEqual(words(reasons.Normal), "could not start: the child left while it started: returned normally")
    assert.strictEqual(words(reasons.Shutdown), "could not start: the child left while it started: shut down: drained")
    assert.strictEqual(words(reasons.Killed), "could not start: the child left while it started: was killed")
    assert.include(words(reasons.GaveUp), "could not start: app/a failed: no route")
  })

  it("changes nothing about a start that failed already", () => {
    for (const reason of [reasons.StartFailed, reasons.StartTimedOut, reasons.ProviderDown]) {
      assert.strictEqual(ExitReason.startFailed(reason), reason)
    }
  })
})

describe("the constructors", () => {
  it("make what fromExit reads", () => {
    assert.deepStrictEqual(ExitReason.failure("no route"), of(fail("no route")))
    assert.deepStrictEqual(ExitReason.defect("bug"), of(die("bug")))
    assert.deepStrictEqual(ExitReason.shutdown(), { _tag: "Shutdown" })
    assert.deepStrictEqual(ExitReason.shutdown(0), { _tag: "Shutdown", reason: 0 })
  })
})

describe("format", () => {
  it("is a line for each reason", () => {
    assert.deepStrictEqual(Object.values(reasons).map(ExitReason.format), [
      "returned normally",
      "shut down: drained",
      "failed: no route",
      "panicked: bug",
      "was interrupted, and not by its supervisor",
      "was killed",
      "could not start: no database",
      "did not start within 500 ms, and was not ready: no answer",
      "is unhealthy: ping failed: no answer",
      "needs shop/Db, and its sibling \"db\", which gives it, is down",
      "app gave up on \"a\": 4 restarts needed within 5 s, 3 allowed"
    ])
    assert.strictEqual(ExitReason.format(ExitReason.shutdown()), "shut down")
  })

  it("says of an error its message, else its tag, else its name, else itself", () => {
    class Tagged extends Schema.TaggedError<Tagged>()("Tagged", { code: Schema.Int }) {}
    const words = (error: Anything) => ExitReason.format(ExitReason.failure(error)).slice("failed: ".length)
    assert.strictEqual(words(new Error("no route")), "no route")
    assert.strictEqual(words({ message: "no route" }), "no route")
    assert.strictEqual(words(new Tagged({ code: 7 })), "Tagged")
    assert.strictEqual(words({ _tag: "NoRoute", code: 7 }), "NoRoute")
    assert.strictEqual(words(new RangeError("")), "RangeError")
    assert.strictEqual(words({ code: 7 }), "{\"code\":7}")
    assert.strictEqual(words({ message: "no route", problem: "another" }), "no route")
    for (const odd of [{ _tag: 7 }, { message: 7 }, { message: null, _tag: false }]) {
      assert.strictEqual(words(odd), JSON.stringify(odd))
    }
    for (const plain of ["text", 7, true, null, undefined, 1n]) assert.strictEqual(words(plain), String(plain))
  })

  it("says nothing of an error that says nothing, and cuts off what is longer than 300 characters", () => {
    const words = (error: Anything) => ExitReason.format(ExitReason.failure(error)).slice("failed: ".length)
    for (const empty of ["", "\n", new Error("\r\n")]) assert.strictEqual(words(empty), "")
    assert.strictEqual(words("x".repeat(300)), "x".repeat(300))
    assert.strictEqual(words("x".repeat(301)), `${"x".repeat(300)}…`)
  })

  const trap = (): never => {
    throw new Error("trap")
  }

  const unreadable = new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap })

  it("says so of an error that cannot be read, and tells what else there is to tell", () => {
    const reason = ExitReason.startFailed(ExitReason.failure(unreadable))
    assert.strictEqual(ExitReason.format(reason), "could not start: (an error that cannot be read)")
    assert.isFalse(ExitReason.isToldInside(reason))
    assert.deepStrictEqual(exceeded("app", "a", reason, { pattern: "failed-to-start" }).message.split("\n"), [
      "app/a could not start: (an error that cannot be read)",
      "app gave up on \"a\": 4 restarts needed within 5 s, 3 allowed",
      "Likely cause: every restart of app/a failed while it started; " +
      "what it needs is down longer than that (give it a backoff, or raise intensity and period)"
    ])
  })

  it("is one line of at most 300 characters and a few words, whatever the error", () => {
    const long = "x".repeat(100_000)
    const errors: ReadonlyArray<Anything> = [
      new Error(long),
      new Error(`first line\n${long}`),
      new Error(`first line\r\n${long}`),
      new Error(`\n${long}`),
      { _tag: long },
      { _tag: "first\nsecond" },
      Object.assign(new Error(""), { name: `first\n${long}` }),
      { list: Array.from({ length: 10_000 }, () => "x") },
      long,
      Symbol(long),
      trap,
      () => long,
      { toString: trap, toJSON: trap, [Symbol.toPrimitive]: trap },
      { toJSON: () => undefined },
      Object.create(null),
      {
        get message() {
          return trap()
        }
      },
      unreadable,
      exceeded("app", long, ExitReason.failure(long))
    ]
    for (const error of errors) {
      for (const reason of [ExitReason.failure(error), ExitReason.defect(error), ExitReason.shutdown(error)]) {
        for (const each of [reason, ExitReason.startFailed(reason)]) {
          const line = ExitReason.format(each)
          assert.isBelow(line.length, 400)
          assert.notMatch(line, /[\n\r]/)
        }
      }
    }
    const line = ExitReason.format(gaveUp(exceeded("app", long, ExitReason.normal)))
    assert.isBelow(line.length, 400)
  })
})

describe("the Schema", () => {
  const codec = Schema.toCodecJson(ExitReason.ExitReason)
  const decode = Schema.decodeUnknownSync(codec)
  const roundTrip = (reason: ExitReason.ExitReason) =>
    decode(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(reason))))

  for (const [tag, reason] of Object.entries(reasons).filter(([tag]) => tag !== "GaveUp")) {
    it(`takes ${tag} to JSON and back`, () => {
      assert.deepStrictEqual(roundTrip(reason), reason)
    })
  }

  it("takes a cause of many reasons to JSON and back", () => {
    const reason = of(interrupt(7), fail("first"), die("bug"), fail("second"))
    assert.deepStrictEqual(roundTrip(reason), reason)
  })

  it("takes a GaveUp of three levels to JSON and back: the same story, and still the same classes", () => {
    const leaf = exceeded("app/storage/db", "socket", ExitReason.failure("no route"), { pattern: "failed-to-start" })
    const middle = exceeded("app/storage", "db", gaveUp(leaf))
    const root = exceeded("app", "storage", gaveUp(middle), { intensity: 0, restarts: 1, periodMillis: 100 })
    const back = roundTrip(gaveUp(root))
    if (back._tag !== "GaveUp") return assert.fail(back._tag)
    assert.isTrue(back.error instanceof ExitReason.RestartIntensityExceeded)
    assert.strictEqual(back.error.message, root.message)
    assert.isTrue(
      back.error.reason._tag === "GaveUp" && back.error.reason.error instanceof ExitReason.RestartIntensityExceeded
    )
    const { child, intensity, path, pattern, periodMillis, restarts } = back.error
    assert.deepStrictEqual(
      { child, intensity, path, pattern, periodMillis, restarts },
      { child: "storage", intensity: 0, path: "app", pattern: "mixed", periodMillis: 100, restarts: 1 }
    )
  })

  it("takes every pattern to JSON and back", () => {
    for (const pattern of ["failed-to-start", "returned", "escalated", "exhausted", "mixed"] as const) {
      const back = roundTrip(gaveUp(exceeded("app", "a", ExitReason.killed, { pattern })))
      assert.strictEqual(back._tag === "GaveUp" && back.error.pattern, pattern)
    }
  })

  it("takes an endless period to JSON and back", () => {
    const reason = gaveUp(exceeded("app", "a", ExitReason.killed, { periodMillis: Infinity }))
    const back = roundTrip(reason)
    assert.isTrue(back._tag === "GaveUp" && back.error.periodMillis === Infinity)
  })

  it("refuses what is no reason", () => {
    const wrongs: ReadonlyArray<unknown> = [
      {},
      { _tag: "Gone" },
      { _tag: "Failure" },
      { _tag: "GaveUp", error: {} },
      "Normal"
    ]
    for (const wrong of wrongs) assert.throws(() => decode(wrong))
  })
})

describe("the message of a supervisor that gave up", () => {
  scenario("tells the story from the leaf to the root, over three levels", (world) =>
    Effect.gen(function*() {
      const low = Supervisor.layer("low", {
        strategy: "one-for-one",
        intensity: 1,
        period: "500 millis",
        children: [world.kit.child("leaf"), world.kit.child("other")]
      })
      const middle = Supervisor.layer("middle", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.supervisor("low", low)]
      })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        period: "1 minute",
        children: [Child.layer("middle", middle)]
      })
      yield* world.kit.crash("leaf")
      yield* world.kit.leave("leaf", Effect.die("out of memory"))
      const error = yield* answer(Effect.flip(app.await))
      const story = [
        "app/middle/middle/low/leaf panicked: out of memory",
        "app/middle/middle/low gave up on \"leaf\": 2 restarts needed within 500 ms, 1 allowed",
        "app/middle/middle gave up on \"low\": 1 restart needed within 5 s, 0 allowed",
        "app gave up on \"middle\": 1 restart needed within 60 s, 0 allowed"
      ]
      assert.strictEqual(error.message, story.join("\n"))
      assert.deepStrictEqual(ExitReason.story(error), story)
    }))

  scenario("names the likely cause where every restart failed to start", (world) =>
    Effect.gen(function*() {
      const starts = ["ok", "fail", "fail", "fail"] as const
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a", { starts })]
      })
      yield* world.kit.crash("a")
      const error = yield* answer(Effect.flip(app.await))
      assert.strictEqual(error.pattern, "failed-to-start")
      assert.deepStrictEqual(error.message.split("\n"), [
        "app/a could not start: a does not start",
        "app gave up on \"a\": 4 restarts needed within 5 s, 3 allowed",
        "Likely cause: every restart of app/a failed while it started; " +
        "what it needs is down longer than that (give it a backoff, or raise intensity and period)"
      ])
    }))

  scenario("names the likely cause where a permanent child returned every time", () =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("job", Effect.void), Child.effect("other", Effect.never)]
      })
      yield* VirtualTime.settle
      const error = yield* answer(Effect.flip(app.await))
      assert.strictEqual(error.pattern, "returned")
      assert.deepStrictEqual(error.message.split("\n"), [
        "app/job returned normally",
        "app gave up on \"job\": 4 restarts needed within 5 s, 3 allowed",
        "Likely cause: app/job returned normally but is permanent; " +
        "make it \"transient\" if it may finish, or let it run for ever"
      ])
    }))

  scenario("names the likely cause of the leaf, however high it has risen", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        intensity: 0,
        children: [world.kit.child("job"), world.kit.child("other")]
      })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.supervisor("nested", nested)]
      })
      yield* world.kit.return("job")
      const error = yield* answer(Effect.flip(app.await))
      assert.strictEqual(
        error.message.split("\n").at(-1),
        "Likely cause: app/nested/job returned normally but is permanent; " +
          "make it \"transient\" if it may finish, or let it run for ever"
      )
    }))

  scenario(
    "names the likely cause of the leaf also where its escalation failed the start of what is above",
    () =>
      Effect.gen(function*() {
        let starts = 0
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [
            Child.effect("job", Effect.suspend(() => starts++ === 0 ? Effect.sleep("1 minute") : Effect.void)),
            Child.effect("other", Effect.never)
          ]
        })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 2,
          children: [Child.supervisor("nested", nested)]
        })
        yield* TestClock.adjust("1 minute")
        const error = yield* answer(Effect.flip(app.await))
        assert.strictEqual(error.reason._tag, "StartFailed")
        assert.include(error.message, "Likely cause: app/nested/job returned normally but is permanent")
      })
  )

  scenario("names no likely cause where the restarts have nothing in common", (world) =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 1,
        children: [world.kit.child("a"), world.kit.child("b")]
      })
      yield* world.kit.crash("a")
      yield* world.kit.return("b")
      const error = yield* answer(Effect.flip(app.await))
      assert.strictEqual(error.pattern, "mixed")
      assert.notInclude(error.message, "Likely cause")
    }))

  it("says why it gave up, where that was not for the count", () => {
    const line = (pattern: "escalated" | "exhausted") => exceeded("app", "a", ExitReason.killed, { pattern }).message
    assert.strictEqual(
      line("escalated"),
      "app/a was killed\napp gave up on \"a\", which said that no restart can help"
    )
    assert.strictEqual(line("exhausted"), "app/a was killed\napp gave up on \"a\", whose backoff is exhausted")
  })

  it("speaks of the period in words", () => {
    const within = (periodMillis: number) =>
      /within (.*), 3/.exec(exceeded("app", "a", ExitReason.killed, { periodMillis }).message)?.[1]
    assert.deepStrictEqual([100, 1000, 1500, 60_000].map(within), ["100 ms", "1 s", "1.5 s", "60 s"])
    assert.include(
      exceeded("app", "a", ExitReason.killed, { periodMillis: Infinity }).message,
      "4 restarts needed since its start, 3 allowed"
    )
  })

  it("tells of a supervisor that a child has only heard of as of any other error", () => {
    const heardOf = exceeded("other", "b", ExitReason.normal, { pattern: "returned" })
    assert.deepStrictEqual(exceeded("app", "a", ExitReason.failure(heardOf)).message.split("\n"), [
      "app/a failed: other/b returned normally",
      "app gave up on \"a\": 4 restarts needed within 5 s, 3 allowed"
    ])
  })
})

describe("the message of a child that did not start", () => {
  scenario("tells the story from the leaf to the root, over three levels", (world) =>
    Effect.gen(function*() {
      const low = Supervisor.layer("low", {
        strategy: "one-for-one",
        children: [world.kit.child("first"), world.kit.child("leaf", { starts: ["fail"] })]
      })
      const middle = Supervisor.layer("middle", {
        strategy: "one-for-one",
        children: [Child.supervisor("low", low)]
      })
      const error = yield* answer(Effect.flip(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("host", middle)]
      })))
      assert.isTrue(error instanceof SupervisorError.ChildStartFailed)
      assert.deepStrictEqual(error.message.split("\n"), [
        "app/host/middle/low/leaf could not start: leaf does not start",
        "app/host/middle/low could not start \"leaf\"",
        "app/host/middle could not start \"low\"",
        "app/host could not start",
        "app could not start \"host\""
      ])
    }))

  scenario("tells of the escalation that kept it from starting", () =>
    Effect.gen(function*() {
      class Nested extends Supervisor.Service<Nested>()("coppice/test/ExitReason.test/Nested", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.effect("leaf", Effect.die("bug"))]
      }) {}
      class Never extends Context.Service<Never, number>()("coppice/test/ExitReason.test/Never") {}
      const slow = Layer.provideMerge(Layer.effect(Never, Effect.never), Nested.layer)
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const events = yield* collect(app)
      const error = yield* answer(Effect.flip(app.startChild(Child.layer("host", slow))))
      assert.deepStrictEqual(error.message.split("\n"), [
        "app/host/Nested/leaf panicked: bug",
        "app/host/Nested gave up on \"leaf\": 1 restart needed within 5 s, 0 allowed",
        "app could not start \"host\""
      ])
      assert.strictEqual((yield* events.take).at(-1)?._tag, "ChildStartFailed")
    }))

  it("can be read by a client that got it as JSON", () => {
    const error = new SupervisorError.ChildStartFailed({
      path: "app",
      id: "a",
      reason: ExitReason.startFailed(ExitReason.failure(new Error("no database")))
    })
    const codec = Schema.toCodecJson(SupervisorError.ChildStartFailed)
    const back = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))
    assert.isTrue(back instanceof SupervisorError.ChildStartFailed)
    assert.strictEqual(back.message, error.message)
  })

  it("nested, still tells of the leaf to a client that got it as JSON", () => {
    const inner = new SupervisorError.ChildStartFailed({
      path: "app/nested",
      id: "leaf",
      reason: ExitReason.startFailed(ExitReason.failure("no database"))
    })
    const error = new SupervisorError.ChildStartFailed({
      path: "app",
      id: "nested",
      reason: ExitReason.startFailed(ExitReason.failure(inner))
    })
    const codec = Schema.toCodecJson(SupervisorError.ChildStartFailed)
    const back = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))
    assert.include(back.message, "app/nested/leaf could not start: no database")
    assert.include(back.message, "app could not start \"nested\"")
  })
})

it("leaves stack traces as they were", () => {
  const limit: unknown = Reflect.get(Error, "stackTraceLimit")
  assert.strictEqual(withoutStack(() => new Error("short")).stack, "Error: short")
  assert.throws(() =>
    withoutStack(() => {
      throw new Error("thrown")
    }), "thrown")
  assert.strictEqual(Reflect.get(Error, "stackTraceLimit"), limit)
})
