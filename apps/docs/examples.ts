// Makes every TypeScript fence of the README, the guides and the doc comments a test under .examples/, where the type
// check and Vitest find it. A fence that is no test is a mistake, so that nothing in the docs can rot.
//
// A trailing `// => value` asserts the value of the expression or constant before it.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

const sources = ["README.md", "packages/*/README.md", "apps/docs/*.md", "packages/*/src/**/*.ts"]
const folder = ".examples"
const marker = "import.meta.vitest"

interface Example {
  readonly source: string
  readonly line: number
  readonly info: string
  readonly body: ReadonlyArray<string>
}

const fence = /^(?<indent>[ \t]*(?:\* ?)?)```ts(?<info>[^\n]*)\n(?<body>[\s\S]*?)^\k<indent>```/gm

const examplesIn = (source: string): ReadonlyArray<Example> => {
  const text = readFileSync(source, "utf8")
  return [...text.matchAll(fence)].map((match) => {
    const { body, indent, info } = match.groups as Record<"body" | "indent" | "info", string>
    // A blank line of a doc comment has no space after its star.
    const lines = body.split("\n").slice(0, -1).map((line) => line.slice(Math.min(indent.length, line.length)))
    return { source, line: text.slice(0, match.index).split("\n").length, info: info.trim(), body: lines }
  })
}

const assertion = /^(?:const (?<name>\w+) = )?(?<expression>.+?)\s+\/\/ => (?<expected>.+)$/

const toStatement = (line: string): ReadonlyArray<string> => {
  const found = assertion.exec(line)?.groups
  if (found === undefined) return [line]
  const { expected, expression, name } = found
  return name === undefined
    ? [`assert.deepStrictEqual(${expression}, ${expected})`]
    : [`const ${name} = ${expression}`, `assert.deepStrictEqual(${name}, ${expected})`]
}

const toTest = ({ body, line, source }: Example): string => {
  const end = body.findLastIndex((text) => /^(import .*|\} )from "[^"]+"$/.test(text)) + 1
  const statements = body.slice(end).flatMap(toStatement)
  return [
    `// Generated from ${source}:${line}`,
    `import { assert, it } from "@effect/vitest"`,
    ...body.slice(0, end),
    "",
    `it("${source}:${line}", async () => {`,
    "  assert.isOk(true)",
    ...statements.map((text) => text === "" ? "" : `  ${text}`),
    "})",
    ""
  ].join("\n")
}

const examples = sources.flatMap((pattern) => globSync(pattern).toSorted()).flatMap(examplesIn)
const unmarked = examples.filter((example) => example.info !== marker)
for (const { line, source } of unmarked) {
  process.stderr.write(`${source}:${line}: this fence is not run: begin it with \`\`\`ts ${marker}\n`)
}
if (unmarked.length > 0) process.exit(1)

rmSync(folder, { force: true, recursive: true })
mkdirSync(folder)
for (const example of examples) {
  const place = dirname(example.source).replaceAll("/", "-")
  const file = `${place}-${basename(example.source).replace(/\.\w+$/, "")}-${example.line}.test.ts`
  writeFileSync(join(folder, file), toTest(example))
}
process.stdout.write(`${examples.length} examples\n`)
