import type { SupervisorEvent } from "../SupervisorEvent.ts"

/**
 * The events of one supervisor and everything below it. Whoever listens above is counted here too, so that an event
 * nobody hears costs one integer test and no object: `if (hub.heard > 0) hub.publish(…)`.
 */
export class EventHub {
  /** How many listen here or above. */
  heard: number
  private listeners: Set<(event: SupervisorEvent) => void> | undefined = undefined
  private below: Set<EventHub> | undefined = undefined
  private readonly above: EventHub | undefined

  constructor(above: EventHub | undefined) {
    this.above = above
    this.heard = above === undefined ? 0 : above.heard
    if (above !== undefined) (above.below ??= new Set()).add(this)
  }

  publish(event: SupervisorEvent): void {
    if (this.listeners !== undefined) { for (const listener of this.listeners) listener(event) }
    this.above?.publish(event)
  }

  /** Listens from now on; the answer stops it. */
  listen(listener: (event: SupervisorEvent) => void): () => void {
    const listeners = this.listeners ??= new Set()
    listeners.add(listener)
    this.count(1)
    return () => {
      if (!listeners.delete(listener)) return
      if (listeners.size === 0) this.listeners = undefined
      this.count(-1)
    }
  }

  /** Leaves the hub above: nothing comes from here any more. */
  detach(): void {
    this.above?.below?.delete(this)
  }

  private count(change: number): void {
    this.heard += change
    if (this.below !== undefined) { for (const hub of this.below) hub.count(change) }
  }
}
