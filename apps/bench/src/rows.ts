/** Who does the work of a row: Coppice, Coppice with one listener to its events, Effect without Coppice, Erlang. */
export type Side = "coppice" | "heard" | "effect" | "otp"

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
  { name: "dynamic-terminate", title: "terminateChild of a dynamic supervisor", unit: "µs", sides: ["coppice", "otp"] }
]

/** How many children a supervisor has in the row with few restarts in the window. */
export const familySize = 100

/** How many children are restarted together in the group row. */
export const groupSize = 1000
