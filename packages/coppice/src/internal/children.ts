import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { ExitReason } from "../ExitReason.ts"
import type { Incarnation } from "./incarnation.ts"
import type { Spec } from "./spec.ts"

/**
 * Where a child is in its life. OTP knows three of these: `running`, `restarting` (a retry is pending), and everything
 * else as *down*; `failed` is down because of a failure that nobody will try to mend.
 */
export type ChildState = "starting" | "running" | "restarting" | "stopping" | "stopped" | "failed"

/** A pending retry. The object is its identity: an entry that was stopped or started since holds another or none. */
export interface Retry {
  readonly _tag: "Retry"
  readonly entry: Entry
  readonly reason: ExitReason
  /** What posts it, where it is delayed, and when that will be on the monotonic clock. */
  readonly timer: Fiber.Fiber<void> | undefined
  readonly dueAtMillis: number
}

/** A child of a supervisor: its spec, and what has become of it. */
export class Entry {
  readonly path: string
  readonly spec: Spec
  /** What the caller of `startChild` supplied, kept for restarts. */
  readonly supplied: Context.Context<never> | undefined
  state: ChildState = "stopped"
  incarnation: Incarnation | undefined = undefined
  retry: Retry | undefined = undefined
  /** The number of the latest incarnation. */
  number = 0
  restarts = 0
  startedAtMillis: number | undefined = undefined
  exitedAtMillis: number | undefined = undefined
  exitReason: ExitReason | undefined = undefined
  /** The keys of the services that its latest incarnation built. */
  gave: ReadonlyArray<string> | undefined = undefined
  previous: Entry | undefined = undefined
  next: Entry | undefined = undefined

  constructor(pathBelow: string, spec: Spec, supplied?: Context.Context<never>) {
    this.path = pathBelow + spec.id
    this.spec = spec
    this.supplied = supplied
  }

  /** Down, in OTP's sense: listed, not running, and no retry pending. */
  get isDown(): boolean {
    return this.state === "stopped" || this.state === "failed"
  }

  cancelRetry(): void {
    this.retry?.timer?.interruptUnsafe()
    this.retry = undefined
  }

  /** No incarnation and no retry any more. */
  down(state: "stopped" | "failed"): void {
    this.state = state
    this.cancelRetry()
    this.incarnation = undefined
  }
}

/**
 * A supervisor's children in start order (rule T1): a restart keeps a child's place, `deleteChild` and `startChild` move
 * it to the end. Linked, so that a child that ends for good leaves in constant time.
 */
export class Children {
  first: Entry | undefined = undefined
  last: Entry | undefined = undefined
  /** How many are built from layers, and so may give services to later siblings. */
  layers = 0
  private readonly byId = new Map<string, Entry>()

  get size(): number {
    return this.byId.size
  }

  get(id: string): Entry | undefined {
    return this.byId.get(id)
  }

  append(entry: Entry): void {
    entry.previous = this.last
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    this.byId.set(entry.spec.id, entry)
    if (isLayer(entry)) this.layers++
  }

  remove(entry: Entry): void {
    if (this.byId.get(entry.spec.id) !== entry) return
    this.byId.delete(entry.spec.id)
    if (isLayer(entry)) this.layers--
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    entry.previous = undefined
    entry.next = undefined
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.byId.values()
  }
}

const isLayer = (entry: Entry): boolean => entry.spec.kind === "layer" || entry.spec.kind === "supervisor"
