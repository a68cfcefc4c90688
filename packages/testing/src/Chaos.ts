/**
 * Chaos properties: whatever happens to the children of a tree, what is promised of the program holds.
 *
 * A run builds the tree in a world of its own, under virtual time, lets a workload use it, does things to its children at
 * moments that follow from a seed, and looks after each of them whether the invariants hold. A run that fails is shrunk to
 * the fewest faults that still break the rule, and told with what happened, and with the code that repeats it.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Fault from "./Fault.ts"
import { doesNotRest, type Outcome, perform, type Plan, type Subject } from "./internal/chaosRun.ts"
import { lengths, pauses, simplify } from "./internal/simplify.ts"

export type {
  /**
   * What is done in a run: faults, each some time after the one before, and the seed of the order in which fibers run; 0 is
   * the order of their arrival.
   *
   * @category models
   * @since 0.1.0
   */
  Plan,
  /**
   * A fault, and how long after the one before it comes.
   *
   * @category models
   * @since 0.1.0
   */
  Step
} from "./internal/chaosRun.ts"

type AnyError = {} | null | undefined

// What is needed does not say what there is: that is said by the program and by the world.
type Inside<Services> = Effect.Effect<unknown, AnyError, NoInfer<Services> | Scope.Scope>

/**
 * What is tested, and against what.
 *
 * - `world`: what is outside, and outlives every crash: a layer that is built anew for each run.
 * - `workload`: what the users of the program do. It begins when the program is up, and has to end, and not to fail. When
 *   the program has given up and is started anew, so is the workload, unless it was done. By default there is none.
 * - `invariants`: what must hold whenever the program is up and has come to rest: an effect that fails says that it does
 *   not. One whose child is down at the moment, or that takes time, is not checked then. Long after the last fault they are
 *   only checked every ten seconds.
 * - `eventually`: what must hold some time after the workload is done and the faults are over, or after the program has shut
 *   itself down: then one whose child is down is not checked.
 * - `limit`: how much virtual time that may take, and the workload likewise; default 1 hour.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<ROut, World> {
  readonly world?: Layer.Layer<World, AnyError> | undefined
  readonly workload?: Inside<ROut | World> | undefined
  readonly invariants?: Readonly<Record<string, Inside<ROut | World>>> | undefined
  readonly eventually?: Readonly<Record<string, Inside<ROut | World>>> | undefined
  readonly limit?: Duration.Input | undefined
}

/**
 * What faults there are.
 *
 * - `faults`: their kinds; by default all.
 * - `paths`: the children they are done to; by default all that are there when nothing is done.
 * - `maxFaults`: how many there are at most in a run; default 10.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlanOptions {
  readonly faults?: ReadonlyArray<Fault.Fault["_tag"]> | undefined
  readonly paths?: ReadonlyArray<string> | undefined
  readonly maxFaults?: number | undefined
}

/**
 * How much is tried: `runs` is 100 by default. A `seed` repeats the runs of that seed; by default each check has another.
 *
 * @category models
 * @since 0.1.0
 */
export interface CheckOptions<ROut, World> extends Options<ROut, World>, PlanOptions {
  readonly runs?: number | undefined
  readonly seed?: number | undefined
}

/**
 * What was done in a check that found nothing: how many runs there were, how many faults had an effect in all of them, and
 * how often a program gave up and was started anew.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  readonly seed: number
  readonly runs: number
  readonly faults: number
  readonly ends: number
}

/**
 * A rule was broken. The message tells it all: the rule, the faults, what happened, and how to repeat it. Of a `trace` that
 * is very long it has the beginning and the end.
 *
 * @category errors
 * @since 0.1.0
 */
export class ChaosFailed extends Schema.TaggedError<ChaosFailed>()("ChaosFailed", {
  rule: Schema.String,
  detail: Schema.String,
  plan: Schema.Struct({
    order: Schema.Int,
    steps: Schema.Array(Schema.Struct({ afterMillis: Schema.Finite, fault: Fault.Fault }))
  }),
  trace: Schema.Array(Schema.String),
  seed: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    const { length } = this.plan.steps
    const after = length === 0 ? "without any fault" : length === 1 ? "after one fault" : `after ${length} faults`
    const order = this.plan.order === 0 ? "" : ", where fibers run in another order"
    const repeat = this.seed === undefined ? [] : ["", `all of it again: seed ${this.seed}; this run alone:`]
    return [
      `${this.rule}, ${after}${order}`,
      ...(this.detail === "" ? [] : [`  ${this.detail}`]),
      "",
      ...abridged(this.trace),
      ...repeat,
      "",
      toCode(this.plan)
    ].join("\n")
  }
}

/** How many lines of a trace a message has, at its beginning and at its end. */
const firstLines = 100
const lastLines = 50

