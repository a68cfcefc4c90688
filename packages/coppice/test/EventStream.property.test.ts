import { Invariants, VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import {
  Backoff,
  Child,
  ExitReason,
  type SupervisionTree,
  Supervisor,
  type SupervisorError,
  SupervisorEvent
} from "coppice"
import { Effect, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type Anything, Lever, World } from "./support/world.ts"

type Event = SupervisorEvent.SupervisorEvent
type Node = SupervisionTree.Node

// ---------------------------------------------------------------------------------------------------------------------
// What is made up: a tree, and what happens to it.
// ---------------------------------------------------------------------------------------------------------------------

// Most things go well, or there would be nothing to go wrong later.
const nine = <const A>(value: A) => Array.from({ length: 9 }, () => value)

const Leaf = Schema.TaggedStruct("Leaf", {
  restart: Schema.Literals(["permanent", "transient", "temporary", "permanent"]),
  /** How its first start goes, then the next ones; all further ones succeed. */
  first: Schema.Literals([...nine("ok"), ...nine("slow"), "fail", "ignore", "hang"]),
  next: Schema.Array(Schema.Literals(["ok", "slow", "fail", "ignore", "hang"])).check(Schema.isMaxLength(4)),
  ends: Schema.Literals(["at once", "at once", "slowly", "never", "badly"]),
  shutdown: Schema.Literals(["5 seconds", "500 millis", "brutal-kill"]),
  backoff: Schema.Literals(["none", "none", "none", "short", "long", "give-up", "escalate"]),
  readiness: Schema.Literals([...nine("none"), ...nine("second"), "never"]),
  liveness: Schema.Literals(["none", "none", "none", "good", "fails"])
})
type Leaf = typeof Leaf.Type

const supervisorOf = <S extends Schema.Constraint>(child: S) =>
  Schema.TaggedStruct("Nested", {
    as: Schema.Literals(["supervisor", "layer"]),
    restart: Schema.Literals(["permanent", "transient", "temporary", "permanent"]),
    strategy: Schema.Literals(["one-for-one", "one-for-all", "rest-for-one"]),
    intensity: Schema.Literals([0, 1, 2, 3, 8]),
    period: Schema.Literals([1000, 5000]),
    children: Schema.Array(child).check(Schema.isMinLength(1), Schema.isMaxLength(3))
  })

const Low = supervisorOf(Leaf)
const Middle = supervisorOf(Schema.Union([Leaf, Low]))
const Root = supervisorOf(Schema.Union([Leaf, Low, Middle]))

type Nested = Omit<typeof Root.Type, "children"> & { readonly children: ReadonlyArray<Leaf | Nested> }

const Action = Schema.Struct({
  what: Schema.Literals([
    "crash",
    "crash",
    "crash",
    "crash two",
    "return",
    "kill",
    "drain",
    "terminate",
    "restart",
    "delete",
    "start",
    "wait",
    "wait"
  ]),
  whom: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 })),
  wait: Schema.Literals([0, 0, 100, 1000, 6000])
})

const Case = Schema.Struct({
  tree: Root,
  actions: Schema.Array(Action).check(Schema.isMinLength(4), Schema.isMaxLength(16)),
  /** Whether all comes to rest before the end. */
  rests: Schema.Boolean
})
type Case = typeof Case.Type

// ---------------------------------------------------------------------------------------------------------------------
// How it is performed.
// ---------------------------------------------------------------------------------------------------------------------

interface Life {
  readonly lever: Lever
  up: boolean
}

/** What is known of a node before it has started. */
const planned = (path: string, kind: Node["kind"]) => ({
  path,
  id: path.slice(path.lastIndexOf("/") + 1),
  kind,
  state: "stopped" as const,
  incarnation: 0,
  restarts: 0,
  children: []
})

