import { Chaos, Fault } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

// It is internal, and another project's: its types are not to be had here.
const simplifyModule = "../src/internal/simplify.ts"
const { lengths, pauses, simpler, simplify } = await import(simplifyModule) as {
  readonly lengths: ReadonlyArray<number>
  readonly pauses: ReadonlyArray<number>
  readonly simpler: (plan: Chaos.Plan) => Iterable<Chaos.Plan>
  readonly simplify: (
    plan: Chaos.Plan,
    breaks: (plan: Chaos.Plan) => Effect.Effect<boolean>
  ) => Effect.Effect<Chaos.Plan>
}

const paths = ["app/a", "app/b"]

const index = (length: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: length - 1 }))

/** A fault without which a rule is not broken: of this child, perhaps of this kind, that lasts at least so long. */
const Wanted = Schema.Struct({
  path: index(paths.length),
  kind: Schema.UndefinedOr(index(Fault.kinds.length)),
  millis: index(lengths.length),
  /** Where it is planted among the steps that are there. */
  at: index(11)
})
type Wanted = typeof Wanted.Type

/** A rule that is known to be broken by these faults one after another, the last no earlier, perhaps in another order. */
const Rule = Schema.Struct({
  wanted: Schema.Array(Wanted).check(Schema.isMinLength(1), Schema.isMaxLength(3)),
  needsOrder: Schema.Boolean,
  time: index(pauses.length)
})
type Rule = typeof Rule.Type

const faultOf = ({ kind, millis, path }: Wanted, length = lengths[millis]!): Fault.Fault =>
  Fault.make(Fault.kinds[kind ?? 0]!, paths[path]!, length)

const isWhat = (wanted: Wanted) => ({ fault }: Chaos.Step): boolean => {
  const needed = faultOf(wanted)
  return fault.path === needed.path && (wanted.kind === undefined || fault._tag === needed._tag) &&
    !("millis" in needed && "millis" in fault && fault.millis < needed.millis)
}

const breaks = ({ needsOrder, time, wanted }: Rule) => ({ order, steps }: Chaos.Plan): boolean => {
  if (order === 0 && needsOrder) return false
  let now = 0
  let found = 0
  for (const step of steps) {
    now += step.afterMillis
    const isLast = found === wanted.length - 1
    if (!isWhat(wanted[found]!)(step) || isLast && now < pauses[time]!) continue
    if (isLast) return true
    found++
  }
  return false
}

/** The plan, and in it what breaks the rule, and lasts longer than it has to. */
const plant = (rule: Rule, { order, steps }: Chaos.Plan): Chaos.Plan => {
  const planted = [...steps]
  let from = 0
  for (const wanted of rule.wanted) {
    from = Math.max(from, Math.min(wanted.at, planted.length))
    planted.splice(from++, 0, { afterMillis: pauses[rule.time]!, fault: faultOf(wanted, lengths.at(-1)) })
  }
  return { order: Math.max(order, 1), steps: planted }
}

describe("simplify", () => {
  it.effect.prop(
    "finds what still breaks the rule, while nothing one step simpler does",
    { rule: Rule, plan: Chaos.plan({ paths }) },
    Effect.fnUntraced(function*({ plan, rule }) {
      const full = plant(rule, plan)
      assert.isTrue(breaks(rule)(full))
      const found = yield* simplify(full, (plan) => Effect.sync(() => breaks(rule)(plan)))
      assert.isTrue(breaks(rule)(found))
      assert.deepStrictEqual(Array.from(simpler(found)).filter(breaks(rule)), [])
      assert.deepStrictEqual(found.steps.map(({ fault }) => fault), rule.wanted.map((wanted) => faultOf(wanted)))
      assert.strictEqual(found.order, rule.needsOrder ? full.order : 0)
    }),
    { arbitrary: { runs: 300 } }
  )

  const simplestOf = (plan: Chaos.Plan, breaks: (plan: Chaos.Plan) => boolean) =>
    simplify(plan, (plan) => Effect.sync(() => breaks(plan)))

  it.effect("leaves the time of what it takes out to the fault that comes after it", () =>
    Effect.gen(function*() {
      const plan = {
        order: 0,
        steps: [
          { afterMillis: 2000, fault: Fault.hang("app/b", "1 second") },
          { afterMillis: 500, fault: Fault.kill("app/b") },
          { afterMillis: 5000, fault: Fault.panic("app/a") },
          { afterMillis: 1000, fault: Fault.kill("app/b") }
        ]
      }
      const panicsLate = ({ steps }: Chaos.Plan) => {
        const at = steps.findIndex(({ fault }) => fault._tag === "Panic")
        return at !== -1 && steps.slice(0, at + 1).reduce((sum, { afterMillis }) => sum + afterMillis, 0) >= 7500
      }
      assert.deepStrictEqual(yield* simplestOf(plan, panicsLate), {
        order: 0,
        steps: [{ afterMillis: 7500, fault: Fault.panic("app/a") }]
      })
    }))

  it.effect("looks for another moment at which the order of arrival breaks the rule too", () =>
    Effect.gen(function*() {
      const steps = [
        { afterMillis: 2000, fault: Fault.crash("app/a") },
        { afterMillis: 5000, fault: Fault.crash("app/b") }
      ]
      const atOneMoment = ({ order, steps }: Chaos.Plan) =>
        steps.length === 2 && (order !== 0 || steps[1]!.afterMillis === 100)
      assert.deepStrictEqual(yield* simplestOf({ order: 7, steps }, atOneMoment), {
        order: 0,
        steps: [{ afterMillis: 0, fault: Fault.crash("app/a") }, { afterMillis: 100, fault: Fault.crash("app/b") }]
      })
    }))

  it.effect("tries the order of arrival without any fault too", () =>
    Effect.gen(function*() {
      const plan = { order: 7, steps: [{ afterMillis: 10, fault: Fault.crash("app/a") }] }
      assert.deepStrictEqual(yield* simplestOf(plan, () => true), { order: 0, steps: [] })
    }))

  it.effect("gives up after 400 tries, with the simplest that it has found", () =>
    Effect.gen(function*() {
      const steps = Array.from({ length: 10 }, () => ({ afterMillis: 60_000, fault: Fault.loseUse("app/a") }))
      let tries = 0
      let simplest: Chaos.Plan | undefined
      const allAreNeeded = (plan: Chaos.Plan) => {
        tries++
        if (plan.steps.length < 10) return false
        simplest = plan
        return true
      }
      assert.strictEqual(yield* simplestOf({ order: 7, steps }, allAreNeeded), simplest)
      assert.strictEqual(tries, 400)
    }))
})
