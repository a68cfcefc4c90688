import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Scope from "effect/Scope"

/** What a file may be like before another is begun, and how many of the old ones are kept. */
export interface Limits {
  readonly maxBytes: number
  readonly maxAgeMillis: number
  readonly keep: number
}

interface Opened {
  readonly file: FileSystem.File
  readonly info: FileSystem.File.Info
  readonly scope: Scope.Closeable
  readonly sinceMillis: number
}

/** A file that is appended to: the one that has the name now, whoever has moved or removed the one before. */
export class RotatingFile {
  readonly path: string
  private readonly folder: string
  private readonly files: FileSystem.FileSystem
  private readonly limits: Limits
  private opened: Opened | undefined = undefined
  private size = 0
  private isGrowing = false

  constructor(files: FileSystem.FileSystem, folder: string, path: string, limits: Limits) {
    this.files = files
    this.folder = folder
    this.path = path
    this.limits = limits
  }

  /** Sees to it that the file with the name is open. True: it is another than before. */
  readonly open: Effect.Effect<boolean, PlatformError> = Effect.gen({ self: this }, function*() {
    const found = yield* this.infoOf(this.path)
    if (found !== undefined && this.opened !== undefined && isSame(found, this.opened.info)) {
      this.size = Number(found.size)
      return false
    }
    yield* this.close
    yield* this.files.makeDirectory(this.folder, { recursive: true, mode: 0o700 })
    const scope = yield* Scope.make()
    this.opened = yield* Effect.onError(this.openIn(scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
    return true
  })

  /** Rotates if a line of that size does not belong into this file any more. Says how much does. */
  readonly roomFor = Effect.fnUntraced(function*(this: RotatingFile, bytes: number) {
    const { maxAgeMillis, maxBytes } = this.limits
    const age = (yield* Clock.currentTimeMillis) - this.opened!.sinceMillis
    const isFull = this.size > 0 && (this.size + bytes > maxBytes || age >= maxAgeMillis)
    if (!isFull) return maxBytes - this.size
    const rotated = yield* Effect.result(this.rotate)
    yield* this.open
    if (rotated._tag === "Success") {
      this.isGrowing = false
      return maxBytes - this.size
    }
    if (!this.isGrowing) yield* Effect.logWarning(`${this.path} cannot be rotated, it grows`, rotated.failure)
    this.isGrowing = true
    return Infinity
  })

  /** Writes what it can, and says how much that was. */
  write(bytes: Uint8Array): Effect.Effect<number, PlatformError> {
    return Effect.flatMap(this.opened!.file.write(bytes), (written) => {
      // It would be tried for ever.
      if (written === 0) return Effect.die(new Error(`nothing could be written to ${this.path}`))
      this.size += written
      return Effect.succeed(written)
    })
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const scope = this.opened?.scope
    this.opened = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })

  private readonly openIn = Effect.fnUntraced(function*(this: RotatingFile, scope: Scope.Closeable) {
    const file = yield* Scope.provide(this.files.open(this.path, { flag: "a+", mode: 0o600 }), scope)
    const info = yield* file.stat
    this.size = Number(info.size)
    const sinceMillis = this.size === 0 ? yield* Clock.currentTimeMillis : birthOf(info)
    if (this.size > 0 && !(yield* endsWithNewline(file, info.size))) this.size += yield* file.write(newline)
    return { file, info, scope, sinceMillis }
  })

  // The old ones move up to the first number that is free. So what a crash has left half done costs none of them.
  private readonly rotate = Effect.gen({ self: this }, function*() {
    const { keep } = this.limits
    yield* this.close
    if (keep === 0) return yield* this.files.remove(this.path, { force: true })
    let last = 1
    while (last < keep && (yield* this.infoOf(`${this.path}.${last}`)) !== undefined) last++
    for (let number = last; number > 1; number--) {
      yield* this.files.rename(`${this.path}.${number - 1}`, `${this.path}.${number}`)
    }
    yield* this.files.rename(this.path, `${this.path}.1`)
  })

  private infoOf(path: string): Effect.Effect<FileSystem.File.Info | undefined, PlatformError> {
    return Effect.catchIf(
      this.files.stat(path),
      ({ reason }) => reason._tag === "NotFound",
      () => Effect.undefined
    )
  }
}

const newline = Uint8Array.of(10)

/** As long as a file is open no other has its inode. */
const isSame = (one: FileSystem.File.Info, other: FileSystem.File.Info): boolean =>
  one.dev === other.dev && Option.getOrUndefined(one.ino) === Option.getOrUndefined(other.ino)

// Where the file system does not know when a file was made, it says 1970.
const birthOf = ({ birthtime, mtime }: FileSystem.File.Info): number =>
  [birthtime, mtime].map((time) => Option.getOrUndefined(time)?.getTime() ?? 0).find((millis) => millis > 0) ?? 0

const endsWithNewline = (file: FileSystem.File, size: bigint): Effect.Effect<boolean, PlatformError> => {
  const last = new Uint8Array(1)
  return Effect.map(file.read(last, { position: size - 1n }), () => last[0] === newline[0])
}
