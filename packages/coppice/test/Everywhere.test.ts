import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, SupervisionTree, Supervisor, type SupervisorError } from "coppice"
import { Context, Deferred, Effect, Exit, Fiber, Layer, LayerMap, Logger, ManagedRuntime, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, patient } from "./support/kit.ts"
import { crash, failureOf, type Given, Ledger } from "./support/resources.ts"
import { answer, collect, Lever, scenario, type World } from "./support/world.ts"

type Inner = Layer.Layer<never, SupervisorError.ChildStartFailed>

/** A supervisor of two that gives up at the first crash, and notes it where nobody else hears of it. */
const innerOptions = (world: World) => ({
  strategy: "one-for-one",
  intensity: 0,
  children: [world.kit.child("a"), world.kit.child("b")],
  onEscalation: ({ path }: { readonly path: string }) => Effect.sync(() => world.kit.note(`heard by nobody: ${path}`))
} as const)

const inner = (world: World, name = "inner"): Inner => Supervisor.layer(name, innerOptions(world))

/** A LayerMap holds services. */
class Keyed extends Context.Service<Keyed, string>()("coppice/test/Everywhere.test/Keyed") {}

const keyed = (layer: Inner): Layer.Layer<Keyed, SupervisorError.ChildStartFailed> =>
  Layer.provide(Layer.succeed(Keyed, "a service"), layer)

/** A root supervisor that hosts something. */
const appOf = (...children: ReadonlyArray<Given>): Effect.Effect<
  Supervisor.Supervisor,
  SupervisorError.ChildStartFailed,
  Scope.Scope
> => Effect.tap(Supervisor.make("app", { strategy: "one-for-one", ...patient, children }), () => VirtualTime.settle)

/** The paths of all that runs below a supervisor, and its own. */
const pathsOf = (supervisor: Supervisor.Supervisor): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(supervisor.tree, (tree) => {
    const paths = (node: SupervisionTree.SupervisionTree): ReadonlyArray<string> => [
      node.path,
      ...node.children.flatMap(paths)
    ]
    return paths(tree)
  })

/** The supervisors that live inside a child. */
const inside = (app: Supervisor.Supervisor, id: string) =>
  Effect.map(
    Effect.orDie(app.whichChildren),
    (children) => children.find((child) => child.id === id)?.supervisors ?? []
  )

/** A runtime started by hand, which ends with the current scope. */
const runtimeOf = <A, E>(world: World, layer: Layer.Layer<A, E>) =>
  Effect.acquireRelease(
    Effect.sync(() => ManagedRuntime.make(Layer.provideMerge(layer, Logger.layer([world.logger])))),
    (runtime) => runtime.disposeEffect
  )

const never: Effect.Effect<never> = Effect.never

/** The places inside a child where a supervisor can be built and belongs to that child. */
const places: Record<string, (layer: Inner, world: World) => Given> = {
  "in the child's layer": (layer) => Child.layer("host", Layer.merge(Layer.empty, layer)),
  "in a Layer.unwrap": (layer) => Child.layer("host", Layer.unwrap(Effect.sync(() => layer))),
  "in a Layer.fresh": (layer) => Child.layer("host", Layer.fresh(layer)),
  "in a Layer.fresh inside a layer": (layer) => Child.layer("host", Layer.provide(Layer.empty, Layer.fresh(layer))),
  "in a Layer.suspend": (layer) => Child.layer("host", Layer.suspend(() => layer)),
  "by a LayerMap of the child's layer": (layer) =>
    Child.layer(
      "host",
      Layer.effectDiscard(Effect.gen(function*() {
        const map = yield* LayerMap.make((_key: string) => keyed(layer))
        yield* Layer.build(map.get("key"))
      }))
    ),
  "by a LayerMap of the running child": (layer) =>
    Child.effect(
      "host",
      Effect.gen(function*() {
        const map = yield* LayerMap.make((_key: string) => keyed(layer))
        return yield* Effect.provide(never, map.get("key"))
      })
    ),
  "by Effect.provide in the running child": (layer) => Child.effect("host", Effect.provide(never, layer)),
  "by Effect.provide in what Child.make returns": (layer) =>
    Child.make("host", Effect.succeed(Effect.provide(never, layer))),
  "by Layer.build in the acquisition of Child.make": (layer) =>
    Child.make("host", Effect.as(Layer.build(layer), never)),
  "by Layer.launch in the running child": (layer) => Child.effect("host", Layer.launch(layer)),
  "by Supervisor.launch in the running child": (layer) => Child.effect("host", Supervisor.launch(layer)),
  "by Supervisor.launch within Supervisor.launch": (layer) =>
    Child.effect("host", Supervisor.launch(Layer.effectDiscard(Supervisor.launch(layer)))),
  "in a scope of the running child": (layer) =>
    Child.effect("host", Effect.scoped(Effect.andThen(Layer.build(layer), never))),
  "in the child's own scope": (layer) => Child.effect("host", Effect.andThen(Layer.build(layer), never)),
  "in a forked fiber of the child": (layer) =>
    Child.effect("host", Effect.andThen(Effect.forkChild(Effect.provide(never, layer)), never)),
  "in a fiber forked in the child's scope": (layer) =>
    Child.effect("host", Effect.andThen(Effect.forkScoped(Effect.provide(never, layer)), never)),
  "in a linked fiber of the child": (layer) =>
    Child.layer("host", Layer.effectDiscard(Child.forkLinked(Effect.provide(never, layer)))),
  "by a ManagedRuntime with Child.inherit": (layer, world) =>
    Child.effect(
      "host",
      Effect.gen(function*() {
        const runtime = yield* runtimeOf(world, yield* Child.inherit(layer))
        yield* runtime.contextEffect
        return yield* never
      })
    ),
  "by a ManagedRuntime with Child.inherit, in the child's layer": (layer, world) =>
    Child.layer(
      "host",
      Layer.effectDiscard(Effect.gen(function*() {
        const runtime = yield* runtimeOf(world, yield* Child.inherit(layer))
        yield* runtime.contextEffect
      }))
    )
}

