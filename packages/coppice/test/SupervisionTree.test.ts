import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, DynamicSupervisor, ExitReason, SupervisionTree, Supervisor } from "coppice"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { patient } from "./support/kit.ts"
import { answer, scenario } from "./support/world.ts"

class Pool extends Context.Service<Pool, DynamicSupervisor.DynamicSupervisor<[id: string], never>>()(
  "coppice/test/SupervisionTree.test/Pool"
) {}

const crash = (message: string) => ExitReason.fromExit(Exit.fail(message))

const decode = Schema.decodeUnknownSync(Schema.toCodecJson(SupervisionTree.Node))

/** The paths of a tree with their states, from the top. */
const paths = (node: SupervisionTree.Node): ReadonlyArray<string> => [
  `${node.path} ${node.state}`,
  ...node.children.flatMap(paths)
]

const leaf = (path: string, state: SupervisionTree.State, fields?: Partial<SupervisionTree.Node>) => ({
  path,
  id: path.slice(path.lastIndexOf("/") + 1),
  kind: "make" as const,
  restart: "permanent" as const,
  state,
  incarnation: 1,
  restarts: 0,
  startedAtMillis: 1000,
  children: [],
  ...fields
})

/** What a supervisor does unless it is told otherwise. */
const byDefault: SupervisionTree.Settings = {
  strategy: "one-for-one",
  intensity: 3,
  periodMillis: 5000,
  autoShutdown: "never"
}

/** What a node says of the rules, and nothing of what has happened. */
const rules = ({ onExhausted, path, probes, restart, significant, supervisor }: SupervisionTree.Node) => ({
  path,
  ...(restart === undefined ? undefined : { restart }),
  ...(significant === undefined ? undefined : { significant }),
  ...(onExhausted === undefined ? undefined : { onExhausted }),
  ...(probes === undefined ? undefined : { probes }),
  ...(supervisor === undefined ? undefined : { supervisor })
})

const allRules = (node: SupervisionTree.Node): ReadonlyArray<ReturnType<typeof rules>> => [
  rules(node),
  ...node.children.flatMap(allRules)
]

