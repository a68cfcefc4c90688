import { type TestChild, VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, ChildRef, DynamicSupervisor, ExitReason, Supervisor } from "coppice"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { collected } from "../support/garbage.ts"
import { type AnyChild, type Kit, patient, rule } from "../support/kit.ts"
import { collect } from "../support/world.ts"

type Job = TestChild.Options

const tag = <R>(effect: Effect.Effect<unknown, { readonly _tag: string }, R>) =>
  Effect.match(effect, { onFailure: (error) => error._tag, onSuccess: () => "ok" })

/** Scripted children by their names, which are their keys. */
const keyed = (kit: Kit, options?: { readonly maxChildren?: number; readonly intensity?: number }) =>
  DynamicSupervisor.make("pool", {
    ...patient,
    ...options,
    child: (id: string, job: Job = {}): AnyChild => kit.child(id, job),
    key: (id) => id
  })

/** A call that is in the supervisor's mailbox when this answers. */
const queued = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.forkChild(call, { startImmediately: true })

interface Pool {
  readonly whichChildren: Effect.Effect<ReadonlyArray<Supervisor.ChildInfo>, Supervisor.CallFailed>
}

/** The states of the children, the oldest first. */
const states = (pool: Pool) =>
  Effect.map(
    pool.whichChildren,
    (children) => Object.fromEntries(children.toReversed().map(({ id, state }) => [id, state]))
  )

