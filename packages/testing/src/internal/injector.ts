import { Child, ChildMiddleware, ExitReason, type Supervisor, SupervisorError } from "coppice"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Fault } from "../Fault.ts"
import type { VirtualTime } from "../VirtualTime.ts"
import { CurrentHold, Hold } from "./hold.ts"

/** What a child fails or dies with when it is made to. */
export class InjectedFault extends Schema.TaggedError<InjectedFault>()("InjectedFault", {
  path: Schema.String,
  fault: Schema.String
}) {
  override get message(): string {
    return `injected: ${this.fault} of ${this.path}`
  }
}

type AnyEffect = Effect.Effect<unknown, {} | null | undefined>

/** An incarnation that lives, and what is going to be done to it. */
interface Life {
  readonly id: string
  readonly incarnation: number
  readonly supervisor: Supervisor.Supervisor
  readonly hold: Hold
  /** The fiber of its start, then that of its body, if it has one. */
  fiber: Fiber.Fiber<unknown, unknown>
  stopDelayMillis: number
  readonly uses: Array<"RefuseUse" | "LoseUse">
}

/** What is going to be done to the next start of a child. */
interface NextStart {
  fails: number
  delayMillis: number
}

/** Performs faults on the children of the trees around which its middleware is put. */
export class Injector {
  /** Every child that has ever begun to start, in order. */
  readonly paths = new Set<string>()
  private readonly world: VirtualTime
  private readonly onStart: (supervisor: Supervisor.Supervisor) => Effect.Effect<void>
  private readonly lives = new Map<string, Life>()
  private readonly nextStarts = new Map<string, NextStart>()
  /** Until when anybody hangs. */
  hangsUntilMillis = 0
  /** Who hangs, and whether deafly, once for each fault that is not over. */
  private readonly hanging = new Map<Hold, ReadonlyArray<{ readonly deaf: boolean }>>()

  /** `onStart` is told of the supervisor of each child that begins. */
  constructor(world: VirtualTime, onStart: (supervisor: Supervisor.Supervisor) => Effect.Effect<void>) {
    this.world = world
    this.onStart = onStart
  }

  readonly middleware: ChildMiddleware.ChildMiddleware = ({ incarnation, kind, path }) => {
    const hold = new Hold()
    hold.hasSupervisor = kind === "supervisor"
    for (const [above, life] of this.lives) if (path.startsWith(`${above}/`)) life.hold.hasSupervisor = true
    this.paths.add(path)
    return {
      start: (start) => Effect.andThen(this.begin(path, hold), held(start, hold)),
      run: (body) => {
        if (kind === "effect") return Effect.andThen(this.begin(path, hold), held(body, hold))
        return this.observed(path, incarnation, held(body, hold))
      },
      check: (check) => Effect.andThen(hold.released, check),
      use: (use, ref) => Effect.andThen(hold.released, this.used(path, use, ref))
    }
  }

  /** How many starts are yet to fail. */
  get startsToFail(): number {
    return Array.from(this.nextStarts.values()).reduce((sum, { fails }) => sum + fails, 0)
  }

  /** Performs a fault. Answers why it could not be done, if so. */
  readonly inject = Effect.fnUntraced(function*(this: Injector, fault: Fault) {
    const { path } = fault
    if (fault._tag === "FailStart" || fault._tag === "SlowStart") return this.prepare(fault)
    const life = this.lives.get(path)
    if (life === undefined) return isNotUp
    switch (fault._tag) {
      case "Hang":
      case "Freeze": {
        const hang = { deaf: fault._tag === "Freeze" }
        this.hangsUntilMillis = Math.max(this.hangsUntilMillis, (yield* Clock.currentTimeMillis) + fault.millis)
        this.hang(life.hold, [...this.hanging.get(life.hold) ?? [], hang])
        yield* Effect.forkScoped(Effect.delay(Effect.sync(() => this.endHang(life.hold, hang)), fault.millis))
        return
      }
      case "SlowStop":
        life.stopDelayMillis += fault.millis
        return
      case "RefuseUse":
      case "LoseUse":
        life.uses.push(fault._tag)
        return
      case "Interrupt":
        if (life.fiber.pollUnsafe() !== undefined) return "it has no fiber of its own"
        life.fiber.interruptUnsafe()
        return
      default:
        return yield* Effect.match(life.supervisor.exitChild(life.id, reasonOf(fault)), {
          onFailure: () => isNotUp,
          onSuccess: () => undefined
        })
    }
  })