describe("a supervisor built inside a child", () => {
  for (const [where, host] of Object.entries(places)) {
    scenario(
      `is a node below that child, restarts and stops with it, and escalates to it: ${where}`,
      (world) =>
        Effect.gen(function*() {
          const { kit } = world
          const scope = yield* Scope.make()
          const app = yield* Scope.provide(appOf(host(inner(world), world), kit.child("z")), scope)
          const paths = ["app", "app/host", "app/host/inner", "app/host/inner/a", "app/host/inner/b", "app/z"]
          assert.deepStrictEqual(yield* pathsOf(app), paths)
          kit.take()
          yield* crash(app, "host")
          assert.deepStrictEqual(kit.take(), ["stop b", "stop a", "start a", "start b"], "the host restarts")
          assert.deepStrictEqual(yield* pathsOf(app), paths)
          yield* kit.crash("a")
          assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "start a", "start b"], "it gives up")
          assert.deepStrictEqual(yield* pathsOf(app), paths)
          assert.deepStrictEqual(world.takeMessages("Fatal"), [])
          yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* VirtualTime.settle
          assert.deepStrictEqual(kit.take(), ["stop z", "stop b", "stop a"])
        })
    )
  }

  scenario(
    "is the child itself under Child.supervisor; a second one there is below it",
    (world) =>
      Effect.gen(function*() {
        const app = yield* appOf(
          Child.supervisor(
            "host",
            Layer.provideMerge(
              Supervisor.layer("second", {
                strategy: "one-for-one",
                children: [world.kit.child("c")]
              }),
              inner(world)
            )
          )
        )
        const paths = ["app", "app/host", "app/host/a", "app/host/b", "app/host/second", "app/host/second/c"]
        assert.deepStrictEqual(yield* pathsOf(app), paths)
        yield* world.kit.crash("a")
        assert.deepStrictEqual(yield* pathsOf(app), paths)
      })
  )

  scenario(
    "that shuts itself down ends its host cleanly: a transient one is then left down",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const oneShot = (id: string) =>
          Supervisor.layer("inner", {
            strategy: "one-for-one",
            autoShutdown: "any-significant",
            children: [kit.child(id, { restart: "transient", significant: true })]
          })
        const app = yield* appOf(
          Child.layer("permanent", Layer.merge(Layer.empty, oneShot("p"))),
          Child.layer("transient", Layer.merge(Layer.empty, oneShot("t")), { restart: "transient" })
        )
        kit.take()
        yield* kit.return("p")
        yield* kit.return("t")
        assert.deepStrictEqual(kit.take(), ["return p", "start p", "return t"])
        assert.deepStrictEqual(yield* pathsOf(app), [
          "app",
          "app/permanent",
          "app/permanent/inner",
          "app/permanent/inner/p",
          "app/transient"
        ])
      })
  )

  scenario("in a scope that is opened again and again has the same path each time", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const next = yield* Queue.unbounded<void>()
      const app = yield* appOf(Child.effect(
        "host",
        Effect.forever(Effect.scoped(Effect.andThen(Layer.build(inner(world)), Queue.take(next))))
      ))
      for (let time = 0; time < 3; time++) {
        assert.deepStrictEqual((yield* pathsOf(app)).slice(1, 3), ["app/host", "app/host/inner"])
        kit.take()
        yield* Queue.offer(next, undefined)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["stop b", "stop a", "start a", "start b"])
      }
    }))

  scenario(
    "beside others of its name has a number, the lowest that is free while those live",
    () =>
      Effect.gen(function*() {
        const built = yield* Queue.unbounded<Scope.Closeable>()
        const ask = yield* Queue.unbounded<void>()
        const named = Supervisor.make("inner", { strategy: "one-for-one", children: [] })
        const app = yield* appOf(Child.effect(
          "host",
          Effect.forever(Effect.gen(function*() {
            yield* Queue.take(ask)
            const scope = yield* Scope.fork(yield* Effect.scope)
            yield* Scope.provide(named, scope)
            yield* Queue.offer(built, scope)
          }))
        ))
        const build = Effect.gen(function*() {
          yield* Queue.offer(ask, undefined)
          return yield* Queue.take(built)
        })
        const scopes = [yield* build, yield* build, yield* build]
        const paths = Effect.map(pathsOf(app), (paths) => paths.slice(2).map((path) => path.slice("app/host/".length)))
        assert.deepStrictEqual(yield* paths, ["inner", "inner#2", "inner#3"])
        yield* Scope.close(scopes[1]!, Exit.void)
        yield* build
        assert.deepStrictEqual(yield* paths, ["inner", "inner#3", "inner#2"])
        yield* Scope.close(scopes[0]!, Exit.void)
        yield* build
        assert.deepStrictEqual(yield* paths, ["inner#3", "inner#2", "inner"])
      })
  )

  scenario(
    "by Effect.provide in the acquisition of Child.make ends with the acquisition",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const app = yield* appOf(Child.make("host", Effect.provide(Effect.succeed(never), inner(world))))
        assert.deepStrictEqual(kit.take(), ["start a", "start b", "stop b", "stop a"])
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/host"])
      })
  )

  scenario(
    "of which the surroundings have built the same layer object is theirs: the child is given that one",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        class Inner extends Supervisor.Service<Inner>()("test/inner", innerOptions(world)) {}
        const seen: Array<string> = []
        const uses = Effect.map(Inner, ({ path }) => {
          seen.push(path)
        })
        const host = Child.layer("host", Layer.provide(Layer.effectDiscard(uses), Inner.layer))
        const body = Child.effect("body", Effect.provide(Effect.andThen(uses, never), Inner.layer))
        class App extends Supervisor.Service<App>()("test/app", {
          strategy: "one-for-one",
          ...patient,
          children: [host, body]
        }) {}
        const context = yield* Layer.build(Layer.provideMerge(App.layer, Inner.layer))
        yield* VirtualTime.settle
        const app: Supervisor.Supervisor<any> = Context.get(context, App)
        assert.deepStrictEqual(seen, ["inner", "inner"])
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/host", "app/body"])
        kit.take()
        yield* crash(app, "host")
        yield* crash(app, "body")
        assert.deepStrictEqual(seen, ["inner", "inner", "inner", "inner"])
        assert.deepStrictEqual(kit.take(), [], "it does not restart with its users")
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "heard by nobody: inner"])
        assert.deepStrictEqual(world.takeMessages("Fatal").length, 1)
      })
  )

  scenario(
    "is invalid under Child.supervisor where what is inside is the surroundings' or a sibling's",
    (world) =>
      Effect.gen(function*() {
        const layer = inner(world)
        const listed = Child.supervisor("host", Layer.merge(layer, Layer.empty))
        const first = Child.layer("first", Layer.merge(Layer.empty, layer))
        const ofSurroundings = Supervisor.layer("app", { strategy: "one-for-one", children: [listed] })
        const ofSibling = Supervisor.layer("app", { strategy: "rest-for-one", children: [first, listed] })
        for (const app of [Layer.provide(ofSurroundings, layer), ofSibling]) {
          const exit = yield* answer(Effect.exit(Effect.scoped(Layer.build(app))))
          assert.include(failureOf(exit), "app/host")
          assert.include(failureOf(exit), "builds no supervisor")
        }
      })
  )
})

