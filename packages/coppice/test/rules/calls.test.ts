import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Context, Deferred, Effect, Exit, Layer, Scope } from "effect"
import { ended, rule, states } from "../support/kit.ts"

const tag = (effect: Effect.Effect<unknown, { readonly _tag: string }>) =>
  Effect.match(effect, { onFailure: (error) => error._tag, onSuccess: () => "ok" })

describe("calls", () => {
  rule("C1", "answer by the state of the child: no such id, running, down", (kit) =>
    Effect.gen(function*() {
      const answers = (app: Supervisor.Supervisor, id: string) =>
        Effect.all({
          start: tag(app.startChild(kit.child(id))),
          restart: tag(app.restartChild(id)),
          spec: tag(app.getChildSpec(id)),
          delete: tag(app.deleteChild(id)),
          terminate: tag(app.terminateChild(id))
        })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("up"), kit.child("down", { starts: ["ignore", "fail"] })]
      })
      assert.deepStrictEqual(yield* answers(app, "up"), {
        start: "ChildAlreadyStarted",
        restart: "ChildRunning",
        spec: "ok",
        delete: "ChildRunning",
        terminate: "ok"
      })
      assert.deepStrictEqual(yield* answers(app, "down"), {
        start: "ChildAlreadyPresent",
        restart: "ChildStartFailed",
        spec: "ok",
        delete: "ok",
        terminate: "ChildNotFound"
      })
      assert.deepStrictEqual(
        yield* Effect.all([tag(app.restartChild("no")), tag(app.getChildSpec("no")), tag(app.deleteChild("no"))]),
        ["ChildNotFound", "ChildNotFound", "ChildNotFound"]
      )
      assert.strictEqual(yield* tag(app.startChild(kit.child("no"))), "ok")
    }))

  rule(
    "C2",
    "startChild whose start fails keeps, counts and retries nothing, and touches no sibling",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          intensity: 0,
          children: [kit.child("a")]
        })
        kit.take()
        const error = yield* Effect.flip(app.startChild(kit.child("z", { starts: ["fail"] })))
        assert.strictEqual(error._tag, "ChildStartFailed")
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["fail z"])
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  rule(
    "C3",
    "startChild answers an ignored start as a success; the entry stays as down unless it is temporary",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
        const kept = yield* app.startChild(kit.child("kept", { starts: ["ignore"] }))
        const dropped = yield* app.startChild(kit.child("dropped", { restart: "temporary", starts: ["ignore"] }))
        assert.deepStrictEqual([kept.ignored, dropped.ignored], [true, true])
        assert.deepStrictEqual(yield* states(app), { kept: "stopped" })
      })
  )

  rule(
    "C4",
    "startChild refuses an invalid spec before it looks up the id, and runs nothing",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("a")]
        })
        kit.take()
        const error = yield* Effect.flip(app.startChild(kit.child("a", { restart: "transient", significant: true })))
        assert.strictEqual(error._tag, "InvalidChild")
        assert.strictEqual(yield* tag(app.startChild(kit.child("b/c"))), "InvalidChild")
        assert.deepStrictEqual(kit.take(), [])
      })
  )

  rule(
    "C5",
    "terminateChild answers when the child is gone, keeps its entry unless temporary, and restarts nobody",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [kit.child("a", { stops: "hang" }), kit.child("t", { restart: "temporary" }), kit.child("b")]
        })
        kit.take()
        const terminating = yield* Effect.forkChild(app.terminateChild("a"))
        yield* VirtualTime.settle
        assert.isUndefined(terminating.pollUnsafe())
        yield* kit.release("a")
        assert.isDefined(terminating.pollUnsafe())
        yield* app.terminateChild("t")
        assert.deepStrictEqual(kit.take(), ["stop a", "gone a", "stop t"])
        assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "running" })
        assert.strictEqual(yield* tag(app.restartChild("t")), "ChildNotFound")
      })
  )

  rule(
    "C6",
    "restartChild whose start fails leaves the child down, without a retry or a record",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a", { starts: ["ok", "fail"] })]
        })
        yield* app.terminateChild("a")
        const error = yield* Effect.flip(app.restartChild("a"))
        assert.strictEqual(error.message, "app/a could not start: a does not start\napp could not start \"a\"")
        yield* VirtualTime.settle
        assert.strictEqual(kit.attempts("a"), 2)
        assert.strictEqual(yield* ended(app), "no")
        assert.deepStrictEqual(yield* states(app), { a: "failed" })
      })
  )

  rule(
    "C6",
    "restartChild of a supervisor names the child inside it that failed to start",
    (kit) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          children: [kit.child("a", { starts: ["ok", "fail"] })]
        })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", nested)]
        })
        yield* app.terminateChild("nested")
        const error = yield* Effect.flip(app.restartChild("nested"))
        assert.include(
          error.message,
          "app/nested/a could not start: a does not start\napp/nested could not start \"a\""
        )
      })
  )

  rule(
    "C7",
    "restartChild keeps the place in the list and the spec; a supervisor comes back new",
    (kit) =>
      Effect.gen(function*() {
        class Nested extends Supervisor.Service<Nested>()("test/Nested", {
          strategy: "one-for-one",
          children: [kit.child("x")]
        }) {}
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("nested", Nested), kit.child("b")]
        })
        const nested = Effect.map(app.whichChildren, (children) => children[1]!.supervisors[0]!)
        yield* (yield* nested).startChild(kit.child("guest"))
        yield* app.terminateChild("nested")
        yield* app.restartChild("nested")
        assert.deepStrictEqual((yield* app.whichChildren).map((child) => child.id), ["b", "nested"])
        assert.deepStrictEqual(yield* states(yield* nested), { x: "running" })
      })
  )

  rule("C8", "name a child by its id or by the handle that startChild answered", (kit) =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect("a", Effect.never)]
      })
      const guest = yield* app.startChild(kit.child("guest"))
      yield* app.terminateChild(guest)
      yield* app.terminateChild("a")
      assert.deepStrictEqual(yield* states(app), { a: "stopped", guest: "stopped" })
    }))

  rule("C9", "whichChildren lists the newest first, with state and type", (kit) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [] })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a"), Child.supervisor("n", nested), kit.child("b", { starts: ["ignore"] })]
      })
      yield* app.startChild(kit.child("c"))
      assert.deepStrictEqual(
        (yield* app.whichChildren).map(({ id, path, state, type }) => ({ id, path, state, type })),
        [
          { id: "c", path: "app/c", state: "running", type: "worker" },
          { id: "b", path: "app/b", state: "stopped", type: "worker" },
          { id: "n", path: "app/n", state: "running", type: "supervisor" },
          { id: "a", path: "app/a", state: "running", type: "worker" }
        ]
      )
    }))

  rule("C10", "countChildren counts all entries, the running ones, and all by type", (kit) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [] })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a"), Child.supervisor("n", nested), kit.child("b", { starts: ["ignore"] })]
      })
      yield* app.terminateChild("n")
      assert.deepStrictEqual(yield* app.countChildren, { specs: 3, active: 1, supervisors: 1, workers: 2 })
    }))

  rule(
    "C11",
    "are handled one at a time, never in the middle of a stop or a group restart",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          children: [kit.child("a"), kit.child("b", { stops: "hang" })]
        })
        yield* kit.crash("a")
        const counting = yield* Effect.forkChild(app.countChildren)
        const starting = yield* Effect.forkChild(app.startChild(kit.child("z")))
        yield* VirtualTime.settle
        kit.take()
        assert.isUndefined(counting.pollUnsafe())
        yield* kit.release("b")
        assert.deepStrictEqual(kit.take(), ["gone b", "start a", "start b", "start z"])
        assert.deepStrictEqual(counting.pollUnsafe(), Exit.succeed({ specs: 2, active: 2, supervisors: 0, workers: 2 }))
        assert.isDefined(starting.pollUnsafe())
      })
  )

  rule(
    "C12",
    "fail in the caller when the supervisor has ended, and when it ends before it comes to them",
    (kit) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app: Supervisor.Supervisor = yield* Scope.provide(
          Supervisor.make("app", { strategy: "one-for-one", children: [kit.child("a", { stops: "hang" })] }),
          scope
        )
        const terminating = yield* Effect.forkChild(tag(app.terminateChild("a")))
        yield* VirtualTime.settle
        const counting = yield* Effect.forkChild(tag(app.countChildren))
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* VirtualTime.settle
        yield* kit.release("a")
        assert.deepStrictEqual(terminating.pollUnsafe(), Exit.succeed("ok"))
        assert.deepStrictEqual(counting.pollUnsafe(), Exit.succeed("SupervisorDown"))
        assert.isDefined(closing.pollUnsafe())
        const all = [
          app.startChild(kit.child("z")),
          app.terminateChild("a"),
          app.restartChild("a"),
          app.deleteChild("a")
        ]
        for (const call of [...all, app.whichChildren, app.exitChild("a", { _tag: "Killed" })]) {
          assert.strictEqual(yield* tag(call), "SupervisorDown")
        }
      })
  )

  rule("C11", "wait in a queue of any length, and are answered in order", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
      yield* VirtualTime.settle
      const answered: Array<number> = []
      for (let call = 0; call < 5000; call++) {
        yield* Effect.forkChild(Effect.andThen(app.countChildren, Effect.sync(() => answered.push(call))))
      }
      yield* VirtualTime.settle
      assert.deepStrictEqual(answered, [])
      yield* kit.release("slow")
      assert.deepStrictEqual(answered, Array.from({ length: 5000 }, (_, call) => call))
    }))

  rule(
    "C11",
    "from a start that the supervisor waits for fail with CallFromWithin, at any depth",
    (kit) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const ask = (what: string) =>
          Effect.gen(function*() {
            const { supervisor } = yield* Child.current
            seen.push(`${what}: ${yield* tag(supervisor.countChildren)}`)
          })
        // The outer supervisor waits for the whole of the nested start, so that a call to it comes from within as well.
        const askOuter = (what: string) =>
          Effect.gen(function*() {
            seen.push(`${what}: ${yield* tag(outer!.countChildren)}`)
          })
        let outer: Supervisor.Supervisor | undefined
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          children: [
            Child.make(
              "leaf",
              Effect.andThen(
                Effect.andThen(ask("leaf start"), askOuter("outer from leaf")),
                Effect.succeed(ask("leaf body"))
              ),
              { restart: "temporary" }
            )
          ]
        })
        const host = Child.layer(
          "host",
          Layer.provideMerge(
            nested,
            Layer.effectDiscard(Effect.gen(function*() {
              outer = (yield* Child.current).supervisor
              yield* ask("host start")
            }))
          )
        )
        yield* Supervisor.make("app", { strategy: "one-for-one", children: [host] })
        yield* VirtualTime.settle
        kit.take()
        assert.deepStrictEqual(seen, [
          "host start: CallFromWithin",
          "leaf start: CallFromWithin",
          "outer from leaf: CallFromWithin",
          "leaf body: ok"
        ])
      })
  )

  rule(
    "C11",
    "from a fiber that a start has left running are answered once the start is over",
    (kit) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const background = Effect.gen(function*() {
          yield* Deferred.await(go)
          const { supervisor } = yield* Child.current
          seen.push(yield* tag(supervisor.countChildren))
        })
        const go = yield* Deferred.make<void>()
        const layer = Layer.effectDiscard(Effect.forkScoped(background))
        yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.layer("a", layer), kit.child("b")] })
        yield* Deferred.succeed(go, undefined)
        yield* VirtualTime.settle
        assert.deepStrictEqual(seen, ["ok"])
      })
  )

  rule(
    "C11",
    "from a finalizer of a child that is being stopped fail with CallFromWithin",
    () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const child = Child.make(
          "a",
          Effect.gen(function*() {
            const { supervisor } = yield* Child.current
            yield* Effect.addFinalizer(() => Effect.map(tag(supervisor.countChildren), (answer) => seen.push(answer)))
            return Effect.never
          })
        )
        const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [child] })
        yield* app.terminateChild("a")
        assert.deepStrictEqual(seen, ["CallFromWithin"])
      })
  )

  rule("C5", "by a child on itself are possible: terminateChild stops the caller", (kit) =>
    Effect.gen(function*() {
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.effect("a", Effect.flatMap(Child.current, ({ supervisor }) => supervisor.terminateChild("a"))),
          Child.effect("b", Effect.never)
        ]
      })
      yield* VirtualTime.settle
      kit.take()
      assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "running" })
    }))

  rule("C2", "startChild keeps what the caller supplied for the restarts of the child", () =>
    Effect.gen(function*() {
      class Name extends Context.Service<Name, string>()("coppice/test/rules/calls.test/Name") {}
      const seen: Array<string> = []
      const child = Child.effect(
        "a",
        Effect.gen(function*() {
          seen.push(yield* Name)
          if (seen.length < 3) return yield* Effect.fail("again")
          return yield* Effect.never
        })
      )
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      yield* Effect.provideService(app.startChild(child), Name, "supplied")
      yield* VirtualTime.settle
      assert.deepStrictEqual(seen, ["supplied", "supplied", "supplied"])
    }))

  rule("C3", "startChild answers what a layer child has built", () =>
    Effect.gen(function*() {
      class Name extends Context.Service<Name, string>()("coppice/test/rules/calls.test/Name") {}
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
      const { services } = yield* app.startChild(Child.layer("name", Layer.succeed(Name, "built")))
      assert.strictEqual(Context.get(services, Name), "built")
    }))
})
