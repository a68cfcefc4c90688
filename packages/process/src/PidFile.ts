/**
 * A file that says which process runs, so that it is not started twice and can be found.
 *
 * It is JSON for people and programs. Whether what it says is still true is decided by the process's identity, pid and start
 * time, so that a file left behind by a crash stops nobody, and a pid that is another's by now is never sent a signal.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import { userInfo } from "node:os"
import { basename } from "node:path"
import { type Judgement, SoleFile } from "./internal/soleFile.ts"
import * as ProcessIdentity from "./ProcessIdentity.ts"

const Pid = Schema.Int.check(Schema.isGreaterThan(0))

/**
 * What a pid file says. A file of another program may have nothing but a number: then the pid is all that is known.
 *
 * - `version`: of this format, 1. A later one has the same fields, and maybe more.
 * - `id`: of this very file.
 * - `pid`, `startTime`: the identity of the process.
 * - `owner`: whose the daemon is: a user, or a session of some tool.
 * - `port`: where it listens.
 * - `command`: what was started, for people.
 * - `startedAt`: when the file was made, as in ISO 8601.
 *
 * @category models
 * @since 0.1.0
 */
export const Record = Schema.Struct({
  version: Schema.optionalKey(Schema.Int),
  id: Schema.optionalKey(Schema.String),
  pid: Pid,
  startTime: Schema.optionalKey(Schema.String),
  owner: Schema.optionalKey(Schema.String),
  port: Schema.optionalKey(Schema.Int),
  command: Schema.optionalKey(Schema.String),
  startedAt: Schema.optionalKey(Schema.String)
})

/**
 * What a pid file says. A file of another program may have nothing but a number: then the pid is all that is known.
 *
 * @category models
 * @since 0.1.0
 */
export type Record = typeof Record.Type

/**
 * What is written besides the identity of this process.
 *
 * - `owner`: default the name of the user.
 * - `port`: default none.
 * - `command`: default the program and its script, as in `node /srv/shop.ts`, without arguments. Everybody may read the
 *   file, and copies of it outlive the process, and an argument may be a secret.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly owner?: string | undefined
  readonly port?: number | undefined
  readonly command?: string | undefined
}

/**
 * The pid file of this process.
 *
 * - `record`: what it says.
 * - `setPort`: writes where the process listens, where that is known later than the file is made.
 *
 * @category models
 * @since 0.1.0
 */
export interface PidFile {
  readonly record: Effect.Effect<Record>
  readonly setPort: (port: number) => Effect.Effect<void, PidFileFailed>
}

const about = { path: Schema.String, ...Record.fields }

const nameOf = (path: string): string => basename(path, ".pid")

/**
 * The process of the pid file lives: it is not to be started twice.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlreadyRunning extends Schema.TaggedError<AlreadyRunning>()("AlreadyRunning", about) {
  override get message(): string {
    const { command, owner, path, pid, port, startedAt } = this
    const known = [
      `pid ${pid}${command === undefined ? "" : ` (${command})`}${
        startedAt === undefined ? "" : ` since ${startedAt}`
      }`,
      ...(port === undefined ? [] : [`port ${port}`]),
      ...(owner === undefined ? [] : [`started by ${owner}`])
    ]
    return `${nameOf(path)} is already running: ${known.join(", ")}; ` +
      `stop it with "kill ${pid}", or remove ${path} if that is wrong`
  }
}

/**
 * The pid file cannot be read or written.
 *
 * @category errors
 * @since 0.1.0
 */
export class PidFileFailed extends Schema.TaggedError<PidFileFailed>()("PidFileFailed", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `the pid file ${this.path} cannot be used: ${this.problem}`
  }
}

/**
 * There is no pid file, or none of a process that lives: nobody was sent anything. `pid` is that of the process that has
 * ended.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotRunning extends Schema.TaggedError<NotRunning>()("NotRunning", {
  path: Schema.String,
  pid: Schema.optionalKey(Pid)
}) {
  override get message(): string {
    const why = this.pid === undefined ? `there is no ${this.path}` : `pid ${this.pid} of ${this.path} has ended`
    return `${nameOf(this.path)} is not running: ${why}`
  }
}

/**
 * The process is somebody else's: nobody was sent anything.
 *
 * @category errors
 * @since 0.1.0
 */
