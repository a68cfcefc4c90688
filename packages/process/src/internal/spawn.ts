import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import type * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Redacted from "effect/Redacted"
import { delimiter, dirname, resolve } from "node:path"
import { CommandNotFound, SpawnFailed } from "../ProcessExit.ts"
import type { Prepared } from "./command.ts"
import { plain, valueOf } from "./environment.ts"

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
    if (found._tag === "None") {
      return new CommandNotFound({ command: program, searched: searchedOf(program, places, command.options) })
    }
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
const placesOf = (program: string, options: ChildProcess.CommandOptions): ReadonlyArray<string> => {
  const { cwd = "." } = options
  if (program.includes("/")) return [resolve(cwd, program)]
  const path = plain(valueOf("PATH", options) ?? defaultPath)
  return path.split(delimiter).map((folder) => resolve(cwd, folder, program))
}

const defaultPath = "/bin:/usr/bin"

// A path that is secret is not told.
const searchedOf = (
  program: string,
  places: ReadonlyArray<string>,
  options: ChildProcess.CommandOptions
): ReadonlyArray<string> => {
  if (program.includes("/")) return places
  return Redacted.isRedacted(valueOf("PATH", options)) ? [] : places.map((place) => dirname(place))
}

const messageOf = (problem: unknown): string =>
  Predicate.hasProperty(problem, "message") ? String(problem.message) : String(problem)
