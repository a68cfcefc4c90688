/**
 * How to find out from outside whether a process is ready, and whether it is still well.
 *
 * Each of these can be the `readiness` and the `liveness` of a `ProcessChild`. Some ask the process (`http`, `tcp`,
 * `command`), and some wait to be told (`logLine`, `file`, `notify`): these are ready when they have been told since the
 * process was started, and well as long as they are told again `within` some time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as CommandLine from "effect/process/CommandLine"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { resolve } from "node:path"
import { answersTcp, getStatus } from "./internal/network.ts"
import type { Process } from "./ProcessChild.ts"
import type { ProcessLog } from "./ProcessLog.ts"

/**
 * What a probe is told of a start before there is a process.
 *
 * - `use`: what it is for.
 * - `log`: of the child, with the lines of its earlier incarnations.
 * - `cwd`, `environment`: the folder and the environment of the process, as its command has them.
 * - `onLine`: calls a function with each line that the process writes to its standard streams, as it was written.
 * - `onNotify`: gives the process a descriptor, and calls a function when it writes a line to that.
 *
 * @category models
 * @since 0.1.0
 */
export interface Start {
  readonly path: string
  readonly incarnation: number
  readonly use: "readiness" | "liveness"
  readonly log: ProcessLog
  readonly cwd: string | undefined
  readonly environment: Pick<ChildProcess.CommandOptions, "env" | "extendEnv">
  readonly onLine: (listener: (text: string) => void) => void
  readonly onNotify: (fd: number, listener: () => void) => void
}

/**
 * Succeeds if all is well with a process.
 *
 * @category models
 * @since 0.1.0
 */
export type Check<out R> = (process: Process) => Effect.Effect<unknown, unknown, R>

/**
 * A probe of a process.
 *
 * - `arm`: is done before each start, and answers the check: who waits for something to happen begins here. Its scope is the
 *   incarnation's.
 * - `interval`: the time between the end of a check and the next; default 100 milliseconds for a readiness, 10 seconds for a
 *   liveness probe.
 * - `timeout`: a check that takes longer has failed; default 1 second.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessProbe<out R> {
  readonly arm: (start: Start) => Effect.Effect<Check<R>, never, R | Scope.Scope>
  readonly interval?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * How often it is checked, and how long a check may take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timing {
  readonly interval?: Duration.Input | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * For what a process does again and again: it is well if it has done so within this time, or has just been started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Repeated extends Timing {
  readonly within?: Duration.Input | undefined
}

/**
 * A check has failed: `probe` is what was looked at, `problem` what was found.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProbeFailed extends Schema.TaggedError<ProbeFailed>()("ProbeFailed", {
  probe: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.probe}: ${this.problem}`
  }
}

/**
 * Creates a probe from a check of one's own.
 *
 * **Example** (Whether a worker has answered lately)
 *
 * ```ts import.meta.vitest
 * import { ProcessProbe } from "@coppice/process"
 * import { Effect } from "effect"
 *
 * const probe = ProcessProbe.make((process) => process.pid > 0 ? Effect.void : Effect.fail("no pid"), { timeout: "2 seconds" })
 *
 * probe.timeout // => "2 seconds"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R>(check: Check<R>, { interval, timeout }: Timing = {}): ProcessProbe<R> => ({
  interval,
  timeout,
  arm: () => Effect.succeed(check)
})

/**
 * Asks by HTTP. All is well if the answer is 2xx or 3xx, or what `isWell` says. `port` is the child's own by default, `host` is
 * `127.0.0.1`, `path` is `/`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const http = (
  options: Timing & {
    readonly path?: string | undefined
    readonly port?: number | undefined
    readonly host?: string | undefined
    readonly isWell?: ((status: number) => boolean) | undefined
  } = {}
): ProcessProbe<never> =>
  make((process) => {
    const { host = "127.0.0.1", isWell = (status) => status >= 200 && status < 400, path = "/", port = process.port } =
      options
    if (port === undefined) return new ProbeFailed({ probe: "http", problem: noPort })
    const probe = `GET http://${host}:${port}${path}`
    return Effect.flatMap(getStatus({ host, port, path }), (answer) => {
      if (typeof answer === "string") return new ProbeFailed({ probe, problem: answer })
      return isWell(answer) ? Effect.void : new ProbeFailed({ probe, problem: `answered ${answer}` })
    })
  }, options)

const noPort = "neither the probe nor its child has a port"

/**
 * Connects by TCP. All is well if somebody listens. `port` is the child's own by default, `host` is `127.0.0.1`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tcp = (
  options: Timing & { readonly port?: number | undefined; readonly host?: string | undefined } = {}
): ProcessProbe<never> =>
  make((process) => {
    const { host = "127.0.0.1", port = process.port } = options
    if (port === undefined) return new ProbeFailed({ probe: "tcp", problem: noPort })
    return Effect.flatMap(
      answersTcp({ host, port }),
      (problem) => problem === undefined ? Effect.void : new ProbeFailed({ probe: `tcp ${host}:${port}`, problem })
    )
  }, options)

/**
 * Runs a command. All is well if it exits with 0. It has the environment of the process, with its port, and its folder, unless it
 * says otherwise; what it prints is not read. One that takes too long is killed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const command = (
  command: ChildProcess.StandardCommand,
  { interval, timeout }: Timing = {}
): ProcessProbe<ChildProcessSpawner.ChildProcessSpawner> => {
  const probe = CommandLine.display([command.command, ...command.args], { format: "posix" })
  return {
    interval,
    timeout,
    arm: ({ cwd, environment }) => {
      const { options } = command
      const run = ChildProcess.make(command.command, command.args, {
        cwd,
        ...options,
        env: {
          ...(options.env === undefined || options.extendEnv === true ? environment.env : undefined),
          ...options.env
        },
        extendEnv: options.env === undefined ? environment.extendEnv : options.extendEnv,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
        killSignal: "SIGKILL"
      })
      return Effect.succeed(() =>
        Effect.flatMap(
          Effect.catch(exitCodeOf(run), ({ message }) => new ProbeFailed({ probe, problem: message })),
          (code) => code === 0 ? Effect.void : new ProbeFailed({ probe, problem: `exited with code ${code}` })
        )
      )
    }
  }
}

// Nobody waits for one that is killed: it bears the mark of the process, and ends with that at the latest.
const exitCodeOf = Effect.fnUntraced(function*(command: ChildProcess.StandardCommand) {
  const scope = Scope.makeUnsafe()
  const close = Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
  return yield* Effect.ensuring(Effect.flatMap(Scope.provide(command, scope), ({ exitCode }) => exitCode), close)
})

/**
 * Waits for a line that has this text, or matches this pattern, on either stream.
 *
 * **Example** (A server that says when it listens)
 *
 * ```ts import.meta.vitest
 * import { Ports, ProcessChild, ProcessGuard, ProcessProbe } from "@coppice/process"
 * import { NodeServices } from "@effect/platform-node"
 * import { Supervisor } from "coppice"
 * import { Effect, Layer } from "effect"
 * import { ChildProcess } from "effect/process"
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "one-for-one",
 *     children: [
 *       ProcessChild.make("server", ChildProcess.make("sh", ["-c", "echo listening; exec sleep 60"]), {
 *         readiness: ProcessProbe.logLine("listening")
 *       })
 *     ]
 *   })
 *   const { children: [server] } = yield* app.tree
 *   return server?.ready
 * })
 *
 * const Live = Layer.mergeAll(Ports.Ports.layer, ProcessGuard.ProcessGuard.layer, NodeServices.layer)
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Live))) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const logLine = (pattern: string | RegExp, options: Repeated = {}): ProcessProbe<never> => {
  const matches = typeof pattern === "string"
    ? (text: string) => text.includes(pattern)
    : (text: string) => text.search(pattern) !== -1
  return told(options, `a line with ${pattern}`, ({ onLine }, tell) =>
    onLine((text) => {
      if (matches(text)) tell()
    }))
}

/**
 * Waits for the process to write a line to a descriptor, 3 by default: the protocol of s6.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notify = (options: Repeated & { readonly fd?: number | undefined } = {}): ProcessProbe<never> => {
  const { fd = 3 } = options
  return told(options, `a line to descriptor ${fd}`, ({ onNotify }, tell) => onNotify(fd, tell))
}

/** A probe that is told by `listen`, and says how long ago the last time was. */
const told = (
  { interval, timeout, within }: Repeated,
  probe: string,
  listen: (start: Start, tell: () => void) => void
): ProcessProbe<never> => ({
  interval,
  timeout,
  arm: (start) =>
    Clock.clockWith((clock) =>
      Effect.sync(() => {
        const nowMillis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
        const armedAt = nowMillis()
        let last: number | undefined
        listen(start, () => {
          last = nowMillis()
        })
        return () =>
          freshness(probe, start, within, last === undefined ? undefined : nowMillis() - last, nowMillis() - armedAt)
      })
    )
})

