import { assert, describe } from "@effect/vitest"
import { Child, Supervisor, SupervisorError } from "coppice"
import { Cause, Duration, Effect, Exit } from "effect"
import { type AnyChild, rule } from "../support/kit.ts"

const defect = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

describe("specs", () => {
  rule(
    "V1",
    "default to permanent, not significant, and the kind's shutdown time; getChildSpec answers them",
    () =>
      Effect.gen(function*() {
        const child = Child.effect("a", Effect.never)
        const app = yield* Supervisor.make("app", { strategy: "one-for-one", children: [child] })
        const spec = yield* app.getChildSpec("a")
        assert.strictEqual(spec, child)
        assert.deepStrictEqual(
          { id: spec.id, kind: spec.kind, type: spec.type, restart: spec.restart, significant: spec.significant },
          { id: "a", kind: "effect", type: "worker", restart: "permanent", significant: false }
        )
        assert.deepStrictEqual(spec.shutdown, Duration.seconds(5))
      })
  )

  rule(
    "V2",
    "with a bad value are refused by name: an empty id, one with a slash, a negative shutdown time",
    (kit) =>
      Effect.gen(function*() {
        const wrong: Record<string, AnyChild> = {
          "app/: an id is not empty and contains no slash": kit.child(""),
          "app/a/b: an id is not empty and contains no slash": kit.child("a/b"),
          "app/c: a permanent child cannot be significant, as it never ends for good: make it transient or temporary":
            kit
              .child("c", { significant: true } as {})
        }
        for (const [message, child] of Object.entries(wrong)) {
          const children = [kit.child("first"), child]
          const exit = yield* Effect.exit(Supervisor.make("app", { strategy: "one-for-one", children }))
          const invalid = defect(exit)
          assert.isTrue(invalid instanceof SupervisorError.InvalidChild)
          assert.strictEqual((invalid as SupervisorError.InvalidChild).message, message)
        }
        assert.deepStrictEqual(kit.take(), [])
      })
  )

  rule("V3", "with the same id twice are refused before anything starts", (kit) =>
    Effect.gen(function*() {
      const children = [kit.child("a"), kit.child("b"), kit.child("a")]
      const exit = yield* Effect.exit(Supervisor.make("app", { strategy: "one-for-one", children }))
      assert.strictEqual(String((defect(exit) as Error).message), "app/a: two children have this id")
      assert.deepStrictEqual(kit.take(), [])
    }))

  rule("V3", "that are changed after they have been checked change nothing", (kit) =>
    Effect.gen(function*() {
      const children: Array<AnyChild> = [kit.child("a")]
      const make = Supervisor.make("app", { strategy: "one-for-one", children })
      yield* Effect.scoped(make)
      children.push(kit.child("a"))
      const app = yield* make
      assert.strictEqual((yield* app.countChildren).specs, 1)
    }))

  rule(
    "V3",
    "are checked again as long as they are wrong, each time with an error of its own",
    (kit) =>
      Effect.gen(function*() {
        const children: Array<AnyChild> = [kit.child("a"), kit.child("a")]
        const make = Effect.scoped(Supervisor.make("app", { strategy: "one-for-one", children }))
        const first = defect(yield* Effect.exit(make))
        assert.instanceOf(first, SupervisorError.InvalidChild)
        assert.notStrictEqual(defect(yield* Effect.exit(make)), first)
        children.pop()
        yield* make
      })
  )

  rule(
    "V4",
    "and options are told apart: a supervisor's own bad option names it and its value",
    (kit) =>
      Effect.gen(function*() {
        const messages: Record<string, object> = {
          "app: intensity is a whole number from zero, not -1": { intensity: -1 },
          "app: period is a duration longer than zero, not 0": { period: 0 },
          "app: period is a duration longer than zero, not \"soon\"": { period: "soon" },
          "app: strategy is one of \"one-for-one\", \"one-for-all\", \"rest-for-one\", not \"all-for-one\"": {
            strategy: "all-for-one"
          },
          "app: autoShutdown is one of \"never\", \"any-significant\", \"all-significant\", not \"always\"": {
            autoShutdown: "always"
          },
          "app: children are made with Child.effect, .layer and so on": { children: [Effect.never] },
          "app/a: restart is one of \"permanent\", \"transient\", \"temporary\", not \"always\"": {
            children: [Child.effect("a", Effect.never, { restart: "always" } as {})]
          },
          "app/a: onExhausted is one of \"escalate\", \"give-up\", not \"stop\"": {
            children: [Child.effect("a", Effect.never, { onExhausted: "stop" } as {})]
          }
        }
        for (const [message, options] of Object.entries(messages)) {
          const all = { strategy: "one-for-one", children: [kit.child("a")], ...options } as const
          const exit = yield* Effect.exit(Supervisor.make("app", all))
          assert.strictEqual((defect(exit) as Error).message, message)
        }
        assert.deepStrictEqual(kit.take(), [])
      })
  )

  rule("V5", "can be checked without starting anything: a child is a plain value", () =>
    Effect.sync(() => {
      let ran = false
      const child = Child.effect("a", Effect.sync(() => ran = true), { restart: "transient" })
      assert.deepStrictEqual([child.id, child.restart, ran], ["a", "transient", false])
    }))
})
