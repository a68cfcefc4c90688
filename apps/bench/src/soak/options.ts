import { readFlags } from "../flags.ts"

/** What `npm run soak` is asked for. */
export interface Options {
  readonly help: boolean
  readonly minutes: number
  readonly children: number
  /** Random if none is given. */
  readonly seed: number | undefined
}

export const help = `npm run soak [-- options]

Lets children of a tree fail, panic, leave, be unwell, be terminated and take their supervisors with them, as fast as they
are restarted. Heap, handles and listeners are to be flat at the end: the exit code is 1 if they are not.

  --minutes N    how long: 5 if it is not given
  --children N   how many: 10000 if it is not given
  --seed N       which faults: printed, and random if it is not given
  --help         shows this text
`

const number = { type: "string" } as const

const flags = { minutes: number, children: number, seed: number, help: { type: "boolean" } } as const

/** Reads the command line; the answer is a sentence where it cannot be understood. */
export const parse = (args: ReadonlyArray<string>): Options | string => {
  const values = readFlags(args, flags)
  if (typeof values === "string") return values
  const last = (name: string) => values[name] === undefined ? undefined : Number(values[name].at(-1))
  const minutes = last("minutes") ?? 5
  const children = last("children") ?? 10_000
  const seed = last("seed")
  if (!(minutes > 0 && minutes < Infinity)) return "--minutes is a number above 0"
  if (!(Number.isInteger(children) && children > 0)) return "--children is a whole number above 0"
  if (seed !== undefined && !Number.isInteger(seed)) return "--seed is a whole number"
  return { help: "help" in values, minutes, children, seed }
}
