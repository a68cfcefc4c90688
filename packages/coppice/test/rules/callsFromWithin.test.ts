import { VirtualTime } from "@coppice/testing"
import { assert, describe } from "@effect/vitest"
import { Child, Supervisor } from "coppice"
import { Deferred, Effect, Exit } from "effect"
import { type AnyChild, rule, states } from "../support/kit.ts"

const tag = <R>(effect: Effect.Effect<unknown, { readonly _tag: string }, R>) =>
  Effect.match(effect, { onFailure: (error) => error._tag, onSuccess: () => "ok" })

const note = (seen: Array<string>, answer: Effect.Effect<string>): Effect.Effect<void> =>
  Effect.map(answer, (answer) => void seen.push(answer))

describe("calls from inside a child", () => {
  for (
    const [where, nest] of [
      ["a child", (child: AnyChild): AnyChild => child],
      [
        "a supervisor inside a child",
        (child: AnyChild): AnyChild =>
          Child.supervisor("a", Supervisor.layer("a", { strategy: "one-for-one", children: [child] }))
      ]
    ] as const
  ) {
    rule(
      "C11",
      `from ${where} that still wait when it comes to be stopped fail with CallFromWithin`,
      (kit) =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const go = yield* Deferred.make<void>()
          const asking = Effect.suspend(() => note(seen, tag(app.startChild(kit.child("z")))))
          const body = Effect.uninterruptible(Effect.andThen(Deferred.await(go), asking))
          const a = Child.effect("a", body, { shutdown: "Infinity" })
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
            strategy: "one-for-one",
            children: [nest(a)]
          })
          yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
          yield* VirtualTime.settle
          const terminating = yield* Effect.forkChild(app.terminateChild("a"))
          yield* VirtualTime.settle
          yield* Deferred.succeed(go, undefined)
          yield* VirtualTime.settle
          assert.deepStrictEqual(seen, [])
          yield* kit.release("slow")
          assert.deepStrictEqual(seen, ["CallFromWithin"])
          assert.isDefined(terminating.pollUnsafe())
          assert.deepStrictEqual(kit.take(), ["hang slow", "start slow"])
        })
    )
  }

  for (
    const [when, ask] of [
      ["before", (call: Effect.Effect<void>) => Effect.uninterruptible(call)],
      [
        "when it is stopped",
        (call: Effect.Effect<void>): Effect.Effect<void> => Effect.onInterrupt(Effect.never, () => call)
      ]
    ] as const
  ) {
    rule(
      "C11",
      `from a child that is stopped because a start fails that the supervisor waits for fail with CallFromWithin: ${when}`,
      (kit) =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const call = Effect.suspend(() => note(seen, tag(outer!.countChildren)))
          let outer: Supervisor.Supervisor | undefined
          const nested = Supervisor.layer("nested", {
            strategy: "one-for-one",
            children: [
              Child.effect("leaf", ask(call), { shutdown: "Infinity" }),
              kit.child("z", { starts: ["hang"] })
            ]
          })
          const app: Supervisor.Supervisor = yield* Supervisor.make("app", { strategy: "one-for-one", children: [] })
          outer = app
          const starting = yield* Effect.forkChild(tag(app.startChild(Child.supervisor("nested", nested))))
          yield* VirtualTime.settle
          assert.deepStrictEqual(seen, [])
          yield* kit.crash("z")
          assert.deepStrictEqual(seen, ["CallFromWithin"])
          assert.deepStrictEqual(starting.pollUnsafe(), Exit.succeed("ChildStartFailed"))
        })
    )
  }

  rule("C11", "from a child that is interrupted meanwhile are handled all the same", (kit) =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const body = Effect.andThen(Deferred.await(go), Effect.suspend(() => app.terminateChild("b")))
      const a = Child.make("a", Effect.as(Effect.addFinalizer(() => Effect.yieldNow), body))
      const app: Supervisor.Supervisor = yield* Supervisor.make("app", {
        strategy: "one-for-one",
        children: [a, kit.child("b")]
      })
      yield* Effect.forkChild(app.startChild(kit.child("slow", { starts: ["hang"] })))
      yield* VirtualTime.settle
      yield* Effect.forkChild(app.terminateChild("a"))
      yield* VirtualTime.settle
      yield* Deferred.succeed(go, undefined)
      yield* kit.release("slow")
      assert.deepStrictEqual(yield* states(app), { a: "stopped", b: "stopped", slow: "running" })
    }))

  rule("C11", "by a child on itself that it will not leave fails with CallFromWithin", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const ending = Effect.flatMap(Child.current, ({ supervisor }) => tag(supervisor.terminateChild("a")))
      const body = Effect.ensuring(Effect.fail("crash"), note(seen, ending))
      const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [Child.effect("a", body)] })
      yield* VirtualTime.settle
      assert.deepStrictEqual(seen, ["CallFromWithin"])
      assert.deepStrictEqual(yield* states(app), { a: "stopped" })
    }))
})
