import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Effect, Exit } from "effect"
import { ended, patient, rule, states } from "../support/kit.ts"

const transient = { restart: "transient", significant: true } as const
const temporary = { restart: "temporary", significant: true } as const

// The decision is internal, and another project's: its types are not to be had here.
const verdictModule = "../../src/internal/verdict.ts"
const { endsSupervisor } = await import(verdictModule) as {
  readonly endsSupervisor: (autoShutdown: string, siblingActive: () => boolean) => boolean
}

describe("automatic shutdown", () => {
  rule(
    "A1",
    "any-significant: a significant child leaves and is not restarted, so the others are stopped",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          autoShutdown: "any-significant",
          children: [kit.child("a"), kit.child("b"), kit.child("s", transient), kit.child("s2", transient)]
        })
        kit.take()
        yield* kit.return("s")
        assert.deepStrictEqual(kit.take(), ["return s", "stop s2", "stop b", "stop a"])
        assert.strictEqual(yield* ended(app), "shut down")
      })
  )

  rule("A2", "all-significant: only when no other significant child is running", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        autoShutdown: "all-significant",
        children: [kit.child("a"), kit.child("s", transient), kit.child("s2", temporary)]
      })
      yield* kit.return("s")
      assert.strictEqual(yield* ended(app), "no")
      yield* kit.crash("s2")
      assert.strictEqual(yield* ended(app), "shut down")
    }))

  rule(
    "A2",
    "all-significant: a significant child that is restarting still counts as active (P30)",
    (kit) =>
      Effect.gen(function*() {
        let attempts = 0
        const broken = Child.make(
          "broken",
          Effect.gen(function*() {
            if (++attempts === 1) return Effect.fail("crash")
            yield* Effect.yieldNow
            return yield* Effect.fail("broken")
          }),
          transient
        )
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          intensity: 1_000_000,
          autoShutdown: "all-significant",
          children: [broken, kit.child("s", transient)]
        })
        yield* Effect.forkChild(kit.return("s"), { startImmediately: true })
        for (const wanted = attempts + 5; attempts < wanted;) yield* Effect.yieldNow
        assert.strictEqual(yield* ended(app), "no")
        // Terminated it no longer counts, but that does not trigger anything either (A5).
        yield* app.terminateChild("broken")
        yield* VirtualTime.settle
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  for (
    const [how, options, leave, end] of [
      ["a transient child's clean exit triggers", transient, Effect.void, "shut down"],
      ["a transient child's crash is a restart and does not", transient, Effect.fail("crash"), "no"],
      ["a temporary child's clean exit triggers", temporary, Effect.void, "shut down"],
      ["a temporary child's crash triggers", temporary, Effect.fail("crash"), "shut down"]
    ] as const
  ) {
    rule("A3", how, (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          autoShutdown: "any-significant",
          children: [kit.child("s", options), kit.child("a")]
        })
        yield* kit.leave("s", leave)
        assert.strictEqual(yield* ended(app), end)
      }))
  }

  rule(
    "A4",
    "all-significant: significant children that are down already do not hold it back",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          autoShutdown: "all-significant",
          children: [
            kit.child("ignored", { ...transient, starts: ["ignore"] }),
            kit.child("terminated", transient),
            kit.child("s", transient)
          ]
        })
        yield* app.terminateChild("terminated")
        yield* kit.return("s")
        assert.strictEqual(yield* ended(app), "shut down")
      })
  )

  rule(
    "A5",
    "is not triggered by terminateChild, a group restart, an ignored start or an ordinary child (P29)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-all",
          ...patient,
          autoShutdown: "any-significant",
          children: [
            kit.child("a", transient),
            kit.child("b", transient),
            kit.child("c", { ...transient, starts: ["ok", "ignore"] }),
            kit.child("d"),
            kit.child("ordinary", { restart: "temporary" })
          ]
        })
        yield* app.terminateChild("a")
        yield* kit.crash("ordinary")
        yield* kit.crash("d")
        assert.strictEqual(yield* ended(app), "no")
        assert.deepStrictEqual(yield* states(app), { a: "running", b: "running", c: "stopped", d: "running" })
      })
  )

  rule(
    "A5",
    "all-significant: stopping the last one with terminateChild leaves the supervisor running (P31)",
    (kit) =>
      Effect.gen(function*() {
        const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          autoShutdown: "all-significant",
          children: [kit.child("a", transient), kit.child("b", transient)]
        })
        yield* kit.return("a")
        yield* app.terminateChild("b")
        assert.strictEqual(yield* ended(app), "no")
      })
  )

  rule("A6", "is no restart, and works with intensity 0 (P32)", (kit) =>
    Effect.gen(function*() {
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        autoShutdown: "any-significant",
        children: [kit.child("s", temporary), kit.child("a")]
      })
      yield* kit.crash("s")
      assert.strictEqual(yield* ended(app), "shut down")
    }))

  rule("A7", "is a clean exit for the parent, and can run up the tree", (kit) =>
    Effect.gen(function*() {
      const nested = Supervisor.layer("nested", {
        strategy: "one-for-one",
        autoShutdown: "any-significant",
        children: [kit.child("s", transient), kit.child("a")]
      })
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        intensity: 0,
        autoShutdown: "all-significant",
        children: [kit.child("z"), Child.supervisor("nested", nested, transient)]
      })
      kit.take()
      yield* kit.return("s")
      assert.deepStrictEqual(kit.take(), ["return s", "stop a", "stop z"])
      assert.strictEqual(yield* ended(app), "shut down")
    }))

  rule(
    "A8",
    "is never the default, and refuses what makes no sense, in the list and in startChild",
    (kit) =>
      Effect.gen(function*() {
        const wrong = [
          { autoShutdown: "never", child: kit.child("a", transient) },
          { autoShutdown: undefined, child: kit.child("a", temporary) },
          { autoShutdown: "any-significant", child: Child.effect("a", Effect.never, { significant: true } as {}) }
        ] as const
        for (const { autoShutdown, child } of wrong) {
          const options = { strategy: "one-for-one", autoShutdown } as const
          const exit = yield* Effect.exit(Supervisor.make("app", { ...options, children: [child] }))
          assert.isTrue(Exit.hasDies(exit))
          const app = yield* Supervisor.make("app", { ...options, children: [] })
          assert.strictEqual((yield* Effect.flip(app.startChild(child)))._tag, "InvalidChild")
        }
        assert.deepStrictEqual(kit.take(), [])
      })
  )

  // No such child is let in under "never": only the decision itself can be asked.
  it("A8: whatever is let in, never ends no supervisor, any-significant each, all-significant that of the last", () => {
    const ends = (autoShutdown: string) => [true, false].map((active) => endsSupervisor(autoShutdown, () => active))
    assert.deepStrictEqual(["never", "any-significant", "all-significant"].map(ends), [
      [false, false],
      [true, true],
      [false, true]
    ])
  })
})