describe("a supervisor's layer object that is used twice at once", () => {
  /** A class, with dependencies and without. */
  const classes = (world: World) => {
    class Plain extends Supervisor.Service<Plain>()("test/Inner", innerOptions(world)) {}
    class WithDependencies extends Supervisor.Service<WithDependencies>()("test/Inner", {
      ...innerOptions(world),
      dependencies: [new Ledger().pool()]
    }) {}
    return { Plain, WithDependencies }
  }

  for (const strategy of ["one-for-one", "rest-for-one", "one-for-all"] as const) {
    for (const which of ["Plain", "WithDependencies"] as const) {
      scenario(
        `under two children is two supervisors with two paths: ${which}, ${strategy}`,
        (world) =>
          Effect.gen(function*() {
            const { kit } = world
            const layer = classes(world)[which].layer as Inner
            const children = ["one", "two"].map((id) => Child.supervisor(id, layer) as Given)
            const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy, ...patient, children })
            assert.deepStrictEqual(yield* pathsOf(app), [
              "app",
              "app/one",
              "app/one/a",
              "app/one/b",
              "app/two",
              "app/two/a",
              "app/two/b"
            ])
            kit.take()
            yield* crash(app, "two")
            const once = ["stop b", "stop a", "start a", "start b"]
            assert.deepStrictEqual(
              kit.take(),
              strategy === "one-for-all"
                ? ["stop b", "stop a", "stop b", "stop a", "start a", "start b", "start a", "start b"]
                : once
            )
          })
      )

      scenario(
        `under two children is each child's own where the surroundings have it too: ${which}, ${strategy}`,
        (world) =>
          Effect.gen(function*() {
            const layer = classes(world)[which].layer as Inner
            const children = ["one", "two"].map((id) => Child.supervisor(id, layer) as Given)
            class App extends Supervisor.Service<App>()("test/app", { strategy, ...patient, children }) {}
            const app = Context.get(yield* Layer.build(Layer.provideMerge(App.layer, layer)), App)
            assert.strictEqual(world.kit.take().filter((line) => line === "start a").length, 3)
            assert.deepStrictEqual((yield* pathsOf(app)).length, 7)
          })
      )
    }
  }

  scenario(
    "under two children gives a later sibling the service of the last of them",
    (world) =>
      Effect.gen(function*() {
        const { Plain } = classes(world)
        const seen: Array<string> = []
        const user = (id: string) =>
          Child.layer(
            id,
            Layer.effectDiscard(Effect.map(Plain, ({ path }) => {
              seen.push(`${id} ${path}`)
            }))
          )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [
            Child.supervisor("one", Plain),
            user("between"),
            Child.supervisor("two", Plain),
            user("after"),
            user("last")
          ]
        })
        assert.deepStrictEqual(seen, ["between app/one", "after app/two", "last app/two"])
        yield* crash(app, "between")
        assert.deepStrictEqual(seen.slice(3), ["between app/one", "after app/two", "last app/two"])
      })
  )

  scenario("inside one layer is one supervisor", (world) =>
    Effect.gen(function*() {
      const layer = inner(world)
      const app = yield* appOf(
        Child.layer("host", Layer.mergeAll(layer, layer, Layer.provide(Layer.empty, layer)))
      )
      assert.deepStrictEqual(yield* pathsOf(app), [
        "app",
        "app/host",
        "app/host/inner",
        "app/host/inner/a",
        "app/host/inner/b"
      ])
      assert.deepStrictEqual(world.kit.take(), ["start a", "start b"])
    }))

  scenario(
    "inside one layer, one of them fresh, is two supervisors, the second with a number",
    (world) =>
      Effect.gen(function*() {
        const layer = inner(world)
        const app = yield* appOf(Child.layer("host", Layer.provideMerge(Layer.fresh(layer), layer)))
        assert.deepStrictEqual(
          (yield* pathsOf(app)).filter((path) => path.includes("inner") && !/[ab]$/.test(path)),
          ["app/host/inner", "app/host/inner#2"]
        )
      })
  )

  scenario(
    "inside two children of a group is one supervisor, which belongs to the first of them",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const layer = inner(world)
        const host = (id: string): Given => Child.layer(id, Layer.merge(Layer.empty, layer))
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [host("one"), host("two"), host("three")]
        })
        assert.deepStrictEqual(
          yield* pathsOf(app),
          ["app", "app/one", "app/one/inner", "app/one/inner/a", "app/one/inner/b", "app/two", "app/three"]
        )
        kit.take()
        yield* crash(app, "two")
        assert.deepStrictEqual(kit.take(), [])
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "start a", "start b"])
        assert.deepStrictEqual(
          (yield* app.tree).children.map(({ incarnation }) => incarnation),
          [2, 3, 3],
          "the first is restarted, and the rest with it"
        )
      })
  )

  scenario("inside two children under one-for-one is two supervisors", (world) =>
    Effect.gen(function*() {
      const layer = inner(world)
      const host = (id: string): Given => Child.layer(id, Layer.merge(Layer.empty, layer))
      const app = yield* appOf(host("one"), host("two"))
      assert.deepStrictEqual(
        (yield* pathsOf(app)).filter((path) => path.endsWith("inner")),
        ["app/one/inner", "app/two/inner"]
      )
    }))
})

