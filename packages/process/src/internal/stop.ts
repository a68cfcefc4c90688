import { Child } from "coppice"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import { defaultSteps, killTree, type StopStep } from "../KillTree.ts"
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

/** Ends a process with all that it has started, and reads what it has said last. */
export const stop = Effect.fnUntraced(function*(stopping: Stopping, options: Options) {
  const { handle, isOurs, process, readers } = stopping
  const steps = (yield* Child.isKilled) ? [] : options.stop ?? defaultSteps
  if (!isOurs) yield* endByHandle(handle, steps)
  yield* endTree(process, steps, options)
  yield* Effect.timeoutOption(Effect.ignore(handle.exitCode), patienceWithPipes)
  yield* Effect.timeoutOption(Fiber.awaitAll(readers), patienceWithPipes)
})

// What cannot even be killed is waited for, until the supervisor has waited long enough.
const endTree = (
  process: Process,
  steps: ReadonlyArray<StopStep>,
  options: Options
): Effect.Effect<void> =>
  killTree(process.identity, { mark: process.mark, mode: options.killMode, steps }).pipe(
    Effect.flatMap(({ killed }) => {
      if (killed.length === 0 || steps.length === 0) return Effect.void
      const who = killed.map(({ name, pid }) => `${pid} (${name})`).join(", ")
      return Effect.logWarning(`${process.path}: did not end when it was asked to, and was killed: ${who}`)
    }),
    Effect.catchTags({
      StillAlive: ({ message }) =>
        Effect.andThen(Effect.logError(`${process.path}: ${message}`), endTree(process, [], options)),
      UnsupportedPlatform: Effect.die
    })
  )

// Of a make-believe process there is nothing to be seen: it is asked by the one who has made it.
const endByHandle = Effect.fnUntraced(function*(handle: ChildProcessHandle, steps: ReadonlyArray<StopStep>) {
  for (const [killSignal, wait] of [...steps, ["SIGKILL", patienceWithPipes] as const]) {
    if (!(yield* Effect.orElseSucceed(handle.isRunning, () => false))) return
    yield* Effect.forkDetach(Effect.ignore(handle.kill({ killSignal })), { startImmediately: true })
    yield* Effect.timeoutOption(Effect.ignore(handle.exitCode), wait)
  }
})