describe("a snapshot", () => {
  scenario(
    "says of each child its kind, state, incarnation, restarts, start and last exit, in start order",
    (world) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1000)
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [
            world.kit.child("m"),
            Child.effect("e", Effect.never),
            Child.layer("l", Layer.empty),
            Child.supervisor("s", Supervisor.layer("s", { strategy: "one-for-one", children: [] })),
            world.kit.child("done", { restart: "transient" })
          ]
        })
        yield* TestClock.adjust("1 second")
        yield* world.kit.crash("m")
        yield* world.kit.crash("m")
        yield* world.kit.return("done")
        assert.deepStrictEqual(yield* app.tree, {
          path: "app",
          id: "app",
          kind: "supervisor",
          supervisor: { ...byDefault, intensity: 1000, periodMillis: 3_600_000 },
          state: "running",
          incarnation: 1,
          restarts: 0,
          startedAtMillis: 1000,
          children: [
            leaf("app/m", "running", {
              incarnation: 3,
              restarts: 2,
              startedAtMillis: 2000,
              lastExit: { reason: crash("m crashed"), timeMillis: 2000 }
            }),
            leaf("app/e", "running", { kind: "effect" }),
            leaf("app/l", "running", { kind: "layer" }),
            leaf("app/s", "running", { kind: "supervisor", supervisor: byDefault }),
            leaf("app/done", "stopped", {
              restart: "transient",
              lastExit: { reason: ExitReason.normal, timeMillis: 2000 }
            })
          ]
        })
      })
  )

  scenario(
    "knows the state starting, of a child and of its supervisor, and what comes after is stopped",
    (world) =>
      Effect.gen(function*() {
        const handles: Array<Supervisor.Supervisor> = []
        const note = Effect.flatMap(Child.current, ({ supervisor }) => Effect.sync(() => handles.push(supervisor)))
        yield* Effect.forkChild(Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.make("first", Effect.as(note, Effect.never)),
            world.kit.child("slow", { starts: ["hang"] }),
            world.kit.child("later")
          ]
        }))
        yield* VirtualTime.settle
        assert.deepStrictEqual(paths(yield* handles[0]!.tree), [
          "app starting",
          "app/first running",
          "app/slow starting",
          "app/later stopped"
        ])
        const later = (yield* handles[0]!.tree).children[2]
        assert.deepStrictEqual({ ...later }, {
          path: "app/later",
          id: "later",
          kind: "make",
          restart: "permanent",
          state: "stopped",
          incarnation: 0,
          restarts: 0,
          children: []
        })
        yield* world.kit.release("slow")
        assert.deepStrictEqual(paths(yield* handles[0]!.tree), [
          "app running",
          "app/first running",
          "app/slow running",
          "app/later running"
        ])
      })
  )

  scenario("knows the states restarting, stopping, stopped and failed", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [
          world.kit.child("slow to go", { stops: "hang" }),
          world.kit.child("cannot come back", { starts: ["ok", "ok"] }),
          world.kit.child("fine")
        ]
      })
      const state = (id: string) =>
        Effect.map(app.tree, (tree) => tree.children.find((child) => child.id === id)?.state)

      yield* world.kit.crash("slow to go")
      assert.strictEqual(yield* state("slow to go"), "restarting")
      yield* world.kit.release("slow to go")
      assert.strictEqual(yield* state("slow to go"), "running")

      yield* Effect.forkChild(app.terminateChild("slow to go"))
      yield* VirtualTime.settle
      assert.strictEqual(yield* state("slow to go"), "stopping")
      yield* world.kit.release("slow to go")
      assert.strictEqual(yield* state("slow to go"), "stopped")

      yield* answer(Effect.exit(app.startChild(Child.make("never comes", Effect.fail("no database")))))
      assert.strictEqual(yield* state("never comes"), undefined)
      yield* answer(app.terminateChild("cannot come back"))
      assert.strictEqual(yield* state("cannot come back"), "stopped")
    }))

  scenario("shows a restartChild that failed as failed, with why", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a", { starts: ["ok", "fail"] }), world.kit.child("b")]
      })
      yield* answer(app.terminateChild("a"))
      yield* TestClock.adjust("3 seconds")
      yield* answer(Effect.flip(app.restartChild("a")))
      assert.deepStrictEqual(
        (yield* app.tree).children[0],
        leaf("app/a", "failed", {
          incarnation: 2,
          startedAtMillis: 3000,
          lastExit: { reason: ExitReason.startFailed(crash("a does not start")), timeMillis: 3000 }
        })
      )
      yield* answer(app.restartChild("a"))
      assert.strictEqual((yield* app.tree).children[0]?.state, "running")
    }))

  scenario(
    "of a supervisor that gave up shows it and the child as failed, and the others as stopped",
    (world) =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("a"), world.kit.child("b"), world.kit.child("c")]
        })
        yield* world.kit.crash("b")
        assert.deepStrictEqual(paths(yield* app.tree), ["app failed", "app/a stopped", "app/b failed", "app/c stopped"])
      })
  )

  scenario(
    "of a supervisor that is being stopped shows what is stopping and what still runs",
    (world) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const app = yield* Scope.provide(
          Supervisor.make("app", {
            strategy: "one-for-one",
            children: [world.kit.child("a"), world.kit.child("b", { stops: "hang" }), world.kit.child("c")]
          }),
          scope
        )
        yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* VirtualTime.settle
        assert.deepStrictEqual(paths(yield* app.tree), [
          "app stopping",
          "app/a running",
          "app/b stopping",
          "app/c stopped"
        ])
        yield* world.kit.release("b")
        assert.deepStrictEqual(paths(yield* app.tree), [
          "app stopped",
          "app/a stopped",
          "app/b stopped",
          "app/c stopped"
        ])
      })
  )

  scenario(
    "counts the restarts of a child that a group restart swept along, and not its start by hand",
    (world) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          ...patient,
          children: [world.kit.child("a"), world.kit.child("b"), world.kit.child("c")]
        })
        yield* world.kit.crash("b")
        yield* world.kit.crash("c")
        yield* answer(app.terminateChild("a"))
        yield* answer(app.restartChild("a"))
        const counted = (yield* app.tree).children.map(({ id, incarnation, restarts }) => [id, incarnation, restarts])
        assert.deepStrictEqual(counted, [["a", 2, 0], ["b", 2, 1], ["c", 3, 2]])
      })
  )

  scenario("does not change when what it shows does", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        ...patient,
        children: [world.kit.child("leaf")]
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [world.kit.child("a"), Child.supervisor("nested", nested), world.kit.child("b")]
      })
      const before = yield* app.tree
      const copy = SupervisionTree.toJson(before)
      yield* TestClock.adjust("1 second")
      yield* world.kit.crash("a")
      yield* world.kit.crash("leaf")
      yield* answer(app.startChild(world.kit.child("c")))
      yield* answer(app.terminateChild("b"))
      yield* answer(app.deleteChild("b"))
      assert.strictEqual(SupervisionTree.toJson(before), copy)
      assert.notStrictEqual(SupervisionTree.toJson(yield* app.tree), copy)
    }))

  scenario("does not wait for the supervisor", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [world.kit.child("a")]
      })
      yield* Effect.forkChild(app.startChild(world.kit.child("slow", { starts: ["hang"] })))
      yield* VirtualTime.settle
      assert.deepStrictEqual(paths(yield* answer(app.tree)), ["app running", "app/a running", "app/slow starting"])
      yield* world.kit.release("slow")
    }))
})

