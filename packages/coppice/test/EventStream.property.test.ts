import { VirtualTime } from "@coppice/testing"
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
import { type CallNote, type ChildPlan, EventCheck, type SupervisorPlan } from "./support/eventCheck.ts"
import { type Anything, Lever, World } from "./support/world.ts"

type Event = SupervisorEvent.SupervisorEvent

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

class Rig {
  readonly root: SupervisorPlan
  readonly layer: Layer.Layer<never, SupervisorError.ChildStartFailed>
  /** The leaves by their ids, as they are. */
  readonly lives = new Map<string, Life>()
  /** The supervisors of the leaves. */
  readonly handles = new Map<string, Supervisor.Supervisor>()
  readonly strategies = new Map<string, SupervisorPlan["strategy"]>()
  readonly leaves: Array<string> = []
  rootHandle: Supervisor.Supervisor | undefined
  private readonly all: Array<Lever> = []
  private readonly attempts = new Map<string, number>()
  private counted = 0

  constructor(tree: Nested) {
    const { options, plan } = this.supervisor(tree)
    this.root = plan
    class App extends Supervisor.Service<App>()("coppice/test/EventStream.property.test/app", options) {}
    const handle = Layer.effectDiscard(Effect.flatMap(App, (app) =>
      Effect.sync(() => {
        this.rootHandle = app
      })))
    this.layer = Layer.provide(handle, App.layer)
  }

  /** One more leaf, for a call. */
  guest(): Child.Child<string, never, never> {
    return this.leaf(`guest${this.counted++}`, {
      restart: "permanent",
      first: "ok",
      next: [],
      ends: "at once",
      shutdown: "5 seconds",
      backoff: "none",
      readiness: "none",
      liveness: "none"
    })
  }

  /** Lets all end that would not. */
  get letGo(): Effect.Effect<void> {
    return Effect.forEach(this.all, (lever) => lever.pull(Effect.void), { discard: true })
  }

  private supervisor(nested: Nested) {
    const made = nested.children.map((child) => this.child(child, nested.strategy))
    const plan: SupervisorPlan = {
      strategy: nested.strategy,
      intensity: nested.intensity,
      periodMillis: nested.period,
      children: made.map(({ plan }) => plan)
    }
    const options = {
      strategy: nested.strategy,
      intensity: nested.intensity,
      period: nested.period,
      children: made.map(({ child }) => child)
    }
    return { plan, options }
  }

  private child(
    child: Leaf | Nested,
    strategy: SupervisorPlan["strategy"]
  ): { readonly plan: ChildPlan; readonly child: Child.Child<string, never, never> } {
    const id = `${child._tag === "Leaf" ? "leaf" : child.as}${this.counted++}`
    const { restart } = child
    if (child._tag === "Leaf") {
      this.leaves.push(id)
      this.strategies.set(id, strategy)
      const plan: ChildPlan = {
        id,
        restart,
        becomesReady: child.readiness !== "none",
        watched: child.liveness !== "none",
        backoff: plannedBackoff(child.backoff)
      }
      return { plan, child: this.leaf(id, child) }
    }
    const { options, plan } = this.supervisor(child)
    const layer = Supervisor.layer("in", options)
    return child.as === "supervisor"
      ? { plan: { id, restart, supervisor: plan }, child: Child.supervisor(id, layer, { restart }) }
      : { plan: { id, restart, supervisor: { ...plan, name: "in" } }, child: Child.layer(id, layer, { restart }) }
  }

