import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { KillMode, StopStep } from "../KillTree.ts"
import * as ProcessIdentity from "../ProcessIdentity.ts"
import * as ProcessTable from "../ProcessTable.ts"
import { familyOf } from "./table.ts"

/** How often those who are to end are looked at: at first every so many milliseconds, and then more rarely. */
const shortestPause = 5
const longestPause = 100

/** How long the kernel has to take away what was killed. */
const patienceWithKernel = Duration.seconds(2)

/** Processes and all that belong to them, as far as they have been seen. */
export class Family {
  /** Those that live, as of the last look. */
  living: ReadonlyArray<ProcessTable.Entry> = []
  private readonly leaders: ReadonlySet<number>
  private readonly marks: ReadonlyArray<string>
  /** Of whom is known who they are, and of whom the pid has to do. */
  private readonly known = new Set<string>()
  private readonly pids = new Set<number>()

  constructor(leaders: ReadonlyArray<ProcessIdentity.ProcessIdentity>, marks: ReadonlyArray<string>) {
    this.leaders = new Set(leaders.map(({ pid }) => pid))
    this.marks = marks
    for (const { pid, startTime } of leaders) {
      if (startTime === undefined) this.pids.add(pid)
      else this.known.add(`${pid} ${startTime}`)
    }
  }

  /** Looks who belongs to them now. */
  readonly look = Effect.gen({ self: this }, function*() {
    const table = yield* ProcessTable.all
    // After the table: whoever has the pid of one in it by now is not taken for it.
    const marked = new Set(this.marks.length === 0 ? [] : yield* ProcessTable.marked(...this.marks))
    const members = familyOf(
      table,
      (pid) => this.leaders.has(pid),
      (entry) => this.isKnown(entry) || marked.has(entry.pid)
    )
    for (const { pid, startTime } of members) this.known.add(`${pid} ${startTime}`)
    this.living = members.filter(({ zombie }) => !zombie)
  })

  /** Ends them, and says who had to be killed, and who is there all the same. */
  readonly end = Effect.fnUntraced(function*(this: Family, steps: ReadonlyArray<StopStep>, mode: KillMode) {
    yield* this.look
    for (const [signal, wait] of steps) {
      this.signal(signal, mode)
      if (yield* this.isGone(wait)) return { killed: [], left: [] }
    }
    const killed = this.living
    yield* this.isGone(patienceWithKernel, () => this.signal("SIGKILL", "tree"))
    return { killed, left: this.living }
  })

  /** Sends a signal; one that is stopped is made to go on, or it would not hear it. */
  private signal(signal: NodeJS.Signals, mode: KillMode): void {
    for (const entry of this.living) {
      if (mode === "leader" && !this.leaders.has(entry.pid)) continue
      if (mode === "group" && !this.leaders.has(entry.group)) continue
      ProcessIdentity.signal(entry, signal)
      if (signal !== "SIGKILL") ProcessIdentity.signal(entry, "SIGCONT")
    }
  }

  /** Waits until nobody is left, no longer than that. Before each look something may be done. */
  private readonly isGone = Effect.fnUntraced(
    function*(this: Family, wait: Duration.Input, again: () => void = () => {}) {
      const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.fromInputUnsafe(wait))
      for (let pause = shortestPause;; pause = Math.min(pause * 2, longestPause)) {
        again()
        yield* this.look
        if (this.living.length === 0) return true
        const left = end - (yield* Clock.currentTimeMillis)
        if (left <= 0) return false
        yield* Effect.sleep(Math.min(pause, left))
      }
    }
  )

  private isKnown({ pid, startTime }: ProcessTable.Entry): boolean {
    return this.known.has(`${pid} ${startTime}`) || this.pids.has(pid)
  }
}
