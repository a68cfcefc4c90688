/** As much is written at once at most. */
const batchBytes = 1024 * 1024

/** As much memory is kept when nothing waits. */
const idleBytes = 64 * 1024

const newline = 10

/**
 * Lines that wait to be written, up to a bound. What comes beyond it is lost and counted, and a line says so in its place.
 * They wait as bytes, as very many short texts would need much more memory than the bound says.
 */
export class Backlog {
  /** How many lines have been lost since somebody set this to zero. */
  lost = 0
  /** How many bytes have ever come to wait here, and how many have been taken. */
  accepted = 0
  taken = 0
  private readonly maxBytes: number
  private buffer = Buffer.alloc(0)
  private start = 0
  private end = 0
  private gap = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get isEmpty(): boolean {
    return this.start === this.end
  }

  get isHalfFull(): boolean {
    return (this.end - this.start) * 2 > this.maxBytes
  }

  /** How many lines wait. */
  get count(): number {
    return linesIn(this.buffer.subarray(this.start, this.end))
  }

  /** How many bytes the next line has, its newline with it. */
  get nextBytes(): number {
    return this.buffer.indexOf(newline, this.start) + 1 - this.start
  }

  push(line: string): void {
    const size = Buffer.byteLength(line) + 1
    if (this.end - this.start + size > this.maxBytes && !this.isEmpty) {
      this.lost++
      this.gap++
      return
    }
    this.closeGap()
    this.add(line, size)
  }

  /** Takes as many lines as there is room for in bytes, but at least one. */
  take(room: number): Buffer {
    const most = this.start + Math.min(room, batchBytes)
    const last = most > this.start
      ? this.buffer.subarray(this.start, Math.min(most, this.end)).lastIndexOf(newline)
      : -1
    const size = last === -1 ? this.nextBytes : last + 1
    const batch = Buffer.from(this.buffer.subarray(this.start, this.start + size))
    this.start += size
    this.taken += size
    if (this.isEmpty) {
      this.clear()
      this.closeGap()
    }
    return batch
  }

  private closeGap(): void {
    if (this.gap === 0) return
    const note = `(lines lost here, as they could not be written in time: ${this.gap})`
    this.gap = 0
    this.add(note, note.length + 1)
  }

  private add(line: string, size: number): void {
    if (this.end + size > this.buffer.length) this.makeRoom(size)
    this.end += this.buffer.write(line, this.end)
    this.buffer[this.end++] = newline
    this.accepted += size
  }

  private makeRoom(size: number): void {
    const waiting = this.buffer.subarray(this.start, this.end)
    const needed = waiting.length + size
    const target = needed * 2 > this.buffer.length
      ? Buffer.allocUnsafeSlow(Math.max(needed * 2, idleBytes))
      : this.buffer
    target.set(waiting)
    this.buffer = target
    this.start = 0
    this.end = waiting.length
  }

  private clear(): void {
    this.start = 0
    this.end = 0
    if (this.buffer.length > idleBytes) this.buffer = Buffer.alloc(0)
  }
}

/** How many lines end in these bytes. */
export const linesIn = (bytes: Uint8Array): number => {
  let count = 0
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count++
  return count
}
