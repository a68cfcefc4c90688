import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Options } from "./options.ts"
import { median } from "./report.ts"
import { missing, type Row, sizes } from "./rows.ts"
import { type Figure, node, type Runner } from "./runner.ts"

/** What was measured of the base and of the head, one right after the other. */
export interface Pair {
  readonly base: ReadonlyArray<Figure>
  readonly head: ReadonlyArray<Figure>
}

/** How much slower a row is than in the base, by pairs of runs one right after the other. */
export interface Comparison {
  readonly row: string
  readonly n: number
  /** The median of the ratios of head to base, and their least and greatest. */
  readonly ratio: number
  readonly spread: readonly [number, number]
  readonly verdict: "slower" | "faster" | "same"
}

/**
 * Judges a row by its ratios, one for each pair. It is slower when the median is above the bound, and that is more than
 * noise: three pairs of four at least are above half of what the bound allows. Faster is the same the other way round.
 */
export const judge = (ratios: ReadonlyArray<number>, bound: number): Comparison["verdict"] => {
  const middle = median(ratios) ?? 1
  const half = (1 + bound) / 2
  const share = (holds: (ratio: number) => boolean) => ratios.filter(holds).length / ratios.length
  if (middle > bound && share((ratio) => ratio > half) >= 0.75) return "slower"
  if (middle < 1 / bound && share((ratio) => ratio < 1 / half) >= 0.75) return "faster"
  return "same"
}

/** Pairs the figures of head and base by row, size and run. */
export const compare = (
  pairs: ReadonlyArray<Pair>,
  rows: ReadonlyArray<string>,
  bound: number
): ReadonlyArray<Comparison> => {
  const ratios = new Map<string, Array<number>>()
  for (const { base, head } of pairs) {
    for (const { n, row, value } of head) {
      const other = base.find((figure) => figure.row === row && figure.n === n)
      const key = `${row} ${n}`
      if (other === undefined || !rows.includes(row)) continue
      ratios.set(key, [...ratios.get(key) ?? [], value / other.value])
    }
  }
  return Array.from(ratios, ([key, values]) => {
    const [row, n] = key.split(" ")
    return {
      row: row!,
      n: Number(n),
      ratio: median(values)!,
      spread: [Math.min(...values), Math.max(...values)],
      verdict: judge(values, bound)
    }
  })
}

const root = fileURLToPath(new URL("../../../", import.meta.url))

/**
 * Measures Coppice as it is and as it was in a commit, in turn, both with the bench as it is. A row that seems slower is
 * measured again, with twice as many pairs, before it is said to be.
 */
export const compareWith = (
  base: string,
  rows: ReadonlyArray<Row>,
  options: Options,
  folder: string,
  tell: (what: string) => void
): { readonly isSlower: boolean; readonly text: string } => {
  checkOut(base, join(folder, "base"))
  const sides = {
    base: node(join(folder, "base/apps/bench/src"), folder, "coppice"),
    head: node(join(root, "apps/bench/src"), folder, "coppice")
  }
  const compareRows = (rows: ReadonlyArray<Row>, runs: number) =>
    compare(pairsOf(sides, wantedOf(rows), runs, tell), rows.map(({ name }) => name), options.bound)
  const runs = options.runs ?? 9
  const first = compareRows(rows, runs)
  const suspects = rows.filter(({ name }) => first.some(({ row, verdict }) => row === name && verdict === "slower"))
  const again = suspects.length === 0 ? [] : compareRows(suspects, runs * 2)
  const compared = first.map((each) => again.find(({ n, row }) => row === each.row && n === each.n) ?? each)
  return { isSlower: compared.some(({ verdict }) => verdict === "slower"), text: textOf(compared, base) }
}

const pairsOf = (
  sides: { readonly base: Runner["run"]; readonly head: Runner["run"] },
  wanted: ReadonlyArray<string>,
  runs: number,
  tell: (what: string) => void
): ReadonlyArray<Pair> =>
  Array.from({ length: runs }, (_, place) => {
    tell(`pair ${place + 1} of ${runs}: ${wanted.length} measurements`)
    // Who goes second finds a warmer machine, or a busier one.
    if (place % 2 === 0) return { base: sides.base(wanted), head: sides.head(wanted) }
    const head = sides.head(wanted)
    return { base: sides.base(wanted), head }
  })

// A thousand children, or as many as there are at most.
const wantedOf = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => [
  ...new Set(
    rows.filter((row) => missing(row, "coppice", 1) === undefined).map(({ measurement }) => {
      const n = Math.max(...sizes[measurement].filter((n) => n <= 1000))
      return `${measurement}:${n}`
    })
  )
]

// Coppice as of the commit, the bench and all that is installed as they are here.
const checkOut = (commit: string, folder: string): void => {
  const id = execFileSync("git", ["rev-parse", "--verify", `${commit}^{commit}`], { cwd: root, encoding: "utf8" })
    .trim()
  mkdirSync(join(folder, "node_modules"), { recursive: true })
  const archive = execFileSync("git", ["archive", id, "packages/coppice"], { cwd: root, maxBuffer: 2 ** 28 })
  execFileSync("tar", ["-x", "-C", folder], { input: archive })
  cpSync(join(root, "apps/bench"), join(folder, "apps/bench"), { recursive: true })
  symlinkSync(join(folder, "packages/coppice"), join(folder, "node_modules/coppice"))
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "coppice") symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
  }
}

const textOf = (compared: ReadonlyArray<Comparison>, base: string): string => {
  const lines = compared.map(({ n, ratio, row, spread, verdict }) =>
    `${`${row} ${n}`.padEnd(24)} ${ratio.toFixed(2)} (${
      spread.map((value) => value.toFixed(2)).join("..")
    })  ${verdict}`
  )
  return `${[`This / ${base}, the median of all pairs and their range:`, ...lines].join("\n")}\n`
}
