/**
 * A make-believe operating system for tests: commands run as scripted processes, under virtual time.
 *
 * `TestProcess.layer` provides Effect's `ChildProcessSpawner`, so that programs which spawn commands run unchanged. What a
 * command does is told by a {@link Program}; each process can be seen and commanded through {@link TestProcesses}. Exit
 * codes, signals, groups, pipes and errors are those of Node's spawner on Linux: the same tests run against both.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import type * as Stream from "effect/Stream"
import { Machine } from "./internal/machine.ts"
import * as spawner from "./internal/spawner.ts"

/**
 * What a command does when it runs: an effect that is given its process.
 *
 * **Details**
 *
 * A process whose program returns a number exits with this code. One whose program returns nothing goes on until a test or
 * a signal ends it. Programs begin while their command is spawned, and are interrupted when their process ends.
 *
 * **Gotchas**
 *
 * A program that dies, by a failed assertion for example, ends its process by `SIGABRT` and lets the closing of the layer
 * die with the same cause, so that the test fails.
 *
 * **Example** (A server, a migration, a flaky job and `cat`)
 *
 * ```ts import.meta.vitest
 * import { TestProcess } from "@coppice/testing"
 * import { Effect, Stream } from "effect"
 * import { ChildProcess, ChildProcessSpawner } from "effect/process"
 *
 * const os = TestProcess.layer({
 *   server: (process) => process.print("listening"),
 *   migrate: () => Effect.succeed(0),
 *   job: (process) => Effect.delay(Effect.succeed(process.attempt < 3 ? 1 : 0), "1 second"),
 *   cat: (process) => Effect.as(Stream.runForEach(process.read(), (bytes) => process.write(bytes)), 0)
 * })
 *
 * const test = Effect.gen(function*() {
 *   const { exitCode, lines } = yield* ChildProcessSpawner.ChildProcessSpawner
 *   yield* exitCode(ChildProcess.make("migrate")) // => 0
 *   return yield* lines(ChildProcess.make("cat", { stdin: Stream.encodeText(Stream.make("a\n", "b\n")) }))
 * })
 *
 * await Effect.runPromise(Effect.provide(test, os)) // => ["a", "b"]
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Program = (process: Process) => Effect.Effect<number | void>

/**
 * Why a command could not be spawned. The error is `NotFound` for `ENOENT`, `PermissionDenied` for `EACCES`, and `Unknown`
 * where the machine had no process (`EAGAIN`) or no file descriptor (`EMFILE`, `ENFILE`) left.
 *
 * @category models
 * @since 0.1.0
 */
export type SpawnError = "EACCES" | "EAGAIN" | "EMFILE" | "ENFILE" | "ENOENT"

/**
 * What happens when a command is spawned: always the same, or one for each attempt, the last one for all further attempts.
 *
 * @category models
 * @since 0.1.0
 */
export type Script = Program | SpawnError | readonly [Program | SpawnError, ...ReadonlyArray<Program | SpawnError>]

/**
 * The scripts of all commands, by their names or by a function. A command without a script is not found.
 *
 * @category models
 * @since 0.1.0
 */
export type Scripts =
  | Readonly<Record<string, Script>>
  | ((command: ChildProcess.StandardCommand) => Script | undefined)

/**
 * What a process can write to; `fd3` and so on if its command has `additionalFds`.
 *
 * @category models
 * @since 0.1.0
 */
export type Output = "stdout" | "stderr" | `fd${number}`

/**
 * What a process can read from.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = "stdin" | `fd${number}`

/**
 * How a process has ended.
 *
 * @category models
 * @since 0.1.0
 */
export type End =
  | { readonly _tag: "Exited"; readonly code: number }
  | { readonly _tag: "Signaled"; readonly signal: ChildProcess.Signal }

/**
 * How a process is. It is stopped between `SIGSTOP` and `SIGCONT`.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = { readonly _tag: "Running" } | { readonly _tag: "Stopped" } | End

/**
 * Options of `Process.fork`. Without them the new process has its parent's command and arguments, stays in its group, and
 * goes on until it is told otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export interface ForkOptions {
  readonly command?: string | undefined
  readonly args?: ReadonlyArray<string> | undefined
  readonly program?: Program | undefined
  /** Whether it becomes the leader of a group of its own, as with `setsid`. */
  readonly leavesGroup?: boolean | undefined
}

