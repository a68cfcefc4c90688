import { TestChild, Trace, VirtualTime } from "@coppice/testing"
import { it } from "@effect/vitest"
import { Child, ExitReason, Supervisor } from "coppice"
import { Effect, Exit, Fiber, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"

/** A child of tests: what it requires has been given, and its id is any string. */
export type AnyChild = Child.Child<string, never, never>

type AnyTestChild = TestChild.TestChild<AnyChild>

/** Test children that are found by their ids, and write in one trace. */
export class Kit {
  private readonly trace = Effect.runSync(Trace.make)
  /** All that have been made with an id: it may be made again when it has been deleted, or a start of it refused. */
  private readonly children = new Map<string, ReadonlyArray<AnyTestChild>>()

  /** The trace since this was asked last. */
  take(): ReadonlyArray<string> {
    return Effect.runSync(this.trace.take)
  }

  note(what: string): void {
    Effect.runSync(this.trace.note(what))
  }

  /** How often a child's start has been tried. */
  attempts(id: string): number {
    return this.all(id).reduce((sum, child) => sum + Effect.runSync(child.starts), 0)
  }

  state(id: string): TestChild.State {
    return Effect.runSync(this.latest(id).state)
  }

  isUp(id: string): boolean {
    return this.all(id).some((child) => Effect.runSync(child.isUp))
  }

  /** A child. If one has been made with this id, its script goes on. */
  child(id: string, options: TestChild.Options = {}): AnyChild {
    const starts = options.starts?.slice(this.attempts(id))
    const child = Effect.runSync(TestChild.make(id, { ...options, trace: this.trace, starts }))
    this.children.set(id, [...this.all(id), child])
    return child.child
  }

  release(id: string): Effect.Effect<void> {
    return Effect.suspend(() => this.latest(id).release)
  }

  leave(id: string, how: Effect.Effect<void, string>): Effect.Effect<void> {
    return Effect.suspend(() => this.latest(id).leave(how))
  }

  return(id: string): Effect.Effect<void> {
    return Effect.suspend(() => this.latest(id).return)
  }

  crash(id: string): Effect.Effect<void> {
    return Effect.suspend(() => this.latest(id).crash)
  }

  /** Several crash before anything else happens. */
  crashTogether(...ids: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.forEach(ids, (id) => this.crash(id), { concurrency: "unbounded", discard: true })
  }

  private all(id: string): ReadonlyArray<AnyTestChild> {
    return this.children.get(id) ?? []
  }

  /** That of the id which is not down, if there is one. */
  private latest(id: string): AnyTestChild {
    const all = this.all(id)
    const latest = all.findLast((child) => Effect.runSync(child.state) !== "down") ?? all.at(-1)
    if (latest === undefined) throw new Error(`${id} has not been made`)
    return latest
  }
}

/** Leaves cleanly, by `Child.exit`. */
export const shutdown: Effect.Effect<void> = Child.exit()

/** What the restart rules need to see many of: a supervisor that never gives up. */
export const patient = { intensity: 1000, period: "1 hour" } as const

/** The states of a supervisor's children, in start order. */
export const states = (supervisor: Supervisor.Supervisor): Effect.Effect<Record<string, string>> =>
  Effect.map(supervisor.tree, (tree) => Object.fromEntries(tree.children.map((child) => [child.id, child.state])))

/** Whether a supervisor has ended, and how. */
export const ended = (supervisor: Supervisor.Supervisor): Effect.Effect<"no" | "shut down" | "gave up"> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(supervisor.await), { startImmediately: true })
    const exit = fiber.pollUnsafe()
    if (exit === undefined) return "no"
    return Exit.isSuccess(exit) && Exit.isSuccess(exit.value) ? "shut down" : "gave up"
  })

/** An abnormal exit signal. */
export const killed = ExitReason.killed

// The scope is closed while time passes: what a test leaves behind may be waited for.
const inScope = Effect.fnUntraced(function*<E>(test: (kit: Kit) => Effect.Effect<void, E, Scope.Scope>) {
  const scope = yield* Scope.make()
  const exit = yield* Effect.exit(Scope.provide(Effect.suspend(() => test(new Kit())), scope))
  const closing = yield* Effect.forkChild(Scope.close(scope, exit))
  yield* TestClock.adjust("2 days")
  yield* Fiber.join(closing)
  return yield* exit
})

/** A test of one rule, named by its number and its sentence, in a world of virtual time without logs. */
export const rule = (
  number: string,
  sentence: string,
  test: (kit: Kit) => Effect.Effect<void, {} | null | undefined, Scope.Scope>
): void => {
  it.effect(`${number}: ${sentence}`, () => VirtualTime.run(inScope(test)).pipe(Effect.provide(Logger.layer([]))))
}
