import * as Effect from "effect/Effect"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"

const newline = 10

/** The descriptors that a process may write lines to, and who wants to know of them. */
export class Notified {
  private readonly listeners = new Map<number, Array<() => void>>()

  on(fd: number, listener: () => void): void {
    const listeners = this.listeners.get(fd)
    if (listeners === undefined) this.listeners.set(fd, [listener])
    else listeners.push(listener)
  }

  get fds(): ReadonlyArray<number> {
    return Array.from(this.listeners.keys())
  }

  /** Reads them for as long as the scope is open. One that cannot be read says nothing, and that is seen by the probe. */
  read(handle: ChildProcessHandle) {
    return Effect.forEach(this.listeners, ([fd, listeners]) =>
      handle.getOutputFd(fd).pipe(
        Stream.runForEach((bytes) =>
          Effect.sync(() => {
            if (bytes.includes(newline)) listeners.forEach((listener) => listener())
          })
        ),
        Effect.ignore,
        Effect.forkScoped({ startImmediately: true })
      ), { discard: true })
  }
}
