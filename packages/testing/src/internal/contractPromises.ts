import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { Subject } from "../SupervisorContract.ts"
import * as VirtualTime from "../VirtualTime.ts"
import type { Test, Tested, World } from "./contractWorld.ts"

const ids = ["0", "1", "2"]

/** The lines of the trace, in their order if the kind has one. */
const taken = ({ trace }: Tested, { stopsInOrder }: World) =>
  Effect.map(trace.take, (lines) => stopsInOrder ? lines : lines.toSorted())

const areUp = (children: Tested["children"]) => Effect.forEach(children, ({ isUp }) => isUp)

const tagOf = (call: Effect.Effect<unknown, { readonly _tag: string }>) =>
  Effect.match(call, { onFailure: ({ _tag }) => _tag, onSuccess: () => "ok" })

/** What the calls answer: all the same. */
const answer = ({ countChildren, exitChild, whichChildren }: Subject) =>
  Effect.gen(function*() {
    const answers = [yield* tagOf(whichChildren), yield* tagOf(countChildren)]
    if (exitChild !== undefined) answers.push(yield* tagOf(exitChild("1", { _tag: "Killed" })))
    return [...new Set(answers)].join(", ")
  })

/** What a supervisor promises, and the test of it. */
export const promises: Readonly<Record<string, Test>> = {
  "tells every start, and lists every child": Effect.fnUntraced(function*(world) {
    const tested = yield* world.launch
    assert.deepStrictEqual(yield* tested.trace.take, ["start 0", "start 1", "start 2"])
    for (const id of ids) {
      assert.deepStrictEqual(tested.toldOf(id), ["starting (incarnation 1)", "started (incarnation 1)"])
    }
    assert.deepStrictEqual((yield* tested.whichChildren).map(({ id }) => id), ids.toReversed())
    assert.deepStrictEqual(yield* tested.countChildren, { specs: 3, active: 3, supervisors: 0, workers: 3 })
  }),

  "tells a crash, restarts the child, and counts that": Effect.fnUntraced(function*({ supervise }) {
    const tested = yield* supervise()
    yield* tested.children[1].crash
    yield* tested.children[1].crash
    assert.deepStrictEqual(yield* areUp(tested.children), [true, true, true])
    assert.deepStrictEqual(tested.toldOf("1"), [
      "failed: 1 crashed; it is restarted",
      "restarting",
      "starting (incarnation 2)",
      "started (incarnation 2)",
      "failed: 1 crashed; it is restarted",
      "restarting",
      "starting (incarnation 3)",
      "started (incarnation 3)"
    ])
    const node = (yield* tested.tree).children[1]
    assert.deepStrictEqual([node?.state, node?.incarnation, node?.restarts], ["running", 3, 2])
  }),

  "restarts a transient child that has crashed, but not one that has ended cleanly": Effect.fnUntraced(
    function*({ forgets, supervise }) {
      const tested = yield* supervise({}, { restart: "transient" })
      yield* tested.children[1].crash
      assert.deepStrictEqual(yield* areUp(tested.children), [true, true, true])
      yield* tested.trace.take
      yield* tested.children[1].exit
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* tested.trace.take, ["exit 1"])
      assert.strictEqual(tested.toldOf("1").at(-1), `shut down; it ${forgets ? "is removed" : "stays down"}`)
      const states = (yield* tested.tree).children.map(({ id, state }) => `${id} ${state}`)
      assert.deepStrictEqual(states, ["0 running", ...(forgets ? [] : ["1 stopped"]), "2 running"])
    }
  ),

  "gives up when more restarts are needed than are allowed, stops every child, and says why": Effect.fnUntraced(
    function*(world) {
      const tested = yield* world.supervise()
      const [, child] = tested.children
      yield* child.crash
      yield* TestClock.adjust("5001 millis")
      yield* child.crash
      yield* child.crash
      assert.deepStrictEqual(yield* areUp(tested.children), [true, true, true])
      yield* tested.trace.take
      yield* child.crash
      const stops = world.stopsInOrder ? ["stop 2", "stop 0"] : ["stop 0", "stop 2"]
      assert.deepStrictEqual(yield* taken(tested, world), ["crash 1", ...stops])
      assert.strictEqual(tested.toldOf("1").at(-1), "failed: 1 crashed; its supervisor gives up")
      const error = yield* tested.await.pipe(Effect.flip, Effect.orDie)
      assert.deepStrictEqual(
        [error.path, error.child, error.restarts, error.intensity, error.periodMillis],
        [tested.path, "1", 3, 2, 5000]
      )
      assert.deepStrictEqual(tested.escalations, [error])
      assert.strictEqual(yield* answer(tested), "SupervisorDown")
    }
  ),

  "abandons a child that does not stop in its time, and goes on": Effect.fnUntraced(function*(world) {
    const tested = yield* world.supervise({}, { stops: "deaf", shutdown: "2 seconds" })
    yield* tested.trace.take
    const stopping = yield* Effect.forkChild(tested.stop)
    yield* TestClock.adjust(1999)
    assert.strictEqual(stopping.pollUnsafe(), undefined)
    assert.deepStrictEqual(yield* taken(tested, world), world.stopsInOrder ? ["stop 2"] : ["stop 0", "stop 2"])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(stopping.pollUnsafe(), Exit.void)
    assert.deepStrictEqual(yield* areUp(tested.children), [false, true, false])
    assert.match(tested.toldOf("1").join(", "), /^abandoned: its (fiber|scope) did not end in time, stopped$/)
    yield* tested.children[1].release
  }),

  "stops every child when its scope closes, waits for it, and leaves nothing behind": Effect.fnUntraced(
    function*(world) {
      const slow = { stops: "hang", shutdown: "Infinity" } as const
      const tested = yield* world.supervise(slow, slow, slow)
      yield* tested.trace.take
      const stopping = yield* Effect.forkChild(tested.stop)
      yield* TestClock.adjust("1 day")
      const lines: Array<string> = []
      for (const child of tested.children.toReversed()) {
        assert.strictEqual(stopping.pollUnsafe(), undefined)
        lines.push(...yield* taken(tested, world))
        yield* child.release
      }
      assert.deepStrictEqual(stopping.pollUnsafe(), Exit.void)
      assert.deepStrictEqual(
        [...lines, ...yield* tested.trace.take],
        world.stopsInOrder
          ? ["stop 2", "gone 2", "stop 1", "gone 1", "stop 0", "gone 0"]
          : ["stop 0", "stop 1", "stop 2", "gone 2", "gone 1", "gone 0"]
      )
      assert.deepStrictEqual([yield* world.fibers, (yield* VirtualTime.current).sleeping], [0, []])
    }
  ),

  "says the same in its calls, its tree and its events": Effect.fnUntraced(function*({ supervise }) {
    const tested = yield* supervise({}, {}, { restart: "transient" })
    yield* tested.children[1].crash
    yield* tested.children[2].exit
    const { children } = yield* tested.tree
    assert.deepStrictEqual(
      (yield* tested.whichChildren).map(({ id, incarnation, path, state }) => ({ id, incarnation, path, state })),
      children.map(({ id, incarnation, path, state }) => ({ id, incarnation, path, state })).toReversed()
    )
    const active = children.filter(({ state }) => state === "running").length
    const counted = { specs: children.length, active, supervisors: 0, workers: children.length }
    assert.deepStrictEqual(yield* tested.countChildren, counted)
    assert.strictEqual(active, 2)
    assert.strictEqual(tested.toldOf("1").at(-1), `started (incarnation ${children[1]?.incarnation})`)
  }),

  "answers every call while it is up, and none after its end": Effect.fnUntraced(function*({ supervise }) {
    const tested = yield* supervise()
    assert.strictEqual(yield* answer(tested), "ok")
    yield* VirtualTime.settle
    yield* tested.stop
    assert.strictEqual(yield* answer(tested), "SupervisorDown")
    assert.deepStrictEqual(yield* Effect.exit(tested.await), Exit.void)
  }),

  "survives every defect of a child": Effect.fnUntraced(function*({ supervise }) {
    const dying = { stops: "fail" } as const
    const tested = yield* supervise(dying, dying, dying)
    const awaiting = yield* Effect.forkChild(tested.await)
    yield* tested.children[1].die
    assert.deepStrictEqual(yield* areUp(tested.children), [true, true, true])
    assert.strictEqual(tested.toldOf("1")[0], "panicked: 1 died; it is restarted")
    assert.strictEqual(awaiting.pollUnsafe(), undefined)
    assert.deepStrictEqual(yield* Effect.exit(tested.stop), Exit.void)
    assert.deepStrictEqual(yield* Fiber.await(awaiting), Exit.void)
  })
}

export const promisesOfExitChild: Readonly<Record<string, Test>> = {
  "ends a child on an exit signal, and says so where it has none of that id": Effect.fnUntraced(
    function*({ supervise }) {
      const { children, exitChild, toldOf } = yield* supervise()
      if (exitChild === undefined) return assert.fail("it has no exitChild")
      assert.strictEqual(yield* tagOf(exitChild("3", { _tag: "Killed" })), "ChildNotFound")
      yield* exitChild("1", { _tag: "Killed" })
      yield* VirtualTime.settle
      assert.strictEqual(toldOf("1")[0], "was killed; it is restarted")
      assert.deepStrictEqual(yield* areUp(children), [true, true, true])
    }
  )
}
