import { Conformance, Model, Scenario } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"

const fixture = new URL("../fixtures/otp-25.jsonl", import.meta.url)
const lines = readFileSync(fixture, "utf8").split("\n").filter((line) => line !== "")

const crash = (id: string): Scenario.Step => ({ op: "exit", id, reason: "crash" })

const advance = (ms: number): Scenario.Step => ({ op: "advance", ms })

/** What becomes of the root: of the start, then of each step. */
const rootAfter = (tree: Scenario.Supervisor, steps: ReadonlyArray<Scenario.Step>): ReadonlyArray<string> => {
  let root = ""
  return Model.predict({ tree, steps }).map(({ state }) => root = state?.root ?? root)
}

describe("Model", () => {
  it.effect("foretells all 600 recorded traces of OTP 25 to the letter", () =>
    Effect.gen(function*() {
      for (const line of lines) {
        const scenario = yield* Scenario.fromLine(line)
        assert.deepStrictEqual(Model.predict(scenario), scenario.expect, scenario.id)
      }
      assert.strictEqual(lines.length, 600)
    }))

  it("foretells nothing of the steps if the tree does not come up", () => {
    const tree = Scenario.supervisor("root", {}, [
      Scenario.worker("a"),
      Scenario.supervisor("s1", {}, [Scenario.worker("b"), Scenario.worker("c", { start: ["fail"] })]),
      Scenario.worker("d")
    ])
    assert.deepStrictEqual(Model.predict({ tree, steps: [crash("a")] }), [{
      result: "error:failed_to_start_child",
      events: [
        { ev: "start", id: "a" },
        { ev: "start", id: "b" },
        { ev: "start_failed", id: "c" },
        { ev: "stop", id: "b", reason: "shutdown" },
        { ev: "sup_start_failed", id: "s1" },
        { ev: "stop", id: "a", reason: "shutdown" },
        { ev: "sup_start_failed", id: "root" }
      ],
      state: { root: "not_started", workers: [], supervisors: {} }
    }])
  })

  it("counts two restarts together that are one period apart, and not if it is a millisecond more", () => {
    const tree = Scenario.supervisor("root", { period: 2 }, [Scenario.worker("a")])
    assert.deepStrictEqual(
      rootAfter(tree, [crash("a"), advance(1500), advance(500), crash("a")]),
      ["alive", "alive", "alive", "alive", "exited:shutdown"]
    )
    assert.deepStrictEqual(
      rootAfter(tree, [crash("a"), advance(1500), advance(501), crash("a")]),
      ["alive", "alive", "alive", "alive", "alive"]
    )
  })

  it("answers for a tree that has ended as OTP does where nobody is", () => {
    const tree = Scenario.supervisor("root", { intensity: 0 }, [Scenario.worker("a")])
    const [, ...after] = Model.predict({
      tree,
      steps: [
        crash("a"),
        crash("a"),
        { op: "startChild", supervisor: "root", child: Scenario.worker("b") },
        { op: "stop" }
      ]
    })
    assert.deepStrictEqual(after.map(({ result }) => result), ["ok", "error:not_running", "error:noproc", "ok"])
    assert.deepStrictEqual(after.flatMap(({ events }) => events.map(({ ev, id }) => `${ev} ${id}`)), [
      "stop a",
      "sup_stop root"
    ])
  })

  it("counts the starts of each child that is added from the first, even if it is added twice", () => {
    const child = Scenario.worker("a", { start: ["fail"] })
    const tree = Scenario.supervisor("root", {}, [])
    const add: Scenario.Step = { op: "startChild", supervisor: "root", child }
    const entries = Model.predict({ tree, steps: [add, add] })
    assert.deepStrictEqual(entries.map(({ result }) => result), ["ok", "error:start_failed", "error:start_failed"])
    assert.isUndefined(Conformance.check(Scenario.make({ tree, steps: [add, add], expect: entries })))
  })

  it("lets only workers exit", () => {
    const tree = Scenario.supervisor("root", {}, [Scenario.supervisor("s1", {}, [Scenario.worker("a")])])
    const [, exit] = Model.predict({ tree, steps: [crash("s1")] })
    assert.deepStrictEqual(exit, { result: "error:not_running", events: [] })
  })
})