class Rig {
  /** The whole tree as it is planned. */
  readonly root: Node
  /** The supervisors as they are planned, by their paths. */
  readonly plans = new Map<string, Node>()
  /** The leaves whose backoff ends with their supervisor giving up. */
  readonly escalating = new Set<string>()
  readonly layer: Layer.Layer<never, SupervisorError.ChildStartFailed>
  /** The leaves by their ids, as they are. */
  readonly lives = new Map<string, Life>()
  /** The supervisors of the leaves. */
  readonly handles = new Map<string, Supervisor.Supervisor>()
  readonly leaves: Array<string> = []
  rootHandle: Supervisor.Supervisor | undefined
  /** Is shown a supervisor when the start of one of its leaves begins. */
  private readonly learn: (node: Node) => void
  private readonly all: Array<Lever> = []
  private readonly attempts = new Map<string, number>()
  private counted = 0

  constructor(tree: Nested, learn: (node: Node) => void) {
    this.learn = learn
    const { options, plan } = this.supervisor(tree, "app")
    this.root = plan
    class App extends Supervisor.Service<App>()("coppice/test/EventStream.property.test/app", options) {}
    const handle = Layer.effectDiscard(Effect.flatMap(App, (app) =>
      Effect.sync(() => {
        this.rootHandle = app
      })))
    this.layer = Layer.provide(handle, App.layer)
  }

  /** One more leaf, for a call to a supervisor; the plan is that supervisor's with the leaf. */
  guest(supervisor: string): { readonly plan: Node; readonly child: Child.Child<string, never, never> } {
    const guest = {
      restart: "permanent",
      first: "ok",
      next: [],
      ends: "at once",
      shutdown: "5 seconds",
      backoff: "none",
      readiness: "none",
      liveness: "none"
    } as const
    const path = `${supervisor}/guest${this.counted++}`
    const before = this.plans.get(supervisor)!
    const plan: Node = { ...before, state: "running", children: [...before.children, this.plannedLeaf(path, guest)] }
    this.plans.set(supervisor, plan)
    return { plan, child: this.leaf(path, guest) }
  }

  /** Lets all end that would not. */
  get letGo(): Effect.Effect<void> {
    return Effect.forEach(this.all, (lever) => lever.pull(Effect.void), { discard: true })
  }

  private supervisor(nested: Nested, path: string) {
    const made = nested.children.map((child) => this.child(child, path))
    const { intensity, period, strategy } = nested
    const plan: Node = {
      ...planned(path, "supervisor"),
      state: "starting",
      supervisor: { strategy, intensity, periodMillis: period, autoShutdown: "never" },
      children: made.map(({ plan }) => plan)
    }
    this.plans.set(path, plan)
    return { plan, options: { strategy, intensity, period, children: made.map(({ child }) => child) } }
  }

  private child(
    child: Leaf | Nested,
    above: string
  ): { readonly plan: Node; readonly child: Child.Child<string, never, never> } {
    const id = `${child._tag === "Leaf" ? "leaf" : child.as}${this.counted++}`
    const path = `${above}/${id}`
    const { restart } = child
    if (child._tag === "Leaf") {
      this.leaves.push(id)
      return { plan: this.plannedLeaf(path, child), child: this.leaf(path, child) }
    }
    const { options, plan } = this.supervisor(child, child.as === "supervisor" ? path : `${path}/in`)
    const layer = Supervisor.layer("in", options)
    return child.as === "supervisor"
      ? { plan: { ...plan, restart }, child: Child.supervisor(id, layer, { restart }) }
      : { plan: { ...planned(path, "layer"), restart, children: [plan] }, child: Child.layer(id, layer, { restart }) }
  }

  private plannedLeaf(path: string, { backoff, liveness, readiness, restart }: Omit<Leaf, "_tag">): Node {
    if (backoff === "escalate") this.escalating.add(path)
    const probes = [
      ...(readiness === "none" ? [] : ["readiness" as const]),
      ...(liveness === "none" ? [] : ["liveness" as const])
    ]
    return {
      ...planned(path, "make"),
      restart,
      probes,
      ...(backoff === "none" ? undefined : { onExhausted: backoff === "give-up" ? "give-up" : "escalate" })
    }
  }