export class OwnedByAnother extends Schema.TaggedError<OwnedByAnother>()("OwnedByAnother", {
  ...about,
  expected: Schema.String
}) {
  override get message(): string {
    const owner = this.owner === undefined ? "is of an unknown owner" : `belongs to ${this.owner}`
    return `${nameOf(this.path)} (pid ${this.pid}) ${owner}, not to ${this.expected}: it was left alone`
  }
}

/**
 * The process lives, and this user may not send it signals.
 *
 * @category errors
 * @since 0.1.0
 */
export class SignalRefused extends Schema.TaggedError<SignalRefused>()("SignalRefused", {
  ...about,
  signal: Schema.String
}) {
  override get message(): string {
    return `${nameOf(this.path)} (pid ${this.pid}) could not be sent ${this.signal}: it is another user's process`
  }
}

/**
 * Makes the pid file of this process, for as long as the scope is open.
 *
 * **Details**
 *
 * Of programs that start at the same time one has the file, and the others fail with `AlreadyRunning`, also where the file
 * of a process that has ended is in the way. What no program has written, such as half a file, is kept under the name
 * `PATH.unreadable-N`, with a warning. A file that is a number, as other programs write it, is understood.
 *
 * The file has the mode 0644, its folder, if it has to be made, 0755. When the scope closes it is removed, if it is still
 * this one.
 *
 * **Gotchas**
 *
 * Programs in different containers, or on different machines, do not see each other's processes: they must not share a pid
 * file. The file system must know hard links.
 *
 * A number alone is taken for a process that runs as long as any process has that pid.
 *
 * **Example** (The second start is refused)
 *
 * ```ts import.meta.vitest
 * import { PidFile } from "@coppice/process"
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, FileSystem } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
 *   yield* PidFile.acquire(`${folder}/shop.pid`, { owner: "alice", port: 8080 })
 *   const error = yield* Effect.flip(PidFile.acquire(`${folder}/shop.pid`))
 *   return [error._tag, "owner" in error && error.owner]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeServices.layer))) // => ["AlreadyRunning", "alice"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const acquire: (
  path: string,
  options?: Options
) => Effect.Effect<
  PidFile,
  AlreadyRunning | PidFileFailed,
  FileSystem.FileSystem | Path.Path | Scope.Scope
> = Effect.fnUntraced(function*(path: string, options: Options = {}) {
  const absolute = (yield* Path.Path).resolve(path)
  const file = yield* open(absolute)
  let record: Record = yield* describe(options)
  yield* Effect.acquireRelease(
    claim(file, absolute, textOf(record)),
    () => Effect.suspend(() => release(file, absolute, textOf(record)))
  )
  const replace = Effect.fnUntraced(function*(next: Record) {
    const isOurs = yield* Effect.mapError(file.replace(textOf(record), textOf(next)), failed(absolute))
    if (!isOurs) return yield* new PidFileFailed({ path: absolute, problem: "it is another's by now" })
    record = next
  }, Effect.uninterruptible)
  return { record: Effect.sync(() => record), setPort: (port) => Effect.suspend(() => replace({ ...record, port })) }
})

/**
 * Reads a pid file: what it says, and whether that process lives. There is none if there is no file.
 *
 * **When to use**
 *
 * Use for commands such as `status`.
 *
 * @category reading
 * @since 0.1.0
 */
export const read: (
  path: string
) => Effect.Effect<
  Option.Option<{ readonly record: Record; readonly isAlive: boolean }>,
  PidFileFailed,
  FileSystem.FileSystem
> = Effect.fnUntraced(function*(path: string) {
  const file = new SoleFile(yield* FileSystem.FileSystem, path, judge)
  const text = yield* Effect.mapError(file.read(path), failed(path))
  if (text === undefined) return Option.none()
  const record = decode(text)
  return record === undefined
    ? yield* new PidFileFailed({ path, problem: "it is not a pid file" })
    : Option.some({ record, isAlive: isAlive(record) })
})

