import { Effect, Queue } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("./daemon.ts", import.meta.url))

/** What the program `daemon.ts` is told. */
export interface Settings {
  readonly child?: string
  readonly pidFile?: { readonly path: string; readonly owner?: string; readonly port?: number }
  readonly stopTimeout?: number
  readonly waits?: boolean
}

/** The command line of the program. */
export const commandOf = ({ child = "quiet", ...settings }: Settings): ReadonlyArray<string> => [
  process.execPath,
  "--conditions=@coppice/source",
  program,
  JSON.stringify({ child, ...settings })
]

/** A process that is killed in the end. */
export class Started {
  readonly process: ChildProcess
  /** What it has printed, with its pid, its times and what only it knows left out. */
  readonly lines: Array<string> = []
  private readonly news = Effect.runSync(Queue.unbounded<string>())

  private constructor(process: ChildProcess) {
    this.process = process
    createInterface({ input: process.stdout! }).on("line", (line) => {
      const text = line.replace(/pid \d+/g, "pid PID").replace(/after \d\S*m?s( \d+ms)?/, "after TIME").trimEnd()
      this.lines.push(text)
      Queue.offerUnsafe(this.news, text)
    })
  }

  static readonly make = (command: ReadonlyArray<string>, options: { readonly detached?: boolean } = {}) => {
    const { INVOCATION_ID: _, NOTIFY_SOCKET: __, ...env } = process.env
    return Effect.acquireRelease(
      Effect.sync(() => new Started(spawn(command[0]!, command.slice(1), { ...options, env }))),
      (started) => Effect.sync(() => started.process.kill("SIGKILL"))
    )
  }

  /** Waits until it has printed this. */
  readonly until = (line: string): Effect.Effect<void> =>
    Effect.flatMap(Queue.take(this.news), (text) => text === line ? Effect.void : this.until(line))

  readonly signal = (signal: NodeJS.Signals) => Effect.sync(() => void this.process.kill(signal))

  /** How it has ended: its exit code, or the signal that killed it. Then all that it has printed is there. */
  readonly end = Effect.callback<number | string | null>((resume) => {
    const { exitCode, signalCode, stdout } = this.process
    const answer = (code: number | null, signal: string | null) => resume(Effect.succeed(code ?? signal))
    if (stdout?.closed === true) answer(exitCode, signalCode)
    else this.process.once("close", answer)
  })
}

/** Starts the program. */
export const start = (settings: Settings, options?: { readonly detached?: boolean }) =>
  Started.make(commandOf(settings), options)
