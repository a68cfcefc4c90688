import { Model, Scenario, ScenarioArbitrary } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"

type Child = Scenario.Worker | Scenario.Supervisor

const supervisorsOf = (tree: Scenario.Supervisor): ReadonlyArray<Scenario.Supervisor> => [
  tree,
  ...tree.children.flatMap((child) => child.type === "supervisor" ? supervisorsOf(child) : [])
]

const levelsOf = ({ children }: Scenario.Supervisor): number =>
  1 + Math.max(0, ...children.map((child) => child.type === "supervisor" ? levelsOf(child) : 0))

/** All children, each with the supervisor it belongs to; those too that are started later. */
const childrenOf = ({ steps, tree }: Scenario.Scenario): ReadonlyArray<readonly [Child, string]> => [
  ...supervisorsOf(tree).flatMap(({ children, id }) => children.map((child) => [child, id] as const)),
  ...steps.flatMap((step) => step.op === "startChild" ? [[step.child, step.supervisor] as const] : [])
]

/** What is wrong with a scenario: what OTP would refuse to start, and what cannot be foretold. */
const flawsOf = (scenario: Scenario.Scenario): ReadonlyArray<string> => {
  const { features, steps, tree } = scenario
  const supervisors = supervisorsOf(tree)
  const children = supervisors.flatMap(({ children }) => children)
  const homes = new Map(childrenOf(scenario).map(([{ id }, home]) => [id, home]))
  const isStubborn = features.includes("ignoresShutdown")
  return [
    ...new Set(children.map(({ id }) => id)).size < children.length || homes.has("root") ? ["an id twice"] : [],
    ...childrenOf(scenario).flatMap(([{ id }, home]) => homes.get(id) === home ? [] : [`${id} is of two supervisors`]),
    ...supervisors.flatMap(({ autoShutdown, children }) =>
      children.flatMap(({ id, restart, significant }) =>
        significant && (restart === "permanent" || autoShutdown === "never") ? [`${id} may not be significant`] : []
      )
    ),
    ...tree.id === "root" && tree.restart === "permanent" && !tree.significant ? [] : ["the root is a child"],
    ...isStubborn && supervisors.some(({ period }) => period !== 3600) ? ["a wait where a period may end"] : [],
    ...isStubborn && steps.some(({ op }) => op === "advance") ? ["a wait besides an advance"] : [],
    ...childrenOf(scenario).some(([child]) =>
        child.type === "worker" && child.ignoresShutdown && child.shutdown === "infinity"
      ) ?
      ["a wait for ever"] :
      []
  ]
}

/** The first scenarios of a seed, as they come. */
const some = Effect.fnUntraced(function*(seed: number, options?: ScenarioArbitrary.Options) {
  const scenarios: Array<Scenario.Scenario> = []
  const arbitrary = ScenarioArbitrary.scenario(options)
  yield* Arbitrary.checkEffect(arbitrary, (scenario) => scenarios.push(scenario) > 0, { seed, runs: 500 })
  return scenarios
})

/** All that is left of the first scenario of a seed for which something holds. */
const leastWith = Effect.fnUntraced(function*<A>(
  arbitrary: Arbitrary.Arbitrary<A>,
  holds: (value: A) => boolean,
  seed: number
) {
  let looked = 0
  const isWithout = (value: A) => {
    looked++
    return !holds(value)
  }
  const result = yield* Arbitrary.checkEffect(arbitrary, isWithout, { seed, runs: 3000, maxShrinks: 100_000 })
  assert.isBelow(looked, 20_000, "the shrinking does not end")
  return result._tag === "Falsified" ? result.shrunkInput : assert.fail(result._tag)
})

const has = (scenario: Scenario.Scenario, holds: (entry: Scenario.Entry) => boolean): boolean =>
  Model.predict(scenario).some(holds)

