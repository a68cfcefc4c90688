/**
 * The guard: a small program of its own that holds one end of a pipe. When the other end closes, the program that held it is
 * gone, in whatever way, and what it has started is ended.
 *
 * Its argument is the mark of the program. Its input says, a line each, whom else to end: `+ PID START-TIME`, whom no more:
 * `- PID`, and that all is in order: `bye`. It imports nothing that is not small.
 */
import { createInterface } from "node:readline"
import { signal } from "./identity.ts"
import { descendants, type Entry, platform } from "./table.ts"

/** How long they have to end when they are asked, before they are killed. */
const grace = 1000
/** How often it is looked for more of them. Who is just being started may not bear its mark yet. */
const pause = 100

const mark = process.argv[2] ?? ""
const registered = new Map<number, string | undefined>()

const living = (): ReadonlyArray<Entry> => {
  if (platform === undefined) return []
  const table = platform.all()
  const roots = new Set(platform.marked(mark))
  for (const { pid, startTime } of table) {
    if (registered.has(pid) && (registered.get(pid) ?? startTime) === startTime) roots.add(pid)
  }
  return descendants(table, roots).filter(({ pid, zombie }) => pid !== process.pid && !zombie)
}

const asked = new Set<string>()

// A second request might be understood as impatience.
const end = (entry: Entry, sinceMillis: number): void => {
  const identity = `${entry.pid} ${entry.startTime}`
  // Whoever loses its parents is known all the same.
  registered.set(entry.pid, entry.startTime)
  if (sinceMillis >= grace) signal(entry, "SIGKILL")
  else if (!asked.has(identity)) {
    asked.add(identity)
    signal(entry, "SIGTERM")
    signal(entry, "SIGCONT")
  }
}

const endAll = (closedAt: number, wereAllGone: boolean): void => {
  const all = living()
  if (all.length === 0 && wereAllGone) process.exit(0)
  for (const entry of all) end(entry, performance.now() - closedAt)
  // @effect-diagnostics-next-line globalTimers:off - there is no Effect here
  setTimeout(endAll, pause, closedAt, all.length === 0)
}

// Whoever ends everybody does not end the one who is to look that they have ended.
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => {})

const lines = createInterface({ input: process.stdin })
lines.on("line", (line) => {
  if (line === "bye") process.exit(0)
  const [sign, pid, ...startTime] = line.split(" ")
  if (sign === "+") registered.set(Number(pid), startTime.length === 0 ? undefined : startTime.join(" "))
  else registered.delete(Number(pid))
})
lines.on("close", () => endAll(performance.now(), false))
