import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/** A group of fibers that can be made to hang: those in whose context it is, and those they fork. */
export class Hold {
  private state: "free" | "held" | "deaf" = "free"
  private kept: Array<() => void> = []
  /** That in which they live. When it is closed they have been told to end, and what they leave to be done is done. */
  scope: Scope.Scope | undefined = undefined

  /** Whether a supervisor lives among them. It is not one of the child's own: they then go on, and only others wait. */
  hasSupervisor = false

  /** Waits while they are held. Whoever is about to go on may find that they are held again. */
  readonly released: Effect.Effect<void> = Effect.suspend(() => {
    if (this.state === "free") return Effect.void
    const goesOn = Effect.callback<void>((resume) => void this.kept.push(() => resume(Effect.void)))
    return Effect.andThen(goesOn, this.released)
  })

  /** They do nothing more, until they are released or told to end; where they are deaf only until they are released. */
  begin(deaf: boolean): void {
    this.state = deaf ? "deaf" : "held"
  }

  /** They go on. Answers what they were about to do. */
  release(): ReadonlyArray<() => void> {
    const { kept } = this
    this.state = "free"
    this.kept = []
    return kept
  }

  holds(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.hasSupervisor) return false
    if (this.state !== "held") return this.state === "deaf"
    return this.scope?.state._tag !== "Closed" && !isInterrupted(fiber)
  }

  keep(task: () => void): void {
    this.kept.push(task)
  }
}

/** The hold of the fibers here. */
export const CurrentHold = Context.Reference<Hold | undefined>("@coppice/testing/internal/hold/CurrentHold", {
  defaultValue: () => undefined
})

// Effect tells nobody but the fiber itself. If it no longer kept this here, a fiber that hangs could not be stopped either.
const isInterrupted = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  "_interruptedCause" in fiber && fiber._interruptedCause !== undefined
