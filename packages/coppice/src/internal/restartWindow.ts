/** What a counted restart answers to. Kept per record so that giving up can say what all of them had in common. */
export type RestartKind = "failed-to-start" | "returned" | "crashed"

/**
 * The restarts of one supervisor within its period: OTP's intensity and period (rules I1, I3–I5), with exact times and a
 * closed window.
 */
export class RestartWindow {
  readonly intensity: number
  readonly periodMillis: number
  // A queue in two arrays: records before `head` have left the window.
  private times: Array<number> = []
  private kinds: Array<RestartKind> = []
  private head = 0

  constructor(intensity: number, periodMillis: number) {
    this.intensity = intensity
    this.periodMillis = periodMillis
  }

  /** How many restarts are in the window as of the latest record. */
  get count(): number {
    return this.times.length - this.head
  }

  /** Records a restart at `now` and answers whether the intensity allows it. */
  record(now: number, kind: RestartKind): boolean {
    this.expire(now)
    this.times.push(now)
    this.kinds.push(kind)
    return this.count <= this.intensity
  }

  /**
   * Moves the latest record to `now`. Stopping the old incarnation takes time that must not age the record, or a child
   * that takes longer than the period to stop would be restarted for ever.
   */
  restamp(now: number): void {
    this.times[this.times.length - 1] = now
  }

  /** What the counted restarts have in common. */
  get pattern(): "failed-to-start" | "returned" | "mixed" {
    const kinds = this.kinds.slice(this.head)
    if (kinds.every((kind) => kind === "returned")) return "returned"
    const failures = kinds.filter((kind) => kind === "failed-to-start").length
    // The first restart answers to the exit itself; what follows may all be failed starts.
    return failures > 0 && failures >= kinds.length - 1 ? "failed-to-start" : "mixed"
  }

  private expire(now: number): void {
    while ((this.times[this.head] ?? now) < now - this.periodMillis) this.head++
    // Moving the rest to the front only when it is the smaller half keeps a record O(1) on average.
    // Stryker disable next-line all: nothing but time and memory depends on it
    if (this.head * 2 > this.times.length) {
      this.times = this.times.slice(this.head)
      this.kinds = this.kinds.slice(this.head)
      this.head = 0
    }
  }
}