describe("ScenarioArbitrary", () => {
  describe("scenario", () => {
    it.effect("makes the same scenarios from the same seed, and others from another", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* some(1), yield* some(1))
        assert.notDeepEqual(yield* some(1), yield* some(2))
      }), 30_000)

    it.effect("makes scenarios that OTP would start and that can be foretold", () =>
      Effect.gen(function*() {
        for (const scenario of yield* some(3)) assert.deepStrictEqual(flawsOf(scenario), [], Scenario.toCode(scenario))
      }), 30_000)

    it.effect("keeps to three levels and twelve steps, and to less if it is told to", () =>
      Effect.gen(function*() {
        const levels = (scenarios: ReadonlyArray<Scenario.Scenario>) =>
          new Set(scenarios.map(({ tree }) => levelsOf(tree)))
        const steps = (scenarios: ReadonlyArray<Scenario.Scenario>) =>
          Math.max(...scenarios.map(({ steps }) => steps.length))
        const [usual, small] = [yield* some(4), yield* some(4, { levels: 1, steps: 3 })]
        assert.deepStrictEqual(levels(usual), new Set([1, 2, 3]))
        assert.deepStrictEqual(levels(small), new Set([1]))
        assert.isAtMost(steps(usual), 12)
        assert.isAtLeast(steps(usual), 9)
        assert.strictEqual(steps(small), 3)
      }), 30_000)

    it.effect("makes only the features it is told to", () =>
      Effect.gen(function*() {
        const featuresIn = Effect.fnUntraced(function*(options?: ScenarioArbitrary.Options) {
          return new Set((yield* some(5, options)).flatMap(({ features }) => features)).size
        })
        assert.strictEqual(yield* featuresIn(), 3)
        assert.strictEqual(yield* featuresIn({ features: [] }), 0)
        for (const feature of ["ignore", "ignoresShutdown", "advance"] as const) {
          assert.strictEqual(yield* featuresIn({ features: [feature] }), 1, feature)
        }
      }), 30_000)

    it.effect(
      "comes upon all there is: answers, escalations, failing restarts, and windows that end",
      () =>
        Effect.gen(function*() {
          const scenarios = [...yield* some(6), ...yield* some(7), ...yield* some(8), ...yield* some(9)]
          const seen = new Set<string>()
          for (const scenario of scenarios) {
            for (const [step, entry] of Model.predict(scenario).entries()) {
              const whys = entry.events.flatMap(({ why }) => why ?? [])
              seen.add(`${scenario.steps[step - 1]?.op ?? "start"} ${entry.result}`)
              for (const why of ["intensity", "auto_shutdown"]) {
                seen.add(`${why} at ${whys.filter((other) => other === why).length} levels`)
              }
            }
          }
          assert.includeMembers([...seen], [
            "start ok",
            "start error:failed_to_start_child",
            "exit ok",
            "exit error:not_running",
            "startChild ok",
            "startChild ok:ignore",
            "startChild error:already_started",
            "startChild error:already_present",
            "startChild error:bad_combination",
            "startChild error:start_failed",
            "startChild error:noproc",
            "terminateChild ok",
            "terminateChild error:not_found",
            "restartChild ok",
            "restartChild error:not_found",
            "restartChild error:running",
            "restartChild error:start_failed",
            "restartChild error:failed_to_start_child",
            "deleteChild ok",
            "deleteChild error:not_found",
            "deleteChild error:running",
            "advance ok",
            "stop ok",
            "intensity at 1 levels",
            "intensity at 2 levels",
            "intensity at 3 levels",
            "auto_shutdown at 1 levels",
            "auto_shutdown at 2 levels"
          ])
        }),
      30_000
    )
  })

  describe("a counterexample", () => {
    it.effect("shrinks to nothing if anything will do", () =>
      Effect.gen(function*() {
        const least = yield* leastWith(ScenarioArbitrary.scenario(), () => true, 1)
        assert.deepStrictEqual(least, Scenario.make({ tree: Scenario.supervisor("root", {}, []), steps: [] }))
      }), 30_000)

    it.effect(
      "shrinks to scenarios that are as sound, and comes to an end, whichever will do",
      () =>
        Effect.gen(function*() {
          for (let seed = 1; seed <= 40; seed++) {
            let looked = 0
            // As good as at random: which scenarios will do follows from their code.
            const willDo = (scenario: Scenario.Scenario) => {
              looked++
              const code = Scenario.toCode(scenario)
              assert.deepStrictEqual(flawsOf(scenario), [], code)
              return [...code].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0) | 0, seed) % 4 !== 0
            }
            // In a single run the first is a large one.
            yield* Arbitrary.checkEffect(ScenarioArbitrary.scenario(), (scenario) => !willDo(scenario), {
              seed,
              runs: 1,
              maxShrinks: 100_000
            })
            assert.isBelow(looked, 20_000, "the shrinking does not end")
          }
        }),
      30_000
    )

    it.effect(
      "keeps what it takes: the sibling, the nesting, the order of steps, the time",
      () =>
        Effect.gen(function*() {
          const { supervisor, worker } = Scenario
          const gaveUp = ({ events }: Scenario.Entry) => events.filter(({ why }) => why === "intensity").length
          const least = Effect.fnUntraced(function*(holds: (scenario: Scenario.Scenario) => boolean) {
            const { steps, tree } = yield* leastWith(ScenarioArbitrary.scenario(), holds, 2)
            return { tree, steps }
          })
          assert.deepStrictEqual(yield* least((scenario) => has(scenario, (entry) => gaveUp(entry) === 3)), {
            tree: supervisor("root", { intensity: 0 }, [
              supervisor("s1", { intensity: 0 }, [supervisor("s2", { intensity: 0 }, [worker("a")])])
            ]),
            steps: [{ op: "exit", id: "a", reason: "crash" }]
          })
          assert.deepStrictEqual(
            yield* least((scenario) => has(scenario, ({ result }) => result === "error:already_present")),
            {
              tree: supervisor("root", {}, [worker("a")]),
              steps: [
                { op: "terminateChild", supervisor: "root", id: "a" },
                { op: "startChild", supervisor: "root", child: worker("a") }
              ]
            }
          )
          // No restart may be forgotten while a worker is waited for.
          assert.deepStrictEqual(yield* least(({ features }) => features.includes("ignoresShutdown")), {
            tree: supervisor("root", { period: 3600 }, [worker("a", { ignoresShutdown: true })]),
            steps: []
          })
          // A restart that is allowed only because time has passed.
          const isLate = (scenario: Scenario.Scenario) => {
            const soon = scenario.steps.filter(({ op }) => op !== "advance")
            const isUp = ({ state }: Scenario.Entry) => state === undefined || state.root === "alive"
            return Model.predict(scenario).every(isUp) && !Model.predict({ ...scenario, steps: soon }).every(isUp)
          }
          assert.deepStrictEqual(yield* least(isLate), {
            tree: supervisor("root", { period: 1 }, [worker("a")]),
            steps: [
              { op: "exit", id: "a", reason: "crash" },
              { op: "advance", ms: 1001 },
              { op: "exit", id: "a", reason: "crash" }
            ]
          })
        }),
      30_000
    )
  })

  describe("from", () => {
    const { supervisor, worker } = Scenario
    const crash = (id: string): Scenario.Step => ({ op: "exit", id, reason: "crash" })
    const cases: ReadonlyArray<{
      readonly what: string
      readonly holds: (entry: Scenario.Entry, step: number) => boolean
      readonly scenario: Pick<Scenario.Scenario, "tree" | "steps">
      readonly least: Pick<Scenario.Scenario, "tree" | "steps">
    }> = [
      {
        what: "children of a nested supervisor to its parent",
        holds: ({ state }) => state?.workers.length === 3,
        scenario: {
          tree: supervisor("root", {}, [supervisor("s1", {}, [worker("a"), worker("b")]), worker("c")]),
          steps: []
        },
        least: { tree: supervisor("root", {}, [worker("a"), worker("b"), worker("c")]), steps: [] }
      },
      {
        what: "the steps of a child to its sibling",
        holds: ({ events }, step) => step > 0 && events.some(({ ev }) => ev === "start_failed"),
        scenario: {
          tree: supervisor("root", { strategy: "rest_for_one" }, [worker("a"), worker("b", { start: ["ok", "fail"] })]),
          steps: [crash("a")]
        },
        least: { tree: supervisor("root", {}, [worker("a", { start: ["ok", "fail"] })]), steps: [crash("a")] }
      },
      {
        what: "a supervisor that gives up to a worker that leaves",
        holds: ({ events }) => events.some(({ why }) => why === "auto_shutdown"),
        scenario: {
          tree: supervisor("root", { autoShutdown: "any_significant" }, [
            supervisor("s1", { restart: "transient", significant: true, intensity: 0 }, [worker("a")])
          ]),
          steps: [crash("a")]
        },
        least: {
          tree: supervisor("root", { autoShutdown: "any_significant" }, [
            worker("a", { restart: "transient", significant: true })
          ]),
          steps: [{ op: "exit", id: "a", reason: "normal" }]
        }
      },
      {
        what: "a call of a nested supervisor to one of its parent",
        holds: ({ result }) => result === "error:start_failed",
        scenario: {
          tree: supervisor("root", {}, [supervisor("s1", {}, [])]),
          steps: [{ op: "startChild", supervisor: "s1", child: worker("new1", { start: ["fail"] }) }]
        },
        least: {
          tree: supervisor("root", {}, []),
          steps: [{ op: "startChild", supervisor: "root", child: worker("new1", { start: ["fail"] }) }]
        }
      },
      {
        what: "a child that is asked for in vain to nobody",
        holds: ({ result }) => result === "error:not_found",
        scenario: {
          tree: supervisor("root", {}, [supervisor("s1", {}, [worker("a")])]),
          steps: [{ op: "deleteChild", supervisor: "root", id: "a" }]
        },
        least: { tree: supervisor("root", {}, []), steps: [{ op: "deleteChild", supervisor: "root", id: "new1" }] }
      }
    ]
    for (const { holds, least, scenario, what } of cases) {
      it.effect(`cuts down ${what}`, () =>
        Effect.gen(function*() {
          const whole = Scenario.make(scenario)
          const { steps, tree } = yield* leastWith(
            ScenarioArbitrary.from(whole),
            (scenario) => Model.predict(scenario).some(holds),
            1
          )
          assert.deepStrictEqual({ steps, tree }, least)
        }))
    }
  })

  describe("tree", () => {
    it.effect("makes trees that are sound, and shrinks them", () =>
      Effect.gen(function*() {
        const trees = yield* Arbitrary.sampleEffect(ScenarioArbitrary.tree(), { seed: 1, count: 500 })
        for (const tree of trees) assert.deepStrictEqual(flawsOf(Scenario.make({ tree, steps: [] })), [])
        assert.deepStrictEqual(
          yield* leastWith(ScenarioArbitrary.tree(), (tree) => levelsOf(tree) === 3, 1),
          Scenario.supervisor("root", {}, [Scenario.supervisor("s1", {}, [Scenario.supervisor("s2", {}, [])])])
        )

        const workersOf = (tree: Scenario.Supervisor) =>
          supervisorsOf(tree).flatMap(({ children }) => children.filter((child) => child.type === "worker"))
        assert.deepStrictEqual(
          yield* leastWith(
            ScenarioArbitrary.tree(),
            (tree) => workersOf(tree).some(({ ignoresShutdown }) => ignoresShutdown),
            1
          ),
          Scenario.supervisor("root", { period: 3600 }, [Scenario.worker("a", { ignoresShutdown: true })])
        )
        const significant = yield* leastWith(
          ScenarioArbitrary.tree(),
          (tree) => workersOf(tree).some(({ significant }) => significant),
          1
        )
        assert.deepStrictEqual(flawsOf(Scenario.make({ tree: significant, steps: [] })), [])
      }), 30_000)
  })

  describe("steps", () => {
    it.effect("makes steps for a given tree, and shrinks them alone", () =>
      Effect.gen(function*() {
        const tree = Scenario.supervisor("top", { strategy: "rest_for_one" }, [
          Scenario.worker("db"),
          Scenario.supervisor("web", { restart: "transient" }, [Scenario.worker("http")])
        ])
        const arbitrary = ScenarioArbitrary.steps(tree)
        for (const steps of yield* Arbitrary.sampleEffect(arbitrary, { seed: 1, count: 500 })) {
          const named = steps.flatMap((step) => step.op === "exit" ? step.id : [])
          assert.deepStrictEqual(named.filter((id) => !/^(db|http|new\d+)$/.test(id)), [])
        }
        const restarts = (steps: ReadonlyArray<Scenario.Step>) =>
          Model.predict({ tree, steps }).slice(1).some(({ events }) => events.some(({ ev }) => ev === "sup_start"))
        assert.deepStrictEqual(yield* leastWith(arbitrary, restarts, 1), [{ op: "exit", id: "db", reason: "crash" }])
      }), 30_000)
  })
})
