/**
 * The guard: a small program of its own that holds one end of a pipe. When the other end closes, the program that held it is
 * gone, in whatever way, and what it has started is ended.
 *
 * Its arguments are the mark of the program and whom else to end, as `PID START-TIME`: it knows them from its first moment. Its
 * input says, a line each, who is one of them now: `+ PID START-TIME`, who is no more: `- PID START-TIME`, and that all is in
 * order: `bye`. It imports nothing that is not small.
 */
import { signal } from "./identity.ts"
import { bearing, type Entry, familyOf, platform } from "./table.ts"

/** How long they have to end when they are asked, before they are killed. */
const grace = 1000
/** How often it is looked for more of them. Who is just being started may not bear its mark yet. */
const pause = 100

const mark = process.argv[2] ?? ""
const registered = new Set<string>()
/** The pids of those that were registered: they lead the groups of what they start. */
const leaders = new Set<number>()

const nameOf = ({ pid, startTime }: Entry): string => `${pid} ${startTime}`

const living = (): ReadonlyArray<Entry> => {
  if (platform === undefined) return []
  // In this order: whoever has the pid of one in the table by now is not taken for it.
  const table = platform.all()
  const marked = new Set(bearing(platform.marks(), [mark]))
  const isOurs = (entry: Entry) => marked.has(entry.pid) || registered.has(nameOf(entry))
  return familyOf(table, (pid) => leaders.has(pid), isOurs).filter(({ zombie }) => !zombie)
}

const asked = new Set<string>()

// A second request might be understood as impatience.
const end = (entry: Entry, sinceMillis: number): void => {
  const name = nameOf(entry)
  // Whoever loses its parents is known all the same.
  registered.add(name)
  if (sinceMillis >= grace) signal(entry, "SIGKILL")
  else if (!asked.has(name)) {
    asked.add(name)
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

const register = (name: string): void => {
  registered.add(name)
  leaders.add(Number.parseInt(name, 10))
}

const obey = (line: string): void => {
  if (line === "bye") process.exit(0)
  const name = line.slice(2)
  if (line.startsWith("+")) return register(name)
  registered.delete(name)
  leaders.delete(Number.parseInt(name, 10))
}

for (const name of process.argv.slice(3)) register(name)

// Whoever ends everybody does not end the one who is to look that they have ended.
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => {})

let unfinished = ""
process.stdin.setEncoding("utf8")
process.stdin.on("data", (text: string) => {
  const lines = `${unfinished}${text}`.split("\n")
  // What is torn when the program is killed names nobody, or the wrong one.
  unfinished = lines.pop() ?? ""
  for (const line of lines) obey(line)
})
process.stdin.on("error", () => {}) // the same as its end
process.stdin.on("close", () => endAll(performance.now(), false))
