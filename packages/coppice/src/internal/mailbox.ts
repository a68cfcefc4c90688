import * as Effect from "effect/Effect"

/**
 * A supervisor's queue: one reader, its loop, and any number of writers. Plain arrays and a wake-up, because a message
 * is posted on every restart.
 */
export class Mailbox<Message> {
  private messages: Array<Message | undefined> = []
  private head = 0
  private wakeUp: (() => void) | undefined = undefined
  private poked = false
  private urgent: Message | undefined = undefined

  /** How many messages wait. */
  get length(): number {
    return this.messages.length - this.head
  }

  post(message: Message): void {
    this.messages.push(message)
    this.wake()
  }

  /** Wakes the reader without a message; if it is not asleep, it will not fall asleep next time. */
  wake(): void {
    const wakeUp = this.wakeUp
    if (wakeUp === undefined) {
      this.poked = true
      return
    }
    this.wakeUp = undefined
    wakeUp()
  }

  /**
   * Does something in the reader's place, if the reader sleeps: nothing has come before it, and what is posted meanwhile waits
   * until it is done. Answers whether it has been done. What it answers itself is the message to go on with.
   */
  inPlace(act: () => Message | undefined): boolean {
    const wakeUp = this.wakeUp
    if (wakeUp === undefined) return false
    this.wakeUp = undefined
    this.urgent = act()
    this.wakeUp = wakeUp
    if (this.poked || this.urgent !== undefined || this.length > 0) {
      this.poked = false
      this.wake()
    }
    return true
  }

  /** The next message, if there is one. */
  take(): Message | undefined {
    if (this.urgent !== undefined) {
      const message = this.urgent
      this.urgent = undefined
      return message
    }
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

  /**
   * Waits to be woken. Between a `take` that found nothing and this the reader may have been made to yield, so that it may
   * have been woken already.
   */
  readonly woken: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.poked || this.urgent !== undefined || this.head < this.messages.length) {
      this.poked = false
      return resume(Effect.void)
    }
    this.wakeUp = () => resume(Effect.void)
  })
}
