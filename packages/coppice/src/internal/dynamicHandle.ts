import * as Effect from "effect/Effect"
import type { ChildHandle, DynamicSupervisor } from "../DynamicSupervisor.ts"
import { ChildNotFound, SupervisorDown } from "../SupervisorError.ts"
import type { Entry } from "./children.ts"
import type { DynamicCore } from "./dynamic.ts"
import { ensureChild, runChild, startChild } from "./dynamicCalls.ts"
import { type DynamicChild, find, terminateChild, useEntry } from "./dynamicChild.ts"
import { makeHandle } from "./handle.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** The key of a dynamic supervisor's handle. */
export const TypeId = "~coppice/DynamicSupervisor"

// Every handle is made here, or is none of this supervisor's.
const own = (child: string | ChildHandle) => child as unknown as string | DynamicChild

const withChild = <A, E, R>(
  core: DynamicCore,
  child: string | ChildHandle,
  f: (entry: Entry) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ChildNotFound, R> =>
  Effect.suspend((): Effect.Effect<A, E | ChildNotFound, R> => {
    const entry = find(core, own(child))
    return entry instanceof ChildNotFound ? Effect.fail(entry) : f(entry)
  })

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
    useChild: (child, f, options) => withChild(core, child, (entry) => useEntry(core, entry, f, options)),
    exitChild: (child, reason) =>
      Effect.suspend((): Effect.Effect<void, ChildNotFound | SupervisorDown> => {
        if (core.hasEnded) return Effect.fail(new SupervisorDown({ path }))
        return withChild(core, child, ({ incarnation }) => Effect.sync(() => void incarnation?.end(reason)))
      }),
    whichChildren,
    countChildren,
    await: awaitEnd,
    tree,
    events
  }
}
