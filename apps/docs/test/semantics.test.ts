import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const guide = readFileSync(`${root}apps/docs/semantics.md`, "utf8")
const tests = globSync("packages/coppice/test/rules/*.test.ts", { cwd: root })
  .map((file) => readFileSync(root + file, "utf8"))
  .join("\n")

const points = [...guide.matchAll(/^- \*\*([A-Z]+\d+)\*\* /gm)].map((match) => match[1]!)
const rules = new Set([...tests.matchAll(/\brule\(\s*"([A-Z]+\d+)"/g)].map((match) => match[1]!))

describe("semantics.md", () => {
  it("has a test for each of its points", () => {
    assert.deepStrictEqual(points.filter((point) => !rules.has(point)), [])
    assert.isAbove(points.length, 80)
  })

  it("has a point for each rule that is tested, and each point once", () => {
    assert.deepStrictEqual([...rules].filter((rule) => !points.includes(rule)), [])
    assert.strictEqual(new Set(points).size, points.length)
  })
})
