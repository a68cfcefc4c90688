/** How a child's liveness stands: nothing is known yet, all is well, or the latest checks have failed. */
export type Health = "unknown" | "healthy" | "failing"

/** How many checks in a row are needed for each side. */
export interface Thresholds {
  readonly failure: number
  readonly success: number
}

/** What the checks so far amount to. */
export interface Record {
  readonly health: Health
  readonly failures: number
  readonly successes: number
}

export const initial: Record = { health: "unknown", failures: 0, successes: 0 }

/** What one more check makes of it; `"unhealthy"` is the end of the incarnation. */
export const afterCheck = (record: Record, succeeded: boolean, thresholds: Thresholds): Record | "unhealthy" => {
  if (succeeded) {
    const successes = record.successes + 1
    return { health: successes >= thresholds.success ? "healthy" : record.health, failures: 0, successes }
  }
  const failures = record.failures + 1
  return failures >= thresholds.failure ? "unhealthy" : { health: "failing", failures, successes: 0 }
}
