import { Backoff, Child, ChildRef, DynamicSupervisor, ExitReason, type SupervisionTree, Supervisor } from "coppice"
import type { SupervisorError } from "coppice"
import { Context, Effect, Layer, Schedule, type Scope } from "effect"

class Db extends Context.Service<Db, number>()("@coppice/testing/test/support/randomTree/Db") {}

/** What a child of the root fills, and anybody uses. */
export class DbRef extends ChildRef.Service<DbRef>()("@coppice/testing/test/support/randomTree/DbRef", Db) {}

type AnyChild = Child.Child<string, never, DbRef>
type AnySupervisor = Supervisor.Supervisor
type Pool = DynamicSupervisor.DynamicSupervisor<[id: string], never>
type Making<A> = Effect.Effect<A, SupervisorError.ChildStartFailed, DbRef | Scope.Scope>
type Work = Effect.Effect<unknown, string, DbRef | Scope.Scope>
type Call = Effect.Effect<unknown, { readonly _tag: string }, DbRef>

const ids = ["a", "b", "c", "d"] as const

/**
 * A tree made at random, whose children start, end, and call whatever supervisor there is as it comes; and what can be
 * said of it in any order of events.
 */
export class RandomTree {
  /** What must not have happened. */
  readonly wrong: Array<string> = []
  /** Whether the root is up; until then starts are likely to succeed. */
  isUp = false
  /** From then on nobody does anything any more. */
  isCalm = false
  private readonly next: () => number
  private readonly bodies = new Map<string, number>()
  private readonly supervisors: Array<AnySupervisor> = []
  private readonly pools: Array<Pool> = []
  private open = 0
  private asked = 0

  constructor(next: () => number) {
    this.next = next
  }

  /** The root, built in the current scope. */
  readonly root: Making<AnySupervisor> = Effect.suspend(() => this.supervisor("root", 0))

  /** Lets others have their turn, or some time pass. */
  readonly pause: Effect.Effect<void> = Effect.suspend(() => this.pick(Effect.void, this.turns(6), this.sleep))

  /** Somebody asks something of whichever supervisor, and waits for the answer. */
  readonly call: Effect.Effect<void, never, DbRef> = Effect.suspend(() => {
    const pool = this.pick<Pool | undefined>(undefined, ...this.pools)
    const call = pool === undefined ? this.callOf(this.pick(...this.supervisors)) : this.callOfPool(pool)
    return Effect.acquireUseRelease(
      Effect.sync(() => this.asked++),
      () => Effect.asVoid(Effect.exit(call)),
      () => Effect.sync(() => this.asked--)
    )
  })

  /** Lets others have their turn, up to so many times. */
  turns(most: number): Effect.Effect<void> {
    const turns = Array.from({ length: Math.ceil(this.next() * most) })
    return Effect.forEach(turns, () => Effect.yieldNow, { discard: true })
  }

  /** What must not be in a tree in which all has come to rest. */
  restless({ children, kind, path, state }: SupervisionTree.Node): ReadonlyArray<string> {
    const bodies = this.bodies.get(path) ?? 0
    const hasBody = state === "running" && (kind === "effect" || kind === "make")
    const isWrong = state === "starting" || state === "stopping" || bodies !== (hasBody ? 1 : 0)
    const below = children.flatMap((child) => this.restless(child))
    return isWrong ? [`${path} is ${state}, with ${bodies} bodies`, ...below] : below
  }

  /** What is left when all has ended, and must not be. */
  get left(): ReadonlyArray<string> {
    const bodies = Array.from(this.bodies).flatMap(([path, count]) => count === 0 ? [] : [`a body of ${path}`])
    return [...bodies, ...this.open === 0 ? [] : ["a resource"], ...this.asked === 0 ? [] : ["a call"]]
  }

  private pick<A>(...of: ReadonlyArray<A>): A {
    return of[Math.floor(this.next() * of.length)]!
  }

  private chance(of: number): boolean {
    return !this.isCalm && this.next() < of
  }

  private get sleep(): Effect.Effect<void> {
    return Effect.sleep(Math.ceil(this.next() * 20))
  }

  private callOf(supervisor: AnySupervisor): Call {
    const id = this.pick(...ids, "e")
    const reason = this.pick(ExitReason.killed, ExitReason.shutdown(), ExitReason.failure("crash"))
    return this.pick<() => Call>(
      () => supervisor.countChildren,
      () => supervisor.whichChildren,
      () => supervisor.terminateChild(id),
      () => supervisor.restartChild(id),
      () => supervisor.deleteChild(id),
      () => supervisor.startChild(this.child(id, 2)),
      () => supervisor.exitChild(id, reason),
      () => DbRef.use(() => this.pause, { patience: Math.ceil(this.next() * 50) })
    )()
  }

  private callOfPool(pool: Pool): Call {
    const id = this.pick(...ids)
    const millis = Math.ceil(this.next() * 30)
    return this.pick<() => Call>(
      () => pool.startChild(id),
      () => pool.terminateChild(id),
      () => Effect.timeoutOption(pool.run(id), millis),
      () => Effect.flatMap(pool.ensureChild(id), (child) => Effect.timeoutOption(child.await, millis))
    )()
  }

