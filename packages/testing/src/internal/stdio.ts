import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import * as Pull from "effect/Pull"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Input, Output } from "../TestProcess.ts"
import { Pipe } from "./pipe.ts"
import * as processError from "./processError.ts"

type Bytes = Stream.Stream<Uint8Array, PlatformError.PlatformError>
type InputSink = Sink.Sink<void, Uint8Array, never, PlatformError.PlatformError>
type OutputSink = Sink.Sink<Uint8Array, Uint8Array, never, PlatformError.PlatformError>

/** The spawner's end of an input. */
class Writer {
  readonly pipe = new Pipe()
  private readonly command: ChildProcess.StandardCommand
  private readonly name: Input
  private readonly endOnDone: boolean
  private hasEnded = false
  /** Fails when nothing can be written any more, though the input has not been ended. */
  private readonly broken = Deferred.makeUnsafe<never, PlatformError.PlatformError>()

  // Who waits for the end of the process is told before who writes to it.
  private readonly failing = Effect.suspend(() => {
    const failure = Deferred.await(this.broken)
    return Deferred.isDoneUnsafe(this.broken) ? failure : Effect.tapError(failure, () => Effect.yieldNow)
  })

  constructor(command: ChildProcess.StandardCommand, name: Input, endOnDone: boolean) {
    this.command = command
    this.name = name
    this.endOnDone = endOnDone
  }

  readonly sink: InputSink = Sink.fromTransform((upstream) => {
    const writing = upstream.pipe(
      Effect.flatMap((chunks) => this.write(chunks)),
      Effect.forever({ disableYield: true }),
      Pull.catchDone(() => Effect.sync(() => this.endOnDone && this.end()))
    )
    return Effect.raceFirst(this.failing, writing).pipe(
      Effect.onError(() => Effect.sync(() => this.endOnDone && this.destroy())),
      Effect.as([undefined] as const)
    )
  })

  /** Ends the input, and fails who writes to it or will. */
  destroy(): void {
    if (this.hasEnded) return
    this.pipe.end()
    Deferred.doneUnsafe(this.broken, Effect.fail(this.error("ERR_STREAM_PREMATURE_CLOSE")))
  }

  private write(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      if (this.hasEnded) return Effect.fail(this.error("ERR_STREAM_WRITE_AFTER_END"))
      if (!this.pipe.isHeld) return Effect.fail(this.error("EPIPE"))
      for (const chunk of chunks) this.pipe.write(chunk)
      return Effect.void
    })
  }

  private end(): void {
    this.hasEnded = true
    this.pipe.end()
  }

  private error(code: Parameters<typeof processError.notWritten>[2]): PlatformError.PlatformError {
    return processError.notWritten(this.command, this.name, code)
  }
}

/** What a spawner holds of the inputs and outputs of one process. */
export class Stdio {
  readonly inputs = new Map<Input, Pipe>()
  readonly outputs = new Map<Output, Pipe>()
  /** The streams that the command brings along, to be written to its inputs. */
  readonly sources: Array<readonly [Input, Bytes]> = []
  private readonly command: ChildProcess.StandardCommand
  private readonly writers = new Map<Input, Writer>()
  private readonly targets = new Map<Output, OutputSink>()

  constructor(command: ChildProcess.StandardCommand) {
    this.command = command
    const { additionalFds, stderr, stdin, stdout } = command.options
    const { endOnDone, stream } = isWhole(stdin) ? { stream: stdin } : stdin
    this.addInput("stdin", stream, endOnDone)
    this.addOutput("stdout", isWhole(stdout) ? stdout : stdout.stream)
    this.addOutput("stderr", isWhole(stderr) ? stderr : stderr.stream)
    for (const [name, config] of Object.entries(additionalFds ?? {})) {
      const fd = ChildProcess.parseFdName(name)
      if (fd === undefined) continue
      if (config.type !== "output") this.addInput(`fd${fd}`, config.stream)
      if (config.type !== "input") this.addOutput(`fd${fd}`, config.sink)
    }
  }

  /** The process has ended. */
  destroyStdin(): void {
    this.writers.get("stdin")?.destroy()
  }

  sink(name: Input): InputSink {
    return this.writers.get(name)?.sink ?? Sink.drain
  }

  stream(name: Output): Bytes {
    const pipe = this.outputs.get(name)
    if (pipe === undefined) return Stream.empty
    const stream = pipe.read(Effect.suspend(() => Effect.fail(processError.notRead(this.command, name)))).pipe(
      Stream.ensuring(Effect.sync(() => pipe.abandon()))
    )
    const target = this.targets.get(name)
    return target === undefined ? stream : Stream.transduce(stream, target)
  }

  private addInput(name: Input, input: ChildProcess.CommandInput = "pipe", endOnDone = true): void {
    if (input === "ignore" || input === "inherit") return
    const writer = new Writer(this.command, name, endOnDone)
    this.writers.set(name, writer)
    this.inputs.set(name, writer.pipe)
    if (typeof input !== "string") this.sources.push([name, input])
  }

  private addOutput(name: Output, output: ChildProcess.CommandOutput = "pipe"): void {
    if (output === "ignore" || output === "inherit") return
    this.outputs.set(name, new Pipe())
    if (typeof output !== "string") this.targets.set(name, output)
  }
}

// An input or output may be said with options or without.
const isWhole = <A>(option: A): option is Exclude<A, ChildProcess.StdinConfig | ChildProcess.StdoutConfig> =>
  typeof option !== "object" || Stream.isStream(option) || Sink.isSink(option)