describe("a supervisor in a LayerMap", () => {
  /** Uses a key as long as it runs. */
  const user = (id: string, map: LayerMap.LayerMap<string, Keyed, SupervisorError.ChildStartFailed>): Given =>
    Child.effect(id, Effect.provide(never, map.get("key")))

  const incarnations = (app: Supervisor.Supervisor) =>
    Effect.map(app.tree, ({ children }) => children.map(({ incarnation }) => incarnation))

  scenario(
    "belongs to the child that asked for its key first, and escalates to that one",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const map = yield* LayerMap.make((_key: string) => keyed(inner(world)))
        const app = yield* appOf(user("one", map), user("two", map))
        assert.deepStrictEqual(yield* pathsOf(app), [
          "app",
          "app/one",
          "app/one/inner",
          "app/one/inner/a",
          "app/one/inner/b",
          "app/two"
        ])
        assert.deepStrictEqual(kit.take(), ["start a", "start b"], "one for both")
        yield* crash(app, "two")
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b"])
        assert.deepStrictEqual(yield* incarnations(app), [2, 2])
        assert.deepStrictEqual(
          yield* pathsOf(app),
          ["app", "app/one", "app/two"],
          "the map still holds the one that ended"
        )
        yield* map.invalidate("key")
        yield* crash(app, "two")
        assert.deepStrictEqual(kit.take(), ["start a", "start b"], "until it is invalidated")
        assert.deepStrictEqual((yield* pathsOf(app)).slice(1, 4), ["app/one", "app/two", "app/two/inner"])
      })
  )

  scenario(
    "goes on while others use its key when that child ends: it is then a root",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const map = yield* LayerMap.make((_key: string) => keyed(inner(world)))
        const app = yield* appOf(user("one", map), user("two", map), user("three", map))
        kit.take()
        yield* crash(app, "one")
        assert.deepStrictEqual(kit.take(), [])
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/one", "app/two", "app/three"])
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "heard by nobody: app/one/inner"])
        assert.strictEqual(world.takeMessages("Fatal").length, 1)
        assert.deepStrictEqual(yield* incarnations(app), [2, 1, 1])
      })
  )

  scenario("is built again by the next incarnation of its only user", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const map = yield* LayerMap.make((_key: string) => keyed(inner(world)))
      const app = yield* appOf(user("one", map))
      kit.take()
      yield* kit.crash("a")
      yield* kit.crash("b")
      assert.deepStrictEqual(kit.take(), [
        "crash a",
        "stop b",
        "start a",
        "start b",
        "crash b",
        "stop a",
        "start a",
        "start b"
      ])
      assert.deepStrictEqual(yield* incarnations(app), [3])
    }))

  scenario("ends when its last user does, or after its idle time", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      for (const idleTimeToLive of ["0 millis", "10 seconds"] as const) {
        const map = yield* LayerMap.make((_key: string) => keyed(inner(world)), { idleTimeToLive })
        const app = yield* appOf(user("one", map), user("two", map))
        kit.take()
        yield* app.terminateChild("one")
        assert.deepStrictEqual(kit.take(), [])
        yield* app.terminateChild("two")
        if (idleTimeToLive === "10 seconds") {
          yield* TestClock.adjust("9 seconds")
          assert.deepStrictEqual(kit.take(), [])
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(kit.take(), ["stop b", "stop a"])
      }
    }))

  scenario(
    "belongs to whoever made the map where its layers went through Child.inherit",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        class Maps extends Context.Service<
          Maps,
          LayerMap.LayerMap<string, Keyed, SupervisorError.ChildStartFailed>
        >()("coppice/test/Everywhere.test/Maps") {}
        const making = Effect.gen(function*() {
          const layer = yield* Child.inherit(keyed(inner(world)))
          return yield* LayerMap.make((_key: string) => layer)
        })
        const uses = (id: string) =>
          Child.effect(id, Effect.flatMap(Maps, (map) => Effect.provide(never, map.get("key"))))
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [Child.layer("maps", Layer.effect(Maps, making)), uses("one"), uses("two")]
        })
        yield* VirtualTime.settle
        const paths = [
          "app",
          "app/maps",
          "app/maps/inner",
          "app/maps/inner/a",
          "app/maps/inner/b",
          "app/one",
          "app/two"
        ]
        assert.deepStrictEqual(yield* pathsOf(app), paths)
        kit.take()
        yield* crash(app, "two")
        assert.deepStrictEqual(kit.take(), [])
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "start a", "start b"])
        assert.deepStrictEqual(yield* incarnations(app), [2, 2, 3])
        assert.deepStrictEqual(yield* pathsOf(app), paths)
      })
  )

  scenario(
    "is a root where its layers went through Child.inherit outside every child",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const layer = yield* Child.inherit(keyed(inner(world)))
        const map = yield* LayerMap.make((_key: string) => layer)
        const app = yield* appOf(user("one", map), user("two", map))
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/one", "app/two"])
        kit.take()
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "heard by nobody: inner"])
        assert.deepStrictEqual(yield* incarnations(app), [1, 1])
      })
  )
})

