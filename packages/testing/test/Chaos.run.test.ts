import { Chaos, Fault } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, DynamicSupervisor, Supervisor } from "coppice"
import { Clock, Effect, Layer, Ref } from "effect"
import {
  count,
  Counter,
  CounterRef,
  idle,
  mistakeOf,
  note,
  nothing,
  Outside,
  planOf,
  strategy,
  told
} from "./support/programs.ts"

class Shop extends Supervisor.Service<Shop>()("@coppice/testing/test/Chaos.run.test/Shop", {
  strategy,
  intensity: 0,
  children: [Child.effect("a", Effect.never)]
}) {}

describe("a chaos run", () => {
  describe("the world", () => {
    it.effect("is another in each run, and in one run the same for the tree", () =>
      Effect.gen(function*() {
        let worlds = 0
        const world = Layer.effect(Outside, Effect.sync(() => ({ notes: [`world ${++worlds}`] })))
        const seen: Array<string> = []
        const look = Effect.map(Outside, ({ notes }) => void seen.push(`${notes}`))
        // One child is given the layer, the other what it gives.
        const app = Supervisor.layer("app", {
          strategy,
          children: [
            Child.effect("b", Effect.andThen(look, Effect.never)),
            Child.layer("a", Layer.provide(Layer.effectDiscard(look), world))
          ]
        })
        const options = { world, workload: look, invariants: { "it is well": look } }
        yield* Chaos.replay(app, options, nothing)
        yield* Chaos.replay(app, options, nothing)
        assert.deepStrictEqual(seen.filter((world) => world !== "world 1"), seen.filter((world) => world === "world 2"))
        assert.strictEqual(worlds, 2)
        assert.isAtLeast(seen.filter((world) => world === "world 2").length, 4)
      }))

    it.effect("is another than that of the surroundings", () =>
      Effect.gen(function*() {
        let worlds = 0
        const world = Layer.effect(Outside, Effect.sync(() => ({ notes: [`world ${++worlds}`] })))
        const run = Layer.effectDiscard(Chaos.replay(idle, { world }, nothing))
        yield* Effect.scoped(Layer.build(Layer.provide(run, world)))
        assert.strictEqual(worlds, 2)
      }))

    it.effect("outlives the program, and ends after it", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const say = (what: string) => Effect.sync(() => void seen.push(what))
        const world = Layer.effect(
          Outside,
          Effect.acquireRelease(Effect.as(say("world"), { notes: [] }), () => say("its end"))
        )
        const body = Effect.acquireRelease(say("program"), () => say("its end of the program"))
        const app = Supervisor.layer("app", {
          strategy,
          intensity: 0,
          children: [Child.effect("a", Effect.andThen(body, Effect.never))]
        })
        yield* Chaos.replay(app, { world, workload: Effect.sleep("1 minute") }, planOf(Fault.crash("app/a")))
        assert.deepStrictEqual(seen, [
          "world",
          "program",
          "its end of the program",
          "program",
          "its end of the program",
          "its end"
        ])
      }))

    it.effect("may give more than the tree needs", () =>
      Effect.gen(function*() {
        const world = Layer.merge(Outside.layer, Counter.layer)
        const app = Supervisor.layer("app", {
          strategy,
          children: [Child.effect("a", Effect.andThen(note("a"), Effect.never))]
        })
        const workload = Effect.flatMap(Counter, ({ count }) => Ref.update(count, (n) => n + 1))
        const invariants = {
          "a was there": Effect.flatMap(Outside, ({ notes }) => notes.length === 1 ? Effect.void : Effect.fail(""))
        }
        const eventually = {
          "it is counted": Effect.flatMap(Counter, ({ count }) =>
            Effect.flatMap(Ref.get(count), (n) => n === 1 ? Effect.void : Effect.fail(n)))
        }
        yield* Chaos.replay(app, { world, workload, invariants, eventually }, nothing)
      }))
  })

  describe("a check", () => {
    it.effect("is put off where the child is down that it asks, and where it takes time", () =>
      Effect.gen(function*() {
        let asked = 0
        const app = Supervisor.layer("app", {
          strategy,
          children: [Child.layer("counter", Counter.layer, { ref: CounterRef, restart: "temporary" })]
        }).pipe(Layer.provideMerge(CounterRef.layer))
        const invariants = {
          "it is there": Effect.onExit(count, () => Effect.sync(() => asked++)),
          "it is there in time": Effect.delay(Effect.fail("no"), 1)
        }
        yield* Chaos.replay(app, { invariants }, planOf(Fault.crash("app/counter"), Fault.crash("app/counter")))
        assert.isAtLeast(asked, 4)
      }))

    it.effect("is put off where the supervisor has ended that it asks", () =>
      Effect.gen(function*() {
        const invariants = { "it answers": Shop.countChildren }
        const crashed = planOf(Fault.crash("Shop/a"), Fault.crash("Shop/a"))
        yield* Chaos.replay(Shop.layer, { invariants, workload: Effect.sleep("1 minute") }, crashed)
      }))

    it.effect("that could never be made is a mistake, and so is one of a child that was never there", () =>
      Effect.gen(function*() {
        const takesTime = Effect.sleep(1)
        assert.deepStrictEqual(
          yield* mistakeOf(
            Chaos.check(idle, {
              invariants: { one: takesTime, two: Effect.void, three: Effect.provide(count, CounterRef.layer) },
              runs: 3
            })
          ),
          ["TypeError: these could never be checked: one, three"]
        )
        assert.deepStrictEqual(
          yield* mistakeOf(Chaos.check(idle, { paths: ["app/a", "app/b", "app"], runs: 3 })),
          ["TypeError: there was never a child at these paths: app/b, app"]
        )
        assert.deepStrictEqual(
          yield* mistakeOf(Chaos.check(Layer.empty, { runs: 3 })),
          ["TypeError: there is no child to which anything could be done"]
        )
      }))

    it.effect("is not made before the program is up, and has what the program gives", () =>
      Effect.gen(function*() {
        const slow = Supervisor.layer("app", {
          strategy,
          children: [
            Child.layer("counter", Layer.provide(Counter.layer, Layer.effectDiscard(Effect.sleep("1 minute"))), {
              ref: CounterRef
            })
          ]
        }).pipe(Layer.provideMerge(CounterRef.layer))
        yield* Chaos.check(slow, { invariants: { "it can be asked": count }, runs: 3, seed: 1 })
      }))

    it.effect("is made whenever something has woken, and not only after a fault", () =>
      Effect.gen(function*() {
        // Wrong from the second second to the fifth.
        const briefly = Effect.gen(function*() {
          const { notes } = yield* Outside
          yield* Effect.sleep("2 seconds")
          notes.push("wrong")
          yield* Effect.sleep("3 seconds")
          notes.pop()
          return yield* Effect.never
        })
        const app = Supervisor.layer("app", { strategy, children: [Child.effect("a", briefly)] })
        const invariants = {
          "it is well": Effect.flatMap(Outside, ({ notes }) => notes.length === 0 ? Effect.void : Effect.fail(notes[0]))
        }
        const options = { world: Outside.layer, workload: Effect.sleep("1 hour"), invariants }
        const inPlan = { order: 0, steps: [{ afterMillis: 60_000, fault: Fault.crash("app/a") }] }
        for (const plan of [inPlan, nothing]) {
          const { trace } = yield* Effect.flip(Chaos.replay(app, options, plan))
          assert.deepStrictEqual(trace.at(-3), "    2000 ms  >>> the program is stopped")
        }
      }))

    it.effect("is made now and then only, long after the last fault", () =>
      Effect.gen(function*() {
        const ticking = Effect.forever(Effect.sleep("100 millis"))
        const app = Supervisor.layer("app", { strategy, children: [Child.effect("a", ticking)] })
        let checks = 0
        const invariants = { "it is well": Effect.sync(() => checks++) }
        yield* Chaos.replay(app, { invariants, workload: Effect.sleep("50 minutes") }, nothing)
        assert.isAbove(checks, 300)
        assert.isBelow(checks, 500)
      }))

    it.effect("that cannot be interrupted does not hold the run up", () =>
      Effect.gen(function*() {
        const invariants = {
          "it is well": Effect.void,
          "it takes its time": Effect.uninterruptible(Effect.sleep("1 minute"))
        }
        yield* Chaos.replay(idle, { invariants }, planOf(Fault.crash("app/a")))
      }))
  })

  describe("the end of a run", () => {
    const soon = (millis: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => now >= millis ? Effect.void : Effect.fail(`at ${now}`))

    it.effect("is waited for, no longer than the limit", () =>
      Effect.gen(function*() {
        const at = (millis: number) => ({ eventually: { "it is late": soon(millis) } })
        yield* Chaos.replay(idle, at(3_599_000), nothing)
        assert.strictEqual(
          (yield* told(Chaos.replay(idle, at(3_700_000), nothing)))[0],
          "it is late, without any fault"
        )
        yield* Chaos.replay(idle, { ...at(9000), limit: "10 seconds" }, nothing)
        assert.strictEqual(
          (yield* told(Chaos.replay(idle, { ...at(21_000), limit: "10 seconds" }, nothing)))[0],
          "it is late, without any fault"
        )
        yield* Chaos.replay(idle, { workload: Effect.sleep("9 seconds"), limit: "10 seconds" }, nothing)
        assert.strictEqual(
          (yield* told(Chaos.replay(idle, { workload: Effect.sleep("21 seconds"), limit: "10 seconds" }, nothing)))[0],
          "the workload does not end, without any fault"
        )
      }))

    it.effect("tells why what has to hold at last could not be known", () =>
      Effect.gen(function*() {
        const eventually = { "it can be asked": count }
        const app = Supervisor.layer("app", {
          strategy,
          children: [Child.layer("counter", Counter.layer, { ref: CounterRef, restart: "temporary" })]
        }).pipe(Layer.provideMerge(CounterRef.layer))
        const gone = yield* told(Chaos.replay(app, { eventually }, planOf(Fault.crash("app/counter"))))
        assert.strictEqual(gone[0], "it can be asked, after one fault")
        assert.match(gone[1]!, /^ChildUnavailable: /)
        const slow = yield* told(Chaos.replay(idle, { eventually: { "it is well": Effect.sleep(1) } }, nothing))
        assert.deepStrictEqual(slow, ["it is well, without any fault", "it takes time, and a check is given none"])
      }))

    it.effect("comes when the program shuts itself down, and what is outside is checked all the same", () =>
      Effect.gen(function*() {
        const batch = Supervisor.layer("app", {
          strategy,
          autoShutdown: "any-significant",
          children: [
            Child.layer("counter", Counter.layer, { ref: CounterRef }),
            Child.effect("batch", Effect.delay(note("done"), "1 minute"), { restart: "transient", significant: true })
          ]
        }).pipe(Layer.provideMerge(CounterRef.layer))
        const outside = (expected: string) =>
          Effect.flatMap(Outside, ({ notes }) => `${notes}` === expected ? Effect.void : Effect.fail(`${notes}`))
        const options = { world: Outside.layer, workload: Effect.never, invariants: { "it can be asked": count } }
        yield* Chaos.check(batch, {
          ...options,
          eventually: { "it is done": outside("done"), "it could be asked": count },
          faults: ["Crash"],
          paths: ["app/counter"],
          runs: 5,
          seed: 1
        }).pipe(
          mistakeOf,
          Effect.map((mistake) =>
            assert.deepStrictEqual(mistake, ["TypeError: these could never be checked: it could be asked"])
          )
        )
        assert.deepStrictEqual(
          yield* told(
            Chaos.replay(batch, { ...options, eventually: { "it is done twice": outside("done,done") } }, nothing)
          ),
          ["it is done twice, without any fault", "done"]
        )
      }))
  })

  it.effect("tells that a program does not come to rest, instead of waiting for ever", () =>
    Effect.gen(function*() {
      const app = Supervisor.layer("app", {
        strategy,
        children: [
          Child.effect("a", Effect.andThen(Effect.addFinalizer(() => note("gone")), Effect.never), {
            restart: "temporary"
          })
        ]
      })
      // Asks again and again, without a delay, whether it is back.
      const impatient = Effect.gen(function*() {
        yield* Effect.sleep("1 minute")
        const { notes } = yield* Outside
        while (notes.length > 0) yield* Effect.yieldNow
      })
      const options = { world: Outside.layer, workload: impatient, faults: ["Crash"], seed: 1 } as const
      const error = yield* Effect.flip(Chaos.check(app, options))
      assert.strictEqual(error.rule, "the program does not come to rest")
      assert.match(error.detail, /^there is no end of what is done at 60000 ms: /)
      assert.include(error.trace.join(), "app/a failed: injected: Crash of app/a; it is removed")
    }), 60_000)

  describe("a program that gives up", () => {
    const fragile = Supervisor.layer("app", {
      strategy,
      intensity: 0,
      children: [Child.effect("a", Effect.never), Child.layer("counter", Counter.layer, { ref: CounterRef })]
    }).pipe(Layer.provideMerge(CounterRef.layer))

    it.effect("is started anew a second later, with its workload unless that was done", () =>
      Effect.gen(function*() {
        const at = (what: string) => Effect.flatMap(Clock.currentTimeMillis, (now) => note(`${now} ${what}`))
        const workload = Effect.andThen(Effect.delay(at("begun"), 100), Effect.delay(at("done"), 1500))
        const eventually = { "tell the notes": Effect.flatMap(Outside, ({ notes }) => Effect.fail(`${notes}`)) }
        const options = { world: Outside.layer, workload, eventually, limit: "1 minute" } as const
        const crashAt = (...times: ReadonlyArray<number>): Chaos.Plan => ({
          order: 0,
          steps: times.map((time, index) => ({
            afterMillis: time - (times[index - 1] ?? 0),
            fault: Fault.crash("app/a")
          }))
        })
        const [, twice] = yield* told(Chaos.replay(fragile, options, crashAt(1000, 2050)))
        assert.strictEqual(twice, "100 begun,3150 begun,4650 done")
        const [, afterwards] = yield* told(Chaos.replay(fragile, options, crashAt(2000)))
        assert.strictEqual(afterwards, "100 begun,1600 done")
      }))

    it.effect("has to stay up when nothing is done to it any more", () =>
      Effect.gen(function*() {
        // What has crashed once is broken for good.
        const breakable = Supervisor.layer("app", {
          strategy,
          intensity: 0,
          children: [
            Child.effect(
              "a",
              Effect.gen(function*() {
                const { notes } = yield* Outside
                if (notes.length > 0) return yield* Effect.fail("it is broken")
                yield* Effect.addFinalizer(() => note("broken"))
                return yield* Effect.never
              })
            )
          ]
        })
        const error = yield* Effect.flip(Chaos.check(breakable, { world: Outside.layer, seed: 1 }))
        assert.strictEqual(error.rule, "the program does not stay up")
        assert.strictEqual(error.plan.steps.length, 1)
        assert.include(error.detail, "app/a failed: it is broken")
      }))

    it.effect("may do so as often as its starts were made to fail", () =>
      Effect.gen(function*() {
        const failures = Array.from({ length: 8 }, () => Fault.failStart("app/counter"))
        const plan = planOf(...failures, Fault.crash("app/counter"))
        yield* Chaos.replay(fragile, { eventually: { "it can be asked": count } }, plan)
      }))
  })

  describe("what is left behind", () => {
    const leftBy = (leak: Effect.Effect<unknown>) =>
      told(
        Chaos.check(
          Supervisor.layer("app", { strategy, children: [Child.effect("a", Effect.andThen(leak, Effect.never))] }),
          {}
        )
      )

    const rule = "something is left behind, without any fault"

    it.effect("is named: a fiber or a timer, and whose it is", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* leftBy(Effect.forkDetach(Effect.never)), [rule, "1 fiber of app/a"])
        const outOfSight = Effect.map(Effect.context(), (context) => {
          Effect.runForkWith(context)(Effect.never)
          Effect.runForkWith(context)(Effect.sleep("1 day"))
        })
        assert.deepStrictEqual(
          yield* leftBy(outOfSight),
          [rule, "a timer of app/a, due at 86400000 ms, 2 fibers of app/a"]
        )
        const polling = Effect.forkDetach(Effect.forever(Effect.sleep("10 seconds")))
        const [, detail] = yield* leftBy(polling)
        assert.match(detail!, /^a timer of app\/a, due at \d+ ms, 1 fiber of app\/a$/)
        const ofNobody = Layer.merge(idle, Layer.effectDiscard(Effect.forkDetach(Effect.never)))
        assert.deepStrictEqual(yield* told(Chaos.check(ofNobody, {})), [rule, "1 fiber of the program"])
      }))

    it.effect("by a fault is found too, and what only takes longer to end is not left behind", () =>
      Effect.gen(function*() {
        const leaks = Effect.flatMap(
          Child.current,
          ({ incarnation }) =>
            incarnation === 1 ? Effect.never : Effect.andThen(Effect.forkDetach(Effect.never), Effect.never)
        )
        const app = Supervisor.layer("app", { strategy, children: [Child.effect("a", leaks)] })
        const error = yield* Effect.flip(Chaos.check(app, { seed: 1 }))
        assert.deepStrictEqual(error.rule, "something is left behind")
        assert.deepStrictEqual(error.plan.steps, [{ afterMillis: 0, fault: Fault.crash("app/a") }])
        const late = Supervisor.layer("app", {
          strategy,
          children: [
            Child.effect("a", Effect.andThen(Effect.addFinalizer(() => Effect.sleep("5 minutes")), Effect.never))
          ]
        })
        yield* Chaos.replay(late, {}, nothing)
        const all = [
          Fault.slowStop("app/a", "9 minutes"),
          Fault.hang("app/a", "1 hour"),
          Fault.freeze("app/a", "1 hour")
        ]
        yield* Chaos.replay(idle, {}, planOf(...all))
      }))
  })

  describe("what comes and goes", () => {
    class Pool extends DynamicSupervisor.Service<Pool>()("@coppice/testing/test/Chaos.run.test/Pool", {
      child: (job: number) =>
        Child.effect("job", Effect.delay(note(`job ${job}`), "10 seconds"), { restart: "transient" })
    }) {}

    it.effect("the children of a dynamic supervisor, which have faults while they are there", () =>
      Effect.gen(function*() {
        const workload = Effect.gen(function*() {
          const pool = yield* Pool
          for (const job of [1, 2, 3]) {
            yield* pool.startChild(job)
            yield* Effect.sleep("1 second")
          }
          yield* Effect.sleep("1 minute")
        })
        const done = Effect.flatMap(
          Outside,
          ({ notes }) => notes.toSorted().join() === "job 1,job 2,job 3" ? Effect.void : Effect.fail(notes.join())
        )
        const options = { world: Outside.layer, workload, eventually: { "each job is done once": done } }
        const summary = yield* Chaos.check(Pool.layer, {
          ...options,
          faults: ["Crash", "Panic", "Kill", "Hang"],
          maxFaults: 3,
          runs: 30,
          seed: 1
        })
        assert.isAbove(summary.faults, 10)
        const { trace } = yield* Effect.flip(Chaos.replay(
          Pool.layer,
          { ...options, eventually: { "tell the trace": Effect.fail("") }, limit: "2 minutes" },
          {
            order: 0,
            steps: [
              { afterMillis: 1000, fault: Fault.crash("Pool/2") },
              { afterMillis: 9500, fault: Fault.crash("Pool/1") }
            ]
          }
        ))
        assert.deepStrictEqual(trace.slice(3, 14), [
          "    1000 ms  Pool/2 starting (incarnation 1)",
          "    1000 ms  Pool/2 started (incarnation 1)",
          "    1000 ms  >>> Pool/2 crashes",
          "    1000 ms  Pool/2 failed: injected: Crash of Pool/2; it is restarted",
          "    1000 ms  Pool/2 restarting",
          "    1000 ms  Pool/2 starting (incarnation 2)",
          "    1000 ms  Pool/2 started (incarnation 2)",
          "    2000 ms  Pool/3 starting (incarnation 1)",
          "    2000 ms  Pool/3 started (incarnation 1)",
          "   10000 ms  Pool/1 returned normally; it is removed",
          "   10500 ms  >>> Pool/1 crashes, but it is not up"
        ])
      }))

    it.effect("a program launched inside a child, whose children have their place below it", () =>
      Effect.gen(function*() {
        const launched = Supervisor.launch(
          Supervisor.layer("inside", { strategy, children: [Child.effect("b", Effect.never)] })
        )
        const app = Supervisor.layer("app", { strategy, children: [Child.effect("a", launched)] })
        const { trace } = yield* Effect.flip(Chaos.replay(
          app,
          { eventually: { "tell the trace": Effect.fail("") }, limit: 0 },
          planOf(Fault.crash("app/a/inside/b"), Fault.crash("app/a"))
        ))
        assert.deepStrictEqual(trace.slice(7, -6), [
          "    1000 ms  >>> app/a/inside/b crashes",
          "    1000 ms  app/a/inside/b failed: injected: Crash of app/a/inside/b; it is restarted",
          "    1000 ms  app/a/inside/b restarting",
          "    1000 ms  app/a/inside/b starting (incarnation 2)",
          "    1000 ms  app/a/inside/b started (incarnation 2)",
          "    2000 ms  >>> app/a crashes",
          "    2000 ms  app/a failed: injected: Crash of app/a; it is restarted",
          "    2000 ms  app/a/inside/b stopped",
          "    2000 ms  app/a/inside has ended: shut down",
          "    2000 ms  app/a restarting",
          "    2000 ms  app/a starting (incarnation 2)",
          "    2000 ms  app/a started (incarnation 2)",
          "    2000 ms  app/a/inside/b starting (incarnation 1)",
          "    2000 ms  app/a/inside/b started (incarnation 1)",
          "    2000 ms  app/a/inside is up"
        ])
      }))
  })
})
