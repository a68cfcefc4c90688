import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import { isAlive } from "../ProcessIdentity.ts"
import type { Entry, UnsupportedPlatform } from "../ProcessTable.ts"
import { Family } from "./family.ts"
import { type ProcessRecord, programOf, type Record } from "./record.ts"

/** As long as the guard would have waited. */
const steps = [["SIGTERM", "1 second"]] as const

/** The records of programs that do not live any more. */
export const ofTheDead = (records: ReadonlyArray<Record>): ReadonlyArray<Record> =>
  Object.values(Array.groupBy(records, programOf))
    .filter(([{ owner }]) => !isAlive(owner)).flat()

/** Ends whoever is left of what the records tell of, and says so. False: some are there all the same. */
export const endLeftovers = (
  folder: string,
  records: ReadonlyArray<Record>
): Effect.Effect<boolean, UnsupportedPlatform> =>
  Effect.gen(function*() {
    const processes = records.filter((record) => record.kind === "process")
    const programs = Array.dedupe(records.map(programOf))
    const family = new Family(processes.map(({ identity }) => identity), programs)
    yield* family.look
    const found = family.living
    const whose = programs.length === 1 ? "a program that is gone" : `${programs.length} programs that are gone`
    if (found.length === 0) {
      yield* Effect.logInfo(`${folder}: nothing is left of ${whose}; ${records.length} records removed`)
      return true
    }
    const { left } = yield* family.end(steps, "tree")
    const told = (entries: ReadonlyArray<Entry>) => entries.map((entry) => tell(entry, processes)).join(", ")
    yield* left.length === 0
      ? Effect.logWarning(`${folder}: ended what ${whose} had left: ${told(found)}`)
      : Effect.logWarning(`${folder}: tried to end what ${whose} had left; still there: ${told(left)}`)
    return left.length === 0
  })

const tell = ({ name, pid, startTime }: Entry, records: ReadonlyArray<typeof ProcessRecord.Type>): string => {
  const record = records.find(({ identity }) => identity.pid === pid && identity.startTime === startTime)
  return record === undefined ? `${pid} (${name})` : `${record.path} (${pid}, ${record.command})`
}
