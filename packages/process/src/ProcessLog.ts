/**
 * What a supervised process prints, over all its incarnations.
 *
 * A `ProcessLog` is the one reader of a process's output, for as long as the process lives: whoever else wants to know what
 * it prints listens to the log. It reads whatever comes, however slow those who listen are, so that the process never has
 * to wait for them. The last lines are kept. A listener that cannot follow loses the oldest, and is told how many.
 *
 * Everything has a bound: the lines that are kept, in number and in characters, and the length of one.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { checkWhole } from "./internal/checkWhole.ts"
import { LineRing } from "./internal/lineRing.ts"
import { endOfLines } from "./internal/lineSplitter.ts"
import { LogSource, type Settings } from "./internal/logSource.ts"
import { redaction } from "./internal/redaction.ts"

/**
 * One of the two streams a process prints to.
 *
 * @category models
 * @since 0.1.0
 */
export const StreamName = Schema.Literals(["stdout", "stderr"])

/**
 * One of the two streams a process prints to.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamName = typeof StreamName.Type

/**
 * A line.
 *
 * - `timeMillis`: when the last of it was read.
 * - `path`, `incarnation`: of the child that printed it.
 * - `text`: without its newline, and without a carriage return before that. Bytes that are no UTF-8 are U+FFFD.
 * - `omittedBytes`: the line was longer than `maxLineBytes`, and so many bytes at its end are left out.
 * - `unfinished`: nobody has ended it yet, as with a prompt. There are such only in `recent`.
 *
 * @category models
 * @since 0.1.0
 */
export const Line = Schema.TaggedStruct("Line", {
  timeMillis: Schema.Finite,
  stream: StreamName,
  path: Schema.String,
  incarnation: Schema.Int,
  text: Schema.String,
  omittedBytes: Schema.optionalKey(Schema.Int),
  unfinished: Schema.optionalKey(Schema.Literal(true))
})

/**
 * A line.
 *
 * @category models
 * @since 0.1.0
 */
export type Line = typeof Line.Type

/**
 * Who listens has been too slow: so many lines that came here it will not see.
 *
 * @category models
 * @since 0.1.0
 */
export const Dropped = Schema.TaggedStruct("Dropped", { count: Schema.Int })

/**
 * Who listens has been too slow: so many lines that came here it will not see.
 *
 * @category models
 * @since 0.1.0
 */
export type Dropped = typeof Dropped.Type

/**
 * Who is given every line when it comes, and loses none, such as a `LogFile`.
 *
 * - `writeUnsafe`: is called by the reader of the process: it may not wait, and may not throw.
 * - `ready`: waits until it can take more. The reader waits for it, and with that perhaps the process: so it must have a
 *   bound.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sink {
  readonly writeUnsafe: (line: Line) => void
  readonly ready?: Effect.Effect<void> | undefined
}

/**
 * How a log is kept.
 *
 * - `path`: of the child, as its lines bear it.
 * - `lines`: how many are kept; default 1000.
 * - `maxCharacters`: how many characters they have together at most; default 4 Mi (4 194 304). The last line is kept
 *   however long it is.
 * - `maxLineBytes`: the rest of a longer line is left out; default 64 KiB.
 * - `redact`: what is `<redacted>` in every line.
 * - `sinks`: who is given every line.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly path: string
  readonly lines?: number | undefined
  readonly maxCharacters?: number | undefined
  readonly maxLineBytes?: number | undefined
  readonly redact?: ReadonlyArray<Redacted.Redacted<string>> | undefined
  readonly sinks?: ReadonlyArray<Sink> | undefined
}

/**
 * What is to be known of one stream.
 *
 * - `redact`: what is secret in it, besides what is in all.
 * - `listen`: is called with each whole line as it was read, with its secrets. It may not wait, and may not throw.
 *
 * @category models
 * @since 0.1.0
 */
export interface DrainOptions {
  readonly redact?: ReadonlyArray<Redacted.Redacted<string>> | undefined
  readonly listen?: ((text: string) => void) | undefined
}

