/**
 * Runs scenarios on the installed OTP.
 *
 * Compiles recorder.erl, hands it scenarios as Erlang terms and reads back
 * what happened. Many scenarios run at the same time in one Erlang node.
 */
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Child, Entry, Scenario, Step, Supervisor } from "./scenario.ts"
import { supervisorDefaults, supervisorsOf, workerDefaults } from "./scenario.ts"

/** What one run of a scenario gave. */
export type Outcome =
  | {
    readonly _tag: "Recorded"
    readonly entries: ReadonlyArray<Entry>
    /** How long each entry took, in real time. */
    readonly millis: ReadonlyArray<number>
  }
  | { readonly _tag: "Broken"; readonly reason: string }

/** An Erlang installation with the recorder compiled. */
export interface Recorder {
  readonly release: string
  readonly run: (scenarios: ReadonlyArray<Scenario>, options: {
    readonly concurrency: number
    readonly onProgress?: (done: number) => void
  }) => Promise<ReadonlyArray<Outcome>>
  readonly dispose: () => void
}

/** Says that Erlang is missing or too old, and what to do. */
export class OtpMissing extends Error {
  override readonly name = "OtpMissing"
}

const installation = "Install Erlang/OTP, at best release 25, as the traces of this repository are of that one:\n" +
  "  Debian, Ubuntu   apt-get install erlang-base\n" +
  "  macOS            brew install erlang\n" +
  "  elsewhere        https://www.erlang.org/downloads"

// Automatic shutdown came with OTP 24.
const oldestRelease = 24

const environment = { ...process.env, ERL_CRASH_DUMP_SECONDS: "0" }

const command = (name: "erl" | "erlc", args: ReadonlyArray<string>): string => {
  try {
    return execFileSync(name, args, { encoding: "utf8", env: environment, stdio: ["ignore", "pipe", "inherit"] })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    throw new OtpMissing(`\`${name}\` is not on the PATH. ${installation}`, { cause: error })
  }
}

const readRelease = (): string => {
  const release = command("erl", [
    "-noshell",
    "-noinput",
    "-eval",
    "io:put_chars(erlang:system_info(otp_release)), halt()."
  ])
  if (Number(release) >= oldestRelease) return release
  throw new OtpMissing(`This is Erlang/OTP ${release}; ${oldestRelease} is the oldest that will do. ${installation}`)
}

/** Finds Erlang and compiles the recorder. Throws {@link OtpMissing} where there is none. */
export const makeRecorder = (): Recorder => {
  const release = readRelease()
  const folder = mkdtempSync(join(tmpdir(), "coppice-otp-"))
  const dispose = () => rmSync(folder, { recursive: true, force: true })
  try {
    command("erlc", ["-o", folder, join(import.meta.dirname, "recorder.erl")])
  } catch (error) {
    dispose()
    throw error
  }
  return { release, dispose, run: (scenarios, options) => run(folder, scenarios, options) }
}

const run = async (
  folder: string,
  scenarios: ReadonlyArray<Scenario>,
  options: Parameters<Recorder["run"]>[1]
): Promise<ReadonlyArray<Outcome>> => {
  const file = join(folder, "scenarios")
  writeFileSync(file, scenarios.map(toTerm).join(""))
  const args = ["-noshell", "-noinput", "-pa", folder, "-run", "recorder", "main", file, String(options.concurrency)]
  const erl = spawn("erl", args, { env: environment, stdio: ["ignore", "pipe", "inherit"] })
  const ended = new Promise<number | null>((resolve, reject) => erl.once("error", reject).once("close", resolve))

  const outcomes: Array<Outcome | undefined> = scenarios.map(() => undefined)
  let done = 0
  for await (const line of createInterface({ input: erl.stdout })) {
    const { broken, expect, index, millis } = JSON.parse(line)
    outcomes[index] = broken === undefined
      ? { _tag: "Recorded", entries: expect, millis }
      : { _tag: "Broken", reason: broken }
    options.onProgress?.(++done)
  }
  const code = await ended
  if (code !== 0) throw new Error(`erl ended with status ${code} after ${done} of ${scenarios.length} scenarios`)
  return outcomes.map((outcome) => outcome ?? { _tag: "Broken", reason: "nothing came back" })
}

/**
 * Says whether a run was too slow for its restart periods.
 *
 * What happens between two `advance` steps is meant to lie within every
 * period. OTP cuts times to whole seconds, so real time may not come near one.
 */
export const isTooSlow = (scenario: Scenario, millis: ReadonlyArray<number>): boolean => {
  const periodSecondsMin = Math.min(
    ...supervisorsOf(scenario.tree).map(({ period }) => period ?? supervisorDefaults.period)
  )
  let sinceAdvance = millis[0] ?? 0
  let longest = sinceAdvance
  scenario.steps.forEach((step, index) => {
    sinceAdvance = step.op === "advance" ? 0 : sinceAdvance + (millis[index + 1] ?? 0)
    longest = Math.max(longest, sinceAdvance)
  })
  return longest > periodSecondsMin * 700
}

// Everything a scenario holds is a number, a flag or a word, so nothing needs escaping.
const word = (text: string | number | boolean): string => {
  if (!/^\w[\w-]*$/.test(String(text))) throw new Error(`not a word or number: ${JSON.stringify(text)}`)
  return String(text)
}

const binary = (text: string) => `<<"${word(text)}">>`

const list = (items: ReadonlyArray<string>) => `[${items.join(",")}]`

const map = (fields: { readonly [name: string]: string }) =>
  `#{${Object.entries(fields).map(([name, value]) => `${name}=>${value}`).join(",")}}`

const childTerm = (child: Child): string => {
  if (child.type === "worker") {
    const worker = { ...workerDefaults, ...child }
    return map({
      id: binary(worker.id),
      type: "worker",
      restart: word(worker.restart),
      significant: word(worker.significant),
      shutdown: word(worker.shutdown),
      start: list(worker.start.map(word)),
      ignores_shutdown: word(worker.ignoresShutdown)
    })
  }
  const supervisor: Required<Supervisor> = { ...supervisorDefaults, ...child }
  return map({
    id: binary(supervisor.id),
    type: "supervisor",
    strategy: word(supervisor.strategy),
    intensity: word(supervisor.intensity),
    period: word(supervisor.period),
    auto_shutdown: word(supervisor.autoShutdown),
    restart: word(supervisor.restart),
    significant: word(supervisor.significant),
    children: list(supervisor.children.map(childTerm))
  })
}

const calls = { terminateChild: "terminate_child", restartChild: "restart_child", deleteChild: "delete_child" }

const stepTerm = (step: Step): string => {
  switch (step.op) {
    case "exit":
      return `{exit,${binary(step.id)},${word(step.reason)}}`
    case "advance":
      return `{advance,${word(step.ms)}}`
    case "stop":
      return "stop"
    case "startChild":
      return `{start_child,${binary(step.supervisor)},${childTerm(step.child)}}`
    case "terminateChild":
    case "restartChild":
    case "deleteChild":
      return `{${calls[step.op]},${binary(step.supervisor)},${binary(step.id)}}`
  }
}

const toTerm = (scenario: Scenario, index: number): string =>
  `${map({ index: word(index), tree: childTerm(scenario.tree), steps: list(scenario.steps.map(stepTerm)) })}.\n`
