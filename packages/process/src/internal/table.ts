import * as darwin from "./darwin.ts"
import * as linux from "./linux.ts"

/** A process as the machine shows it. */
export interface Entry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly startTime: string
  readonly zombie: boolean
  readonly name: string
}

/** What reads the processes of a platform. */
interface Platform {
  readonly all: () => ReadonlyArray<Entry>
  readonly find: (pid: number) => Entry | undefined
  /**
   * The marks that processes bear, of all or of some. One that is just becoming another program has no environment for some
   * milliseconds: its mark is an empty text, as that of one that has cleared its environment.
   */
  readonly marks: (among?: ReadonlyArray<number>) => ReadonlyMap<number, string>
  /** Whether one was surely started before the other. */
  readonly isBefore: (startTime: string, other: string) => boolean
}

const platforms: Readonly<Record<string, Platform>> = { linux, darwin }

/** What reads the processes here; undefined where they cannot be read. */
export const platform: Platform | undefined = platforms[process.platform]

/** Those that bear one of these marks. */
export const bearing = (marks: ReadonlyMap<number, string>, texts: ReadonlyArray<string>): ReadonlyArray<number> =>
  Array.from(marks).filter(([, value]) => texts.some((text) => value.includes(text))).map(([pid]) => pid)

/** Those whose line of parents leads to one of these pids, the pids themselves included, each before its children. */
export const descendants = (table: ReadonlyArray<Entry>, pids: Iterable<number>): ReadonlyArray<Entry> => {
  const byPid = new Map(table.map((entry) => [entry.pid, entry]))
  const byParent = new Map<number, Array<Entry>>()
  for (const entry of table) {
    const siblings = byParent.get(entry.parent)
    if (siblings === undefined) byParent.set(entry.parent, [entry])
    else siblings.push(entry)
  }
  const found = new Set<Entry>()
  const queue = Array.from(pids, (pid) => byPid.get(pid)).filter((entry) => entry !== undefined)
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
    if (found.has(entry)) continue
    found.add(entry)
    queue.push(...byParent.get(entry.pid) ?? [])
  }
  return Array.from(found)
}

/**
 * Those who belong to leaders: those that surely do, the members of a leader's group as long as one of these is in it, and
 * the descendants of all of them; but never this process.
 */
export const familyOf = (
  table: ReadonlyArray<Entry>,
  isLeader: (pid: number) => boolean,
  isSurely: (entry: Entry) => boolean
): ReadonlyArray<Entry> => {
  const surely = table.filter(isSurely)
  const groups = new Set(surely.map(({ group }) => group).filter(isLeader))
  const roots = [...surely, ...table.filter(({ group }) => groups.has(group))]
  return descendants(table, roots.map(({ pid }) => pid)).filter(({ pid }) => pid !== process.pid)
}