  private leaf(path: string, leaf: Omit<Leaf, "_tag">): Child.Child<string, never, never> {
    const { id } = planned(path, "make")
    const start = Effect.gen({ self: this }, function*() {
      const { supervisor } = yield* Child.current
      this.learn(yield* supervisor.tree)
      this.handles.set(id, supervisor)
      const attempt = this.attempts.get(id) ?? 0
      this.attempts.set(id, attempt + 1)
      switch (attempt === 0 ? leaf.first : leaf.next[attempt - 1] ?? "ok") {
        case "fail":
          return yield* Effect.fail(`${id} does not start`)
        case "ignore":
          return yield* Child.ignore
        case "hang":
          return yield* Effect.never
        case "slow":
          yield* Effect.sleep("1 second")
      }
      if (leaf.ends === "slowly") yield* Effect.addFinalizer(() => Effect.sleep("1 second"))
      if (leaf.ends === "badly") yield* Effect.addFinalizer(() => Effect.die(`${id} ends badly`))
      const life: Life = { lever: new Lever(), up: true }
      this.lives.set(id, life)
      this.all.push(life.lever)
      const body = Effect.onExit(life.lever.wait, () =>
        Effect.sync(() => {
          life.up = false
        }))
      return leaf.ends === "never" ? Effect.uninterruptible(body) : body
    })
    const { restart, shutdown } = leaf
    const options = { restart, shutdown, ...backoffOptions(leaf.backoff), ...this.probes(leaf) } as Child.Options
    return Child.make(id, start, options)
  }

  private probes({ liveness, readiness }: Omit<Leaf, "_tag">): Child.Options {
    let checks = 0
    // Every so many checks go the other way.
    const check = (good: boolean, period: number) =>
      Effect.suspend(() => (++checks % period === 0) === good ? Effect.void : Effect.fail("the check failed"))
    return {
      startTimeout: readiness === "never" ? "2 seconds" : "Infinity",
      readiness: readiness === "none"
        ? undefined
        : { check: readiness === "second" ? check(true, 2) : Effect.fail("never"), interval: "500 millis" },
      liveness: liveness === "none"
        ? undefined
        : { check: liveness === "good" ? Effect.void : check(false, 5), interval: "1 second", failureThreshold: 1 }
    }
  }
}

const backoffOptions = (backoff: Leaf["backoff"]): Child.Options => {
  switch (backoff) {
    case "none":
      return {}
    case "short":
      return { backoff: Backoff.fixed("100 millis") }
    case "long":
      return { backoff: Backoff.jittered(Backoff.exponential("2 seconds", "10 seconds")), resetAfter: "5 seconds" }
    case "give-up":
    case "escalate":
      return { backoff: Schedule.upTo(Backoff.fixed("1 second"), { times: 1 }), onExhausted: backoff }
  }
}

const end = (rig: Rig, id: string, how: Effect.Effect<void, string>) => {
  const life = rig.lives.get(id)
  if (life?.up !== true) return Effect.void
  life.up = false
  return life.lever.pull(how)
}

const perform = Effect.fnUntraced(function*(
  rig: Rig,
  planner: Invariants.Invariants,
  action: (typeof Action)["Type"]
) {
  const at = (offset: number) => rig.leaves[(action.whom + offset) % rig.leaves.length]
  const [id, next] = [at(0), at(1)]
  const supervisor = rig.handles.get(id ?? "")
  if (id === undefined || next === undefined || supervisor === undefined) return
  const call = (effect: Effect.Effect<unknown, Anything>) => Effect.forkChild(Effect.exit(effect))
  const path = `${supervisor.path}/${id}`
  switch (action.what) {
    case "crash":
      return yield* end(rig, id, Effect.fail(`${id} crashed`))
    case "crash two": {
      const lives = [id, next].map((id) => rig.lives.get(id)).filter((life) => life?.up === true)
      return yield* Effect.forEach(new Set(lives), (life) => life!.lever.pull(Effect.die("two")), { discard: true })
    }
    case "return":
      return yield* end(rig, id, Effect.void)
    case "kill":
      return yield* Effect.ignore(supervisor.exitChild(id, ExitReason.killed))
    case "drain":
      return yield* Effect.ignore(supervisor.exitChild(id, ExitReason.shutdown("drain")))
    case "terminate": {
      planner.read({ _tag: "Terminating", path })
      // Its events are told before that.
      const told = Effect.andThen(VirtualTime.settle, Effect.sync(() => planner.read({ _tag: "Terminated", path })))
      return yield* call(Effect.ensuring(supervisor.terminateChild(id), told))
    }
    case "restart":
      planner.read({ _tag: "Starting", path })
      return yield* call(supervisor.restartChild(id))
    case "delete":
      planner.read({ _tag: "Deleting", path })
      return yield* call(supervisor.deleteChild(id))
    case "start": {
      const { child, plan } = rig.guest(supervisor.path)
      planner.learn(plan)
      planner.read({ _tag: "Starting", path: `${supervisor.path}/${child.id}` })
      return yield* call(supervisor.startChild(child))
    }
  }
})

