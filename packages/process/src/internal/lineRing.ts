import type { Line } from "../ProcessLog.ts"

/**
 * The last lines. Each has a number, which counts from zero and is never given twice: so any number of readers can read from
 * one ring, each knows where it is, and one that is overtaken how many lines it has lost.
 */
export class LineRing {
  /** The number of the oldest line that is kept. */
  first = 0
  /** The number the next line gets. */
  next = 0
  readonly maxLines: number
  private readonly lines: Array<Line | undefined> = []
  private readonly maxCharacters: number
  private characters = 0

  constructor(maxLines: number, maxCharacters: number) {
    this.maxLines = maxLines
    this.maxCharacters = maxCharacters
  }

  push(line: Line): void {
    if (this.next - this.first === this.maxLines) this.drop()
    this.lines[this.next % this.maxLines] = line
    this.next++
    this.characters += line.text.length
    // The last line is kept however long it is.
    while (this.characters > this.maxCharacters && this.next - this.first > 1) this.drop()
  }

  /** The lines from that number on, as far as they are kept. */
  from(number: number): Array<Line> {
    const found: Array<Line> = []
    for (let at = Math.max(number, this.first); at < this.next; at++) found.push(this.lines[at % this.maxLines]!)
    return found
  }

  private drop(): void {
    const at = this.first % this.maxLines
    this.characters -= this.lines[at]!.text.length
    this.lines[at] = undefined
    this.first++
  }
}
