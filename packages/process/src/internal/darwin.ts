import { spawnSync } from "node:child_process"
import { basename } from "node:path"
import { markerName } from "./marker.ts"
import type { Entry } from "./table.ts"

const columns = "pid=,ppid=,pgid=,state=,lstart=,comm="
const wordsOfTime = 5

const ps = (...args: ReadonlyArray<string>): ReadonlyArray<string> =>
  spawnSync("/bin/ps", args, { encoding: "utf8", env: { LC_ALL: "C" } }).stdout.split("\n").filter((line) =>
    line !== ""
  )

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

/** Reads a line of `ps -axEwwo pid=,command=`, which shows the environment behind the command. */
export const isMarked = (line: string, texts: ReadonlyArray<string>): boolean =>
  line.split(/\s+/).some((word) => word.startsWith(`${markerName}=`) && texts.some((text) => word.includes(text)))

export const marked = (
  texts: ReadonlyArray<string>,
  among?: ReadonlyArray<number>
): ReadonlyArray<number> =>
  ps(among === undefined ? "-axEwwo" : "-Ewwo", "pid=,command=", ...(among === undefined ? [] : ["-p", among.join()]))
    .filter((line) => isMarked(line, texts)).map((line) => Number.parseInt(line, 10))

/** Whether one was started in an earlier second than the other. */
export const isBefore = (startTime: string, other: string): boolean => Date.parse(startTime) < Date.parse(other)
