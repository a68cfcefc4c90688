import { Chaos, Fault } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, ChildRef, Supervisor, SupervisorError } from "coppice"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Queue, Schema } from "effect"

class Db extends Context.Service<Db, { readonly name: string }>()("@coppice/testing/test/Fault.test/Db") {
  static readonly layer = Layer.succeed(Db, { name: "db" })
}

/** Its answers come from a fiber of the child. */
class Echo extends Context.Service<Echo, { readonly ask: Effect.Effect<void> }>()(
  "@coppice/testing/test/Fault.test/Echo"
) {}

class EchoRef extends ChildRef.Service<EchoRef>()("@coppice/testing/test/Fault.test/EchoRef", Echo) {}

class DbRef extends ChildRef.Service<DbRef>()("@coppice/testing/test/Fault.test/DbRef", Db) {}

type Program = Layer.Layer<never, {}>

interface Step {
  readonly at: number
  readonly fault: Fault.Fault
}

/** Steps at these times. */
const planOf = (steps: ReadonlyArray<Step>): Chaos.Plan => ({
  order: 0,
  steps: steps.map(({ at, fault }, index) => ({ afterMillis: at - (steps[index - 1]?.at ?? 0), fault }))
})

/** What the trace says from the first fault on, of the program only, until it is stopped a minute later. */
const traceOf = Effect.fnUntraced(function*(program: Program, ...steps: ReadonlyArray<Step>) {
  const { trace } = yield* Effect.flip(
    Chaos.replay(program, { eventually: { "tell the trace": Effect.fail("") }, limit: "1 minute" }, planOf(steps))
  )
  const first = trace.findIndex((line) => line.includes(">>> app"))
  const last = trace.findIndex((line) => line.endsWith(">>> the program is stopped"))
  const itsOwn = [">>> no more faults", ">>> the workload is done"]
  return trace.slice(first, last).map((line) => line.trim()).filter((line) => !itsOwn.some((own) => line.endsWith(own)))
})

type Note = (what: string) => Effect.Effect<void>

/** What a program notes when these steps are performed, as long as they and the ten seconds after them. */
const seenIn = Effect.fnUntraced(function*(program: (note: Note) => Program, ...steps: ReadonlyArray<Step>) {
  const seen: Array<string> = []
  const note: Note = (what) => Effect.map(Clock.currentTimeMillis, (millis) => void seen.push(`${millis} ${what}`))
  const last = steps.at(-1)?.at ?? 0
  yield* Chaos.replay(program(note), { workload: Effect.sleep(last + 10_000) }, planOf(steps))
  return seen.filter((line) => Number.parseInt(line) <= last + 10_000)
})

const everySecond = <R>(effect: Effect.Effect<unknown, {}, R>): Effect.Effect<never, {}, R> =>
  Effect.forever(Effect.andThen(effect, Effect.sleep(1000)))

const strategy = "one-for-one"

const inner = Supervisor.layer("inner", { strategy, children: [Child.effect("below", Effect.never)] })

/** One child of each kind that can be up. */
const apps: Readonly<Record<string, Program>> = {
  effect: Supervisor.layer("app", { strategy, children: [Child.effect("a", Effect.never)] }),
  make: Supervisor.layer("app", { strategy, children: [Child.make("a", Effect.succeed(Effect.never))] }),
  layer: Supervisor.layer("app", { strategy, children: [Child.layer("a", Db.layer)] }),
  supervisor: Supervisor.layer("app", { strategy, children: [Child.supervisor("a", inner)] })
}

const task = Supervisor.layer("app", { strategy, children: [Child.task("a", Effect.sleep("10 seconds"))] })

/** What is told of the child itself, not of the supervisor that it may be, nor of what is below. */
const ofChild = (lines: ReadonlyArray<string>) =>
  lines.filter((line) => line.includes("app/a ") && !line.endsWith("is up") && !line.endsWith("has ended: shut down"))

const restarted = (at: number, incarnation = 2) => [
  `${at} ms  app/a restarting`,
  `${at} ms  app/a starting (incarnation ${incarnation})`,
  `${at} ms  app/a started (incarnation ${incarnation})`
]

