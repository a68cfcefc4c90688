import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ExitReason, Supervisor, SupervisorError } from "coppice"
import { Cause, Context, Effect, ErrorReporter, Exit, Layer, References, Scope, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { ended, patient } from "./support/kit.ts"
import { answer, Lever, type Line, scenario } from "./support/world.ts"

const crash = (message: string) => ExitReason.fromExit(Exit.fail(message))

const withCause = (message: string) => Cause.fail(message)

/** Lines without what they do not always have. */
const brief = (lines: ReadonlyArray<Line>) =>
  lines.map(({ fields, level, message }) => [level, message, fields["supervisor"], fields["child"]])

describe("the log line", () => {
  scenario(
    "of a crash is at Error with its cause, that of its restart at Warn with the count",
    (world) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 5,
          children: [world.kit.child("a"), world.kit.child("b")]
        })
        assert.deepStrictEqual(world.takeLines(), [])
        yield* world.kit.crash("a")
        yield* world.kit.crash("b")
        const line = (child: string, count: number): ReadonlyArray<Line> => [
          {
            level: "Error",
            message: "child terminated",
            fields: {
              supervisor: "app",
              context: "child-terminated",
              child,
              incarnation: 1,
              reason: `failed: ${child} crashed`
            },
            cause: withCause(`${child} crashed`)
          },
          {
            level: "Warn",
            message: `restarting child (${count} of 5 restarts)`,
            fields: {
              supervisor: "app",
              context: "child-terminated",
              child,
              incarnation: 1,
              reason: `failed: ${child} crashed`
            },
            cause: Cause.empty
          }
        ]
        assert.deepStrictEqual(world.takeLines(), [...line("a", 1), ...line("b", 2)])
      })
  )

  scenario(
    "of a failed start is at Error with its cause, and so is that of each retry",
    (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 5,
          children: [world.kit.child("a", { starts: ["ok", "fail"] })]
        })
        yield* world.kit.crash("a")
        yield* answer(Effect.flip(app.startChild(world.kit.child("b", { starts: ["fail"] }))))
        const lines = world.takeLines()
        assert.deepStrictEqual(brief(lines), [
          ["Error", "child terminated", "app", "a"],
          ["Warn", "restarting child (1 of 5 restarts)", "app", "a"],
          ["Error", "child could not start", "app", "a"],
          ["Warn", "restarting child (2 of 5 restarts)", "app", "a"],
          ["Error", "child could not start", "app", "b"]
        ])
        assert.deepStrictEqual(lines[2], {
          level: "Error",
          message: "child could not start",
          fields: {
            supervisor: "app",
            context: "start-error",
            child: "a",
            incarnation: 2,
            reason: "could not start: a does not start"
          },
          cause: withCause("a does not start")
        })
      })
  )

  scenario("of the initial start that fails is written too", (world) =>
    Effect.gen(function*() {
      yield* answer(Effect.flip(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a"), world.kit.child("b", { starts: ["fail"] })]
      })))
      assert.deepStrictEqual(brief(world.takeLines()), [["Error", "child could not start", "app", "b"]])
    }))

  scenario(
    "of progress is at Debug: starts, stops, clean ends, the supervisor's own start and stop",
    (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const make = Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a"), world.kit.child("b"), world.kit.child("done", { restart: "transient" })]
        })
        yield* Scope.provide(make, scope).pipe(Effect.provideService(References.MinimumLogLevel, "Debug"))
        yield* world.kit.return("done")
        yield* answer(Scope.close(scope, Exit.void))
        const lines = world.takeLines()
        assert.deepStrictEqual(brief(lines), [
          ["Debug", "child started", "app", "a"],
          ["Debug", "child started", "app", "b"],
          ["Debug", "child started", "app", "done"],
          ["Debug", "supervisor started", "app", undefined],
          ["Debug", "child terminated", "app", "done"],
          ["Debug", "child stopped", "app", "b"],
          ["Debug", "child stopped", "app", "a"],
          ["Debug", "supervisor stopped", "app", undefined]
        ])
        assert.deepStrictEqual(lines[0]?.fields, { supervisor: "app", context: "progress", child: "a", incarnation: 1 })
        assert.deepStrictEqual(lines[4]?.fields, {
          supervisor: "app",
          context: "child-terminated",
          child: "done",
          incarnation: 1,
          reason: "returned normally"
        })
        assert.deepStrictEqual(lines[7]?.fields, { supervisor: "app", context: "shutdown", reason: "shut down" })
      })
  )

  for (const minimum of ["Debug", "Info", "Warn", "Error", "Fatal", "None"] as const) {
    scenario(`below the minimum level is not written, with ${minimum}`, (world) =>
      Effect.gen(function*() {
        const make = Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1,
          children: [world.kit.child("a"), world.kit.child("b")]
        })
        yield* Effect.provideService(make, References.MinimumLogLevel, minimum)
        yield* world.kit.crash("a")
        yield* world.kit.crash("a")
        const levels = ["Debug", "Warn", "Error", "Fatal"] as const
        const from = { Debug: 0, Info: 1, Warn: 1, Error: 2, Fatal: 3, None: 4 }[minimum]
        assert.sameMembers(
          Array.from(new Set(world.takeLines().map((line) => line.level))),
          levels.slice(from)
        )
      }))
  }

  scenario(
    "of a permanent child that returned normally is a warning: it is restarted, and nothing failed",
    (world) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a"), world.kit.child("b")]
        })
        yield* world.kit.return("a")
        const lines = world.takeLines()
        assert.deepStrictEqual(brief(lines), [["Warn", "restarting child (1 of 3 restarts)", "app", "a"]])
        assert.strictEqual(lines[0]?.fields["reason"], "returned normally")
      })
  )

  scenario(
    "of a temporary child that crashes is at Error, though nothing is restarted",
    (world) =>
      Effect.gen(function*() {
        const children = [world.kit.child("a", { restart: "temporary" }), world.kit.child("b")]
        yield* Supervisor.make("app", { strategy: "one-for-one", children })
        yield* world.kit.crash("a")
        assert.deepStrictEqual(brief(world.takeLines()), [["Error", "child terminated", "app", "a"]])
      })
  )

  scenario("names the supervisor by its path, and the incarnation by its number", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        ...patient,
        children: [world.kit.child("leaf")]
      })
      yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.supervisor("storage", nested)] })
      yield* world.kit.crash("leaf")
      world.takeLines()
      yield* world.kit.crash("leaf")
      const fields = world.takeLines()[0]?.fields
      assert.deepInclude(fields, { supervisor: "app/storage", child: "leaf", incarnation: 2 })
    }))
})

