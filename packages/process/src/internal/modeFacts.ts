import { closeSync, openSync } from "node:fs"
import { isatty } from "node:tty"
import { platform } from "./table.ts"

/** What the mode of a program is known from. */
export interface Facts {
  readonly printsToTerminal: boolean
  readonly hasTerminal: boolean
  readonly isManaged: boolean
  readonly leadsSession: boolean
  readonly parent: number
}

/** The facts of this program. */
export const readFacts = (): Facts => ({
  printsToTerminal: isatty(1) || isatty(2),
  hasTerminal: hasTerminal(),
  isManaged: process.env["INVOCATION_ID"] !== undefined || process.env["NOTIFY_SOCKET"] !== undefined,
  leadsSession: platform?.find(process.pid)?.session === process.pid,
  parent: process.ppid
})

// This name is that of whatever terminal controls the program, and cannot be opened if there is none.
const hasTerminal = (): boolean => {
  try {
    closeSync(openSync("/dev/tty", "r"))
    return true
  } catch {
    return false
  }
}
