import { Conformance, Scenario } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { readFileSync } from "node:fs"

const fixture = new URL("../fixtures/otp-25.jsonl", import.meta.url)
const lines = readFileSync(fixture, "utf8").split("\n").filter((line) => line !== "")

const first = Scenario.fromLine(lines[0]!)

describe("Conformance", () => {
  it.effect("finds no difference in 600 recorded traces of OTP 25", () =>
    Effect.gen(function*() {
      const scenarios = yield* Effect.forEach(lines, (line) => Scenario.fromLine(line))
      const differences = scenarios.flatMap((scenario) => Conformance.check(scenario) ?? [])
      assert.deepStrictEqual(differences.map(Conformance.format), [])
      assert.strictEqual(scenarios.length, 600)
    }), 60_000)

  for (const order of [{ opsBeforeYield: 3 }, { seed: 1 }, { seed: 2 }, { seed: 3 }]) {
    it.effect(`finds none either where fibers give way, ${JSON.stringify(order)}`, () =>
      Effect.gen(function*() {
        const scenarios = yield* Effect.forEach(lines, (line) => Scenario.fromLine(line))
        // An abandoned worker is not waited for, so that here its end is told when it gets its turn.
        const differences = scenarios.filter((scenario) => !scenario.features.includes("ignoresShutdown"))
          .flatMap((scenario) => Conformance.check(scenario, order) ?? [])
        assert.deepStrictEqual(differences.map(Conformance.format), [])
      }), 60_000)
  }

  it.effect("names the step, what differs, and both sides, for a result, an event and a state", () =>
    Effect.gen(function*() {
      const scenario = yield* first
      const change = (step: number, by: Partial<Scenario.Scenario["expect"][number]>): Scenario.Scenario => ({
        ...scenario,
        expect: scenario.expect.map((entry, index) => index === step ? { ...entry, ...by } : entry)
      })
      const { state } = scenario.expect[1]!
      const differences = [
        Conformance.check(change(2, { result: "error:not_found" })),
        Conformance.check(change(0, { events: scenario.expect[0]!.events.toReversed() })),
        Conformance.check(change(1, { state: { ...state!, workers: ["nobody"] } }))
      ]
      assert.deepStrictEqual(
        differences.map((difference) => [difference?.id, difference?.step, difference?.what]),
        [["p0001", 2, "result"], ["p0001", 0, "events"], ["p0001", 1, "state"]]
      )
      assert.deepStrictEqual(
        Conformance.format(differences[0]!),
        "p0001: step 2, result\n  expected \"error:not_found\"\n  got      \"ok\""
      )
    }))

  it.effect("notices a scenario that was recorded under another rule", () =>
    Effect.gen(function*() {
      const scenario = yield* first
      const tree = { ...scenario.tree, strategy: "one_for_one" } as const
      const changed = { ...scenario, tree, steps: [{ op: "exit", id: "a", reason: "crash" }] } as const
      const stopped = { ev: "stop", id: "a", reason: "crash" } as const
      const expect = [scenario.expect[0]!, { result: "ok", events: [stopped] }]
      assert.strictEqual(Conformance.check({ ...changed, expect })?.what, "events")
    }))

  it.effect("refuses a line that is no scenario, and says what is wrong with it", () =>
    Effect.gen(function*() {
      for (const line of ["not json", "{}", lines[0]!.replace("one_for_all", "one_for_some")]) {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Scenario.fromLine(line))))
      }
    }))
})
