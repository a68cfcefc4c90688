import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, ExitReason, SupervisionTree, Supervisor } from "coppice"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, ManagedRuntime, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, type Kit, patient, rule as test, states } from "./support/kit.ts"

class Db extends Context.Service<Db, { readonly name: string }>()("coppice/test/Child.test/Db") {}

/** A rule of this module, without a number. */
const rule = (sentence: string, run: Parameters<typeof test>[2]): void => test("Child", sentence, run)

/** A layer whose background fiber does what it is told. */
const background = (effect: Effect.Effect<unknown, string>) => Layer.effectDiscard(Child.forkLinked(effect))

const lastExits = (supervisor: Supervisor.Supervisor) =>
  Effect.map(
    supervisor.tree,
    (tree) => Object.fromEntries(tree.children.map((child) => [child.id, child.lastExit?.reason._tag]))
  )

describe("forkLinked", () => {
  for (
    const [how, effect, reason] of [
      ["fails", Effect.fail("refresh failed"), "Failure"],
      ["panics", Effect.die("bug"), "Defect"]
    ] as const
  ) {
    rule(`ends the child when the fiber ${how}, for that reason`, (kit) =>
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        const once = Effect.gen(function*() {
          const { incarnation } = yield* Child.current
          if (incarnation > 1) return yield* Effect.never
          yield* Deferred.await(go)
          return yield* effect
        })
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.layer("a", background(once)), kit.child("b")]
        })
        yield* Deferred.succeed(go, undefined)
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* lastExits(app), { a: reason, b: undefined })
        assert.deepStrictEqual((yield* app.whichChildren).map((child) => child.incarnation), [1, 2])
      }))
  }

  for (const [how, effect] of [["succeeds", Effect.void], ["is interrupted", Effect.interrupt]] as const) {
    rule(`leaves the child alone when the fiber ${how}`, () =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [Child.layer("a", background(effect))]
        })
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* states(app), { a: "running" })
        assert.deepStrictEqual(yield* lastExits(app), { a: undefined })
      }))
  }

  rule("ends every kind of child: an effect, a make, and deep in a layer", () =>
    Effect.gen(function*() {
      const fork = Child.forkLinked(Effect.andThen(Effect.yieldNow, Effect.fail("linked")))
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [
          Child.effect("effect", Effect.andThen(fork, Effect.never), { restart: "temporary" }),
          Child.make("make", Effect.as(fork, Effect.never), { restart: "temporary" }),
          Child.layer("layer", Layer.provide(Layer.empty, Layer.effectDiscard(fork)), { restart: "temporary" })
        ]
      })
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(app), {})
    }))

  rule(
    "fails the start it is forked in, when the fiber fails before the start is over",
    (kit) =>
      Effect.gen(function*() {
        const layer = Layer.effectDiscard(Effect.andThen(Child.forkLinked(Effect.fail("linked")), Effect.never))
        const error = yield* Effect.flip(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("z"), Child.layer("a", layer)]
        }))
        assert.strictEqual(error.message, "app/a could not start: linked\napp could not start \"a\"")
        assert.deepStrictEqual(kit.take(), ["start z", "stop z"])
      })
  )

  rule("stops the fiber with its scope, and an end after that changes nothing", (kit) =>
    Effect.gen(function*() {
      const stopped = Effect.onInterrupt(Effect.never, () => {
        kit.note("linked stopped")
        return Effect.die("while stopping")
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [Child.layer("a", background(stopped)), kit.child("b")]
      })
      yield* VirtualTime.settle
      kit.take()
      yield* app.terminateChild("a")
      assert.deepStrictEqual(kit.take(), ["linked stopped"])
      assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "running" })
    }))

  rule("outside a child is forkScoped, and logs a failure", () =>
    Effect.gen(function*() {
      const fiber = yield* Child.forkLinked(Effect.fail("nobody is linked"))
      yield* VirtualTime.settle
      assert.strictEqual(fiber.pollUnsafe()?._tag, "Failure")
    }))
})

