import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { isAlive } from "../ProcessIdentity.ts"
import { fileNameOf, parse, type Record, textOf } from "./record.ts"

/** Files of records, one each, in a folder that nobody else may read. What is in it and is no record is set aside. */
export class RecordFiles {
  private readonly files: FileSystem.FileSystem
  private readonly path: Path.Path
  private readonly records: string
  private readonly aside: string

  constructor(files: FileSystem.FileSystem, path: Path.Path, folder: string) {
    this.files = files
    this.path = path
    this.records = path.join(folder, "processes")
    this.aside = path.join(folder, "aside")
  }

  readonly prepare: Effect.Effect<void, PlatformError> = Effect.suspend(() =>
    Effect.andThen(
      this.files.makeDirectory(this.records, { recursive: true, mode: 0o700 }),
      this.files.chmod(this.records, 0o700)
    )
  )

  /** All records there are. */
  readonly read: Effect.Effect<ReadonlyArray<Record>, PlatformError> = Effect.gen({ self: this }, function*() {
    const found: Array<Record> = []
    const foreign: Array<string> = []
    for (const name of yield* this.files.readDirectory(this.records)) {
      const writer = /\.json\.(\d+)\.tmp$/.exec(name)?.[1]
      if (writer !== undefined) {
        yield* this.removeTorn(name, Number(writer))
        continue
      }
      const record = yield* this.readOne(name)
      if (record === undefined) continue
      if (record === "foreign") foreign.push(name)
      else found.push(record)
    }
    if (foreign.length > 0) yield* this.setAside(foreign)
    return found
  })

  /**
   * Writes a record, whole or not at all for whoever reads it. It is not synced: as long as the machine runs its kernel has
   * it, and when the machine is gone, so are the processes.
   */
  write(record: Record): Effect.Effect<void, PlatformError> {
    const file = this.fileOf(fileNameOf(record))
    const temporary = `${file}.${process.pid}.tmp`
    return this.files.writeFileString(temporary, `${textOf(record)}\n`, { mode: 0o600 }).pipe(
      Effect.andThen(this.files.rename(temporary, file)),
      Effect.onError(() => Effect.ignore(this.files.remove(temporary, { force: true }))),
      Effect.uninterruptible
    )
  }

  remove(record: Record): Effect.Effect<void, PlatformError> {
    return Effect.uninterruptible(this.files.remove(this.fileOf(fileNameOf(record)), { force: true }))
  }

  // What was not renamed was never a record. Its writer may be about to.
  private removeTorn(name: string, writer: number): Effect.Effect<void, PlatformError> {
    return isAlive({ pid: writer }) ? Effect.void : this.files.remove(this.fileOf(name), { force: true })
  }

  // One that is gone was removed meanwhile. What cannot be read is as good as torn.
  private readOne(name: string): Effect.Effect<Record | "foreign" | undefined> {
    if (!name.endsWith(".json")) return Effect.succeed("foreign")
    return Effect.match(this.files.readFileString(this.fileOf(name)), {
      onFailure: ({ reason }) => reason._tag === "NotFound" ? undefined : "foreign" as const,
      onSuccess: (text) =>
        Option.getOrElse(
          Option.filter(parse(text), (record) => fileNameOf(record) === name),
          () => "foreign" as const
        )
    })
  }

  private readonly setAside = Effect.fnUntraced(function*(this: RecordFiles, names: ReadonlyArray<string>) {
    yield* this.files.makeDirectory(this.aside, { recursive: true, mode: 0o700 })
    const moves = yield* Effect.forEach(names, (name) => Effect.result(this.move(name)))
    const moved = names.filter((_, index) => moves[index]?._tag === "Success")
    if (moved.length > 0) {
      yield* Effect.logWarning(`no records of processes, moved to ${this.aside}: ${moved.join(", ")}`)
    }
    for (const move of moves) {
      // Another program may have been faster.
      if (move._tag === "Success" || move.failure.reason._tag === "NotFound") continue
      yield* Effect.logWarning(`${this.records} has a file that is no record and cannot be moved`, move.failure)
    }
  })

  private readonly move = Effect.fnUntraced(function*(this: RecordFiles, name: string) {
    yield* this.files.rename(this.fileOf(name), yield* this.free(name))
  })

  /** A name that nothing has that was set aside before. */
  private readonly free = Effect.fnUntraced(function*(this: RecordFiles, name: string) {
    for (let number = 0;; number++) {
      const file = this.path.join(this.aside, number === 0 ? name : `${name}.${number}`)
      if (!(yield* this.files.exists(file))) return file
    }
  })

  private fileOf(name: string): string {
    return this.path.join(this.records, name)
  }
}
