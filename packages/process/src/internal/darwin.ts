import { spawnSync } from "node:child_process"
import { markerName } from "./marker.ts"
import type { Entry } from "./table.ts"

const columns = "pid=,ppid=,pgid=,state=,lstart="

const ps = (...args: ReadonlyArray<string>): ReadonlyArray<string> =>
  spawnSync("/bin/ps", args, { encoding: "utf8", env: { LC_ALL: "C" } }).stdout.split("\n").filter((line) =>
    line !== ""
  )

/** Reads a line of `ps -o pid=,ppid=,pgid=,state=,lstart=`. It tells of no session but by the group. */
export const parseLine = (line: string): Entry | undefined => {
  const [pid, parent, group, state, ...startTime] = line.trim().split(/\s+/)
  if (pid === undefined || state === undefined || startTime.length === 0) return undefined
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: Number(group),
    startTime: startTime.join(" "),
    zombie: state.startsWith("Z")
  }
}

export const all = (): ReadonlyArray<Entry> => ps("-axo", columns).map(parseLine).filter((entry) => entry !== undefined)

export const find = (pid: number): Entry | undefined =>
  ps("-o", columns, "-p", String(pid)).map(parseLine).find((entry) => entry !== undefined)

/** Reads a line of `ps -axEwwo pid=,command=`, which shows the environment behind the command. */
export const isMarked = (line: string, marker: string): boolean =>
  line.split(/\s+/).some((word) => word.startsWith(`${markerName}=`) && word.includes(marker))

export const marked = (marker: string): ReadonlyArray<number> =>
  ps("-axEwwo", "pid=,command=").filter((line) => isMarked(line, marker)).map((line) => Number.parseInt(line, 10))
