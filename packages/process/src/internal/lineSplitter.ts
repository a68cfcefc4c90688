const newline = 10
const carriageReturn = 13
const nothing = Buffer.alloc(0)

/**
 * Cuts bytes into lines of text. A line ends with a newline; a carriage return before it, or at the very end, is no part of
 * it. Bytes become text only when their line is whole, so that no character is broken at the end of a chunk; those that are
 * no UTF-8 become U+FFFD. Of a line nothing is kept beyond `maxBytes`.
 */
export class LineSplitter {
  private readonly maxBytes: number
  private readonly emit: (text: string, omittedBytes: number) => void
  /** The beginning of the open line: no more than `maxBytes`, and one more that may be a carriage return. */
  private kept = nothing
  /** How long the open line is, with what is not kept of it. */
  private length = 0
  private last = 0

  constructor(maxBytes: number, emit: (text: string, omittedBytes: number) => void) {
    this.maxBytes = maxBytes
    this.emit = emit
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const first = bytes.indexOf(newline)
    if (first === -1) return this.keep(bytes)
    this.keep(bytes.subarray(0, first))
    this.end()
    const last = bytes.lastIndexOf(newline)
    if (last > first) this.pushLines(bytes.subarray(first + 1, last))
    this.keep(bytes.subarray(last + 1))
  }

  /** Ends the open line, if there is one. */
  finish(): void {
    if (this.length > 0) this.end()
  }

  /** Tells of the open line, if there is one, and leaves it open. */
  peek(tell: (text: string, omittedBytes: number) => void): void {
    if (this.length === 0) return
    const length = this.last === carriageReturn ? this.length - 1 : this.length
    const end = length <= this.maxBytes ? length : this.cut()
    tell(this.kept.toString("utf8", 0, end), length - end)
  }

  // To make one text of many lines and to cut that is several times as fast as to make a text of each.
  private pushLines(lines: Buffer): void {
    if (lines.length > this.maxBytes) return this.pushOneByOne(lines)
    for (const text of lines.toString("utf8").split("\n")) {
      this.emit(text.charCodeAt(text.length - 1) === carriageReturn ? text.slice(0, -1) : text, 0)
    }
  }

  private pushOneByOne(lines: Buffer): void {
    for (let start = 0; start <= lines.length;) {
      const found = lines.indexOf(newline, start)
      const end = found === -1 ? lines.length : found
      this.keep(lines.subarray(start, end))
      this.end()
      start = end + 1
    }
  }

  private keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    const taken = Math.min(bytes.length, this.maxBytes + 1 - this.length)
    if (taken > 0) {
      if (this.kept.length < this.length + taken) this.grow(this.length + taken)
      bytes.copy(this.kept, this.length, 0, taken)
    }
    this.length += bytes.length
    this.last = bytes[bytes.length - 1]!
  }

  private grow(length: number): void {
    const kept = Buffer.allocUnsafeSlow(Math.min(Math.max(length, this.kept.length * 2, 128), this.maxBytes + 1))
    this.kept.copy(kept)
    this.kept = kept
  }

  private end(): void {
    if (this.length === 0) return this.emit("", 0)
    this.peek(this.emit)
    this.length = 0
  }

  /** Where a line that is too long is cut: before the character that would be broken. */
  private cut(): number {
    let end = this.maxBytes
    while (end > 0 && end > this.maxBytes - 3 && isContinuation(this.kept[end]!)) end--
    return isContinuation(this.kept[end]!) ? this.maxBytes : end
  }
}

/** Where so many lines have ended, or all bytes if there are not as many. */
export const endOfLines = (bytes: Uint8Array, count: number): number => {
  if (bytes.length <= count) return bytes.length
  let end = 0
  for (let left = count; left > 0; left--) {
    const found = bytes.indexOf(newline, end)
    if (found === -1) return bytes.length
    end = found + 1
  }
  return end
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80