/**
 * A log.
 *
 * - `drain`: reads a stream of the process to its end. What has been read of a line is a line when the stream ends, or fails,
 *   or when this is interrupted. It fails as the stream does.
 * - `recent`: the last lines, and at the end those that are unfinished.
 * - `changes`: the lines from now on, that is, from when the stream is first read.
 * - `follow`: the last lines and then those that come, none missing between them and none twice.
 *
 * `changes` and `follow` end when the log's scope is closed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessLog {
  readonly path: string
  readonly drain: <E, R>(
    bytes: Stream.Stream<Uint8Array, E, R>,
    stream: StreamName,
    incarnation: number,
    options?: DrainOptions
  ) => Effect.Effect<void, E, R>
  readonly recent: Effect.Effect<ReadonlyArray<Line>>
  readonly changes: Stream.Stream<Line | Dropped>
  readonly follow: Stream.Stream<Line | Dropped>
}

/**
 * Makes a log.
 *
 * **Details**
 *
 * All who listen read from the lines that are kept, so that however many they are and however slow, they need no memory of
 * their own. One that is overtaken, as more than `lines` have come since it last looked, is given a `Dropped` in place of
 * what it has missed, and then the lines that are still there. One that waits for the next line when many come at once
 * loses none of them.
 *
 * Of a line that is too long the beginning is kept, in whole characters, and the rest is skipped up to its newline: a line
 * never becomes two. It comes when it has ended, and so says how much is missing.
 *
 * Secrets are searched in whole lines, so that it does not matter how they were read. Of a secret of several lines, such as
 * a key in PEM, each line of at least 8 characters is one. Where a line is cut, or unfinished, or ends without a newline,
 * 4 or more characters at its end with which a secret begins are taken for one.
 *
 * **Gotchas**
 *
 * A secret that is printed in another form, such as in Base64 or with escapes, is not recognised.
 *
 * The streams of a process are two pipes: lines of `stdout` and `stderr` that were printed at about the same time may come
 * in another order.
 *
 * **Example** (Two incarnations of one child)
 *
 * ```ts import.meta.vitest
 * import { ProcessLog } from "@coppice/process"
 * import { Effect, Redacted, Stream } from "effect"
 *
 * const printed = (...chunks: ReadonlyArray<string>) => Stream.fromIterable(chunks).pipe(Stream.encodeText)
 *
 * const program = Effect.gen(function*() {
 *   const log = yield* ProcessLog.make({ path: "shop/api", redact: [Redacted.make("hunter2")] })
 *   yield* log.drain(printed("listening on 80", "80\npassword hunt", "er2 is wro"), "stdout", 1)
 *   yield* log.drain(printed("listening on 8080\r\n"), "stdout", 2)
 *   const lines = yield* log.recent
 *   return lines.map(({ incarnation, text }) => `${incarnation}: ${text}`)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["1: listening on 8080", "1: password <redacted> is wro", "2: listening on 8080"]
 * ```
 *
 * **Example** (Waiting for a line)
 *
 * ```ts import.meta.vitest
 * import { ProcessLog } from "@coppice/process"
 * import { Effect, Option, Stream } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const log = yield* ProcessLog.make({ path: "shop/api" })
 *   yield* Effect.forkChild(log.drain(Stream.make("starting\nlistening\n").pipe(Stream.encodeText), "stdout", 1))
 *   return yield* log.follow.pipe(
 *     Stream.filter((line) => line._tag === "Line" && line.text.startsWith("listening")),
 *     Stream.runHead,
 *     Effect.map(Option.isSome)
 *   )
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options: Options) => Effect.Effect<ProcessLog, never, Scope.Scope> = Effect.fnUntraced(
  function*(options: Options) {
    const { lines = 1000, maxCharacters = 4 * 1024 * 1024, maxLineBytes = 64 * 1024, path, redact = [] } = options
    yield* checkWhole(path, 1, { lines, maxCharacters, maxLineBytes })
    const settings: Settings = { path, maxLineBytes }
    const log = new Log(settings, redact, new LineRing(lines, maxCharacters), options.sinks ?? [], yield* Clock.Clock)
    yield* Effect.addFinalizer(() => Effect.sync(() => log.close()))
    return log
  }
)

/**
 * Writes a line as text: when, who, where, what.
 *
 * **Example** (A line that was cut)
 *
 * ```ts import.meta.vitest
 * import { ProcessLog } from "@coppice/process"
 *
 * const line = ProcessLog.Line.make({
 *   timeMillis: 0,
 *   stream: "stderr",
 *   path: "shop/api",
 *   incarnation: 3,
 *   text: "once upon a ti",
 *   omittedBytes: 1234
 * })
 *
 * ProcessLog.format(line) // => "1970-01-01T00:00:00.000Z shop/api#3 stderr: once upon a ti… (1234 bytes more)"
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const format = ({ incarnation, omittedBytes, path, stream, text, timeMillis }: Line): string => {
  const rest = omittedBytes === undefined ? "" : `… (${omittedBytes} bytes more)`
  return `${isoOf(timeMillis)} ${path}#${incarnation} ${stream}: ${text}${rest}`
}

let lastMillis = 0
let lastIso = "1970-01-01T00:00:00.000Z"

// Lines that were read together have the same time.
const isoOf = (timeMillis: number): string => {
  if (timeMillis !== lastMillis) {
    lastIso = DateTime.formatIso(DateTime.makeUnsafe(timeMillis))
    lastMillis = timeMillis
  }
  return lastIso
}

class Log implements ProcessLog {
  readonly path: string
  private readonly settings: Settings
  private readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
  private readonly ring: LineRing
  private readonly sinks: ReadonlyArray<Sink>
  private readonly ready: Effect.Effect<void>
  private readonly clock: Clock.Clock
  private readonly sources = new Set<LogSource>()
  private readonly waiting = new Set<() => void>()
  private isClosed = false

  constructor(
    settings: Settings,
    secrets: ReadonlyArray<Redacted.Redacted<string>>,
    ring: LineRing,
    sinks: ReadonlyArray<Sink>,
    clock: Clock.Clock
  ) {
    this.path = settings.path
    this.settings = settings
    this.secrets = secrets
    this.ring = ring
    this.sinks = sinks
    this.ready = Effect.all(sinks.map((sink) => sink.ready).filter((ready) => ready !== undefined), { discard: true })
    this.clock = clock
  }

  readonly drain = <E, R>(
    bytes: Stream.Stream<Uint8Array, E, R>,
    stream: StreamName,
    incarnation: number,
    { listen, redact = [] }: DrainOptions = {}
  ) =>
    Effect.suspend(() => {
      const secrets = redaction([...this.secrets, ...redact].map(Redacted.value))
      const about = { stream, incarnation, redact: secrets, listen }
      const source = new LogSource(this.settings, about, (line) => {
        this.ring.push(line)
        for (const sink of this.sinks) sink.writeUnsafe(line)
      })
      this.sources.add(source)
      return bytes.pipe(
        // What has been read is heard to its end, also when this is interrupted.
        Stream.runForEach((chunk) => Effect.andThen(Effect.uninterruptible(this.hear(source, chunk)), this.ready)),
        Effect.ensuring(Effect.sync(() => {
          this.sources.delete(source)
          source.end()
          this.tell()
        }))
      )
    })

  readonly recent: Effect.Effect<ReadonlyArray<Line>> = Effect.sync(() => [
    ...this.ring.from(0),
    ...Array.from(this.sources, (source) => source.unfinished).filter((line) => line !== undefined)
  ])

  readonly changes: Stream.Stream<Line | Dropped> = this.linesFrom(() => this.ring.next)

  readonly follow: Stream.Stream<Line | Dropped> = this.linesFrom(() => this.ring.first)

  close(): void {
    this.isClosed = true
    this.tell()
  }

  // Who waits for lines is not to lose any because there are many in one chunk: it is given no more at once than are kept.
  private hear(source: LogSource, chunk: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      const end = this.waiting.size === 0 ? chunk.length : endOfLines(chunk, this.ring.maxLines)
      source.hear(chunk.subarray(0, end), this.clock.currentTimeMillisUnsafe())
      this.tell()
      return end === chunk.length
        ? Effect.void
        : Effect.andThen(Effect.yieldNow, this.hear(source, chunk.subarray(end)))
    })
  }

  private tell(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }

  private linesFrom(begin: () => number): Stream.Stream<Line | Dropped> {
    return Stream.fromPull(Effect.sync(() => {
      let next = begin()
      const hasNews = () => next < this.ring.next || this.isClosed
      const news = Effect.callback<void>((resume) => {
        // Since it was looked whether there are news the fiber may have been made to yield.
        if (hasNews()) return resume(Effect.void)
        const wake = () => resume(Effect.void)
        this.waiting.add(wake)
        return Effect.sync(() => this.waiting.delete(wake))
      })
      const pull: Pull.Pull<readonly [Line | Dropped, ...Array<Line | Dropped>]> = Effect.suspend(() => {
        if (!hasNews()) return Effect.andThen(news, pull)
        const lost = this.ring.first - next
        const lines = this.ring.from(next)
        const [first, ...others] = lines
        next = this.ring.next
        if (first === undefined) return Cause.done()
        return Effect.succeed(lost > 0 ? [Dropped.make({ count: lost }), ...lines] : [first, ...others])
      })
      return pull
    }))
  }
}
