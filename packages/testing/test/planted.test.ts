import { Chaos } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Arbitrary, Context, Effect, Exit, Layer, Ref } from "effect"

interface Taken {
  readonly job: string
  readonly worker: string
}

/** Where jobs are written down, and who has taken which: outside, so that it outlives every crash. */
class Board extends Context.Service<Board, {
  readonly jobs: Ref.Ref<ReadonlyArray<string>>
  readonly taken: Ref.Ref<ReadonlyArray<Taken>>
}>()("@coppice/testing/test/planted.test/Board") {
  static readonly layer = Layer.effect(
    Board,
    Effect.gen(function*() {
      return { jobs: yield* Ref.make<ReadonlyArray<string>>([]), taken: yield* Ref.make<ReadonlyArray<Taken>>([]) }
    })
  )
}

/** Takes the first job that nobody has, in two operations: looks, then writes. */
const take = Effect.fnUntraced(function*(worker: string) {
  const { jobs, taken } = yield* Board
  const others = yield* Ref.get(taken)
  const job = (yield* Ref.get(jobs)).find((job) => others.every((other) => other.job !== job))
  if (job === undefined) return
  yield* Effect.log(`takes ${job}`)
  yield* Ref.update(taken, (taken) => [...taken, { job, worker }])
})

/** The same in one operation. */
const takeAtOnce = Effect.fnUntraced(function*(worker: string) {
  const { jobs, taken } = yield* Board
  const all = yield* Ref.get(jobs)
  const job = yield* Ref.modify(taken, (taken) => {
    const job = all.find((job) => taken.every((other) => other.job !== job))
    return [job, job === undefined ? taken : [...taken, { job, worker }]]
  })
  if (job !== undefined) yield* Effect.log(`takes ${job}`)
})

/** Two workers that look for a job once a second. */
const workers = (take: (worker: string) => Effect.Effect<void, never, Board>) =>
  Supervisor.layer("app", {
    strategy: "one-for-one",
    children: [
      Child.effect("first", Effect.forever(Effect.delay(take("first"), "1 second"))),
      Child.effect("second", Effect.forever(Effect.delay(take("second"), "1 second")))
    ]
  })

const App = workers(take)

const workload = Effect.gen(function*() {
  const { jobs } = yield* Board
  for (const job of ["a", "b", "c"]) {
    yield* Ref.update(jobs, (jobs) => [...jobs, job])
    yield* Effect.sleep("1500 millis")
  }
})

const invariants = {
  "nobody takes a job that another has": Effect.gen(function*() {
    const { taken } = yield* Board
    const all = yield* Ref.get(taken)
    const twice = all.filter(({ job }, index) => all.findIndex((other) => other.job === job) !== index)
    if (twice.length > 0) return yield* Effect.fail(`${twice[0]!.worker} too has taken ${twice[0]!.job}`)
  })
}

const options = { world: Board.layer, workload, invariants }

describe("a race between two workers", () => {
  it.effect("is not seen in a thousand runs in the order of arrival, and soon in others", () =>
    Effect.gen(function*() {
      const plans = Chaos.plan({ paths: ["app/first", "app/second"], maxFaults: 1 })
      for (const { steps } of yield* Arbitrary.sampleEffect(plans, { count: 1000, seed: 1 })) {
        yield* Chaos.replay(App, options, { order: 0, steps })
      }
      const orders = Array.from({ length: 50 }, (_, index) => index + 1)
      const exits = yield* Effect.forEach(orders, (order) =>
        Effect.exit(Chaos.replay(App, options, { order, steps: [] })))
      assert.isAtLeast(exits.filter(Exit.isFailure).length, 5)
    }), 60_000)

  it.effect("is found with every seed, with some without any fault, and comes back in its order as often as it is asked for", () =>
    Effect.gen(function*() {
      const stories: Array<string | undefined> = []
      for (const seed of [1, 2, 3, 4]) {
        const found = yield* Effect.flip(Chaos.check(App, { ...options, seed }))
        assert.strictEqual(found.rule, "nobody takes a job that another has")
        assert.match(found.detail, /^(first|second) too has taken [abc]$/)
        assert.notStrictEqual(found.plan.order, 0)
        assert.isAtMost(found.plan.steps.length, 1)
        for (const _ of [1, 2, 3]) {
          const { detail, plan, rule, trace } = yield* Effect.flip(Chaos.replay(App, options, found.plan))
          assert.deepStrictEqual({ detail, plan, rule, trace }, {
            detail: found.detail,
            plan: found.plan,
            rule: found.rule,
            trace: found.trace
          })
        }
        stories.push(found.message.split("\n")[0])
      }
      assert.include(
        stories,
        "nobody takes a job that another has, without any fault, where fibers run in another order"
      )
    }))

  it.effect("is over when a job is taken in one operation", () =>
    Effect.gen(function*() {
      const { runs } = yield* Chaos.check(workers(takeAtOnce), { ...options, seed: 1 })
      assert.strictEqual(runs, 100)
    }))
})
