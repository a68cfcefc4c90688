import { Model, Scenario, ScenarioArbitrary } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"

const fixture = new URL("../fixtures/otp-25.jsonl", import.meta.url)
const lines = readFileSync(fixture, "utf8").split("\n").filter((line) => line !== "")

/** What the code makes that a scenario is printed as. */
const evaluate = (code: string): unknown => new Function("Scenario", `${code}\nreturn scenario`)(Scenario)

describe("Scenario", () => {
  describe("make", () => {
    it.effect("makes what is read from a line that leaves out the same", () =>
      Effect.gen(function*() {
        const tree = { id: "root", type: "supervisor", children: [{ id: "a", type: "worker" }] }
        const line = JSON.stringify({ id: "r1", tree, steps: [{ op: "stop" }], expect: [] })
        assert.deepStrictEqual(
          Scenario.make({
            id: "r1",
            tree: Scenario.supervisor("root", {}, [Scenario.worker("a")]),
            steps: [{ op: "stop" }]
          }),
          yield* Scenario.fromLine(line)
        )
      }), 30_000)

    it.effect("names the features that the recorder names", () =>
      Effect.gen(function*() {
        for (const line of lines) {
          const scenario = yield* Scenario.fromLine(line)
          assert.deepStrictEqual(Scenario.make(scenario).features, scenario.features, scenario.id)
        }
      }), 30_000)
  })

  describe("toCode", () => {
    it("takes a line for each child and step, and leaves out what is as in OTP", () => {
      const scenario = Scenario.make({
        tree: Scenario.supervisor("root", { strategy: "one_for_all", intensity: 0 }, [
          Scenario.worker("a"),
          Scenario.supervisor("s1", {}, [
            Scenario.worker("b", { restart: "temporary", start: ["ok", "fail"] }),
            Scenario.supervisor("s2", { significant: false }, [])
          ])
        ]),
        steps: [
          { op: "exit", id: "a", reason: "crash" },
          { op: "startChild", supervisor: "s1", child: Scenario.worker("new-1", { shutdown: "brutal_kill" }) },
          { op: "advance", ms: 1000 }
        ],
        expect: [{
          result: "ok",
          events: [{ ev: "start", id: "a" }],
          state: { root: "alive", workers: ["a"], supervisors: { "s-1": { count: [0, 0, 0, 0], children: [] } } }
        }]
      })
      assert.strictEqual(
        Scenario.toCode(scenario),
        `const scenario = Scenario.make({
  id: "scenario",
  tree: Scenario.supervisor("root", { strategy: "one_for_all", intensity: 0 }, [
    Scenario.worker("a"),
    Scenario.supervisor("s1", {}, [
      Scenario.worker("b", { restart: "temporary", start: ["ok", "fail"] }),
      Scenario.supervisor("s2", {}, [])
    ])
  ]),
  steps: [
    { op: "exit", id: "a", reason: "crash" },
    { op: "startChild", supervisor: "s1", child: Scenario.worker("new-1", { shutdown: "brutal_kill" }) },
    { op: "advance", ms: 1000 }
  ],
  expect: [
    { result: "ok", events: [{ ev: "start", id: "a" }], state: { root: "alive", workers: ["a"], supervisors: { "s-1": { count: [0, 0, 0, 0], children: [] } } } }
  ]
})`
      )
    })

    it.effect("is the code of the same scenario, for all recorded ones", () =>
      Effect.gen(function*() {
        for (const line of lines) {
          const scenario = yield* Scenario.fromLine(line)
          assert.deepStrictEqual(evaluate(Scenario.toCode(scenario)), scenario)
        }
      }), 30_000)

    it.effect.prop(
      "is the code of the same scenario, for random ones",
      { scenario: ScenarioArbitrary.scenario() },
      ({ scenario }) =>
        Effect.sync(() => {
          const traced = { ...scenario, expect: Model.predict(scenario) }
          assert.deepStrictEqual(evaluate(Scenario.toCode(scenario)), scenario)
          assert.deepStrictEqual(evaluate(Scenario.toCode(traced)), traced)
        }),
      { arbitrary: { runs: 300 }, timeout: 30_000 }
    )
  })
})