/**
 * Plays a case; answers its events, and what is wrong with them: by one who knows the plan and all calls, and by one who
 * knows what snapshots say.
 */
const play = Effect.fnUntraced(function*({ actions, rests, tree }: Case, world: World) {
  const planner = new Invariants.Invariants({ callsAreNoted: true })
  const stranger = new Invariants.Invariants()
  const rig = new Rig(tree, (node) => stranger.learn(node))
  planner.learn(rig.root)
  const events: Array<Event> = []
  const read = (event: Event) => {
    events.push(event)
    planner.read(event)
    stranger.read(event)
  }
  const launched = yield* Effect.forkDetach(Effect.exit(Supervisor.launch(rig.layer, {
    onEvent: (event) => Effect.sync(() => read(event))
  })))
  const compare = Effect.gen(function*() {
    if (rig.rootHandle === undefined) return
    const shown = yield* rig.rootHandle.tree
    planner.compare(shown)
    stranger.learn(shown)
    stranger.compare(shown)
  })
  const happen = Effect.gen(function*() {
    yield* VirtualTime.settle
    yield* TestClock.adjust("2 seconds")
    for (const action of actions) {
      yield* perform(rig, planner, action)
      yield* action.wait === 0 ? VirtualTime.settle : TestClock.adjust(action.wait)
      yield* compare
    }
    if (rests) yield* TestClock.adjust("1 minute")
  })
  const stop = Effect.gen(function*() {
    for (const supervisor of rig.handles.values()) stranger.learn(yield* supervisor.tree)
    stranger.read({ _tag: "Closing" })
    launched.interruptUnsafe()
    yield* TestClock.adjust("10 minutes")
    yield* rig.letGo
  })
  yield* Effect.ensuring(happen, stop)
  assert.isDefined(launched.pollUnsafe(), "the tree does not end")
  assert.deepStrictEqual(world.living(), {}, "the fibers that are left")
  assert.strictEqual(world.timers, 0, "the timers that are left")
  for (const event of events) expectToBeExhausted(event, rig)
  return { events, violations: [...planner.end(), ...stranger.end()] }
})

/** A snapshot does not say that a backoff goes on for ever. */
const expectToBeExhausted = (event: Event, rig: Rig) => {
  if (event._tag !== "SupervisorStopped" || event.reason._tag !== "GaveUp") return
  const { child, path, pattern } = event.reason.error
  if (pattern === "exhausted") assert.isTrue(rig.escalating.has(`${path}/${child}`), `${path}/${child} is exhausted`)
}

// A failure prints the shrunk case and a token: `arbitrary: { replay: "…" }` plays just that one again.
describe("the event stream of any tree, whatever happens to it", () => {
  const seen = new Set<string>()

  it.effect.prop(
    "starts in order, stops in reverse, runs no child twice, keeps to the intensity and leaves nothing behind",
    { example: Case },
    ({ example }) => {
      const world = new World()
      return VirtualTime.run(world.provide(Effect.gen(function*() {
        const { events, violations } = yield* play(example, world)
        for (const event of events) seen.add(event._tag)
        if (violations.length > 0) assert.fail(violations.join("\n"))
      })))
    },
    { arbitrary: { runs: 1000, seed: "coppice" }, timeout: 60_000 }
  )

  it("has had every kind of event in it by then", () => {
    const kinds = SupervisorEvent.SupervisorEvent.members.map((member) => member.fields._tag.schema.literal)
    assert.includeMembers(Array.from(seen), kinds)
  })
})
