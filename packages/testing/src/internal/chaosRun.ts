import { ChildMiddleware, Supervisor, SupervisorEvent } from "coppice"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Fault from "../Fault.ts"
import { Invariants } from "../Invariants.ts"
import * as VirtualTime from "../VirtualTime.ts"
import { Injector } from "./injector.ts"

/** A fault, and how long after the one before it comes. */
export interface Step {
  readonly afterMillis: number
  readonly fault: Fault.Fault
}

/** What is done in a run, and the seed of the order in which its fibers run; 0 is that of their arrival. */
export interface Plan {
  readonly order: number
  readonly steps: ReadonlyArray<Step>
}

type AnyError = {} | null | undefined

/** A user's effect, its requirements given when it runs. */
type AnyEffect = Effect.Effect<unknown, AnyError>

/** What is tested, its types erased. */
export interface Subject {
  readonly layer: Layer.Layer<never, AnyError>
  readonly world: Layer.Layer<never, AnyError>
  readonly workload: AnyEffect
  readonly always: Readonly<Record<string, AnyEffect>>
  readonly eventually: Readonly<Record<string, AnyEffect>>
  readonly limitMillis: number
}

/** A rule that was broken. */
export class Violation extends Schema.TaggedError<Violation>()("Violation", {
  rule: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail === "" ? this.rule : `${this.rule}: ${this.detail}`
  }
}

/** How a run went. */
export interface Outcome {
  readonly violation: Violation | undefined
  /** What happened, a line each. */
  readonly trace: ReadonlyArray<string>
  /** The children that were there. */
  readonly paths: ReadonlySet<string>
  /** How many faults had an effect. */
  readonly faults: number
  /** How often the program ended, and was started anew. */
  readonly ends: number
  /** The invariants that could be checked. */
  readonly checked: ReadonlySet<string>
}

/** How long the world is without the program when that has ended. */
const pauseBeforeStart = Duration.seconds(1)

/** How often the program may end after the last fault: what has been done to it may yet have its effect. */
const endsAfterFaults = 3

/** How long the world is given to be built and to end, and the program to stop. */
const patienceMillis = Duration.toMillis(Duration.hours(1))

/** How long it is waited at most before it is looked again whether nothing is wrong any more. */
const longestPause = 10_000

/** How much a program may do at one moment. */
const opsAtOnce = 1_000_000

/** What is said of one that does more. Each run of it takes its time: it is told as it was found. */
export const doesNotRest = "the program does not come to rest"

/** How long what was abandoned is given to end: longer than faults make a stop. */
const graceMillis = Duration.toMillis(Duration.minutes(10))

/** What is wrong, and whether that is known: a check may have to be put off. */
interface Wrong {
  readonly detail: string
  readonly isKnown: boolean
}

const isPutOff = (detail: string): Wrong => ({ detail, isKnown: false })

/** Performs a plan in a world of its own. */
export const perform = (subject: Subject, plan: Plan): Effect.Effect<Outcome> =>
  Effect.suspend(() => {
    let run: ChaosRun | undefined
    const performed = Effect.flatMap(VirtualTime.current, (world) => {
      run = new ChaosRun(subject, world)
      return run.perform(plan)
    })
    return VirtualTime.run(performed, { opsAtOnce, ...(plan.order === 0 ? {} : { seed: plan.order }) }).pipe(
      Random.withSeed(plan.order),
      Effect.catchDefect((defect) =>
        defect instanceof VirtualTime.Restless && run !== undefined
          ? Effect.succeed(
            run.outcome(new Violation({ rule: doesNotRest, detail: defect.message }))
          )
          : Effect.die(defect)
      )
    )
  })

class ChaosRun {
  private readonly subject: Subject
  private readonly world: VirtualTime.VirtualTime
  private readonly injector: Injector
  private readonly trace: Array<string> = []
  private readonly checked = new Set<string>()
  /** How many fibers of each child live. */
  private readonly fibers = new Map<string, number>()
  private readonly broken = Deferred.makeUnsafe<never, Violation>()
  /** What the core promises, of the program that runs. */
  private invariants = new Invariants()
  private root: Supervisor.Supervisor | undefined = undefined
  /** What the world and the program last built give. */
  private services: Context.Context<never> | undefined = undefined
  private isUp = false
  private faults = 0
  private ends = 0
  private endsAllowed = Infinity
  private state: "working" | "done" | "over" = "working"

