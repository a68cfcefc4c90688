import { compare, judge } from "@coppice/bench/compare"
import { assert, describe, it } from "@effect/vitest"

describe("judge", () => {
  it("calls a row slower whose median is above the bound in three pairs of four", () => {
    assert.strictEqual(judge([1.1, 1.2, 1.2, 1.3], 1.15), "slower")
    assert.strictEqual(judge([1.0, 1.2, 1.2, 1.3], 1.15), "slower")
  })

  it("calls a row the same whose median is within the bound", () => {
    assert.strictEqual(judge([1.14, 1.15, 1.15, 1.3], 1.15), "same")
    assert.strictEqual(judge([1, 1, 1], 1.15), "same")
  })

  it("calls a row the same whose pairs disagree", () => {
    assert.strictEqual(judge([1.0, 1.05, 1.3, 1.4, 1.5], 1.15), "same")
  })

  it("calls a row faster the other way round", () => {
    assert.strictEqual(judge([0.9, 0.8, 0.8, 0.7], 1.15), "faster")
    assert.strictEqual(judge([1.0, 1.0, 0.8, 0.8, 0.7], 1.15), "same")
  })
})

describe("compare", () => {
  it("pairs base and head by row and size, and leaves out what was not asked for", () => {
    const figures = (start: number, many: number) => [
      { row: "start", n: 1000, value: start },
      { row: "start", n: 1, value: many },
      { row: "stop", n: 1000, value: 9 }
    ]
    const pairs = [
      { base: figures(2, 10), head: figures(3, 10) },
      { base: figures(2, 10), head: figures(4, 9) },
      { base: figures(4, 10), head: figures(5, 11) }
    ]
    assert.deepStrictEqual(compare(pairs, ["start"], 1.15), [
      { row: "start", n: 1000, ratio: 1.5, spread: [1.25, 2], verdict: "slower" },
      { row: "start", n: 1, ratio: 1, spread: [0.9, 1.1], verdict: "same" }
    ])
  })
})
