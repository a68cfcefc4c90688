import { bench } from "@coppice/bench/bench"
import type { Options } from "@coppice/bench/options"
import { missing, rows, type Side, sides } from "@coppice/bench/rows"
import { type Figure, findRunners, type Runner, type Runners } from "@coppice/bench/runner"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = mkdtempSync(join(tmpdir(), "coppice-bench-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

const options: Options = {
  help: false,
  list: false,
  quick: true,
  only: [],
  runs: undefined,
  json: undefined,
  from: undefined,
  markdown: undefined,
  compare: undefined,
  bound: 1.15
}

describe("the sides", () => {
  const runners = findRunners(folder)
  const few = 20

  for (const side of sides) {
    const runner = runners[side]
    // Who is not installed has no figures, and the table says so: see below.
    it.skipIf(runner === undefined)(`has a figure of ${side} for each row that it can do`, () => {
      const own = rows.filter((row) => missing(row, side, few) === undefined)
      const wanted = [...new Set(own.map(({ measurement }) => `${measurement}:${few}`))]
      const figures = runner!.run(wanted)
      for (const { n, row, value } of figures) {
        assert.isTrue(n === few && value > 0 && value < Infinity, `${row} ${n} ${value}`)
      }
      const measured = new Set(figures.map(({ row }) => row))
      assert.deepStrictEqual(own.filter(({ name }) => !measured.has(name)), [])
    }, 30_000)
  }
})

/** A side whose every figure is the round's number times a factor. */
const pretended = (factor: number, asked: Array<string> = []): Runner => {
  let round = 0
  return {
    version: "1",
    run: (wanted) => {
      round++
      asked.push(...wanted)
      return wanted.flatMap((each): ReadonlyArray<Figure> => {
        const [measurement, n] = each.split(":")
        const own = rows.filter((row) => row.measurement === measurement)
        return own.map(({ name }) => ({ row: name, n: Number(n), value: round * factor }))
      })
    }
  }
}

const silent = { tell: () => {}, nowSeconds: () => 0 }

describe("bench", () => {
  const named = (name: string) => rows.filter((row) => row.name === name)
  const all = (): { [S in Side]?: Runner } => ({
    coppice: pretended(6),
    floor: pretended(2),
    effect: pretended(3),
    otp: pretended(1)
  })

  it("answers medians, spreads, ratios, and why there are none", () => {
    const report = bench(named("escalation"), { ...options, runs: 3 }, all(), silent)
    assert.deepStrictEqual(report.rows[0], {
      name: "escalation",
      title: "escalation through n levels, per level",
      unit: "µs",
      n: 1,
      coppice: 12,
      floor: 4,
      effect: 6,
      otp: 2,
      elixir: null,
      spread: { coppice: [6, 18], floor: [2, 6], effect: [3, 9], otp: [1, 3], elixir: null },
      ratios: { floor: 3, effect: 2, otp: 6, elixir: null },
      missing: { elixir: "is not installed" }
    })
    assert.deepStrictEqual(report.rows.map(({ n }) => n), [1, 10, 100])
    assert.deepStrictEqual(report.failures, [])
    assert.strictEqual(report.rounds, 3)
  })

  it("says of a row that a side cannot do why that is", () => {
    const report = bench(named("rest-for-one"), { ...options, runs: 1 }, all(), silent)
    assert.deepStrictEqual(report.rows[0]!.missing, {
      effect: "has no counterpart",
      elixir: "a DynamicSupervisor is one-for-one"
    })
  })

  it("goes on where a side fails, and says so", () => {
    const fails: Runner = {
      version: "1",
      run: () => {
        throw new Error("out of memory")
      }
    }
    const report = bench(named("use"), { ...options, runs: 1 }, { ...all(), otp: fails }, silent)
    assert.deepStrictEqual(report.failures, ["round 1, otp, use:1: Error: out of memory"])
    assert.strictEqual(report.rows[0]!.coppice, 6)
    assert.strictEqual(report.rows[0]!.missing.otp, "failed")
  })

  it("alternates the sides, and another one is first in each round", () => {
    const told: Array<string> = []
    bench(named("use"), { ...options, runs: 2 }, all(), {
      ...silent,
      tell: (what) => told.push(what.split(", ")[1]!)
    })
    assert.deepStrictEqual(told, ["coppice", "floor", "effect", "otp", "floor", "effect", "otp", "coppice"])
  })

  it("measures a million only without --quick, and the hundred thousands of --quick once", () => {
    const sizesAsked = (quick: boolean) => {
      const asked: Array<string> = []
      const runners: Runners = { coppice: pretended(1, asked) }
      bench(named("start"), { ...options, quick, runs: 2 }, runners, silent)
      return asked
    }
    const small = ["life:1", "life:1000"]
    assert.deepStrictEqual(sizesAsked(true), [...small, "life:100000", ...small])
    const full = [...small, "life:100000", "life:1000000"]
    assert.deepStrictEqual(sizesAsked(false), [...full, ...full])
  })
})

describe("bench --quick", () => {
  const rowsOf = (name: string) => rows.filter((row) => row.name === name)

  /** A side each of whose runs takes so many seconds. */
  const lasting = (seconds: number) => {
    let now = 0
    const runner = pretended(1)
    const run: Runner["run"] = (wanted) => {
      now += seconds
      return runner.run(wanted)
    }
    return { runners: { coppice: { ...runner, run } }, surroundings: { tell: () => {}, nowSeconds: () => now } }
  }

  const roundsWhere = (seconds: number, runs: number | undefined) => {
    const { runners, surroundings } = lasting(seconds)
    return bench(rowsOf("use"), { ...options, runs }, runners, surroundings).rounds
  }

  it("begins no round that would not be over after 45 seconds", () => {
    assert.strictEqual(roundsWhere(15, undefined), 3)
    assert.strictEqual(roundsWhere(15.1, undefined), 2)
    assert.strictEqual(roundsWhere(100, undefined), 1)
  })

  it("makes as many rounds as it is told to", () => {
    assert.strictEqual(roundsWhere(100, 4), 4)
  })
})

describe("npm run bench", () => {
  it("writes a line for each row and size to a file, and the table to the screen", () => {
    const main = fileURLToPath(import.meta.resolve("@coppice/bench/main"))
    const file = join(folder, "bench.json")
    const args = ["--quick", "--runs", "1", "--only", "use", "--only", "escalation", "--json", file]
    const output = execFileSync(process.execPath, [main, ...args], { encoding: "utf8", stdio: "pipe" })
    const { rows, versions } = JSON.parse(readFileSync(file, "utf8"))
    assert.deepStrictEqual(
      rows.map(({ n, name }: { readonly n: number; readonly name: string }) => `${name} ${n}`),
      ["escalation 1", "escalation 10", "escalation 100", "use 1"]
    )
    for (const row of rows) {
      const figures = [row.coppice, row.floor, row.effect, row.otp, row.elixir]
      assert.isTrue(figures.every((figure) => figure === null || figure > 0), JSON.stringify(row))
      assert.isTrue(row.coppice > 0 && row.floor > 0 && row.effect > 0)
    }
    assert.strictEqual(versions.node, process.versions.node)
    assert.match(output, /^\| escalation through n levels, per level +\| +1 \| µs/m)
  }, 30_000)

  it("shows a table again from a file, without measuring", () => {
    const main = fileURLToPath(import.meta.resolve("@coppice/bench/main"))
    const args = ["--from", join(folder, "bench.json")]
    const { stderr, stdout } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" })
    assert.strictEqual(stderr, "")
    assert.match(stdout, /^\| escalation through n levels, per level +\| +1 \| µs/m)
  })
})
