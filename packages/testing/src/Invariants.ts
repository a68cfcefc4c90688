/**
 * What holds in every supervision tree, whatever happens to it: a checker that reads a tree's events one by one.
 *
 * It needs no plan of the tree. What the rules are it learns from snapshots, and what it has not learned it does not
 * check. These are the invariants; the numbers (S1, T1, …) name the rules of the guide "What a supervisor guarantees".
 *
 * - Children start in the order of the list, one at a time, and none is left out (S1, S2, S8, G1–G3). Each start is
 *   answered once, unless a stop aborts it.
 * - They stop in reverse order, also where several are restarted together (T1). That is checked where no call can have
 *   come in between, since `terminateChild` stops any child.
 * - No incarnation begins before the one before has ended or was abandoned, and the numbers leave none out (R7).
 * - A child that leaves is treated by its restart type and significance (R1–R5, A1–A3). Whoever waits has a backoff, whoever
 *   is left down has one that has ended, and a group restart passes it by.
 * - A supervisor restarts no more often within its period than its intensity, and gives up only when it must (I1, I3, I7).
 * - When a child or a supervisor has ended, nothing inside it is left, and nothing happens there any more (T1).
 *
 * @since 0.1.0
 */
import type { SupervisionTree, SupervisorEvent } from "coppice"
import { type OfChild, readChildEvent } from "./internal/childEvents.ts"
import { compare } from "./internal/comparison.ts"
import { expectEnded, ObservedTree, type Wrong } from "./internal/observedTree.ts"
import { type OfSupervisor, readSupervisorEvent } from "./internal/supervisorEvents.ts"

/**
 * What the one who drives a tree may say in between its events.
 *
 * - `Starting`: a call of `startChild` or `restartChild` begins, for the child of this path.
 * - `Terminating` and `Terminated`: a call of `terminateChild` begins; it has been answered, and its events are read.
 * - `Deleting`: a call of `deleteChild` begins.
 * - `Closing`: the trees are closed from outside, now that nothing is going on, and a snapshot of each has just been learned.
 *   From here on all stops are in reverse order, but where that snapshot shows a child that is starting or stopping.
 *
 * @category models
 * @since 0.1.0
 */
export type Note =
  | { readonly _tag: "Starting"; readonly path: string }
  | { readonly _tag: "Terminating"; readonly path: string }
  | { readonly _tag: "Terminated"; readonly path: string }
  | { readonly _tag: "Deleting"; readonly path: string }
  | { readonly _tag: "Closing" }

/**
 * `callsAreNoted` says that each call in the tree is told of by notes, but for `startChild` of a dynamic supervisor. Then
 * the order of all other stops is checked, no other child may be started but in a restart, and none begins anew with
 * number 1. Default false: any call may come at any time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly callsAreNoted?: boolean | undefined
}

type Event = SupervisorEvent.SupervisorEvent

/**
 * Reads what happens in supervision trees and collects what is wrong with it, a line each.
 *
 * **Details**
 *
 * The events are those of whole trees, from their start: as `onEvent` of `Supervisor.launch` is told them. Their times
 * are those of a test clock; on a real one a restart at the edge of the period may be judged wrongly.
 *
 * What lives inside a child that was abandoned is not checked any more, as two of one name may then be alive. A supervisor
 * that is meant to outlive the child it was built in is reported.
 *
 * **Example** (A child that is started while it runs)
 *
 * ```ts import.meta.vitest
 * import { Invariants } from "@coppice/testing"
 *
 * const invariants = new Invariants.Invariants()
 *
 * invariants.read({ _tag: "ChildStarting", path: "app/db", incarnation: 1, timeMillis: 0 })
 * invariants.read({ _tag: "ChildStarted", path: "app/db", incarnation: 1, timeMillis: 0 })
 * invariants.read({ _tag: "ChildStarting", path: "app/db", incarnation: 2, timeMillis: 50 })
 *
 * invariants.violations // => ["app/db at 50 ms, ChildStarting of incarnation 2: its incarnation 1 is running (R7)"]
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export class Invariants {
  private readonly found: Array<string> = []
  private readonly tree: ObservedTree
  private timeMillis = 0

  constructor(options?: Options) {
    this.tree = new ObservedTree(options?.callsAreNoted === true)
  }

  /** What is wrong with what has been read so far. */
  get violations(): ReadonlyArray<string> {
    return this.found
  }

  /**
   * Learns the rules from a snapshot of a tree, or of a part of one. It may run ahead of the events that are read: best
   * is one of a supervisor when each start of its children begins, so that every rule is known when it is needed.
   */
  learn(node: SupervisionTree.Node): void {
    this.tree.knowledge.learn(node)
  }

  /** Checks an event against all that went before, or takes note of a call. */
  read(event: Event | Note): void {
    if (!isEvent(event)) return this.note(event)
    const wrong = (problem: string) =>
      this.add(event.path, `${event._tag} of incarnation ${event.incarnation}`, event.timeMillis)(problem)
    if (event.timeMillis < this.timeMillis) wrong("time went back")
    this.timeMillis = event.timeMillis
    if (isOfSupervisor(event)) {
      if (!this.tree.isAbandoned(event.path)) readSupervisorEvent(this.tree, event, wrong)
    } else if (!this.tree.isAbandoned(this.tree.supervisorOf(event.path).above)) {
      readChildEvent(this.tree, event, wrong)
    }
  }

  /**
   * Checks a snapshot against the events, when nothing is going on and all events have been read: those that run by the
   * one run by the others, and are the same incarnations.
   */
  compare(tree: SupervisionTree.SupervisionTree): void {
    compare(this.tree, tree, (path) => this.add(path, "the tree"))
  }

  /** Checks that all has ended, and answers all that was wrong. */
  end(): ReadonlyArray<string> {
    for (const supervisor of this.tree.supervisors) {
      expectEnded(supervisor, this.add(supervisor.path, "the end"))
    }
    return this.found
  }

  private add(path: string, what: string, atMillis = this.timeMillis): Wrong {
    return (problem) => this.found.push(`${path} at ${atMillis} ms, ${what}: ${problem}`)
  }

  private note(note: Note): void {
    if (note._tag === "Closing") return this.tree.close()
    if (note._tag === "Starting") this.tree.called.add(note.path)
    const child = this.tree.child(note.path)
    if (child === undefined) return
    switch (note._tag) {
      case "Terminating":
        child.terminating++
        child.mayBeCancelled = child.due
        return
      case "Terminated":
        if (child.terminating > 0) child.terminating--
        // The restart that was due is not made any more (rule F8).
        if (child.mayBeCancelled) child.due = false
        return
      case "Deleting":
        child.mayBeDeleted = true
    }
  }
}

const isEvent = (event: Event | Note): event is Event => "incarnation" in event

const isOfSupervisor = (event: OfChild | OfSupervisor): event is OfSupervisor => event._tag.startsWith("Supervisor")