describe("dynamic supervisors", () => {
  rule(
    "D1",
    "begin without children, and make each with one function; what it makes must be a child",
    () =>
      Effect.gen(function*() {
        const made: Array<unknown> = []
        const pool = yield* DynamicSupervisor.make("pool", {
          child: (what: unknown): AnyChild => {
            made.push(what)
            return what as AnyChild
          }
        })
        assert.deepStrictEqual(made, [])
        const exit = yield* Effect.exit(pool.startChild("no child"))
        assert.isTrue(Exit.hasDies(exit))
        assert.deepStrictEqual(yield* states(pool), {})
        yield* pool.startChild(Child.effect("a", Effect.never))
        assert.strictEqual(made.length, 2)
      })
  )

  rule("D1", "options that cannot be are a defect that names the value", () =>
    Effect.gen(function*() {
      for (const maxChildren of [-1, 1.5, NaN]) {
        const exit = yield* Effect.exit(DynamicSupervisor.make("pool", {
          child: () => Child.effect("a", Effect.never),
          maxChildren
        }))
        assert.include(String(exit), `pool: maxChildren is a whole number from zero or Infinity, not ${maxChildren}`)
      }
    }))

  rule("D2", "have children whose ids are made, and none of them twice", (kit) =>
    Effect.gen(function*() {
      const pool = yield* DynamicSupervisor.make("pool", { child: (name: string): AnyChild => kit.child(name) })
      const a = yield* pool.startChild("a")
      const b = yield* pool.startChild("b")
      yield* a.terminate
      const c = yield* pool.startChild("c")
      assert.deepStrictEqual([a.id, b.id, c.id, c.path], ["1", "2", "3", "pool/3"])
      assert.deepStrictEqual(yield* states(pool), { "2": "running", "3": "running" })
    }))

  rule("D2", "have children whose ids are their keys, one at a time for each", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const first = yield* pool.startChild("a")
      assert.strictEqual(first.path, "pool/a")
      assert.strictEqual(yield* tag(pool.startChild("a")), "ChildAlreadyStarted")
      assert.strictEqual(kit.attempts("a"), 1)
      yield* first.terminate
      const second = yield* pool.startChild("a")
      assert.deepStrictEqual([second.id, second.incarnation], ["a", 1])
      assert.strictEqual(yield* tag(pool.startChild("no/slash")), "InvalidChild")
      assert.strictEqual(yield* tag(pool.startChild("")), "InvalidChild")
      assert.deepStrictEqual(yield* states(pool), { a: "running" })
    }))

  rule(
    "D3",
    "restart by the restart type, and drop a child that is not restarted, a transient one too",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        yield* pool.startChild("permanent")
        for (const restart of ["transient", "temporary"] as const) {
          yield* pool.startChild(`${restart} returns`, { restart })
          yield* pool.startChild(`${restart} crashes`, { restart })
        }
        kit.take()
        yield* kit.return("permanent")
        for (const restart of ["transient", "temporary"]) {
          yield* kit.return(`${restart} returns`)
          yield* kit.crash(`${restart} crashes`)
        }
        assert.deepStrictEqual(kit.take(), [
          "return permanent",
          "start permanent",
          "return transient returns",
          "crash transient crashes",
          "start transient crashes",
          "return temporary returns",
          "crash temporary crashes"
        ])
        assert.deepStrictEqual(yield* states(pool), { "permanent": "running", "transient crashes": "running" })
      })
  )

  rule(
    "D3",
    "tell of a child that is not restarted that it is removed, a transient one too",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const { take } = yield* collect(pool)
        for (const restart of ["permanent", "transient", "temporary"] as const) {
          yield* pool.startChild(restart, { restart })
          yield* kit.return(restart)
        }
        const verdicts = (yield* take).flatMap((event) =>
          event._tag === "ChildExited" ? [[event.path, event.verdict]] : []
        )
        assert.deepStrictEqual(verdicts, [
          ["pool/permanent", "restart"],
          ["pool/transient", "remove"],
          ["pool/temporary", "remove"]
        ])
      })
  )

  rule("D4", "restart a child with its own argument", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const pool = yield* DynamicSupervisor.make("pool", {
        ...patient,
        child: (name: string) =>
          Child.effect("worker", Effect.andThen(Effect.sync(() => seen.push(name)), Effect.never))
      })
      const a = yield* pool.startChild("a")
      const b = yield* pool.startChild("b")
      yield* pool.exitChild(a, ExitReason.killed)
      yield* pool.exitChild(b, ExitReason.killed)
      yield* VirtualTime.settle
      assert.deepStrictEqual(seen, ["a", "b", "a", "b"])
    }))

  // erlang/otp#2715.
  rule("D4", "do not keep what a temporary child was started with, while it runs", () =>
    Effect.gen(function*() {
      const seen: Array<WeakRef<object>> = []
      const use = (argument: object) => Effect.andThen(Effect.sync(() => void argument), Effect.never)
      const pool = yield* DynamicSupervisor.make("pool", {
        child: (kind: "effect" | "make", argument: object) => {
          seen.push(new WeakRef(argument))
          return kind === "effect"
            ? Child.effect("a", use(argument), { restart: "temporary" })
            : Child.make("b", Effect.sync(() => argument === undefined ? Effect.void : Effect.never), {
              restart: "temporary"
            })
        }
      })
      yield* pool.startChild("effect", { large: "argument" })
      yield* pool.startChild("make", { large: "argument" })
      yield* VirtualTime.settle
      for (const argument of seen) assert.isTrue(yield* collected(argument))
      assert.deepStrictEqual(yield* states(pool), { "1": "running", "2": "running" })
    }))

  rule("D4", "do not keep it, and show the child as what it is all the same", (kit) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [kit.child("a")] })
      const made: Record<string, AnyChild> = {
        effect: Child.effect("a", Effect.never, { restart: "temporary" }),
        make: Child.make("a", Effect.succeed(Effect.never), { restart: "temporary" }),
        layer: Child.layer("a", Layer.empty, { restart: "temporary" }),
        supervisor: Child.supervisor("a", nested, { restart: "temporary" })
      }
      const pool = yield* DynamicSupervisor.make("pool", { child: (kind: string) => made[kind]!, key: (kind) => kind })
      for (const kind of Object.keys(made)) yield* pool.startChild(kind)
      const { children } = yield* pool.tree
      assert.deepStrictEqual(
        children.map(({ id, kind, state }) => [id, kind, state]),
        Object.keys(made).map((kind) => [kind, kind, "running"])
      )
      assert.deepStrictEqual(yield* pool.countChildren, { specs: 4, active: 4, supervisors: 1, workers: 3 })
    }))

  rule(
    "D5",
    "try a failed restart again, and show the child as restarting; its handle stays good",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const a = yield* pool.startChild("a", { starts: ["ok", "fail", "hang", "ok"] })
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["start a", "crash a", "fail a", "hang a"])
        const asked = yield* queued(states(pool))
        const again = yield* queued(tag(pool.startChild("a")))
        const ensured = yield* queued(tag(pool.ensureChild("a")))
        yield* kit.crash("a")
        assert.deepStrictEqual(asked.pollUnsafe(), Exit.succeed({ a: "restarting" }))
        assert.deepStrictEqual(again.pollUnsafe(), Exit.succeed("ChildRestarting"))
        assert.deepStrictEqual(ensured.pollUnsafe(), Exit.succeed("ChildRestarting"))
        assert.deepStrictEqual(yield* states(pool), { a: "running" })
        yield* a.terminate
        assert.deepStrictEqual(yield* states(pool), {})
      })
  )

  rule("D6", "stop all children at once, whoever started first", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(keyed(kit), scope)
      for (const id of ["a", "b", "c"]) yield* pool.startChild(id, { stops: "hang" })
      kit.take()
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* VirtualTime.settle
      assert.deepStrictEqual(kit.take(), ["stop a", "stop b", "stop c"])
      yield* kit.release("b")
      yield* kit.release("a")
      assert.isUndefined(closing.pollUnsafe())
      yield* kit.release("c")
      assert.deepStrictEqual(kit.take(), ["gone b", "gone a", "gone c"])
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual((yield* pool.tree).children, [])
    }))

  rule("D6", "stop all children at once when they give up, restarting ones too", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit, { intensity: 1 })
      const a = yield* pool.startChild("a")
      const b = yield* pool.startChild("b", { stops: "hang" })
      const c = yield* pool.startChild("c", { starts: ["ok", "fail"] })
      kit.take()
      const ended = yield* Effect.forkChild(Effect.all([a.await, b.await, c.await, Effect.exit(pool.await)]))
      yield* kit.crash("c")
      assert.deepStrictEqual(kit.take(), ["crash c", "fail c", "stop a", "stop b"])
      yield* kit.release("b")
      const exit = ended.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
      if (exit === undefined || Exit.isFailure(exit)) return
      const [reasonOfA, reasonOfB, reasonOfC, end] = exit.value
      assert.deepStrictEqual([reasonOfA._tag, reasonOfB._tag, reasonOfC._tag], ["Shutdown", "Shutdown", "StartFailed"])
      assert.isTrue(Exit.hasFails(end))
      assert.strictEqual(yield* tag(pool.startChild("d")), "SupervisorDown")
    }))

  rule(
    "D7",
    "terminate a child by its handle or its id; by a handle also one that has ended",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const other = yield* keyed(kit)
        const a = yield* pool.startChild("a")
        yield* pool.startChild("b")
        kit.take()
        yield* pool.terminateChild(a)
        yield* pool.terminateChild("b")
        assert.deepStrictEqual(kit.take(), ["stop a", "stop b"])
        yield* pool.terminateChild(a)
        yield* a.terminate
        assert.strictEqual(yield* tag(pool.terminateChild("b")), "ChildNotFound")
        const stranger = yield* other.startChild("stranger")
        assert.strictEqual(yield* tag(pool.terminateChild(stranger)), "ChildNotFound")
        assert.deepStrictEqual(yield* states(other), { stranger: "running" })
      })
  )

  rule(
    "D7",
    "never mean another child than the handle's own, though it has the same key",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const first = yield* pool.startChild("a")
        yield* first.terminate
        const second = yield* pool.startChild("a")
        kit.take()
        yield* first.terminate
        yield* pool.terminateChild(first)
        yield* pool.exitChild(first, ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), [])
        assert.deepStrictEqual(yield* first.await, { _tag: "Shutdown" })
        const waiting = yield* Effect.forkChild(second.await)
        yield* VirtualTime.settle
        assert.isUndefined(waiting.pollUnsafe())
        yield* second.terminate
      })
  )

  rule(
    "D8",
    "count the children by type, restarting ones included, and the active ones without those",
    (kit) =>
      Effect.gen(function*() {
        const nested = Supervisor.layer("nested", { strategy: "one-for-one", children: [] })
        const pool = yield* DynamicSupervisor.make("pool", {
          ...patient,
          child: (what: AnyChild) => what
        })
        yield* pool.startChild(Child.supervisor("nested", nested))
        yield* pool.startChild(kit.child("a"))
        yield* pool.startChild(kit.child("b", { starts: ["ok", "fail", "hang"] }))
        yield* kit.crash("b")
        const counting = yield* queued(pool.countChildren)
        yield* kit.crash("b")
        assert.deepStrictEqual(counting.pollUnsafe(), Exit.succeed({ specs: 3, active: 2, supervisors: 1, workers: 2 }))
      })
  )

  rule(
    "D9",
    "answer an ignored start as a success and keep nothing, also of a permanent child",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit, { maxChildren: 1 })
        for (const restart of ["permanent", "transient", "temporary"] as const) {
          const ignored = yield* pool.startChild("a", { restart, starts: ["ignore", "ignore", "ignore"] })
          assert.isTrue(ignored.ignored)
          assert.deepStrictEqual(yield* ignored.await, ExitReason.normal)
          assert.deepStrictEqual(yield* states(pool), {})
        }
        const task = yield* DynamicSupervisor.make("tasks", { child: () => Child.task("task", Effect.void) })
        assert.isTrue((yield* task.startChild()).ignored)
        assert.deepStrictEqual(yield* states(task), {})
      })
  )

  rule(
    "D10",
    "answer a failed start as an error; nothing is kept, counted or tried again",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit, { intensity: 0, maxChildren: 1 })
        const error = yield* Effect.flip(pool.startChild("a", { starts: ["fail"] }))
        assert.strictEqual(error.message, "pool/a could not start: a does not start\npool could not start \"a\"")
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["fail a"])
        assert.deepStrictEqual(yield* states(pool), {})
        yield* pool.startChild("a")
      })
  )

  rule(
    "EL6",
    "know children by what startChild answered: nobody else adds one, and all that is listed is counted",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        yield* pool.startChild("a")
        const seen: Array<string> = []
        const meddler = yield* DynamicSupervisor.make("meddlers", {
          child: () =>
            Child.effect(
              "meddler",
              Effect.gen(function*() {
                const { id, supervisor } = yield* Child.current
                seen.push(yield* tag(supervisor.startChild(Child.effect("guest", Effect.never))))
                seen.push(yield* tag(supervisor.restartChild(id)))
                seen.push(yield* tag(supervisor.deleteChild(id)))
                return yield* Effect.never
              })
            )
        })
        yield* meddler.startChild()
        yield* VirtualTime.settle
        assert.deepStrictEqual(seen, ["InvalidChild", "ChildRunning", "ChildRunning"])
        assert.deepStrictEqual(yield* meddler.countChildren, { specs: 1, active: 1, supervisors: 0, workers: 1 })
      })
  )

  rule(
    "EL7",
    "take children of every kind, each with a restart type and a shutdown time of its own",
    (kit) =>
      Effect.gen(function*() {
        const inner = Supervisor.layer("inner", { strategy: "one-for-one", children: [kit.child("leaf")] })
        const layer = Layer.effectDiscard(Effect.acquireRelease(
          Effect.sync(() => kit.note("acquire")),
          () => Effect.sync(() => kit.note("release"))
        ))
        const pool = yield* DynamicSupervisor.make("pool", { child: (what: AnyChild) => what })
        yield* pool.startChild(Child.effect("effect", Effect.never, { restart: "temporary" }))
        yield* pool.startChild(kit.child("make", { shutdown: "brutal-kill" }))
        const resource = yield* pool.startChild(Child.layer("layer", layer, { restart: "transient" }))
        yield* pool.startChild(Child.supervisor("supervisor", inner))
        yield* pool.startChild(Child.task("task", Effect.sync(() => kit.note("task"))))
        assert.deepStrictEqual(kit.take(), ["start make", "acquire", "start leaf", "task"])
        assert.deepStrictEqual(
          (yield* pool.tree).children.map(({ children, id, kind }) => [id, kind, children.map(({ path }) => path)]),
          [["1", "effect", []], ["2", "make", []], ["3", "layer", []], ["4", "supervisor", ["pool/4/leaf"]]]
        )
        yield* pool.exitChild(resource, ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["release", "acquire"])
      })
  )

  rule("EL8", "start no more than maxChildren, without running the start", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit, { maxChildren: 2 })
      yield* pool.startChild("a")
      const b = yield* pool.startChild("b")
      kit.take()
      const error = yield* Effect.flip(pool.startChild("c"))
      assert.strictEqual(error.message, "pool has all the 2 children it may have: nothing was started")
      assert.strictEqual(yield* tag(pool.run("c")), "MaxChildrenReached")
      assert.strictEqual(yield* tag(pool.ensureChild("c")), "MaxChildrenReached")
      assert.strictEqual(yield* tag(pool.ensureChild("a")), "ok")
      assert.strictEqual(yield* tag(pool.startChild("a")), "ChildAlreadyStarted")
      assert.deepStrictEqual(kit.take(), [])
      yield* b.terminate
      yield* pool.startChild("c")
      assert.strictEqual(yield* tag((yield* keyed(kit, { maxChildren: 0 })).startChild("a")), "MaxChildrenReached")
    }))

  // elixir-lang/elixir#7655: the count drifted after a child had been restarted.
  rule("EL8", "count restarting children, and do not drift over restarts", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit, { maxChildren: 2 })
      yield* pool.startChild("a", { starts: ["ok", "fail", "hang"] })
      yield* pool.startChild("b")
      yield* kit.crash("a")
      const starting = yield* queued(tag(pool.startChild("c")))
      yield* kit.crash("a")
      assert.deepStrictEqual(starting.pollUnsafe(), Exit.succeed("MaxChildrenReached"))
      for (let crashes = 0; crashes < 20; crashes++) yield* kit.crashTogether("a", "b")
      assert.strictEqual(yield* tag(pool.startChild("c")), "MaxChildrenReached")
      yield* pool.terminateChild("a")
      yield* pool.startChild("c")
      assert.strictEqual(yield* tag(pool.startChild("d")), "MaxChildrenReached")
      assert.deepStrictEqual(yield* states(pool), { b: "running", c: "running" })
    }))

  rule(
    "EL9",
    "have at every start and restart what is for all children, and what each was given",
    (kit) =>
      Effect.gen(function*() {
        const forAll = "depot"
        const pool = yield* DynamicSupervisor.make("pool", {
          ...patient,
          child: (name: string, shelf: number): AnyChild =>
            Child.make("job", Effect.as(Effect.sync(() => kit.note(`${forAll} ${name} ${shelf}`)), Effect.never))
        })
        const a = yield* pool.startChild("a", 1)
        const b = yield* pool.startChild("b", 2)
        assert.deepStrictEqual(kit.take(), ["depot a 1", "depot b 2"])
        yield* pool.exitChild(b, ExitReason.killed)
        yield* pool.exitChild(a, ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(kit.take(), ["depot b 2", "depot a 1"])
      })
  )

  rule("EL10", "drop a child whose restart answers ignore", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const a = yield* pool.startChild("a", { starts: ["ok", "ignore"] })
      yield* kit.crash("a")
      assert.deepStrictEqual(kit.take(), ["start a", "crash a", "ignore a"])
      assert.deepStrictEqual(yield* states(pool), {})
      assert.strictEqual((yield* a.await)._tag, "Failure")
      yield* pool.startChild("a", { starts: [] })
    }))

  rule("EL11", "drop a child that is terminated, whatever its restart type", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      for (const restart of ["permanent", "transient", "temporary"] as const) {
        yield* pool.startChild("a", { restart })
        yield* pool.terminateChild("a")
        assert.deepStrictEqual(yield* states(pool), {})
        assert.strictEqual(yield* tag(pool.terminateChild("a")), "ChildNotFound")
      }
    }))

  rule(
    "EL12",
    "cancel the retry of a child that is terminated while it is restarting",
    (kit) =>
      Effect.gen(function*() {
        const pool = yield* keyed(kit)
        const a = yield* pool.startChild("a", { starts: ["ok", "fail", "hang"] })
        yield* kit.crash("a")
        const terminating = yield* queued(a.terminate)
        yield* kit.crash("a")
        assert.deepStrictEqual(kit.take(), ["start a", "crash a", "fail a", "hang a", "fail a"])
        assert.deepStrictEqual(terminating.pollUnsafe(), Exit.void)
        assert.strictEqual((yield* a.await)._tag, "StartFailed")
        assert.deepStrictEqual(yield* states(pool), {})
      })
  )

  rule("EL12", "count every try: the limit is shared by all children", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit, { intensity: 3 })
      yield* pool.startChild("a")
      yield* pool.startChild("b", { starts: ["ok", "fail", "fail", "fail"] })
      yield* kit.crash("a")
      const error = yield* Effect.forkChild(Effect.flip(pool.await))
      yield* kit.crash("b")
      assert.strictEqual(kit.attempts("b"), 3)
      const exit = error.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && exit.value.child === "b" && exit.value.restarts === 4)
    }))

  rule("EL13", "give each child its own time to stop, all of them at the same time", (kit) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(keyed(kit), scope)
      yield* pool.startChild("brutal", { stops: "deaf", shutdown: "brutal-kill" })
      yield* pool.startChild("short", { stops: "deaf", shutdown: "1 second" })
      yield* pool.startChild("long", { stops: "deaf", shutdown: "3 seconds" })
      yield* pool.startChild("for ever", { stops: "hang", shutdown: "Infinity" })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      const left = Effect.map(pool.tree, (tree) => tree.children.map(({ id }) => id))
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* left, ["brutal", "short", "long", "for ever"])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* left, ["short", "long", "for ever"])
      yield* TestClock.adjust("900 millis")
      assert.deepStrictEqual(yield* left, ["long", "for ever"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* left, ["for ever"])
      yield* TestClock.adjust("1 day")
      assert.isUndefined(closing.pollUnsafe())
      yield* kit.release("for ever")
      assert.isDefined(closing.pollUnsafe())
    }))

  rule("EL14", "have no automatic shutdown, and refuse a significant child", (kit) =>
    Effect.gen(function*() {
      const pool = yield* keyed(kit)
      const error = yield* Effect.flip(pool.startChild("a", { restart: "transient", significant: true }))
      assert.strictEqual(error._tag, "InvalidChild")
      assert.include(error.message, "none of its children is significant")
      assert.deepStrictEqual(kit.take(), [])
      assert.deepStrictEqual(yield* states(pool), {})
    }))

  rule("U3", "begin without children again when they are restarted themselves", (kit) =>
    Effect.gen(function*() {
      class Pool extends DynamicSupervisor.Service<Pool>()("coppice/test/rules/dynamic.test/Pool", {
        child: (id: string): AnyChild => kit.child(id),
        key: (id) => id
      }) {}
      class PoolRef extends ChildRef.Service<PoolRef>()("coppice/test/rules/dynamic.test/PoolRef", Pool) {}
      const test = Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [Child.supervisor("pool", Pool, { ref: PoolRef })]
        })
        const first = yield* PoolRef.use((pool) => pool.startChild("a"))
        assert.strictEqual(first.path, "app/pool/a")
        yield* app.exitChild("pool", ExitReason.killed)
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* PoolRef.use(states), {})
        assert.strictEqual((yield* first.await)._tag, "Shutdown")
        assert.strictEqual(yield* tag(first.terminate), "SupervisorDown")
        const again = yield* PoolRef.use((pool) => pool.startChild("a"))
        assert.strictEqual(yield* tag(PoolRef.use((pool) => pool.terminateChild(first))), "ChildNotFound")
        assert.strictEqual(again.incarnation, 1)
        assert.deepStrictEqual(kit.take(), ["start a", "stop a", "start a"])
      })
      yield* Effect.provide(test, PoolRef.layer)
    }))
})
