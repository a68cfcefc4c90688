import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Process } from "../ProcessChild.ts"
import { outputsOf, type Prepared } from "./command.ts"

const newline = 10

/** All that a process writes to, which is read to the end, and who wants to know of it. */
export class Outputs {
  private readonly prepared: Prepared
  private readonly lineListeners: Array<(text: string) => void> = []
  private readonly notifyListeners = new Map<number, Array<() => void>>()

  constructor(prepared: Prepared) {
    this.prepared = prepared
  }

  /** To be called with each line, as it was written: with its secrets. */
  readonly onLine = (listener: (text: string) => void): void => {
    this.lineListeners.push(listener)
  }

  /** To be called when a line is written to a descriptor, which the process is given for that. */
  readonly onNotify = (fd: number, listener: () => void): void => {
    if (fd <= 2) throw new RangeError(`descriptor ${fd} is taken: a process notifies by one from 3`)
    this.notifyListeners.set(fd, [...this.notifyListeners.get(fd) ?? [], listener])
  }

  /** The descriptors that somebody listens to. */
  get fds(): ReadonlyArray<number> {
    return Array.from(this.notifyListeners.keys())
  }

  /** Reads for as long as there is something to read: whoever holds the other end may outlive the process. */
  read(
    handle: ChildProcessHandle,
    process: Process
  ): Effect.Effect<ReadonlyArray<Fiber.Fiber<void>>, never, Scope.Scope> {
    const { incarnation, log, path } = process
    const { command, secrets } = this.prepared
    const streams = (["stdout", "stderr"] as const).map((name) => {
      const listen = (text: string) => this.lineListeners.forEach((listener) => listener(text))
      return log.drain(handle[name], name, incarnation, { redact: secrets, listen }).pipe(
        Effect.catch(({ message }) => Effect.logWarning(`${path}: ${name} cannot be read any more: ${message}`))
      )
    })
    const fds = new Set([...outputsOf(command), ...this.fds])
    const others = Array.from(fds, (fd) => {
      const listeners = this.notifyListeners.get(fd) ?? []
      return handle.getOutputFd(fd).pipe(
        Stream.runForEach((bytes) =>
          Effect.sync(() => {
            if (bytes.includes(newline)) listeners.forEach((listener) => listener())
          })
        ),
        Effect.catch(({ message }) =>
          Effect.logWarning(`${path}: descriptor ${fd} cannot be read any more: ${message}`)
        )
      )
    })
    return Effect.forEach([...streams, ...others], Effect.forkScoped({ startImmediately: true }))
  }
}