const abridged = (trace: ReadonlyArray<string>): ReadonlyArray<string> => {
  const left = trace.length - firstLines - lastLines
  return left <= 1
    ? trace
    : [...trace.slice(0, firstLines), `             … (${left} lines more, in "trace")`, ...trace.slice(-lastLines)]
}

/**
 * Renders a plan as the code that makes it.
 *
 * **Example** (A plan to be pasted)
 *
 * ```ts import.meta.vitest
 * import { Chaos, Fault } from "@coppice/testing"
 *
 * const plan: Chaos.Plan = { order: 0, steps: [{ afterMillis: 100, fault: Fault.crash("app/db") }] }
 *
 * Chaos.toCode({ order: 0, steps: [] }) // => "const plan: Chaos.Plan = { order: 0, steps: [] }"
 * Chaos.toCode(plan).split("\n")[1] // => '  { afterMillis: 100, fault: Fault.crash("app/db") }'
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const toCode = ({ order, steps }: Plan): string => {
  const lines = steps.map(({ afterMillis, fault }) =>
    `  { afterMillis: ${afterMillis}, fault: ${Fault.toCode(fault)} }`
  )
  const list = lines.length === 0 ? "[]" : `[\n${lines.join(",\n")}\n]`
  return `const plan: Chaos.Plan = { order: ${order}, steps: ${list} }`
}

/** One of a list. A literal would not be shrunk, a number is. */
const oneOf = <A>(list: ReadonlyArray<A>): Arbitrary.Arbitrary<A> =>
  Arbitrary.map(
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: list.length - 1 }))),
    (index) => list[index]!
  )

/**
 * Plans for the children at these paths, for a property of one's own: what is generated is given to {@link replay}.
 *
 * @category arbitraries
 * @since 0.1.0
 */
export const plan = (
  options: PlanOptions & { readonly paths: ReadonlyArray<string> }
): Arbitrary.Arbitrary<Plan> => {
  const step = Arbitrary.all({
    afterMillis: oneOf(pauses),
    kind: oneOf(options.faults ?? Fault.kinds),
    path: oneOf(options.paths),
    millis: oneOf(lengths)
  })
  return Arbitrary.all({
    order: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))),
    steps: Arbitrary.array(
      Arbitrary.map(step, ({ afterMillis, kind, millis, path }) => ({
        afterMillis,
        fault: Fault.make(kind, path, millis)
      })),
      { minLength: 1, maxLength: options.maxFaults ?? 10 }
    )
  })
}

const subjectOf = <ROut, World>(
  layer: Layer.Layer<ROut, AnyError, World>,
  { eventually = {}, invariants = {}, limit = "1 hour", workload = Effect.void, world }: Options<ROut, World>
): Subject => ({
  layer: layer as Layer.Layer<any> as Subject["layer"],
  world: (world ?? Layer.empty) as Subject["world"],
  workload: workload as Subject["workload"],
  always: invariants as Subject["always"],
  eventually: eventually as Subject["eventually"],
  limitMillis: Duration.toMillis(Duration.fromInputUnsafe(limit))
})

const failed = (
  { trace, violation }: Outcome,
  plan: Plan,
  seed?: number,
  remark = ""
): Effect.Effect<void, ChaosFailed> =>
  violation === undefined ? Effect.void : new ChaosFailed({
    rule: violation.rule,
    detail: `${violation.detail} ${remark}`.trim(),
    plan,
    trace: [...trace],
    ...(seed === undefined ? {} : { seed })
  })

/**
 * Performs one plan, such as that of a failure. Fails as {@link check} does.
 *
 * @category running
 * @since 0.1.0
 */
export const replay = <ROut, E extends AnyError, World = never>(
  layer: Layer.Layer<ROut, E, NoInfer<World>>,
  options: Options<ROut, World>,
  plan: Plan
): Effect.Effect<void, ChaosFailed> =>
  Effect.flatMap(perform(subjectOf(layer, options), plan), (outcome) => failed(outcome, plan))