describe("a ManagedRuntime started in a child", () => {
  scenario(
    "without Child.inherit holds a root: not in the tree, and no failure of the child's",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const app = yield* appOf(Child.effect(
          "host",
          Effect.gen(function*() {
            const runtime = yield* runtimeOf(world, inner(world))
            yield* runtime.contextEffect
            return yield* never
          })
        ))
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/host"])
        kit.take()
        yield* crash(app, "host")
        assert.deepStrictEqual(kit.take(), ["stop b", "stop a", "start a", "start b"], "the runtime is disposed of")
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "heard by nobody: inner"])
        assert.deepStrictEqual(world.takeMessages("Fatal"), [
          "a: a root supervisor gave up and stays stopped; nothing restarts it"
        ])
        assert.strictEqual((yield* app.tree).children[0]!.incarnation, 2, "the child does not know")
      })
  )

  scenario(
    "that is not disposed of goes on when the child ends, with Child.inherit as without",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        for (const inherits of [true, false]) {
          const layer = inner(world)
          const runtimes: Array<ManagedRuntime.ManagedRuntime<never, {}>> = []
          const app = yield* appOf(Child.effect(
            "host",
            Effect.gen(function*() {
              const own = inherits ? yield* Child.inherit(layer) : layer
              const runtime = ManagedRuntime.make(Layer.provideMerge(own, Logger.layer([world.logger])))
              runtimes.push(runtime)
              yield* runtime.contextEffect
              return yield* never
            }),
            { restart: "temporary" }
          ))
          kit.take()
          yield* app.terminateChild("host")
          assert.deepStrictEqual(kit.take(), [])
          yield* kit.crash("a")
          const path = inherits ? "app/host/inner" : "inner"
          assert.deepStrictEqual(kit.take(), ["crash a", "stop b", `heard by nobody: ${path}`])
          assert.strictEqual(world.takeMessages("Fatal").length, 1)
          yield* Effect.forEach(runtimes, (runtime) => runtime.disposeEffect)
        }
      })
  )

  scenario(
    "may be used by two incarnations at once: two supervisors then have one path, and only the new one is in the tree",
    (world) =>
      Effect.gen(function*() {
        const runtimes: Array<ManagedRuntime.ManagedRuntime<Handle, {}>> = []
        class Handle extends Supervisor.Service<Handle>()("test/inner", innerOptions(world)) {}
        const app = yield* appOf(Child.effect(
          "host",
          Effect.gen(function*() {
            const runtime = ManagedRuntime.make(
              Layer.provideMerge(yield* Child.inherit(Handle.layer), Logger.layer([world.logger]))
            )
            runtimes.push(runtime)
            yield* runtime.contextEffect
            return yield* never
          })
        ))
        yield* crash(app, "host")
        const handles = yield* Effect.forEach(runtimes, (runtime) =>
          Effect.map(runtime.contextEffect, Context.get(Handle)))
        assert.deepStrictEqual(
          handles.map(({ path }) =>
            path
          ),
          ["app/host/inner", "app/host/inner"]
        )
        assert.deepStrictEqual(yield* pathsOf(app), [
          "app",
          "app/host",
          "app/host/inner",
          "app/host/inner/a",
          "app/host/inner/b"
        ])
        assert.deepStrictEqual((yield* inside(app, "host")).length, 1)
        yield* Effect.forEach(runtimes, (runtime) => runtime.disposeEffect)
      })
  )

  scenario(
    "with Child.inherit, and a call from a start that its supervisor waits for, is told so",
    (world) =>
      Effect.gen(function*() {
        const answers: Array<string> = []
        const host: Given = Child.make(
          "host",
          Effect.gen(function*() {
            const { supervisor } = yield* Child.current
            const calls = Layer.effectDiscard(Effect.map(Effect.exit(supervisor.countChildren), (exit) => {
              answers.push(failureOf(exit))
            }))
            const runtime = yield* runtimeOf(world, yield* Child.inherit(calls))
            yield* runtime.contextEffect
            return never
          })
        )
        const app = yield* answer(Supervisor.make("app", { strategy: "one-for-one", children: [host] }))
        assert.strictEqual(app.path, "app")
        assert.include(answers[0], "CallFromWithin")
      })
  )

  scenario("outside a child inherits nothing: its supervisors are roots", (world) =>
    Effect.gen(function*() {
      class Handle extends Supervisor.Service<Handle>()("test/inner", innerOptions(world)) {}
      const runtime = yield* runtimeOf(world, yield* Child.inherit(Handle.layer))
      assert.strictEqual(Context.get(yield* runtime.contextEffect, Handle).path, "inner")
      world.kit.take()
      yield* world.kit.crash("a")
      assert.deepStrictEqual(world.kit.take(), ["crash a", "stop b", "heard by nobody: inner"])
    }))
})