describe("the rules in a snapshot", () => {
  const check = { check: Effect.void }

  scenario("are of a child its restart type, significance, backoff and probes", () =>
    Effect.gen(function*() {
      const backoff = Backoff.fixed("1 second")
      const app = yield* Supervisor.make("app", {
        strategy: "rest-for-one",
        autoShutdown: "all-significant",
        intensity: 7,
        period: "Infinity",
        children: [
          Child.effect("permanent", Effect.never),
          Child.effect("transient", Effect.never, { restart: "transient" }),
          Child.effect("temporary", Effect.never, { restart: "temporary", significant: true }),
          Child.effect("not significant", Effect.never, { restart: "temporary", significant: false }),
          Child.effect("patient", Effect.never, { backoff }),
          Child.effect("optional", Effect.never, { backoff, onExhausted: "give-up" }),
          Child.effect("no backoff", Effect.never, { onExhausted: "give-up" }),
          Child.effect("ready", Effect.never, { readiness: check }),
          Child.effect("alive", Effect.never, { liveness: check }),
          Child.effect("well", Effect.never, { readiness: check, liveness: check })
        ]
      })
      assert.deepStrictEqual(allRules(yield* app.tree), [
        {
          path: "app",
          supervisor: {
            strategy: "rest-for-one",
            intensity: 7,
            periodMillis: Infinity,
            autoShutdown: "all-significant"
          }
        },
        { path: "app/permanent", restart: "permanent" },
        { path: "app/transient", restart: "transient" },
        { path: "app/temporary", restart: "temporary", significant: true },
        { path: "app/not significant", restart: "temporary" },
        { path: "app/patient", restart: "permanent", onExhausted: "escalate" },
        { path: "app/optional", restart: "permanent", onExhausted: "give-up" },
        { path: "app/no backoff", restart: "permanent" },
        { path: "app/ready", restart: "permanent", probes: ["readiness"] },
        { path: "app/alive", restart: "permanent", probes: ["liveness"] },
        { path: "app/well", restart: "permanent", probes: ["readiness", "liveness"] }
      ])
    }))

  scenario("are there while a child is down, and go round as JSON", (world) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-all",
        period: "Infinity",
        autoShutdown: "any-significant",
        children: [
          Child.effect("a", Effect.never, {
            restart: "transient",
            significant: true,
            backoff: Backoff.fixed("1 second"),
            readiness: check,
            liveness: check
          }),
          Child.supervisor("pool", DynamicSupervisor.layer(Pool, "pool", { child: world.kit.child, maxChildren: 2 }))
        ]
      })
      const before = allRules(yield* app.tree)
      yield* answer(app.terminateChild("a"))
      const tree = yield* app.tree
      assert.strictEqual(tree.children[0]?.state, "stopped")
      assert.deepStrictEqual(allRules(tree), before)
      assert.deepStrictEqual(decode(JSON.parse(SupervisionTree.toJson(tree))), tree)
    }))

  scenario(
    "are of a supervisor in any child its own; under Child.supervisor they stand with the child's, as long as it lives",
    (world) =>
      Effect.gen(function*() {
        const nested = { strategy: "one-for-all", intensity: 5, children: [] } as const
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.supervisor("own", Layer.merge(Supervisor.layer("own", nested), Supervisor.layer("other", nested)), {
              restart: "transient"
            }),
            Child.layer("in a layer", Supervisor.layer("In", nested)),
            Child.supervisor("pool", DynamicSupervisor.layer(Pool, "pool", { child: world.kit.child }))
          ]
        })
        const supervisor: SupervisionTree.Settings = { ...byDefault, strategy: "one-for-all", intensity: 5 }
        assert.deepStrictEqual(allRules(yield* app.tree), [
          { path: "app", supervisor: byDefault },
          { path: "app/own", restart: "transient", supervisor },
          { path: "app/own/other", supervisor },
          { path: "app/in a layer", restart: "permanent" },
          { path: "app/in a layer/In", supervisor },
          { path: "app/pool", restart: "permanent", supervisor: { ...byDefault, dynamic: true } }
        ])
        yield* answer(app.terminateChild("own"))
        assert.deepStrictEqual(rules((yield* app.tree).children[0]!), { path: "app/own", restart: "transient" })
      })
  )

  scenario("are of the children of a dynamic supervisor those each was made with", (world) =>
    Effect.gen(function*() {
      const pool = yield* DynamicSupervisor.make("pool", {
        child: (restart: "permanent" | "transient") => world.kit.child("any", { restart }),
        key: (restart) => restart,
        maxChildren: 2,
        intensity: 9,
        period: "1 minute"
      })
      yield* answer(pool.startChild("transient"))
      yield* answer(pool.startChild("permanent"))
      assert.deepStrictEqual(allRules(yield* pool.tree), [
        {
          path: "pool",
          supervisor: { ...byDefault, intensity: 9, periodMillis: 60_000, dynamic: true, maxChildren: 2 }
        },
        { path: "pool/transient", restart: "transient" },
        { path: "pool/permanent", restart: "permanent" }
      ])
    }))
})