/**
 * A scripted process, as its program and the test have it in hand.
 *
 * **Details**
 *
 * What can change is an effect. A command has done what it does when its effect returns: what waits for the process has
 * been woken, though it may not have run yet. A command to a process that has ended is a mistake in the test and dies.
 *
 * **Gotchas**
 *
 * Pipes have room for everything: where a real process waits for somebody to read its output (after some 200 KB), this one
 * goes on. `unread` tells what nobody has read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Process {
  readonly pid: number
  /** The pid of its group's leader; 1 is the group of the program that spawned it. */
  readonly group: number
  readonly command: string
  /** Its arguments, the redacted ones in clear. */
  readonly args: ReadonlyArray<string>
  /** The directory the command was given, if any. */
  readonly cwd: string | undefined
  /** The variables the command was given, the redacted ones in clear, without those it inherits. */
  readonly env: Readonly<Record<string, string>>
  /** Which attempt to spawn its command this is, from 1. A forked process has its parent's. */
  readonly attempt: number
  /** Who forked it; nobody if it was spawned. */
  readonly parent: Process | undefined
  /** Those it has forked that are alive. */
  readonly children: Effect.Effect<ReadonlyArray<Process>>
  readonly status: Effect.Effect<Status>
  /** The signals that were sent to it, in order. */
  readonly signals: Effect.Effect<ReadonlyArray<ChildProcess.Signal>>

  /** Ends it by itself, with the code's last eight bits. */
  exit(code: number): Effect.Effect<void>
  /** Ends it by a signal, whatever it does about signals: a fault of its own, or the kernel's decision. */
  die(signal: ChildProcess.Signal): Effect.Effect<void>
  /** Sends it a signal, as an operator would. */
  kill(signal: ChildProcess.Signal): Effect.Effect<void>
  /** What it does at a signal from now on, instead of the default; a number that is returned ends it with this code. */
  on(signal: ChildProcess.Signal, handler: Effect.Effect<number | void>): Effect.Effect<void>
  /** Ignores signals from now on. Those it forks from now on do so too. */
  ignore(...signals: ReadonlyArray<ChildProcess.Signal>): Effect.Effect<void>
  /** Ends its program and its handlers. From now on it does nothing, and only `SIGKILL` ends it. */
  readonly hang: Effect.Effect<void>
  /** Starts another process that shares its inputs and outputs, and outlives it. */
  fork(options?: ForkOptions): Effect.Effect<Process>

  /** Writes a line, to `stdout` if nothing else is said. */
  print(line: string, to?: Output): Effect.Effect<void>
  /** Writes bytes, to `stdout` if nothing else is said. */
  write(bytes: Uint8Array, to?: Output): Effect.Effect<void>
  /** How many bytes of an output nobody has read. */
  unread(to?: Output): Effect.Effect<number>
  /** Reads what is written to it, `stdin` if nothing else is said, until that is ended. */
  read(from?: Input): Stream.Stream<Uint8Array>
  /** What has been written to it so far, as text, whether it has read that or not. */
  received(from?: Input): Effect.Effect<string>
  /** Closes inputs and outputs. Whoever reads an output sees its end when all that share it have closed it. */
  close(...names: ReadonlyArray<Input | Output>): Effect.Effect<void>
}

/**
 * The processes of the make-believe operating system.
 *
 * **Example** (A supervised server that crashes)
 *
 * ```ts import.meta.vitest
 * import { TestProcess } from "@coppice/testing"
 * import { Child, SupervisionTree, Supervisor } from "coppice"
 * import { Effect, Logger } from "effect"
 * import { ChildProcess } from "effect/process"
 * import { TestClock } from "effect/testing"
 *
 * const server = Child.make("server", Effect.map(ChildProcess.make("server"), (handle) => handle.exitCode))
 *
 * const test = Effect.gen(function*() {
 *   const processes = yield* TestProcess.TestProcesses
 *   const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [server] })
 *   const first = yield* processes.latest("server")
 *   yield* first.die("SIGSEGV")
 *   yield* TestClock.adjust("1 second")
 *   const second = yield* processes.latest("server")
 *   first.pid // => 1001
 *   second.pid // => 1002
 *   yield* first.status // => ({ _tag: "Signaled", signal: "SIGSEGV" })
 *   yield* second.status // => ({ _tag: "Running" })
 *   return SupervisionTree.toText(yield* app.tree).split("\n")[1]
 * })
 *
 * const os = TestProcess.layer({ server: (process) => process.print("listening") })
 *
 * const line = await Effect.runPromise(test.pipe(Effect.scoped, Effect.provide([os, TestClock.layer(), Logger.layer([])])))
 *
 * line // => "└─ server  running, 1 restart (failed: Unknown: ChildProcess.exitCode (server))"
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class TestProcesses extends Context.Service<TestProcesses, {
  /** All there have been, spawned and forked, in the order of their starts. */
  readonly all: Effect.Effect<ReadonlyArray<Process>>
  /** Those that are alive. */
  readonly alive: Effect.Effect<ReadonlyArray<Process>>
  /** The last one that was started with this command. It dies if there is none. */
  readonly latest: (command: string) => Effect.Effect<Process>
  /** Gives the next process this pid, as the kernel does when its numbers have gone round. */
  readonly reusePid: (pid: number) => Effect.Effect<void>
}>()("@coppice/testing/TestProcess/TestProcesses") {}

/**
 * Provides a spawner whose commands are scripted, and its processes. Pids begin with 1001.
 *
 * **Details**
 *
 * Programs run in the surroundings in which this layer is built, but on the clock of who spawned their command.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (scripts: Scripts): Layer.Layer<TestProcesses | ChildProcessSpawner.ChildProcessSpawner> =>
  Layer.effectContext(Effect.gen(function*() {
    const machine = new Machine(scripts, yield* Effect.context<never>())
    yield* Effect.addFinalizer(() => machine.shutDown)
    const processes = TestProcesses.of({
      all: Effect.sync(() => [...machine.all]),
      alive: Effect.sync(() => Array.from(machine.alive)),
      latest: (command) => machine.latest(command),
      reusePid: (pid) =>
        Effect.sync(() => {
          machine.plannedPid = pid
        })
    })
    return Context.make(TestProcesses, processes).pipe(
      Context.add(ChildProcessSpawner.ChildProcessSpawner, spawner.make(machine))
    )
  }))
