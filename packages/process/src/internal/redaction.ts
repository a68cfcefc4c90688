const replacement = "<redacted>"

/** A shorter beginning of a secret tells nothing, and many a line would end with it. */
const shortestBeginning = 4

/** A shorter line of a secret of several lines, such as a bracket, is no secret. */
const shortestPart = 8

type Span = readonly [start: number, end: number]

/** Makes what takes secrets out of a line. `isCut`: the line may end in the middle of one. */
export type Redact = (text: string, isCut: boolean) => string

export const redaction = (values: ReadonlyArray<string>): Redact => {
  const secrets = values.flatMap(linesOf)
  return (text, isCut) => {
    const spans = secrets.flatMap((secret) => [...occurrences(text, secret), ...(isCut ? beginning(text, secret) : [])])
    return spans.length === 0 ? text : without(text, spans)
  }
}

// As only whole lines are searched, a secret of several lines is several.
const linesOf = (value: string): ReadonlyArray<string> => {
  const lines = value.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "")
  if (lines.length === 0) return []
  return lines.length === 1 ? [value.trim()] : lines.filter(({ length }) => length >= shortestPart)
}

const occurrences = (text: string, secret: string): ReadonlyArray<Span> => {
  const found: Array<Span> = []
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) found.push([at, at + secret.length])
  return found
}

const beginning = (text: string, secret: string): ReadonlyArray<Span> => {
  for (let length = Math.min(secret.length - 1, text.length); length >= shortestBeginning; length--) {
    if (text.endsWith(secret.slice(0, length))) return [[text.length - length, text.length]]
  }
  return []
}

const without = (text: string, spans: ReadonlyArray<Span>): string => {
  let result = ""
  let done = 0
  for (const [start, end] of spans.toSorted(([a], [b]) => a - b)) {
    // One that begins within the one before, or right after it, is one with it.
    if (start > done || done === 0) result += text.slice(done, start) + replacement
    done = Math.max(done, end)
  }
  return result + text.slice(done)
}
