/**
 * `npm run bench`: what Coppice costs, beside raw Effect, OTP and Elixir on the same machine in the same run.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bench } from "./bench.ts"
import { compareWith } from "./compare.ts"
import { help, list, type Options, parse } from "./options.ts"
import type { Report } from "./report.ts"
import { rows } from "./rows.ts"
import { findRunners } from "./runner.ts"
import { replaceSection, toMarkdown } from "./table.ts"

const tell = (what: string): void => {
  process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${what}` : `${what}\n`)
}

const surroundings = { tell, nowSeconds: () => performance.now() / 1000 }

const withFolder = <A>(use: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "coppice-bench-"))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
    if (process.stderr.isTTY) tell("")
  }
}

const reportOf = (options: Options): Report => {
  if (options.from !== undefined) return JSON.parse(readFileSync(options.from, "utf8"))
  return withFolder((folder) => bench(selected(options), options, findRunners(folder), surroundings))
}

const selected = ({ only }: Options) => only.length === 0 ? rows : rows.filter(({ name }) => only.includes(name))

const run = (options: Options): number => {
  if (options.compare !== undefined) {
    const { compare } = options
    const { isSlower, text } = withFolder((folder) => compareWith(compare, selected(options), options, folder, tell))
    process.stdout.write(text)
    return isSlower ? 1 : 0
  }
  const report = reportOf(options)
  const markdown = toMarkdown(report)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
  if (options.markdown !== undefined) {
    const text = replaceSection(readFileSync(options.markdown, "utf8"), markdown)
    if (text === undefined) return fail(`${options.markdown} has no <!-- bench --> with a <!-- /bench --> after it`)
    writeFileSync(options.markdown, text)
  }
  process.stdout.write(`${markdown}\n`)
  for (const failure of report.failures) process.stderr.write(`failed: ${failure}\n`)
  return report.failures.length === 0 ? 0 : 1
}

const fail = (why: string): number => {
  process.stderr.write(`${why}\n`)
  return 2
}

const main = (): number => {
  const options = parse(process.argv.slice(2))
  if (typeof options === "string") return fail(options)
  if (options.help) process.stdout.write(help)
  else if (options.list) process.stdout.write(list())
  else return run(options)
  return 0
}

process.exitCode = main()
