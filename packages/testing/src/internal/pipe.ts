import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

/** Bytes on their way out of a process or into it. There is room for everything: no writer waits, and nothing is lost. */
export class Pipe {
  readonly written: Array<Uint8Array> = []
  private readCount = 0
  private holders = 0
  private state: "open" | "ended" | "abandoned" = "open"
  private readonly waiting = new Set<() => void>()

  /** How many bytes nobody has read. */
  get unread(): number {
    return this.written.slice(this.readCount).reduce((sum, chunk) => sum + chunk.length, 0)
  }

  /** Whether a process has its end of it open. */
  get isHeld(): boolean {
    return this.holders > 0
  }

  hold(): void {
    this.holders++
  }

  /** A process closes its end; the last one ends the pipe. */
  release(): void {
    if (--this.holders === 0) this.end()
  }

  write(bytes: Uint8Array): void {
    this.written.push(bytes)
    this.wake()
  }

  end(): void {
    if (this.state === "open") this.state = "ended"
    this.wake()
  }

  /** Its reader goes. If more was to come, nobody can read it any more. */
  abandon(): void {
    if (this.state === "ended" && this.readCount === this.written.length) return
    this.state = "abandoned"
    this.wake()
  }

  /** What has not been read, and what comes. Readers share it: each byte is read once. */
  read<E = never>(ifAbandoned: Pull.Pull<never, E> = Cause.done()): Stream.Stream<Uint8Array, E> {
    const pull = Effect.suspend((): Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, E> => {
      if (this.state === "abandoned") return ifAbandoned
      const [first, ...rest] = this.written.slice(this.readCount)
      this.readCount = this.written.length
      if (first !== undefined) return Effect.succeed([first, ...rest])
      return this.state === "ended" ? Cause.done() : Effect.andThen(this.change, pull)
    })
    return Stream.fromPull(Effect.succeed(pull))
  }

  // Who writes goes on before who reads begins: a writer with no more to say ends its input before its reader ends.
  private readonly change: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const reader = () => resume(Effect.yieldNow)
    this.waiting.add(reader)
    return Effect.sync(() => this.waiting.delete(reader))
  })

  private wake(): void {
    const readers = Array.from(this.waiting)
    this.waiting.clear()
    for (const reader of readers) reader()
  }
}
