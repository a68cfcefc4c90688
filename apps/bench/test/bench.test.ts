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
    assert.include(output, process.versions.node)
  }, 120_000)
})
