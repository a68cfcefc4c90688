import type { SupervisorEvent } from "../SupervisorEvent.ts"

/**
 * The events of one supervisor and everything below it. Whoever listens above is counted here too, so that an event
 * nobody hears costs one integer test and no object: `if (hub.heard > 0) hub.publish(…)`.
 */
export class EventHub {
  /** How many listen here or above. */
  heard: number
  private listeners: Set<(event: SupervisorEvent) => void> | undefined = undefined
  // Those below are linked, as each supervisor that starts comes and each that ends goes.
  private firstBelow: EventHub | undefined = undefined
  private previous: EventHub | undefined = undefined
  private next: EventHub | undefined = undefined
  private readonly above: EventHub | undefined

  constructor(above: EventHub | undefined) {
    this.above = above
    this.heard = above === undefined ? 0 : above.heard
    if (above !== undefined) above.attach(this)
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
    const { above, next, previous } = this
    if (above === undefined || (previous === undefined && above.firstBelow !== this)) return
    if (previous === undefined) above.firstBelow = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    this.previous = undefined
    this.next = undefined
  }

  /** The hubs of the supervisors right below. */
  *below(): Iterable<EventHub> {
    for (let hub = this.firstBelow; hub !== undefined; hub = hub.next) yield hub
  }

  private attach(hub: EventHub): void {
    hub.next = this.firstBelow
    if (hub.next !== undefined) hub.next.previous = hub
    this.firstBelow = hub
  }

  private count(change: number): void {
    this.heard += change
    for (const hub of this.below()) hub.count(change)
  }
}