  private readonly resource = Effect.acquireRelease(
    Effect.sync(() => this.open++),
    () => Effect.andThen(this.pause, Effect.sync(() => this.open--))
  )

  // Noted as long as it runs, its finalizers included: there is never a second one.
  private readonly body: Work = Effect.flatMap(Child.current, ({ path }) => {
    const change = (by: number) =>
      Effect.sync(() => {
        const count = (this.bodies.get(path) ?? 0) + by
        this.bodies.set(path, count)
        if (count > 1) this.wrong.push(`${path} runs ${count} times`)
      })
    return Effect.acquireUseRelease(
      change(1),
      () => this.life,
      () => Effect.andThen(this.chance(0.3) ? this.pause : Effect.void, change(-1))
    )
  })

  private readonly life: Work = Effect.gen({ self: this }, function*() {
    if (this.isCalm) return yield* Effect.never
    const linked = this.pick<Effect.Effect<void, string>>(Effect.fail("linked"), Effect.void)
    if (this.chance(0.2)) yield* Child.forkLinked(Effect.andThen(this.pause, linked))
    if (this.chance(0.2)) yield* this.resource
    yield* this.pause
    if (this.chance(0.3)) yield* this.call
    if (this.chance(0.1)) yield* Effect.uninterruptible(this.call)
    return yield* this.isCalm ? Effect.never : this.end
  })

  private get end(): Work {
    return this.pick<Work>(
      Effect.never,
      Effect.never,
      Effect.never,
      Effect.void,
      Effect.fail("crash"),
      Effect.die("bug"),
      Effect.interrupt,
      Child.exit(),
      Effect.ensuring(Effect.never, this.call),
      Effect.uninterruptible(this.sleep)
    )
  }

  private start<A>(value: A): Effect.Effect<A, string, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      if (this.isCalm) return value
      if (this.chance(0.3)) yield* this.resource
      yield* this.pause
      if (this.chance(this.isUp ? 0.15 : 0.02)) return yield* Effect.fail("no start")
      if (this.chance(0.04)) return yield* Child.ignore
      return value
    })
  }

  private options(): Child.Options {
    const check = Effect.suspend(() => {
      const answer = this.pick<Effect.Effect<void, string>>(Effect.void, Effect.void, Effect.fail("sick"))
      return this.isCalm ? Effect.void : Effect.andThen(this.pause, answer)
    })
    const backoff = this.pick<Backoff.Backoff>(Backoff.fixed("10 millis"), Schedule.recurs(2))
    return {
      restart: this.pick("permanent", "permanent", "transient", "temporary"),
      // Nobody is abandoned, or two of one could be alive.
      shutdown: "Infinity",
      ...this.chance(0.25) ? { backoff, onExhausted: this.pick("escalate", "give-up") } : undefined,
      ...this.chance(0.15) ? { readiness: { check, interval: 7 }, startTimeout: 100 } : undefined,
      ...this.chance(0.15) ? { liveness: { check, interval: 20, failureThreshold: 2 } } : undefined
    }
  }

  private child(id: string, depth: number): AnyChild {
    const options = this.options()
    const db = Layer.effect(Db, this.start(1))
    if (depth === 0 && id === "a") return Child.layer(id, db, { ...options, ref: DbRef }) as AnyChild
    const nested = this.pick<Making<unknown>>(this.pool, this.supervisor("nested", depth + 1))
    return this.pick<() => Child.Any>(
      () => Child.effect(id, this.body, options),
      () => Child.make(id, this.start(this.body), options),
      () => Child.layer(id, db, options),
      () => Child.task(id, this.start(1), { ...options, readiness: undefined, liveness: undefined }),
      ...depth === 2 ? [] : [() => Child.supervisor(id, Layer.effectDiscard(nested), options)]
    )() as AnyChild
  }

  private readonly pool: Making<Pool> = Effect.suspend(() => {
    const pool = DynamicSupervisor.make("pool", {
      child: (id: string) => this.child(id, 2),
      key: (id) => id,
      intensity: this.pick(2, 100),
      maxChildren: this.pick(3, Infinity)
    })
    return Effect.tap(pool, (pool) => Effect.sync(() => this.pools.push(pool)))
  })

  private supervisor(name: string, depth: number): Making<AnySupervisor> {
    return Effect.suspend(() => {
      const children = ids.slice(0, 1 + Math.floor(this.next() * ids.length)).map((id) => this.child(id, depth))
      const supervisor: Making<AnySupervisor> = Supervisor.make(name, {
        strategy: this.pick("one-for-one", "one-for-all", "rest-for-one"),
        intensity: this.pick(3, 100),
        period: "100 millis",
        children
      })
      return Effect.tap(supervisor, (supervisor) => Effect.sync(() => this.supervisors.push(supervisor)))
    })
  }
}