describe("task", () => {
  rule("holds the later siblings until it has succeeded, and is down then", (kit) =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const migrate = Effect.andThen(Deferred.await(go), Effect.sync(() => kit.note("migrated")))
      const making = yield* Effect.forkChild(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a"), Child.task("migrate", migrate), kit.child("b")]
      }))
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["start a"])
      yield* Deferred.succeed(go, undefined)
      const app = yield* Fiber.join(making)
      assert.deepStrictEqual(kit.take(), ["migrated", "start b"])
      assert.deepStrictEqual(yield* states(app), { a: "running", migrate: "stopped", b: "running" })
    }))

  rule("that fails is a failed start", (kit) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a"), Child.task("migrate", Effect.fail("table locked")), kit.child("b")]
      }))
      assert.include(error.message, "app/migrate could not start: table locked")
      assert.deepStrictEqual(kit.take(), ["start a", "stop a"])
    }))

  rule(
    "is done again by a group restart and by restartChild, each time with a scope of its own",
    (kit) =>
      Effect.gen(function*() {
        const migrate = Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => kit.note("released"))),
          Effect.sync(() => kit.note("migrated"))
        )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [Child.task("migrate", migrate), kit.child("a"), kit.child("b")]
        })
        assert.deepStrictEqual(kit.take(), ["migrated", "released", "start a", "start b"])
        yield* kit.crash("b")
        assert.deepStrictEqual(kit.take(), ["crash b", "stop a", "migrated", "released", "start a", "start b"])
        yield* app.restartChild("migrate")
        assert.deepStrictEqual(kit.take(), ["migrated", "released"])
      })
  )

  rule("is aborted by a stop order", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const migrate = Effect.onInterrupt(Effect.never, () => Effect.sync(() => kit.note("aborted")))
      const children = [kit.child("a"), Child.task("migrate", migrate)]
      const making = yield* Effect.forkChild(
        Scope.provide(Supervisor.make("app", { strategy: "one-for-one", children }), scope)
      )
      yield* VirtualTime.settle
      making.interruptUnsafe()
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["start a", "aborted", "stop a"])
    }))
})

describe("escalate", () => {
  const escalating = (kit: Kit) => {
    let attempts = 0
    return Child.make(
      "db",
      Effect.suspend(() => ++attempts === 1 ? Effect.succeed(Effect.fail("lost")) : Child.escalate("wrong password"))
        .pipe(
          Effect.tap(() => Effect.sync(() => kit.note(`db ${attempts}`)))
        )
    )
  }

  rule(
    "has the supervisor give up at once, whatever its intensity, after stopping the others",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [kit.child("a"), kit.child("db"), kit.child("b")]
        })
        kit.take()
        yield* kit.leave("db", Child.escalate("wrong password"))
        assert.deepStrictEqual(kit.take(), ["leave db", "stop b", "stop a"])
        const error = yield* Effect.flip(app.await)
        assert.strictEqual(error.pattern, "escalated")
        assert.strictEqual(
          error.message,
          "app/db failed: wrong password\napp gave up on \"db\", which said that no restart can help"
        )
      })
  )

  rule("in the start of a restart does so without another try", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [kit.child("a"), escalating(kit), kit.child("b")]
      })
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["start a", "db 1", "start b", "stop b", "stop a"])
      assert.strictEqual((yield* Effect.flip(app.await)).pattern, "escalated")
    }))

  rule("in a first start and in a call is a failed start", (kit) =>
    Effect.gen(function*() {
      const child = Child.make("db", Child.escalate("wrong password"))
      const error = yield* Effect.flip(Supervisor.make("app", { strategy: "one-for-one", children: [child] }))
      assert.include(error.message, "app/db could not start: wrong password")
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a")]
      })
      assert.strictEqual((yield* Effect.flip(app.startChild(child)))._tag, "ChildStartFailed")
      assert.strictEqual(yield* ended(app), "no")
    }))

  rule("is one level: the parent judges the end of the supervisor like any other", (kit) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [kit.child("db")] })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("nested", nested)]
      })
      yield* kit.leave("db", Child.escalate("wrong password"))
      assert.deepStrictEqual(yield* states(app), { nested: "running" })
      assert.strictEqual(kit.attempts("db"), 2)
    }))
})

