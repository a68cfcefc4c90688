/**
 * Counts crashes and restarts by child, from the events. The tree counts them too, but a supervisor that is restarted
 * starts counting anew.
 */
import { ExitReason, type SupervisorEvent } from "coppice"

interface Entry {
  crashes: number
  starts: number
}

export class Tally {
  private readonly entries = new Map<string, Entry>()

  record(event: SupervisorEvent.SupervisorEvent): void {
    if (event._tag === "ChildStarted") this.entry(event.path).starts++
    if (event._tag === "ChildStartFailed") this.entry(event.path).crashes++
    if (event._tag === "ChildExited" && !ExitReason.isClean(event.reason)) this.entry(event.path).crashes++
  }

  /** Renders the counts as a table, a child a line. */
  format(): string {
    const rows = Array.from(
      this.entries,
      ([path, { crashes, starts }]) => [path, String(crashes), String(Math.max(starts - 1, 0))] as const
    ).toSorted(([a], [b]) => a < b ? -1 : 1)
    const width = Math.max(...rows.map(([path]) => path.length), 5)
    return [["child", "crashes", "restarts"] as const, ...rows]
      .map(([path, crashes, restarts]) => `${path.padEnd(width)}  ${crashes.padStart(7)}  ${restarts.padStart(8)}`)
      .join("\n")
  }

  private entry(path: string): Entry {
    const found = this.entries.get(path) ?? { crashes: 0, starts: 0 }
    this.entries.set(path, found)
    return found
  }
}
