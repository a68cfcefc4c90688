import { platform } from "./table.ts"

/** A pid with the time at which its process was started, if that is known. */
export interface Identity {
  readonly pid: number
  readonly startTime?: string
}

/** In the place of a start time: no process has it, and so nobody is ever taken for one that has ended. */
export const ended = "ended"

/** The identity of the process that has this pid now. */
export const identityOf = (pid: number): Identity => {
  const startTime = platform?.find(pid)?.startTime
  return startTime === undefined ? { pid } : { pid, startTime }
}

/** Whether this very process lives. */
export const isAlive = ({ pid, startTime }: Identity): boolean => {
  const found = platform?.find(pid)
  if (found === undefined) return platform === undefined && answers(pid)
  return !found.zombie && (startTime === undefined || startTime === found.startTime)
}

/** Sends a signal to this very process. False: nobody was sent anything. */
export const signal = (identity: Identity, signal: NodeJS.Signals): boolean =>
  isAlive(identity) && send(identity.pid, signal)

// Signal 0 asks whether there is somebody, without doing anything. Who belongs to somebody else is there all the same.
const answers = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

// It may have ended since it was looked for, or belong to somebody who does not let us.
const send = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
