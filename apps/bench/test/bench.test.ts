import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

const bench = (...args: ReadonlyArray<string>) =>
  execFileSync(process.execPath, ["--expose-gc", "--conditions=@coppice/source", main, ...args], { encoding: "utf8" })

describe("bench", () => {
  it("measures every row, and says what it measured on", () => {
    const output = bench("--quick")
    const rows = [
      "start of a static list",
      "memory of an idle child",
      "all in one window",
      "one-for-all",
      "stop",
      "ChildRef.use"
    ]
    for (const row of rows) assert.match(output, new RegExp(`${row}.*\\d`))
    // Without the feature, with it, and the ratio.
    const features = [
      "with a backoff of 0",
      "with a backoff of 1 ms, all at once",
      "with metrics",
      "with a readiness probe",
      "with startTimeout",
      "with a liveness probe and its first check",
      "with a liveness probe between checks"
    ]
    for (const feature of features) assert.match(output, new RegExp(`${feature} +(µs|B) +[\\d.]+ +[\\d.]+ +[\\d.]+\n`))
    assert.include(output, process.versions.node)
  }, 120_000)

  it("measures one row, with no column for who has no part in it", () => {
    const output = bench("--quick", "--only", "readiness")
    assert.match(output, /^per child +coppice +with +with \/ coppice$/m)
    assert.notInclude(output, "metrics")
  }, 30_000)
})
