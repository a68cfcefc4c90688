import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Options } from "../ChildRef.ts"
import { type ExitReason, normal } from "../ExitReason.ts"
import { type ChildDown, ChildNotFound, type ChildUnavailable } from "../SupervisorError.ts"
import { call, type CallFailed, terminate } from "./calls.ts"
import type { Entry } from "./children.ts"
import type { DynamicCore } from "./dynamic.ts"
import { fillRef, giveUpRef, refsOf } from "./refs.ts"
import { defaultPatience, RefState } from "./refState.ts"
import { fail, type Step } from "./steps.ts"

/** The key of a handle. */
export const HandleTypeId = "~coppice/DynamicSupervisor/ChildHandle"

/** What users hold of one child of a dynamic supervisor: of this one, not of whichever has its id. */
export class DynamicChild {
  readonly [HandleTypeId]: typeof HandleTypeId = HandleTypeId
  readonly core: DynamicCore
  readonly entry: Entry
  readonly incarnation: number
  readonly ignored: boolean
  readonly services: Context.Context<any>

  constructor(core: DynamicCore, entry: Entry, ignored = false) {
    this.core = core
    this.entry = entry
    this.incarnation = entry.number
    this.ignored = ignored
    this.services = (entry.incarnation?.built?.services ?? Context.empty()) as Context.Context<any>
  }

  get id(): string {
    return this.entry.spec.id
  }

  get path(): string {
    return this.entry.path
  }

  get terminate(): Effect.Effect<void, CallFailed> {
    return Effect.catchTag(terminateChild(this.core, this), "ChildNotFound", () => Effect.void)
  }

  get await(): Effect.Effect<ExitReason> {
    const { core, entry } = this
    const reason = () => Effect.succeed(entry.exitReason ?? normal)
    // One operation: the child may end between any two.
    return Effect.callback<ExitReason>((resume) => {
      if (!isListed(core, entry)) return resume(reason())
      const forget = core.dynamic.whenEnded(entry, () => resume(reason()))
      return Effect.sync(forget)
    })
  }

  use<A, E, R>(
    f: (services: Context.Context<any>) => Effect.Effect<A, E, R>,
    options?: Options
  ): Effect.Effect<A, E | ChildDown | ChildUnavailable, R> {
    return useEntry(this.core, this.entry, f, options)
  }
}

/** Whether a child has not yet ended for good. */
const isListed = (core: DynamicCore, entry: Entry): boolean => core.children.get(entry.spec.id) === entry

/** The child of that id that is alive, or that of a handle, whether it is or not. */
export const find = (core: DynamicCore, child: string | DynamicChild): Entry | ChildNotFound => {
  if (typeof child === "string") return core.children.get(child) ?? new ChildNotFound({ path: core.path, id: child })
  return child.core === core ? child.entry : new ChildNotFound({ path: core.path, id: child.id })
}

/** Rules D7, EL11: to stop what has ended already is no mistake, to stop what never was a child here is one. */
export const terminateChild = (
  core: DynamicCore,
  child: string | DynamicChild
): Effect.Effect<void, ChildNotFound | CallFailed> => call(core, () => terminateOne(core, child))

function* terminateOne(core: DynamicCore, child: string | DynamicChild): Step<void, ChildNotFound> {
  const entry = find(core, child)
  yield* entry instanceof ChildNotFound ? fail(entry) : terminate(core, entry)
}

/** Whatever a child has built is what its own ref gives. */
const Built = Context.Reference<undefined>("coppice/internal/dynamicChild/Built", { defaultValue: () => undefined })

/** Runs an effect with what the living incarnation of a child has built, linked to it as by a `ChildRef`. */
export const useEntry = <A, E, R>(
  core: DynamicCore,
  entry: Entry,
  f: (services: Context.Context<any>) => Effect.Effect<A, E, R>,
  options: Options | undefined
): Effect.Effect<A, E | ChildDown | ChildUnavailable, R> =>
  Effect.suspend(() => {
    const { kind } = entry.spec
    if (kind !== "layer" && kind !== "supervisor") {
      return Effect.die(new TypeError(`${entry.path} is not built from a layer, so that it has no services to use`))
    }
    return refOf(core, entry).use(() => {
      const built = entry.incarnation?.built
      // Gone in the meantime: the ref interrupts this.
      return built === undefined ? Effect.never : f(built.services as Context.Context<any>)
    }, options)
  })

// Made when it is first asked for: most children are never used so.
const refOf = (core: DynamicCore, entry: Entry): RefState<any, any> => {
  const { own } = refsOf(core)
  const known = own.get(entry)
  if (known !== undefined) return known
  const ref = new RefState(entry.path, Built, Duration.fromInputUnsafe(defaultPatience))
  ref.await(entry)
  own.set(entry, ref)
  const { incarnation } = entry
  if (incarnation?.status === "running" && incarnation.built !== undefined) fillRef(incarnation)
  else if (!isListed(core, entry)) giveUpRef(core, entry)
  return ref
}
