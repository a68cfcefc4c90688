import * as ChildProcess from "effect/process/ChildProcess"
import * as CommandLine from "effect/process/CommandLine"
import * as Redacted from "effect/Redacted"
import { markerFor, markerName } from "./marker.ts"

/** A process's port, and how it is told. */
export interface Port {
  readonly number: number
  readonly flag: string | undefined
  readonly variable: string
}

/** What a process is given besides what its command says. */
export interface Given {
  readonly mark: string
  readonly files: Readonly<Record<string, Redacted.Redacted<string>>>
  readonly port: Port | undefined
  /** Descriptors that it may write to. */
  readonly fds: ReadonlyArray<number>
}

/** A command as it is run, how it is told to people, and what they must not see of it. */
export interface Prepared {
  readonly command: ChildProcess.StandardCommand
  readonly text: string
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/** A flag that ends with `=` has its value in the same word. */
const portArguments = (port: Port | undefined): ReadonlyArray<string> => {
  if (port?.flag === undefined) return []
  return port.flag.endsWith("=") ? [`${port.flag}${port.number}`] : [port.flag, `${port.number}`]
}

const portVariable = (port: Port | undefined): Record<string, string> =>
  port === undefined ? {} : { [port.variable]: `${port.number}` }

// What goes elsewhere there is nothing to read of.
const output = (config: ChildProcess.CommandOptions["stdout"]): "pipe" | "inherit" | "ignore" => {
  const stream = typeof config === "object" && "stream" in config ? config.stream : config
  return stream === "inherit" || stream === "ignore" ? stream : "pipe"
}

/** The command with all that its process is given. Where a variable is said twice, what the command says counts. */
export const prepare = (command: ChildProcess.StandardCommand, given: Given): Prepared => {
  const { options } = command
  const args = [...command.args, ...portArguments(given.port)]
  const env = {
    ...given.files,
    ...portVariable(given.port),
    ...options.env,
    [markerName]: markerFor(given.mark)
  }
  const fds = Object.fromEntries(given.fds.map((fd) => [`fd${fd}`, { type: "output" } as const]))
  return {
    command: ChildProcess.make(command.command, args, {
      ...options,
      env,
      extendEnv: options.env === undefined || options.extendEnv === true,
      stdout: output(options.stdout),
      stderr: output(options.stderr),
      additionalFds: { ...options.additionalFds, ...fds },
      // Only for what ends before our own stop takes over: without it the spawner would wait without a bound.
      forceKillAfter: "1 second"
    }),
    text: CommandLine.display([command.command, ...args], { format: "posix" }),
    secrets: [...args, ...Object.values(env)].filter((value) => Redacted.isRedacted(value))
  }
}
