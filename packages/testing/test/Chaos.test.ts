import { Chaos, Fault } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Arbitrary, Cause, Clock, Effect, Exit, Layer, Option, Random, Ref } from "effect"
import {
  count,
  CounterRef,
  counting,
  idle,
  note,
  nothing,
  Outside,
  planOf,
  strategy,
  told
} from "./support/programs.ts"

const countedTo = (n: number) =>
  Effect.flatMap(count, (count) => count === n ? Effect.void : Effect.fail(`${count} of ${n}`))

const countThrice = CounterRef.use(({ count }) => Ref.update(count, (n) => n + 1)).pipe(
  Effect.delay("1 second"),
  Effect.repeat({ times: 2 }),
  // A use that was refused or lost is another promise.
  Effect.retry({ times: 100 })
)

const forgetful = { workload: countThrice, eventually: { "all is counted": countedTo(3) } }

const everything = ({ detail, message, plan, rule, trace }: Chaos.ChaosFailed) => ({
  detail,
  message,
  plan,
  rule,
  trace
})

describe("Chaos", () => {
  describe("check", () => {
    it.effect("does the same with the same seed, and fails in the same way", () =>
      Effect.gen(function*() {
        const check = Effect.fnUntraced(function*(seed: number) {
          const seen: Array<string> = []
          const app = Supervisor.layer("app", {
            strategy,
            children: ["a", "b"].map((id) => {
              const begin = Effect.flatMap(
                Clock.currentTimeMillis,
                (now) => Effect.sync(() => seen.push(`${now} ${id}`))
              )
              return Child.effect(id, Effect.andThen(begin, Effect.never))
            })
          })
          const workload = Effect.suspend(() => seen.length > 200 ? Effect.fail("enough") : Effect.void)
          const failed = yield* Effect.flip(Chaos.check(app, { workload, seed }))
          return { seen, failed: everything(failed) }
        })
        const first = yield* check(1)
        assert.deepStrictEqual(yield* check(1), first)
        assert.notDeepEqual((yield* check(2)).seen, first.seen)
      }))

    it.effect("tells a failure with what repeats it: its seed and its plan", () =>
      Effect.gen(function*() {
        const failed = yield* Effect.flip(Chaos.check(counting, { ...forgetful, seed: 1 }))
        const again = yield* Effect.flip(Chaos.replay(counting, forgetful, failed.plan))
        assert.deepStrictEqual(
          { ...everything(again), message: "" },
          { ...everything(failed), message: "" }
        )
        const [code] = /const plan[^]*$/.exec(failed.message)!
        const plan = new Function("Fault", code.replace("const plan: Chaos.Plan =", "return"))(Fault) as Chaos.Plan
        assert.deepStrictEqual(plan, failed.plan)
        assert.strictEqual(code, Chaos.toCode(failed.plan))
        assert.strictEqual(failed.seed, 1)
        assert.include(failed.message, "\n\nall of it again: seed 1; this run alone:\n\n")
        assert.notInclude(again.message, "seed")
      }))

    it.effect("tells the rule, the detail and the trace, of the fewest faults", () =>
      Effect.gen(function*() {
        const failed = yield* Effect.flip(Chaos.check(counting, { ...forgetful, seed: 1 }))
        assert.deepStrictEqual(failed.plan, planOf(Fault.crash("app/counter")))
        const message = failed.message.split("\n")
        assert.deepStrictEqual(message.slice(0, 13), [
          "all is counted, after one fault",
          "  2 of 3",
          "",
          "       0 ms  app/counter starting (incarnation 1)",
          "       0 ms  app/counter started (incarnation 1)",
          "       0 ms  app/other starting (incarnation 1)",
          "       0 ms  app/other started (incarnation 1)",
          "       0 ms  app is up",
          "    1000 ms  >>> app/counter crashes",
          "    1000 ms  app/counter failed: injected: Crash of app/counter; it is restarted",
          "    1000 ms  app/counter restarting",
          "    1000 ms  app/counter starting (incarnation 2)",
          "    1000 ms  app/counter started (incarnation 2)"
        ])
        assert.deepStrictEqual(message.slice(-6), [
          "",
          "all of it again: seed 1; this run alone:",
          "",
          "const plan: Chaos.Plan = { order: 0, steps: [",
          "  { afterMillis: 1000, fault: Fault.crash(\"app/counter\") }",
          "] }"
        ])
      }))

    it.effect("keeps to the rule that it has found broken, whatever else a smaller case would break", () =>
      Effect.gen(function*() {
        const app = Supervisor.layer("app", {
          strategy,
          intensity: 100,
          children: [Child.effect("a", Effect.andThen(note("started"), Effect.never))]
        })
        const fails = (isWrong: (crashes: number) => boolean) =>
          Effect.flatMap(Outside, ({ notes }) => isWrong(notes.length - 1) ? Effect.fail("") : Effect.void)
        const failed = yield* Effect.flip(Chaos.check(app, {
          world: Outside.layer,
          invariants: { "it crashes less than five times": fails((crashes) => crashes >= 5) },
          eventually: { "it does not crash three times": fails((crashes) => crashes === 3) },
          faults: ["Crash"],
          limit: "1 second",
          seed: 1
        }))
        assert.strictEqual(failed.rule, "it crashes less than five times")
        assert.strictEqual(failed.plan.steps.length, 5)
      }))

    it.effect("does only what it may, to whom it may, and counts what it does", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const begin = Effect.map(Child.current, ({ id, lastExit }) => {
          if (Option.isSome(lastExit)) seen.push(`${id} ${lastExit.value._tag}`)
        })
        const children = ["a", "b", "spared"].map((id) => Child.effect(id, Effect.andThen(begin, Effect.never)))
        const app = Supervisor.layer("app", { strategy, intensity: 100, children })
        const options = {
          faults: ["Crash", "Panic"],
          paths: ["app/a", "app/b"],
          maxFaults: 3,
          runs: 20,
          seed: 1
        } as const
        const { faults, ...summary } = yield* Chaos.check(app, options)
        assert.deepStrictEqual(summary, { seed: 1, runs: 20, ends: 0 })
        assert.strictEqual(seen.length, faults)
        assert.isAtMost(faults, 20 * 3)
        assert.deepStrictEqual(
          Array.from(new Set(seen)).toSorted(),
          ["a Defect", "a Failure", "b Defect", "b Failure"]
        )
      }))

    it.effect("counts how often the program has ended and was started anew", () =>
      Effect.gen(function*() {
        const app = Supervisor.layer("app", { strategy, intensity: 0, children: [Child.effect("a", Effect.never)] })
        const { ends, faults, runs } = yield* Chaos.check(app, { faults: ["Crash"], runs: 10, seed: 1 })
        assert.deepStrictEqual([ends, runs], [faults, 10])
        assert.isAbove(ends, 10)
      }))
  })

  describe("without any fault", () => {
    it.effect("a workload has to end, and not to fail", () =>
      Effect.gen(function*() {
        const failing = Chaos.check(idle, { workload: Effect.fail("no") })
        assert.deepStrictEqual(yield* told(failing), ["the workload fails, without any fault", "no"])
        const endless = Chaos.check(idle, { workload: Effect.never })
        assert.deepStrictEqual(yield* told(endless), ["the workload does not end, without any fault", ""])
      }))

    it.effect("invariants hold, at every moment and at last", () =>
      Effect.gen(function*() {
        const never = { "it is well": Effect.fail("it is not") }
        const expected = ["it is well, without any fault", "it is not"]
        assert.deepStrictEqual(yield* told(Chaos.check(idle, { invariants: never })), expected)
        assert.deepStrictEqual(yield* told(Chaos.check(idle, { eventually: never })), expected)
        const panics = { "it is well": Effect.die(new TypeError("x is undefined")) }
        assert.deepStrictEqual(
          yield* told(Chaos.check(idle, { invariants: panics })),
          ["it is well, without any fault", "TypeError: x is undefined"]
        )
      }))

    it.effect("the world is built, and can end", () =>
      Effect.gen(function*() {
        const broken = Layer.effectDiscard(Effect.fail("no disk"))
        assert.deepStrictEqual(
          yield* told(Chaos.check(idle, { world: broken })),
          ["the world cannot be built, without any fault", "no disk"]
        )
        const endless = Layer.effectDiscard(Effect.never)
        assert.deepStrictEqual(
          yield* told(Chaos.check(idle, { world: endless })),
          ["the world is not built, without any fault", ""]
        )
        const clinging = Layer.effectDiscard(Effect.addFinalizer(() => Effect.never))
        assert.deepStrictEqual(
          yield* told(Chaos.check(idle, { world: clinging })),
          ["the world does not end, without any fault", ""]
        )
        const slow = Layer.effectDiscard(
          Effect.acquireRelease(Effect.sleep("1 minute"), () => Effect.sleep("1 minute"))
        )
        yield* Chaos.replay(idle, { world: slow }, nothing)
      }))

    it.effect("the program starts, stays up, and comes up in time for its workload", () =>
      Effect.gen(function*() {
        const noStart = Layer.effectDiscard(Effect.fail("no port"))
        assert.deepStrictEqual(
          yield* told(Chaos.check(noStart, {})),
          ["the program does not stay up, without any fault", "no port"]
        )
        const crashing = Supervisor.layer("app", { strategy, children: [Child.effect("a", Effect.fail("always"))] })
        const [rule] = yield* told(Chaos.check(crashing, { workload: Effect.sleep("1 minute") }))
        assert.strictEqual(rule, "the program does not stay up, without any fault")
        const starting = Supervisor.layer("app", { strategy, children: [Child.make("a", Effect.never)] })
        assert.deepStrictEqual(
          yield* told(Chaos.check(starting, {})),
          ["the workload does not end, without any fault", "the program is not up"]
        )
      }))

    it.effect("the program stops", () =>
      Effect.gen(function*() {
        const stubborn = Supervisor.layer("app", {
          strategy,
          children: [Child.effect("a", Effect.uninterruptible(Effect.never), { shutdown: "Infinity" })]
        })
        assert.deepStrictEqual(
          yield* told(Chaos.check(stubborn, {})),
          ["the program does not stop, without any fault", ""]
        )
        // What was wrong before that is told first.
        const [rule] = yield* told(Chaos.check(stubborn, { invariants: { "it is well": Effect.fail("no") } }))
        assert.strictEqual(rule, "it is well, without any fault")
      }))
  })

  it("renders a plan as the code that makes it", () => {
    const plan: Chaos.Plan = {
      order: 7,
      steps: [
        { afterMillis: 0, fault: Fault.hang("app/\"a\"", "1 second") },
        { afterMillis: 500, fault: Fault.loseUse("app/b") }
      ]
    }
    assert.strictEqual(
      Chaos.toCode(plan),
      [
        "const plan: Chaos.Plan = { order: 7, steps: [",
        "  { afterMillis: 0, fault: Fault.hang(\"app/\\\"a\\\"\", \"1 second\") },",
        "  { afterMillis: 500, fault: Fault.loseUse(\"app/b\") }",
        "] }"
      ].join("\n")
    )
  })

  describe("the trace", () => {
    it.effect("has what the program logs, and what its supervisors tell only once", () =>
      Effect.gen(function*() {
        const body = Effect.gen(function*() {
          yield* Effect.sleep("1 second")
          yield* Effect.log("one", { two: 2 }, new Map([["three", 3]]))
          yield* Effect.logError("two\nlines", Cause.fail("why"))
          return yield* Effect.never
        })
        const app = Supervisor.layer("app", { strategy, children: [Child.effect("a", body)] })
        const options = { workload: Effect.delay(Effect.logWarning("mine"), "2 seconds") }
        const eventually = { "tell the trace": Effect.fail("") }
        const { trace } = yield* Effect.flip(Chaos.replay(app, { ...options, eventually, limit: "1 minute" }, nothing))
        assert.deepStrictEqual(trace.slice(3, -3), [
          "       0 ms  >>> no more faults",
          "    1000 ms  INFO app/a: one {\"two\":2} Map([[\"three\",3]])",
          "    1000 ms  ERROR app/a: two\n             lines: why",
          "    2000 ms  WARN mine",
          "    2000 ms  >>> the workload is done"
        ])
      }))

    it.effect("tells a fault before what follows from it, in every order", () =>
      Effect.gen(function*() {
        const options = { eventually: { "tell the trace": Effect.fail("") }, limit: 0 }
        for (let order = 0; order <= 50; order++) {
          const plan = { order, steps: [{ afterMillis: 1000, fault: Fault.crash("app/a") }] }
          const { trace } = yield* Effect.flip(Chaos.replay(idle, options, plan))
          const first = trace.findIndex((line) => line.startsWith("    1000 ms"))
          assert.strictEqual(trace[first], "    1000 ms  >>> app/a crashes", `order ${order}`)
        }
      }))

    it.effect("is abridged in the message where it is long, and whole in the error", () =>
      Effect.gen(function*() {
        const chatty = Effect.forever(Effect.andThen(Effect.sleep("1 second"), Effect.log("tick")))
        const app = Supervisor.layer("app", { strategy, children: [Child.effect("a", chatty)] })
        const eventually = { "it is well": Effect.fail("no") }
        const { message, trace } = yield* Effect.flip(Chaos.replay(app, { eventually }, nothing))
        const lines = message.split("\n")
        assert.isAbove(trace.length, 3600)
        assert.deepStrictEqual(lines.slice(3, 103), trace.slice(0, 100))
        assert.strictEqual(lines[103], `             … (${trace.length - 150} lines more, in "trace")`)
        assert.deepStrictEqual(lines.slice(104, 154), trace.slice(-50))
      }))
  })

  describe("what is random", () => {
    const dice = (seen: Array<number>) =>
      Supervisor.layer("app", {
        strategy,
        children: [Child.effect("a", Effect.flatMap(Random.next, (n) => (seen.push(n), Effect.never)))]
      })

    it.effect("follows from the plan, in the order of arrival too", () =>
      Effect.gen(function*() {
        for (const order of [0, 1]) {
          const seen: Array<number> = []
          yield* Chaos.replay(dice(seen), {}, { order, steps: [] })
          yield* Chaos.replay(dice(seen), {}, { order, steps: [] })
          assert.strictEqual(seen[0], seen[1])
          yield* Chaos.replay(dice(seen), {}, { order: order + 1, steps: [] })
          assert.notStrictEqual(seen[0], seen[2])
        }
      }))

    it.effect("and does not follow from it makes a failure that is told, though it does not come back", () =>
      Effect.gen(function*() {
        let runs = 0
        const workload = Effect.suspend(() => ++runs === 5 ? Effect.fail("by chance") : Effect.void)
        const error = yield* Effect.flip(Chaos.check(idle, { workload, seed: 1 }))
        assert.strictEqual(
          error.detail,
          "by chance (it held when the same was done again: something in the program does not follow from what is done)"
        )
      }))
  })

  describe("plan", () => {
    const paths = ["app/counter"]
    const plans = Chaos.plan({ paths, faults: ["Crash", "RefuseUse", "LoseUse"], maxFaults: 5 })

    /** Counts once a second, and says how often that was said to be done, and how often that is not known. */
    const use = CounterRef.use(({ count }) => Effect.as(Ref.update(count, (n) => n + 1), "done"))
    const uses = use.pipe(
      Effect.catch(({ _tag }) => Effect.succeed(_tag)),
      Effect.flatMap(note),
      Effect.delay("1 second"),
      Effect.repeat({ times: 20 })
    )
    const inWorld = { world: Outside.layer, workload: uses }

    it.effect.prop(
      "makes the arguments of a property of one's own",
      { plan: plans },
      ({ plan }) => {
        const atMost = Effect.all([count, Effect.map(Outside, ({ notes }) => notes)]).pipe(
          Effect.flatMap(([count, notes]) =>
            count <= notes.filter((note) => note !== "ChildUnavailable").length ? Effect.void : Effect.fail(notes)
          )
        )
        return Chaos.replay(counting, { ...inWorld, invariants: { "what is refused is not counted": atMost } }, plan)
      },
      { arbitrary: { runs: 50 } }
    )

    it.effect("is shrunk to what falsifies such a property", () =>
      Effect.gen(function*() {
        const never = Effect.flatMap(
          Outside,
          ({ notes }) => notes.includes("ChildDown") ? Effect.fail("") : Effect.void
        )
        const options = { ...inWorld, invariants: { "no answer is lost": never } }
        const result = yield* Arbitrary.checkEffect(
          plans,
          (plan) => Effect.map(Effect.exit(Chaos.replay(counting, options, plan)), Exit.isSuccess),
          { seed: 1, maxShrinks: 200 }
        )
        const shrunk = result._tag === "Falsified" ? result.shrunkInput : undefined
        assert.deepStrictEqual(shrunk?.steps.map(({ fault }) => fault), [Fault.loseUse("app/counter")])
      }))

    it.effect("has such faults, at such paths, at most so many, and other orders than that of arrival", () =>
      Effect.gen(function*() {
        const options = { paths: ["app/a", "app/b"], faults: ["Crash", "Hang"], maxFaults: 4 } as const
        const plans = yield* Arbitrary.sampleEffect(Chaos.plan(options), { count: 200, seed: 1 })
        const steps = plans.flatMap(({ steps }) => steps)
        assert.deepStrictEqual(Array.from(new Set(steps.map(({ fault }) => fault.path))).toSorted(), [...options.paths])
        assert.deepStrictEqual(Array.from(new Set(steps.map(({ fault }) => fault._tag))).toSorted(), [
          ...options.faults
        ])
        assert.strictEqual(Math.max(...plans.map(({ steps }) => steps.length)), 4)
        assert.isAbove(new Set(plans.map(({ order }) => order)).size, 100)
        const all = yield* Arbitrary.sampleEffect(Chaos.plan({ paths: ["app/a"] }), { count: 500, seed: 1 })
        const kinds = new Set(all.flatMap(({ steps }) => steps.map(({ fault }) => fault._tag)))
        assert.deepStrictEqual(Array.from(kinds).toSorted(), Fault.kinds.toSorted())
        assert.strictEqual(Math.max(...all.map(({ steps }) => steps.length)), 10)
      }))
  })
})
