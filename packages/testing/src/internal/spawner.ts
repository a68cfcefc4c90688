import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import {
  type ChildProcessHandle,
  type ChildProcessSpawner,
  ExitCode,
  make as makeSpawner,
  makeHandle,
  ProcessId
} from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { End } from "../TestProcess.ts"
import { type Machine, ownGroup } from "./machine.ts"
import * as processError from "./processError.ts"
import type { ScriptedProcess } from "./scriptedProcess.ts"
import { Stdio } from "./stdio.ts"

/** Spawns scripted processes. What happens when, and which error comes of it, is as with the spawner of Node. */
export const make = (machine: Machine): ChildProcessSpawner["Service"] =>
  makeSpawner((command) => command._tag === "StandardCommand" ? spawn(machine, command) : spawnAll(machine, command))

const spawn = Effect.fnUntraced(function*(
  machine: Machine,
  command: ChildProcess.StandardCommand
): Effect.fn.Return<ChildProcessHandle, PlatformError.PlatformError, Scope.Scope> {
  yield* processError.check(command)
  const stdio = new Stdio(command)
  const { attempt, outcome } = machine.attempt(command)
  if (typeof outcome === "string") return yield* processError.spawn(command, outcome)
  const { process, spawned } = yield* Effect.acquireRelease(
    Effect.map(start(machine, command, stdio, attempt), (process) => ({
      process,
      spawned: new Spawned(machine, command, stdio, process)
    })),
    ({ spawned }) => Effect.ignore(spawned.release)
  )
  const inputFailure = Deferred.makeUnsafe<never, PlatformError.PlatformError>()
  for (const [name, source] of stdio.sources) {
    const failing = Stream.tapError(source, (error) => Deferred.fail(inputFailure, error))
    yield* Effect.forkScoped(Stream.run(failing, stdio.sink(name)))
  }
  process.run(outcome(process))
  return makeHandle({
    pid: ProcessId(process.pid),
    exitCode: Effect.raceFirst(Deferred.await(inputFailure), spawned.exitCode),
    isRunning: Effect.sync(() => process.end === undefined),
    kill: (options) => spawned.terminate(options),
    stdin: stdio.sink("stdin"),
    stdout: stdio.stream("stdout"),
    stderr: stdio.stream("stderr"),
    all: Stream.merge(stdio.stream("stdout"), stdio.stream("stderr")),
    getInputFd: (fd) => stdio.sink(`fd${fd}`),
    getOutputFd: (fd) => stdio.stream(`fd${fd}`),
    unref: spawned.unref
  })
})

const start = (
  machine: Machine,
  command: ChildProcess.StandardCommand,
  stdio: Stdio,
  attempt: number
): Effect.Effect<ScriptedProcess> =>
  Effect.contextWith((context: Context.Context<never>) =>
    machine.start((pid) => ({
      pid,
      group: command.options.detached === false ? ownGroup : pid,
      command: command.command,
      args: command.args.map(processError.inClear),
      cwd: command.options.cwd,
      env: Object.fromEntries(
        Object.entries(command.options.env ?? {}).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, processError.inClear(value)] as const]
        )
      ),
      attempt,
      parent: undefined,
      context: machine.contextFor(context),
      pipes: stdio,
      open: [...stdio.inputs.keys(), ...stdio.outputs.keys()],
      ignored: []
    }))
  )

/** A process in the hands of its spawner. */
class Spawned {
  private readonly machine: Machine
  private readonly command: ChildProcess.StandardCommand
  private readonly process: ScriptedProcess
  private readonly ended = Deferred.makeUnsafe<End>()
  private isReferenced = true

  constructor(machine: Machine, command: ChildProcess.StandardCommand, stdio: Stdio, process: ScriptedProcess) {
    this.machine = machine
    this.command = command
    this.process = process
    process.onEnd = (end) => {
      stdio.destroyStdin()
      Deferred.doneUnsafe(this.ended, Effect.succeed(end))
      if (hasFailed(end)) machine.killGroup(process.pid, command.options.killSignal ?? "SIGTERM")
    }
  }

  readonly exitCode: Effect.Effect<ExitCode, PlatformError.PlatformError> = Effect.suspend(() =>
    Effect.flatMap(Deferred.await(this.ended), (end) =>
      end._tag === "Exited"
        ? Effect.succeed(ExitCode(end.code))
        : Effect.fail(processError.signaled(this.command, end.signal)))
  )

  readonly unref = Effect.sync(() => {
    this.isReferenced = false
    return Effect.sync(() => {
      this.isReferenced = true
    })
  })

