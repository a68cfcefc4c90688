/**
 * The command that records supervision traces from OTP.
 *
 * Run by `npm run record`; see {@link usage} and README.md.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { isDeepStrictEqual, parseArgs } from "node:util"
import { generate, tidy } from "./generator.ts"
import * as Random from "./random.ts"
import type { Outcome, Recorder } from "./runner.ts"
import { isTooSlow, makeRecorder, OtpMissing } from "./runner.ts"
import type { Entry, Scenario, Trace } from "./scenario.ts"
import { makeTrace } from "./scenario.ts"

const usage = `Records what OTP's supervisor does with made-up scenarios, one JSON object a line.

  npm run --silent record -- --seed 5 --count 100 > traces.jsonl
  npm run record -- --seed 5 --count 100 --out traces.jsonl
  npm run record -- --check traces.jsonl

  --seed N       which scenarios: the same seed makes the same ones
  --count N      how many traces to keep (default 100)
  --prefix TEXT  what their ids begin with (default r)
  --runs N       how often each is run; kept only if the same each time
                 (default 5; with --check 1)
  --out FILE     write there instead of to standard output
  --check FILE   run the scenarios of FILE again and report differences
                 (exit status 1 if there are any)
  --help         this

Needs Erlang/OTP: \`erl\` and \`erlc\` on the PATH.
`

class UsageError extends Error {}

const messageOf = (error: unknown) => error instanceof Error ? error.message : String(error)

// Different loads shake out what depends on timing.
const concurrencies = [24, 16, 32, 8, 40] as const

const concurrencyOf = (run: number) => concurrencies[run % concurrencies.length] ?? concurrencies[0]

const runAll = (recorder: Recorder, scenarios: ReadonlyArray<Scenario>, options: {
  readonly run: number
  readonly runs: number
}): Promise<ReadonlyArray<Outcome>> => {
  const label = `run ${options.run + 1} of ${options.runs}`
  return recorder.run(scenarios, {
    concurrency: concurrencyOf(options.run),
    onProgress: (done) => {
      if (done === scenarios.length || process.stderr.isTTY && done % 50 === 0) {
        process.stderr.write(`${process.stderr.isTTY ? "\r" : ""}${label}: ${done} of ${scenarios.length} scenarios`)
      }
      if (done === scenarios.length) process.stderr.write("\n")
    }
  })
}

// ---- Recording

/** A trace on probation: what the first run gave, tidied. */
interface Candidate {
  readonly scenario: Scenario
  readonly entries: ReadonlyArray<Entry>
}

type Dropped = "broke the recorder" | "too slow for its restart period" | "not the same every time"

/** Why a run speaks against a candidate, if it does. */
const objection = ({ entries, scenario }: Candidate, outcome: Outcome | undefined): Dropped | undefined => {
  if (outcome?._tag !== "Recorded") return "broke the recorder"
  if (isTooSlow(scenario, outcome.millis)) return "too slow for its restart period"
  return isDeepStrictEqual(outcome.entries, entries) ? undefined : "not the same every time"
}

interface RecordingOptions {
  readonly seed: number
  readonly prefix: string
  readonly runs: number
}

/** Records a seed's traces in rounds, until there are enough. */
class Recording {
  readonly #recorder: Recorder
  readonly #options: RecordingOptions
  readonly #seen = new Set<string>()
  readonly #dropped = new Map<Dropped, number>()
  readonly #waiting: Array<Candidate> = []
  readonly #traces: Array<Trace> = []
  #made = 0

  constructor(recorder: Recorder, options: RecordingOptions) {
    this.#recorder = recorder
    this.#options = options
  }

