import type * as Scenario from "../Scenario.ts"

/** All supervisors of a tree, each before those below it. */
export const supervisorsOf = (tree: Scenario.Supervisor): ReadonlyArray<Scenario.Supervisor> => [
  tree,
  ...tree.children.flatMap((child) => child.type === "supervisor" ? supervisorsOf(child) : [])
]

/** All workers of a tree, in the order of the first start. */
export const workersOf = (tree: Scenario.Supervisor): ReadonlyArray<Scenario.Worker> =>
  tree.children.flatMap((child) => child.type === "supervisor" ? workersOf(child) : child)

/** Whether OTP accepts a child as significant. */
export const maySignify = (
  restart: Scenario.Worker["restart"],
  autoShutdown: Scenario.Supervisor["autoShutdown"]
): boolean => restart !== "permanent" && autoShutdown !== "never"

/** What the n-th worker of a tree is called: a to z, a1 to z1, and so on. */
export const workerName = (number: number): string =>
  String.fromCharCode("a".charCodeAt(0) + number % 26) + (number < 26 ? "" : Math.floor(number / 26))