  /** Its scope is closed. What is left of its group is ended too, even of one that was let go if it has failed. */
  readonly release: Effect.Effect<void, PlatformError.PlatformError> = Effect.suspend(() => {
    const { end } = this.process
    return this.isReferenced || end !== undefined && hasFailed(end) ? this.terminate(this.command.options) : Effect.void
  })

  /** Signals the group, and waits for the process; for the rest of its group at most for a second. */
  terminate(options: ChildProcess.KillOptions | undefined): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.signal(options?.killSignal ?? "SIGTERM")
      if (options?.forceKillAfter === undefined) {
        yield* Deferred.await(this.ended)
        yield* Effect.timeoutOption(this.gone, "1 second")
        return
      }
      yield* Effect.timeoutOption(this.gone, options.forceKillAfter)
      if (this.isAlive) {
        yield* this.signal("SIGKILL")
        yield* Effect.timeoutOption(this.gone, "1 second")
      }
    })
  }

  private get isDetached(): boolean {
    return this.command.options.detached !== false
  }

  // Others of its group may be alive when it has ended.
  private get isAlive(): boolean {
    return this.process.end === undefined || this.machine.hasGroup(this.process.pid)
  }

  private readonly gone = Effect.suspend(() => this.machine.until(() => !this.isAlive))

  private signal(signal: ChildProcess.Signal): Effect.Effect<void, PlatformError.PlatformError> {
    return Effect.suspend(() => {
      if (this.isDetached && this.machine.killGroup(this.process.pid, signal)) return Effect.void
      if (this.process.end !== undefined) return Effect.fail(processError.notKilled(this.command))
      this.process.receive(signal)
      return Effect.void
    })
  }
}

const hasFailed = (end: End): boolean => end._tag === "Exited" && end.code !== 0

/** A pipeline: each command reads what the one before it writes. The last one's handle stands for all. */
const spawnAll = Effect.fnUntraced(function*(
  machine: Machine,
  pipeline: ChildProcess.PipedCommand
): Effect.fn.Return<ChildProcessHandle, PlatformError.PlatformError, Scope.Scope> {
  const [first, ...others] = stagesOf(pipeline)
  const handles = [yield* spawn(machine, first.command)]
  for (const { command, options } of others) {
    handles.push(yield* spawn(machine, reading(command, options.to, writtenBy(handles.at(-1)!, options.from))))
  }
  return makeHandle({
    ...handles.at(-1)!,
    stdin: handles[0]!.stdin,
    kill: (options) =>
      Effect.forEach(handles.toReversed(), (handle) => Effect.ignore(handle.kill(options)), { discard: true }),
    unref: Effect.map(
      Effect.forEach(handles, (handle) => handle.unref),
      (rerefs) => Effect.forEach(rerefs, (reref) => reref, { discard: true })
    )
  })
})

interface Stage {
  readonly command: ChildProcess.StandardCommand
  /** How it is connected with the one before it. */
  readonly options: ChildProcess.PipeOptions
}

const stagesOf = (command: ChildProcess.Command, options: ChildProcess.PipeOptions = {}): [Stage, ...Array<Stage>] =>
  command._tag === "StandardCommand"
    ? [{ command, options }]
    : [...stagesOf(command.left, options), ...stagesOf(command.right, command.options)]

const writtenBy = (handle: ChildProcessHandle, from: ChildProcess.PipeFromOption = "stdout") => {
  if (from === "stderr" || from === "all") return handle[from]
  const fd = ChildProcess.parseFdName(from)
  return fd === undefined ? handle.stdout : handle.getOutputFd(fd)
}

const reading = (
  command: ChildProcess.StandardCommand,
  to: ChildProcess.PipeToOption = "stdin",
  stream: ChildProcessHandle["stdout"]
): ChildProcess.StandardCommand => {
  const { additionalFds, stdin } = command.options
  const fd = ChildProcess.parseFdName(to)
  if (fd === undefined) {
    const config = typeof stdin === "object" && !Stream.isStream(stdin) ? stdin : {}
    return ChildProcess.make(command.command, command.args, { ...command.options, stdin: { ...config, stream } })
  }
  const config = additionalFds?.[`fd${fd}`]
  const input = config?.type === "duplex" ? { ...config, stream } : { type: "input" as const, stream }
  return ChildProcess.make(command.command, command.args, {
    ...command.options,
    additionalFds: { ...additionalFds, [`fd${fd}`]: input }
  })
}
