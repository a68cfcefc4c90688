import { spawnSync } from "node:child_process"
import { basename } from "node:path"
import { markerName } from "./marker.ts"
import type { Entry } from "./table.ts"

const columns = "pid=,ppid=,pgid=,state=,lstart=,comm="
const wordsOfTime = 5

/** The environments of all processes may be large. */
const maxBuffer = 256 * 1024 * 1024

// In one language and one time zone: a start time has to be the same text for everybody.
const ps = (...args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { error, stdout } = spawnSync("/bin/ps", args, { encoding: "utf8", env: { LC_ALL: "C", TZ: "UTC" }, maxBuffer })
  if (error !== undefined) throw error
  return stdout.split("\n").filter((line) => line !== "")
}

/**
 * Reads a line of `ps -o pid=,ppid=,pgid=,state=,lstart=,comm=`. It tells of no session but by the group, and its command is a
 * whole path.
 */
export const parseLine = (line: string): Entry | undefined => {
  const [pid, parent, group, state, ...words] = line.trim().split(/\s+/)
  if (pid === undefined || state === undefined || words.length < wordsOfTime) return undefined
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: Number(group),
    startTime: words.slice(0, wordsOfTime).join(" "),
    zombie: state.startsWith("Z"),
    name: basename(words.slice(wordsOfTime).join(" "))
  }
}

export const all = (): ReadonlyArray<Entry> =>
  ps("-axwwo", columns).map(parseLine).filter((entry) => entry !== undefined)

export const find = (pid: number): Entry | undefined =>
  ps("-wwo", columns, "-p", String(pid)).map(parseLine).find((entry) => entry !== undefined)

/** Reads the mark in a line of `ps -axEwwo pid=,command=`, which shows the environment behind the command. */
export const markIn = (line: string): string | undefined =>
  line.split(/\s+/).find((word) => word.startsWith(`${markerName}=`))?.slice(markerName.length + 1)

export const marks = (among?: ReadonlyArray<number>): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  const whom = among === undefined ? ["-axEwwo", "pid=,command="] : ["-Ewwo", "pid=,command=", "-p", among.join()]
  for (const line of among?.length === 0 ? [] : ps(...whom)) {
    const mark = markIn(line)
    if (mark !== undefined) found.set(Number.parseInt(line, 10), mark)
  }
  return found
}

/** Whether one was started in an earlier second than the other. */
export const isBefore = (startTime: string, other: string): boolean => Date.parse(startTime) < Date.parse(other)
