import { VirtualTime } from "@coppice/testing"
import { type Child, ExitReason, type Supervisor } from "coppice"
import { Context, Effect, type Exit, Layer } from "effect"

/** One build of a resource. */
export interface Instance {
  readonly name: string
  readonly number: number
  open: boolean
}

export class Pool extends Context.Service<Pool, Instance>()("coppice/test/support/resources/Pool") {}

export class Db extends Context.Service<Db, Instance>()("coppice/test/support/resources/Db") {}

/** Resources that are counted, and the trace they leave: `open pool 1`, `use a pool 1`, `close pool 1`. */
export class Ledger {
  readonly built: Array<Instance> = []
  private trace: Array<string> = []
  private readonly uses = new Map<string, Array<Instance>>()
  private readonly counts = new Map<string, number>()

  note(what: string): void {
    this.trace.push(what)
  }

  /** The trace since this was asked last. */
  take(): ReadonlyArray<string> {
    const trace = this.trace
    this.trace = []
    return trace
  }

  /** How often a resource has been built. */
  builds(name: string): number {
    return this.counts.get(name) ?? 0
  }

  /** The builds of a resource that are open. */
  open(name: string): ReadonlyArray<number> {
    return this.built.filter((instance) => instance.name === name && instance.open).map(({ number }) => number)
  }

  /** What a child has been given, incarnation by incarnation. */
  used(id: string): ReadonlyArray<number> {
    return (this.uses.get(id) ?? []).map(({ number }) => number)
  }

  /** What a child was given last. */
  last(id: string): Instance | undefined {
    return this.uses.get(id)?.at(-1)
  }

  /** A resource, open as long as its scope is; `slow` is how long its release takes. */
  acquire(name: string, slow: Effect.Effect<void> = Effect.void) {
    const acquire = Effect.sync((): Instance => {
      const number = this.builds(name) + 1
      this.counts.set(name, number)
      const instance = { name, number, open: true }
      this.built.push(instance)
      this.note(`open ${name} ${number}`)
      return instance
    })
    return Effect.acquireRelease(acquire, (instance) =>
      Effect.andThen(
        slow,
        Effect.sync(() => {
          instance.open = false
          this.note(`close ${name} ${instance.number}`)
        })
      ))
  }

  pool(slow?: Effect.Effect<void>): Layer.Layer<Pool> {
    return Layer.effect(Pool, this.acquire("pool", slow))
  }

  db(slow?: Effect.Effect<void>): Layer.Layer<Db> {
    return Layer.effect(Db, this.acquire("db", slow))
  }

  /** Something that uses a pool under this name. */
  user(id: string): Layer.Layer<never, never, Pool> {
    return Layer.effectDiscard(Effect.map(Pool, (pool) => this.use(id, pool)))
  }

  use(id: string, instance: Instance): void {
    this.uses.set(id, [...this.uses.get(id) ?? [], instance])
    this.note(`use ${id} ${instance.name} ${instance.number}`)
  }
}

/** A child of tests: what it requires has been given. */
export type Given<Id extends string = string> = Child.Child<Id, never, never>

/** A child as a list of unknown length takes it: what it gives nobody uses. */
export const given = (child: Child.Any): Given => child as Given

/** What crashes a child from outside. */
export const crashed = ExitReason.failure("crashed")

/** Crashes a child, so many times; answers when all has come to rest. */
export const crash = (supervisor: Supervisor.Supervisor<any>, id: string, times = 1): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let time = 0; time < times; time++) {
      yield* Effect.orDie(supervisor.exitChild(id, crashed))
      yield* VirtualTime.settle
    }
  })

/** What came out, if it did. */
export const failureOf = (exit: Exit.Exit<unknown, unknown> | undefined): string =>
  exit === undefined ? "no answer" : String(exit)
