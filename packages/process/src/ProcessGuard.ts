/**
 * Sees to it that the processes of a program do not outlive it, however it ends.
 *
 * A small program of its own, the guard, holds one end of a pipe. When this program is gone, killed even, the pipe closes, and
 * the guard ends what it has started: within a second by `SIGTERM`, and then by `SIGKILL`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { markerName, markOf } from "./internal/marker.ts"
import type { ProcessIdentity } from "./ProcessIdentity.ts"

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
      const keep = guard.run.pipe(
        Effect.tapError(({ message }) => Effect.logWarning(message)),
        Effect.retry(Schedule.spaced(pauseBeforeRestart))
      )
      return Effect.as(Effect.forkScoped(keep, { startImmediately: true }), {
        nextMark: Effect.sync(() => guard.nextMark()),
        register: (process: GuardedProcess) => Effect.sync(() => guard.register(process)),
        release: (identity: ProcessIdentity) => Effect.sync(() => guard.release(identity))
      })
    })
  )
}

class GuardEnded extends Schema.TaggedError<GuardEnded>()("GuardEnded", { why: Schema.String }) {
  override get message(): string {
    return `the guard of this program's processes has ended (${this.why}); it is started again`
  }
}

const pauseBeforeRestart = Duration.millis(100)

// Beside this file, whether it is run as it is or compiled.
const program = fileURLToPath(
  new URL(`./internal/guardMain${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
)

const lineOf = ({ pid, startTime }: ProcessIdentity): string =>
  startTime === undefined ? `+ ${pid}\n` : `+ ${pid} ${startTime}\n`

class Guard {
  readonly mark = randomUUID()
  private readonly registered = new Map<number, ProcessIdentity>()
  private process: ChildProcess | undefined = undefined
  private marks = 0

  nextMark(): string {
    return markOf(this.mark, ++this.marks)
  }

  register({ identity }: GuardedProcess): void {
    this.registered.set(identity.pid, identity)
    this.tell(lineOf(identity))
  }

  release({ pid }: ProcessIdentity): void {
    this.registered.delete(pid)
    this.tell(`- ${pid}\n`)
  }

  /** Starts the guard and tells it all it has to know. Ends when the guard does, and says why. */
  readonly run: Effect.Effect<never, GuardEnded> = Effect.callback((resume) => {
    const { [markerName]: _, ...env } = process.env
    const guard = spawn(process.execPath, [program, this.mark], {
      detached: true,
      env,
      stdio: ["pipe", "ignore", "ignore"]
    })
    this.process = guard
    const ended = (why: string) => resume(Effect.fail(new GuardEnded({ why })))
    guard.on("error", (error) => ended(error.message))
    guard.on("exit", (code, signal) => ended(signal ?? `exit code ${code}`))
    guard.stdin.on("error", () => {}) // the same as its end, which is told above
    // It is no reason for this program to go on.
    guard.unref()
    for (const identity of this.registered.values()) this.tell(lineOf(identity))
    return Effect.callback<void>((done) => {
      guard.removeAllListeners("exit")
      if (guard.exitCode !== null || guard.signalCode !== null) return done(Effect.void)
      guard.on("exit", () => done(Effect.void))
      guard.stdin.end("bye\n")
    })
  })

  private tell(line: string): void {
    this.process?.stdin?.write(line)
  }
}
