import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import type * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Redacted from "effect/Redacted"
import { delimiter, isAbsolute, join } from "node:path"
import { CommandNotFound, SpawnFailed } from "../ProcessExit.ts"
import type { Prepared } from "./command.ts"

/** Starts a process, and says what is wrong where that cannot be done. */
export const spawn = Effect.fnUntraced(function*({ command, text }: Prepared) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const { cwd } = command.options
  if (cwd !== undefined) yield* checkFolder(text, cwd)
  return yield* spawner.spawn(command).pipe(
    Effect.catch((error) => Effect.flatMap(whyNot(command, text, error), Effect.fail)),
    // A list of arguments that is too long, say: it depends on what is given, and not on the program.
    Effect.catchDefect((defect) => Effect.fail(new SpawnFailed({ command: text, problem: messageOf(defect) })))
  )
})

const checkFolder = Effect.fnUntraced(function*(text: string, cwd: string) {
  const files = yield* FileSystem.FileSystem
  const found = yield* Effect.result(files.stat(cwd))
  if (found._tag === "Failure") {
    const problem = found.failure.reason._tag === "NotFound" ? "does not exist" : "cannot be entered"
    return yield* new SpawnFailed({ command: text, problem: `its folder ${cwd} ${problem}` })
  }
  if (found.success.type !== "Directory") {
    return yield* new SpawnFailed({ command: text, problem: `its folder ${cwd} is a file` })
  }
})

const whyNot = Effect.fnUntraced(function*(
  command: ChildProcess.StandardCommand,
  text: string,
  { reason }: PlatformError.PlatformError
) {
  const program = programOf(command)
  if (reason._tag === "NotFound") {
    const files = yield* FileSystem.FileSystem
    const places = placesOf(program, command.options)
    const found = yield* Effect.findFirst(places, (place) => Effect.orElseSucceed(files.exists(place), () => false))
    if (found._tag === "None") return new CommandNotFound({ command: program, searched: searchedOf(program, places) })
    return new SpawnFailed({ command: text, problem: `what the first line of ${found.value} names does not exist` })
  }
  const problem = reason._tag === "PermissionDenied"
    ? `${program} may not be executed: is its mode right?`
    : reason._tag === "BadArgument"
    ? reason.description ?? reason.message
    : messageOf(reason.cause)
  return new SpawnFailed({ command: text, problem })
})

const programOf = ({ command, options }: ChildProcess.StandardCommand): string =>
  typeof options.shell === "string" ? options.shell : options.shell === true ? "/bin/sh" : command

/** The files that a program could be, by the rules of `execvp`. */
const placesOf = (
  program: string,
  { cwd = ".", env, extendEnv }: ChildProcess.CommandOptions
): ReadonlyArray<string> => {
  if (program.includes("/")) return [isAbsolute(program) ? program : join(cwd, program)]
  const own = env?.["PATH"]
  const path = own ?? (extendEnv === true ? process.env["PATH"] : undefined) ?? ""
  const folders = (Redacted.isRedacted(path) ? Redacted.value(path) : path).split(delimiter)
  return folders.filter((folder) => folder !== "").map((folder) => join(folder, program))
}

const searchedOf = (program: string, places: ReadonlyArray<string>): ReadonlyArray<string> =>
  program.includes("/") ? places : places.map((place) => place.slice(0, -program.length - 1))

const messageOf = (problem: unknown): string =>
  Predicate.hasProperty(problem, "message") ? String(problem.message) : String(problem)
