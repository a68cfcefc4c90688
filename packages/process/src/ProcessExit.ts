/**
 * How a process ends, and why it could not begin.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The process ended by itself, with a code that is none of success.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProcessExited extends Schema.TaggedError<ProcessExited>()("ProcessExited", {
  command: Schema.String,
  pid: Schema.Int,
  code: Schema.Int
}) {
  override get message(): string {
    return `${this.command} (pid ${this.pid}) exited with code ${this.code}`
  }
}

/**
 * The process was ended by a signal that its supervisor did not send.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProcessSignaled extends Schema.TaggedError<ProcessSignaled>()("ProcessSignaled", {
  command: Schema.String,
  pid: Schema.Int,
  signal: Schema.String
}) {
  override get message(): string {
    return `${this.command} (pid ${this.pid}) was ended by ${this.signal}`
  }
}

/**
 * There is no such command. `searched` are the folders in which it was looked for, or the one file that it would be; none if they
 * are a secret.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandNotFound extends Schema.TaggedError<CommandNotFound>()("CommandNotFound", {
  command: Schema.String,
  searched: Schema.Array(Schema.String)
}) {
  override get message(): string {
    if (this.searched.length === 0) return `${this.command} was not found in any folder of its PATH, which is a secret`
    if (this.command.includes("/")) return `${this.command} was not found: there is no ${this.searched.join()}`
    return `${this.command} was not found: it is in none of ${this.searched.join(", ")}`
  }
}

/**
 * The process could not be started: `problem` says what is wrong with its command, its folder or its environment.
 *
 * @category errors
 * @since 0.1.0
 */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", {
  command: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.command} could not be started: ${this.problem}`
  }
}