  constructor(subject: Subject, world: VirtualTime.VirtualTime) {
    this.subject = subject
    this.world = world
    this.injector = new Injector(world, (supervisor) => this.learn(supervisor))
  }

  perform(plan: Plan): Effect.Effect<Outcome> {
    return this.all(plan).pipe(
      Effect.as(undefined),
      Effect.catch((violation) => Effect.succeed(violation)),
      Effect.map((violation) => this.outcome(violation))
    )
  }

  outcome(violation: Violation | undefined): Outcome {
    return {
      violation,
      trace: this.trace,
      paths: this.injector.paths,
      faults: this.faults,
      ends: this.ends,
      checked: this.checked
    }
  }

  private readonly all = Effect.fnUntraced(function*(this: ChaosRun, plan: Plan) {
    const worldScope = yield* Scope.make()
    const faultScope = yield* Scope.make()
    // One that is new: what surroundings have built would be the same in each run. What the program finds in it is shared.
    const memoMap = Layer.makeMemoMapUnsafe()
    const built = Layer.buildWithMemoMap(this.subject.world, memoMap, worldScope)
    const world = yield* this.ended("the world is not built", Effect.exit(built))
    if (Exit.isFailure(world)) return yield* violation("the world cannot be built", world.cause)
    // Detached: whoever forks a child waits for its end, and this may have none.
    const program = yield* this.program(Context.omit(Layer.CurrentMemoMap)(world.value) as Context.Context<never>).pipe(
      Effect.provideService(Layer.CurrentMemoMap, memoMap),
      Effect.forkDetach
    )
    const result = yield* Effect.exit(
      Scope.provide(Effect.raceFirst(this.live(plan), Deferred.await(this.broken)), faultScope)
    )
    this.endsAllowed = Infinity
    yield* Scope.close(faultScope, Exit.void)
    this.injector.releaseAll()
    this.note(">>> the program is stopped")
    const stopped = yield* Effect.exit(this.ended("the program does not stop", Fiber.interrupt(program)))
    const closed = yield* Effect.exit(this.ended("the world does not end", Scope.close(worldScope, Exit.void)))
    yield* result
    yield* stopped
    yield* closed
    if (yield* this.passUntil(() => this.leftBehind() === "", graceMillis)) return
    return yield* new Violation({ rule: "something is left behind", detail: this.leftBehind() })
  })

  private readonly live = Effect.fnUntraced(function*(this: ChaosRun, plan: Plan) {
    yield* this.look()
    for (const { afterMillis, fault } of plan.steps) {
      yield* this.pass(afterMillis)
      // Before what follows from it, which may be told while this goes on.
      const line = this.note(`>>> ${Fault.format(fault)}`)
      const why = yield* this.injector.inject(fault)
      if (why === undefined) this.faults++
      else this.trace[line] += `, but ${why}`
      yield* this.look()
    }
    this.endsAllowed = this.ends + endsAfterFaults + this.injector.startsToFail
    this.note(">>> no more faults")
    yield* this.wait("the workload does not end", this.unless(() => this.state !== "working"))
    yield* this.wait("the program does not come up", this.unless(() => this.isUp))
    yield* this.waitForAll()
    // Who hangs may yet do harm when it goes on.
    const left = this.injector.hangsUntilMillis - (yield* Clock.currentTimeMillis)
    if (left <= 0) return
    yield* this.pass(left)
    yield* this.waitForAll()
  })

  private waitForAll(): Effect.Effect<void, Violation> {
    const rules = Object.entries(this.subject.eventually)
    return Effect.forEach(rules, ([name, check]) => this.wait(name, this.check(name, check)), { discard: true })
  }

