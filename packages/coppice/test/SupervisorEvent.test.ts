import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, ExitReason, Supervisor, SupervisorEvent } from "coppice"
import { Cause, Effect, Exit, type Layer, Schedule, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { patient, shutdown } from "./support/kit.ts"
import { answer, type Anything, collect, Lever, scenario } from "./support/world.ts"

type Event = SupervisorEvent.SupervisorEvent

// The hub is internal, and another project's: its types are not to be had here.
const hubModule = "../src/internal/eventHub.ts"
const { EventHub } = await import(hubModule) as { readonly EventHub: { readonly prototype: { publish: () => void } } }

/** Launches a layer and collects its events; `take` answers those since it was asked last. */
const launch = Effect.fnUntraced(function*<E>(layer: Layer.Layer<never, E>) {
  let events: Array<Event> = []
  const launched = yield* Effect.forkScoped(Effect.exit(Supervisor.launch(layer, {
    onEvent: (event) =>
      Effect.sync(() => {
        events.push(event)
      })
  })))
  yield* VirtualTime.settle
  const take = Effect.map(VirtualTime.settle, () => {
    const taken = events
    events = []
    return taken
  })
  return { take, launched }
})

const crash = (message: string) => ExitReason.fromExit(Exit.fail(message))

/** Where and when: what every event has. */
const at = (path: string, incarnation: number, timeMillis: number) => ({ path, incarnation, timeMillis })

describe("the events of a supervisor", () => {
  scenario("tell its start: each child in order, then that it is up", (world) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(10_000)
      const layer = Supervisor.layer("app", {
        strategy: "one-for-one",
        children: [
          world.kit.child("a"),
          Child.make("b", Effect.as(Effect.sleep("2 seconds"), Effect.never)),
          Child.make("c", Child.ignore)
        ]
      })
      const { take } = yield* launch(layer)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* take, [
        { _tag: "ChildStarting", ...at("app/a", 1, 10_000) },
        { _tag: "ChildStarted", ...at("app/a", 1, 10_000) },
        { _tag: "ChildStarting", ...at("app/b", 1, 10_000) },
        { _tag: "ChildStarted", ...at("app/b", 1, 12_000) },
        { _tag: "ChildStarting", ...at("app/c", 1, 12_000) },
        { _tag: "ChildIgnored", ...at("app/c", 1, 12_000) },
        { _tag: "SupervisorStarted", ...at("app", 1, 12_000) }
      ])
    }))

  scenario(
    "tell a start that fails: what had started is stopped in reverse, and it was never up",
    (world) =>
      Effect.gen(function*() {
        const children = [world.kit.child("a"), world.kit.child("b"), world.kit.child("c", { starts: ["fail"] })]
        const { take } = yield* launch(Supervisor.layer("app", { strategy: "one-for-one", children }))
        assert.deepStrictEqual((yield* take).slice(4), [
          { _tag: "ChildStarting", ...at("app/c", 1, 0) },
          { _tag: "ChildStartFailed", ...at("app/c", 1, 0), reason: ExitReason.startFailed(crash("c does not start")) },
          { _tag: "ChildStopped", ...at("app/b", 1, 0) },
          { _tag: "ChildStopped", ...at("app/a", 1, 0) }
        ])
      })
  )

  scenario(
    "tell a crash and its restart: the old incarnation is released before the new one starts",
    (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a", { stops: "hang" }), world.kit.child("b")]
        })
        const events = yield* collect(app)
        yield* TestClock.adjust("1 second")
        yield* world.kit.crash("a")
        yield* TestClock.adjust("2 seconds")
        yield* world.kit.release("a")
        assert.deepStrictEqual(yield* events.take, [
          { _tag: "ChildExited", ...at("app/a", 1, 1000), reason: crash("a crashed"), verdict: "restart" },
          { _tag: "ChildRestarting", ...at("app/a", 1, 3000), reason: crash("a crashed") },
          { _tag: "ChildStarting", ...at("app/a", 2, 3000) },
          { _tag: "ChildStarted", ...at("app/a", 2, 3000) }
        ])
        yield* Effect.forkChild(app.terminateChild("a"))
        yield* VirtualTime.settle
        yield* world.kit.release("a")
      })
  )

  scenario(
    "tell a restart that fails: each retry begins with a ChildRestarting of its own",
    (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a", { starts: ["ok", "fail", "ok"] }), world.kit.child("b")]
        })
        const events = yield* collect(app)
        yield* world.kit.crash("a")
        const failed = ExitReason.startFailed(crash("a does not start"))
        assert.deepStrictEqual(yield* events.take, [
          { _tag: "ChildExited", ...at("app/a", 1, 0), reason: crash("a crashed"), verdict: "restart" },
          { _tag: "ChildRestarting", ...at("app/a", 1, 0), reason: crash("a crashed") },
          { _tag: "ChildStarting", ...at("app/a", 2, 0) },
          { _tag: "ChildStartFailed", ...at("app/a", 2, 0), reason: failed },
          { _tag: "ChildRestarting", ...at("app/a", 2, 0), reason: failed },
          { _tag: "ChildStarting", ...at("app/a", 3, 0) },
          { _tag: "ChildStarted", ...at("app/a", 3, 0) }
        ])
      })
  )

  scenario(
    "tell a group restart: the others are stopped in reverse, then all start in order",
    (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [
            world.kit.child("a"),
            world.kit.child("b"),
            world.kit.child("c"),
            world.kit.child("t", { restart: "temporary" }),
            world.kit.child("d")
          ]
        })
        const events = yield* collect(app)
        yield* world.kit.crash("b")
        assert.deepStrictEqual(yield* events.take, [
          { _tag: "ChildExited", ...at("app/b", 1, 0), reason: crash("b crashed"), verdict: "restart" },
          { _tag: "ChildRestarting", ...at("app/b", 1, 0), reason: crash("b crashed") },
          { _tag: "ChildStopped", ...at("app/d", 1, 0) },
          { _tag: "ChildStopped", ...at("app/t", 1, 0) },
          { _tag: "ChildStopped", ...at("app/c", 1, 0) },
          { _tag: "ChildStarting", ...at("app/b", 2, 0) },
          { _tag: "ChildStarted", ...at("app/b", 2, 0) },
          { _tag: "ChildStarting", ...at("app/c", 2, 0) },
          { _tag: "ChildStarted", ...at("app/c", 2, 0) },
          { _tag: "ChildStarting", ...at("app/d", 2, 0) },
          { _tag: "ChildStarted", ...at("app/d", 2, 0) }
        ])
      })
  )

  scenario("tell what happens to a child that left and is not restarted", (world) =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        autoShutdown: "any-significant",
        children: [
          world.kit.child("keep", { restart: "transient" }),
          world.kit.child("remove", { restart: "temporary" }),
          world.kit.child("last", { restart: "transient", significant: true })
        ]
      })
      const events = yield* collect(app)
      yield* world.kit.return("keep")
      yield* world.kit.leave("remove", Effect.die("bug"))
      yield* world.kit.return("last")
      assert.deepStrictEqual(yield* events.take, [
        { _tag: "ChildExited", ...at("app/keep", 1, 0), reason: ExitReason.normal, verdict: "keep" },
        { _tag: "ChildExited", ...at("app/remove", 1, 0), reason: ExitReason.defect("bug"), verdict: "remove" },
        { _tag: "ChildExited", ...at("app/last", 1, 0), reason: ExitReason.normal, verdict: "shut-down" },
        { _tag: "SupervisorStopped", ...at("app", 1, 0), reason: ExitReason.shutdown() }
      ])
    }))

  scenario("tell its stop: the children in reverse, then its own end", (world) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const children = [world.kit.child("a"), world.kit.child("b"), world.kit.child("c")]
      const app = yield* Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
      const events = yield* collect(app)
      yield* TestClock.adjust("1 second")
      yield* answer(app.terminateChild("b"))
      yield* answer(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(yield* events.take, [
        { _tag: "ChildStopped", ...at("app/b", 1, 1000) },
        { _tag: "ChildStopped", ...at("app/c", 1, 1000) },
        { _tag: "ChildStopped", ...at("app/a", 1, 1000) },
        { _tag: "SupervisorStopped", ...at("app", 1, 1000), reason: ExitReason.shutdown() }
      ])
    }))

  scenario(
    "tell that it gives up: on whom and why, then the stop of the others, then its own end",
    (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("a"), world.kit.child("b"), world.kit.child("c")]
        })
        const events = yield* collect(app)
        yield* world.kit.crash("b")
        const error = yield* answer(Effect.flip(app.await))
        assert.deepStrictEqual(yield* events.take, [
          { _tag: "ChildExited", ...at("app/b", 1, 0), reason: crash("b crashed"), verdict: "give-up" },
          { _tag: "SupervisorGaveUp", ...at("app", 1, 0), child: "b", reason: crash("b crashed") },
          { _tag: "ChildStopped", ...at("app/c", 1, 0) },
          { _tag: "ChildStopped", ...at("app/a", 1, 0) },
          { _tag: "SupervisorStopped", ...at("app", 1, 0), reason: { _tag: "GaveUp", error } }
        ])
      })
  )

  scenario("tell an abandonment before the stop it holds up, and after the exit", (world) =>
    Effect.gen(function*() {
      const hanging = new Lever()
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          world.kit.child("a", { stops: "deaf", shutdown: "1 second" }),
          Child.make("b", Effect.as(Effect.addFinalizer(() => Effect.ignore(hanging.wait)), Effect.never), {
            shutdown: "2 seconds"
          })
        ]
      })
      const events = yield* collect(app)
      yield* Effect.forkChild(app.terminateChild("a"))
      yield* TestClock.adjust("1 second")
      yield* app.exitChild("b", ExitReason.shutdown())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual((yield* events.take).slice(0, 4), [
        { _tag: "ChildAbandoned", ...at("app/a", 1, 1000), waitingFor: "fiber" },
        { _tag: "ChildStopped", ...at("app/a", 1, 1000) },
        { _tag: "ChildExited", ...at("app/b", 1, 1000), reason: ExitReason.shutdown(), verdict: "restart" },
        { _tag: "ChildAbandoned", ...at("app/b", 1, 3000), waitingFor: "scope" }
      ])
      yield* world.kit.return("a")
      yield* hanging.pull(Effect.void)
    }))

  scenario(
    "tell an ignored start in a restart, and nothing of a start that was aborted but its beginning",
    (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", {
            strategy: "one-for-one",
            children: [
              world.kit.child("a", { starts: ["ok", "ignore"] }),
              world.kit.child("b", { starts: ["ok", "hang"] })
            ]
          }),
          scope
        )
        const events = yield* collect(app)
        yield* world.kit.crash("a")
        yield* world.kit.crash("b")
        yield* answer(Scope.close(scope, Exit.void))
        assert.deepStrictEqual((yield* events.take).filter((event) => event._tag !== "ChildExited"), [
          { _tag: "ChildRestarting", ...at("app/a", 1, 0), reason: crash("a crashed") },
          { _tag: "ChildStarting", ...at("app/a", 2, 0) },
          { _tag: "ChildIgnored", ...at("app/a", 2, 0) },
          { _tag: "ChildRestarting", ...at("app/b", 1, 0), reason: crash("b crashed") },
          { _tag: "ChildStarting", ...at("app/b", 2, 0) },
          { _tag: "SupervisorStopped", ...at("app", 1, 0), reason: ExitReason.shutdown() }
        ])
      })
  )

  scenario(
    "tell the stop of a child that has started, and was still to become ready",
    (world) =>
      Effect.gen(function*() {
        let isReady: Effect.Effect<void, string> = Effect.void
        const readiness = { check: Effect.suspend(() => isReady) }
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", {
            strategy: "one-for-one",
            children: [world.kit.child("a"), world.kit.child("b", { readiness })]
          }),
          scope
        )
        const events = yield* collect(app)
        isReady = Effect.fail("not yet")
        yield* world.kit.crash("b")
        yield* answer(Scope.close(scope, Exit.void))
        assert.deepStrictEqual((yield* events.take).slice(2), [
          { _tag: "ChildStarting", ...at("app/b", 2, 0) },
          { _tag: "ChildStarted", ...at("app/b", 2, 0) },
          { _tag: "ChildStopped", ...at("app/b", 2, 0) },
          { _tag: "ChildStopped", ...at("app/a", 1, 0) },
          { _tag: "SupervisorStopped", ...at("app", 1, 0), reason: ExitReason.shutdown() }
        ])
      })
  )

  scenario("tell of no call but by what it does", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a")]
      })
      const events = yield* collect(app)
      yield* answer(app.countChildren)
      yield* answer(app.whichChildren)
      yield* answer(app.getChildSpec("a"))
      yield* answer(Effect.flip(app.restartChild("a")))
      assert.deepStrictEqual(yield* events.take, [])
      yield* answer(app.startChild(world.kit.child("b")))
      yield* answer(app.terminateChild("b"))
      yield* answer(app.deleteChild("b"))
      assert.deepStrictEqual(yield* events.take, [
        { _tag: "ChildStarting", ...at("app/b", 1, 0) },
        { _tag: "ChildStarted", ...at("app/b", 1, 0) },
        { _tag: "ChildStopped", ...at("app/b", 1, 0) }
      ])
    }))
})

