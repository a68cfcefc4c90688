/**
 * Who does the work of a row: Coppice, Coppice with one listener to its events, Coppice with what the row's title names,
 * Effect without Coppice, Erlang.
 */
export type Side = "coppice" | "heard" | "with" | "effect" | "otp"

/** The names of the rows, as the command line and the processes that measure them know them. */
export type RowName =
  | "start"
  | "memory"
  | "restart-few"
  | "restart-many"
  | "restart-group"
  | "stop"
  | "use"
  | "dynamic-start"
  | "dynamic-terminate"
  | "backoff"
  | "backoff-wait"
  | "metrics"
  | "readiness"
  | "start-timeout"
  | "liveness"
  | "liveness-memory"

/** One line of the table. */
export interface Row {
  readonly name: RowName
  readonly title: string
  readonly unit: "µs" | "B"
  readonly sides: ReadonlyArray<Side>
  /** With how many children OTP is measured at most, where it would take minutes. */
  readonly otpAtMost?: number
}

/** All rows, in the order of the table. */
export const rows: ReadonlyArray<Row> = [
  { name: "start", title: "start of a static list", unit: "µs", sides: ["coppice", "effect", "otp"] },
  { name: "memory", title: "memory of an idle child", unit: "B", sides: ["coppice", "effect", "otp"] },
  {
    name: "restart-few",
    title: "crash to restarted, 100 in the window",
    unit: "µs",
    sides: ["coppice", "heard", "otp"]
  },
  {
    name: "restart-many",
    title: "crash to restarted, all in one window",
    unit: "µs",
    sides: ["coppice", "heard", "otp"],
    otpAtMost: 10_000
  },
  {
    name: "restart-group",
    title: "one-for-all restart of 1000",
    unit: "µs",
    sides: ["coppice", "heard", "otp"]
  },
  { name: "stop", title: "stop, one after another", unit: "µs", sides: ["coppice", "effect", "otp"] },
  { name: "use", title: "ChildRef.use, per use", unit: "µs", sides: ["coppice", "effect", "otp"] },
  { name: "dynamic-start", title: "startChild of a dynamic supervisor", unit: "µs", sides: ["coppice", "otp"] },
  { name: "dynamic-terminate", title: "terminateChild of a dynamic supervisor", unit: "µs", sides: ["coppice", "otp"] },
  { name: "backoff", title: "crash to restarted, with a backoff of 0", unit: "µs", sides: ["coppice", "with"] },
  {
    name: "backoff-wait",
    title: "crash to restarted, with a backoff of 1 ms, all at once",
    unit: "µs",
    sides: ["coppice", "with"]
  },
  { name: "metrics", title: "crash to restarted, with metrics", unit: "µs", sides: ["coppice", "with"] },
  { name: "readiness", title: "start, with a readiness probe", unit: "µs", sides: ["coppice", "with"] },
  { name: "start-timeout", title: "start of a Child.make, with startTimeout", unit: "µs", sides: ["coppice", "with"] },
  {
    name: "liveness",
    title: "start, with a liveness probe and its first check",
    unit: "µs",
    sides: ["coppice", "with"]
  },
  {
    name: "liveness-memory",
    title: "memory, with a liveness probe between checks",
    unit: "B",
    sides: ["coppice", "with"]
  }
]

/** How many children a supervisor has in the row with few restarts in the window. */
export const familySize = 100

/** How many children are restarted together in the group row. */
export const groupSize = 1000