describe("a tree of trees", () => {
  scenario("shows a supervisor under Child.supervisor as one node with its child", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("a name that nobody sees", {
        strategy: "one-for-one",
        ...patient,
        children: [world.kit.child("x"), world.kit.child("y")]
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        ...patient,
        children: [Child.supervisor("storage", nested), world.kit.child("z")]
      })
      assert.deepStrictEqual(paths(yield* app.tree), [
        "app running",
        "app/storage running",
        "app/storage/x running",
        "app/storage/y running",
        "app/z running"
      ])
      yield* app.exitChild("storage", ExitReason.killed)
      yield* VirtualTime.settle
      const storage = (yield* app.tree).children[0]
      assert.deepStrictEqual([storage?.kind, storage?.incarnation, storage?.restarts], ["supervisor", 2, 1])
      assert.deepStrictEqual(storage?.children.map((child) => child.incarnation), [1, 1])
    }))

  scenario(
    "shows a supervisor in any other child below that child, with its own name",
    (world) =>
      Effect.gen(function*() {
        const named = (name: string) =>
          ({ strategy: "one-for-one", ...patient, children: [world.kit.child(`${name} leaf`)] }) as const
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            Child.layer("layer", Supervisor.layer("In", named("layer"))),
            Child.make("make", Effect.as(Supervisor.make("In", named("make")), Effect.never)),
            Child.effect("effect", Effect.andThen(Supervisor.make("In", named("effect")), Effect.never))
          ]
        })
        yield* VirtualTime.settle
        assert.deepStrictEqual(paths(yield* app.tree), [
          "app running",
          "app/layer running",
          "app/layer/In running",
          "app/layer/In/layer leaf running",
          "app/make running",
          "app/make/In running",
          "app/make/In/make leaf running",
          "app/effect running",
          "app/effect/In running",
          "app/effect/In/effect leaf running"
        ])
      })
  )

  scenario("numbers supervisors of one name in one child", (world) =>
    Effect.gen(function*() {
      const twin = (leaf: string) =>
        Supervisor.layer("twin", { strategy: "one-for-one", children: [world.kit.child(leaf)] })
      const quadruplets = Layer.provideMerge(
        Layer.provideMerge(Layer.provideMerge(twin("w"), twin("x")), twin("y")),
        twin("z")
      )
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.layer("twins", quadruplets), Child.supervisor("own", quadruplets)]
      })
      assert.deepStrictEqual(paths(yield* app.tree), [
        "app running",
        "app/twins running",
        "app/twins/twin running",
        "app/twins/twin/z running",
        "app/twins/twin#2 running",
        "app/twins/twin#2/y running",
        "app/twins/twin#3 running",
        "app/twins/twin#3/x running",
        "app/twins/twin#4 running",
        "app/twins/twin#4/w running",
        "app/own running",
        "app/own/z running",
        "app/own/twin running",
        "app/own/twin/y running",
        "app/own/twin#2 running",
        "app/own/twin#2/x running",
        "app/own/twin#3 running",
        "app/own/twin#3/w running"
      ])
    }))

  scenario("keeps no supervisor that has ended, and gives its name to the next", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.make("in", { strategy: "one-for-one", children: [world.kit.child("leaf")] })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.effect(
          "host",
          Effect.andThen(
            Effect.scoped(Effect.andThen(nested, Effect.sleep("1 second"))),
            Effect.andThen(nested, Effect.never)
          )
        )]
      })
      yield* VirtualTime.settle
      assert.deepStrictEqual(paths(yield* app.tree).slice(2), ["app/host/in running", "app/host/in/leaf running"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(paths(yield* app.tree).slice(2), ["app/host/in running", "app/host/in/leaf running"])
      assert.strictEqual(world.kit.attempts("leaf"), 2)
    }))

  scenario("is told by each handle from its own supervisor down, with full paths", (world) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [world.kit.child("leaf")] })
      const app = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [Child.supervisor("nested", nested), world.kit.child("b")]
      })
      const { supervisors } = (yield* answer(app.whichChildren)).find((child) => child.id === "nested")!
      assert.deepStrictEqual(supervisors.map((supervisor) => supervisor.path), ["app/nested"])
      assert.deepStrictEqual(paths(yield* supervisors[0]!.tree), ["app/nested running", "app/nested/leaf running"])
    }))
})

