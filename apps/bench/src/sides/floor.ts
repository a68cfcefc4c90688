import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Scope from "effect/Scope"
import { type Body, idOf, limit, type Side, type Tree } from "../side.ts"

// The floor: the least that looks the same from outside, written against Effect for these rows alone. A child has a scope
// and a fiber of its own and is kept in a map by its id; its end is seen and judged by a window of restarts; a stop goes
// through the children in reverse order and waits for each, within a bound. There are no typed ends, no calls that wait
// for their turn, no restart types, no start that fails or is aborted, no logs and no metrics.

type Strategy = "one-for-one" | "one-for-all" | "rest-for-one"

type Event = { readonly _tag: "Exited" | "Restarting" | "Starting" | "Started"; readonly id: string }

interface Options {
  readonly strategy?: Strategy
  readonly boundMillis?: number
  readonly backoffMillis?: number
  readonly check?: Effect.Effect<void>
  readonly intensity?: number
  readonly onGiveUp?: () => void
}

class FloorChild {
  readonly tree: FloorTree
  readonly id: string
  readonly body: Body
  scope: Scope.Closeable = Scope.makeUnsafe()
  fiber: Fiber.Fiber<never, string> | undefined = undefined
  private stopping = false

  constructor(tree: FloorTree, id: string, body: Body) {
    this.tree = tree
    this.id = id
    this.body = body
  }

  start(): void {
    const { check } = this.tree.options
    this.stopping = false
    this.scope = Scope.makeUnsafe()
    this.tree.publish("Starting", this.id)
    this.tree.publish("Started", this.id)
    const fork = Effect.runForkWith(Context.add(this.tree.context, Scope.Scope, this.scope))
    this.fiber = fork(this.body)
    this.fiber.addObserver((exit) => {
      if (!this.stopping) this.tree.ended(this, exit)
    })
    if (check !== undefined) fork(Effect.forkIn(checking(check, this.fiber), this.scope, { startImmediately: true }))
  }

  /** Interrupts the fiber, waits for it within the bound, closes the scope; `undefined` where that is done at once. */
  stop(): Effect.Effect<unknown> | undefined {
    const { fiber, scope } = this
    this.stopping = true
    fiber!.interruptUnsafe()
    if (fiber!.pollUnsafe() !== undefined) return Scope.closeUnsafe(scope, Exit.void)
    const ended = Effect.timeoutOption(Fiber.await(fiber!), this.tree.options.boundMillis ?? 5000)
    return Effect.andThen(ended, Effect.suspend(() => Scope.close(scope, Exit.void)))
  }
}

const stopAll = (children: ReadonlyArray<FloorChild>): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let i = children.length - 1; i >= 0; i--) {
      const stopping = children[i]!.stop()
      if (stopping !== undefined) yield* stopping
    }
  })

const checking = (check: Effect.Effect<void>, fiber: Fiber.Fiber<never, string>): Effect.Effect<never> =>
  Effect.forever(Effect.andThen(Effect.onError(check, () => Fiber.interrupt(fiber)), Effect.sleep("1 hour")))

class FloorTree implements Tree {
  readonly options: Options
  readonly context: Context.Context<never>
  readonly children = new Map<string, FloorChild>()
  private readonly restarts: Array<number> = []
  private firstInWindow = 0
  private events: PubSub.PubSub<Event> | undefined = undefined

  constructor(options: Options, context: Context.Context<never>) {
    this.options = options
    this.context = context
  }

  start(id: string, body: Body): void {
    const child = new FloorChild(this, id, body)
    this.children.set(id, child)
    child.start()
  }

  publish(_tag: Event["_tag"], id: string): void {
    if (this.events !== undefined) PubSub.publishUnsafe(this.events, { _tag, id })
  }

  ended(child: FloorChild, exit: Exit.Exit<never, string>): void {
    this.publish("Exited", child.id)
    if (!this.record(performance.now())) return this.options.onGiveUp?.()
    this.publish("Restarting", child.id)
    const { backoffMillis } = this.options
    const closing = Scope.closeUnsafe(child.scope, exit)
    if (backoffMillis !== undefined) {
      Effect.runForkWith(this.context)(Effect.delay(Effect.sync(() => child.start()), backoffMillis))
    } else if (closing !== undefined || this.options.strategy !== undefined) {
      Effect.runForkWith(this.context)(Effect.andThen(closing ?? Effect.void, this.restart(child)))
    } else {
      child.start()
    }
  }

  /** The window: exact times, the oldest of which leave it, against the intensity. */
  private record(now: number): boolean {
    this.restarts.push(now)
    while (this.restarts[this.firstInWindow]! < now - 3_600_000) this.firstInWindow++
    return this.restarts.length - this.firstInWindow <= (this.options.intensity ?? limit.intensity)
  }

