import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor, type SupervisorError } from "coppice"
import { Effect } from "effect"
import { ended, killed, type Kit, patient, rule, shutdown, states } from "../support/kit.ts"
import { collect } from "../support/world.ts"

type Restart = "permanent" | "transient" | "temporary"

const exits: Record<
  string,
  (
    kit: Kit,
    app: Supervisor.Supervisor,
    id: string
  ) => Effect.Effect<void, SupervisorError.ChildNotFound | SupervisorError.SupervisorDown>
> = {
  normal: (kit, _, id) => kit.return(id),
  shutdown: (kit, _, id) => kit.leave(id, shutdown),
  failure: (kit, _, id) => kit.crash(id),
  defect: (kit, _, id) => kit.leave(id, Effect.die("boom")),
  interruption: (kit, _, id) => kit.leave(id, Effect.interrupt),
  kill: (_, app, id) => Effect.andThen(app.exitChild(id, killed), VirtualTime.settle)
}

/** One child of each restart type that leaves in each way: what is running, listed or gone afterwards. */
const outcomes = (restart: Restart) => (kit: Kit) =>
  Effect.gen(function*() {
    const ids = Object.keys(exits)
    const children = ids.map((id) => kit.child(id, { restart }))
    const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", ...patient, children })
    for (const id of ids) yield* exits[id]!(kit, app, id)
    return yield* states(app)
  })

describe("a child that leaves", () => {
  rule("R1", "is restarted for every reason when it is permanent", (kit) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcomes("permanent")(kit), {
        normal: "running",
        shutdown: "running",
        failure: "running",
        defect: "running",
        interruption: "running",
        kill: "running"
      })
      for (const id of Object.keys(exits)) assert.strictEqual(kit.attempts(id), 2)
    }))

  rule(
    "R2",
    "is restarted only after an abnormal exit when it is transient; R4: else it stays listed as down",
    (kit) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* outcomes("transient")(kit), {
          normal: "stopped",
          shutdown: "stopped",
          failure: "running",
          defect: "running",
          interruption: "running",
          kill: "running"
        })
      })
  )

  rule(
    "R3",
    "is never restarted when it is temporary; R4: it is forgotten with its spec",
    (kit) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* outcomes("temporary")(kit), {})
        for (const id of Object.keys(exits)) assert.strictEqual(kit.attempts(id), 1)
      })
  )

  rule(
    "R4",
    "stays listed when it is transient and left cleanly: already present, and restartChild works",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [kit.child("tr", { restart: "transient" }), kit.child("te", { restart: "temporary" })]
        })
        yield* kit.return("tr")
        yield* kit.return("te")
        assert.strictEqual((yield* Effect.flip(app.startChild(kit.child("tr"))))._tag, "ChildAlreadyPresent")
        yield* app.restartChild("tr")
        assert.strictEqual((yield* Effect.flip(app.restartChild("te")))._tag, "ChildNotFound")
        assert.deepStrictEqual(yield* states(app), { tr: "running" })
      })
  )

  rule(
    "R4",
    "is told with the verdict: restarted, kept in the list, or removed from it",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            kit.child("p"),
            kit.child("tr", { restart: "transient" }),
            kit.child("te", { restart: "temporary" })
          ]
        })
        const { take } = yield* collect(app)
        for (const id of ["p", "tr", "te"]) yield* kit.return(id)
        const verdicts = (yield* take).flatMap((event) =>
          event._tag === "ChildExited" ? [[event.path, event.verdict]] : []
        )
        assert.deepStrictEqual(verdicts, [["app/p", "restart"], ["app/tr", "keep"], ["app/te", "remove"]])
      })
  )

  rule("R5", "is judged only if it left by itself: what the supervisor stops is not", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        children: [kit.child("a"), kit.child("b", { stops: "fail" })]
      })
      yield* app.terminateChild("a")
      yield* app.terminateChild("b")
      yield* VirtualTime.settle
      assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "stopped" })
      assert.strictEqual(yield* ended(app), "no")
    }))

  for (const strategy of ["one-for-one", "one-for-all", "rest-for-one"] as const) {
    rule("R6", `and is not restarted has no effect on siblings, under ${strategy}`, (kit) =>
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy,
          children: [
            kit.child("tr", { restart: "transient" }),
            kit.child("te", { restart: "temporary" }),
            kit.child("a"),
            kit.child("b")
          ]
        })
        kit.take()
        yield* kit.return("tr")
        yield* kit.crash("te")
        assert.deepStrictEqual(kit.take(), ["return tr", "crash te"])
      }))
  }

  rule(
    "R7",
    "is released before the restart, and its finalizers are told how it ended",
    (kit) =>
      Effect.gen(function*() {
        let lives = 0
        const child = Child.effect(
          "a",
          Effect.gen(function*() {
            const life = ++lives
            kit.note(`life ${life}`)
            yield* Effect.addFinalizer((exit) => Effect.sync(() => kit.note(`release ${life} ${exit._tag}`)))
            return yield* life === 1 ? Effect.fail("crash") : life === 2 ? Effect.void : Effect.never
          })
        )
        yield* Supervisor.make("app", { strategy: "one-for-one", children: [child, kit.child("b")] })
        yield* VirtualTime.settle
        assert.deepStrictEqual(
          kit.take(),
          ["life 1", "start b", "release 1 Failure", "life 2", "release 2 Success", "life 3"]
        )
      })
  )

  rule("R7", "is restarted by the start it was given, as a new incarnation", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [kit.child("a"), kit.child("b")]
      })
      const spec = yield* app.getChildSpec("a")
      yield* kit.crash("a")
      yield* kit.crash("a")
      assert.strictEqual(yield* app.getChildSpec("a"), spec)
      const numbers = (yield* app.whichChildren).map((child) => [child.id, child.incarnation])
      assert.deepStrictEqual(numbers, [["b", 1], ["a", 3]])
    }))
})
