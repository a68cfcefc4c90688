/** The work itself: pure, synchronous, and with a bug. */
import { createHash } from "node:crypto"
import type { Result } from "./Job.ts"

/** A text with this word on its first line makes the analysis panic. */
export const poison = "PANIC"

export const analyse = (text: string): Result => {
  const lines = text.split("\n")
  // A real throw out of code that promises none, as bugs are. Nobody catches it: that is the supervisor's business.
  if (lines[0]?.includes(poison)) throw new Error(`the text says ${poison}`)
  return {
    words: text.split(/\s+/).filter((word) => word !== "").length,
    lines: lines.at(-1) === "" ? lines.length - 1 : lines.length,
    digest: createHash("sha256").update(text).digest("hex")
  }
}