/**
 * Sends a signal to the process of a pid file, and answers what the file says. With `owner` it is sent to nobody else's.
 *
 * **When to use**
 *
 * Use for commands such as `stop`. It does not wait until the process has ended.
 *
 * @category operations
 * @since 0.1.0
 */
export const signal: (
  path: string,
  signal: NodeJS.Signals,
  options?: { readonly owner?: string | undefined }
) => Effect.Effect<
  Record,
  NotRunning | OwnedByAnother | SignalRefused | PidFileFailed,
  FileSystem.FileSystem
> = Effect.fnUntraced(function*(path, signal, options = {}) {
  const { owner: expected } = options
  const found = yield* read(path)
  if (Option.isNone(found)) return yield* new NotRunning({ path })
  const { record } = found.value
  if (!found.value.isAlive) return yield* new NotRunning({ path, pid: record.pid })
  if (expected !== undefined && record.owner !== expected) {
    return yield* new OwnedByAnother({ path, ...record, expected })
  }
  if (ProcessIdentity.signal(record, signal)) return record
  return yield* isAlive(record)
    ? new SignalRefused({ path, ...record, signal })
    : new NotRunning({ path, pid: record.pid })
})

const open = Effect.fnUntraced(function*(path: string) {
  const files = yield* FileSystem.FileSystem
  const folder = (yield* Path.Path).dirname(path)
  yield* Effect.mapError(files.makeDirectory(folder, { recursive: true, mode: 0o755 }), failed(path))
  return new SoleFile(files, path, judge)
})

const describe = Effect.fnUntraced(function*({ command = program(), owner = user(), port }: Options) {
  return {
    version: 1,
    id: randomUUID(),
    ...ProcessIdentity.of(process.pid),
    owner,
    ...(port === undefined ? undefined : { port }),
    command,
    startedAt: DateTime.formatIso(yield* DateTime.now)
  }
})

const program = (): string => [basename(process.execPath), ...process.argv.slice(1, 2)].join(" ")

// A user that is a number only, as in a container, has no name.
const user = (): string => {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.()}`
  }
}

const claim = Effect.fnUntraced(function*(file: SoleFile, path: string, text: string) {
  const claimed = yield* Effect.mapError(file.claim(text), failed(path))
  if (claimed._tag === "Theirs") return yield* new AlreadyRunning({ path, ...decode(claimed.text)! })
  if (claimed.setAside !== undefined) {
    yield* Effect.logWarning(`${path} was not a pid file: it is kept as ${claimed.setAside}`)
  } else if (claimed.before !== undefined) {
    yield* Effect.logInfo(`${path} was left behind by pid ${decode(claimed.before)?.pid}, which has ended`)
  }
})

const release = (file: SoleFile, path: string, text: string): Effect.Effect<void> =>
  Effect.matchEffect(file.release(text), {
    onFailure: (error) => Effect.logWarning(`the pid file ${path} could not be removed: ${problemOf(error)}`),
    onSuccess: (found) =>
      found === undefined || found === text
        ? Effect.void
        : Effect.logWarning(`the pid file ${path} is another's by now: it was left alone`)
  })

// The machine's own words say more, as that there is no space left.
const problemOf = ({ message, reason }: PlatformError): string =>
  Predicate.isError(reason.cause) ? reason.cause.message : message

const failed = (path: string) => (error: PlatformError) => new PidFileFailed({ path, problem: problemOf(error) })

const encode = Schema.encodeSync(Schema.fromJsonString(Record))

const textOf = (record: Record): string => `${encode(record)}\n`

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Record))

const decode = (text: string): Record | undefined =>
  /^\s*[1-9]\d{0,9}\s*$/.test(text) ? { pid: Number(text) } : Option.getOrUndefined(decodeJson(text))

// A number that is this process's own pid is old: in a container a program may have the same pid after each start.
const isAlive = (record: Record): boolean =>
  ProcessIdentity.isAlive(record) && (record.pid !== process.pid || record.id !== undefined)

const judge = (text: string): Judgement => {
  const record = decode(text)
  return record === undefined ? "unreadable" : isAlive(record) ? "lives" : "gone"
}
