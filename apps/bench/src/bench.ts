import { execFileSync } from "node:child_process"
import { availableParallelism, cpus, platform, release, totalmem } from "node:os"
import type { Options } from "./options.ts"
import { fullPlan, type Job, quickPlan } from "./plan.ts"
import { linesOf, type Report } from "./report.ts"
import { type Row, type Side, sides } from "./rows.ts"
import type { Figure, Runners } from "./runner.ts"

/** How many seconds `--quick` is to take at most, on a machine that is slow or busy too. */
const quickSeconds = 45

/** What the benchmark does to the world, apart from running the sides. */
export interface Surroundings {
  /** Tells on the way what it is at. */
  readonly tell: (what: string) => void
  readonly nowSeconds: () => number
}

/** Measures some rows on all sides. */
export const bench = (
  rows: ReadonlyArray<Row>,
  options: Options,
  runners: Runners,
  surroundings: Surroundings
): Report => {
  const begun = surroundings.nowSeconds()
  const rounds = options.runs ?? (options.quick ? 3 : 5)
  const plan = options.quick ? quickPlan(rows, rounds) : fullPlan(rows, rounds)
  const until = options.quick && options.runs === undefined ? begun + quickSeconds : Infinity
  const ran = runAll(plan.filter(({ side }) => runners[side] !== undefined), runners, until, surroundings)
  const absent = sides.filter((side) => runners[side] === undefined)
  return {
    commit: commit(),
    quick: options.quick,
    rounds: ran.rounds,
    seconds: Math.round(surroundings.nowSeconds() - begun),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      os: `${platform()} ${release()}`
    },
    versions: { node: process.versions.node, ...versions(runners) },
    failures: ran.failures,
    rows: linesOf(rows, options.quick, ran.measured, new Map(absent.map((side) => [side, "is not installed"])))
  }
}

interface Ran {
  readonly measured: ReadonlyMap<Side, ReadonlyArray<Figure>>
  readonly failures: ReadonlyArray<string>
  readonly rounds: number
}

// No round is begun for which there is no time: it takes what the first one took, but for what that alone measures.
const runAll = (jobs: ReadonlyArray<Job>, runners: Runners, until: number, { nowSeconds, tell }: Surroundings): Ran => {
  const measured = new Map<Side, Array<Figure>>(sides.map((side) => [side, []]))
  const failures: Array<string> = []
  const timed = new Set<Side>()
  let needed = 0
  let rounds = 0
  for (const [place, { round, side, wanted }] of jobs.entries()) {
    const begun = nowSeconds()
    if (round > rounds && rounds > 0 && begun + needed > until) break
    rounds = round
    tell(`${place + 1} of ${jobs.length}: round ${round}, ${side}, ${wanted.length > 1 ? wanted.length : wanted[0]}`)
    // What fails is told at the end: an hour's figures are not thrown away for it.
    try {
      measured.get(side)!.push(...runners[side]!.run(wanted))
    } catch (error) {
      failures.push(`round ${round}, ${side}, ${wanted.join(" ")}: ${error}`)
    }
    if (!timed.has(side)) needed += nowSeconds() - begun
    timed.add(side)
  }
  return { measured, failures, rounds }
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
