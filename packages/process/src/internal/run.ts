import { Child } from "coppice"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as PlatformError from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import * as Scope from "effect/Scope"
import * as EnvFile from "../EnvFile.ts"
import type { Options, Process } from "../ProcessChild.ts"
import { ProcessExited, ProcessSignaled } from "../ProcessExit.ts"
import { ProcessGuard } from "../ProcessGuard.ts"
import type { Check, ProcessProbe, Start } from "../ProcessProbe.ts"
import { UnsupportedPlatform } from "../ProcessTable.ts"
import { prepare, type Prepared } from "./command.ts"
import { signal } from "./identity.ts"
import { Kept } from "./kept.ts"
import { Notified } from "./notified.ts"
import { spawn } from "./spawn.ts"
import { stop } from "./stop.ts"
import { platform } from "./table.ts"

/** A process that runs, what it is watched by, and its end: a success for an exit code of success. */
export interface Running {
  readonly process: Process
  readonly readiness: Check<never> | undefined
  readonly liveness: Check<never> | undefined
  readonly ended: Effect.Effect<void, ProcessExited | ProcessSignaled | PlatformError.PlatformError>
}

/** Runs a process in the scope of an incarnation, which ends it with all that it has started. */
export const run = Effect.fnUntraced(function*<E, R>(
  command: ChildProcess.StandardCommand | Effect.Effect<ChildProcess.StandardCommand, E, R>,
  options: Options<any, never>
) {
  if (platform === undefined) return yield* new UnsupportedPlatform({ platform: process.platform })
  const { incarnation, path } = yield* Child.current
  const { log, port } = yield* Kept
  const mark = yield* Effect.flatMap(ProcessGuard, ({ nextMark }) => nextMark)
  const notified = new Notified()
  const start: Start = { path, incarnation, log, onNotify: (fd, listener) => notified.on(fd, listener) }
  const readiness = yield* arm(options.readiness, start)
  const liveness = yield* arm(options.liveness, start)
  const files = yield* EnvFile.read(options.envFiles ?? [])
  const said = isStandard(command) ? command : yield* command
  const prepared = prepare(said, { mark, port, files, fds: notified.fds })
  const { handle, running } = yield* begin(prepared, { start, mark, port: port?.number }, options)
  yield* notified.read(handle)
  yield* Child.describe({ pid: running.pid, ...(port === undefined ? undefined : { port: port.number }) })
  return { process: running, readiness, liveness, ended: endOf(handle, running, options.successCodes ?? [0]) }
})

// A command is an effect too, and what that answers is a process.
const isStandard = (command: object): command is ChildProcess.StandardCommand =>
  ChildProcess.isCommand(command) && ChildProcess.isStandardCommand(command)

const arm = (probe: ProcessProbe<never> | undefined, start: Start) =>
  probe === undefined ? Effect.undefined : probe.arm(start)

interface About {
  readonly start: Start
  readonly mark: string
  readonly port: number | undefined
}

// Nobody may come between the start and what is to be done at its end. The scope closes in reverse order: what the process
// says last is read to its end.
const begin = (prepared: Prepared, about: About, options: Options<any, never>) =>
  Effect.uninterruptible(Effect.gen(function*() {
    // The spawner clears up after what is gone already, and waits even for those that nobody reaps: in the background.
    const spawned = Scope.makeUnsafe()
    yield* Effect.addFinalizer(() => Effect.forkDetach(Scope.close(spawned, Exit.void), { startImmediately: true }))
    const handle = yield* Scope.provide(spawn(prepared), spawned)
    const { isOurs, process } = yield* describe(handle, prepared, about)
    const guard = yield* ProcessGuard
    const { command, identity, mark, path } = process
    yield* guard.register({ identity, mark, path, command })
    const readers = yield* drain(handle, prepared, process)
    yield* Effect.addFinalizer(() =>
      Effect.andThen(stop({ handle, process, isOurs, readers }, options), guard.release(identity))
    )
    return { handle, running: process }
  }))

/** One that cannot be seen, or is not ours, is another by now: we are its parent, and have not been told of its end. */
const describe = Effect.fnUntraced(function*({ pid, stdin }: ChildProcessHandle, { text }: Prepared, about: About) {
  const found = platform?.find(pid)
  const isOurs = found?.parent === globalThis.process.pid
  const identity = { pid, startTime: isOurs ? found.startTime : "ended" }
  const { log, ...child } = about.start
  const process: Process = {
    pid,
    identity,
    port: about.port,
    command: text,
    path: child.path,
    incarnation: child.incarnation,
    startedAtMillis: yield* Clock.currentTimeMillis,
    mark: about.mark,
    stdin,
    log,
    signal: (name) => Effect.sync(() => signal(identity, name))
  }
  return { process, isOurs }
})

// For as long as there is something to read: whoever holds the other end may outlive the process.
const drain = (
  handle: ChildProcessHandle,
  { secrets }: Prepared,
  { incarnation, log, path }: Process
): Effect.Effect<ReadonlyArray<Fiber.Fiber<void>>, never, Scope.Scope> =>
  Effect.forEach(["stdout", "stderr"] as const, (name) =>
    log.drain(handle[name], name, incarnation, secrets).pipe(
      Effect.catch(({ message }) => Effect.logWarning(`${path}: ${name} cannot be read any more: ${message}`)),
      Effect.forkScoped({ startImmediately: true })
    ))

const endOf = (handle: ChildProcessHandle, { command, pid }: Process, successCodes: ReadonlyArray<number>) =>
  Effect.matchEffect(handle.exitCode, {
    onSuccess: (code) =>
      successCodes.includes(code) ? Effect.void : Effect.fail(new ProcessExited({ command, pid, code })),
    onFailure: (error) => {
      const signal = signalOf(error)
      return Effect.fail(signal === undefined ? error : new ProcessSignaled({ command, pid, signal }))
    }
  })

// Effect's spawner says only in the words of its message which signal it was.
const signalOf = ({ reason }: PlatformError.PlatformError): string | undefined =>
  Predicate.hasProperty(reason.cause, "message")
    ? /'(SIG[A-Z0-9]+)'/.exec(String(reason.cause.message))?.[1]
    : undefined