describe("inherit", () => {
  rule(
    "takes the place in the tree along into a runtime started by hand; without it that is a root",
    (kit) =>
      Effect.gen(function*() {
        const nested = Supervisor.Service<Inner>()("coppice/test/Child.test/Inner", {
          strategy: "one-for-one",
          intensity: 0,
          children: [kit.child("a")]
        })
        const paths: Array<string> = []
        const host = (inherit: boolean) =>
          Effect.gen(function*() {
            const layer = inherit ? yield* Child.inherit(nested.layer) : nested.layer
            const runtime = ManagedRuntime.make(layer)
            yield* Effect.addFinalizer(() => runtime.disposeEffect)
            const handle = yield* Effect.promise(() => runtime.runPromise(nested))
            paths.push(handle.path)
            return Effect.never
          })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.make("inherited", host(true)), Child.make("alone", host(false))]
        })
        assert.deepStrictEqual(paths, ["app/inherited/Inner", "Inner"])
        assert.deepStrictEqual(
          (yield* app.tree).children.map((child) => child.children.map((node) => node.path)),
          [["app/inherited/Inner"], []]
        )
      })
  )

  interface Inner {
    readonly _: unique symbol
  }

  it.effect("outside a child answers the layer as it is", () =>
    Effect.gen(function*() {
      const layer = yield* Child.inherit(Layer.succeed(Db, { name: "db" }))
      assert.strictEqual(yield* Effect.provide(Effect.map(Db, ({ name }) => name), layer), "db")
    }))
})

describe("the services of siblings", () => {
  const db = (name: string) => Layer.succeed(Db, { name })
  const user = (kit: Kit, id = "user") =>
    Child.make(
      id,
      Effect.map(Db, ({ name }) => {
        kit.note(`${id} uses ${name}`)
        return Effect.never
      })
    )

  rule(
    "flow to later siblings under a group strategy, and override the surroundings'",
    (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [user(kit, "before"), Child.layer("db", db("sibling's")), user(kit, "after")]
        })
        assert.deepStrictEqual(kit.take(), ["before uses surroundings'", "after uses sibling's"])
      }).pipe(Effect.provide(db("surroundings'")))
  )

  rule("are given by permanent children only", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "one-for-all",
        children: [Child.layer("db", db("sibling's"), { restart: "transient" }), user(kit)]
      })
      assert.deepStrictEqual(kit.take(), ["user uses surroundings'"])
    }).pipe(Effect.provide(db("surroundings'"))))

  rule("are those of the latest giver, in list order", (kit) =>
    Effect.gen(function*() {
      yield* Supervisor.make("app", {
        strategy: "one-for-all",
        children: [Child.layer("one", db("one")), Child.layer("two", db("two")), user(kit)]
      })
      assert.deepStrictEqual(kit.take(), ["user uses two"])
    }))

  for (const surrounded of [false, true]) {
    const where = surrounded ? ", also where the surroundings have such a service" : ""
    rule(`that are down fail a start that needs them with ProviderDown${where}`, (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [Child.layer("db", db("sibling's")), kit.child("stranger"), user(kit)]
        })
        yield* app.terminateChild("db")
        yield* app.terminateChild("user")
        const error = yield* Effect.flip(app.restartChild("user"))
        if (error._tag !== "ChildStartFailed" || error.reason._tag !== "ProviderDown") return assert.fail(error._tag)
        assert.deepStrictEqual([error.reason.id, error.reason.service], ["db", Db.key])
        yield* app.terminateChild("stranger")
        yield* app.restartChild("stranger")
        yield* app.restartChild("db")
        yield* app.restartChild("user")
        assert.deepStrictEqual(yield* states(app), { db: "running", stranger: "running", user: "running" })
      }).pipe(surrounded ? Effect.provide(db("surroundings'")) : (effect) => effect as typeof effect))
  }

  rule("that are down end a running child that asks for them with ProviderDown", () =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        intensity: 1,
        children: [Child.layer("db", db("sibling's")), Child.effect("user", Effect.andThen(Db, Effect.never))]
      })
      yield* app.terminateChild("db")
      yield* app.exitChild("user", ExitReason.killed)
      yield* VirtualTime.settle
      const error = yield* Effect.flip(app.await)
      assert.strictEqual(error.reason._tag, "ProviderDown")
      assert.include(error.message, `app/user needs ${Db.key}, and its sibling "db", which gives it, is down`)
    }))
})

