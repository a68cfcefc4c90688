import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, ExitReason, RestartPolicy, Supervisor } from "coppice"
import { Clock, Duration, Effect, Pull, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { patient, states } from "./support/kit.ts"
import { collect, scenario } from "./support/world.ts"

const { RestartPolicy: Policy } = RestartPolicy

const json = Schema.fromJsonString(Schema.toCodecJson(Policy))

const standard: RestartPolicy.RestartPolicy = {
  mode: "on-failure",
  maxRestarts: 10,
  startupMaxRestarts: 3,
  startupGraceMillis: 2000,
  initialDelayMillis: 500,
  maxDelayMillis: 30_000,
  resetAfterMillis: 60_000
}

/** The delays of a policy in milliseconds when the child was up for so long each time; fewer when it ends. */
const delays = Effect.fnUntraced(function*(
  fields: Partial<RestartPolicy.RestartPolicy>,
  uptimes: ReadonlyArray<Duration.Input>
) {
  const step = yield* Schedule.toStep(RestartPolicy.toOptions(RestartPolicy.make(fields)).backoff)
  const found: Array<number> = []
  for (const [index, uptime] of uptimes.entries()) {
    const input: Backoff.Input = {
      reason: ExitReason.killed,
      uptime: Duration.fromInputUnsafe(uptime),
      attempt: index + 1
    }
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

const times = <const A>(count: number, value: A) => Array.from({ length: count }, () => value)

describe("a policy", () => {
  it("has a default for every field, from JSON and from make", () => {
    assert.deepStrictEqual(Schema.decodeSync(json)("{}"), standard)
    assert.deepStrictEqual(RestartPolicy.make(), standard)
  })

  it("takes the fields that are given", () => {
    assert.deepStrictEqual(Schema.decodeSync(json)(`{"mode":"always","maxRestarts":-1}`), {
      ...standard,
      mode: "always",
      maxRestarts: -1
    })
    assert.deepStrictEqual(RestartPolicy.make({ mode: "never", maxDelayMillis: 1 }), {
      ...standard,
      mode: "never",
      maxDelayMillis: 1
    })
  })

  it("is written out whole, with words and numbers", () => {
    assert.deepStrictEqual(JSON.parse(Schema.encodeSync(json)(RestartPolicy.make())), standard)
  })

  it.prop("goes through JSON unchanged", { policy: Policy }, ({ policy }) => {
    // But for the sign of a zero, which JSON has not.
    const unsigned = Object.fromEntries(Object.entries(policy).map(([key, value]) => [key, value === 0 ? 0 : value]))
    assert.deepStrictEqual<object>(Schema.decodeSync(json)(Schema.encodeSync(json)(policy)), unsigned)
  })

  for (
    const [what, fields] of [
      ["another word", { mode: "sometimes" }],
      ["half a restart", { maxRestarts: 0.5 }],
      ["less than no restarts", { maxRestarts: -2 }],
      ["a negative number of starts", { startupMaxRestarts: -2 }],
      ["a negative time", { initialDelayMillis: -1 }],
      ["a time in words", { maxDelayMillis: "30 seconds" }],
      ["a time without end", { resetAfterMillis: "Infinity" }]
    ] as const
  ) {
    it(`refuses ${what}`, () => {
      assert.throws(() => Schema.decodeUnknownSync(json)(JSON.stringify(fields)))
    })
  }
})

describe("the options of a policy", () => {
  it("have the restart type of its mode, and give up without harm to others", () => {
    const of = (mode: RestartPolicy.Mode) => RestartPolicy.toOptions(RestartPolicy.make({ mode })).restart
    assert.deepStrictEqual([of("on-failure"), of("always"), of("never")], ["transient", "permanent", "temporary"])
    const { onExhausted, resetAfter } = RestartPolicy.toOptions(RestartPolicy.make({ resetAfterMillis: 1234 }))
    assert.deepStrictEqual([onExhausted, Duration.toMillis(resetAfter)], ["give-up", 1234])
  })

  it.effect("wait half a second, then twice as long each time, at most half a minute, ten times", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* delays({}, times(20, "10 seconds")),
        [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]
      )
    }))

  it.effect("restart without end where maxRestarts is -1, and never overflow", () =>
    Effect.gen(function*() {
      const found = yield* delays({ maxRestarts: -1 }, times(3000, "10 seconds"))
      assert.lengthOf(found, 3000)
      assert.strictEqual(Math.max(...found), 30_000)
      const none = yield* delays({ maxRestarts: -1, initialDelayMillis: 0 }, times(3000, "10 seconds"))
      assert.deepStrictEqual(new Set(none), new Set([0]))
    }))

  it.effect("run it once where maxRestarts is 0", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays({ maxRestarts: 0 }, times(3, "1 hour")), [])
    }))

  it.effect("restart it three times when it never comes up, and ends within the start-up grace", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays({}, times(9, 1999)), [500, 1000, 2000])
      assert.deepStrictEqual(yield* delays({}, times(9, 0)), [500, 1000, 2000])
      assert.lengthOf(yield* delays({}, times(20, 2000)), 10)
    }))

  it.effect("count such ends in a row: one good start in between begins anew", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* delays({}, [1, 1, 1, "5 seconds", 1, 1, 1, 1, 1]), 7)
    }))

  it.effect("restart it any number of times in its start where startupMaxRestarts is -1", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* delays({ startupMaxRestarts: -1 }, times(20, 0)), 10)
      assert.lengthOf(yield* delays({ startupMaxRestarts: -1, maxRestarts: -1 }, times(99, 0)), 99)
      assert.lengthOf(yield* delays({ startupMaxRestarts: 0 }, times(9, 0)), 0)
    }))
})