describe("a root", () => {
  class Root extends Context.Service<Root, Supervisor.Supervisor<string>>()("coppice/test/Everywhere.test/Root") {}

  /** Places outside every child. */
  const roots: Record<
    string,
    (world: World, layer: Layer.Layer<Root, {}>) => Effect.Effect<Supervisor.Supervisor<string>, {}, Scope.Scope>
  > = {
    "of Layer.build": (_world, layer) => Effect.map(Layer.build(layer), Context.get(Root)),
    "of Layer.launch": (_world, layer) =>
      Effect.gen(function*() {
        const root = yield* Deferred.make<Supervisor.Supervisor<string>>()
        const tells = Layer.effectDiscard(Effect.flatMap(Root, (supervisor) => Deferred.succeed(root, supervisor)))
        yield* Effect.forkScoped(Layer.launch(Layer.provide(tells, layer)))
        return yield* Deferred.await(root)
      }),
    "of Effect.provide": (_world, layer) =>
      Effect.gen(function*() {
        const root = yield* Deferred.make<Supervisor.Supervisor<string>>()
        const program = Effect.flatMap(Root, (supervisor) => Deferred.succeed(root, supervisor))
        yield* Effect.forkScoped(Effect.provide(Effect.andThen(program, never), layer))
        return yield* Deferred.await(root)
      }),
    "of a ManagedRuntime": (world, layer) =>
      Effect.gen(function*() {
        const runtime = yield* runtimeOf(world, layer)
        return Context.get(yield* runtime.contextEffect, Root)
      }),
    "of a LayerMap": (_world, layer) =>
      Effect.gen(function*() {
        const map = yield* LayerMap.make((_key: string) => layer)
        return Context.get(yield* map.contextEffect("key"), Root)
      })
  }

  const rootOf = (world: World): Layer.Layer<Root, {}> => {
    class Supervised extends Supervisor.Service<Supervised>()("test/inner", innerOptions(world)) {}
    return Layer.provide(
      Layer.effect(Root, Effect.map(Supervised, (supervisor): Supervisor.Supervisor<string> => supervisor)),
      Supervised.layer
    )
  }

  for (const [where, build] of Object.entries(roots)) {
    scenario(
      `${where} that gives up logs at Fatal, runs onEscalation, fails await and stays failed; its host goes on`,
      (world) =>
        Effect.gen(function*() {
          const { kit } = world
          const scope = yield* Scope.make()
          const root = yield* Scope.provide(build(world, rootOf(world)), scope)
          assert.strictEqual(root.path, "inner")
          const waiting = yield* Effect.forkChild(Effect.exit(root.await))
          kit.take()
          world.takeLines()
          yield* kit.crash("b")
          assert.deepStrictEqual(kit.take(), ["crash b", "stop a", "heard by nobody: inner"])
          assert.deepStrictEqual(world.takeMessages("Fatal"), [
            "b: a root supervisor gave up and stays stopped; nothing restarts it"
          ])
          assert.include(failureOf(yield* Fiber.join(waiting)), "inner gave up on \"b\"")
          yield* TestClock.adjust("1 hour")
          assert.strictEqual((yield* root.tree).state, "failed")
          assert.include(failureOf(yield* Effect.exit(root.restartChild("a"))), "inner has ended")
          assert.deepStrictEqual(kit.take(), [])
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(kit.take(), [])
        })
    )

    scenario(
      `${where} is stopped, in reverse order, when its host ends, and that is no failure`,
      (world) =>
        Effect.gen(function*() {
          const { kit } = world
          const scope = yield* Scope.make()
          const root = yield* Scope.provide(build(world, rootOf(world)), scope)
          kit.take()
          yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* VirtualTime.settle
          assert.deepStrictEqual(kit.take(), ["stop b", "stop a"])
          assert.strictEqual(yield* ended(root), "shut down")
          assert.deepStrictEqual(world.takeMessages("Error", "Fatal"), [])
        })
    )
  }

  scenario("whose onEscalation fails or dies says so, and harms nobody", (world) =>
    Effect.gen(function*() {
      const other = yield* appOf(world.kit.child("o1"), world.kit.child("o2"))
      yield* Supervisor.make("inner", {
        ...innerOptions(world),
        onEscalation: () => Effect.die("onEscalation is broken")
      })
      yield* world.kit.crash("a")
      assert.include(world.takeMessages("Error"), "onEscalation failed")
      assert.strictEqual(yield* ended(other), "no")
    }))

  scenario(
    "of a launched program has a path of its own beside others of its name; elsewhere names may be the same",
    (world) =>
      Effect.gen(function*() {
        const paths: Array<string> = []
        const named = Layer.effectDiscard(
          Effect.map(Supervisor.make("root", { strategy: "one-for-one", children: [] }), ({ path }) => {
            paths.push(path)
          })
        )
        const three = Layer.mergeAll(Layer.fresh(named), Layer.fresh(named), Layer.fresh(named))
        const launched = yield* Effect.forkChild(Supervisor.launch(three))
        yield* VirtualTime.settle
        assert.deepStrictEqual(paths.splice(0), ["root", "root#2", "root#3"])
        yield* Fiber.interrupt(launched)
        yield* Layer.build(three)
        assert.deepStrictEqual(paths, ["root", "root", "root"])
        assert.deepStrictEqual(world.takeMessages("Error", "Fatal"), [])
      })
  )
})

