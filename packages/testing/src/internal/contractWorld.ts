import { assert } from "@effect/vitest"
import { type Child, type ExitReason, Supervisor, SupervisorEvent } from "coppice"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type { How, Subject } from "../SupervisorContract.ts"
import type * as TestChild from "../TestChild.ts"
import * as Trace from "../Trace.ts"
import * as VirtualTime from "../VirtualTime.ts"

type AnyTestChild = Omit<TestChild.TestChild<Child.Any>, "return">

/** A supervisor that is tested, its children, and what has been heard of them. */
export interface Tested extends Subject {
  readonly children: readonly [AnyTestChild, AnyTestChild, AnyTestChild]
  readonly trace: Trace.Trace
  /** What has been told of a child, in words without its path. */
  readonly toldOf: (id: string) => ReadonlyArray<string>
  /** What whoever is above has heard. */
  readonly escalations: ReadonlyArray<ExitReason.RestartIntensityExceeded>
  /** Closes its scope. */
  readonly stop: Effect.Effect<void>
}

/** What a test is given: its kind of supervisor, and what it can see of everything. */
export interface World {
  readonly stopsInOrder: boolean
  readonly forgets: boolean
  /** A supervisor of three children with these options, which may restart 2 in 5 seconds. */
  readonly supervise: (...options: ReadonlyArray<TestChild.Options>) => Effect.Effect<Tested, {}, Scope.Scope>
  /** The same, in a program that is told every event. */
  readonly launch: Effect.Effect<Tested, {}, Scope.Scope>
  /** How many fibers live beside that of the test. */
  readonly fibers: Effect.Effect<number>
}

export type Test = (world: World) => Effect.Effect<void, {}, Scope.Scope>

type Events = Array<SupervisorEvent.SupervisorEvent>

const build = Effect.fnUntraced(function*<C extends Child.Any>(
  how: How<C>,
  options: ReadonlyArray<TestChild.Options>,
  events: Events
) {
  const trace = yield* Trace.make
  const escalations: Array<ExitReason.RestartIntensityExceeded> = []
  const child = (index: number) => how.child(`${index}`, { ...options[index], trace } as TestChild.Options)
  const children = [yield* child(0), yield* child(1), yield* child(2)] as const
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
  const making = how.make({
    children: children.map(({ child }) => child),
    intensity: 2,
    period: "5 seconds",
    onEscalation: (error) => Effect.sync(() => void escalations.push(error))
  })
  const subject = yield* Scope.provide(making, scope)
  const toldOf = (id: string) => {
    const path = `${subject.path}/${id} `
    return events.map(SupervisorEvent.format).flatMap((line) => line.startsWith(path) ? [line.slice(path.length)] : [])
  }
  const tested: Tested = { ...subject, children, trace, toldOf, escalations, stop: Scope.close(scope, Exit.void) }
  return tested
})

const supervise = Effect.fnUntraced(function*<C extends Child.Any>(
  how: How<C>,
  options: ReadonlyArray<TestChild.Options>
) {
  const events: Events = []
  const tested = yield* build(how, options, events)
  yield* Effect.forkScoped(Stream.runForEach(tested.events, (event) => Effect.sync(() => void events.push(event))))
  yield* VirtualTime.settle
  return tested
})

const launch = Effect.fnUntraced(function*<C extends Child.Any>(how: How<C>) {
  const events: Events = []
  const built: Array<Tested> = []
  const layer = Layer.effectDiscard(Effect.map(build(how, [], events), (tested) => void built.push(tested)))
  yield* Effect.forkScoped(Supervisor.launch(layer, { onEvent: (event) => Effect.sync(() => void events.push(event)) }))
  yield* VirtualTime.settle
  return built[0] ?? (yield* Effect.die("the supervisor has not started"))
})

/** The orders in which everything is tested: that of arrival, and some others. */
const orders: ReadonlyArray<VirtualTime.Options> = [
  {},
  ...Array.from({ length: 10 }, (_, index) => ({ seed: index + 1 }))
]

/** Runs a test in worlds of several orders. A failure names the seed of its world, if there is one. */
export const run = <C extends Child.Any>(how: How<C>, test: Test): Effect.Effect<void> =>
  Effect.forEach(
    orders,
    (options) =>
      Effect.catchCause(inWorld(how, test, options), (cause) => {
        const error = Cause.squash(cause)
        return Effect.die(
          options.seed === undefined ? error : new Error(`with the seed ${options.seed}`, { cause: error })
        )
      }),
    { discard: true }
  ).pipe(Effect.provide(Logger.layer([])))

/** The scope of a test is closed while time passes, and nothing may be left then. */
const inWorld = <C extends Child.Any>(
  how: How<C>,
  test: Test,
  options: VirtualTime.Options
): Effect.Effect<void, {}> => {
  let fibers = 0
  const counting = { recordFiberStart: () => void fibers++, recordFiberEnd: () => void fibers-- }
  const world: World = {
    stopsInOrder: how.stopsInOrder ?? true,
    forgets: how.forgets ?? false,
    supervise: (...options) => supervise(how, options),
    launch: launch(how),
    fibers: Effect.sync(() => fibers)
  }
  const inScope = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Scope.provide(test(world), scope))
    const closing = yield* Effect.forkChild(Scope.close(scope, exit))
    yield* TestClock.adjust("1 hour")
    yield* exit
    assert.deepStrictEqual(closing.pollUnsafe(), Exit.void)
    assert.deepStrictEqual(
      [fibers, (yield* VirtualTime.current).sleeping],
      [0, []],
      "the fibers and the sleepers that are left"
    )
  })
  return VirtualTime.run(Effect.provideService(inScope, Metric.FiberRuntimeMetrics, counting), options)
}
