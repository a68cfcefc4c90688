import * as Effect from "effect/Effect"
import * as PlatformError from "effect/PlatformError"
import type { Signal, StandardCommand } from "effect/process/ChildProcess"
import * as CommandLine from "effect/process/CommandLine"
import * as Redacted from "effect/Redacted"
import type { SpawnError } from "../TestProcess.ts"

const errnos: Record<SpawnError, readonly [number: number, tag: PlatformError.SystemErrorTag]> = {
  EACCES: [-13, "PermissionDenied"],
  EAGAIN: [-11, "Unknown"],
  EMFILE: [-24, "Unknown"],
  ENFILE: [-23, "Unknown"],
  ENOENT: [-2, "NotFound"]
}

const inputFailures = {
  EPIPE: { message: "write EPIPE", fields: { errno: -32, code: "EPIPE", syscall: "write" } },
  ERR_STREAM_PREMATURE_CLOSE: { message: "Premature close", fields: { code: "ERR_STREAM_PREMATURE_CLOSE" } },
  ERR_STREAM_WRITE_AFTER_END: { message: "write after end", fields: { code: "ERR_STREAM_WRITE_AFTER_END" } }
}

interface Fields {
  readonly code?: string
  readonly errno?: number
  readonly syscall?: string
  readonly path?: string
  readonly spawnargs?: ReadonlyArray<string>
}

const make = (
  command: StandardCommand,
  method: string,
  message: string,
  fields: Fields = {},
  _tag: PlatformError.SystemErrorTag = "Unknown"
): PlatformError.PlatformError =>
  PlatformError.systemError({
    _tag,
    module: "ChildProcess",
    method,
    pathOrDescriptor: CommandLine.display([command.command, ...command.args], { format: "posix" }),
    syscall: fields.syscall,
    cause: Object.assign(new Error(message), fields)
  })

/** The command could not be spawned. */
export const spawn = (command: StandardCommand, code: SpawnError): PlatformError.PlatformError => {
  const [errno, tag] = errnos[code]
  const syscall = `spawn ${command.command}`
  const shown = command.args.map((arg) => Redacted.isRedacted(arg) ? "<redacted>" : arg)
  const spawnargs = command.args.some(Redacted.isRedacted) ? [command.command, ...shown] : shown
  return make(command, "spawn", `${syscall} ${code}`, { errno, code, syscall, path: command.command, spawnargs }, tag)
}

/** The process was ended by a signal, and so has no exit code. */
export const signaled = (command: StandardCommand, signal: Signal): PlatformError.PlatformError =>
  make(command, "exitCode", `Process interrupted due to receipt of signal: '${signal}'`)

/** There is no process to signal. */
export const notKilled = (command: StandardCommand): PlatformError.PlatformError =>
  make(command, "kill", "Failed to kill child process")

/** Nobody reads what was to be written to an input. */
export const notWritten = (
  command: StandardCommand,
  input: string,
  code: keyof typeof inputFailures
): PlatformError.PlatformError =>
  make(command, `fromWritable(${input})`, inputFailures[code].message, inputFailures[code].fields)

/** An output has lost its reader before its end. */
export const notRead = (command: StandardCommand, output: string): PlatformError.PlatformError =>
  make(command, `fromReadable(${output})`, "Premature close", { code: "ERR_STREAM_PREMATURE_CLOSE" })

/** Fails with what no spawner accepts. */
export const check = (command: StandardCommand): Effect.Effect<void, PlatformError.PlatformError> => {
  const description = mistakeIn(command)
  return description === undefined
    ? Effect.void
    : Effect.fail(PlatformError.badArgument({ module: "ChildProcess", method: "spawn", description }))
}

const mistakeIn = ({ args, command, options }: StandardCommand): string | undefined => {
  if (options.shell !== undefined && options.shell !== false && args.length > 0) {
    return "The shell option cannot be combined with arguments; pass the whole script as the command"
  }
  if (command.includes("\0")) return "The command contains a NUL character"
  const arg = args.findIndex((arg) => inClear(arg).includes("\0"))
  if (arg !== -1) return `Argument ${arg + 1} contains a NUL character`
  const variable = Object.entries(options.env ?? {}).find(([, value]) => inClear(value ?? "").includes("\0"))
  return variable && `The environment variable ${variable[0]} contains a NUL character`
}

/** What a process is given to see. */
export const inClear = (word: CommandLine.Word): string => Redacted.isRedacted(word) ? Redacted.value(word) : word