describe("a supervisor that outlives what it was built in", () => {
  /** Two of them, in a scope that stays open. */
  const orphans = (world: World, outside: Scope.Scope) =>
    Scope.provide(
      Effect.gen(function*() {
        const first = yield* Supervisor.make("first", {
          ...innerOptions(world),
          children: [world.kit.child("a1"), world.kit.child("b1")]
        })
        const second = yield* Supervisor.make("second", {
          ...innerOptions(world),
          children: [world.kit.child("a2"), world.kit.child("b2")]
        })
        return [first, second]
      }),
      outside
    )

  scenario(
    "is a root from then on: out of the tree, running, with the path it had, and heard by nobody above",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const outside = yield* Scope.make()
        const app = yield* appOf(
          Child.effect("host", Effect.andThen(orphans(world, outside), never), { restart: "temporary" }),
          kit.child("z")
        )
        const [first, second] = yield* inside(app, "host")
        kit.take()
        yield* app.terminateChild("host")
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/z"])
        assert.deepStrictEqual(kit.take(), [])
        assert.deepStrictEqual(yield* pathsOf(first!), ["app/host/first", "app/host/first/a1", "app/host/first/b1"])
        yield* kit.crash("a1")
        assert.deepStrictEqual(kit.take(), ["crash a1", "stop b1", "heard by nobody: app/host/first"])
        assert.deepStrictEqual(world.takeMessages("Fatal").length, 1)
        assert.deepStrictEqual([yield* ended(first!), yield* ended(second!), yield* ended(app)], [
          "gave up",
          "no",
          "no"
        ])
        yield* Scope.close(outside, Exit.void)
        assert.deepStrictEqual(kit.take(), ["stop b2", "stop a2"])
      })
  )

  scenario("goes on when the tree above it ends", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const outside = yield* Scope.make()
      const scope = yield* Scope.make()
      const app = yield* Scope.provide(
        appOf(Child.effect("host", Effect.andThen(orphans(world, outside), never))),
        scope
      )
      const [first] = yield* inside(app, "host")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* ended(first!), "no")
      kit.take()
      yield* kit.crash("b2")
      assert.deepStrictEqual(kit.take(), ["crash b2", "stop a2", "heard by nobody: app/host/second"])
      yield* Scope.close(outside, Exit.void)
      assert.deepStrictEqual(kit.take(), ["stop b1", "stop a1"])
    }))

  scenario(
    "is not the next incarnation's: that one's have the same paths and escalate to it, the old one to nobody",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const outside = yield* Scope.make()
        let lives = 0
        const app = yield* appOf(Child.effect(
          "host",
          Effect.gen(function*() {
            const life = ++lives
            const options = { ...innerOptions(world), children: [kit.child(`a${life}`), kit.child(`b${life}`)] }
            yield* Scope.provide(Supervisor.make("inner", options), outside)
            return yield* never
          })
        ))
        yield* crash(app, "host")
        assert.deepStrictEqual(
          yield* pathsOf(app),
          ["app", "app/host", "app/host/inner", "app/host/inner/a2", "app/host/inner/b2"]
        )
        kit.take()
        yield* kit.crash("a1")
        assert.deepStrictEqual(kit.take(), ["crash a1", "stop b1", "heard by nobody: app/host/inner"])
        assert.strictEqual(lives, 2)
        yield* kit.crash("a2")
        assert.deepStrictEqual(kit.take(), ["crash a2", "stop b2", "start a3", "start b3"])
        assert.strictEqual(lives, 3)
        yield* Scope.close(outside, Exit.void)
      })
  )

  scenario("still tells the supervisor above of its events", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const outside = yield* Scope.make()
      const app = yield* appOf(
        Child.effect("host", Effect.andThen(orphans(world, outside), never), { restart: "temporary" })
      )
      yield* app.terminateChild("host")
      const events = yield* collect(app)
      yield* kit.crash("a1")
      yield* kit.crash("a2")
      assert.deepStrictEqual(
        (yield* events.take).filter(({ _tag }) => _tag === "SupervisorGaveUp").map(({ path }) => path),
        ["app/host/first", "app/host/second"]
      )
      yield* Scope.close(outside, Exit.void)
    }))

  scenario(
    "built by a fiber that had outlived its child is a root from the start, under that child's path",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const gate = yield* Deferred.make<void>()
        const app = yield* appOf(
          Child.effect(
            "host",
            Effect.andThen(
              Effect.forkDetach(Effect.andThen(Deferred.await(gate), Effect.provide(never, inner(world)))),
              never
            ),
            { restart: "temporary" }
          ),
          kit.child("z")
        )
        yield* app.terminateChild("host")
        kit.take()
        yield* Deferred.succeed(gate, undefined)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["start a", "start b"])
        assert.deepStrictEqual(yield* pathsOf(app), ["app", "app/z"])
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["crash a", "stop b", "heard by nobody: app/host/inner"])
        assert.strictEqual(world.takeMessages("Fatal").length, 1)
      }),
    { "app/host": 1 }
  )

  scenario(
    "is a root when the program that launched it has ended, however that ended",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        for (const end of ["interrupted", "gave up"] as const) {
          const outside = yield* Scope.make()
          const lever = new Lever()
          const root = Supervisor.layer("root", {
            strategy: "one-for-one",
            intensity: 0,
            children: [Child.effect("lever", lever.wait)]
          })
          const launched = yield* Effect.forkChild(Effect.exit(Supervisor.launch(
            Layer.merge(root, Layer.effectDiscard(orphans(world, outside)))
          )))
          yield* VirtualTime.settle
          if (end === "interrupted") yield* Fiber.interrupt(launched)
          else yield* lever.pull(Effect.fail("down"))
          assert.isDefined(launched.pollUnsafe())
          kit.take()
          world.takeLines()
          yield* kit.crash("a1")
          assert.deepStrictEqual(kit.take(), ["crash a1", "stop b1", "heard by nobody: first"])
          assert.strictEqual(world.takeMessages("Fatal").length, 1)
          yield* kit.crash("b2")
          assert.deepStrictEqual(kit.take(), ["crash b2", "stop a2", "heard by nobody: second"])
          yield* Scope.close(outside, Exit.void)
        }
      })
  )

  scenario(
    "escalates to the child in which a launch has ended, as long as that child runs",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const outside = yield* Scope.make()
        const stop = yield* Deferred.make<void>()
        const app = yield* appOf(Child.effect(
          "host",
          Effect.gen(function*() {
            const { incarnation } = yield* Child.current
            if (incarnation > 1) return yield* never
            yield* Effect.raceFirst(
              Supervisor.launch(Layer.effectDiscard(orphans(world, outside))),
              Deferred.await(stop)
            )
            return yield* never
          })
        ))
        yield* Deferred.succeed(stop, undefined)
        yield* VirtualTime.settle
        kit.take()
        yield* kit.crash("a1")
        assert.deepStrictEqual(kit.take(), ["crash a1", "stop b1"])
        assert.strictEqual((yield* app.tree).children[0]!.incarnation, 2)
        yield* kit.crash("a2")
        assert.deepStrictEqual(kit.take(), ["crash a2", "stop b2", "heard by nobody: app/host/second"])
        yield* Scope.close(outside, Exit.void)
      })
  )
})

