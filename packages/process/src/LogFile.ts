/**
 * A file of lines, with rotation by size and by age.
 *
 * The file that is written has always the same name, such as `api.log`; the one before is `api.log.1`, and the oldest has
 * the highest number. So what is kept is known from names alone, a clock that is set back mixes nothing up, and `tail -F
 * api.log` goes on.
 *
 * A disk that fails never ends a child and never stops it: the lines wait, up to a bound, and what is beyond it is counted
 * and told.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import { checkWhole } from "./internal/checkWhole.ts"
import { LogWriter } from "./internal/logWriter.ts"
import { RotatingFile } from "./internal/rotatingFile.ts"
import { format as formatLine, type Line, type Sink } from "./ProcessLog.ts"

/**
 * How a file is written.
 *
 * - `maxBytes`: a file never becomes larger, unless a single line is; default 10 MiB.
 * - `maxAge`: a line that comes so long after a file was begun goes into the next; default `"Infinity"`.
 * - `keep`: how many old files are kept; default 5.
 * - `backlogBytes`: how much may wait to be written; default 8 MiB.
 * - `format`: a line as text, without a newline; default `ProcessLog.format`. It may not throw.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly maxBytes?: number | undefined
  readonly maxAge?: Duration.Input | undefined
  readonly keep?: number | undefined
  readonly backlogBytes?: number | undefined
  readonly format?: ((line: Line) => string) | undefined
}

/**
 * A file of lines: a sink of one log, or of several.
 *
 * - `flush`: tries to write what waits now, and answers when that is done or has failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface LogFile extends Sink {
  readonly path: string
  readonly flush: Effect.Effect<void>
}

/**
 * Opens a file for lines. It is appended to, and made when the first line comes.
 *
 * **Details**
 *
 * A file is made with the mode 0600, its folder, if it has to be, with 0700. What waits when the scope closes is written
 * then; a disk that stands still is not waited for longer than 5 seconds.
 *
 * A line is written as soon as the write before it is done, together with all that have come meanwhile. When the program is
 * killed those are lost that came during one write, and never more than `backlogBytes` and one write of 1 MiB; a last line
 * that was written in part is ended with a newline by the next program. The files are not synced: when the machine crashes
 * what its kernel had not written is lost.
 *
 * A process that prints faster than its disk writes is read more slowly, as if it wrote the file itself: the log waits when
 * `backlogBytes` is half full. When for a second nothing is written at all it no longer waits.
 *
 * When the file cannot be written there is a warning in the log, and another attempt each second. What comes meanwhile
 * waits. When more than `backlogBytes` wait, the lines that come then are lost: a line in the file says how many are missing
 * there, and so does a warning when the file is written again, or closed. A file that cannot be rotated grows, with a
 * warning.
 *
 * A file that somebody has moved or removed, or whose folder is gone, is made anew with the next line.
 *
 * **Gotchas**
 *
 * Two programs, or two `LogFile`s, must not write one file: they would rotate it twice.
 *
 * Old files beyond `keep` that are there from a program that kept more are not removed.
 *
 * **Example** (Old lines in old files)
 *
 * ```ts import.meta.vitest
 * import { LogFile, ProcessLog } from "@coppice/process"
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, FileSystem, Stream } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const files = yield* FileSystem.FileSystem
 *   const folder = yield* files.makeTempDirectoryScoped()
 *   const file = yield* LogFile.make(`${folder}/log/api.log`, { maxBytes: 20, format: ({ text }) => text })
 *   const log = yield* ProcessLog.make({ path: "shop/api", sinks: [file] })
 *   yield* log.drain(Stream.make("first line\n", "second line\n").pipe(Stream.encodeText), "stdout", 1)
 *   yield* file.flush
 *   return [yield* files.readFileString(`${file.path}.1`), yield* files.readFileString(file.path)]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeServices.layer))) // => ["first line\n", "second line\n"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (
  path: string,
  options?: Options
) => Effect.Effect<LogFile, never, FileSystem.FileSystem | Path.Path | Scope.Scope> = Effect.fnUntraced(
  function*(path: string, options: Options = {}) {
    const { backlogBytes = 8 * 1024 * 1024, format = formatLine, keep = 5, maxBytes = 10 * 1024 * 1024 } = options
    yield* checkWhole(path, 1, { maxBytes, backlogBytes })
    yield* checkWhole(path, 0, { keep })
    const maxAgeMillis = Duration.toMillis(Duration.fromInputUnsafe(options.maxAge ?? "Infinity"))
    const folder = (yield* Path.Path).dirname(path)
    const file = new RotatingFile(yield* FileSystem.FileSystem, folder, path, { keep, maxAgeMillis, maxBytes })
    const writer = new LogWriter(file, backlogBytes)
    // At the end nobody may wait for this fiber: it may wait for the disk.
    yield* Effect.acquireRelease(Effect.forkDetach(writer.run), (running) => {
      running.interruptUnsafe()
      return writer.close
    })
    return {
      path,
      flush: Effect.asVoid(writer.flush),
      ready: writer.ready,
      writeUnsafe: (line: Line) => writer.push(format(line))
    }
  }
)
