import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { PlatformError } from "effect/PlatformError"
import * as Semaphore from "effect/Semaphore"
import { Backlog, linesIn } from "./backlog.ts"
import type { RotatingFile } from "./rotatingFile.ts"

const pauseAfterFailure = "1 second"

/** How long a disk may stand still until it is no longer waited for. */
const patienceWithDisk = "1 second"

/** How long the end waits for what is still to be written. */
const patienceAtEnd = "5 seconds"

/**
 * Writes lines to a file. While some are written others come to wait, and are written together next: so there is never more
 * than one write for each chunk that was read, and far fewer when there is much to write.
 */
export class LogWriter {
  private readonly file: RotatingFile
  private readonly backlog: Backlog
  private readonly lock = Semaphore.makeUnsafe(1)
  private readonly hasWork = Latch.makeUnsafe(false)
  private readonly hasRoom = Latch.makeUnsafe(true)
  /** What is being written, and how much of it is. */
  private batch: Buffer | undefined = undefined
  private written = 0
  private isFailing = false
  private isStuck = false

  constructor(file: RotatingFile, backlogBytes: number) {
    this.file = file
    this.backlog = new Backlog(backlogBytes)
  }

  push(line: string): void {
    this.backlog.push(line)
    if (this.backlog.isHalfFull && !this.isStuck) this.hasRoom.closeUnsafe()
    this.hasWork.openUnsafe()
  }

  /** Waits until there is room for more: not for ever, and not at all while the disk fails. */
  readonly ready: Effect.Effect<void> = Effect.suspend(() =>
    this.hasRoom.isOpen()
      ? Effect.void
      : Effect.timeoutOrElse(this.hasRoom.await, {
        duration: patienceWithDisk,
        orElse: () => Effect.sync(() => this.letGo())
      })
  )

  /** Writes what waits now. False: that has failed, and what could not be written waits. */
  readonly flush: Effect.Effect<boolean> = Semaphore.withPermit(
    this.lock,
    Effect.suspend(() => this.writeAll).pipe(
      // That a file cannot be closed is a defect.
      Effect.matchCauseEffect({
        onFailure: (cause) => Effect.as(this.onFailure(cause), false),
        onSuccess: () => Effect.as(this.onSuccess, true)
      }),
      // An interrupted write would not say how much it has written.
      Effect.uninterruptible
    )
  )

  /** Writes for ever whatever comes. */
  readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function*() {
    yield* this.hasWork.await
    this.hasWork.closeUnsafe()
    const succeeded = yield* this.flush
    if (succeeded) return
    yield* Effect.sleep(pauseAfterFailure)
    this.hasWork.openUnsafe()
  }).pipe(Effect.forever)

  /** Writes what still waits, if it can, and closes the file. A disk that stands still does not hold the end. */
  readonly close: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    const finishing = yield* Effect.forkDetach(this.finish, { startImmediately: true })
    yield* Effect.timeoutOrElse(Fiber.await(finishing), {
      duration: patienceAtEnd,
      orElse: () => Effect.logWarning(`${this.file.path} stands still, what is not written may be lost`)
    })
  })

  private readonly finish: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    while (yield* this.flush) {
      if (this.backlog.isEmpty) return yield* this.file.close
    }
    const lost = this.backlog.lost + this.backlog.count + linesIn(this.rest)
    yield* Effect.logWarning(`${this.file.path} could not be written, lines lost: ${lost}`)
    yield* this.file.close
  })

  private readonly writeAll: Effect.Effect<void, PlatformError> = Effect.gen({ self: this }, function*() {
    // What comes meanwhile is for the next time, or this would perhaps never end.
    const end = this.backlog.accepted
    while (this.batch !== undefined || this.backlog.taken < end) {
      const isAnother = yield* this.file.open
      if (this.batch === undefined) {
        this.batch = this.backlog.take(yield* this.file.roomFor(this.backlog.nextBytes))
        this.written = 0
      } else if (isAnother) {
        // A line that is in the one file in part is whole in the other.
        this.written = this.batch.subarray(0, this.written).lastIndexOf("\n") + 1
      }
      this.written += yield* this.file.write(this.rest)
      if (this.written === this.batch.length) this.batch = undefined
      this.isStuck = false
      if (!this.backlog.isHalfFull) this.hasRoom.openUnsafe()
    }
  })

  private get rest(): Uint8Array {
    return this.batch === undefined ? new Uint8Array() : this.batch.subarray(this.written)
  }

  /** Nobody waits for this disk any more, until it has written something. */
  private letGo(): void {
    this.isStuck = true
    this.hasRoom.openUnsafe()
  }

  private onFailure(cause: unknown): Effect.Effect<void> {
    this.letGo()
    if (this.isFailing) return Effect.void
    this.isFailing = true
    return Effect.logWarning(`${this.file.path} cannot be written, its lines wait`, cause)
  }

  private readonly onSuccess: Effect.Effect<void> = Effect.suspend(() => {
    const { lost } = this.backlog
    const { path } = this.file
    if (!this.backlog.isEmpty) this.hasWork.openUnsafe()
    if (!this.isFailing) {
      if (lost === 0) return Effect.void
      this.isFailing = true
      return Effect.logWarning(`${path} is not written as fast as lines come, some are lost`)
    }
    if (!this.backlog.isEmpty) return Effect.void
    this.isFailing = false
    this.backlog.lost = 0
    return lost === 0
      ? Effect.logInfo(`${path} is written again, no line was lost`)
      : Effect.logWarning(`${path} is written again, lines lost: ${lost}`)
  })
}