describe("the stream of events", () => {
  const tags = (events: ReadonlyArray<Event>) => events.map((event) => `${event._tag} ${event.path}`)

  scenario(
    "of a supervisor holds those of all below it, and of nobody beside or above",
    (world) =>
      Effect.gen(function*() {
        const handles = new Map<string, Supervisor.Supervisor>()
        const nested = (name: string) =>
          Effect.gen(function*() {
            const supervisor: Supervisor.Supervisor = yield* Supervisor.make(name, {
              strategy: "one-for-one",
              ...patient,
              children: [world.kit.child(`${name} leaf`)]
            })
            handles.set(name, supervisor)
            return Effect.never
          })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [Child.make("x", nested("left")), Child.make("y", nested("right")), world.kit.child("own")]
        })
        const all = yield* collect(app)
        const left = yield* collect(handles.get("left")!)
        const right = yield* collect(handles.get("right")!)

        yield* world.kit.crash("left leaf")
        const ofLeft = [
          "ChildExited app/x/left/left leaf",
          "ChildRestarting app/x/left/left leaf",
          "ChildStarting app/x/left/left leaf",
          "ChildStarted app/x/left/left leaf"
        ]
        assert.deepStrictEqual(tags(yield* left.take), ofLeft)
        assert.deepStrictEqual(tags(yield* right.take), [])
        assert.deepStrictEqual(tags(yield* all.take), ofLeft)

        yield* world.kit.crash("own")
        assert.deepStrictEqual(tags(yield* left.take), [])
        assert.strictEqual((yield* all.take).length, 4)
      })
  )

  scenario("holds those of a supervisor that starts later, also three levels down", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const events = yield* collect(app)
      const leaves = Supervisor.layer("leaves", { strategy: "one-for-one", children: [world.kit.child("leaf")] })
      const middle = Supervisor.layer("middle", {
        strategy: "one-for-one",
        children: [Child.supervisor("leaves", leaves)]
      })
      yield* answer(app.startChild(Child.supervisor("middle", middle)))
      assert.deepStrictEqual(tags(yield* events.take), [
        "ChildStarting app/middle",
        "ChildStarting app/middle/leaves",
        "ChildStarting app/middle/leaves/leaf",
        "ChildStarted app/middle/leaves/leaf",
        "SupervisorStarted app/middle/leaves",
        "ChildStarted app/middle/leaves",
        "SupervisorStarted app/middle",
        "ChildStarted app/middle"
      ])
    }))

  scenario("names the incarnation of the child that a supervisor is", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [world.kit.child("leaf")] })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("nested", nested)]
      })
      yield* app.exitChild("nested", ExitReason.killed)
      const events = yield* collect(app)
      yield* app.exitChild("nested", ExitReason.killed)
      const own = (yield* events.take).filter((event) => event._tag.startsWith("Supervisor"))
      assert.deepStrictEqual(own, [
        { _tag: "SupervisorStopped", ...at("app/nested", 2, 0), reason: ExitReason.shutdown() },
        { _tag: "SupervisorStarted", ...at("app/nested", 3, 0) }
      ])
    }))

  scenario(
    "loses the oldest where its reader is 4096 events behind, and holds up nobody",
    (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 100_000,
          children: [world.kit.child("a"), world.kit.child("b")]
        })
        const gate = new Lever()
        const slow: Array<Event> = []
        yield* Effect.forkChild(Stream.runForEach(app.events, (event) =>
          Effect.andThen(
            slow.length === 0 ? Effect.ignore(gate.wait) : Effect.void,
            Effect.sync(() => {
              slow.push(event)
            })
          )))
        const quick = yield* collect(app)
        yield* world.kit.crash("b")
        const first = yield* quick.take
        for (let i = 0; i < 1500; i++) yield* Effect.andThen(app.exitChild("a", ExitReason.killed), VirtualTime.settle)
        const rest = yield* quick.take
        assert.strictEqual(rest.length, 6000)

        yield* gate.pull(Effect.void)
        assert.deepStrictEqual(slow, [...first, ...rest.slice(-4096)])
      })
  )

  scenario("ends when its supervisor has ended, after its last event", (world) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const app = yield* Scope.provide(
        Supervisor.make("app", { strategy: "one-for-one", children: [world.kit.child("a"), world.kit.child("b")] }),
        scope
      )
      const events = yield* Effect.forkChild(Stream.runCollect(app.events))
      yield* VirtualTime.settle
      assert.isUndefined(events.pollUnsafe())
      yield* answer(Scope.close(scope, Exit.void))
      yield* VirtualTime.settle
      const exit = events.pollUnsafe()
      assert.deepStrictEqual(
        exit !== undefined && Exit.isSuccess(exit) ? tags(exit.value) : exit,
        ["ChildStopped app/b", "ChildStopped app/a", "SupervisorStopped app"]
      )
      assert.deepStrictEqual(yield* answer(Stream.runCollect(app.events)), [])
    }))

  scenario("of a supervisor that gives up ends too, and its parent's goes on", (world) =>
    Effect.gen(function*() {
      let inner: Supervisor.Supervisor | undefined
      const nested = Effect.gen(function*() {
        inner = yield* Supervisor.make("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("leaf")]
        })
        return Effect.never
      })
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.make("host", nested)] })
      const below = yield* collect(inner!)
      const all = yield* collect(app)
      yield* world.kit.crash("leaf")
      assert.strictEqual((yield* below.take).at(-1)?._tag, "SupervisorStopped")
      assert.isTrue(yield* below.hasEnded)
      assert.isFalse(yield* all.hasEnded)
      assert.deepStrictEqual(tags(yield* all.take).slice(2), [
        "SupervisorStopped app/host/nested",
        "ChildExited app/host",
        "ChildRestarting app/host",
        "ChildStarting app/host",
        "ChildStarting app/host/nested/leaf",
        "ChildStarted app/host/nested/leaf",
        "SupervisorStarted app/host/nested",
        "ChildStarted app/host"
      ])
    }))

  scenario(
    "costs nothing while nobody listens, before the first and after the last listener",
    (world) =>
      Effect.gen(function*() {
        const publish = vi.spyOn(EventHub.prototype, "publish")
        yield* Effect.addFinalizer(() => Effect.sync(() => publish.mockRestore()))
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-all",
          ...patient,
          children: [world.kit.child("leaf"), world.kit.child("leaf 2", { starts: ["ignore", "fail"] })]
        })
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [world.kit.child("a"), Child.supervisor("nested", nested), world.kit.child("b", { stops: "deaf" })]
        })
        const everything = Effect.gen(function*() {
          yield* world.kit.crash("a")
          yield* world.kit.crash("leaf")
          yield* app.exitChild("nested", ExitReason.killed)
          yield* VirtualTime.settle
          yield* Effect.forkChild(app.terminateChild("b"))
          yield* TestClock.adjust("5 seconds")
          yield* world.kit.return("b")
          yield* answer(app.restartChild("b"))
        })
        yield* everything
        yield* Supervisor.make("fragile", {
          strategy: "one-for-one",
          intensity: 1,
          children: [world.kit.child("x", { starts: ["ok", "fail"] }), world.kit.child("y")]
        })
        yield* world.kit.crash("x")
        assert.strictEqual(publish.mock.calls.length, 0)

        const reading = yield* Effect.forkChild(Stream.runDrain(app.events))
        yield* VirtualTime.settle
        yield* everything
        const heard = publish.mock.calls.length
        assert.isAbove(heard, 0)

        reading.interruptUnsafe()
        yield* VirtualTime.settle
        yield* everything
        assert.strictEqual(publish.mock.calls.length, heard)
        yield* Effect.forkChild(app.terminateChild("b"))
        yield* TestClock.adjust("5 seconds")
        yield* world.kit.return("b")
      })
  )

  scenario("forgets the supervisors below that have ended", (world) =>
    Effect.gen(function*() {
      const publish = vi.spyOn(EventHub.prototype, "publish")
      yield* Effect.addFinalizer(() => Effect.sync(() => publish.mockRestore()))
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [world.kit.child("leaf")] })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.supervisor("nested", nested), Child.effect("launch", Supervisor.launch(nested))]
      })
      yield* VirtualTime.settle
      yield* collect(app)
      for (let i = 0; i < 10; i++) {
        yield* app.exitChild("nested", ExitReason.killed)
        yield* app.exitChild("launch", ExitReason.killed)
        yield* VirtualTime.settle
      }
      const hubs = new Set(publish.mock.contexts as ReadonlyArray<{ below(): Iterable<unknown> }>)
      const own = Array.from(hubs).find((hub) => Array.from(hub.below()).length > 0)
      assert.strictEqual(Array.from(own?.below() ?? []).length, 2)
    }))
})