describe("giving up", () => {
  scenario(
    "of a root is told at Fatal, after its story; onEscalation runs; it stays stopped",
    (world) =>
      Effect.gen(function*() {
        const escalated: Array<SupervisorError.RestartIntensityExceeded> = []
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("a"), world.kit.child("b")],
          onEscalation: (error) => Effect.sync(() => escalated.push(error))
        })
        yield* world.kit.crash("a")
        const error = yield* answer(Effect.flip(app.await))
        const fields = { supervisor: "app", context: "shutdown", child: "a", reason: "RestartIntensityExceeded" }
        assert.deepStrictEqual(world.takeLines().slice(1), [
          { level: "Error", message: error.message, fields, cause: Cause.empty },
          {
            level: "Fatal",
            message: "a root supervisor gave up and stays stopped; nothing restarts it",
            fields,
            cause: Cause.fail(error)
          }
        ])
        assert.deepStrictEqual(escalated, [error])
        assert.strictEqual(escalated[0], error)
        assert.strictEqual((yield* app.tree).state, "failed")
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(world.takeLines(), [])
        assert.strictEqual(world.kit.attempts("a"), 1)
        assert.strictEqual((yield* answer(Effect.flip(app.countChildren)))._tag, "SupervisorDown")
      })
  )

  scenario(
    "of a root under launch is told at Error only: launch fails with it, and onEscalation does not run",
    (world) =>
      Effect.gen(function*() {
        let escalated = 0
        const layer = Supervisor.layer("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("a"), world.kit.child("b")],
          onEscalation: () => Effect.sync(() => escalated++)
        })
        const launched = yield* Effect.forkScoped(Effect.flip(Supervisor.launch(layer)))
        yield* VirtualTime.settle
        yield* world.kit.crash("a")
        const exit = launched.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && exit.value._tag === "RestartIntensityExceeded")
        assert.deepStrictEqual(world.takeLines().map((line) => line.level), ["Error", "Error"])
        assert.strictEqual(escalated, 0)
      })
  )

  for (const restart of ["permanent", "transient", "temporary"] as const) {
    scenario(
      `of a ${restart} nested supervisor is told at Error by both, and onEscalation does not run`,
      (world) =>
        Effect.gen(function*() {
          let escalated = 0
          const nested = Supervisor.layer("nested", {
            strategy: "one-for-one",
            intensity: 0,
            children: [world.kit.child("leaf")],
            onEscalation: () => Effect.sync(() => escalated++)
          })
          yield* Supervisor.make("app", {
            strategy: "one-for-one",
            children: [Child.supervisor("nested", nested, { restart }), world.kit.child("b")]
          })
          yield* world.kit.crash("leaf")
          const lines = world.takeLines()
          const gaveUp = "app/nested gave up on \"leaf\": 1 restart needed within 5 s, 0 allowed"
          assert.deepStrictEqual(brief(lines), [
            ["Error", "child terminated", "app/nested", "leaf"],
            ["Error", `app/nested/leaf failed: leaf crashed\n${gaveUp}`, "app/nested", "leaf"],
            ["Error", "child terminated", "app", "nested"],
            ...restart === "permanent" ? [["Warn", "restarting child (1 of 3 restarts)", "app", "nested"]] : []
          ])
          assert.deepStrictEqual(lines[2], {
            level: "Error",
            message: "child terminated",
            fields: { supervisor: "app", context: "child-terminated", child: "nested", incarnation: 1, reason: gaveUp },
            cause: Cause.empty
          })
          assert.strictEqual(escalated, 0)
        })
    )
  }

  scenario(
    "of a supervisor whose parent incarnation has ended is a root's: Fatal and onEscalation",
    (world) =>
      Effect.gen(function*() {
        let escalated = 0
        const lever = new Lever()
        const outside = yield* Scope.make()
        const host = Effect.andThen(
          Scope.provide(
            Supervisor.make("orphan", {
              strategy: "one-for-one",
              intensity: 0,
              children: [Child.effect("leaf", lever.wait)],
              onEscalation: () => Effect.sync(() => escalated++)
            }),
            outside
          ),
          Effect.never
        )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.effect("host", host), world.kit.child("b")]
        })
        yield* VirtualTime.settle
        yield* answer(app.terminateChild("host"))
        world.takeLines()
        yield* lever.pull(Effect.fail("crash"))
        assert.deepStrictEqual(world.takeLines().map((line) => line.level), ["Error", "Error", "Fatal"])
        assert.strictEqual(escalated, 1)
        yield* Scope.close(outside, Exit.void)
      })
  )

  scenario("by automatic shutdown is no escalation: nothing above Debug", (world) =>
    Effect.gen(function*() {
      let escalated = 0
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        autoShutdown: "any-significant",
        children: [world.kit.child("a", { restart: "transient", significant: true }), world.kit.child("b")],
        onEscalation: () => Effect.sync(() => escalated++)
      })
      yield* world.kit.return("a")
      assert.strictEqual(yield* ended(app), "shut down")
      assert.deepStrictEqual(world.takeLines(), [])
      assert.strictEqual(escalated, 0)
    }))
})

