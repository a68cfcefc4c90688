/**
 * Sees to it that the processes of a program do not outlive it, however it ends.
 *
 * A small program of its own, the guard, holds one end of a pipe. When this program is gone, killed even, the pipe closes, and
 * the guard ends what it has started: within a second by `SIGTERM`, and then by `SIGKILL`. A guard that is killed is started
 * again. When both are killed at once, or the machine crashes, the next start ends what is left: see `layerState`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { markerName, markOf } from "./internal/marker.ts"
import type { ProcessIdentity } from "./ProcessIdentity.ts"
import * as StateFolder from "./StateFolder.ts"

/**
 * A process that is not to outlive this program.
 *
 * - `mark`: the one of `nextMark` that it was started with.
 * - `path`: of the child that it runs for.
 * - `command`: a line for people that says what it is, without anything secret.
 *
 * @category models
 * @since 0.1.0
 */
export interface GuardedProcess {
  readonly identity: ProcessIdentity
  readonly mark: string
  readonly path: string
  readonly command: string
}

/**
 * The guard of this program.
 *
 * - `nextMark`: what the next process is to bear in its environment, so that it and all it starts is known.
 * - `register`: a process that is to be ended with this program, also if it does not bear its mark.
 * - `release`: it has ended.
 *
 * @category models
 * @since 0.1.0
 */
export class ProcessGuard extends Context.Service<ProcessGuard, {
  readonly nextMark: Effect.Effect<string>
  readonly register: (process: GuardedProcess) => Effect.Effect<void>
  readonly release: (identity: ProcessIdentity) => Effect.Effect<void>
}>()("@coppice/process/ProcessGuard") {
  /**
   * Starts the guard, and ends it when all is in order. One that ends by itself is started again, and that is logged.
   *
   * @since 0.1.0
   */
  static readonly layer: Layer.Layer<ProcessGuard> = Layer.effect(
    ProcessGuard,
    Effect.suspend(() => {
      const guard = new Guard()
      return Effect.as(guard.keep, {
        nextMark: guard.nextMark,
        register: (process: GuardedProcess) => Effect.sync(() => guard.register(process)),
        release: (identity: ProcessIdentity) => Effect.sync(() => void guard.release(identity))
      })
    })
  )

  /**
   * Guards nothing: for make-believe processes in tests, and for where something else ends all processes of a program, such as
   * the end of its container.
   *
   * @since 0.1.0
   */
  static readonly layerNone: Layer.Layer<ProcessGuard> = Layer.sync(ProcessGuard, () => {
    const mark = randomUUID()
    let marks = 0
    return {
      nextMark: Effect.sync(() => markOf(mark, ++marks)),
      register: () => Effect.void,
      release: () => Effect.void
    }
  })

  /**
   * As `layer`, with a folder for the case that the guard dies as well: before anything is started what earlier programs have
   * left behind is ended. What is registered is recorded, as long as it is. See `StateFolder`.
   *
   * @since 0.1.0
   */
  static readonly layerState = (
    folder: string
  ): Layer.Layer<ProcessGuard, StateFolder.StateFolderUnusable, FileSystem.FileSystem | Path.Path> =>
    Layer.effect(
      ProcessGuard,
      Effect.gen(function*() {
        const guard = new Guard()
        const state = yield* StateFolder.open(folder, guard.mark)
        yield* guard.keep
        return {
          nextMark: guard.nextMark,
          register: (process: GuardedProcess) =>
            Effect.suspend(() => {
              guard.register(process)
              return state.add(process)
            }),
          release: (identity: ProcessIdentity) =>
            Effect.suspend(() => {
              const process = guard.release(identity)
              return process === undefined ? Effect.void : state.remove(process)
            })
        }
      })
    )
}

class GuardEnded extends Schema.TaggedError<GuardEnded>()("GuardEnded", { why: Schema.String }) {
  override get message(): string {
    return `the guard of this program's processes has ended (${this.why}); it is started again`
  }
}

const pauseBeforeRestart = Duration.millis(100)
const longestPause = Duration.seconds(10)
/** How long it may take it to end when all is in order, before it is killed. */
const patienceWithGuard = Duration.seconds(1)

// Beside this file, whether it is run as it is or compiled.
const program = fileURLToPath(
  new URL(`./internal/guardMain${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
)

const nameOf = ({ pid, startTime }: ProcessIdentity): string => `${pid} ${startTime}`

class Guard {
  readonly mark = randomUUID()
  private readonly registered = new Map<string, GuardedProcess>()
  private process: ChildProcess | undefined = undefined
  private marks = 0

  readonly nextMark = Effect.sync(() => markOf(this.mark, ++this.marks))

  register(process: GuardedProcess): void {
    const name = nameOf(process.identity)
    this.registered.set(name, process)
    this.tell(`+ ${name}\n`)
  }

  release(identity: ProcessIdentity): GuardedProcess | undefined {
    const name = nameOf(identity)
    const process = this.registered.get(name)
    this.registered.delete(name)
    this.tell(`- ${name}\n`)
    return process
  }

  /** Starts the guard, which knows from then on whom to end. Ends when the guard does, and says why. */
  private readonly run: Effect.Effect<never, GuardEnded> = Effect.try({
    try: () => this.process = start(this.mark, this.registered.keys()),
    catch: (error) => new GuardEnded({ why: String(error) })
  }).pipe(Effect.flatMap(endOf))

  /** Sees to it that there is a guard as long as the scope is open. */
  readonly keep = Effect.suspend(() =>
    Effect.forkScoped(
      this.run.pipe(
        Effect.tapError(({ message }) => Effect.logWarning(message)),
        Effect.retry(Schedule.min([Schedule.exponential(pauseBeforeRestart), Schedule.spaced(longestPause)]))
      ),
      { startImmediately: true }
    )
  )

  private tell(line: string): void {
    this.process?.stdin?.write(line)
  }
}

/** The guard, which has what it needs of this program and no more: not its folder, not the mark that it may itself bear. */
const start = (mark: string, registered: Iterable<string>): ChildProcess => {
  const { [markerName]: _mark, NODE_OPTIONS: _options, ...env } = process.env
  const guard = spawn(process.execPath, [program, mark, ...registered], {
    cwd: "/",
    detached: true,
    env,
    stdio: ["pipe", "ignore", "ignore"]
  })
  // It is no reason for this program to go on.
  guard.unref()
  return guard
}

/** Waits for the end of the guard, and says why. Interrupted, it tells the guard that all is in order. */
const endOf = (guard: ChildProcess): Effect.Effect<never, GuardEnded> =>
  Effect.callback((resume) => {
    const ended = (why: string) => resume(Effect.fail(new GuardEnded({ why })))
    guard.on("error", (error) => ended(error.message))
    guard.on("exit", (code, signal) => ended(signal ?? `exit code ${code}`))
    guard.stdin?.on("error", () => {}) // the same as its end, which is told above
    return Effect.andThen(
      Effect.sync(() => guard.stdin?.end("bye\n")),
      Effect.timeoutOption(exitOf(guard), patienceWithGuard)
    ).pipe(Effect.andThen(Effect.sync(() => guard.kill("SIGKILL"))))
  })

const exitOf = (guard: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (guard.pid === undefined || guard.exitCode !== null || guard.signalCode !== null) return resume(Effect.void)
    guard.on("exit", () => resume(Effect.void))
  })