describe("a child with a policy", () => {
  const make = Effect.fnUntraced(function*(body: Effect.Effect<void, string>, policy: RestartPolicy.RestartPolicy) {
    const starts: Array<number> = []
    const started = Effect.map(Clock.currentTimeMillis, (time) => starts.push(time))
    const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
      strategy: "one-for-one",
      ...patient,
      children: [
        Child.effect("a", Effect.andThen(started, body), RestartPolicy.toOptions(policy)),
        Child.effect("b", Effect.never)
      ]
    })
    const { take } = yield* collect(app)
    return { app, starts, take }
  })

  scenario(
    "that ends at once is started four times, and is failed then, its sibling unharmed",
    () =>
      Effect.gen(function*() {
        const { app, starts } = yield* make(Effect.fail("port taken"), RestartPolicy.make())
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(starts, [0, 500, 1500, 3500])
        assert.deepStrictEqual(yield* states(app), { a: "failed", b: "running" })
        yield* app.restartChild("a")
        yield* TestClock.adjust("1 hour")
        assert.lengthOf(starts, 8)
      })
  )

  scenario("that has been up for resetAfter has all its restarts again", () =>
    Effect.gen(function*() {
      const policy = RestartPolicy.make({ maxRestarts: 1, resetAfterMillis: 10_000 })
      const { app, starts } = yield* make(Effect.andThen(Effect.sleep("10 seconds"), Effect.fail("crash")), policy)
      yield* TestClock.adjust("100 seconds")
      assert.isAtLeast(starts.length, 9)
      assert.deepStrictEqual((yield* states(app))["b"], "running")
    }))

  scenario("on-failure is not restarted when it returns; always is; never is not at all", () =>
    Effect.gen(function*() {
      const onFailure = yield* make(Effect.void, RestartPolicy.make())
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(onFailure.app), { a: "stopped", b: "running" })
      const always = yield* make(Effect.void, RestartPolicy.make({ mode: "always" }))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(always.app), { a: "restarting", b: "running" })
      const never = yield* make(Effect.fail("crash"), RestartPolicy.make({ mode: "never" }))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(never.app), { b: "running" })
    }))

  scenario("of no restarts runs once", () =>
    Effect.gen(function*() {
      const { app, starts } = yield* make(Effect.void, RestartPolicy.make({ mode: "always", maxRestarts: 0 }))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(starts, [0])
      assert.deepStrictEqual(yield* states(app), { a: "failed", b: "running" })
    }))
})