describe("launch's onEvent", () => {
  scenario(
    "is run for every event from the first of the start to the last of the stop, one at a time",
    (world) =>
      Effect.gen(function*() {
        const layer = Supervisor.layer("app", {
          strategy: "one-for-one",
          children: [world.kit.child("a"), world.kit.child("b")]
        })
        const { launched, take } = yield* launch(layer)
        launched.interruptUnsafe()
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* take, [
          { _tag: "ChildStarting", ...at("app/a", 1, 0) },
          { _tag: "ChildStarted", ...at("app/a", 1, 0) },
          { _tag: "ChildStarting", ...at("app/b", 1, 0) },
          { _tag: "ChildStarted", ...at("app/b", 1, 0) },
          { _tag: "SupervisorStarted", ...at("app", 1, 0) },
          { _tag: "ChildStopped", ...at("app/b", 1, 0) },
          { _tag: "ChildStopped", ...at("app/a", 1, 0) },
          { _tag: "SupervisorStopped", ...at("app", 1, 0), reason: ExitReason.shutdown() }
        ])
        assert.isDefined(launched.pollUnsafe())
      })
  )

  scenario("is run for all events of a root that gives up before launch fails", (world) =>
    Effect.gen(function*() {
      const { launched, take } = yield* launch(Supervisor.layer("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [world.kit.child("a"), world.kit.child("b")]
      }))
      yield* take
      yield* world.kit.crash("a")
      assert.deepStrictEqual((yield* take).map((event) => event._tag), [
        "ChildExited",
        "SupervisorGaveUp",
        "ChildStopped",
        "SupervisorStopped"
      ])
      const exit = launched.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && Exit.isFailure(exit.value))
    }))

  scenario(
    "that never returns holds up the end of launch for 5 seconds at most, and a line says so",
    (world) =>
      Effect.gen(function*() {
        const layer = Supervisor.layer("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("a")]
        })
        const launched = yield* Effect.forkChild(Effect.exit(Supervisor.launch(layer, { onEvent: () => Effect.never })))
        yield* VirtualTime.settle
        yield* world.kit.crash("a")
        yield* TestClock.adjust(4999)
        assert.isUndefined(launched.pollUnsafe())
        yield* TestClock.adjust(1)
        const exit = launched.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && Exit.isFailure(exit.value))
        assert.include(world.takeMessages("Warn").join("\n"), "onEvent")
      })
  )
})

