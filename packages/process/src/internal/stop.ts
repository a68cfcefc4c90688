import { Child } from "coppice"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import { defaultSteps, type KillMode, killTree, type StopStep } from "../KillTree.ts"
import type { Options, Process } from "../ProcessChild.ts"

/** What there is to stop. */
interface Stopping {
  readonly handle: ChildProcessHandle
  readonly process: Process
  /** Whether it is a process of this machine that we have started, and so can be seen. */
  readonly isOurs: boolean
  /** Who reads what it prints. */
  readonly readers: ReadonlyArray<Fiber.Fiber<void>>
}

/** How long is waited for what is still in the pipes, when nobody is left to write into them. */
const patienceWithPipes = Duration.seconds(1)

/** The steps of a stop, no longer together than they may take. */
export const stepsOf = ({ shutdown, stop = defaultSteps }: Options<any, never>): ReadonlyArray<StopStep> => {
  if (shutdown === undefined || shutdown === "brutal-kill") return stop
  let left = Duration.fromInputUnsafe(shutdown)
  return stop.map(([signal, wait]) => {
    const cut = Duration.min(Duration.fromInputUnsafe(wait), left)
    left = Duration.subtract(left, cut)
    return [signal, cut]
  })
}

/** Ends a process with all that it has started, and reads what it has said last. */
export const stop = Effect.fnUntraced(function*(stopping: Stopping, options: Options<any, never>) {
  const { handle, isOurs, process, readers } = stopping
  const steps = (yield* Child.isKilled) ? [] : stepsOf(options)
  if (!isOurs) yield* endByHandle(handle, steps)
  yield* endTree(process, steps, options.killMode)
  yield* Effect.timeoutOption(Effect.ignore(handle.exitCode), patienceWithPipes)
  yield* Effect.timeoutOption(Fiber.awaitAll(readers), patienceWithPipes)
})

const endTree = ({ identity, mark, path }: Process, steps: ReadonlyArray<StopStep>, mode: KillMode | undefined) =>
  killTree(identity, { mark, mode, steps }).pipe(
    Effect.flatMap(({ killed }) => {
      if (killed.length === 0 || steps.length === 0) return Effect.void
      const who = killed.map(({ name, pid }) => `${pid} (${name})`).join(", ")
      return Effect.logWarning(`${path}: did not end when it was asked to, and was killed: ${who}`)
    }),
    Effect.catchTag(
      "StillAlive",
      ({ message }) => Effect.andThen(Effect.logError(`${path}: ${message}`), killOnAndOn({ identity, mark, path }))
    ),
    Effect.catchTag("UnsupportedPlatform", Effect.die)
  )

// What cannot even be killed is waited for, as long as the supervisor waits.
const killOnAndOn = Effect.fnUntraced(function*({ identity, mark, path }: Pick<Process, "identity" | "mark" | "path">) {
  while (true) {
    const killed = yield* Effect.result(killTree(identity, { mark, steps: [] }))
    if (killed._tag === "Success") return yield* Effect.logInfo(`${path}: has ended at last`)
    if (yield* Child.isAbandoned) {
      return yield* Effect.logError(`${path}: ${killed.failure.message}; it is left to itself`)
    }
  }
})

// Of a make-believe process there is nothing to be seen: it is asked by the one who has made it.
const endByHandle = Effect.fnUntraced(function*(handle: ChildProcessHandle, steps: ReadonlyArray<StopStep>) {
  for (const [killSignal, wait] of [...steps, ["SIGKILL", patienceWithPipes] as const]) {
    if (!(yield* Effect.orElseSucceed(handle.isRunning, () => false))) return
    yield* Effect.forkDetach(Effect.ignore(handle.kill({ killSignal })), { startImmediately: true })
    yield* Effect.timeoutOption(Effect.ignore(handle.exitCode), wait)
  }
})