  // The program, and after each of its ends the program again, as whatever starts it in earnest would.
  private readonly program = Effect.fnUntraced(function*(this: ChaosRun, world: Context.Context<never>) {
    const watched = Layer.effectDiscard(Effect.contextWith((services: Context.Context<never>) => {
      this.services = Context.merge(world, services)
      this.isUp = true
      return this.state === "working" ? Effect.forkScoped(this.work()) : Effect.void
    }))
    const onEvent = (event: SupervisorEvent.SupervisorEvent) =>
      Effect.sync(() => {
        this.note(SupervisorEvent.format(event))
        this.invariants.read(event)
      })
    const launch = Supervisor.launch(Layer.provide(watched, this.subject.layer), { onEvent }).pipe(
      Effect.provide(Layer.mergeAll(ChildMiddleware.layer(this.injector.middleware), Logger.layer([this.logger]))),
      Effect.provideService(Metric.FiberRuntimeMetrics, this.census),
      Effect.provideContext(world)
    )
    while (true) {
      this.invariants = new Invariants()
      this.root = undefined
      const exit = yield* Effect.exit(launch)
      this.isUp = false
      // Whatever starts it anew has seen to it that nothing of it is left.
      this.injector.releaseAll()
      yield* this.expect(this.invariants.end())
      this.note(`>>> the program has ended${Exit.isSuccess(exit) ? "" : `: ${pretty(exit.cause)}`}`)
      if (Exit.isSuccess(exit)) {
        this.state = "over"
        return
      }
      this.ends++
      if (this.ends > this.endsAllowed) yield* this.break(violation("the program does not stay up", exit.cause))
      yield* Effect.sleep(pauseBeforeStart)
    }
  })

  // The first whose child begins is the root: its own children begin before any of theirs.
  private learn(supervisor: Supervisor.Supervisor): Effect.Effect<void> {
    this.root ??= supervisor
    return Effect.map(supervisor.tree, (node) => this.invariants.learn(node))
  }

