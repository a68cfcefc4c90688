import * as Effect from "effect/Effect"
import type { ExitReason } from "../ExitReason.ts"
import {
  ChildAlreadyStarted,
  ChildRestarting,
  type ChildStartFailed,
  InvalidChild,
  MaxChildrenReached,
  type SupervisorDown
} from "../SupervisorError.ts"
import { call, type CallFailed, startError, terminate } from "./calls.ts"
import { Entry } from "./children.ts"
import type { DynamicCore } from "./dynamic.ts"
import { DynamicChild, terminateChild } from "./dynamicChild.ts"
import { endForGood } from "./keeping.ts"
import { startOne } from "./ranges.ts"
import { Spec } from "./spec.ts"
import { checkChild } from "./specCheck.ts"
import { spend } from "./spend.ts"
import { fail, interrupt, type Step } from "./steps.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

type StartArguments = ReadonlyArray<unknown>

type StartError =
  | ChildAlreadyStarted
  | ChildRestarting
  | MaxChildrenReached
  | ChildStartFailed
  | InvalidChild
  | SupervisorDown

/** One start that may be called off, before it is begun or on its way. */
class Order {
  readonly args: StartArguments
  /** The child, once its start has begun. */
  entry: Entry | undefined = undefined
  isOff = false

  constructor(args: StartArguments) {
    this.args = args
  }
}

/** Rules D2, D10, EL8, EL10. */
export const startChild = (
  core: DynamicCore,
  args: StartArguments
): Effect.Effect<DynamicChild, StartError | CallFailed> =>
  Effect.suspend(() => call(core, () => perform(core, new Order(args))))

function* perform(core: DynamicCore, order: Order): Step<DynamicChild, StartError> {
  const id = idOf(core, order.args)
  const listed = core.children.get(id)
  return yield* listed === undefined ? startNew(core, order, id) : alreadyThere(core, listed)
}

/** One child for each key: that which runs, or a new one. */
export const ensureChild = (
  core: DynamicCore,
  args: StartArguments
): Effect.Effect<DynamicChild, Exclude<StartError, ChildAlreadyStarted> | CallFailed> =>
  core.dynamic.settings.key === undefined
    ? Effect.die(new TypeError(`${core.path}: ensureChild is for a supervisor with the option "key"`))
    : call(core, () => ensure(core, args))

function* ensure(
  core: DynamicCore,
  args: StartArguments
): Step<DynamicChild, Exclude<StartError, ChildAlreadyStarted>> {
  const id = idOf(core, args)
  const listed = core.children.get(id)
  if (listed === undefined) return yield* startNew(core, new Order(args), id)
  if (listed.state === "running") return new DynamicChild(core, listed)
  return yield* fail(new ChildRestarting({ path: core.path, id }))
}

const idOf = ({ dynamic }: DynamicCore, args: StartArguments): string =>
  dynamic.settings.key === undefined ? dynamic.nextId() : dynamic.settings.key(...args)

function* alreadyThere(core: SupervisorCore, { number, spec, state }: Entry) {
  const about = { path: core.path, id: spec.id }
  return yield* fail(
    state === "running" ? new ChildAlreadyStarted({ ...about, incarnation: number }) : new ChildRestarting(about)
  )
}

function* startNew(
  core: DynamicCore,
  order: Order,
  id: string
): Step<DynamicChild, MaxChildrenReached | InvalidChild | ChildStartFailed | SupervisorDown> {
  const { path } = core
  const { child, maxChildren } = core.dynamic.settings
  if (core.children.size >= maxChildren) return yield* fail(new MaxChildrenReached({ path, maxChildren }))
  const made = child(...order.args)
  if (!(made instanceof Spec)) throw new TypeError(`${path}: children are made with Child.effect, .layer and so on`)
  const spec = made.withId(id)
  const invalid = spec.significant
    ? new InvalidChild({ path, id, problem: neverSignificant })
    : checkChild(path, spec, "never")
  if (invalid !== undefined) return yield* fail(invalid)
  const entry = new Entry(core.pathBelow, spec)
  order.entry = entry
  core.children.append(entry)
  const starting = startOne(core, entry)
  const outcome = starting === undefined ? undefined : yield* starting
  const error = startError(core, entry, outcome)
  if (error !== undefined) {
    endForGood(core, entry)
    return yield* fail(error)
  }
  if (spec.restart === "temporary") spend(spec)
  return new DynamicChild(core, entry, outcome === "ignored")
}

const neverSignificant = "a dynamic supervisor does not shut itself down, so that none of its children is significant"

/** Starts a child and waits for its end. Interrupting that calls off its start, or stops it, and waits for it. */
export const runChild = (core: DynamicCore, args: StartArguments): Effect.Effect<ExitReason, StartError | CallFailed> =>
  Effect.suspend(() => {
    const order = new Order(args)
    const started = call(core, () => order.isOff ? interrupt() : perform(core, order))
    const ended = Effect.flatMap(started, (child) => child.await)
    return Effect.onInterrupt(ended, () => callOff(core, order))
  })

const callOff = (core: DynamicCore, order: Order): Effect.Effect<void> =>
  Effect.suspend(() => {
    order.isOff = true
    const { entry } = order
    if (entry === undefined || core.children.get(entry.spec.id) !== entry) return Effect.void
    entry.incarnation?.abortStart?.("stopped")
    const child = new DynamicChild(core, entry)
    return Effect.catchTags(terminateChild(core, child), {
      ChildNotFound: () => Effect.void,
      SupervisorDown: () => Effect.void,
      // The supervisor waits for the caller: it comes to this when the caller is gone.
      CallFromWithin: () =>
        Effect.sync(() =>
          core.post({
            _tag: "Call",
            operation: () => terminate(core, entry),
            answer: () => {},
            refuse: () => {}
          })
        )
    })
  })
