/**
 * What a program has started, in files: so that the next start ends what was left behind when the machine, or the program and
 * its guard at once, were killed.
 *
 * In the folder is one file for each program and one for each of its processes, in `processes/`. To start or to stop a process
 * costs one small file, however many there are. Several programs may have the same folder: each leaves alone what belongs to
 * another that lives. What is no record, torn or of another version, is moved to `aside/`, and that is logged.
 *
 * Nobody is ended by a pid alone. A process is known by its pid with its start time, or by the mark in its environment: so
 * after a reboot there is nobody to end, and the records are removed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { endLeftovers, ofTheDead } from "./internal/leftovers.ts"
import * as record from "./internal/record.ts"
import { RecordFiles } from "./internal/recordFiles.ts"
import type { GuardedProcess } from "./ProcessGuard.ts"
import * as ProcessIdentity from "./ProcessIdentity.ts"
import { UnsupportedPlatform } from "./ProcessTable.ts"

/**
 * The folder for records cannot be used.
 *
 * @category errors
 * @since 0.1.0
 */
export class StateFolderUnusable extends Schema.TaggedError<StateFolderUnusable>()("StateFolderUnusable", {
  folder: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `the state folder ${this.folder} cannot be used: ${this.problem}`
  }
}

/**
 * A program that starts processes. By its `mark` also those are found that it had just started, without a record yet.
 *
 * @category records
 * @since 0.1.0
 */
export const ProgramRecord = record.ProgramRecord

/**
 * A program that starts processes. By its `mark` also those are found that it had just started, without a record yet.
 *
 * @category records
 * @since 0.1.0
 */
export type ProgramRecord = typeof ProgramRecord.Type

/**
 * A process: whose it is (`owner`), which one it is, the mark it was started with, the path of the child it ran for, and a line
 * for people that says what it is.
 *
 * `adoption` is the place for what a program needs to take over a process that has survived: null as long as none does.
 *
 * @category records
 * @since 0.1.0
 */
export const ProcessRecord = record.ProcessRecord

/**
 * A process: whose it is (`owner`), which one it is, the mark it was started with, the path of the child it ran for, and a line
 * for people that says what it is.
 *
 * `adoption` is the place for what a program needs to take over a process that has survived: null as long as none does.
 *
 * @category records
 * @since 0.1.0
 */
export type ProcessRecord = typeof ProcessRecord.Type

/**
 * The records of this program.
 *
 * - `add`: a process has been started.
 * - `remove`: it has ended.
 *
 * Neither fails: a disk that is full stops nobody. There is a warning in the log, and no other until a record was written again.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateFolder {
  readonly add: (process: GuardedProcess) => Effect.Effect<void>
  readonly remove: (process: GuardedProcess) => Effect.Effect<void>
}

/**
 * Ends what programs that are gone have left behind, and then keeps the records of this one, which has this mark.
 *
 * **Details**
 *
 * The folder is made with the mode 0700 if it has to be. One that belongs to another user, or that others may write to, is not
 * used. What was left behind has one second to end by `SIGTERM`, and is killed then; the log says what it was. As long as it is
 * there all the same its records stay, for the next start.
 *
 * When the scope closes the program's record is removed, unless processes of it have not ended.
 *
 * **Gotchas**
 *
 * The folder is for one machine: programs that do not see each other's processes, on two machines or in two containers, must
 * not have the same.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open: (folder: string, mark: string) => Effect.Effect<
  StateFolder,
  StateFolderUnusable,
  FileSystem.FileSystem | Path.Path | Scope.Scope
> = Effect.fnUntraced(function*(folder: string, mark: string) {
  const { pid, startTime } = ProcessIdentity.of(process.pid)
  if (startTime === undefined) return yield* new UnsupportedPlatform({ platform: process.platform })
  const files = new RecordFiles(yield* FileSystem.FileSystem, yield* Path.Path, folder)
  yield* makeFolder(folder)
  yield* clear(folder, files)
  const records = new Records(folder, files, { version: 1, kind: "program", owner: { pid, startTime }, mark })
  yield* Effect.acquireRelease(records.begin, () => records.end)
  return {
    add: (process: GuardedProcess) => records.add(process),
    remove: (process: GuardedProcess) => records.remove(process)
  }
}, (effect, folder) =>
  Effect.mapError(
    effect,
    (error) =>
      error._tag === "StateFolderUnusable" ? error : new StateFolderUnusable({ folder, problem: error.message })
  ))

const makeFolder = Effect.fnUntraced(function*(folder: string) {
  const files = yield* FileSystem.FileSystem
  yield* files.makeDirectory(folder, { recursive: true, mode: 0o700 })
  const { mode, uid } = yield* files.stat(folder)
  if (Option.isSome(uid) && uid.value !== process.getuid?.()) {
    return yield* new StateFolderUnusable({ folder, problem: "it belongs to another user" })
  }
  if ((mode & 0o022) === 0) return
  return yield* new StateFolderUnusable({ folder, problem: "others may write to it: chmod go-w is needed" })
})

const clear = Effect.fnUntraced(function*(folder: string, files: RecordFiles) {
  yield* files.prepare
  const dead = ofTheDead(yield* files.read)
  if (dead.length === 0 || !(yield* endLeftovers(folder, dead))) return
  for (const record of dead) yield* files.remove(record)
})

/** The records of a program and its processes. */
class Records {
  private readonly folder: string
  private readonly files: RecordFiles
  private readonly program: ProgramRecord
  private readonly running = new Set<string>()
  private isFailing = false

  constructor(folder: string, files: RecordFiles, program: ProgramRecord) {
    this.folder = folder
    this.files = files
    this.program = program
  }

  readonly begin = Effect.suspend(() => this.files.write(this.program))

  readonly end = Effect.suspend(() =>
    this.running.size > 0 ? Effect.void : this.attempt(this.files.remove(this.program))
  )

  add(process: GuardedProcess): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.running.add(process.mark)
      const record = this.recordOf(process)
      if (record === undefined) return Effect.void
      return this.attempt(Effect.tap(this.files.write(record), () => Effect.sync(() => this.isFailing = false)))
    })
  }

  remove(process: GuardedProcess): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.running.delete(process.mark)
      const record = this.recordOf(process)
      return record === undefined ? Effect.void : this.attempt(this.files.remove(record))
    })
  }

  // Whose start time was not to be known had ended by then.
  private recordOf({ command, identity: { pid, startTime }, mark, path }: GuardedProcess): ProcessRecord | undefined {
    if (startTime === undefined) return undefined
    const { owner, version } = this.program
    return { version, kind: "process", owner, mark, identity: { pid, startTime }, path, command, adoption: null }
  }

  private attempt(effect: Effect.Effect<void, PlatformError>): Effect.Effect<void> {
    return Effect.catch(effect, (error) => {
      if (this.isFailing) return Effect.void
      this.isFailing = true
      return Effect.logWarning(`${this.folder} cannot be written; a crash may leave more behind than is found`, error)
    })
  }
}