/** Whether it has happened, and not too long ago. To be alive it need not have happened right after the start. */
const freshness = (
  probe: string,
  { use }: Start,
  within: Duration.Input | undefined,
  sinceLast: number | undefined,
  sinceStart: number
): Effect.Effect<void, ProbeFailed> => {
  if (sinceLast === undefined && (use === "readiness" || within === undefined)) {
    return Effect.fail(new ProbeFailed({ probe, problem: "not yet" }))
  }
  const silence = sinceLast ?? sinceStart
  if (within === undefined || silence <= Duration.toMillis(within)) return Effect.void
  return Effect.fail(new ProbeFailed({ probe, problem: `none for ${Math.round(silence)} ms` }))
}

/**
 * Waits for a file to be made, or to be changed: one that was there before the process was started does not count as it is.
 * With `within` the file must have been changed within this time. A path that is relative begins at the folder of the process.
 *
 * @category constructors
 * @since 0.1.0
 */
export const file = (path: string, options: Repeated = {}): ProcessProbe<FileSystem.FileSystem> => ({
  interval: options.interval,
  timeout: options.timeout,
  arm: (start) => {
    const place = resolve(start.cwd ?? ".", path)
    return Effect.map(version(place), (before) => ({ startedAtMillis }) =>
      Effect.gen(function*() {
        const now = yield* version(place)
        const millis = yield* Clock.currentTimeMillis
        const isNew = now !== undefined && now.id !== before?.id
        const sinceLast = isNew ? millis - now.changedAtMillis : undefined
        yield* freshness(place, start, options.within, sinceLast, millis - startedAtMillis)
      }))
  }
})

/** What a file is now, to be told from what it was before; undefined where there is none. */
const version = Effect.fnUntraced(function*(path: string) {
  const files = yield* FileSystem.FileSystem
  const found = yield* Effect.option(files.stat(path))
  return Option.getOrUndefined(Option.map(found, ({ ino, mtime, size }) => {
    const changedAtMillis = Option.match(mtime, { onNone: () => 0, onSome: (date) => date.getTime() })
    return { id: `${Option.getOrUndefined(ino)} ${size} ${changedAtMillis}`, changedAtMillis }
  }))
})