const node = (id: string, fields?: Partial<SupervisionTree.Node>): SupervisionTree.Node => ({
  path: `shop/${id}`,
  id,
  kind: "effect",
  state: "running",
  incarnation: 1,
  restarts: 0,
  children: [],
  ...fields
})

const shop = node("shop", {
  path: "shop",
  kind: "supervisor",
  children: [
    node("storage", {
      kind: "supervisor",
      children: [
        node("db", {
          kind: "layer",
          state: "restarting",
          restarts: 1,
          lastExit: { reason: crash("no route"), timeMillis: 5 }
        }),
        node("projector", { restarts: 2, startedAtMillis: 7 })
      ]
    }),
    node("http", { kind: "layer", children: [node("In", { kind: "supervisor", children: [node("x"), node("y")] })] }),
    node("once", { state: "stopped", lastExit: { reason: ExitReason.normal, timeMillis: 6 } })
  ]
})

describe("toText", () => {
  it("is a line a node, indented below its parent, with state, restarts and last exit", () => {
    assert.deepStrictEqual(SupervisionTree.toText(shop).split("\n"), [
      "shop  running",
      "├─ storage  running",
      "│  ├─ db  restarting, 1 restart (failed: no route)",
      "│  └─ projector  running, 2 restarts",
      "├─ http  running",
      "│  └─ In  running",
      "│     ├─ x  running",
      "│     └─ y  running",
      "└─ once  stopped (returned normally)"
    ])
  })

  it("has what a child tells of itself, in one line", () => {
    const text = SupervisionTree.toText(node("a", { details: { pid: 12, note: "two\nlines" }, restarts: 1 }))
    assert.strictEqual(text, "a  running, pid 12, note two lines, 1 restart")
  })

  it("is still a line a node for a reason of many lines", () => {
    const reason = ExitReason.failure(new Error("first\nsecond\r\nthird"))
    const text = SupervisionTree.toText(node("a", { lastExit: { reason, timeMillis: 0 } }))
    assert.strictEqual(text, "a  running (failed: first)")
  })
})

