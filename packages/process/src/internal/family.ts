import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { KillMode } from "../KillTree.ts"
import * as ProcessIdentity from "../ProcessIdentity.ts"
import * as ProcessTable from "../ProcessTable.ts"

/** How often those who are to end are looked at: at first every so many milliseconds, and then more rarely. */
const shortestPause = 5
const longestPause = 100

/** A process and all that belong to it, as far as they have been seen. */
export class Family {
  /** Those that live, as of the last look. */
  living: ReadonlyArray<ProcessTable.Entry> = []
  private readonly leader: ProcessIdentity.ProcessIdentity
  private readonly mark: string | undefined
  private readonly known = new Map<number, string>()

  constructor(leader: ProcessIdentity.ProcessIdentity, mark: string | undefined) {
    this.leader = leader
    this.mark = mark
    if (leader.startTime !== undefined) this.known.set(leader.pid, leader.startTime)
  }

  /** Looks who belongs to it now. */
  readonly look = Effect.gen({ self: this }, function*() {
    const table = yield* ProcessTable.all
    const marked = new Set(this.mark === undefined ? [] : yield* ProcessTable.marked(this.mark))
    const members = ProcessTable.family(table, this.leader.pid, (entry) => this.isKnown(entry) || marked.has(entry.pid))
    for (const { pid, startTime } of members) this.known.set(pid, startTime)
    this.living = members.filter(({ zombie }) => !zombie)
  })

  /** Sends a signal; one that is stopped is made to go on, or it would not hear it. */
  signal(signal: NodeJS.Signals, mode: KillMode): void {
    for (const entry of this.living) {
      if (mode === "leader" && entry.pid !== this.leader.pid) continue
      if (mode === "group" && entry.group !== this.leader.pid) continue
      ProcessIdentity.signal(entry, signal)
      if (signal !== "SIGKILL") ProcessIdentity.signal(entry, "SIGCONT")
    }
  }

  /** Waits until nobody is left, no longer than that. Before each look something may be done. */
  readonly isGone = Effect.fnUntraced(function*(this: Family, wait: Duration.Input, again: () => void = () => {}) {
    const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.fromInputUnsafe(wait))
    for (let pause = shortestPause;; pause = Math.min(pause * 2, longestPause)) {
      again()
      yield* this.look
      if (this.living.length === 0) return true
      const left = end - (yield* Clock.currentTimeMillis)
      if (left <= 0) return false
      yield* Effect.sleep(Math.min(pause, left))
    }
  })

  private isKnown({ pid, startTime }: ProcessTable.Entry): boolean {
    return pid === this.leader.pid && this.leader.startTime === undefined || this.known.get(pid) === startTime
  }
}