describe("a fiber that has outlived its child", () => {
  scenario("may call the child's supervisor, which does not wait for it", (world) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const answers: Array<string> = []
      const asks = Effect.fnUntraced(function*(supervisor: Supervisor.Supervisor) {
        yield* Deferred.await(gate)
        answers.push(failureOf(yield* Effect.exit(supervisor.terminateChild("other"))))
      })
      const child = (id: string): Given =>
        Child.effect(
          id,
          Effect.gen(function*() {
            const { incarnation, supervisor } = yield* Child.current
            if (incarnation === 1) yield* Effect.forkDetach(asks(supervisor))
            return yield* never
          })
        )
      const app = yield* appOf(child("one"), child("two"), world.kit.child("other"))
      yield* crash(app, "one")
      yield* app.terminateChild("two")
      yield* Deferred.succeed(gate, undefined)
      yield* VirtualTime.settle
      assert.deepStrictEqual(answers.map((line) => line.slice(0, 7)), ["Success", "Success"])
    }))

  scenario("may call it too where it was abandoned", (world) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const answers: Array<string> = []
      const stubborn = Effect.uninterruptible(Effect.gen(function*() {
        const { supervisor } = yield* Child.current
        yield* Deferred.await(gate)
        answers.push(failureOf(yield* Effect.exit(supervisor.terminateChild("other"))))
      }))
      const app = yield* appOf(Child.effect("host", stubborn), world.kit.child("other"))
      yield* Effect.forkChild(app.terminateChild("host"))
      yield* TestClock.adjust("5 seconds")
      yield* Deferred.succeed(gate, undefined)
      yield* VirtualTime.settle
      assert.deepStrictEqual(answers.map((line) => line.slice(0, 7)), ["Success"])
    }))

  scenario("is told CallFromWithin while the stop still waits for it", (world) =>
    Effect.gen(function*() {
      const answers: Array<string> = []
      const child = (id: string): Given =>
        Child.effect(
          id,
          Effect.gen(function*() {
            const { supervisor } = yield* Child.current
            return yield* Effect.onInterrupt(never, () =>
              Effect.map(Effect.exit(supervisor.countChildren), (exit) => {
                answers.push(failureOf(exit))
              }))
          })
        )
      const app = yield* appOf(child("one"), child("two"), world.kit.child("z"))
      yield* app.terminateChild("one")
      yield* crash(app, "two")
      assert.deepStrictEqual(answers.map((line) => line.includes("CallFromWithin")), [true, true])
    }))
})

describe("a nested launch", () => {
  scenario(
    "ends with the first of its roots, and the child it runs in ends as it did",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const root = (id: string) =>
          Supervisor.layer(id, {
            strategy: "one-for-one",
            intensity: 0,
            children: [kit.child(`${id}1`), kit.child(`${id}2`)]
          })
        const app = yield* appOf(
          Child.effect("host", Supervisor.launch(Layer.provideMerge(root("y"), root("x"))), { restart: "temporary" }),
          kit.child("z")
        )
        assert.deepStrictEqual(
          (yield* inside(app, "host")).map(({ path }) => path),
          ["app/host/x", "app/host/y"]
        )
        const events = yield* collect(app)
        kit.take()
        yield* kit.crash("x1")
        assert.deepStrictEqual(kit.take(), ["crash x1", "stop x2", "stop y2", "stop y1"])
        const exited = (yield* events.take).filter(({ _tag, path }) => _tag === "ChildExited" && path === "app/host")
        assert.deepStrictEqual(exited.map((event) => event._tag === "ChildExited" ? event.reason._tag : ""), [
          "Failure"
        ])
      })
  )

  scenario(
    "that is over has left its place: the next one in the same child has the same paths",
    (world) =>
      Effect.gen(function*() {
        const { kit } = world
        const next = yield* Queue.unbounded<void>()
        const app = yield* appOf(Child.effect(
          "host",
          Effect.forever(Effect.raceFirst(Supervisor.launch(inner(world)), Queue.take(next)))
        ))
        for (let time = 0; time < 3; time++) {
          assert.deepStrictEqual(
            yield* pathsOf(app),
            ["app", "app/host", "app/host/inner", "app/host/inner/a", "app/host/inner/b"]
          )
          kit.take()
          yield* Queue.offer(next, undefined)
          yield* VirtualTime.settle
          assert.deepStrictEqual(kit.take(), ["stop b", "stop a", "start a", "start b"])
        }
      })
  )

  scenario("tells onEvent, and the tree above, of its roots' events", (world) =>
    Effect.gen(function*() {
      const { kit } = world
      const told: Array<string> = []
      const launch = Supervisor.launch(inner(world), {
        onEvent: (event) =>
          Effect.sync(() => {
            if (event._tag === "SupervisorGaveUp") told.push(event.path)
          })
      })
      const app = yield* appOf(Child.effect("host", launch))
      const events = yield* collect(app)
      yield* kit.crash("a")
      yield* kit.crash("b")
      const above = (yield* events.take).filter(({ _tag }) => _tag === "SupervisorGaveUp").map(({ path }) => path)
      assert.deepStrictEqual(told, ["app/host/inner", "app/host/inner"])
      assert.deepStrictEqual(above, told)
    }))
})