  /** The first of the seed's scenarios that are worth keeping, in order. */
  async take(count: number): Promise<ReadonlyArray<Trace>> {
    while (this.#traces.length < count) {
      const missing = count - this.#traces.length
      if (this.#waiting.length < missing) await this.#make(Math.ceil((missing - this.#waiting.length) * 1.3) + 10)
      else await this.#keep(this.#waiting.splice(0, missing))
    }
    return this.#traces
  }

  get summary(): string {
    const dropped = [...this.#dropped].map(([why, times]) => `${times} ${why}`)
    return `${this.#made} scenarios made; dropped: ${dropped.length === 0 ? "none" : dropped.join(", ")}`
  }

  async #make(count: number) {
    const { prefix, runs, seed } = this.#options
    const numbers = Array.from({ length: count }, (_, index) => this.#made + index + 1)
    const made = numbers.map((number) => generate(seed, number, `${prefix}${String(number).padStart(4, "0")}`))
    const outcomes = await runAll(this.#recorder, made, { run: 0, runs })
    const candidates = made.flatMap((scenario, index) =>
      this.#candidate(scenario, this.#made + index + 1, outcomes[index])
    )
    if (candidates.length === 0) throw new Error(`none of ${count} scenarios could be used`)
    this.#made += count
    this.#waiting.push(...candidates)
  }

  async #keep(candidates: Array<Candidate>) {
    let kept = candidates
    for (let run = 1; run < this.#options.runs; run++) kept = await this.#again(kept, run)
    this.#traces.push(...kept.map(({ entries, scenario }) => makeTrace(scenario, entries)))
  }

  /** None where a scenario came to little, or to the same as one before. */
  #candidate(scenario: Scenario, number: number, outcome: Outcome | undefined): ReadonlyArray<Candidate> {
    if (outcome?._tag !== "Recorded") {
      this.#drop(scenario, "broke the recorder")
      return []
    }
    // Streams below zero are those of tidying, the others those of making.
    const { entries, steps } = tidy(scenario, outcome.entries, Random.make(this.#options.seed, -number))
    const key = JSON.stringify([scenario.tree, steps])
    const started = entries[0]?.state?.root === "alive"
    if (started && steps.length < 2 || this.#seen.has(key)) return []
    this.#seen.add(key)
    if (isTooSlow(scenario, outcome.millis)) {
      this.#drop(scenario, "too slow for its restart period")
      return []
    }
    return [{ scenario: { ...scenario, steps }, entries }]
  }

  async #again(candidates: ReadonlyArray<Candidate>, run: number): Promise<Array<Candidate>> {
    const outcomes = await runAll(this.#recorder, candidates.map(({ scenario }) => scenario), {
      run,
      runs: this.#options.runs
    })
    return candidates.filter((candidate, index) => {
      const why = objection(candidate, outcomes[index])
      if (why !== undefined) this.#drop(candidate.scenario, why)
      return why === undefined
    })
  }

  #drop({ id }: Scenario, why: Dropped) {
    this.#dropped.set(why, (this.#dropped.get(why) ?? 0) + 1)
    process.stderr.write(`${id}: ${why}\n`)
  }
}

const writeTraces = (traces: ReadonlyArray<Trace>, out: string | undefined) => {
  const text = traces.map((trace) => `${JSON.stringify(trace)}\n`).join("")
  if (out === undefined) process.stdout.write(text)
  else writeFileSync(out, text)
}

// ---- Checking

const readTraces = (file: string): ReadonlyArray<Trace> => {
  try {
    return readFileSync(file, "utf8").split("\n").filter((line) => line.trim() !== "").map((line) => JSON.parse(line))
  } catch (error) {
    throw new UsageError(`cannot read traces from ${file}: ${messageOf(error)}`, { cause: error })
  }
}

/** Says where a run differs from a trace, if it does. */
const difference = (trace: Trace, outcome: Outcome | undefined): string | undefined => {
  if (outcome?._tag !== "Recorded") return `broke the recorder: ${outcome?.reason}`
  if (isDeepStrictEqual(outcome.entries, trace.expect)) return undefined
  if (isTooSlow(trace, outcome.millis)) return "too slow for its restart period; try again on an idle machine"
  let index = 0
  while (isDeepStrictEqual(trace.expect[index], outcome.entries[index])) index++
  return [
    index === 0 ? "the start of the tree" : `step ${index}: ${JSON.stringify(trace.steps[index - 1])}`,
    `  in the file: ${JSON.stringify(trace.expect[index])}`,
    `  now:         ${JSON.stringify(outcome.entries[index])}`
  ].join("\n")
}

const check = async (recorder: Recorder, file: string, runs: number): Promise<number> => {
  const traces = readTraces(file)
  const differing = new Map<string, string>()
  for (let run = 0; run < runs; run++) {
    const outcomes = await runAll(recorder, traces, { run, runs })
    for (const [index, trace] of traces.entries()) {
      const found = difference(trace, outcomes[index])
      if (found !== undefined) differing.set(trace.id, found)
    }
  }
  for (const [id, found] of differing) process.stdout.write(`${id}: ${found}\n`)
  process.stdout.write(`${traces.length} scenarios, ${differing.size} differ\n`)
  return differing.size === 0 ? 0 : 1
}

// ---- The command

const numberOption = (name: string, text: string, least: number): number => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${name} takes a whole number from ${least}, not ${JSON.stringify(text)}`)
}

const readOptions = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: { type: "string" },
        count: { type: "string" },
        prefix: { type: "string" },
        runs: { type: "string" },
        out: { type: "string" },
        check: { type: "string" },
        help: { type: "boolean" }
      }
    }).values
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error })
  }
}

const withRecorder = async (use: (recorder: Recorder) => Promise<number>): Promise<number> => {
  const begin = performance.now()
  const recorder = makeRecorder()
  process.stderr.write(`Erlang/OTP ${recorder.release}\n`)
  try {
    return await use(recorder)
  } finally {
    recorder.dispose()
    process.stderr.write(`${Math.round((performance.now() - begin) / 1000)} s\n`)
  }
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = readOptions(args)
  if (options.help === true) {
    process.stdout.write(usage)
    return 0
  }
  const { check: file, out, prefix = "r", seed } = options
  if (file !== undefined) {
    const runs = numberOption("runs", options.runs ?? "1", 1)
    return withRecorder((recorder) => check(recorder, file, runs))
  }
  if (seed === undefined) throw new UsageError("say which scenarios with --seed, or a file to --check")
  if (!/^\w*$/.test(prefix)) throw new UsageError(`--prefix takes letters, digits and _, not ${JSON.stringify(prefix)}`)
  const count = numberOption("count", options.count ?? "100", 1)
  const runs = numberOption("runs", options.runs ?? "5", 1)
  const recordingOptions = { seed: numberOption("seed", seed, 0), prefix, runs }
  return withRecorder(async (recorder) => {
    const recording = new Recording(recorder, recordingOptions)
    const traces = await recording.take(count)
    writeTraces(traces, out)
    process.stderr.write(`${traces.length} traces kept of ${recording.summary}\n`)
    return 0
  })
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError || error instanceof OtpMissing)) throw error
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? "--help tells more.\n" : ""}`)
  process.exitCode = 2
}
