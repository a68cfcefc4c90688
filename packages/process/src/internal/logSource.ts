import type { Line, StreamName } from "../ProcessLog.ts"
import { LineSplitter } from "./lineSplitter.ts"
import type { Redact } from "./redaction.ts"

/** What the lines of one log have in common. */
export interface Settings {
  readonly path: string
  readonly maxLineBytes: number
}

/** What is known of one stream. */
export interface About {
  readonly stream: StreamName
  readonly incarnation: number
  readonly redact: Redact
  readonly listen: ((text: string) => void) | undefined
}

/** One stream of one incarnation. Each has a splitter of its own: the one before may still be open when the next begins. */
export class LogSource {
  private readonly settings: Settings
  private readonly about: About
  private readonly splitter: LineSplitter
  private timeMillis = 0
  private isEnding = false

  constructor(settings: Settings, about: About, record: (line: Line) => void) {
    this.settings = settings
    this.about = about
    this.splitter = new LineSplitter(settings.maxLineBytes, (text, omittedBytes) => {
      about.listen?.(text)
      record(this.line(text, omittedBytes, this.isEnding))
    })
  }

  hear(chunk: Uint8Array, timeMillis: number): void {
    this.timeMillis = timeMillis
    this.splitter.push(chunk)
  }

  /** No more comes: what has been heard of a line is a line. */
  end(): void {
    this.isEnding = true
    this.splitter.finish()
  }

  /** The line that has begun and has not ended, if there is one. */
  get unfinished(): Line | undefined {
    let found: Line | undefined
    this.splitter.peek((text, omittedBytes) => {
      found = { ...this.line(text, omittedBytes, true), unfinished: true }
    })
    return found
  }

  private line(text: string, omittedBytes: number, isOpen: boolean): Line {
    const line = {
      _tag: "Line" as const,
      timeMillis: this.timeMillis,
      stream: this.about.stream,
      path: this.settings.path,
      incarnation: this.about.incarnation,
      text: this.about.redact(text, isOpen || omittedBytes > 0)
    }
    return omittedBytes > 0 ? { ...line, omittedBytes } : line
  }
}
