/**
 * Performs recorded scenarios on the real supervisor, under virtual time, and compares with what OTP did.
 *
 * @since 0.1.0
 */
import type { Supervisor, SupervisorError } from "coppice"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { Actors } from "./internal/actors.ts"
import { supervisorsOf } from "./internal/scenarioTree.ts"
import type * as Scenario from "./Scenario.ts"
import { type Options, VirtualTime } from "./VirtualTime.ts"

/**
 * The first difference between what OTP did and what happened here. Step 0 is the start of the tree.
 *
 * @category models
 * @since 0.1.0
 */
export interface Difference {
  readonly id: string
  readonly step: number
  readonly what: "result" | "events" | "state"
  readonly expected: unknown
  readonly got: unknown
}

/**
 * Performs one scenario, in a world of the given order. Answers the first difference, or nothing if there is none.
 *
 * @category running
 * @since 0.1.0
 */
export const check = (scenario: Scenario.Scenario, options?: Options): Difference | undefined =>
  new Run(scenario, options).differs()

/**
 * Renders a difference for people.
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (difference: Difference): string =>
  [
    `${difference.id}: step ${difference.step}, ${difference.what}`,
    `  expected ${JSON.stringify(difference.expected)}`,
    `  got      ${JSON.stringify(difference.got)}`
  ].join("\n")

type CallError =
  | SupervisorError.ChildNotFound
  | SupervisorError.ChildRunning
  | SupervisorError.ChildRestarting
  | SupervisorError.ChildAlreadyStarted
  | SupervisorError.ChildAlreadyPresent
  | SupervisorError.ChildStartFailed
  | SupervisorError.InvalidChild
  | SupervisorError.SupervisorDown
  | SupervisorError.CallFromWithin

// OTP's words for our errors; what a failed start is called depends on the call.
const answers: Record<Exclude<CallError["_tag"], "ChildStartFailed">, string> = {
  ChildNotFound: "error:not_found",
  ChildRunning: "error:running",
  ChildRestarting: "error:restarting",
  ChildAlreadyStarted: "error:already_started",
  ChildAlreadyPresent: "error:already_present",
  InvalidChild: "error:bad_combination",
  SupervisorDown: "error:noproc",
  CallFromWithin: "error:call_from_within"
}

class Run {
  private readonly scenario: Scenario.Scenario
  private readonly time: VirtualTime
  private readonly actors = new Actors()
  private readonly scope = Scope.makeUnsafe()
  private readonly supervisorIds: ReadonlySet<string>
  private rootStarted = false

  constructor(scenario: Scenario.Scenario, options: Options | undefined) {
    this.scenario = scenario
    this.time = new VirtualTime(options)
    this.supervisorIds = new Set(supervisorsOf(scenario.tree).map(({ id }) => id))
  }

  differs(): Difference | undefined {
    const { expect, steps } = this.scenario
    let state: Scenario.TreeState | undefined
    for (let step = 0; step < expect.length; step++) {
      const expected = expect[step]!
      const result = step === 0 ? this.start() : this.perform(steps[step - 1]!)
      state = expected.state ?? state
      const wanted = { result: expected.result, events: expected.events.map(withoutComment), state }
      const got = { result, events: this.actors.takeEvents(), state: this.state() }
      for (const what of ["result", "events", "state"] as const) {
        if (!isSame(wanted[what], got[what])) {
          return { id: this.scenario.id, step, what, expected: wanted[what], got: got[what] }
        }
      }
    }
    return undefined
  }

  private start(): string {
    const exit = this.run(Scope.provide(this.actors.make(this.scenario.tree), this.scope))
    if (exit === undefined) return "the start does not end"
    this.rootStarted = Exit.isSuccess(exit)
    if (this.rootStarted) return "ok"
    return String(exit).includes("InvalidChild") ? "error:bad_combination" : "error:failed_to_start_child"
  }

  private perform(step: Scenario.Step): string {
    switch (step.op) {
      case "exit":
        return this.answer(Effect.map(this.actors.exit(step.id, step.reason), (up) => up ? "ok" : "error:not_running"))
      case "advance":
        this.time.advance(step.ms)
        return "ok"
      case "stop":
        return this.answer(Effect.as(Scope.close(this.scope, Exit.void), "ok"))
      default: {
        const supervisor = this.actors.supervisors.get(step.supervisor)
        return supervisor === undefined ? "error:noproc" : this.answer(this.call(supervisor, step))
      }
    }
  }

  private call(
    supervisor: Supervisor.Supervisor,
    step: Extract<Scenario.Step, { readonly supervisor: string }>
  ): Effect.Effect<string> {
    const startFailed = step.op === "restartChild" && this.supervisorIds.has(step.id)
      ? "error:failed_to_start_child"
      : "error:start_failed"
    return this.callOf(supervisor, step).pipe(
      Effect.match({
        onFailure: (error) => error._tag === "ChildStartFailed" ? startFailed : answers[error._tag],
        onSuccess: (handle) => handle?.ignored === true ? "ok:ignore" : "ok"
      })
    )
  }

  private callOf(
    supervisor: Supervisor.Supervisor,
    step: Extract<Scenario.Step, { readonly supervisor: string }>
  ): Effect.Effect<Supervisor.ChildHandle | void, CallError> {
    switch (step.op) {
      case "startChild":
        return supervisor.startChild(this.actors.child(step.supervisor, step.child))
      case "terminateChild":
        return supervisor.terminateChild(step.id)
      case "restartChild":
        return supervisor.restartChild(step.id)
      case "deleteChild":
        return supervisor.deleteChild(step.id)
    }
  }

  private state(): Scenario.TreeState {
    const supervisors: Record<string, Scenario.TreeState["supervisors"][string]> = {}
    for (const id of this.supervisorIds) {
      const supervisor = this.actors.supervisors.get(id)
      if (supervisor === undefined) continue
      const asked = this.run(Effect.option(Effect.all([supervisor.countChildren, supervisor.whichChildren])))
      if (asked === undefined || Exit.isFailure(asked) || asked.value._tag === "None") continue
      const [count, children] = asked.value.value
      supervisors[id] = {
        count: [count.specs, count.active, count.supervisors, count.workers],
        children: children.map((child) => `${child.state === "running" ? "" : "-"}${child.id}`).toReversed()
      }
    }
    const root = !this.rootStarted ? "not_started" : "root" in supervisors ? "alive" : "exited:shutdown"
    return { root, workers: [...this.actors.workers.keys()].toSorted(), supervisors }
  }

  private answer(effect: Effect.Effect<string>): string {
    const exit = this.run(effect)
    if (exit === undefined) return "no answer"
    return Exit.isSuccess(exit) ? exit.value : String(exit)
  }

  // Time stands still, except where a worker has to be waited for: its shutdown time must pass.
  private run<A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> | undefined {
    const fiber = Effect.runForkWith(this.time.context)(Effect.provide(effect, silent))
    this.time.settle()
    if (this.scenario.features.includes("ignoresShutdown")) this.time.runFreely()
    return fiber.pollUnsafe()
  }
}

const silent = Logger.layer([])

// `Equal` hashes both sides first: that alone was a quarter of the time.
const isSame = (wanted: unknown, got: unknown): boolean =>
  JSON.stringify(wanted) === JSON.stringify(got) || Equal.equals(wanted, got)

const withoutComment = ({ why: _, ...event }: Scenario.TraceEvent): Scenario.TraceEvent => event
