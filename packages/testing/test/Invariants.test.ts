import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, DynamicSupervisor, ExitReason, Supervisor } from "coppice"
import { Context, Effect, Layer, Logger, Schedule } from "effect"
import {
  a,
  a2,
  app,
  at,
  b,
  b2,
  c,
  c2,
  child,
  closing,
  compare,
  crash,
  dynamic,
  end,
  type Event,
  gaveUp,
  type Item,
  l,
  lastOf,
  learn,
  n,
  nested,
  nestedUp,
  note,
  oneForAll,
  oneForOne,
  p,
  passes,
  pool,
  poolOf,
  q,
  r,
  supervisor,
  three,
  up,
  violations,
  within,
  x,
  y,
  z
} from "./support/reading.ts"

const significantUp: ReadonlyArray<Item> = [
  learn(supervisor("app", three({ restart: "transient", significant: true, onExhausted: "escalate" }), {
    autoShutdown: "all-significant"
  })),
  ...up
]

describe("what is right", () => {
  passes({
    "a whole life": [oneForOne, ...up, c.stopped, b.stopped, a.stopped, app.ended],
    "a life of which nothing is known": [...up, a.stopped, c.stopped, b.stopped, app.ended],
    "a nested tree": [
      nested,
      ...nestedUp,
      closing,
      z.stopped,
      within.ended,
      l.stopped,
      y.stopped,
      x.stopped,
      n.ended,
      n.stopped,
      app.ended
    ],
    "a first start that fails": [oneForOne, ...a.starts, ...b.starts, c.starting, c.startFailed, b.stopped, a.stopped],
    "a first start that is aborted": [oneForOne, ...a.starts, ...b.starts, c.starting, b.stopped, a.stopped],
    "a supervisor without children, that is built twice": [
      learn(supervisor("app", [])),
      app.up,
      app.ended,
      app.up,
      app.ended
    ],
    "a build that failed, tried again": [
      oneForOne,
      ...a.starts,
      b.starting,
      b.startFailed,
      a.stopped,
      ...up,
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "a restart of one": [
      oneForOne,
      ...up,
      b.left("restart"),
      b.restarting,
      ...b2.starts,
      c.stopped,
      b2.stopped,
      a.stopped,
      app.ended
    ],
    "a group restart, with a try that fails": [
      learn(supervisor("app", three(), { strategy: "rest-for-one", intensity: 2 })),
      ...up,
      b.left("restart"),
      b.restarting,
      c.stopped,
      b2.starting,
      b2.startFailed,
      b2.restarting,
      ...at("app/b", 3).starts,
      ...c2.starts,
      c2.stopped,
      at("app/b", 3).stopped,
      a.stopped,
      app.ended
    ],
    "a group restart without those that are temporary or left down": [
      learn(supervisor("app", [
        child("app/a", { restart: "temporary" }),
        child("app/b", { onExhausted: "give-up" }),
        child("app/c"),
        child("app/d", { restart: "transient" })
      ], { strategy: "one-for-all" })),
      ...a.starts,
      ...b.starts,
      ...c.starts,
      ...at("app/d").starts,
      app.up,
      at("app/d").left("keep", ExitReason.normal),
      b.left("fail"),
      b.failed,
      c.left("restart"),
      c.restarting,
      a.stopped,
      ...c2.starts,
      ...at("app/d", 2).starts,
      at("app/d", 2).stopped,
      c2.stopped,
      app.ended
    ],
    "a group restart without one of whom nothing is known, who may be temporary": [
      oneForAll,
      ...up,
      ...at("app/guest").starts,
      a.left("restart"),
      a.restarting,
      at("app/guest").stopped,
      c.stopped,
      b.stopped,
      ...a2.starts,
      ...b2.starts,
      ...c2.starts,
      b2.left("give-up"),
      app.gaveUp("b"),
      c2.stopped,
      a2.stopped,
      app.endedFor(gaveUp("app", "b"))
    ],
    "a group restart that goes on after one that is left down": [
      learn(supervisor("app", three({ onExhausted: "give-up" }), { strategy: "one-for-all" })),
      ...up,
      a.left("restart"),
      a.restarting,
      c.stopped,
      b.stopped,
      ...a2.starts,
      b2.starting,
      b2.startFailed,
      b2.failed,
      ...c2.starts,
      c2.stopped,
      a2.stopped,
      app.ended
    ],
    "a restart that is due once more, since a call cancelled another": [
      learn(supervisor("app", three({ onExhausted: "escalate" }), { intensity: 2 })),
      ...up,
      b.left("restart"),
      b.backingOff(),
      note("Terminating", "app/b"),
      ...b2.starts,
      b2.left("restart"),
      note("Terminated", "app/b"),
      b2.restarting,
      ...at("app/b", 3).starts,
      c.stopped,
      at("app/b", 3).stopped,
      a.stopped,
      app.ended
    ],
    "a group that waits": [
      learn(supervisor("app", [child("app/a", { onExhausted: "escalate" }), child("app/b"), child("app/c")], {
        strategy: "rest-for-one"
      })),
      ...up,
      a.left("restart"),
      c.stopped,
      b.stopped,
      a.backingOff(),
      at("app/a", 1, 100).restarting,
      ...at("app/a", 2, 100).starts,
      ...at("app/b", 2, 100).starts,
      ...at("app/c", 2, 100).starts,
      at("app/c", 2, 100).stopped,
      at("app/b", 2, 100).stopped,
      at("app/a", 2, 100).stopped,
      at("app", 1, 100).ended
    ],
    "restarts that leave the window": [
      oneForOne,
      ...up,
      a.left("restart"),
      a.restarting,
      ...a2.starts,
      at("app/a", 2, 1001).left("restart"),
      at("app/a", 2, 1001).restarting,
      ...at("app/a", 3, 1001).starts,
      at("app/c", 1, 1001).stopped,
      at("app/b", 1, 1001).stopped,
      at("app/a", 3, 1001).stopped,
      at("app", 1, 1001).ended
    ],
    "a supervisor that gives up, and its parent that restarts it": [
      nested,
      ...nestedUp,
      x.left("restart"),
      x.restarting,
      ...at("app/n/x", 2).starts,
      at("app/n/x", 2).left("give-up"),
      n.gaveUp("x"),
      y.stopped,
      n.endedFor(gaveUp("app/n", "x")),
      n.left("restart", gaveUp("app/n", "x")),
      n.restarting,
      at("app/n", 2).starting,
      ...x.starts,
      ...y.starts,
      at("app/n", 2).up,
      at("app/n", 2).started,
      z.stopped,
      within.ended,
      l.stopped,
      y.stopped,
      x.stopped,
      at("app/n", 2).ended,
      at("app/n", 2).stopped,
      app.ended
    ],
    "a supervisor that gives up, and says so when the child has ended": [
      oneForOne,
      ...up,
      a.left("restart"),
      a.restarting,
      ...a2.starts,
      at("app/b", 1, 1000).left("give-up"),
      at("app", 1, 1500).gaveUp("b"),
      at("app/c", 1, 1500).stopped,
      at("app/a", 2, 1500).stopped,
      at("app", 1, 1500).endedFor(gaveUp("app", "b"))
    ],
    "a supervisor that gives up, of which nothing else is known": [
      ...up,
      b.left("give-up"),
      app.gaveUp("b"),
      c.stopped,
      a.stopped,
      app.endedFor(gaveUp("app", "b"))
    ],
    "a temporary child that escalates": [
      learn(supervisor("app", three({ restart: "temporary" }))),
      ...up,
      b.left("give-up"),
      app.gaveUp("b"),
      c.stopped,
      a.stopped,
      app.endedFor(gaveUp("app", "b", "escalated"))
    ],
    "a backoff whose end makes the supervisor give up": [
      learn(supervisor("app", three({ onExhausted: "escalate" }), { intensity: 5 })),
      ...up,
      b.left("give-up"),
      app.gaveUp("b"),
      c.stopped,
      a.stopped,
      app.endedFor(gaveUp("app", "b", "exhausted"))
    ],
    "an automatic shutdown": [
      learn(supervisor("app", three({ restart: "transient", significant: true }), { autoShutdown: "all-significant" })),
      ...up,
      b.left("keep", ExitReason.normal),
      c.left("keep", ExitReason.normal),
      a.left("shut-down", ExitReason.normal),
      app.ended
    ],
    "an automatic shutdown, while a restart may have been cancelled": [
      ...significantUp,
      a.left("restart"),
      a.backingOff(),
      b.left("keep", ExitReason.normal),
      c.left("shut-down", ExitReason.normal),
      app.ended
    ],
    "no automatic shutdown, while a restart may not have been cancelled": [
      ...significantUp,
      a.left("restart"),
      a.backingOff(),
      b.left("keep", ExitReason.normal),
      c.left("keep", ExitReason.normal),
      app.ended
    ],
    "an automatic shutdown beside a child that may not be significant": [
      ...significantUp,
      ...at("app/guest").starts,
      a.left("keep", ExitReason.normal),
      b.left("keep", ExitReason.normal),
      c.left("shut-down", ExitReason.normal),
      at("app/guest").stopped,
      app.ended
    ],
    "no automatic shutdown beside a child that may be significant": [
      ...significantUp,
      ...at("app/guest").starts,
      a.left("keep", ExitReason.normal),
      b.left("keep", ExitReason.normal),
      c.left("keep", ExitReason.normal),
      at("app/guest").left("restart"),
      at("app/guest").backingOff(),
      ...c2.starts,
      c2.left("keep", ExitReason.normal),
      app.ended
    ],
    "a child that becomes ready": [
      learn(supervisor("app", three({ probes: ["readiness", "liveness"] }))),
      a.starting,
      a.started,
      a.ready,
      a.healthy,
      b.starting,
      b.started,
      b.startFailed,
      a.stopped
    ],
    "a child that is stopped when it has started and is not ready yet": [
      learn(supervisor("app", three({ probes: ["readiness"] }))),
      ...a.starts,
      a.ready,
      ...b.starts,
      b.stopped,
      a.stopped
    ],
    "a child that is learned of after its start": [
      a.starting,
      a.started,
      oneForOne,
      a.ready,
      ...b.starts,
      ...c.starts,
      app.up,
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "another list than was learned, as when the first child had nothing to run and is gone": [
      learn(supervisor("app", [child("app/b", { incarnation: 1, state: "starting" }), child("app/c")])),
      a.starting,
      a.ignored,
      ...b.starts,
      ...c.starts,
      app.up,
      c.stopped,
      b.stopped,
      app.ended
    ],
    "a supervisor that is built again, with fewer children": [
      oneForOne,
      ...up,
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended,
      learn(supervisor("app", [child("app/a", { state: "starting", incarnation: 1 }), child("app/c")])),
      ...a.starts,
      ...c.starts,
      app.up,
      c.stopped,
      a.stopped,
      app.ended
    ],
    "a supervisor that is built again, with other children": [
      oneForOne,
      learn(supervisor("app", [
        child("app/a", { state: "running", incarnation: 1 }),
        child("app/b", { state: "starting", incarnation: 1 }),
        child("app/x")
      ])),
      ...a.starts,
      ...b.starts,
      ...at("app/x").starts,
      app.up,
      at("app/x").stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "a supervisor that is built again, without the children that were added": [
      oneForOne,
      ...up,
      learn({ ...supervisor("app", [...three(), child("app/guest")]), state: "running" }),
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended,
      ...up,
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "another list than was learned, as when a layer is not always the same": [
      learn(supervisor("app", [child("app/b"), child("app/x"), child("app/c")])),
      ...a.starts,
      ...b.starts,
      app.up,
      learn({ ...supervisor("app", [child("app/a"), child("app/b")]), state: "running" }),
      closing,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "a list that is learned again when its first child is gone": [
      oneForOne,
      ...a.starts,
      learn(supervisor("app", [
        child("app/b", { incarnation: 1, state: "running" }),
        child("app/c", { incarnation: 1, state: "starting" })
      ])),
      ...b.starts,
      ...c.starts,
      app.up,
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "calls that nobody tells of": [
      oneForAll,
      ...up,
      a.stopped,
      c.stopped,
      b.stopped,
      ...b2.starts,
      ...at("app/guest").starts,
      ...a2.starts,
      closing,
      at("app/guest").stopped,
      b2.stopped,
      a2.stopped,
      app.ended
    ],
    "calls while a child waits to be restarted": [
      learn(supervisor("app", [child("app/a"), child("app/b"), child("app/c", { onExhausted: "escalate" })])),
      ...up,
      c.left("restart"),
      c.backingOff(),
      a.stopped,
      b.stopped,
      app.ended
    ],
    "calls whose starts fail": [
      oneForOne,
      ...up,
      c.stopped,
      c2.starting,
      c2.startFailed,
      at("app/c", 3).starting,
      at("app/c", 3).startFailed,
      at("app/guest").starting,
      at("app/guest").startFailed,
      ...at("app/guest").starts,
      at("app/guest").stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "calls between the tries of a restart": [
      learn(supervisor("app", three(), { strategy: "one-for-all", intensity: 2 })),
      ...up,
      c.left("restart"),
      c.restarting,
      b.stopped,
      a.stopped,
      ...a2.starts,
      b2.starting,
      b2.startFailed,
      ...at("app/guest").starts,
      a2.stopped,
      ...at("app/a", 3).starts,
      b2.restarting,
      at("app/guest").stopped,
      at("app/a", 3).stopped,
      ...at("app/a", 4).starts,
      ...at("app/b", 3).starts,
      ...c2.starts,
      ...at("app/guest", 2).starts,
      at("app/guest", 2).stopped,
      c2.stopped,
      at("app/b", 3).stopped,
      at("app/a", 4).stopped,
      app.ended
    ],
    "a child that is deleted, and is not restarted with its group": [
      oneForAll,
      ...up,
      b.stopped,
      learn({ ...supervisor("app", [child("app/a"), child("app/c")], { strategy: "one-for-all" }), state: "running" }),
      a.left("restart"),
      a.restarting,
      c.stopped,
      ...a2.starts,
      ...c2.starts,
      c2.stopped,
      a2.stopped,
      app.ended
    ],
    "a child that is deleted and added again, at the end of the list and with number 1": [
      oneForAll,
      ...up,
      a.stopped,
      ...a.starts,
      c.left("restart"),
      c.restarting,
      a.stopped,
      b.stopped,
      ...b2.starts,
      ...c2.starts,
      ...a2.starts,
      a2.stopped,
      c2.stopped,
      b2.stopped,
      app.ended
    ],
    "a child that is deleted and added again, after a restart of another": [
      oneForOne,
      ...up,
      a.stopped,
      b.left("restart"),
      b.restarting,
      ...b2.starts,
      ...a.starts,
      a.stopped,
      c.stopped,
      b2.stopped,
      app.ended
    ],
    "a child that was being stopped when all is closed": [
      learn(supervisor("app", three())),
      ...up,
      learn({
        ...supervisor("app", [child("app/a", { state: "stopping" }), child("app/b"), child("app/c")]),
        state: "running"
      }),
      closing,
      a.stopped,
      c.stopped,
      b.stopped,
      app.ended
    ],
    "an incarnation that is abandoned, and the next one": [
      oneForOne,
      ...up,
      a.left("restart"),
      a.abandoned,
      a.restarting,
      ...a2.starts,
      c.stopped,
      b.stopped,
      a2.abandoned,
      a2.stopped,
      app.ended
    ],
    "whatever a supervisor does whose child was abandoned": [
      nested,
      ...nestedUp,
      n.left("restart"),
      n.abandoned,
      n.restarting,
      at("app/n", 2).starting,
      ...x.starts,
      x.stopped,
      n.ended,
      at("app/n", 2).started,
      z.stopped,
      within.ended,
      l.stopped,
      at("app/n", 2).stopped,
      app.ended,
      y.stopped
    ]
  })
})

describe("what is right where all calls are noted", () => {
  passes({
    "a life of which nothing else is known": [...up, c.stopped, b.stopped, a.stopped, app.ended],
    "stops in any order, by calls": [
      oneForOne,
      ...up,
      note("Terminating", "app/a"),
      note("Terminating", "app/b"),
      a.stopped,
      b.stopped,
      note("Terminated", "app/a"),
      note("Terminated", "app/b"),
      c.stopped,
      app.ended
    ],
    "a child that is deleted, and not restarted with its group": [
      oneForAll,
      ...up,
      note("Terminating", "app/b"),
      b.stopped,
      note("Terminated", "app/b"),
      note("Deleting", "app/b"),
      a.left("restart"),
      a.restarting,
      c.stopped,
      ...a2.starts,
      ...c2.starts,
      c2.stopped,
      a2.stopped,
      app.ended
    ],
    "a child that was to be deleted while it ran, and is restarted with its group": [
      oneForAll,
      ...up,
      note("Deleting", "app/b"),
      a.left("restart"),
      a.restarting,
      c.stopped,
      b.stopped,
      ...a2.starts,
      ...b2.starts,
      ...c2.starts,
      c2.stopped,
      b2.stopped,
      a2.stopped,
      app.ended
    ],
    "a child that begins anew with number 1, as its first start had failed": [
      oneForOne,
      ...up,
      note("Starting", "app/x"),
      at("app/x").starting,
      at("app/x").startFailed,
      ...at("app/x").starts,
      at("app/x").stopped,
      c.stopped,
      b.stopped,
      a.stopped,
      app.ended
    ],
    "a child of a dynamic supervisor that begins anew, as its restart was cancelled": [
      pool,
      at("pool").up,
      poolOf(dynamic("p", { onExhausted: "escalate" })),
      ...p.starts,
      p.left("restart"),
      p.backingOff(),
      ...p.starts,
      p.stopped,
      at("pool").ended
    ]
  }, { callsAreNoted: true })
})

describe("what is right of a dynamic supervisor", () => {
  const poolUp = [pool, at("pool").up]
  passes({
    "children of different kinds that come and go": [
      ...poolUp,
      poolOf(dynamic("p", { restart: "transient" })),
      ...p.starts,
      poolOf(dynamic("p"), dynamic("q", { restart: "temporary" })),
      ...q.starts,
      p.left("remove", ExitReason.normal),
      q.left("remove"),
      poolOf(dynamic("p", { restart: "permanent" })),
      ...p.starts,
      p.left("restart"),
      p.restarting,
      at("pool/p", 2).starting,
      at("pool/p", 2).startFailed,
      poolOf(dynamic("r")),
      r.starting,
      r.ignored,
      r.starting,
      r.startFailed,
      ...r.starts,
      at("pool").ended
    ].toSpliced(-1, 1, r.stopped, at("pool").ended),
    "a stop of all at once, in any order": [
      ...poolUp,
      poolOf(dynamic("p"), dynamic("q")),
      ...p.starts,
      ...q.starts,
      closing,
      p.stopped,
      q.stopped,
      at("pool").ended
    ],
    "one in a child that is still starting": [
      learn(supervisor("pool", [dynamic("p", { state: "running" })], { dynamic: true })),
      at("pool").up,
      ...p.starts,
      p.stopped,
      at("pool").ended
    ],
    "a restart that is cancelled by a call, and makes room": [
      ...poolUp,
      poolOf(dynamic("p", { onExhausted: "escalate" }), dynamic("q")),
      ...p.starts,
      p.left("restart"),
      p.backingOff(),
      ...q.starts,
      poolOf(dynamic("q"), dynamic("r")),
      ...r.starts,
      q.stopped,
      r.stopped,
      at("pool").ended
    ],
    "a start that is called off before the supervisor gives up": [
      learn(supervisor("pool", [], { dynamic: true, intensity: 1 })),
      at("pool").up,
      ...p.starts,
      p.left("restart"),
      p.restarting,
      at("pool/p", 2).starting,
      at("pool/p", 2).startFailed,
      q.starting,
      at("pool").gaveUp("p"),
      at("pool").endedFor(gaveUp("pool", "p"))
    ],
    "starts that are called off": [
      ...poolUp,
      poolOf(dynamic("p"), dynamic("q")),
      p.starting,
      p.starting,
      ...q.starts,
      ...p.starts,
      p.stopped,
      q.stopped,
      at("pool").ended
    ]
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// A real tree.
// ---------------------------------------------------------------------------------------------------------------------

type JobsHandle = DynamicSupervisor.DynamicSupervisor<[id: string, options: Child.Options], never>

class Jobs extends Context.Service<Jobs, JobsHandle>()("@coppice/testing/test/Invariants.test/Jobs") {}

/** A tree with a bit of everything, in a world of its own, and all that is read of it. */
class Real {
  readonly items: Array<Item> = []
  private readonly world = new VirtualTime.VirtualTime()
  private readonly supervisors = new Map<string, Supervisor.Supervisor>()
  private jobs: JobsHandle | undefined = undefined
  private readonly launched = Effect.runForkWith(this.world.context)(
    Supervisor.launch(this.layer(), { onEvent: (event) => Effect.sync(() => this.items.push(event)) }).pipe(
      Effect.provide(Logger.layer([]))
    )
  )

  constructor() {
    this.advance(0)
  }

  crash(path: string): void {
    this.call(path, (supervisor, id) => supervisor.exitChild(id, crash))
  }

  terminate(path: string): void {
    this.call(path, (supervisor, id) => supervisor.terminateChild(id))
  }

  startJob(id: string, options: Child.Options): void {
    this.world.run(Effect.ignore(this.jobs!.startChild(id, options)))
    this.look()
  }

  advance(millis: number): void {
    this.world.advance(millis)
    this.look()
  }

  close(): void {
    this.items.push(closing)
    this.launched.interruptUnsafe()
    this.world.settle()
    this.items.push(end)
    assert.isDefined(this.launched.pollUnsafe(), "the tree has ended")
  }

  private call<E>(path: string, f: (supervisor: Supervisor.Supervisor, id: string) => Effect.Effect<void, E>): void {
    this.world.run(Effect.ignore(f(this.supervisors.get(path.slice(0, path.lastIndexOf("/")))!, lastOf(path))))
    this.look()
  }

  private look(): void {
    const { tree } = this.supervisors.get("app")!
    this.world.run(Effect.map(tree, (tree) => this.items.push(learn(tree), compare(tree))))
  }

  private layer() {
    // Learns the rules when a start begins: before the event of that is read.
    const learned = Effect.flatMap(Child.current, ({ supervisor }) =>
      Effect.map(supervisor.tree, (tree) => {
        this.supervisors.set(supervisor.path, supervisor)
        this.items.push(learn(tree))
      }))
    const worker = Effect.as(learned, Effect.never)
    const store = Supervisor.layer("store", {
      strategy: "one-for-all",
      intensity: 1,
      children: [Child.make("db", worker), Child.make("log", worker), Child.make("cache", worker)]
    })
    const jobs = DynamicSupervisor.layer(Jobs, "jobs", {
      child: (id: string, options: Child.Options) => Child.make(id, worker, options),
      key: (id) => id,
      maxChildren: 3
    })
    const keep = Layer.effectDiscard(Effect.map(Jobs, (jobs) => {
      this.jobs = jobs
    }))
    const library = Supervisor.layer("In", {
      strategy: "one-for-one",
      children: [
        Child.make("once", worker, { restart: "transient" }),
        Child.make("watcher", worker, { restart: "temporary" })
      ]
    })
    const upTo = Schedule.upTo(Backoff.fixed("1 second"), { times: 1 })
    return Supervisor.layer("app", {
      strategy: "rest-for-one",
      intensity: 5,
      children: [
        Child.make("clock", worker),
        Child.supervisor("store", store),
        Child.make("feed", worker, { backoff: upTo, onExhausted: "give-up" }),
        Child.supervisor("jobs", Layer.provideMerge(keep, jobs)),
        Child.layer("library", library),
        Child.effect("http", Effect.andThen(learned, Effect.never))
      ]
    })
  }
}

describe("a real tree", () => {
  const real = new Real()
  real.startJob("one", {})
  real.startJob("two", { restart: "temporary" })
  real.startJob("three", { restart: "transient" })
  real.crash("app/jobs/one")
  real.crash("app/jobs/two")
  real.startJob("two", { restart: "permanent" })
  real.terminate("app/jobs/three")
  real.crash("app/store/log")
  real.crash("app/library/In/watcher")
  real.terminate("app/library/In/once")
  real.crash("app/store/cache")
  real.advance(100)
  real.crash("app/feed")
  real.advance(1000)
  real.crash("app/feed")
  real.startJob("four", {})
  real.crash("app/http")
  real.crash("app/clock")
  real.startJob("five", {})
  real.startJob("six", { restart: "temporary" })
  real.close()
  const events = real.items.filter((item): item is Event => "incarnation" in item)

  it("that goes through crashes, giving up and being closed keeps all of them", () => {
    assert.deepStrictEqual(violations(real.items), [])
    assert.sameMembers(Array.from(new Set(events.map(({ _tag }) => _tag))), [
      "SupervisorStarted",
      "SupervisorGaveUp",
      "SupervisorStopped",
      "ChildStarting",
      "ChildStarted",
      "ChildExited",
      "ChildRestarting",
      "ChildBackingOff",
      "ChildFailed",
      "ChildStopped"
    ])
  })

  it("does not without any one of its events, but for two", () => {
    const unnoticed = events.filter((event) => violations(real.items.filter((item) => item !== event)).length === 0)
    // Another backoff may not wait, and a call may have cancelled the restart and started the child.
    assert.deepStrictEqual(unnoticed.map(({ _tag, path }) => `${_tag} ${path}`), [
      "ChildBackingOff app/feed",
      "ChildRestarting app/feed"
    ])
  })

  it("does not with any one of its events twice, but for some starts", () => {
    const twice = (event: Event) => real.items.flatMap((item) => item === event ? [item, item] : [item])
    const unnoticed = events.filter((event) => violations(twice(event)).length === 0)
    // The first of a supervisor's may have been undone with the supervisor, that of a dynamic one's called off.
    assert.deepStrictEqual(
      Array.from(new Set(unnoticed.map(({ _tag, path }) => `${_tag} ${path}`))).toSorted(),
      [
        "app/clock",
        "app/jobs/five",
        "app/jobs/four",
        "app/jobs/one",
        "app/jobs/three",
        "app/jobs/two",
        "app/jobs/six",
        "app/library/In/once",
        "app/store/db"
      ].map((path) => `ChildStarting ${path}`).toSorted()
    )
  })
})
