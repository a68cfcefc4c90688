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
import { Ports, PortTaken } from "../Ports.ts"
import type { Options, Process } from "../ProcessChild.ts"
import { ProcessExited, ProcessSignaled } from "../ProcessExit.ts"
import { ProcessGuard } from "../ProcessGuard.ts"
import type { Check } from "../ProcessProbe.ts"
import { UnsupportedPlatform } from "../ProcessTable.ts"
import { type Port, prepare, type Prepared, withOutputs } from "./command.ts"
import { ended, signal } from "./identity.ts"
import { Kept } from "./kept.ts"
import { Outputs } from "./outputs.ts"
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
  const files = yield* EnvFile.read(options.envFiles ?? [])
  const prepared = prepare(isStandard(command) ? command : yield* command, { mark, port, files })
  const outputs = new Outputs(prepared)
  const arm = (use: "readiness" | "liveness") => {
    const { options: { cwd, env, extendEnv } } = prepared.command
    const heard = { onLine: outputs.onLine, onNotify: outputs.onNotify }
    return options[use]?.arm({ path, incarnation, use, log, cwd, environment: { env, extendEnv }, ...heard }) ??
      Effect.undefined
  }
  const readiness = yield* arm("readiness")
  const liveness = yield* arm("liveness")
  if (port !== undefined) yield* checkPort(port)
  const running = yield* begin(
    { ...prepared, command: withOutputs(prepared.command, outputs.fds) },
    { path, incarnation, mark, log, port: port?.number },
    outputs,
    options
  )
  yield* Child.describe({ pid: running.process.pid, ...(port === undefined ? undefined : { port: port.number }) })
  return { ...running, readiness, liveness } satisfies Running
})

// A command is an effect too, and what that answers is a process.
const isStandard = (command: object): command is ChildProcess.StandardCommand =>
  ChildProcess.isCommand(command) && ChildProcess.isStandardCommand(command)

// It has been free when it was assigned. Somebody who has it by now would be taken for our process.
const checkPort = Effect.fnUntraced(function*({ number }: Port) {
  const { isFree } = yield* Ports
  if (!(yield* isFree(number))) return yield* new PortTaken({ port: number })
})

type About = Pick<Process, "path" | "incarnation" | "mark" | "log" | "port">

// Nobody may come between the start and what is to be done at its end. The scope closes in reverse order: what the process
// says last is read to its end.
const begin = (prepared: Prepared, about: About, outputs: Outputs, options: Options<any, never>) =>
  Effect.uninterruptible(Effect.gen(function*() {
    const handle = yield* spawnApart(prepared)
    const { isOurs, process } = yield* describe(handle, prepared, about)
    const guard = yield* ProcessGuard
    const { command, identity, mark, path } = process
    yield* guard.register({ identity, mark, path, command })
    const readers: ReadonlyArray<Fiber.Fiber<void>> = yield* outputs.read(handle, process)
    yield* Effect.addFinalizer(() =>
      Effect.andThen(stop({ handle, process, isOurs, readers }, options), guard.release(identity))
    )
    return { process, ended: endOf(handle, process, options.successCodes ?? [0]) }
  }))

// The spawner clears up after what is gone already, and waits even for those that nobody reaps: it does so in the background.
const spawnApart = Effect.fnUntraced(function*(prepared: Prepared) {
  const scope = Scope.makeUnsafe()
  yield* Effect.addFinalizer(() => Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true }))
  const handle = yield* Scope.provide(spawn(prepared), scope)
  // It would send signals to the group's number, whosever that is by then.
  yield* Scope.addFinalizer(scope, Effect.ignore(handle.unref))
  return handle
})

/** One that cannot be seen, or is not ours, is another by now: we are its parent, and have not been told of its end. */
const describe = Effect.fnUntraced(function*(handle: ChildProcessHandle, { text }: Prepared, about: About) {
  const { pid, stdin } = handle
  const found = platform?.find(pid)
  const isOurs = found?.parent === globalThis.process.pid
  const identity = { pid, startTime: isOurs ? found.startTime : ended }
  const process: Process = {
    ...about,
    pid,
    identity,
    command: text,
    startedAtMillis: yield* Clock.currentTimeMillis,
    stdin,
    signal: (name) => isOurs ? Effect.sync(() => signal(identity, name)) : signalByHandle(handle, name)
  }
  return { process, isOurs }
})

// The spawner waits until the process has ended, of whatever it is sent.
const signalByHandle = Effect.fnUntraced(function*(handle: ChildProcessHandle, killSignal: NodeJS.Signals) {
  const isRunning = yield* Effect.orElseSucceed(handle.isRunning, () => false)
  if (isRunning) yield* Effect.forkDetach(Effect.ignore(handle.kill({ killSignal })), { startImmediately: true })
  return isRunning
})

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