  private work(): Effect.Effect<void> {
    return Effect.matchCauseEffect(this.subject.workload, {
      onSuccess: () =>
        Effect.sync(() => {
          if (this.state === "working") this.state = "done"
          this.note(">>> the workload is done")
        }),
      onFailure: (cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.interrupt : this.break(violation("the workload fails", cause))
    })
  }

  private break(violation: Effect.Effect<never, Violation> | Violation): Effect.Effect<void> {
    return Effect.asVoid(Deferred.complete(this.broken, violation))
  }

  /** Time passes, and whenever something has woken, what must always hold is checked. */
  private readonly pass = Effect.fnUntraced(function*(this: ChaosRun, millis: number) {
    const end = (yield* Clock.currentTimeMillis) + millis
    const hasInvariants = Object.keys(this.subject.always).length > 0
    while (hasInvariants) {
      const [next] = this.world.sleeping
      if (next === undefined || next.until > end) break
      yield* TestClock.setTime(next.until)
      yield* this.look()
    }
    yield* TestClock.setTime(end)
    yield* this.look()
  })

  /** At quiet, checks what must always hold. */
  private readonly look = Effect.fnUntraced(function*(this: ChaosRun) {
    yield* VirtualTime.settle
    if (this.root !== undefined) this.invariants.compare(yield* this.root.tree)
    yield* this.expect(this.invariants.violations)
    for (const [name, invariant] of Object.entries(this.subject.always)) {
      const wrong = yield* this.check(name, invariant)
      if (wrong?.isKnown === true) return yield* new Violation({ rule: name, detail: wrong.detail })
    }
  })

  // A supervisor that breaks a rule of its own is a mistake of ours, which nobody can write an invariant for.
  private expect(violations: ReadonlyArray<string>): Effect.Effect<void> {
    return violations.length === 0
      ? Effect.void
      : this.break(new Violation({ rule: "the supervisor breaks its rules", detail: violations.join("\n  ") }))
  }

  // What is wrong now, if anything.
  private readonly check = Effect.fnUntraced(function*(this: ChaosRun, name: string, check: AnyEffect) {
    if (this.services === undefined) return isPutOff("the program has not been up")
    const fiber = yield* Effect.scoped(check).pipe(
      Effect.provideContext(this.services),
      // At a moment of quiet there is nobody to give way to.
      Effect.provideService(Scheduler.PreventSchedulerYield, true),
      Effect.forkDetach({ startImmediately: true })
    )
    if (fiber.pollUnsafe() === undefined) yield* VirtualTime.settle
    const exit = fiber.pollUnsafe()
    if (exit === undefined) {
      fiber.interruptUnsafe()
      return isPutOff("it takes time, and a check is given none")
    }
    if (Exit.isFailure(exit) && exit.cause.reasons.every(isOfWhatIsDown)) return isPutOff(pretty(exit.cause))
    this.checked.add(name)
    return Exit.isSuccess(exit) ? undefined : { detail: pretty(exit.cause), isKnown: true }
  })

  private unless(isSo: () => boolean): Effect.Effect<Wrong | undefined> {
    const detail = () => this.isUp ? "" : "the program is not up"
    return Effect.sync(() => this.state === "over" || isSo() ? undefined : { detail: detail(), isKnown: true })
  }

  // Time passes until nothing is wrong any more.
  private readonly wait = Effect.fnUntraced(
    function*(this: ChaosRun, rule: string, wrong: Effect.Effect<Wrong | undefined>) {
      const end = (yield* Clock.currentTimeMillis) + this.subject.limitMillis
      let pause = 10
      while (true) {
        const found = yield* wrong
        if (found === undefined || this.state === "over" && !found.isKnown) return
        if ((yield* Clock.currentTimeMillis) >= end) return yield* new Violation({ rule, detail: found.detail })
        // Long after the last fault not every moment is worth a look.
        yield* pause < longestPause ? this.pass(pause) : Effect.andThen(TestClock.adjust(pause), this.look())
        pause = Math.min(pause * 2, longestPause)
      }
    }
  )

  /** What an effect answers that may need time. */
  private readonly ended = Effect.fnUntraced(function*<A>(this: ChaosRun, rule: string, effect: Effect.Effect<A>) {
    const fiber = yield* Effect.forkDetach(effect)
    if (yield* this.passUntil(() => fiber.pollUnsafe() !== undefined, patienceMillis)) return yield* Fiber.join(fiber)
    return yield* new Violation({ rule, detail: "" })
  })

  // Time passes, until something is so or it has taken too long.
  private readonly passUntil = Effect.fnUntraced(function*(this: ChaosRun, isSo: () => boolean, patience: number) {
    yield* VirtualTime.settle
    let pause = 10
    for (let passed = 0; !isSo(); passed += pause, pause *= 2) {
      if (passed >= patience) return false
      yield* TestClock.adjust(pause)
    }
    return true
  })

  private leftBehind(): string {
    const timers = this.world.sleeping.map(({ path, until }) =>
      `a timer of ${path ?? "the program"}, due at ${until} ms`
    )
    const fibers = Array.from(this.fibers).filter(([, count]) => count > 0).map(([path, count]) =>
      `${count} ${count === 1 ? "fiber" : "fibers"} of ${path}`
    )
    return [...timers, ...fibers].join(", ")
  }

  // Answers which line of the trace it is.
  private note(what: string): number {
    const at = this.world.context.pipe(Context.get(Clock.Clock)).currentTimeMillisUnsafe()
    return this.trace.push(`${String(at).padStart(8)} ms  ${what.replaceAll("\n", `\n${" ".repeat(13)}`)}`) - 1
  }

  // What supervisors log is told by their events.
  private readonly logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    const fields = fiber.getRef(References.CurrentLogAnnotations)
    if (Predicate.isString(fields["supervisor"])) return
    const why = cause.reasons.length === 0 ? "" : `: ${pretty(cause)}`
    const text = (Array.isArray(message) ? message : [message]).map(show).join(" ")
    const who = fields["coppice.path"] === undefined ? "" : `${String(fields["coppice.path"])}: `
    this.note(`${logLevel.toUpperCase()} ${who}${text}${why}`)
  })

  private readonly census: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: (context) => this.count(context, 1),
    recordFiberEnd: (context) => this.count(context, -1)
  }

  private count(context: Context.Context<never>, change: number): void {
    const path = Context.get(context, References.CurrentLogAnnotations)["coppice.path"]
    const who = typeof path === "string" ? path : "the program"
    this.fibers.set(who, (this.fibers.get(who) ?? 0) + change)
  }
}

const violation = (rule: string, cause: Cause.Cause<unknown>): Effect.Effect<never, Violation> =>
  Effect.fail(new Violation({ rule, detail: pretty(cause) }))

// Without stack traces: what is wrong, not where the check is.
const pretty = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause).map(({ message, name }) => name === "Error" ? message : `${name}: ${message}`).join("; ")

const show = (value: unknown): string => typeof value === "string" ? value : Formatter.format(value)

const isOfWhatIsDown = (reason: Cause.Reason<unknown>): boolean =>
  reason._tag === "Fail" &&
  ["ChildDown", "ChildUnavailable", "SupervisorDown"].some((tag) => Predicate.isTagged(reason.error, tag))