describe("what goes wrong in a stop", () => {
  const shape = (message: string, cause: Cause.Cause<unknown>): Line => ({
    level: "Error",
    message,
    fields: { supervisor: "app", context: "shutdown-error", child: "a", incarnation: 1 },
    cause
  })

  scenario("a finalizer that dies is a line with its cause", (world) =>
    Effect.gen(function*() {
      const start = Effect.as(Effect.addFinalizer(() => Effect.die("no way")), Effect.never)
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.make("a", start), world.kit.child("b")]
      })
      yield* answer(app.terminateChild("a"))
      assert.deepStrictEqual(world.takeLines(), [shape("a finalizer of a child failed", Cause.die("no way"))])
    }))

  scenario(
    "an asked child that goes with an error of its own is a line with its cause (rule T7)",
    (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a", { stops: "fail" }), world.kit.child("b")]
        })
        yield* answer(app.terminateChild("a"))
        const lines = world.takeLines()
        assert.deepStrictEqual(lines.map(({ cause: _, ...line }) => line), [
          { level: lines[0]!.level, message: lines[0]!.message, fields: shape("", Cause.empty).fields }
        ])
        assert.isTrue(lines[0]?.level === "Error" && Cause.hasDies(lines[0].cause))
      })
  )

  scenario("an asked child that goes as asked is no line (rule T7)", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          world.kit.child("a"),
          Child.effect("b", Effect.ignore(Effect.onInterrupt(Effect.never, () => Effect.void))),
          world.kit.child("c", { shutdown: "brutal-kill" })
        ]
      })
      for (const id of ["a", "b", "c"]) yield* answer(app.terminateChild(id))
      assert.deepStrictEqual(world.takeLines(), [])
    }))

  for (const waitingFor of ["fiber", "scope"] as const) {
    scenario(
      `an abandoned child is a line that says what did not end: its ${waitingFor}`,
      (world) =>
        Effect.gen(function*() {
          const lever = new Lever()
          const start = waitingFor === "fiber"
            ? Effect.succeed(Effect.uninterruptible(lever.wait))
            : Effect.as(Effect.addFinalizer(() => Effect.ignore(lever.wait)), Effect.never)
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            children: [Child.make("a", start), world.kit.child("b")]
          })
          yield* Effect.forkChild(app.terminateChild("a"))
          yield* TestClock.adjust("5 seconds")
          const what = waitingFor === "fiber" ? "its fiber does not end" : "its finalizers do not end"
          const [slow, ...others] = world.takeLines()
          const whatIsSlow = waitingFor === "fiber" ? "fiber" : "finalizers"
          assert.deepStrictEqual(
            [slow?.level, slow?.message, slow?.fields["child"]],
            ["Warn", `waiting for the ${whatIsSlow} of a child to end, for 5000 ms at most`, "a"]
          )
          assert.deepStrictEqual(others, [shape(`child abandoned: ${what}`, Cause.empty)])
          yield* lever.pull(Effect.void)
        })
    )
  }

  scenario(
    "a stop that takes a second says which child it waits for; a shorter one says nothing",
    (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.make("quick", Effect.as(Effect.addFinalizer(() => Effect.sleep("999 millis")), Effect.never)),
            Child.make("slow", Effect.as(Effect.addFinalizer(() => Effect.sleep("2 seconds")), Effect.never), {
              shutdown: "Infinity"
            })
          ]
        })
        yield* Effect.forkChild(app.terminateChild("quick"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(world.takeMessages("Warn", "Error"), [])
        yield* Effect.forkChild(app.terminateChild("slow"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(
          world.takeMessages("Warn", "Error"),
          ["slow: waiting for the finalizers of a child to end, without a bound"]
        )
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(world.takeMessages("Warn", "Error"), [])
      })
  )

  scenario(
    "a supervisor that ends names the abandoned that have not, and only these (erlang/otp#770)",
    (world) =>
      Effect.gen(function*() {
        const [fiber, finalizer, half, halfToo, late] = Array.from({ length: 5 }, () => new Lever())
        const scope = yield* Scope.make()
        const stuck = (id: string, body: Lever | undefined, release: Lever | undefined) =>
          Child.make(
            id,
            Effect.as(
              Effect.addFinalizer(() => Effect.orDie(release?.wait ?? Effect.void)),
              body === undefined ? Effect.never : Effect.uninterruptible(body.wait)
            ),
            { shutdown: 0 }
          )
        const children = [
          stuck("fiber", fiber, undefined),
          stuck("finalizer", undefined, finalizer),
          stuck("half", half, halfToo),
          stuck("late", late, undefined)
        ]
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children }),
          scope
        )
        for (const { id } of children) yield* Effect.forkChild(app.terminateChild(id))
        yield* TestClock.adjust("1 second")
        for (const lever of [fiber, finalizer, half]) yield* lever!.pull(Effect.void)
        world.takeLines()
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(
          world.takeMessages("Warn"),
          ["2 abandoned, and still not ended: app/half (incarnation 1), app/late (incarnation 1)"]
        )
        for (const lever of [halfToo, late]) yield* lever!.pull(Effect.void)
      })
  )

  scenario(
    "a crash that is swallowed, because a group restart came first, is a line all the same",
    (world) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [world.kit.child("a"), world.kit.child("b"), world.kit.child("c")]
        })
        yield* world.kit.crashTogether("a", "b")
        const lines = world.takeLines()
        for (const child of ["a", "b"]) {
          assert.isNotEmpty(lines.filter((line) => line.level === "Error" && line.fields["child"] === child), child)
        }
        assert.isEmpty(lines.filter((line) => line.fields["child"] === "c"))
      })
  )

  scenario(
    "a crash that the supervisor comes upon when it stops that child is a line with its cause; a clean end is none",
    (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [world.kit.child("a"), world.kit.child("b"), world.kit.child("c")]
        })
        yield* Effect.forkChild(app.startChild(world.kit.child("slow", { starts: ["hang"] })))
        yield* VirtualTime.settle
        yield* world.kit.crashTogether("a", "b")
        yield* world.kit.leave("c", Effect.void)
        world.takeLines()
        yield* world.kit.release("slow")
        const lines = world.takeLines().filter(({ level }) => level === "Error")
        assert.deepStrictEqual(brief(lines), [
          ["Error", "child terminated", "app", "a"],
          ["Error", "child terminated just before it was stopped", "app", "b"]
        ])
        assert.deepStrictEqual(lines[1]?.cause, withCause("b crashed"))
        assert.strictEqual(lines[1]?.fields["context"], "shutdown-error")
      })
  )
})

