import { VirtualTime } from "@coppice/testing"
import { assert, it } from "@effect/vitest"
import type { Supervisor, SupervisorEvent } from "coppice"
import {
  Cause,
  Clock,
  Context,
  Effect,
  type Exit,
  Fiber,
  Logger,
  type LogLevel,
  Metric,
  References,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { Kit } from "./kit.ts"

/** A log line as it was written. */
export interface Line {
  readonly level: LogLevel.LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause: Cause.Cause<unknown>
}

/** What a test can see of everything that runs in it: the log lines, the sleeping timers and the living fibers. */
export class World {
  readonly kit = new Kit()
  /** How many fibers sleep. */
  timers = 0
  private lines: Array<Line> = []
  private readonly fibers = new Map<string, number>()

  /** The log lines since this was asked last. */
  takeLines(): ReadonlyArray<Line> {
    const lines = this.lines
    this.lines = []
    return lines
  }

  /** The messages of the lines of at least this level since lines were asked last, each with the child it is about. */
  takeMessages(...levels: ReadonlyArray<LogLevel.LogLevel>): ReadonlyArray<string> {
    return this.takeLines().filter((line) => levels.includes(line.level)).map(({ fields, message }) =>
      fields["child"] === undefined ? message : `${fields["child"]}: ${message}`
    )
  }

  /** The paths of the children that have living fibers, and how many. */
  living(): Readonly<Record<string, number>> {
    return Object.fromEntries(Array.from(this.fibers).filter(([, count]) => count > 0))
  }

  readonly logger: Logger.Logger<unknown, void> = Logger.make(({ cause, fiber, logLevel, message }) => {
    const fields = fiber.getRef(References.CurrentLogAnnotations)
    this.lines.push({ level: logLevel, message: String(message), fields: { ...fields }, cause })
  })

  /** Runs an effect where this world sees it. */
  provide<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const counted = Clock.clockWith((clock) =>
      Effect.provideService(effect, Clock.Clock, { ...clock, sleep: (duration) => this.counted(clock.sleep(duration)) })
    )
    return counted.pipe(
      Effect.provideService(Metric.FiberRuntimeMetrics, {
        recordFiberStart: (context) => this.count(context, 1),
        recordFiberEnd: (context) => this.count(context, -1)
      }),
      Effect.provide(Logger.layer([this.logger]))
    )
  }

  private counted(sleep: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.timers++),
      () => sleep,
      () => Effect.sync(() => this.timers--)
    )
  }

  private count(context: Context.Context<never>, change: number): void {
    const path = Context.get(context, References.CurrentLogAnnotations)["coppice.path"]
    if (typeof path === "string") this.fibers.set(path, (this.fibers.get(path) ?? 0) + change)
  }
}

/** The answer of an effect that answers without time passing. */
export const answer = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  yield* VirtualTime.settle
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return assert.fail("there is no answer")
  return yield* exit
})

/** The events of a supervisor, collected from now on; `take` answers those since it was asked last. */
export const collect = Effect.fnUntraced(function*(supervisor: Pick<Supervisor.Supervisor<any>, "events">) {
  let events: Array<SupervisorEvent.SupervisorEvent> = []
  const reader = yield* Effect.forkChild(Stream.runForEach(supervisor.events, (event) =>
    Effect.sync(() => {
      events.push(event)
    })))
  yield* VirtualTime.settle
  const take = Effect.map(VirtualTime.settle, () => {
    const taken = events
    events = []
    return taken
  })
  return { take, hasEnded: Effect.map(VirtualTime.settle, () => reader.pollUnsafe() !== undefined) }
})

/** Every value there is, as an error. */
export type Anything = {} | null | undefined

/** Something that a test ends when it wants: an effect, and how to end it. */
export class Lever {
  private resume: ((how: Effect.Effect<void, Anything>) => void) | undefined = undefined

  readonly wait: Effect.Effect<void, Anything> = Effect.callback<void, Anything>((resume) => {
    this.resume = resume
  })

  /** Ends it, and answers when all has come to rest. What observers throw into it is swallowed. */
  pull(how: Effect.Effect<void, Anything>): Effect.Effect<void> {
    return Effect.suspend(() => {
      try {
        this.resume?.(how)
      } catch {
        // An observer's.
      }
      return VirtualTime.settle
    })
  }
}

// The scope is closed while time passes, and nothing may be left then: no timer, no fiber of a child.
const inScope = Effect.fnUntraced(function*<E>(
  world: World,
  test: (world: World) => Effect.Effect<void, E, Scope.Scope>,
  leftBehind: Readonly<Record<string, number>>
) {
  const scope = yield* Scope.make()
  const exit: Exit.Exit<void, E> = yield* Effect.exit(Scope.provide(Effect.suspend(() => test(world)), scope))
  const closing = yield* Effect.forkChild(Scope.close(scope, exit))
  yield* TestClock.adjust("2 days")
  yield* exit
  assert.isDefined(closing.pollUnsafe(), "the scope does not close")
  yield* Fiber.join(closing)
  assert.deepStrictEqual(world.living(), leftBehind, "the fibers that are left")
  assert.strictEqual(world.timers, 0, "the timers that are left")
})

/**
 * A test in a world of virtual time that sees everything. In the end nothing may be left, but for the fibers that are named with the
 * path of their child.
 */
export const scenario = (
  sentence: string,
  test: (world: World) => Effect.Effect<void, Anything, Scope.Scope>,
  leftBehind: Readonly<Record<string, number>> = {}
): void => {
  it.effect(sentence, () => {
    const world = new World()
    return VirtualTime.run(world.provide(inScope(world, test, leftBehind)))
  })
}
