import { readdirSync, readFileSync } from "node:fs"
import { markerName } from "./marker.ts"
import type { Entry } from "./table.ts"

// A process may end between two reads: then there is nothing to read.
const readOrNothing = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

const bootId = (): string => readOrNothing("/proc/sys/kernel/random/boot_id")?.trim() ?? ""

/** Reads the fields of `/proc/PID/stat`. The second, the name, may itself have spaces and brackets in it. */
export const parseStat = (stat: string, boot: string): Entry | undefined => {
  const open = stat.indexOf("(")
  const close = stat.lastIndexOf(")")
  if (open === -1 || close === -1) return undefined
  const fields = stat.slice(close + 2).split(" ")
  const [state, parent, group, session] = fields
  const startTicks = fields[19]
  if (startTicks === undefined) return undefined
  return {
    pid: Number(stat.slice(0, open)),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: `${boot}:${startTicks}`,
    zombie: state === "Z" || state === "X",
    name: stat.slice(open + 1, close)
  }
}

const pids = (): ReadonlyArray<string> => readdirSync("/proc").filter((name) => /^\d+$/.test(name))

const read = (pid: string | number, boot: string): Entry | undefined => {
  const stat = readOrNothing(`/proc/${pid}/stat`)
  return stat === undefined ? undefined : parseStat(stat, boot)
}

export const all = (): ReadonlyArray<Entry> => {
  const boot = bootId()
  return pids().map((pid) => read(pid, boot)).filter((entry) => entry !== undefined)
}

export const find = (pid: number): Entry | undefined => read(pid, bootId())

export const marks = (among: ReadonlyArray<number | string> = pids()): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  for (const pid of among) {
    const environment = readOrNothing(`/proc/${pid}/environ`)
    if (environment === "") found.set(Number(pid), "")
    const pair = environment?.split("\0").find((pair) => pair.startsWith(`${markerName}=`))
    if (pair !== undefined) found.set(Number(pid), pair.slice(markerName.length + 1))
  }
  return found
}

/** Whether one was started before the other, in the same run of the machine. */
export const isBefore = (startTime: string, other: string): boolean => {
  const [boot, ticks] = startTime.split(":")
  const [otherBoot, otherTicks] = other.split(":")
  return boot === otherBoot && Number(ticks) < Number(otherTicks)
}
