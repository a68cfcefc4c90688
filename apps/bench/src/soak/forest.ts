import { Child, DynamicSupervisor, Supervisor } from "coppice"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What is counted over all incarnations of all children. */
export class Census {
  /** Bodies that have begun. */
  starts = 0
  /** What layer children have acquired and not released. */
  resources = 0
  /** What has been done to them, and how often. */
  readonly faults: Record<string, number> = {}
}

/** A child to be made to fail, in any way, again and again. */
export class Target {
  readonly id: string
  /** Whether its liveness check succeeds. */
  isWell = true
  /** Ends the body of the incarnation that runs as this effect ends. */
  end: (how: Effect.Effect<never, string>) => void = () => {}
  /** Told once, when a body begins. */
  onBegun: (() => void) | undefined = undefined
  private readonly census: Census

  constructor(id: string, census: Census) {
    this.id = id
    this.census = census
  }

  readonly body: Effect.Effect<never, string> = Effect.callback((resume) => {
    const { onBegun } = this
    this.census.starts++
    this.isWell = true
    this.end = resume
    this.onBegun = undefined
    onBegun?.()
  })

  readonly check: Effect.Effect<void, string> = Effect.suspend(() => this.isWell ? Effect.void : Effect.fail("unwell"))

  /** What is acquired with a finalizer, and the body in a fiber that is linked to the child. */
  get layer(): Layer.Layer<never> {
    const resource = Effect.acquireRelease(
      Effect.sync(() => this.census.resources++),
      () => Effect.sync(() => this.census.resources--)
    )
    return Layer.effectDiscard(Effect.andThen(resource, Child.forkLinked(this.body)))
  }
}

/** A supervisor and its children. Each restart of the supervisor itself renews how it is called. */
export interface Plot {
  readonly kind: "one-for-one" | "one-for-all" | "rest-for-one" | "layers" | "liveness" | "dynamic"
  readonly targets: ReadonlyArray<Target>
  /** Terminates a child and restarts it, or starts another in its place. */
  bounce: (target: Target) => Effect.Effect<unknown>
  /** Sends a child an exit signal. */
  exit: (target: Target) => Effect.Effect<void>
  /** How many children run; answered when the supervisor has nothing else to do. */
  active: Effect.Effect<number>
}

/** An intensity that is not exceeded, in a period so short that what it remembers does not grow. */
const limit = { intensity: 1_000_000, period: "1 second" } as const

const childOf = (kind: Plot["kind"], target: Target): Child.Child<string, never, never> => {
  switch (kind) {
    case "layers":
      return Child.layer(target.id, target.layer)
    case "liveness":
      return Child.effect(target.id, target.body, {
        liveness: { check: target.check, interval: "20 millis", failureThreshold: 1 }
      })
    default:
      return Child.effect(target.id, target.body)
  }
}

const signal = { _tag: "Shutdown", reason: "soak" } as const

// The supervisor is called through what it was at its latest start.
const staticLayer = (plot: Plot): Layer.Layer<never> => {
  const strategy = plot.kind === "one-for-all" || plot.kind === "rest-for-one" ? plot.kind : "one-for-one"
  const children = plot.targets.map((target) => childOf(plot.kind, target))
  const supervisor = Effect.orDie(Supervisor.make("plot", { ...limit, strategy, children }))
  return Layer.effectDiscard(Effect.map(supervisor, (supervisor) => {
    plot.bounce = ({ id }) => Effect.orDie(Effect.andThen(supervisor.terminateChild(id), supervisor.restartChild(id)))
    plot.exit = ({ id }) => Effect.orDie(supervisor.exitChild(id, signal))
    plot.active = Effect.orDie(Effect.map(supervisor.countChildren, ({ active }) => active))
  }))
}

const dynamicLayer = (plot: Plot): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const supervisor = yield* DynamicSupervisor.make("plot", {
      ...limit,
      child: (target: Target) => childOf(plot.kind, target),
      key: (target) => target.id
    })
    plot.bounce = (target) =>
      Effect.orDie(Effect.andThen(supervisor.terminateChild(target.id), supervisor.startChild(target)))
    plot.exit = ({ id }) => Effect.orDie(supervisor.exitChild(id, signal))
    plot.active = Effect.orDie(Effect.map(supervisor.countChildren, ({ active }) => active))
    yield* Effect.orDie(Effect.forEach(plot.targets, (target) => supervisor.startChild(target), { discard: true }))
  }))

/** What part of all children each kind of supervisor has, and how many of them one supervisor has. */
const shares: ReadonlyArray<readonly [kind: Plot["kind"], share: number, size: number]> = [
  ["one-for-one", 0.4, 100],
  ["one-for-all", 0.1, 10],
  ["rest-for-one", 0.1, 10],
  ["layers", 0.19, 100],
  ["liveness", 0.01, 10],
  ["dynamic", 0.2, 100]
]

/** So many children under supervisors of all kinds, those under one root. */
export class Forest {
  readonly census: Census = new Census()
  readonly plots: ReadonlyArray<Plot>
  readonly size: number
  /** How many resources there are while every child runs. */
  readonly resources: number
  /** Answered when no supervisor is being restarted. */
  plotsRun: Effect.Effect<unknown> = Effect.void

  constructor(children: number) {
    this.plots = shares.flatMap(([kind, share, size]) =>
      Array.from({ length: Math.max(1, Math.round((children * share) / size)) }, () => this.plot(kind, size))
    )
    const sizeOf = (plots: ReadonlyArray<Plot>) => plots.reduce((size, { targets }) => size + targets.length, 0)
    this.size = sizeOf(this.plots)
    this.resources = sizeOf(this.plots.filter(({ kind }) => kind === "layers"))
  }

  /** Starts everything in the current scope. */
  get start() {
    const children = this.plots.map((plot, place) =>
      Child.supervisor(`plot${place}`, plot.kind === "dynamic" ? dynamicLayer(plot) : staticLayer(plot))
    )
    return Effect.map(Supervisor.make("soak", { ...limit, strategy: "one-for-one", children }), (root) => {
      this.plotsRun = Effect.orDie(root.countChildren)
    })
  }

  /** How many children run. */
  get active(): Effect.Effect<number> {
    return Effect.map(
      Effect.forEach(this.plots, (plot) => plot.active),
      (counts) => counts.reduce((sum, count) => sum + count, 0)
    )
  }

  private plot(kind: Plot["kind"], size: number): Plot {
    const targets = Array.from({ length: size }, (_, place) => new Target(`child${place}`, this.census))
    const unborn = Effect.die(new TypeError("the supervisor has not started"))
    return { kind, targets, bounce: () => unborn, exit: () => unborn, active: unborn }
  }
}
