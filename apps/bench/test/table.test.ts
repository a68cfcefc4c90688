import type { Line, Report } from "@coppice/bench/report"
import { replaceSection, toMarkdown } from "@coppice/bench/table"
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const line = (n: number, coppice: number): Line => ({
  name: "start",
  title: "start, per child",
  unit: "µs",
  n,
  coppice,
  floor: 1,
  effect: null,
  otp: 1234.5,
  elixir: null,
  spread: { coppice: [coppice, coppice], floor: [0.9, 1.3], effect: null, otp: [1000, 1500], elixir: null },
  ratios: { floor: coppice, effect: null, otp: coppice / 1234.5, elixir: null },
  missing: { effect: "has no list", elixir: "is not installed" }
})

const report: Report = {
  commit: "abc1234",
  quick: false,
  rounds: 5,
  seconds: 40,
  machine: { cpu: "Some CPU", cores: 2, memoryGiB: 24, os: "linux 6" },
  versions: { node: "24.0.0", OTP: "25" },
  failures: [],
  rows: [line(1, 2), line(100_000, 1.5)]
}

const markdown = `Median of 5 rounds, ± half their range. Lower is better.
Commit abc1234, Some CPU, 2 cores, 24 GiB, linux 6, node 24.0.0, OTP 25.

| row              |       n | unit | Coppice |     floor | Effect |        OTP | Elixir | ÷ floor | ÷ Effect | ÷ OTP | ÷ Elixir |
| ---------------- | ------: | ---- | ------: | --------: | -----: | ---------: | -----: | ------: | -------: | ----: | -------: |
| start, per child |       1 | µs   |    2.00 | 1.00 ±20% |      – | 1 235 ±20% |      – |    2.00 |        – |  0.00 |        – |
|                  | 100 000 | µs   |    1.50 | 1.00 ±20% |      – | 1 235 ±20% |      – |    1.50 |        – |  0.00 |        – |

Not measured: Effect has no list (start); Elixir is not installed (start).`

describe("toMarkdown", () => {
  it("shows medians, spreads and ratios, and why there is none", () => {
    assert.strictEqual(toMarkdown(report), markdown)
  })

  it("is formatted as the project is", () => {
    const dprint = fileURLToPath(new URL("../../../node_modules/.bin/dprint", import.meta.url))
    const root = fileURLToPath(new URL("../../..", import.meta.url))
    const input = `${markdown}\n`
    assert.strictEqual(execFileSync(dprint, ["fmt", "--stdin", "t.md"], { cwd: root, input, encoding: "utf8" }), input)
  })
})

describe("replaceSection", () => {
  it("replaces what is between the marks, again and again", () => {
    const text = "# T\n\n<!-- bench -->\n\nold\n\n<!-- /bench -->\n\nrest\n"
    const replaced = replaceSection(text, "new")
    assert.strictEqual(replaced, "# T\n\n<!-- bench -->\n\nnew\n\n<!-- /bench -->\n\nrest\n")
    assert.strictEqual(replaceSection(replaced!, "new"), replaced)
  })

  it("says where there are no marks, or not in this order", () => {
    assert.isUndefined(replaceSection("# T\n", "new"))
    assert.isUndefined(replaceSection("<!-- /bench -->\n<!-- bench -->\n", "new"))
  })
})
