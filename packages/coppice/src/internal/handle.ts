import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { RestartIntensityExceeded } from "../ExitReason.ts"
import type { Supervisor } from "../Supervisor.ts"
import type { SupervisorEvent } from "../SupervisorEvent.ts"
import * as calls from "./calls.ts"
import type { EventHub } from "./eventHub.ts"
import { supervisorNode } from "./snapshot.ts"
import type { Spec } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** The key of a supervisor's handle. */
export const TypeId = "~coppice/Supervisor"

/** How many events wait for a listener before it loses the oldest. */
export const eventBuffer = 4096

const idOf = (child: string | { readonly id: string }): string => typeof child === "string" ? child : child.id

/** What users hold of a supervisor. */
export const makeHandle = (core: SupervisorCore): Supervisor<string> => ({
  [TypeId]: TypeId,
  path: core.path,
  startChild: (child) => calls.startChild(core, child as unknown as Spec) as any,
  terminateChild: (child) => calls.terminateChild(core, idOf(child)),
  restartChild: (child) => calls.restartChild(core, idOf(child)),
  deleteChild: (child) => calls.deleteChild(core, idOf(child)),
  getChildSpec: (child) => calls.getChildSpec(core, idOf(child)) as any,
  whichChildren: Effect.suspend(() => calls.whichChildren(core, makeHandle)),
  countChildren: Effect.suspend(() => calls.countChildren(core)),
  exitChild: (child, reason) => calls.exitChild(core, idOf(child), reason),
  await: Effect.suspend(() => end(core)),
  tree: Effect.sync(() => supervisorNode(core)),
  events: Stream.callback<SupervisorEvent>((queue) => hear(core, queue), {
    bufferSize: eventBuffer,
    strategy: "sliding"
  })
})

const end = (core: SupervisorCore): Effect.Effect<void, RestartIntensityExceeded> =>
  Effect.flatMap(
    Effect.flatten(core.ended.await),
    (reason) => reason._tag === "GaveUp" ? Effect.fail(reason.error) : Effect.void
  )

const hear = Effect.fnUntraced(
  function*(core: SupervisorCore, queue: Queue.Queue<SupervisorEvent, Cause.Done>) {
    yield* listen(core.events, queue)
    yield* core.ended.await
    yield* Queue.end(queue)
  }
)

/** Fills a queue with the events of a supervisor and all below it, for as long as the scope is open. */
export const listen = (hub: EventHub, queue: Queue.Enqueue<SupervisorEvent>) =>
  Effect.acquireRelease(
    Effect.sync(() => hub.listen((event) => Queue.offerUnsafe(queue, event))),
    (stop) => Effect.sync(stop)
  )
