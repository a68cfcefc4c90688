import { list, parse } from "@coppice/bench/options"
import { rows } from "@coppice/bench/rows"
import { assert, describe, it } from "@effect/vitest"

const defaults = {
  help: false,
  list: false,
  quick: false,
  only: [],
  runs: undefined,
  json: undefined,
  from: undefined,
  markdown: undefined,
  compare: undefined,
  bound: 1.15
}

describe("the options of the bench", () => {
  it("are all optional", () => {
    assert.deepStrictEqual(parse([]), defaults)
  })

  it("are read", () => {
    const all = "--quick --only use --only start --runs 3 --json a --markdown b --compare main --bound 1.3".split(" ")
    assert.deepStrictEqual(parse(all), {
      ...defaults,
      quick: true,
      only: ["use", "start"],
      runs: 3,
      json: "a",
      markdown: "b",
      compare: "main",
      bound: 1.3
    })
  })

  it("say what there is where one is unknown", () => {
    assert.strictEqual(
      parse(["--qick"]),
      "there is no --qick; there are --help, --list, --quick, --only, --runs, --json, --from, --markdown, --compare, --bound"
    )
    assert.strictEqual(parse(["quick"]), "\"quick\" is not an option; see --help")
  })

  it("say what rows there are where one is unknown", () => {
    assert.strictEqual(
      parse(["--only", "nix"]),
      `there is no row "nix"; there are ${rows.map(({ name }) => name).join(", ")}`
    )
  })

  it("say what is wrong with a value", () => {
    assert.strictEqual(parse(["--json"]), "--json needs a value; see --help")
    assert.strictEqual(parse(["--quick=yes"]), "--quick takes no value")
    for (const runs of ["0", "1.5", "many"]) {
      assert.strictEqual(parse(["--runs", runs]), "--runs is a whole number above 0")
    }
    for (const bound of ["0.9", "x"]) assert.strictEqual(parse(["--bound", bound]), "--bound is a number from 1 on")
  })

  it("list each row once", () => {
    assert.deepStrictEqual(list().trim().split("\n").map((line) => line.split(" ")[0]), rows.map(({ name }) => name))
  })
})
