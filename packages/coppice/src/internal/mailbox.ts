/** What a supervisor has not yet handled, in the order of arrival. Plain arrays, as a message is posted on every restart. */
export class Mailbox<Message> {
  private messages: Array<Message | undefined> = []
  private head = 0

  /** How many messages wait. */
  get length(): number {
    return this.messages.length - this.head
  }

  add(message: Message): void {
    this.messages.push(message)
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
}
