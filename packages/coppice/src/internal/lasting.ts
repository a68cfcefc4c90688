import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Entry } from "./children.ts"
import type { Step } from "./steps.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** What one child has built to last, by the layers, and what it lives in. */
class Kept {
  readonly scope = Scope.makeUnsafe()
  private readonly memoMap: Layer.MemoMap
  private readonly built = new Map<unknown, Context.Context<any>>()

  constructor(memoMap: Layer.MemoMap) {
    this.memoMap = memoMap
  }

  /** Once built it is handed out: to ask the memo map each time would have it remember each asking. */
  get<ROut, E, RIn>(layer: Layer.Layer<ROut, E, RIn>): Effect.Effect<Context.Context<ROut>, E, RIn> {
    const built = this.built.get(layer)
    if (built !== undefined) return Effect.succeed(built)
    return Effect.tap(
      Layer.buildWithMemoMap(layer, this.memoMap, this.scope),
      (services) => Effect.sync(() => this.built.set(layer, services))
    )
  }
}

/** What children build to last longer than an incarnation: until they are forgotten, or their supervisor has ended. */
export class Lasting {
  private readonly core: SupervisorCore
  private readonly byEntry = new Map<Entry, Kept>()
  /** Of those that have been forgotten. */
  private readonly closing = new Set<Fiber.Fiber<void>>()

  constructor(core: SupervisorCore) {
    this.core = core
  }

  /** What a child has built to last, or will. */
  static of(core: SupervisorCore, entry: Entry): Kept {
    return (core.lasting ??= new Lasting(core)).of(entry)
  }

  private of(entry: Entry): Kept {
    const found = this.byEntry.get(entry)
    if (found !== undefined) return found
    // What the surroundings had built is shared, what siblings build is not: they may end before it.
    const surroundings = Context.get(this.core.childContext as Context.Context<any>, Layer.CurrentMemoMap)
    const kept = new Kept(Layer.forkMemoMapUnsafe(surroundings))
    this.byEntry.set(entry, kept)
    return kept
  }

  /** A child is forgotten. */
  release(entry: Entry): void {
    const kept = this.byEntry.get(entry)
    if (kept === undefined) return
    this.byEntry.delete(entry)
    const fiber = Effect.runForkWith(this.core.context)(this.close(entry, kept))
    this.closing.add(fiber)
    fiber.addObserver(() => this.closing.delete(fiber))
  }

  /** The supervisor ends: all of it, that of the latest first. */
  *releaseAll(): Step {
    for (const [entry, kept] of Array.from(this.byEntry).toReversed()) yield this.close(entry, kept)
    this.byEntry.clear()
    yield Fiber.awaitAll(this.closing)
  }

  // In a fiber of its own, so that whoever waits for it can stop waiting: for no longer than for the child itself.
  private close(entry: Entry, { scope }: Kept): Effect.Effect<void> {
    const { context, report } = this.core
    return Effect.suspend(() => {
      const closing = Effect.runForkWith(context)(
        Effect.catchCause(
          Scope.close(scope, Exit.void),
          (cause) => Effect.sync(() => report.lastingFailed(entry, cause))
        )
      )
      return Fiber.await(closing).pipe(
        Effect.timeoutOrElse({
          duration: entry.spec.shutdownMillis,
          orElse: () => Effect.sync(() => report.lastingAbandoned(entry))
        }),
        Effect.asVoid
      )
    })
  }
}
