import * as Effect from "effect/Effect"
import type { ChildHandle, DynamicSupervisor } from "../DynamicSupervisor.ts"
import { SupervisorDown } from "../SupervisorError.ts"
import type { DynamicCore } from "./dynamic.ts"
import { ensureChild, runChild, startChild } from "./dynamicCalls.ts"
import { type DynamicChild, find, terminateChild, useEntry } from "./dynamicChild.ts"
import { makeHandle } from "./handle.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** The key of a dynamic supervisor's handle. */
export const TypeId = "~coppice/DynamicSupervisor"

// Every handle is made here, or is none of this supervisor's.
const own = (child: string | ChildHandle) => child as unknown as string | DynamicChild

/** What users hold of a dynamic supervisor. */
export const makeDynamicHandle = <Args extends ReadonlyArray<any>, Services>(
  supervisor: SupervisorCore
): DynamicSupervisor<Args, Services> => {
  const core = supervisor as DynamicCore
  const { await: awaitEnd, countChildren, events, path, tree, whichChildren } = makeHandle(core)
  return {
    [TypeId]: TypeId,
    path,
    startChild: (...args) => startChild(core, args),
    ensureChild: (...args) => ensureChild(core, args),
    run: (...args) => runChild(core, args),
    terminateChild: (child) => terminateChild(core, own(child)),
    useChild: (child, f, options) =>
      Effect.flatMap(Effect.gen(() => find(core, own(child))), (entry) => useEntry(core, entry, f, options)),
    exitChild: Effect.fnUntraced(function*(child, reason) {
      if (core.hasEnded) return yield* new SupervisorDown({ path })
      const { incarnation } = yield* find(core, own(child))
      incarnation?.end(reason)
    }),
    whichChildren,
    countChildren,
    await: awaitEnd,
    tree,
    events
  }
}
