/**
 * Runs them all. Each may end a fiber of the user's, whose observers may throw: the others are run all the same, and what
 * was thrown first is thrown in the end.
 */
export const runAll = (callbacks: ReadonlyArray<() => void>): void => {
  let failed = false
  let first: unknown
  for (const run of callbacks) {
    try {
      run()
    } catch (thrown) {
      if (!failed) first = thrown
      failed = true
    }
  }
  if (failed) throw first
}
