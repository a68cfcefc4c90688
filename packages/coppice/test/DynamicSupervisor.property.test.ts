import { type TestChild, VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { DynamicSupervisor, type ExitReason } from "coppice"
import { Effect, Exit, Fiber, Logger, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type AnyChild, Kit, patient } from "./support/kit.ts"

const keys = ["a", "b", "c", "d"] as const
const maxChildren = 3

const Action = Schema.Struct({
  what: Schema.Literals([
    "start",
    "start",
    "start",
    "ensure",
    "run",
    "interrupt run",
    "terminate",
    "terminate handle",
    "crash",
    "crash",
    "return",
    "release",
    "fail"
  ]),
  key: Schema.Literals(keys),
  restart: Schema.Literals(["permanent", "transient", "temporary"]),
  first: Schema.Literals(["ok", "ok", "ok", "hang", "hang", "fail", "ignore"]),
  next: Schema.Array(Schema.Literals(["ok", "ok", "fail", "ignore", "hang", "hang"])).check(Schema.isMaxLength(4)),
  stops: Schema.Literals(["ok", "hang"])
})
type Action = typeof Action.Type

/** What has been asked for, and what came of it. */
class Session {
  readonly kit = new Kit()
  readonly answers: Array<Fiber.Fiber<unknown, unknown>> = []
  readonly runs: Array<Fiber.Fiber<ExitReason.ExitReason, unknown>> = []
  readonly handles: Array<DynamicSupervisor.ChildHandle> = []
  /** The children that have been made. Each has a name of its own, so that none is taken for another. */
  readonly made: Array<string> = []
  /** The name of the latest child of each key. */
  readonly names = new Map<string, string>()
}

const pool = (session: Session) =>
  DynamicSupervisor.make("pool", {
    ...patient,
    maxChildren,
    key: (key) => key,
    child: (key: string, job: TestChild.Options): AnyChild => {
      const name = `${key}${session.made.length}`
      session.made.push(name)
      session.names.set(key, name)
      return session.kit.child(name, job)
    }
  })

type Pool = Effect.Success<ReturnType<typeof pool>>

const hangs = (kit: Kit, name: string): boolean => ["starting", "stopping"].includes(kit.state(name))

const perform = Effect.fnUntraced(function*(session: Session, pool: Pool, action: Action) {
  const { key, restart, stops } = action
  const { answers, handles, kit, runs } = session
  const job: TestChild.Options = { restart, stops, starts: [action.first, ...action.next] }
  const ask = <A, E>(call: Effect.Effect<A, E>) => Effect.forkChild(call, { startImmediately: true })
  const keep = (handle: DynamicSupervisor.ChildHandle) => void handles.push(handle)
  const name = session.names.get(key)
  switch (action.what) {
    case "start":
      answers.push(yield* ask(Effect.map(pool.startChild(key, job), keep)))
      break
    case "ensure":
      answers.push(yield* ask(Effect.map(pool.ensureChild(key, job), keep)))
      break
    case "run":
      runs.push(yield* ask(pool.run(key, job)))
      break
    case "interrupt run": {
      const fiber = runs.shift()
      if (fiber !== undefined) answers.push(yield* ask(Fiber.interrupt(fiber)))
      break
    }
    case "terminate":
      answers.push(yield* ask(pool.terminateChild(key)))
      break
    case "terminate handle": {
      const handle = handles.at(-1)
      if (handle !== undefined) answers.push(yield* ask(handle.terminate))
      break
    }
    case "crash":
      if (name !== undefined && kit.isUp(name)) yield* kit.crash(name)
      break
    case "return":
      if (name !== undefined && kit.isUp(name)) yield* kit.return(name)
      break
    case "release":
      if (name !== undefined && hangs(kit, name)) yield* kit.release(name)
      break
    case "fail":
      if (name !== undefined && kit.state(name) === "starting") yield* kit.crash(name)
  }
  yield* VirtualTime.settle
})

/** What is up is listed, once for its key, and no more than there may be; and what is listed runs, unless it is busy. */
const look = Effect.fnUntraced(function*(session: Session, pool: Pool) {
  const asked = yield* Effect.forkChild(pool.countChildren, { startImmediately: true })
  session.answers.push(asked)
  yield* VirtualTime.settle
  const isIdle = asked.pollUnsafe() !== undefined
  const { children } = yield* pool.tree
  const ids = children.map(({ id }) => id)
  assert.strictEqual(new Set(ids).size, ids.length, "one child for each key")
  assert.isAtMost(ids.length, maxChildren)
  for (const { id, state } of children) {
    if (!isIdle) continue
    assert.strictEqual(state, "running", `${id} is listed`)
    assert.isTrue(session.kit.isUp(session.names.get(id)!), `${id} runs`)
  }
  for (const key of keys) {
    const name = session.names.get(key)
    if (name !== undefined && session.kit.isUp(name)) assert.include(ids, key)
  }
})

// Whatever still holds is let go, as often as it takes on.
const releaseAll = Effect.fnUntraced(function*(session: Session) {
  const isWaiting = () => session.answers.some((answer) => answer.pollUnsafe() === undefined)
  yield* VirtualTime.settle
  for (let round = 0; round < 50 && isWaiting(); round++) {
    for (const name of session.made) if (hangs(session.kit, name)) yield* session.kit.release(name)
  }
  assert.isFalse(isWaiting(), "every call is answered")
})

describe("DynamicSupervisor", () => {
  it.effect.prop(
    "keeps its books whatever happens, answers every call, and leaves nothing",
    { actions: Schema.Array(Action).check(Schema.isMinLength(15), Schema.isMaxLength(40)) },
    ({ actions }) =>
      VirtualTime.run(Effect.gen(function*() {
        const session = new Session()
        const scope = yield* Scope.make()
        const supervisor = yield* Scope.provide(pool(session), scope)
        for (const action of actions) {
          yield* perform(session, supervisor, action)
          yield* look(session, supervisor)
        }
        // Behind whatever the supervisor is busy with.
        const counting = yield* Effect.forkChild(supervisor.countChildren, { startImmediately: true })
        session.answers.push(counting)
        yield* releaseAll(session)
        assert.isAtMost((yield* Fiber.join(counting)).specs, maxChildren)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("1 hour")
        assert.isDefined(closing.pollUnsafe())
        assert.deepStrictEqual(session.made.filter((name) => session.kit.isUp(name)), [])
        // Whoever waits for an end has heard of it.
        for (const handle of session.handles) yield* handle.await
        for (const run of session.runs) assert.isDefined(run.pollUnsafe())
      })).pipe(Effect.provide(Logger.layer([]))),
    { arbitrary: { runs: 400 } }
  )
})