describe("Fault", () => {
  describe("that ends a child", () => {
    const endings = [
      { fault: Fault.crash("app/a"), done: "crashes", told: "failed: injected: Crash of app/a" },
      { fault: Fault.panic("app/a"), done: "panics", told: "panicked: injected: Panic of app/a" },
      { fault: Fault.kill("app/a"), done: "is killed", told: "was killed" },
      {
        fault: Fault.interrupt("app/a"),
        done: "is interrupted",
        told: "was interrupted, and not by its supervisor"
      }
    ]

    for (const { done, fault, told } of endings) {
      it.effect(`${fault._tag} does so for its reason, whatever kind the child is`, () =>
        Effect.gen(function*() {
          for (const [kind, app] of Object.entries(apps)) {
            const hasNoFiber = fault._tag === "Interrupt" && (kind === "layer" || kind === "supervisor")
            assert.deepStrictEqual(
              ofChild(yield* traceOf(app, { at: 1000, fault })),
              hasNoFiber
                ? ["1000 ms  >>> app/a is interrupted, but it has no fiber of its own"]
                : [`1000 ms  >>> app/a ${done}`, `1000 ms  app/a ${told}; it is restarted`, ...restarted(1000)],
              kind
            )
          }
        }))
    }

    it.effect("ends a start likewise, which has a fiber whatever kind the child is", () =>
      Effect.gen(function*() {
        const slow = Effect.sleep("10 seconds")
        const starting: Readonly<Record<string, Program>> = {
          make: Supervisor.layer("app", { strategy, children: [Child.make("a", Effect.as(slow, Effect.never))] }),
          layer: Supervisor.layer("app", { strategy, children: [Child.layer("a", Layer.effectDiscard(slow))] }),
          supervisor: Supervisor.layer("app", {
            strategy,
            children: [Child.supervisor("a", Layer.provideMerge(inner, Layer.effectDiscard(slow)))]
          }),
          task
        }
        const reasons: ReadonlyArray<readonly [Fault.Fault, string]> = [
          [Fault.crash("app/a"), "injected: Crash of app/a"],
          [Fault.panic("app/a"), "injected: Panic of app/a"],
          [Fault.kill("app/a"), "the child left while it started: was killed"],
          [Fault.interrupt("app/a"), "the start was interrupted"]
        ]
        for (const [kind, app] of Object.entries(starting)) {
          for (const [fault, reason] of reasons) {
            const lines = yield* traceOf(app, { at: 1000, fault })
            assert.strictEqual(lines[1], `1000 ms  app/a could not start: ${reason}`, `${fault._tag} of a ${kind}`)
          }
        }
      }))

    it.effect("Kill gives its resources 100 ms, where Crash gives them the child's own time", () =>
      Effect.gen(function*() {
        const slowToStop = Effect.addFinalizer(() => Effect.sleep("1 second"))
        const app = Supervisor.layer("app", {
          strategy,
          children: [Child.effect("a", Effect.andThen(slowToStop, Effect.never))]
        })
        assert.deepStrictEqual(yield* traceOf(app, { at: 1000, fault: Fault.kill("app/a") }), [
          "1000 ms  >>> app/a is killed",
          "1000 ms  app/a was killed; it is restarted",
          "1100 ms  app/a abandoned: its scope did not end in time",
          ...restarted(1100)
        ])
        assert.deepStrictEqual(yield* traceOf(app, { at: 1000, fault: Fault.crash("app/a") }), [
          "1000 ms  >>> app/a crashes",
          "1000 ms  app/a failed: injected: Crash of app/a; it is restarted",
          ...restarted(2000)
        ])
      }))
  })

  describe("that makes a child hang", () => {
    /** A child whose service is answered by one of its fibers, and whoever notes what of it goes on, each second. */
    const everything = (note: Note) => {
      const echo = Layer.effect(
        Echo,
        Effect.gen(function*() {
          const asked = yield* Queue.unbounded<() => void>()
          yield* Effect.forkScoped(everySecond(note("one fiber")))
          yield* Effect.forkScoped(everySecond(note("another")))
          yield* Effect.forkScoped(Effect.forever(Effect.map(Queue.take(asked), (answer) => answer())))
          return { ask: Effect.callback<void>((resume) => void Queue.offerUnsafe(asked, () => resume(Effect.void))) }
        })
      )
      const use = EchoRef.use(() => note("use"))
      const ask = EchoRef.use(({ ask }) => Effect.andThen(ask, note("answer")))
      return Supervisor.layer("app", {
        strategy,
        children: [
          Child.layer("a", echo, {
            ref: EchoRef,
            liveness: { check: note("check"), startPeriod: 0, interval: 1000, timeout: "1 minute" }
          }),
          Child.effect("user", everySecond(use)),
          Child.effect("asking", everySecond(ask))
        ]
      }).pipe(Layer.provide(EchoRef.layer))
    }

    for (const hang of [Fault.hang, Fault.freeze]) {
      it.effect(`${hang("", 0)._tag} stops its fibers, its checks and its users, until its time is over`, () =>
        Effect.gen(function*() {
          const seen = yield* seenIn(everything, { at: 2500, fault: hang("app/a", "2700 millis") })
          const all = ["another", "answer", "check", "one fiber", "use"]
          const times = [0, 1000, 2000, 5200, 6200, 7200, 8200, 9200, 10_200, 11_200, 12_200]
          assert.deepStrictEqual(
            seen.toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b) || a.localeCompare(b)),
            times.flatMap((time) => all.map((what) => `${time} ${what}`))
          )
        }))
    }

    const ticking = (note: Note) =>
      Supervisor.layer("app", { strategy, children: [Child.effect("a", everySecond(note("tick")))] })

    it.effect("stops the body of a child that is made, too", () =>
      Effect.gen(function*() {
        const program = (note: Note) =>
          Supervisor.layer("app", {
            strategy,
            children: [Child.make("a", Effect.succeed(everySecond(note("tick"))))]
          })
        const seen = yield* seenIn(program, { at: 500, fault: Fault.hang("app/a", "8 seconds") })
        assert.deepStrictEqual(seen, ["0 tick", "8500 tick", "9500 tick", "10500 tick"])
      }))

    it.effect("goes on to hang as long as one of several faults lasts", () =>
      Effect.gen(function*() {
        const long = Fault.hang("app/a", "8 seconds")
        const short = Fault.hang("app/a", "1 second")
        const expected = ["0 tick", "8500 tick", "9500 tick", "10500 tick"]
        const nested = [{ at: 500, fault: long }, { at: 600, fault: short }]
        assert.deepStrictEqual(yield* seenIn(ticking, ...nested), expected)
        const twice = [{ at: 500, fault: Fault.hang("app/a", "5 seconds") }, { at: 500, fault: long }]
        assert.deepStrictEqual(yield* seenIn(ticking, ...twice), expected)
        // Nor do its checks and its users go on in between.
        const ofAll = yield* seenIn(everything, ...nested)
        assert.deepStrictEqual(ofAll.filter((line) => Number.parseInt(line) > 600 && Number.parseInt(line) < 8500), [])
        assert.strictEqual(ofAll.filter((line) => line.startsWith("8500 ")).length, 5)
      }))

    it.effect("is found by a liveness check, and the child restarted", () =>
      Effect.gen(function*() {
        const app = Supervisor.layer("app", {
          strategy,
          children: [
            Child.effect("a", Effect.never, {
              liveness: { check: Effect.void, startPeriod: 0, interval: 1000, timeout: 500, failureThreshold: 2 }
            })
          ]
        })
        const lines = yield* traceOf(app, { at: 1500, fault: Fault.hang("app/a", "1 minute") })
        assert.deepStrictEqual(lines.slice(0, 6), [
          "1500 ms  >>> app/a hangs for 1m",
          "2500 ms  app/a is failing",
          "4000 ms  app/a is unhealthy: liveness failed: no answer within 500 ms; it is restarted",
          ...restarted(4000)
        ])
      }))

    const slowly = (effect: Effect.Effect<void>) => Effect.delay(effect, 100)
    const finalized = (note: Note) =>
      Supervisor.layer("app", {
        strategy,
        children: [
          Child.effect(
            "a",
            Effect.andThen(Effect.addFinalizer(() => slowly(note("released"))), Effect.forever(Effect.sleep(100)))
          )
        ]
      })

    it.effect("lets a hung child be stopped at once, and a frozen one only be abandoned", () =>
      Effect.gen(function*() {
        const crash = { at: 1000, fault: Fault.crash("app/a") }
        const hang = { at: 500, fault: Fault.hang("app/a", "1 minute") }
        const freeze = { at: 500, fault: Fault.freeze("app/a", "1 minute") }
        const frozenShortly = { at: 500, fault: Fault.freeze("app/a", "2 seconds") }
        const inTime = (lines: ReadonlyArray<string>) => ofChild(lines).slice(2)
        const app = finalized(() => Effect.void)
        assert.deepStrictEqual(inTime(yield* traceOf(app, hang, crash)), [
          "1000 ms  app/a failed: injected: Crash of app/a; it is restarted",
          ...restarted(1100)
        ])
        assert.deepStrictEqual(inTime(yield* traceOf(app, freeze, crash)), [
          "1000 ms  app/a failed: injected: Crash of app/a; it is restarted",
          "6000 ms  app/a abandoned: its fiber did not end in time",
          ...restarted(6000)
        ])
        assert.deepStrictEqual(inTime(yield* traceOf(app, frozenShortly, crash)), [
          "1000 ms  app/a failed: injected: Crash of app/a; it is restarted",
          ...restarted(2600)
        ])
      }))

    it.effect("lets a hung child release what it has, and a frozen one only when its time is over", () =>
      Effect.gen(function*() {
        const crash = { at: 1000, fault: Fault.crash("app/a") }
        const layer = (note: Note) =>
          Supervisor.layer("app", {
            strategy,
            children: [Child.layer("a", Layer.effectDiscard(Effect.addFinalizer(() => slowly(note("released")))))]
          })
        for (const program of [finalized, layer]) {
          const hang = { at: 500, fault: Fault.hang("app/a", "1 minute") }
          assert.deepStrictEqual(yield* seenIn(program, hang, crash), ["1100 released"])
          const freeze = { at: 500, fault: Fault.freeze("app/a", "2 seconds") }
          assert.deepStrictEqual(yield* seenIn(program, freeze, crash), ["2600 released"])
        }
      }))

    it.effect("hears that it is to stop as soon as the last fault that made it deaf is over", () =>
      Effect.gen(function*() {
        const steps = [
          { at: 500, fault: Fault.freeze("app/a", "1 second") },
          { at: 500, fault: Fault.hang("app/a", "1 minute") },
          { at: 500, fault: Fault.freeze("app/a", "2 seconds") },
          { at: 1000, fault: Fault.crash("app/a") }
        ]
        assert.deepStrictEqual(yield* seenIn(finalized, ...steps), ["2600 released"])
      }))

    it.effect("is over with the incarnation that hangs, and does not touch the next", () =>
      Effect.gen(function*() {
        const hang = { at: 500, fault: Fault.hang("app/a", "1 minute") }
        assert.deepStrictEqual(
          (yield* seenIn(ticking, hang, { at: 3500, fault: Fault.crash("app/a") })).slice(0, 3),
          ["0 tick", "3500 tick", "4500 tick"]
        )
      }))

    it.effect("does not make a supervisor hang, by itself or inside a child", () =>
      Effect.gen(function*() {
        const layer = Layer.provideMerge(Layer.effectDiscard(Effect.forkScoped(Effect.never)), inner)
        for (
          const [child, below] of [[Child.supervisor("a", inner), "app/a"], [
            Child.layer("a", layer),
            "app/a/inner"
          ]] as const
        ) {
          const app = Supervisor.layer("app", { strategy, children: [child] })
          const steps = [
            { at: 1000, fault: Fault.freeze("app/a", "5 seconds") },
            { at: 2000, fault: Fault.crash(`${below}/below`) }
          ]
          assert.deepStrictEqual((yield* traceOf(app, ...steps)).slice(2), [
            `2000 ms  ${below}/below failed: injected: Crash of ${below}/below; it is restarted`,
            `2000 ms  ${below}/below restarting`,
            `2000 ms  ${below}/below starting (incarnation 2)`,
            `2000 ms  ${below}/below started (incarnation 2)`
          ])
        }
      }))
  })

  describe("of the next start or stop", () => {
    const crash = { at: 2000, fault: Fault.crash("app/a") }
    const crashed = ["2000 ms  >>> app/a crashes", "2000 ms  app/a failed: injected: Crash of app/a; it is restarted"]

    it.effect("FailStart fails it, once for each, and is followed by a crash where a start cannot fail", () =>
      Effect.gen(function*() {
        const twice = [1, 2].map(() => ({ at: 1000, fault: Fault.failStart("app/a") }))
        for (const [kind, app] of Object.entries(apps)) {
          const fails = (incarnation: number) =>
            kind === "effect"
              ? [
                `2000 ms  app/a starting (incarnation ${incarnation})`,
                `2000 ms  app/a started (incarnation ${incarnation})`,
                "2000 ms  app/a failed: injected: FailStart of app/a; it is restarted"
              ]
              : [
                `2000 ms  app/a starting (incarnation ${incarnation})`,
                "2000 ms  app/a could not start: injected: FailStart of app/a"
              ]
          assert.deepStrictEqual(
            ofChild(yield* traceOf(app, ...twice, crash)),
            [
              "1000 ms  >>> app/a will fail to start",
              "1000 ms  >>> app/a will fail to start",
              ...crashed,
              "2000 ms  app/a restarting",
              ...fails(2),
              "2000 ms  app/a restarting",
              ...fails(3),
              ...restarted(2000, 4)
            ],
            kind
          )
        }
      }))

    it.effect("SlowStart delays it, by all of them together, and only once", () =>
      Effect.gen(function*() {
        const slow = [2, 1].map((seconds) => ({ at: 1000, fault: Fault.slowStart("app/a", Duration.seconds(seconds)) }))
        const again = { at: 6000, fault: Fault.crash("app/a") }
        for (const [kind, app] of Object.entries(apps)) {
          // An effect has started before it does anything.
          const up = kind === "effect" ? 2000 : 5000
          assert.deepStrictEqual(
            ofChild(yield* traceOf(app, ...slow, crash, again)),
            [
              "1000 ms  >>> app/a will start more slowly, by 2s",
              "1000 ms  >>> app/a will start more slowly, by 1s",
              ...crashed,
              "2000 ms  app/a restarting",
              "2000 ms  app/a starting (incarnation 2)",
              `${up} ms  app/a started (incarnation 2)`,
              "6000 ms  >>> app/a crashes",
              "6000 ms  app/a failed: injected: Crash of app/a; it is restarted",
              ...restarted(6000, 3)
            ],
            kind
          )
        }
        const effect = (note: Note) =>
          Supervisor.layer("app", {
            strategy,
            children: [Child.effect("a", Effect.andThen(note("begins"), Effect.never))]
          })
        assert.deepStrictEqual(yield* seenIn(effect, ...slow, crash), ["0 begins", "5000 begins"])
      }))

    it.effect("SlowStop delays it, by all of them together, and only once", () =>
      Effect.gen(function*() {
        const slow = [2, 1].map((seconds) => ({ at: 1000, fault: Fault.slowStop("app/a", Duration.seconds(seconds)) }))
        const again = { at: 6000, fault: Fault.crash("app/a") }
        for (const [kind, app] of Object.entries(apps)) {
          assert.deepStrictEqual(
            ofChild(yield* traceOf(app, ...slow, crash, again)),
            [
              "1000 ms  >>> app/a will stop more slowly, by 2s",
              "1000 ms  >>> app/a will stop more slowly, by 1s",
              ...crashed,
              ...restarted(5000),
              "6000 ms  >>> app/a crashes",
              "6000 ms  app/a failed: injected: Crash of app/a; it is restarted",
              ...restarted(6000, 3)
            ],
            kind
          )
        }
      }))

    it.effect("SlowStop comes after all that the child itself releases", () =>
      Effect.gen(function*() {
        const program = (note: Note) =>
          Supervisor.layer("app", {
            strategy,
            children: [Child.make("a", Effect.as(Effect.addFinalizer(() => note("released")), Effect.never))]
          })
        const slow = { at: 1000, fault: Fault.slowStop("app/a", "3 seconds") }
        assert.deepStrictEqual(yield* seenIn(program, slow, crash), ["2000 released"])
      }))

    it.effect("are those of a task as well", () =>
      Effect.gen(function*() {
        const steps = [
          { at: 1000, fault: Fault.failStart("app/a") },
          { at: 1000, fault: Fault.slowStart("app/a", "3 seconds") },
          { at: 1000, fault: Fault.slowStop("app/a", "4 seconds") },
          crash
        ]
        assert.deepStrictEqual((yield* traceOf(task, ...steps)).filter((line) => !line.includes(">>> app")), [
          "6000 ms  app/a could not start: injected: Crash of app/a",
          "6000 ms  >>> the program has ended: ChildStartFailed: app/a could not start: injected: Crash of app/a\n" +
          "             app could not start \"a\"",
          "7000 ms  app/a starting (incarnation 1)",
          "10000 ms  app/a could not start: injected: FailStart of app/a",
          "10000 ms  >>> the program has ended: ChildStartFailed: app/a could not start: injected: FailStart of app/a\n" +
          "             app could not start \"a\"",
          "11000 ms  app/a starting (incarnation 1)",
          "21000 ms  app/a has nothing to run",
          "21000 ms  app is up"
        ])
      }))
  })

  describe("of the next use", () => {
    /** Uses the service once a second, and notes each use that is run, and each answer. */
    const used = (note: Note) => {
      const use = Effect.flatMap(
        Effect.exit(DbRef.use(({ name }) => Effect.as(note("run"), name))),
        (exit) => note(Exit.match(exit, { onFailure: (cause) => JSON.stringify(cause.reasons), onSuccess: String }))
      )
      return Supervisor.layer("app", {
        strategy,
        children: [Child.layer("a", Db.layer, { ref: DbRef }), Child.effect("user", everySecond(use))]
      }).pipe(Layer.provide(DbRef.layer))
    }
    const told = (error: SupervisorError.ChildDown | SupervisorError.ChildUnavailable) =>
      JSON.stringify(Cause.fail(error).reasons)

    it.effect("RefuseUse is ChildUnavailable, and the use is not run", () =>
      Effect.gen(function*() {
        const seen = yield* seenIn(used, { at: 500, fault: Fault.refuseUse("app/a") })
        const refused = new SupervisorError.ChildUnavailable({
          ref: DbRef.key,
          reason: "not-back-in-time",
          patienceMillis: 0
        })
        assert.deepStrictEqual(seen.slice(0, 5), ["0 run", "0 db", `1000 ${told(refused)}`, "2000 run", "2000 db"])
      }))

    it.effect("LoseUse is ChildDown of that incarnation, and the use was run", () =>
      Effect.gen(function*() {
        const steps = [{ at: 300, fault: Fault.crash("app/a") }, { at: 500, fault: Fault.loseUse("app/a") }]
        const seen = yield* seenIn(used, ...steps)
        const down = new SupervisorError.ChildDown({ ref: DbRef.key, path: "app/a", incarnation: 2 })
        assert.deepStrictEqual(
          seen.slice(0, 6),
          ["0 run", "0 db", "1000 run", `1000 ${told(down)}`, "2000 run", "2000 db"]
        )
      }))

    it.effect("come one after another, each for one use, and end with the incarnation", () =>
      Effect.gen(function*() {
        const three = [Fault.loseUse("app/a"), Fault.refuseUse("app/a"), Fault.loseUse("app/a")]
        const seen = yield* seenIn(
          used,
          ...three.map((fault) => ({ at: 500, fault })),
          { at: 2500, fault: Fault.crash("app/a") }
        )
        assert.deepStrictEqual(
          seen.slice(0, 7).map((line) => line.replace(/ .*"(Child\w+)".*/, " $1")),
          ["0 run", "0 db", "1000 run", "1000 ChildDown", "2000 ChildUnavailable", "3000 run", "3000 db"]
        )
      }))
  })

  it.effect("of a child that is not up does nothing, and the trace says so", () =>
    Effect.gen(function*() {
      const app = Supervisor.layer("app", {
        strategy,
        children: [
          Child.effect("a", Effect.sleep(1000), { restart: "transient" }),
          Child.effect("b", Effect.never)
        ]
      })
      const kinds = Fault.kinds.filter((kind) => kind !== "FailStart" && kind !== "SlowStart")
      for (const path of ["app/a", "app/nowhere"]) {
        for (const kind of kinds) {
          const fault = Fault.make(kind, path, 1000)
          assert.deepStrictEqual(
            yield* traceOf(app, { at: 2000, fault }),
            [`2000 ms  >>> ${Fault.format(fault)}, but it is not up`]
          )
        }
      }
    }))

  it.effect("of a child that was abandoned with its supervisor does nothing either", () =>
    Effect.gen(function*() {
      const app = Supervisor.layer("app", {
        strategy,
        intensity: 0,
        children: [Child.layer("a", Layer.effectDiscard(Effect.addFinalizer(() => Effect.sleep(1))))]
      })
      const lines = yield* traceOf(
        app,
        { at: 1000, fault: Fault.freeze("app/a", "1 hour") },
        { at: 2000, fault: Fault.kill("app/a") },
        { at: 2500, fault: Fault.crash("app/a") }
      )
      assert.strictEqual(lines.at(2), "2000 ms  app/a was killed; its supervisor gives up")
      assert.include(lines, "2500 ms  >>> app/a crashes, but it is not up")
    }))

  it("lasts for a time that ends", () => {
    assert.throws(() => Fault.hang("app/a", "Infinity"), "a fault lasts for a time that ends, not for Infinity")
  })

  describe("as text", () => {
    const all = [
      Fault.crash("app/a"),
      Fault.panic("app/a"),
      Fault.interrupt("app/a"),
      Fault.kill("app/a"),
      Fault.failStart("app/a"),
      Fault.slowStart("app/a", "1 second"),
      Fault.slowStop("app/a", "2 minutes"),
      Fault.hang("app/a", "1500 millis"),
      Fault.freeze("app/a", 20),
      Fault.refuseUse("app/a"),
      Fault.loseUse("app/\"a\"")
    ]

    it("is a line for people", () => {
      assert.deepStrictEqual(all.map(Fault.format), [
        "app/a crashes",
        "app/a panics",
        "app/a is interrupted",
        "app/a is killed",
        "app/a will fail to start",
        "app/a will start more slowly, by 1s",
        "app/a will stop more slowly, by 2m",
        "app/a hangs for 1s 500ms",
        "app/a hangs and cannot be stopped for 20ms",
        "app/a will refuse a use",
        "app/\"a\" will lose the answer of a use"
      ])
    })

    it("is the code that makes it", () => {
      for (const fault of all) {
        assert.deepStrictEqual(new Function("Fault", `return ${Fault.toCode(fault)}`)(Fault), fault)
      }
      assert.strictEqual(Fault.toCode(all[6]!), "Fault.slowStop(\"app/a\", \"120 seconds\")")
      assert.strictEqual(Fault.toCode(all[7]!), "Fault.hang(\"app/a\", \"1500 millis\")")
    })

    it("has each kind once, and goes through JSON unchanged", () => {
      assert.deepStrictEqual(all.map(({ _tag }) => _tag), [...Fault.kinds])
      const json = Schema.toCodecJson(Fault.Fault)
      for (const fault of all) {
        assert.deepStrictEqual(Schema.decodeSync(json)(Schema.encodeSync(json)(fault)), fault)
        const millis = "millis" in fault ? fault.millis : 0
        assert.deepStrictEqual(Fault.make(fault._tag, fault.path, millis), fault)
      }
    })
  })
})
