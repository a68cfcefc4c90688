import type { Entry } from "./children.ts"
import type { Spec } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** What makes a supervisor a dynamic one: no child at first, then one for each call, each with a spec of its own. */
export interface DynamicSettings {
  readonly child: (...args: ReadonlyArray<unknown>) => Spec
  readonly key: ((...args: ReadonlyArray<unknown>) => string) | undefined
  /** How many children there may be at a time, restarting ones included. */
  readonly maxChildren: number
}

/** The state that a dynamic supervisor has besides: the ids it has made, and who waits for the end of a child. */
export class Dynamic {
  readonly settings: DynamicSettings
  private made = 0
  private readonly waiting = new WeakMap<Entry, Set<() => void>>()

  constructor(settings: DynamicSettings) {
    this.settings = settings
  }

  /** An id that no child of this supervisor has had. */
  nextId(): string {
    return String(++this.made)
  }

  /** Runs something when a child has ended for good; the answer takes that back. */
  whenEnded(entry: Entry, run: () => void): () => void {
    let waiting = this.waiting.get(entry)
    if (waiting === undefined) this.waiting.set(entry, waiting = new Set())
    waiting.add(run)
    return () => void waiting.delete(run)
  }

  /** Who waits for the end of that child, once. */
  takeWaiting(entry: Entry): Iterable<() => void> {
    const waiting = this.waiting.get(entry)
    if (waiting === undefined) return []
    this.waiting.delete(entry)
    return Array.from(waiting)
  }
}

/** The core of a dynamic supervisor. */
export type DynamicCore = SupervisorCore & { readonly dynamic: Dynamic }

/** What is wrong with the settings, if anything. */
export const checkDynamic = (path: string, { maxChildren }: DynamicSettings): Error | undefined =>
  maxChildren === Infinity || (Number.isInteger(maxChildren) && maxChildren >= 0)
    ? undefined
    : new RangeError(`${path}: maxChildren is a whole number from zero or Infinity, not ${maxChildren}`)
