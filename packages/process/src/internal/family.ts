import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { KillMode, StopStep } from "../KillTree.ts"
import * as ProcessIdentity from "../ProcessIdentity.ts"
import * as ProcessTable from "../ProcessTable.ts"
import { monotonicMillis } from "./monotonic.ts"
import { bearing, familyOf, platform } from "./table.ts"

/** How often those who are to end are looked at: at first every so many milliseconds, and then more rarely. */
const shortestPause = 5
const longestPause = 100

/** A process that becomes another program has no environment meanwhile: how long that may last, in milliseconds. */
const longestBlank = 20
const pauseWhenBlank = 2

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
  private readonly since: string | undefined
  /** Those that have cleared their environment. */
  private readonly blank = new Set<string>()

  /** `since`: nobody who is older bears a mark, and so the environments of nearly all need not be read. */
  constructor(
    leaders: ReadonlyArray<ProcessIdentity.ProcessIdentity>,
    marks: ReadonlyArray<string>,
    since?: string
  ) {
    this.since = since
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
    const marked = new Set(yield* this.marked(table))
    const members = familyOf(
      table,
      (pid) => this.leaders.has(pid),
      (entry) => this.isKnown(entry) || marked.has(entry.pid)
    )
    for (const entry of members) this.known.add(nameOf(entry))
    this.living = members.filter(({ zombie }) => !zombie)
  })

  private readonly marked = Effect.fnUntraced(function*(this: Family, table: ReadonlyArray<ProcessTable.Entry>) {
    const { marks: texts, since } = this
    if (platform === undefined || texts.length === 0) return []
    const { isBefore, marks } = platform
    if (since === undefined) return bearing(marks(), texts)
    const candidates = table.filter((entry) => !entry.zombie && !isBefore(entry.startTime, since) && !isOfKernel(entry))
    const found = new Map(marks(candidates.map(({ pid }) => pid)))
    const isBlank = (entry: ProcessTable.Entry) => found.get(entry.pid) === "" && !this.blank.has(nameOf(entry))
    // One that is just becoming another program has its mark again in a moment.
    for (let time = 0; time < longestBlank && candidates.some(isBlank); time += pauseWhenBlank) {
      yield* Effect.sleep(pauseWhenBlank)
      const blank = candidates.filter(isBlank).map(({ pid }) => pid)
      const again = marks(blank)
      for (const pid of blank) found.delete(pid)
      for (const [pid, mark] of again) found.set(pid, mark)
    }
    for (const entry of candidates.filter(isBlank)) this.blank.add(nameOf(entry))
    return bearing(found, texts)
  })

  /** Ends them, and says who had to be killed, and who is there all the same. */
  readonly end = Effect.fnUntraced(function*(this: Family, steps: ReadonlyArray<StopStep>, mode: KillMode) {
    yield* this.look
    if (this.living.length === 0) return { killed: [], left: [] }
    for (const [signal, wait] of steps) {
      const asked = new Set<string>()
      if (yield* this.isGone(wait, () => this.ask(signal, mode, asked))) return { killed: [], left: [] }
    }
    const killed = this.living
    yield* this.isGone(patienceWithKernel, () => this.kill())
    return { killed, left: this.living }
  })

  /**
   * Sends a signal to those who have not been sent it: as the mode says, as long as a leader lives. What comes later it has
   * started to clear up, say. When it has gone nobody else will end those who are left.
   */
  private ask(signal: NodeJS.Signals, mode: KillMode, asked: Set<string>): void {
    const isLed = this.living.some(({ pid }) => this.leaders.has(pid))
    if (isLed && asked.size > 0) return
    for (const entry of this.living) {
      const name = nameOf(entry)
      if (asked.has(name)) continue
      if (isLed && mode === "leader" && !this.leaders.has(entry.pid)) continue
      if (isLed && mode === "group" && !this.leaders.has(entry.group) && !this.leaders.has(entry.pid)) continue
      asked.add(name)
      ProcessIdentity.signal(entry, signal)
      // One that is stopped would not hear it.
      ProcessIdentity.signal(entry, "SIGCONT")
    }
  }

  private kill(): void {
    for (const entry of this.living) ProcessIdentity.signal(entry, "SIGKILL")
  }

  /** Waits until nobody is left, no longer than that. Before each look something is done. */
  private readonly isGone = Effect.fnUntraced(
    function*(this: Family, wait: Duration.Input, again: () => void) {
      const end = (yield* monotonicMillis) + Duration.toMillis(Duration.fromInputUnsafe(wait))
      for (let pause = shortestPause;; pause = Math.min(pause * 2, longestPause)) {
        again()
        yield* this.look
        if (this.living.length === 0) return true
        const left = end - (yield* monotonicMillis)
        if (left <= 0) return false
        yield* Effect.sleep(Math.min(pause, left))
      }
    }
  )

  private isKnown(entry: ProcessTable.Entry): boolean {
    return this.known.has(nameOf(entry)) || this.pids.has(entry.pid)
  }
}

const nameOf = ({ pid, startTime }: ProcessTable.Entry): string => `${pid} ${startTime}`

/** Linux shows the threads of its kernel as children of the second process. They have no environment. */
const isOfKernel = ({ parent, pid }: ProcessTable.Entry): boolean =>
  process.platform === "linux" && (pid === 2 || parent === 2)
