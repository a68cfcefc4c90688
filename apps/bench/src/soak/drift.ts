/** What was found at a quiet moment: every child runs, and nothing is under way. */
export interface Sample {
  readonly seconds: number
  readonly restarts: number
  /** The bytes in use after a collection. */
  readonly heap: number
  /** What keeps the process alive: timers, sockets and so on. */
  readonly handles: number
  /** The listeners of the process itself. */
  readonly listeners: number
}

/** How much the heap may grow: what V8 adds for code and caches in a long run. */
const allowed = { share: 0.05, bytes: 2 * 1024 * 1024 }

/**
 * Compares the last third of the samples with the first, the first sixth being left out as warm-up: the median of the
 * heap, and the least of all else, as a timer may be about to end when it is looked at. Answers what has grown.
 */
export const drift = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> => {
  const warm = samples.slice(Math.ceil(samples.length / 6))
  const third = Math.floor(warm.length / 3)
  if (third === 0) return [`${samples.length} samples are too few to tell`]
  const first = warm.slice(0, third)
  const last = warm.slice(-third)
  const found: Array<string> = []
  const [before, after] = [first, last].map((part) => medianOf(part.map(({ heap }) => heap)))
  if (after! > before! * (1 + allowed.share) + allowed.bytes) {
    found.push(`the heap has grown from ${megabytes(before!)} to ${megabytes(after!)}`)
  }
  for (const what of ["handles", "listeners"] as const) {
    const [before, after] = [first, last].map((part) => Math.min(...part.map((sample) => sample[what])))
    if (after! > before!) found.push(`there are ${after} ${what}, and were ${before}`)
  }
  return found
}

const medianOf = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

export const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
