import * as Effect from "effect/Effect"

/**
 * A supervisor's queue: one reader, its loop, and any number of writers. Plain arrays and a wake-up, because a message
 * is posted on every restart.
 */
export class Mailbox<Message> {
  private messages: Array<Message | undefined> = []
  private head = 0
  private wakeUp: (() => void) | undefined = undefined

  post(message: Message): void {
    this.messages.push(message)
    this.wake()
  }

  /** Wakes the reader without a message. */
  wake(): void {
    const wakeUp = this.wakeUp
    if (wakeUp === undefined) return
    this.wakeUp = undefined
    wakeUp()
  }

  /** The next message, if there is one. */
  take(): Message | undefined {
    if (this.head === this.messages.length) return undefined
    const message = this.messages[this.head]
    this.messages[this.head++] = undefined
    if (this.head === this.messages.length) {
      this.messages.length = 0
      this.head = 0
    } else if (this.head > 1024 && this.head * 2 > this.messages.length) {
      this.messages = this.messages.slice(this.head)
      this.head = 0
    }
    return message
  }

  /** Waits to be woken. To be awaited only after `take` found nothing, in the same step. */
  readonly woken: Effect.Effect<void> = Effect.callback((resume) => {
    this.wakeUp = () => resume(Effect.void)
  })
}