const reasons: Record<string, ExitReason.ExitReason> = {
  Normal: ExitReason.normal,
  Shutdown: ExitReason.shutdown(),
  "Shutdown for a reason": ExitReason.shutdown("drained"),
  Failure: ExitReason.failure("no route"),
  Defect: ExitReason.defect("bug"),
  Interrupted: ExitReason.fromExit(Exit.failCause(Cause.interrupt(7))),
  Killed: ExitReason.killed,
  StartFailed: ExitReason.startFailed(ExitReason.failure("no database"))
}

describe("every event", () => {
  const codec = Schema.toCodecJson(SupervisorEvent.SupervisorEvent)
  const roundTrip = (event: Event): Event =>
    Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(event))))

  for (const [name, reason] of Object.entries(reasons)) {
    it(`goes over the wire as JSON and comes back the same, with the reason ${name}`, () => {
      const events: ReadonlyArray<Event> = [
        { _tag: "SupervisorStarted", ...at("app", 1, 1) },
        { _tag: "SupervisorStopped", ...at("app", 1, 2.5), reason },
        { _tag: "SupervisorGaveUp", ...at("app", 1, 3), child: "a", reason },
        { _tag: "ChildStarting", ...at("app/a", 1, 4) },
        { _tag: "ChildStarted", ...at("app/a", 1, 5) },
        { _tag: "ChildIgnored", ...at("app/a", 1, 6) },
        { _tag: "ChildStartFailed", ...at("app/a", 1, 7), reason },
        { _tag: "ChildExited", ...at("app/a", 1, 8), reason, verdict: "keep" },
        { _tag: "ChildRestarting", ...at("app/a", 1, 9), reason },
        { _tag: "ChildStopped", ...at("app/a", 1, 10) },
        { _tag: "ChildAbandoned", ...at("app/a", 1, 11), waitingFor: "scope" }
      ]
      for (const event of events) assert.deepStrictEqual(roundTrip(event), event)
      for (const event of events) assert.notInclude(SupervisorEvent.format(event), "\n")
    })
  }

  scenario("of a real escalation over three levels comes back the same", (world) =>
    Effect.gen(function*() {
      const low = Supervisor.layer("low", {
        strategy: "one-for-one",
        intensity: 0,
        children: [world.kit.child("leaf")]
      })
      const middle = Supervisor.layer("middle", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.supervisor("low", low)]
      })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.supervisor("middle", middle)]
      })
      const events = yield* collect(app)
      yield* world.kit.crash("leaf")
      const all = yield* events.take
      assert.strictEqual(all.at(-1)?._tag, "SupervisorStopped")
      for (const event of all) assert.deepStrictEqual(strip(roundTrip(event)), strip(event))
    }))

  // What a decoded class instance has of its own, the trace of where it was made.
  const strip = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (key, part) => key === "stack" ? undefined : part))

  for (
    const [name, error] of Object.entries<Anything>({
      "an Error": new TypeError("no route"),
      "a plain object": { code: 7, nested: { list: [1, "two"] } },
      "undefined": undefined,
      "a number that JSON has not": Number.NaN,
      "a cycle": (() => {
        const cycle: { self?: unknown } = {}
        cycle.self = cycle
        return cycle
      })(),
      "a bigint": 1n,
      "a symbol": Symbol("nasty"),
      "an object that throws when read": {
        get message(): string {
          throw new Error("trap")
        }
      }
    })
  ) {
    it(`can be sent whatever the child failed with: ${name}`, () => {
      for (const reason of [ExitReason.failure(error), ExitReason.defect(error), ExitReason.shutdown(error ?? 0)]) {
        const event: Event = { _tag: "ChildExited", ...at("app/a", 1, 8), reason, verdict: "keep" }
        const sent = roundTrip(event)
        assert.isTrue(sent._tag === "ChildExited" && sent.reason._tag === reason._tag)
      }
    })
  }

  it("with an Error keeps its name and message", () => {
    const reason = ExitReason.failure(new TypeError("no route"))
    const sent = roundTrip({ _tag: "ChildRestarting", ...at("app/a", 1, 8), reason })
    assert.strictEqual(SupervisorEvent.format(sent), "app/a restarting")
    if (sent._tag !== "ChildRestarting" || sent.reason._tag !== "Failure") return assert.fail(sent._tag)
    assert.strictEqual(ExitReason.format(sent.reason), "failed: no route")
    assert.isTrue(sent.reason.error instanceof Error && sent.reason.error.name === "TypeError")
  })

  scenario("is made by some run, and no other kind of event than the union names", (world) =>
    Effect.gen(function*() {
      const seen = new Set<string>()
      const children = [
        world.kit.child("a", { starts: ["ok", "fail"] }),
        world.kit.child("b", { starts: ["ignore"] }),
        world.kit.child("c", { stops: "deaf", shutdown: 0 }),
        Child.effect("d", shutdown, { restart: "transient" })
      ]
      const { take } = yield* launch(Supervisor.layer("app", { strategy: "one-for-all", intensity: 2, children }))
      yield* world.kit.crash("a")
      yield* TestClock.adjust(1)
      yield* world.kit.crash("a")
      yield* TestClock.adjust(1)
      for (const event of yield* take) seen.add(event._tag)
      const ailing = Child.effect("e", Effect.andThen(Effect.sleep(1), Effect.fail("ailing")), {
        backoff: Schedule.upTo(Backoff.fixed(1), { times: 1 }),
        onExhausted: "give-up",
        readiness: { check: Effect.void },
        liveness: { check: Effect.void }
      })
      const other = yield* launch(Supervisor.layer("other", { strategy: "one-for-one", children: [ailing] }))
      yield* TestClock.adjust(3)
      for (const event of yield* other.take) seen.add(event._tag)
      assert.sameMembers(
        Array.from(seen),
        SupervisorEvent.SupervisorEvent.members.map((member) => member.fields._tag.schema.literal)
      )
      yield* world.kit.return("c").pipe(Effect.ignore)
    }), { "app/c": 1 })

  it("is one readable line", () => {
    const lines: ReadonlyArray<readonly [Event, string]> = [
      [{ _tag: "SupervisorStarted", ...at("app", 1, 0) }, "app is up"],
      [{ _tag: "SupervisorStopped", ...at("app", 1, 0), reason: ExitReason.shutdown() }, "app has ended: shut down"],
      [
        { _tag: "SupervisorGaveUp", ...at("app", 1, 0), child: "a", reason: ExitReason.killed },
        "app gives up on \"a\", which was killed"
      ],
      [{ _tag: "ChildStarting", ...at("app/a", 2, 0) }, "app/a starting (incarnation 2)"],
      [{ _tag: "ChildStarted", ...at("app/a", 2, 0) }, "app/a started (incarnation 2)"],
      [{ _tag: "ChildIgnored", ...at("app/a", 2, 0) }, "app/a has nothing to run"],
      [
        { _tag: "ChildStartFailed", ...at("app/a", 2, 0), reason: ExitReason.startFailed(ExitReason.failure("no")) },
        "app/a could not start: no"
      ],
      [
        { _tag: "ChildExited", ...at("app/a", 2, 0), reason: ExitReason.normal, verdict: "restart" },
        "app/a returned normally; it is restarted"
      ],
      [
        { _tag: "ChildExited", ...at("app/a", 2, 0), reason: ExitReason.killed, verdict: "give-up" },
        "app/a was killed; its supervisor gives up"
      ],
      [{ _tag: "ChildRestarting", ...at("app/a", 2, 0), reason: ExitReason.killed }, "app/a restarting"],
      [{ _tag: "ChildStopped", ...at("app/a", 2, 0) }, "app/a stopped"],
      [
        { _tag: "ChildAbandoned", ...at("app/a", 2, 0), waitingFor: "fiber" },
        "app/a abandoned: its fiber did not end in time"
      ]
    ]
    for (const [event, line] of lines) assert.strictEqual(SupervisorEvent.format(event), line)
  })
})
