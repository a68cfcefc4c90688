import { it } from "@effect/vitest"
import { Child, ExitReason, Supervisor } from "coppice"
import { Deferred, Effect, Exit, Fiber, Logger, Scheduler, Scope } from "effect"
import { pass, settle, withQuiet } from "./quiet.ts"

/** What a start attempt does: succeeds, fails, answers ignore, or waits until it is released and then does so. */
export type Outcome = "ok" | "fail" | "ignore" | "hold" | "hold-fail"

export interface WorkerOptions {
  /** Outcomes of the start attempts in order; all further ones succeed. */
  readonly starts?: ReadonlyArray<Outcome>
  /** Whether its stop waits until it is released. */
  readonly slowStop?: boolean
  /** Whether its body cannot be interrupted. */
  readonly stubborn?: boolean
  /** Whether its body fails when it is asked to stop. */
  readonly failsWhenAsked?: boolean
}

interface Life {
  /** Ends its body, once that has begun. */
  leave: ((how: Effect.Effect<void, string>) => void) | undefined
  up: boolean
}

/** A child of tests: what it requires has been given, and its id is any string. */
export type AnyChild = Child.Child<string, never, never>

/**
 * Scripted children and the trace they leave: `start a`, `fail a`, `ignore a`, `exit a` when it left by itself, `stop a`
 * when it was told to.
 */
export class Kit {
  private trace: Array<string> = []
  private readonly lives = new Map<string, Life>()
  private readonly holds = new Map<string, Deferred.Deferred<void>>()
  private readonly starts = new Map<string, number>()

  /** The trace since this was asked last. */
  take(): ReadonlyArray<string> {
    const trace = this.trace
    this.trace = []
    return trace
  }

  note(what: string): void {
    this.trace.push(what)
  }

  /** How often a child's start has been tried. */
  attempts(id: string): number {
    return this.starts.get(id) ?? 0
  }

  isUp(id: string): boolean {
    return this.lives.get(id)?.up === true
  }

  child<const O extends Child.Options & WorkerOptions = {}>(id: string, options?: O): AnyChild {
    const start = Effect.suspend(() => {
      const attempt = this.attempts(id)
      this.starts.set(id, attempt + 1)
      return this.perform(id, options?.starts?.[attempt] ?? "ok", options ?? {})
    })
    return Child.make(id, start, options as Child.Options)
  }

  /** Releases whoever holds under this name: a start, or a slow stop. */
  release(id: string): Effect.Effect<void> {
    return Effect.andThen(Deferred.succeed(this.hold(id), undefined), settle)
  }

  /** The child leaves by itself; answers when all has come to rest. */
  leave(id: string, how: Effect.Effect<void, string>): Effect.Effect<void> {
    return this.leaveTogether([id], () => how)
  }

  crash(id: string): Effect.Effect<void> {
    return this.leave(id, Effect.fail(`${id} crashed`))
  }

  /** Several leave before anything else happens. */
  crashTogether(...ids: ReadonlyArray<string>): Effect.Effect<void> {
    return this.leaveTogether(ids, (id) => Effect.fail(`${id} crashed`))
  }

  private leaveTogether(
    ids: ReadonlyArray<string>,
    how: (id: string) => Effect.Effect<void, string>
  ): Effect.Effect<void> {
    const leave = Effect.suspend(() => {
      for (const id of ids) this.leaveNow(id, how(id))
      return settle
    })
    // A start that has been answered does not say that the body has begun.
    const begun = Effect.suspend(() =>
      ids.every((id) => this.lives.get(id)?.leave !== undefined) ? Effect.void : settle
    )
    return Effect.andThen(begun, leave)
  }

  private leaveNow(id: string, how: Effect.Effect<void, string>): void {
    const life = this.lives.get(id)
    if (life?.up !== true || life.leave === undefined) throw new Error(`${id} is not up`)
    life.leave(how)
  }

  private hold(id: string): Deferred.Deferred<void> {
    let hold = this.holds.get(id)
    if (hold === undefined || hold.effect !== undefined) {
      hold = Deferred.makeUnsafe<void>()
      this.holds.set(id, hold)
    }
    return hold
  }

  private perform(
    id: string,
    outcome: Outcome,
    options: WorkerOptions
  ): Effect.Effect<Effect.Effect<void, string>, string, Scope.Scope> {
    switch (outcome) {
      case "ok":
        return this.up(id, options)
      case "fail":
        this.note(`fail ${id}`)
        return Effect.fail(`${id} does not start`)
      case "ignore":
        this.note(`ignore ${id}`)
        return Child.ignore
      case "hold":
      case "hold-fail":
        this.note(`hold ${id}`)
        return Effect.andThen(
          Deferred.await(this.hold(id)),
          Effect.suspend(() => this.perform(id, outcome === "hold" ? "ok" : "fail", options))
        )
    }
  }

  private up(id: string, options: WorkerOptions): Effect.Effect<Effect.Effect<void, string>, never, Scope.Scope> {
    const life: Life = { leave: undefined, up: true }
    this.lives.set(id, life)
    this.note(`start ${id}`)
    const waiting = Effect.callback<void, string>((resume) => {
      life.leave = resume
    })
    const body = Effect.onExit(options.stubborn === true ? Effect.uninterruptible(waiting) : waiting, (exit) => {
      life.up = false
      const asked = Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Interrupt")
      this.note(`${asked ? "stop" : "exit"} ${id}`)
      return asked && options.failsWhenAsked === true ? Effect.die("oops") : Effect.void
    })
    if (options.slowStop !== true) return Effect.succeed(body)
    return Effect.as(
      Effect.addFinalizer(() =>
        Effect.andThen(Deferred.await(this.hold(id)), Effect.sync(() => this.note(`gone ${id}`)))
      ),
      body
    )
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
    // At once, whatever the order of events: nothing else has a turn meanwhile.
    const asking = Effect.forkChild(Effect.exit(supervisor.await), { startImmediately: true })
    const fiber = yield* Effect.provideService(asking, Scheduler.PreventSchedulerYield, true)
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
  yield* pass("2 days")
  yield* Fiber.join(closing)
  return yield* exit
})

/** A test of one rule, named by its number and its sentence, in a quiet world without logs. */
export const rule = (
  number: string,
  sentence: string,
  test: (kit: Kit) => Effect.Effect<void, {} | null | undefined, Scope.Scope>
): void => {
  it.effect(`${number}: ${sentence}`, () => withQuiet(inScope(test)).pipe(Effect.provide(Logger.layer([]))))
}