  /** Nobody hangs any more. */
  releaseAll(): void {
    for (const hold of this.hanging.keys()) this.hang(hold, [])
  }

  private prepare(fault: Extract<Fault, { readonly _tag: "FailStart" | "SlowStart" }>): undefined {
    const next = this.nextStarts.get(fault.path) ?? { fails: 0, delayMillis: 0 }
    if (fault._tag === "FailStart") next.fails++
    else next.delayMillis += fault.millis
    this.nextStarts.set(fault.path, next)
  }

  // As long as one is left, and deaf if one of them is. Who goes on meanwhile is held again before it does anything.
  private hang(hold: Hold, hangs: ReadonlyArray<{ readonly deaf: boolean }>): void {
    this.hanging.set(hold, hangs)
    this.world.release(hold)
    if (hangs.length === 0) this.hanging.delete(hold)
    else this.world.hang(hold, hangs.some(({ deaf }) => deaf))
  }

  private endHang(hold: Hold, hang: { readonly deaf: boolean }): void {
    this.hang(hold, (this.hanging.get(hold) ?? []).filter((other) => other !== hang))
  }

  // What comes before anything of the child's own, and in its scope ends after all of it.
  private begin(path: string, hold: Hold): AnyEffect {
    const begin = Effect.gen({ self: this }, function*() {
      const { id, incarnation, supervisor } = yield* Child.current
      const fiber = yield* Effect.fiber
      hold.scope = yield* Effect.scope
      const life: Life = { id, incarnation, supervisor, hold, fiber, stopDelayMillis: 0, uses: [] }
      this.lives.set(path, life)
      yield* Effect.addFinalizer(() => this.end(path, life))
      yield* this.onStart(supervisor)
      const next = this.nextStarts.get(path)
      if (next === undefined) return
      const { delayMillis } = next
      next.delayMillis = 0
      yield* Effect.sleep(delayMillis)
      if (next.fails === 0) return
      next.fails--
      return yield* new InjectedFault({ path, fault: "FailStart" })
    })
    // What a middleware is given runs in the child's scope.
    return begin as Effect.Effect<unknown, InjectedFault, Exclude<Scope.Scope, Scope.Scope>>
  }

  private end(path: string, life: Life): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.lives.get(path) === life) this.lives.delete(path)
      return Effect.sleep(life.stopDelayMillis)
    })
  }

  private observed(path: string, incarnation: number, body: AnyEffect): AnyEffect {
    return Effect.withFiber((fiber) => {
      const life = this.lives.get(path)
      if (life?.incarnation === incarnation) life.fiber = fiber
      return body
    })
  }

  private used<A, E, R>(
    path: string,
    use: Effect.Effect<A, E, R>,
    ref: string
  ): Effect.Effect<A, E | SupervisorError.ChildDown | SupervisorError.ChildUnavailable, R> {
    const life = this.lives.get(path)
    switch (life?.uses.shift()) {
      case undefined:
        return use
      case "RefuseUse":
        return new SupervisorError.ChildUnavailable({ ref, reason: "not-back-in-time", patienceMillis: 0 })
      case "LoseUse": {
        const { incarnation } = life!
        return Effect.andThen(Effect.exit(use), new SupervisorError.ChildDown({ ref, path, incarnation }))
      }
    }
  }
}

const isNotUp = "it is not up"

const held = (effect: AnyEffect, hold: Hold): AnyEffect => Effect.provideService(effect, CurrentHold, hold)

const reasonOf = ({ _tag, path }: Fault): ExitReason.ExitReason => {
  switch (_tag) {
    case "Kill":
      return ExitReason.killed
    case "Panic":
      return ExitReason.defect(new InjectedFault({ path, fault: _tag }))
    default:
      return ExitReason.failure(new InjectedFault({ path, fault: _tag }))
  }
}