/**
 * Checks that a program keeps what it promises, whatever is done to its children. Fails with {@link ChaosFailed} at the
 * first run that breaks a rule, shrunk to the fewest and simplest faults that still break it.
 *
 * **Details**
 *
 * The first run is one without faults: a program that does not work without them is not worth disturbing. A program that
 * gives up is started anew a second later, as whatever runs it would do; when nothing is done to it any more it has to stay
 * up. In the end it is stopped, and must leave neither a fiber nor a timer behind.
 *
 * **Gotchas**
 *
 * A run is repeatable as far as the program is: what it takes from the real clock, from `Math.random` or from real I/O is
 * not. Put other layers in the place of those that do, with `layerWith`.
 *
 * **Example** (A counter that forgets)
 *
 * ```ts import.meta.vitest
 * import { Chaos } from "@coppice/testing"
 * import { Child, ChildRef, Supervisor } from "coppice"
 * import { Context, Effect, Layer, Ref } from "effect"
 *
 * class Counter extends Context.Service<Counter, { readonly count: Ref.Ref<number> }>()("docs/Counter") {
 *   static readonly layer = Layer.effect(Counter, Effect.map(Ref.make(0), (count) => ({ count })))
 * }
 *
 * class CounterRef extends ChildRef.Service<CounterRef>()("docs/CounterRef", Counter) {}
 *
 * const App = Supervisor.layer("app", {
 *   strategy: "one-for-one",
 *   children: [Child.layer("counter", Counter.layer, { ref: CounterRef })]
 * }).pipe(Layer.provideMerge(CounterRef.layer))
 *
 * const workload = CounterRef.use(({ count }) => Ref.update(count, (n) => n + 1)).pipe(
 *   Effect.delay("1 second"),
 *   Effect.repeat({ times: 2 })
 * )
 *
 * const eventually = {
 *   "all is counted": CounterRef.use(({ count }) => Ref.get(count)).pipe(
 *     Effect.flatMap((count) => count === 3 ? Effect.void : Effect.fail(`${count} of 3`))
 *   )
 * }
 *
 * const error = await Effect.runPromise(Effect.flip(Chaos.check(App, { workload, eventually, faults: ["Crash"], seed: 1 })))
 *
 * error.rule // => "all is counted"
 * error.plan.steps.map(({ fault }) => fault) // => [{ _tag: "Crash", path: "app/counter" }]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const check = Effect.fnUntraced(function*<ROut, E extends AnyError, World = never>(
  layer: Layer.Layer<ROut, E, NoInfer<World>>,
  options: CheckOptions<ROut, World>
) {
  const subject = subjectOf(layer, options)
  const seed = options.seed ?? (yield* Random.nextIntBetween(1, 2 ** 31))
  const undisturbed = yield* perform(subject, { order: 0, steps: [] })
  yield* failed(undisturbed, { order: 0, steps: [] })
  const paths = options.paths ?? Array.from(undisturbed.paths).toSorted()
  if (paths.length === 0) return yield* mistake("there is no child to which anything could be done")
  const tally = new Tally(undisturbed)
  const holds = (plan: Plan) => Effect.map(perform(subject, plan), (outcome) => tally.add(plan, outcome))
  const result = yield* Arbitrary.checkEffect(plan({ ...options, paths }), holds, {
    runs: options.runs ?? 100,
    seed,
    size: 50,
    maxShrinks: 0
  })
  if (result._tag === "Falsified") {
    const breaks = (plan: Plan) => Effect.map(holds(plan), (holds) => !holds)
    if (tally.broken!.rule !== doesNotRest) yield* simplify(result.initialInput, breaks)
    const { outcome, plan } = tally.broken!
    const again = yield* perform(subject, plan)
    yield* failed(outcome, plan, seed, again.violation === undefined ? notAgain : "")
  }
  const unchecked = Object.keys({ ...subject.always, ...subject.eventually }).filter((name) => !tally.checked.has(name))
  if (unchecked.length > 0) return yield* mistake(`these could never be checked: ${unchecked.join(", ")}`)
  const missing = paths.filter((path) => !tally.paths.has(path))
  if (missing.length > 0) return yield* mistake(`there was never a child at these paths: ${missing.join(", ")}`)
  return { seed, runs: tally.runs, faults: tally.faults, ends: tally.ends } satisfies Summary
})

// What has failed has failed, even if it cannot be repeated.
const notAgain = "(it held when the same was done again: something in the program does not follow from what is done)"

const mistake = (sentence: string): Effect.Effect<never> => Effect.die(new TypeError(sentence))

/** What has been done in all runs. */
class Tally {
  readonly checked: Set<string>
  readonly paths: Set<string>
  runs = 0
  faults = 0
  ends = 0
  /** The last run that broke the rule that was broken first: only what breaks the same is a smaller case of it. */
  broken: { readonly plan: Plan; readonly rule: string; readonly outcome: Outcome } | undefined = undefined

  constructor({ checked, paths }: Outcome) {
    this.checked = new Set(checked)
    this.paths = new Set(paths)
  }

  /** Whether the run broke no rule, or another one. */
  add(plan: Plan, outcome: Outcome): boolean {
    this.runs++
    this.faults += outcome.faults
    this.ends += outcome.ends
    for (const name of outcome.checked) this.checked.add(name)
    for (const path of outcome.paths) this.paths.add(path)
    const rule = outcome.violation?.rule
    if (rule === undefined || this.broken !== undefined && this.broken.rule !== rule) return true
    this.broken = { plan, rule, outcome }
    return false
  }
}
