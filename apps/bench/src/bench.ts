import { execFileSync } from "node:child_process"
import { availableParallelism, cpus, platform, release, totalmem } from "node:os"
import type { Options } from "./options.ts"
import { fullPlan, quickPlan } from "./plan.ts"
import { linesOf, type Report } from "./report.ts"
import { type Row, type Side, sides } from "./rows.ts"
import type { Figure, Runners } from "./runner.ts"

/** Measures some rows on all sides, and tells on the way what it is at. */
export const bench = (
  rows: ReadonlyArray<Row>,
  options: Options,
  runners: Runners,
  tell: (what: string) => void
): Report => {
  const begun = performance.now()
  const rounds = options.runs ?? (options.quick ? 3 : 5)
  const plan = options.quick ? quickPlan(rows, rounds) : fullPlan(rows, rounds)
  const excuses = new Map<Side, string>()
  for (const side of sides) if (runners[side] === undefined) excuses.set(side, "is not installed")
  const measured = new Map<Side, Array<Figure>>(sides.map((side) => [side, []]))
  const jobs = plan.filter(({ side }) => runners[side] !== undefined)
  const failures: Array<string> = []
  for (const [place, { round, side, wanted }] of jobs.entries()) {
    const what = wanted.length === 1 ? wanted[0] : `${wanted.length} measurements`
    tell(`${place + 1} of ${jobs.length}: round ${round}, ${side}, ${what}`)
    // What fails is told at the end: an hour's figures are not thrown away for it.
    try {
      measured.get(side)!.push(...runners[side]!.run(wanted))
    } catch (error) {
      failures.push(`round ${round}, ${side}, ${wanted.join(" ")}: ${error}`)
    }
  }
  return {
    commit: commit(),
    quick: options.quick,
    rounds,
    seconds: Math.round((performance.now() - begun) / 1000),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      os: `${platform()} ${release()}`
    },
    versions: {
      node: process.versions.node,
      ...versions(runners)
    },
    failures,
    rows: linesOf(rows, options.quick, measured, excuses)
  }
}

const versions = ({ coppice, elixir, otp }: Runners): Record<string, string> => ({
  effect: coppice!.version,
  ...(otp === undefined ? {} : { OTP: otp.version }),
  ...(elixir === undefined ? {} : { Elixir: elixir.version })
})

// Of the sources beside this file.
const commit = (): string => {
  const cwd = import.meta.dirname
  const git = (...args: ReadonlyArray<string>) => execFileSync("git", args, { cwd, encoding: "utf8" }).trim()
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : " with changes"}`
  } catch {
    return "unknown"
  }
}
