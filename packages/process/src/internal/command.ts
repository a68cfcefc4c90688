import * as ChildProcess from "effect/process/ChildProcess"
import * as CommandLine from "effect/process/CommandLine"
import * as Redacted from "effect/Redacted"
import { type Environment, worthHiding } from "./environment.ts"
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
  readonly files: Environment
  readonly port: Port | undefined
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
  const own: Environment = { ...portVariable(given.port), ...options.env }
  // The spawner would send a signal of its own, to whoever has the number of the group then. Ours come before, and to those who
  // are meant: what it sends does nothing.
  const { forceKillAfter: _, ...rest } = options
  return {
    command: ChildProcess.make(command.command, args, {
      ...rest,
      env: { ...given.files, ...own, [markerName]: markerFor(given.mark) },
      extendEnv: options.env === undefined || options.extendEnv === true,
      stdout: output(options.stdout),
      stderr: output(options.stderr),
      killSignal: "SIGCONT"
    }),
    text: CommandLine.display([command.command, ...args], { format: "posix" }),
    secrets: [
      ...[...args, ...Object.values(own)].filter((value) => Redacted.isRedacted(value)),
      ...worthHiding(given.files)
    ]
  }
}

/** The command with descriptors that its process may write to. */
export const withOutputs = (command: ChildProcess.StandardCommand, fds: ReadonlyArray<number>) =>
  ChildProcess.make(command.command, command.args, {
    ...command.options,
    additionalFds: {
      ...command.options.additionalFds,
      ...Object.fromEntries(fds.map((fd) => [`fd${fd}`, { type: "output" }] as const))
    }
  })

/** The descriptors besides the standard ones that a process writes to: somebody has to read them. */
export const outputsOf = ({ options }: ChildProcess.StandardCommand): ReadonlyArray<number> =>
  Object.entries(options.additionalFds ?? {}).flatMap(([name, { type }]) =>
    type === "input" ? [] : [ChildProcess.parseFdName(name) ?? []].flat()
  )