describe("everything a child runs", () => {
  class Deep extends Context.Service<Deep, number>()("coppice/test/Report.test/Deep") {}

  /** Logs a line and makes a span. */
  const speak = (what: string) => Effect.withSpan(Effect.logWarning(what), what)

  const spansOf = () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span(options) {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const said = () =>
      Object.fromEntries(spans.map(({ attributes, name }) => [
        name,
        [attributes.get("coppice.path"), attributes.get("coppice.incarnation")]
      ]))
    return { tracer, said }
  }

  const saidInLogs = (lines: ReadonlyArray<Line>) =>
    Object.fromEntries(
      lines.filter((line) => line.fields["supervisor"] === undefined).map(({ fields, message }) => [
        message,
        [fields["coppice.path"], fields["coppice.incarnation"]]
      ])
    )

  scenario(
    "carries its path and incarnation on logs and spans: bodies, starts, layers, forks and finalizers",
    (world) =>
      Effect.gen(function*() {
        const { said, tracer } = spansOf()
        const lever = new Lever()
        const deep = Layer.effect(Deep, Effect.as(speak("deep layer"), 1))
        const layer = Layer.effectDiscard(Effect.gen(function*() {
          yield* Deep
          yield* speak("layer")
          yield* Effect.forkScoped(speak("fork of a layer"))
        })).pipe(Layer.provide(deep))
        const start = Effect.gen(function*() {
          const { incarnation } = yield* Child.current
          yield* speak(`start ${incarnation}`)
          yield* Effect.addFinalizer(() => speak(`finalizer ${incarnation}`))
          return Effect.gen(function*() {
            yield* Effect.forkChild(
              Effect.andThen(Effect.forkChild(speak(`fork of a fork ${incarnation}`)), Effect.never)
            )
            yield* Effect.forkDetach(speak(`detached ${incarnation}`))
            yield* Stream.runDrain(Stream.fromEffect(speak(`stream ${incarnation}`)))
            yield* lever.wait
          })
        })
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          children: [Child.effect("leaf", Effect.andThen(speak("leaf"), Effect.never))]
        })
        const make = Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.effect("effect", Effect.andThen(speak("effect"), Effect.never)),
            Child.layer("layer", layer),
            Child.supervisor("storage", nested),
            Child.make("make", start)
          ]
        })
        const app: Supervisor.Supervisor = yield* make.pipe(Effect.withTracer(tracer))
        yield* VirtualTime.settle
        yield* lever.pull(Effect.fail("crash"))
        yield* answer(app.terminateChild("make"))
        const expected = {
          "effect": ["app/effect", 1],
          "deep layer": ["app/layer", 1],
          "layer": ["app/layer", 1],
          "fork of a layer": ["app/layer", 1],
          "leaf": ["app/storage/leaf", 1],
          "start 1": ["app/make", 1],
          "fork of a fork 1": ["app/make", 1],
          "detached 1": ["app/make", 1],
          "stream 1": ["app/make", 1],
          "finalizer 1": ["app/make", 1],
          "start 2": ["app/make", 2],
          "fork of a fork 2": ["app/make", 2],
          "detached 2": ["app/make", 2],
          "stream 2": ["app/make", 2],
          "finalizer 2": ["app/make", 2]
        }
        assert.deepStrictEqual(saidInLogs(world.takeLines()), expected)
        assert.deepStrictEqual(said(), expected)
      })
  )

  scenario("keeps the annotations of the supervisor's surroundings", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", Effect.andThen(Effect.logWarning("a"), Effect.never))]
      }).pipe(Effect.annotateLogs({ service: "shop" }))
      yield* app.startChild(Child.effect("b", Effect.andThen(Effect.logWarning("b"), Effect.never)))
      yield* VirtualTime.settle
      assert.deepStrictEqual(world.takeLines().map((line) => line.fields), [
        { service: "shop", "coppice.path": "app/a", "coppice.incarnation": 1 },
        { service: "shop", "coppice.path": "app/b", "coppice.incarnation": 1 }
      ])
    }))
})