  private restart(child: FloorChild): Effect.Effect<void> {
    const { strategy } = this.options
    if (strategy === undefined) return Effect.sync(() => child.start())
    const all = [...this.children.values()]
    const affected = strategy === "one-for-all" ? all : all.slice(all.indexOf(child))
    const others = affected.filter((other) => other !== child)
    return Effect.map(stopAll(others), () => affected.forEach((each) => each.start()))
  }

  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => stopAll([...this.children.values()]))
  }

  get whichChildren(): Effect.Effect<ReadonlyArray<unknown>> {
    return Effect.sync(() => this.list)
  }

  get list(): ReadonlyArray<unknown> {
    return Array.from(this.children.values(), ({ fiber, id }) => ({ id, isRunning: fiber!.pollUnsafe() === undefined }))
  }

  bounce(id: string): Effect.Effect<void> {
    const child = this.children.get(id)!
    return Effect.andThen(
      Effect.suspend(() => child.stop() ?? Effect.void),
      Effect.sync(() => child.start())
    )
  }

  listen(onRestart: () => void): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.events ??= yield* PubSub.sliding<Event>(4096)
      const subscription = yield* PubSub.subscribe(this.events)
      const told = Effect.forever(
        Effect.tap(PubSub.take(subscription), (event) => Effect.sync(() => event._tag === "Started" && onRestart()))
      )
      yield* Effect.forkDetach(told, { startImmediately: true })
    }).pipe(Effect.provideService(Scope.Scope, Scope.makeUnsafe()))
  }
}

const startAll = (bodies: ReadonlyArray<Body>, options: Options): Effect.Effect<FloorTree> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      const tree = new FloorTree(options, context)
      for (let i = 0; i < bodies.length; i++) tree.start(idOf(i), bodies[i]!)
      return tree
    })
  )

const start = (options: Options) => (bodies: ReadonlyArray<Body>) => startAll(bodies, options)

const families: Side["families"] = (families) =>
  Effect.map(Effect.forEach(families, (bodies) => startAll(bodies, {})), (trees) => ({
    stop: Effect.forEach(trees.toReversed(), (tree) => tree.stop, { discard: true }),
    snapshot: Effect.sync(() => trees.map((tree, place) => ({ id: idOf(place), children: tree.list })))
  }))

// A level is a child that runs a tree of one child with an intensity of 0, and fails when that gives up.
const nested: Side["nested"] = (levels, body) => {
  let inner = body
  for (let level = 0; level < levels; level++) {
    const below = inner
    inner = Effect.callback((resume) => {
      const onGiveUp = () => resume(Effect.andThen(tree.stop, Effect.fail("gave up")))
      const tree = new FloorTree({ intensity: 0, onGiveUp }, Context.empty())
      tree.start("child", below)
      return tree.stop
    })
  }
  return start({})([inner])
}

const dynamic: Side["dynamic"] = Effect.map(startAll([], {}), (tree) => {
  let next = 0
  return { startChild: (body: Body) => Effect.sync(() => tree.start(idOf(next++), body)), stop: tree.stop }
})

class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("@coppice/bench/sides/floor/Db") {}

const DbLayer = Layer.succeed(Db, { query: Effect.succeed(42) })

// Each in a scope of its own, with what it has built.
const layers: Side["layers"] = Effect.fnUntraced(function*(count) {
  const built = new Map<string, readonly [Scope.Closeable, Context.Context<Db>]>()
  for (let i = 0; i < count; i++) {
    const scope = Scope.makeUnsafe()
    built.set(idOf(i), [scope, yield* Layer.buildWithScope(DbLayer, scope)])
  }
  return { stop: Effect.forEach([...built.values()].toReversed(), ([scope]) => Scope.close(scope, Exit.void)) }
})

// A fiber for each use, known to whoever would end it with the service, and awaited.
const user: Side["user"] = Effect.sync(() => {
  const users = new Set<Fiber.Fiber<number>>()
  const use = Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.succeed(42), { startImmediately: true })
    users.add(fiber)
    const answer = yield* Fiber.join(fiber)
    users.delete(fiber)
    return answer
  })
  return { use, stop: Effect.void }
})

export const floor: Side = {
  plain: start({}),
  brutal: start({ boundMillis: 100 }),
  "one-for-all": start({ strategy: "one-for-all" }),
  "rest-for-one": start({ strategy: "rest-for-one" }),
  backoff: start({ backoffMillis: 1 }),
  liveness: (bodies, check) => start({ check })(bodies),
  layers,
  families,
  nested,
  dynamic,
  user
}