  private leaf(id: string, leaf: Omit<Leaf, "_tag">): Child.Child<string, never, never> {
    const start = Effect.gen({ self: this }, function*() {
      const { supervisor } = yield* Child.current
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

const plannedBackoff = (backoff: Leaf["backoff"]): ChildPlan["backoff"] => {
  if (backoff === "none") return undefined
  return backoff === "short" || backoff === "long" ? "endless" : backoff
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
  note: (note: CallNote) => void,
  action: (typeof Action)["Type"]
) {
  const at = (offset: number) => rig.leaves[(action.whom + offset) % rig.leaves.length]
  const [id, next] = [at(0), at(1)]
  const supervisor = rig.handles.get(id ?? "")
  if (id === undefined || next === undefined || supervisor === undefined) return
  const call = (effect: Effect.Effect<unknown, Anything>) => Effect.forkChild(Effect.exit(effect))
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
      const path = `${supervisor.path}/${id}`
      note({ _tag: "Terminating", path })
      // Its events are told before that.
      const told = Effect.andThen(VirtualTime.settle, Effect.sync(() => note({ _tag: "Terminated", path })))
      return yield* call(Effect.ensuring(supervisor.terminateChild(id), told))
    }
    case "restart":
      if (rig.strategies.get(id) === "one-for-one") yield* call(supervisor.restartChild(id))
      return
    case "delete":
      if (rig.strategies.get(id) === "one-for-one") yield* call(supervisor.deleteChild(id))
      return
    case "start":
      yield* call(supervisor.startChild(rig.guest()))
  }
})

/** The children that run, by a snapshot; nothing while something is under way. */
const runningIn = (tree: SupervisionTree.Node): ReadonlyArray<string> | undefined => {
  const running: Array<string> = []
  const visit = (node: SupervisionTree.Node): boolean =>
    node.children.every((child) => {
      if (child.state === "running" && !child.path.endsWith("/in")) running.push(child.path)
      return ["running", "stopped", "failed"].includes(child.state) && visit(child)
    })
  return visit(tree) ? running : undefined
}

/** Plays a case; answers its events, and what is wrong with them. */
const play = Effect.fnUntraced(function*({ actions, rests, tree }: Case, world: World) {
  const rig = new Rig(tree)
  const check = new EventCheck("app", rig.root)
  const events: Array<Event | CallNote> = []
  const read = (event: Event | CallNote) => {
    events.push(event)
    check.read(event)
  }
  const launched = yield* Effect.forkDetach(Effect.exit(Supervisor.launch(rig.layer, {
    onEvent: (event) => Effect.sync(() => read(event))
  })))
  const compare = Effect.gen(function*() {
    if (rig.rootHandle === undefined) return
    const shown = runningIn(yield* rig.rootHandle.tree)
    if (shown === undefined) return
    assert.sameMembers([...shown], [...check.running()], "the running children, by the tree and by the events")
  })
  const happen = Effect.gen(function*() {
    yield* VirtualTime.settle
    yield* TestClock.adjust("2 seconds")
    for (const action of actions) {
      yield* perform(rig, read, action)
      yield* action.wait === 0 ? VirtualTime.settle : TestClock.adjust(action.wait)
      yield* compare
    }
    if (rests) yield* TestClock.adjust("1 minute")
  })
  const stop = Effect.suspend(() => {
    launched.interruptUnsafe()
    return Effect.andThen(TestClock.adjust("10 minutes"), rig.letGo)
  })
  yield* Effect.ensuring(happen, stop)
  assert.isDefined(launched.pollUnsafe(), "the tree does not end")
  assert.deepStrictEqual(world.living(), {}, "the fibers that are left")
  assert.strictEqual(world.timers, 0, "the timers that are left")
  return { events, violations: check.end() }
})

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

describe("the check of the event stream", () => {
  const plan: SupervisorPlan = {
    strategy: "rest-for-one",
    intensity: 1,
    periodMillis: 1000,
    children: [
      { id: "a", restart: "permanent" },
      {
        id: "n",
        restart: "transient",
        supervisor: {
          strategy: "one-for-all",
          intensity: 1,
          periodMillis: 1000,
          children: [{ id: "x", restart: "permanent" }, { id: "y", restart: "permanent" }]
        }
      },
      { id: "t", restart: "temporary" },
      { id: "z", restart: "permanent" }
    ]
  }
  const reason = ExitReason.failure("crash")
  const at = (path: string, incarnation = 1, timeMillis = 0) => ({ path, incarnation, timeMillis })
  const starts = (path: string, incarnation = 1, timeMillis = 0): ReadonlyArray<Event> => [
    { _tag: "ChildStarting", ...at(path, incarnation, timeMillis) },
    { _tag: "ChildStarted", ...at(path, incarnation, timeMillis) }
  ]
  const stops = (path: string, incarnation = 1, timeMillis = 0): Event => ({
    _tag: "ChildStopped",
    ...at(path, incarnation, timeMillis)
  })
  const crashes = (path: string, verdict: SupervisorEvent.Verdict, incarnation = 1, timeMillis = 0): Event => ({
    _tag: "ChildExited",
    ...at(path, incarnation, timeMillis),
    reason,
    verdict
  })
  const restarts = (path: string, incarnation = 1, timeMillis = 0): Event => ({
    _tag: "ChildRestarting",
    ...at(path, incarnation, timeMillis),
    reason
  })
  const up = (path: string, incarnation = 1, timeMillis = 0): Event => ({
    _tag: "SupervisorStarted",
    ...at(path, incarnation, timeMillis)
  })
  const ended = (path: string, incarnation = 1, timeMillis = 0): Event => ({
    _tag: "SupervisorStopped",
    ...at(path, incarnation, timeMillis),
    reason: ExitReason.shutdown()
  })
  const [startingN, startedN] = starts("app/n") as [Event, Event]
  const start: ReadonlyArray<Event> = [
    ...starts("app/a"),
    startingN,
    ...starts("app/n/x"),
    ...starts("app/n/y"),
    up("app/n"),
    startedN,
    ...starts("app/t"),
    ...starts("app/z"),
    up("app")
  ]
  const stopN = [stops("app/n/y"), stops("app/n/x"), ended("app/n"), stops("app/n")]
  const stop = [stops("app/z"), stops("app/t"), ...stopN, stops("app/a"), ended("app")]
  const good = [...start, ...stop]

  const wrongWith = (events: ReadonlyArray<Event | CallNote>) => {
    const check = new EventCheck("app", plan)
    for (const event of events) check.read(event)
    return check.end().join("\n")
  }
  const without = (event: Event) => {
    const index = good.findIndex((other) => JSON.stringify(other) === JSON.stringify(event))
    assert.isAtLeast(index, 0)
    return good.toSpliced(index, 1)
  }

  it("finds nothing wrong with what is right", () => {
    const groupRestart = [
      crashes("app/t", "remove"),
      crashes("app/n/y", "restart"),
      restarts("app/n/y"),
      stops("app/n/x"),
      ...starts("app/n/x", 2),
      ...starts("app/n/y", 2)
    ]
    assert.strictEqual(wrongWith(good), "")
    assert.strictEqual(
      wrongWith([
        ...start,
        ...groupRestart,
        stops("app/z"),
        stops("app/n/y", 2),
        stops("app/n/x", 2),
        ended("app/n"),
        stops("app/n"),
        stops("app/a"),
        ended("app")
      ]),
      ""
    )
    const fails: Event = { _tag: "ChildStartFailed", ...at("app/a"), reason }
    assert.strictEqual(wrongWith([{ _tag: "ChildStarting", ...at("app/a") }, fails]), "")
  })

  const planted: Record<string, readonly [ReadonlyArray<Event | CallNote>, string]> = {
    "a start in the wrong order": [
      [...starts("app/z"), ...starts("app/t")],
      "a later child was started before it"
    ],
    "a stop in the wrong order": [
      [...start, stops("app/t"), stops("app/z"), ...stopN, stops("app/a"), ended("app")],
      "an earlier child was stopped before it"
    ],
    "two starts at once": [
      [{ _tag: "ChildStarting", ...at("app/a") }, { _tag: "ChildStarting", ...at("app/n") }],
      "app/a is starting"
    ],
    "a child that runs twice": [[...start, ...starts("app/a", 2)], "the incarnation before is running"],
    "an incarnation left out": [
      [...start, crashes("app/z", "restart"), restarts("app/z"), ...starts("app/z", 3)],
      "the incarnation before was 1"
    ],
    "a start that is answered twice": [
      [...start, { _tag: "ChildStarted", ...at("app/z") }],
      "it is running"
    ],
    "a start that is not answered": [without({ _tag: "ChildStarted", ...at("app/a") }), "app/a is starting"],
    "an answer without a start": [without({ _tag: "ChildStarting", ...at("app/a") }), "it is down"],
    "a child that is left out of the start": [
      [...starts("app/a"), up("app")],
      "a child has not been started"
    ],
    "a child that is not stopped": [without(stops("app/a")), "app/a still runs"],
    "a grandchild that outlives its supervisor": [without(stops("app/n/x")), "app/n/x still runs"],
    "a supervisor that does not end": [without(ended("app")), "the root has not ended"],
    "something after the end": [[...good, stops("app/a")], "nothing happens after the root's end"],
    "something below a supervisor that has ended": [
      [...start, ...stopN.slice(0, 3), ...starts("app/n/x", 2)],
      "its supervisor has ended"
    ],
    "a restart too many": [
      [
        ...start,
        crashes("app/z", "restart"),
        restarts("app/z"),
        ...starts("app/z", 2),
        crashes("app/z", "restart", 2, 1000),
        restarts("app/z", 2, 1000)
      ],
      "more than 1 restarts in 1000 ms"
    ],
    "a restart without an exit": [[...start, stops("app/z"), restarts("app/z")], "there was no exit"],
    "a restart of a temporary child": [[...start, crashes("app/t", "restart")], "verdict restart"],
    "a restart of the wrong child": [
      [
        ...start,
        crashes("app/a", "restart"),
        restarts("app/a"),
        stops("app/z"),
        ...starts("app/z", 2)
      ],
      "app/a is to be restarted"
    ],
    "a group restart of half the group": [
      [
        ...start,
        crashes("app/n/y", "restart"),
        restarts("app/n/y"),
        stops("app/n/x"),
        ...starts("app/n/y", 2)
      ],
      "the whole group is to be restarted"
    ],
    "a supervisor that gives up too early": [
      [
        ...start,
        crashes("app/z", "give-up"),
        { _tag: "SupervisorGaveUp", ...at("app"), child: "z", reason }
      ],
      "it had restarts left"
    ],
    "a start after giving up": [
      [
        ...start,
        crashes("app/z", "restart"),
        restarts("app/z"),
        ...starts("app/z", 2),
        crashes("app/z", "give-up", 2),
        { _tag: "SupervisorGaveUp", ...at("app"), child: "z", reason },
        ...starts("app/z", 3)
      ],
      "its supervisor is being stopped"
    ],
    "a wait of a child without a backoff": [
      [...start, crashes("app/z", "restart"), { _tag: "ChildBackingOff", ...at("app/z"), reason, delayMillis: 1 }],
      "it has no backoff"
    ],
    "a wait that is none": [
      [...start, crashes("app/z", "restart"), { _tag: "ChildBackingOff", ...at("app/z"), reason, delayMillis: 0 }],
      "it does not wait"
    ],
    "a child that is left down and has no backoff": [
      [...start, crashes("app/z", "fail"), { _tag: "ChildFailed", ...at("app/z"), reason }],
      "it is not to be left down"
    ],
    "a child that is ready and was not waited for": [
      [...start, { _tag: "ChildReady", ...at("app/z") }],
      "it was not to become ready"
    ],
    "the health of a child that nobody watches": [
      [...start, { _tag: "ChildHealthChanged", ...at("app/z"), health: "healthy" }],
      "nobody watches it"
    ],
    "a child nobody knows": [[...start, stops("app/n/w")], "it is down"],
    "time that goes back": [[...start.slice(0, 1), { _tag: "ChildStarted", ...at("app/a", 1, -1) }], "time went back"]
  }
  for (const [what, [events, problem]] of Object.entries(planted)) {
    it(`finds ${what}`, () => {
      assert.include(wrongWith(events), problem)
    })
  }
})
