import { TestChild, Trace, VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Supervisor } from "coppice"
import { Effect } from "effect"

describe("a trace", () => {
  it.effect("has the lines since it was asked last, in order, of all who write in it", () =>
    VirtualTime.run(Effect.gen(function*() {
      const trace = yield* Trace.make
      const other = yield* Trace.make
      const a = yield* TestChild.make("a", { trace })
      const b = yield* TestChild.make("b", { trace })
      yield* other.note("elsewhere")
      yield* trace.note("before")
      yield* Supervisor.make("app", { strategy: "one-for-one", children: [a.child, b.child] })
      yield* trace.note("after")
      const first = yield* trace.take
      yield* trace.note("again")
      assert.deepStrictEqual(first, ["before", "start a", "start b", "after"])
      assert.deepStrictEqual(yield* trace.take, ["again"])
      assert.deepStrictEqual(yield* trace.take, [])
      assert.deepStrictEqual(yield* other.take, ["elsewhere"])
    })))
})
