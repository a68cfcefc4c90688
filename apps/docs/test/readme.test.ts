import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const readme = readFileSync(`${root}README.md`, "utf8")

const fence = (language: string) => new RegExp(`^\`\`\`${language}[^\\n]*\\n([\\s\\S]*?)^\`\`\``, "m").exec(readme)![1]!

describe("README", () => {
  it("shows what its hello world prints", () => {
    // In the folder of the generated examples, from where packages are found.
    const file = `${root}.examples/readme.mts`
    writeFileSync(file, fence("ts"))
    const output = execFileSync(process.execPath, ["--conditions=@coppice/source", file], { encoding: "utf8" })
    assert.strictEqual(output, fence("text"))
  }, 30_000)

  it("has exactly two commands", () => {
    const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1])
    assert.deepStrictEqual(commands, ["npm ci && npm start\n", "npm ci && npm test\n"])
  })

  it("links to what exists", () => {
    const links = [...readme.matchAll(/\]\((?!https:)([^)]+)\)/g)].map((match) => match[1]!)
    for (const link of links) assert.doesNotThrow(() => execFileSync("ls", [root + link]), link)
  })
})
