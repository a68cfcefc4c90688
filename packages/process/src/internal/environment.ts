import type * as ChildProcess from "effect/process/ChildProcess"
import * as Redacted from "effect/Redacted"

/** Variables of a process, some of them secret; one that is undefined it is not to have. */
export type Environment = Readonly<Record<string, string | Redacted.Redacted<string> | undefined>>

/** What a process has of a variable, its own or inherited from this program. */
export const valueOf = (
  name: string,
  { env, extendEnv }: ChildProcess.CommandOptions
): string | Redacted.Redacted<string> | undefined => {
  if (env !== undefined && name in env) return env[name]
  return env === undefined || extendEnv === true ? process.env[name] : undefined
}

/** A value as the process sees it. */
export const plain = (value: string | Redacted.Redacted<string>): string =>
  Redacted.isRedacted(value) ? Redacted.value(value) : value

/** A shorter value from a file is no secret that could be told from any other text. */
const shortestSecret = 8

/** Which of the values from files are searched for in what a process prints. */
export const worthHiding = (files: Environment): ReadonlyArray<Redacted.Redacted<string>> =>
  Object.values(files).filter((value) => Redacted.isRedacted(value)).filter((value) =>
    Redacted.value(value).length >= shortestSecret
  )
