import { Child, ExitReason, Supervisor, type SupervisorError } from "coppice"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Scenario from "../Scenario.ts"

type AnyChild = Child.Child<string, never, never>

type StopReason = "normal" | "shutdown" | "crash" | "killed"

/** A worker that is up. */
interface Running {
  readonly supervisor: string
  /** Makes it end by itself. */
  readonly leave: (how: Effect.Effect<void, "crash">) => void
  /** Why it will have ended, if it does not just do as it is asked. */
  reason: StopReason | undefined
}

const strategies = {
  one_for_one: "one-for-one",
  one_for_all: "one-for-all",
  rest_for_one: "rest-for-one"
} as const

const autoShutdowns = {
  never: "never",
  any_significant: "any-significant",
  all_significant: "all-significant"
} as const

/**
 * The workers and supervisors of one scenario, as real children of real supervisors. They write down what happens to
 * them, the moment it happens.
 */
export class Actors {
  readonly workers = new Map<string, Running>()
  readonly supervisors = new Map<string, Supervisor.Supervisor>()
  private events: Array<Scenario.TraceEvent> = []

  /** What has happened since this was asked last. */
  takeEvents(): ReadonlyArray<Scenario.TraceEvent> {
    const events = this.events
    this.events = []
    return events
  }

  /** A worker ends by itself, or is killed from outside. False: it is not up. */
  exit(id: string, reason: "normal" | "shutdown" | "crash" | "kill"): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const worker = this.workers.get(id)
      if (worker === undefined) return Effect.succeed(false)
      worker.reason = reason === "kill" ? "killed" : reason
      switch (reason) {
        case "kill":
          return this.supervisors.get(worker.supervisor)!.exitChild(id, ExitReason.killed).pipe(
            Effect.orDie, // it is up, so its supervisor and its entry are there
            Effect.as(true)
          )
        case "normal":
          worker.leave(Effect.void)
          break
        case "shutdown":
          worker.leave(Child.exit())
          break
        case "crash":
          worker.leave(Effect.fail("crash"))
      }
      return Effect.succeed(true)
    })
  }

  child(supervisor: string, spec: Scenario.Worker | Scenario.Supervisor): AnyChild {
    return spec.type === "worker" ? this.worker(supervisor, spec) : this.supervisor(spec)
  }

  /** A supervisor in the current scope. */
  make(spec: Scenario.Supervisor): Effect.Effect<Supervisor.Supervisor, SupervisorError.ChildStartFailed, Scope.Scope> {
    // Made once, not at each start: a worker counts its start attempts over the whole scenario.
    const children = spec.children.map((child) => this.child(spec.id, child))
    return Effect.gen({ self: this }, function*() {
      let up = false
      const stopped = Effect.sync(() => {
        if (up) this.write({ ev: "sup_stop", id: spec.id, reason: "shutdown" })
        up = false
      })
      // Registered before the supervisor's own finalizer, and so run after it: all its children are gone by then.
      yield* Effect.addFinalizer(() => stopped)
      const supervisor: Supervisor.Supervisor = yield* Supervisor.make(spec.id, {
        strategy: strategies[spec.strategy],
        intensity: spec.intensity,
        period: `${spec.period} seconds`,
        autoShutdown: autoShutdowns[spec.autoShutdown],
        children
      }).pipe(Effect.onError(() => Effect.sync(() => this.write({ ev: "sup_start_failed", id: spec.id }))))
      up = true
      this.supervisors.set(spec.id, supervisor)
      this.write({ ev: "sup_start", id: spec.id })
      // A root that ends by itself keeps its scope; nothing happens after its end.
      if (spec.id === "root") yield* Effect.forkDetach(Effect.andThen(Effect.exit(supervisor.await), stopped))
      return supervisor
    })
  }

  private supervisor(spec: Scenario.Supervisor): AnyChild {
    return Child.supervisor(spec.id, Layer.effectDiscard(this.make(spec)), options(spec))
  }

  private worker(supervisor: string, spec: Scenario.Worker): AnyChild {
    let attempt = 0
    const start = Effect.suspend(() => {
      const outcome = spec.start[attempt++] ?? "ok"
      if (outcome === "ok") return this.run(supervisor, spec)
      this.write({ ev: outcome === "fail" ? "start_failed" : "ignored", id: spec.id })
      return outcome === "fail" ? Effect.fail("start_failed" as const) : Child.ignore
    })
    return Child.make(spec.id, start, { ...options(spec), shutdown: shutdown(spec) } as Child.Options)
  }

  private run(
    supervisor: string,
    spec: Scenario.Worker
  ): Effect.Effect<Effect.Effect<void, "crash">, never, Scope.Scope> {
    let leave: Running["leave"] = () => {}
    const worker: Running = { supervisor, leave: (how) => leave(how), reason: undefined }
    const waiting = Effect.callback<void, "crash">((resume) => {
      leave = resume
    })
    const stopped = (reason: StopReason) => {
      if (this.workers.get(spec.id) !== worker) return
      this.workers.delete(spec.id)
      this.write({ ev: "stop", id: spec.id, reason: worker.reason ?? reason })
    }
    this.workers.set(spec.id, worker)
    this.write({ ev: "start", id: spec.id })
    const body = Effect.onExit(
      spec.ignoresShutdown ? Effect.uninterruptible(waiting) : waiting,
      (exit) =>
        Effect.sync(() =>
          stopped(Exit.isSuccess(exit) ? "normal" : spec.shutdown === "brutal_kill" ? "killed" : "shutdown")
        )
    )
    // Of one that does not react only its scope's closing tells that it is gone: it was abandoned, OTP's kill.
    return Effect.as(Effect.addFinalizer(() => Effect.sync(() => stopped("killed"))), body)
  }

  private write(event: Scenario.TraceEvent): void {
    this.events.push(event)
  }
}

const options = (spec: Scenario.Worker | Scenario.Supervisor): Child.Options =>
  ({ restart: spec.restart, significant: spec.significant }) as Child.Options

const shutdown = (spec: Scenario.Worker) =>
  spec.shutdown === "brutal_kill" ? "brutal-kill" : spec.shutdown === "infinity" ? "Infinity" : spec.shutdown