describe("an error reporter", () => {
  interface Reported {
    readonly error: Error
    readonly severity: string
    readonly attributes: Readonly<Record<string, unknown>>
  }

  /** What is reported while supervisors are made here. */
  const reporting = () => {
    const reported: Array<Reported> = []
    const crashes: Array<SupervisorError.ChildCrashed> = []
    const reporter = ErrorReporter.make(({ attributes, error, severity }) => {
      reported.push({ attributes: { ...attributes }, error, severity })
    })
    const raw: ErrorReporter.ErrorReporter = {
      [ErrorReporter.TypeId]: ErrorReporter.TypeId,
      report: ({ cause }) => {
        for (const reason of cause.reasons) {
          if (reason._tag === "Fail" && reason.error instanceof SupervisorError.ChildCrashed) crashes.push(reason.error)
        }
      }
    }
    return { reported, crashes, layer: ErrorReporter.layer([reporter, raw]) }
  }

  scenario(
    "is told once of each crash, with a ChildCrashed that says who, why and how severe",
    (world) =>
      Effect.gen(function*() {
        const { crashes, layer, reported } = reporting()
        yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [world.kit.child("a"), world.kit.child("b")]
        }).pipe(Effect.provide(layer))
        yield* world.kit.crash("a")
        yield* world.kit.leave("b", Effect.die("bug"))
        assert.deepStrictEqual(
          crashes.map(({ cause, incarnation, path, reason }) => ({ cause, incarnation, path, reason })),
          [
            { path: "app/a", incarnation: 1, reason: crash("a crashed"), cause: "a crashed" },
            { path: "app/b", incarnation: 1, reason: ExitReason.defect("bug"), cause: "bug" }
          ]
        )
        assert.deepStrictEqual(
          reported.map(({ attributes, error, severity }) => [error.message, severity, attributes]),
          [
            ["app/a failed: a crashed", "Error", { "coppice.path": "app/a", "coppice.incarnation": 1 }],
            ["app/b panicked: bug", "Error", { "coppice.path": "app/b", "coppice.incarnation": 1 }]
          ]
        )
      })
  )

  scenario("is told anew of each crash with one and the same error object", (world) =>
    Effect.gen(function*() {
      const { crashes, layer, reported } = reporting()
      const error = new Error("always this one")
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 3,
        children: [Child.effect("a", Effect.fail(error)), world.kit.child("b")]
      }).pipe(Effect.provide(layer))
      yield* VirtualTime.settle
      assert.deepStrictEqual(crashes.map((crashed) => crashed.incarnation), [1, 2, 3, 4])
      assert.strictEqual(new Set(crashes).size, 4)
      assert.isTrue(crashes.every((crashed) => crashed.cause === error))
      assert.strictEqual(reported.length, 4)
    }))

  scenario("is told of failed starts, also of retries and of the first", (world) =>
    Effect.gen(function*() {
      const { crashes, layer } = reporting()
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [world.kit.child("a", { starts: ["ok", "fail", "fail"] })]
      }).pipe(Effect.provide(layer))
      yield* world.kit.crash("a")
      yield* answer(Effect.flip(Supervisor.make("next", {
        strategy: "one-for-one",
        children: [world.kit.child("c", { starts: ["fail"] })]
      }))).pipe(Effect.provide(layer))
      assert.deepStrictEqual(crashes.map((crashed) => crashed.message), [
        "app/a failed: a crashed",
        "app/a could not start: a does not start",
        "app/a could not start: a does not start",
        "next/c could not start: c does not start"
      ])
    }))

  scenario(
    "is told nothing of clean exits, stops, restarts by hand or a supervisor that gave up",
    (world) =>
      Effect.gen(function*() {
        const { crashes, layer } = reporting()
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("leaf")]
        })
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [
            world.kit.child("a"),
            world.kit.child("b", { starts: ["ok", "ignore"] }),
            Child.supervisor("n", nested)
          ]
        }).pipe(Effect.provide(layer))
        yield* world.kit.return("a")
        yield* world.kit.return("b")
        yield* answer(app.terminateChild("a"))
        yield* answer(app.restartChild("a"))
        yield* app.exitChild("a", ExitReason.shutdown("drain"))
        yield* VirtualTime.settle
        yield* world.kit.return("leaf")
        assert.deepStrictEqual(crashes, [])
      })
  )

  scenario("is told of an interruption that nobody asked for", (world) =>
    Effect.gen(function*() {
      const { crashes, layer } = reporting()
      yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [world.kit.child("a"), world.kit.child("b")]
      }).pipe(Effect.provide(layer))
      yield* world.kit.leave("a", Effect.interrupt)
      assert.deepStrictEqual(
        crashes.map((crashed) => crashed.message),
        ["app/a was interrupted, and not by its supervisor"]
      )
    }))
})
