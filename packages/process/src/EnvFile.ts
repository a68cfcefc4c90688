/**
 * Environment variables from files: `NAME=value`, a line each, with quotes and comments as in Node's own `--env-file`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { parseEnv } from "node:util"

/**
 * An environment file that cannot be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class EnvFileUnreadable extends Schema.TaggedError<EnvFileUnreadable>()("EnvFileUnreadable", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `the environment file ${this.file} cannot be read: ${this.problem}`
  }
}

/**
 * Parses what is in an environment file. A value is as likely a secret as not, and so each is redacted.
 *
 * **Example** (A comment, quotes, and a value that nobody sees)
 *
 * ```ts import.meta.vitest
 * import { EnvFile } from "@coppice/process"
 * import { Redacted } from "effect"
 *
 * const env = EnvFile.parse("# of the shop\nPORT=8080\nTOKEN='a b'")
 *
 * Object.keys(env) // => ["PORT", "TOKEN"]
 * String(env["TOKEN"]) // => "<redacted>"
 * Redacted.value(env["TOKEN"]!) // => "a b"
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (content: string): Record<string, Redacted.Redacted<string>> =>
  Object.fromEntries(
    Object.entries(parseEnv(content)).map(([name, value]) => [name, Redacted.make(value ?? "")])
  )

/**
 * Reads environment files. Where two have the same variable the later one has its way.
 *
 * @category reading
 * @since 0.1.0
 */
export const read = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  const fileSystem = yield* FileSystem.FileSystem
  const all = yield* Effect.forEach(files, (file) =>
    Effect.mapBoth(fileSystem.readFileString(file), {
      onFailure: ({ message }) => new EnvFileUnreadable({ file, problem: message }),
      onSuccess: parse
    }))
  return Object.assign({}, ...all) as Record<string, Redacted.Redacted<string>>
})