describe("current", () => {
  rule(
    "tells why the incarnation before ended: by itself, by a failed start, stopped, or killed",
    (kit) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const child = (id: string, options: Child.Options = {}) =>
          Child.make(
            id,
            Effect.map(Child.current, ({ incarnation, lastExit }) => {
              seen.push(
                `${id} ${incarnation} ${Option.match(lastExit, { onNone: () => "none", onSome: (exit) => exit._tag })}`
              )
              return Effect.never
            }),
            options
          )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          children: [child("a"), child("b", { shutdown: "brutal-kill" }), kit.child("c")]
        })
        seen.length = 0
        yield* app.exitChild("a", ExitReason.failure("lost"))
        yield* VirtualTime.settle
        yield* kit.crash("c")
        assert.deepStrictEqual(seen, ["a 2 Failure", "b 2 Killed", "a 3 Shutdown", "b 3 Killed"])
      })
  )

  it.effect("and the other operations die outside a child, and say which", () =>
    Effect.gen(function*() {
      for (
        const [name, effect] of Object.entries({
          "Child.current": Child.current,
          "Child.exit": Child.exit(),
          "Child.escalate": Child.escalate("x"),
          "Child.ignore": Child.ignore
        })
      ) {
        const exit = yield* Effect.exit(effect)
        assert.isTrue(Exit.hasDies(exit))
        assert.include(String(exit), name)
      }
    }))
})

describe("Child.describe", () => {
  it.effect("is in the snapshots of this incarnation, the latest word for each name, and survives JSON", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.effect(
              "a",
              Effect.gen(function*() {
                const { incarnation } = yield* Child.current
                if (incarnation === 1) {
                  yield* Child.describe({ pid: 1, port: 80 })
                  yield* Child.describe({ pid: 2, ready: true })
                }
                return yield* Effect.never
              })
            )
          ]
        })
        yield* VirtualTime.settle
        const tree = yield* app.tree
        assert.deepStrictEqual(tree.children.map(({ details }) => details), [{ pid: 2, port: 80, ready: true }])
        assert.include(SupervisionTree.toJson(tree), "\"details\":{\"pid\":2,\"port\":80,\"ready\":true}")
        yield* app.exitChild("a", ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual((yield* app.tree).children.map(({ details }) => details), [undefined])
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    ))
})

describe("Child.isKilled", () => {
  /** What finalizers of a child find, in whatever it lives. */
  const finding = (found: Array<boolean>) =>
    Child.effect(
      "leaf",
      Effect.andThen(
        Effect.addFinalizer(() => Effect.map(Child.isKilled, (isKilled) => void found.push(isKilled))),
        Effect.never
      )
    )

  const tree = (found: Array<boolean>, options?: Child.Options) =>
    Supervisor.make("app", {
      strategy: "one-for-one",
      intensity: 100,
      children: [
        Child.supervisor(
          "inner",
          Supervisor.layer("inner", { strategy: "one-for-one", intensity: 100, children: [finding(found)] }),
          options
        )
      ]
    })

  it.effect("is so for a brutal kill, of itself or of one it lives in, and not for others", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const found: Array<boolean> = []
        const orderly = yield* tree(found)
        yield* orderly.terminateChild("inner")
        assert.deepStrictEqual(found.splice(0), [false])
        // A supervisor that is killed still stops its children in order.
        yield* orderly.restartChild("inner")
        yield* orderly.exitChild("inner", ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(found.splice(0), [false])
        const brutal = yield* tree(found, { shutdown: "brutal-kill" })
        yield* brutal.terminateChild("inner")
        yield* VirtualTime.settle
        assert.deepStrictEqual(found.splice(0), [true])
        const flat = yield* Supervisor.make("flat", {
          strategy: "one-for-one",
          intensity: 100,
          children: [finding(found)]
        })
        yield* flat.exitChild("leaf", ExitReason.killed)
        yield* VirtualTime.settle
        yield* flat.exitChild("leaf", ExitReason.failure("crash"))
        yield* VirtualTime.settle
        assert.deepStrictEqual(found.splice(0), [true, false])
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    ))
})

describe("Child.isAbandoned", () => {
  it.effect("is so from when nobody waits any more", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const found: Array<boolean> = []
        const look = Effect.map(Child.isAbandoned, (isAbandoned) => void found.push(isAbandoned))
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.effect(
              "slow",
              Effect.andThen(
                Effect.addFinalizer(() => Effect.andThen(look, Effect.andThen(Effect.sleep("3 seconds"), look))),
                Effect.never
              ),
              { shutdown: "2 seconds" }
            )
          ]
        })
        const stopping = yield* Effect.forkChild(app.terminateChild("slow"), { startImmediately: true })
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(found, [false, true])
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    ))
})
