// The demo's whole tree but for its socket: under virtual time, with real SQLite, and whatever is done to its children.
import { analyse, poison } from "@coppice/demo/Analysis"
import { App } from "@coppice/demo/App"
import { maxTries, type Submission } from "@coppice/demo/Job"
import { type Claim, JobStore } from "@coppice/demo/JobStore"
import { Settings } from "@coppice/demo/Settings"
import { workerThat } from "@coppice/demo/Worker"
import { workersThat } from "@coppice/demo/Workers"
import { Chaos, Fault } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, ChildRef, Supervisor, type SupervisorError } from "coppice"
import { Effect, Layer, Schedule } from "effect"
import { Outside, type Watched, world } from "./support/Outside.ts"

/** The queue, as clients reach it. */
class Desk extends ChildRef.Service<Desk>()("@coppice/demo/test/Desk", JobStore) {}

/** In the place of the web server. */
const web = Supervisor.layer("desk", {
  strategy: "one-for-one",
  children: [Child.layer("store", JobStore.layer, { ref: Desk })]
})

const submissions: ReadonlyArray<Submission> = [
  { name: "good-1", text: "one two\nthree\n" },
  { name: "poison-1", text: `${poison}\nfour` },
  { name: "good-2", text: "" },
  { name: "good-3", text: "five" },
  { name: "poison-2", text: `no ${poison}` },
  { name: "good-4", text: "six\n\nseven eight" },
  { name: "good-5", text: "nine" },
  { name: "good-6", text: "ten\n" }
]

const isPoison = ({ name }: Watched) => name.startsWith("poison")

/** Submits a job until there is an answer: without one a client does not know whether the job is there. */
const submit = Effect.fnUntraced(function*(submission: Submission) {
  const { accepted } = yield* Outside
  const answer = Desk.use((store) => Effect.tap(store.submit(submission), Effect.sleep("10 millis")))
  accepted.set(submission.name, yield* Effect.retry(answer, Schedule.spaced("1 second")))
})

const workload = Effect.forEach(
  submissions,
  (submission, index) => Effect.delay(submit(submission), index * 1000),
  { concurrency: "unbounded", discard: true }
)

/** Fails with the names of the jobs with which something is wrong, and what. */
const ofEachJob = (wrong: (job: Watched) => string | undefined) =>
  Effect.gen(function*() {
    const complaints: Array<string> = []
    for (const job of yield* (yield* Outside).jobs) {
      const complaint = wrong(job)
      if (complaint !== undefined) complaints.push(`${job.name} ${complaint}`)
    }
    if (complaints.length > 0) return yield* Effect.fail(complaints.join("; "))
  })

/** How a try ends that something else has ended than the job. */
const fault = /injected|was killed|was interrupted|its worker did not come back/

const invariants = {
  "a job is there once": Effect.gen(function*() {
    const names = (yield* (yield* Outside).jobs).map(({ name }) => name)
    if (new Set(names).size < names.length) return yield* Effect.fail(`there are ${names.join(", ")}`)
  }),
  "no job is lost": Effect.gen(function*() {
    const { accepted, counts, jobs } = yield* Outside
    const ids = new Map((yield* jobs).map(({ id, name }) => [name, id]))
    for (const [name, id] of accepted) {
      if (ids.get(name) !== id) return yield* Effect.fail(`${name} was accepted as job ${id}, and is ${ids.get(name)}`)
    }
    const { done, parked, running, submitted, waiting } = yield* counts
    const there = waiting + running + done + parked
    if (submitted !== there) return yield* Effect.fail(`${submitted} submitted, and there are ${there}`)
  }),
  "a result is right, and stored once": ofEachJob((job) => {
    const right = isPoison(job) ? [] : [JSON.stringify(analyse(job.text))]
    return job.results.length === 0 || job.results.join() === right.join()
      ? undefined
      : `has ${job.results.join(" and ")}`
  }),
  "a job is parked when all its tries have failed": ofEachJob(({ failures, state, tries }) => {
    const ended = state === "running" || state === "done" ? tries - 1 : tries
    const isRight = failures.length === ended && (state === "parked" ? tries === maxTries : ended < maxTries)
    return isRight ? undefined : `is ${state} after ${tries} tries, which ended: ${failures.join(", ")}`
  }),
  "a job that is not poison fails only by what is done to its worker": ofEachJob((job) => {
    const own = isPoison(job) ? undefined : job.failures.find((error) => !fault.test(error))
    return own === undefined ? undefined : `failed by itself: ${own}`
  })
}

const eventually = {
  "each job is done and its result stored, or parked": ofEachJob(({ results, state }) =>
    state === "parked" || state === "done" && results.length === 1
      ? undefined
      : `is ${state}, and ${results.length} results are stored`
  )
}

const rules = { world, workload, invariants, eventually, limit: "10 minutes", runs: 60, maxFaults: 6 } as const

// It asks for less of the world than the rules do.
type Tree = Layer.Layer<App | Desk, SupervisorError.ChildStartFailed, Outside | Settings>

const good: Tree = Layer.provideMerge(App.layerWith({ web, "process-worker": Layer.empty }), Desk.layer)

/** The bug: after this nobody gives the job back any more, and its result is not stored yet. */
const acknowledgeFirst = Effect.fnUntraced(function*(claim: Claim) {
  const { database } = yield* Outside
  const result = yield* Effect.sync(() => JSON.stringify(analyse(claim.text)))
  database.prepare("UPDATE jobs SET state = 'done' WHERE id = ?").run(claim.id)
  yield* Effect.sleep((yield* Settings).pace)
  database.prepare("UPDATE jobs SET result = ? WHERE id = ?").run(result, claim.id)
})

const hasty = workersThat(workerThat(acknowledgeFirst))

const planted: Tree = Layer.provideMerge(
  App.layerWith({ web, workers: hasty, "process-worker": Layer.empty }),
  Desk.layer
)

describe("under chaos", () => {
  it.effect("each job is done once or parked, and none is lost", () =>
    Effect.gen(function*() {
      const { faults, runs } = yield* Chaos.check(good, rules)

      assert.strictEqual(runs, 60)
      assert.isAbove(faults, 60)
    }), 120_000)

  it.effect("a worker that hangs does not store what another has stored meanwhile", () => {
    const plan: Chaos.Plan = {
      order: 0,
      steps: [{ afterMillis: 100, fault: Fault.hang("app/workers/worker-1", "1 minute") }]
    }
    return Chaos.replay(good, rules, plan)
  })

  it.effect(
    "a worker that acknowledges a job before it has stored the result is found out",
    () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Chaos.check(planted, rules))

        const again = yield* Effect.flip(Chaos.replay(planted, rules, error.plan))
        yield* Chaos.replay(good, rules, error.plan)
        const rule = "each job is done and its result stored, or parked"
        assert.deepStrictEqual([error.rule, again.rule], [rule, rule])
        assert.include(error.message, `${rule}, after `)
        assert.match(error.detail, /^good-\d is done, and 0 results are stored/)
        assert.isAtLeast(error.plan.steps.length, 1)
        assert.isAtMost(error.plan.steps.length, 3)
      }),
    120_000
  )
})