describe("toMermaid", () => {
  it("is a flowchart with a box per node, supervisors square and others round", () => {
    assert.deepStrictEqual(SupervisionTree.toMermaid(shop).split("\n"), [
      "flowchart TD",
      "  n1[\"shop<br/>running\"]",
      "  n2[\"storage<br/>running\"]",
      "  n3(\"db<br/>restarting\")",
      "  n2 --> n3",
      "  n5(\"projector<br/>running\")",
      "  n2 --> n5",
      "  n1 --> n2",
      "  n8(\"http<br/>running\")",
      "  n9[\"In<br/>running\"]",
      "  n10(\"x<br/>running\")",
      "  n9 --> n10",
      "  n12(\"y<br/>running\")",
      "  n9 --> n12",
      "  n8 --> n9",
      "  n1 --> n8",
      "  n16(\"once<br/>stopped\")",
      "  n1 --> n16"
    ])
  })

  it("keeps an id with quotes, brackets or markup from becoming syntax", () => {
    const diagram = SupervisionTree.toMermaid(node("a \"b\" [c] <d> #e;"))
    const label = /^ {2}n1\("(.*)<br\/>running"\)$/.exec(diagram.split("\n")[1] ?? "")?.[1] ?? ""
    assert.notInclude(label, "\"")
    assert.notInclude(label, "<")
    assert.include(label, "[c]")
  })
})

describe("toJson", () => {
  it("is decoded to the same tree by the Schema", () => {
    assert.deepStrictEqual(decode(JSON.parse(SupervisionTree.toJson(shop))), shop)
  })

  for (const state of ["starting", "running", "restarting", "stopping", "stopped", "failed"] as const) {
    it(`goes round with the state ${state}`, () => {
      const tree = node("a", { state, startedAtMillis: 3 })
      assert.deepStrictEqual(decode(JSON.parse(SupervisionTree.toJson(tree))), tree)
    })
  }

  it("refuses what is no tree", () => {
    for (const wrong of [{}, { ...shop, state: "dead" }, { ...shop, children: [{}] }, { ...shop, incarnation: 1.5 }]) {
      assert.throws(() => decode(wrong))
    }
  })

  scenario(
    "of a real tree with crashes, escalations and errors is decoded to what is sent",
    (world) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", {
          strategy: "one-for-one",
          intensity: 0,
          children: [world.kit.child("leaf"), Child.effect("idle", Effect.never)]
        })
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          ...patient,
          children: [
            Child.supervisor("nested", nested),
            world.kit.child("a"),
            world.kit.child("b", { starts: ["ignore"] })
          ]
        })
        yield* world.kit.crash("leaf")
        yield* world.kit.leave("a", Effect.die(new Error("bug")))
        const tree = yield* app.tree
        assert.strictEqual(tree.children[0]?.lastExit?.reason._tag, "GaveUp")
        const json = SupervisionTree.toJson(tree)
        const decoded = decode(JSON.parse(json))
        assert.deepStrictEqual(SupervisionTree.toText(decoded), SupervisionTree.toText(tree))
        assert.deepStrictEqual(decode(JSON.parse(SupervisionTree.toJson(decoded))).children.map(({ path }) => path), [
          "app/nested",
          "app/a",
          "app/b"
        ])
      })
  )
})
