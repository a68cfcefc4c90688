import { KillTree, ProcessIdentity, ProcessTable } from "@coppice/process"
import { assert, describe, it, vi } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { living, livingOf, markOfTest, shell, sleeping } from "./support/family.ts"

const entry = (pid: number, parent: number, more: Partial<ProcessTable.Entry> = {}): ProcessTable.Entry => ({
  pid,
  parent,
  group: pid,
  session: pid,
  startTime: `${pid}`,
  zombie: false,
  name: "sh",
  ...more
})

describe("who belongs to a process", () => {
  const isLeader = ({ pid, startTime }: ProcessTable.Entry) => pid === 10 && startTime === "10"
  const members = (
    table: ReadonlyArray<ProcessTable.Entry>,
    isSurely: (entry: ProcessTable.Entry) => boolean = isLeader
  ) => ProcessTable.family(table, 10, isSurely).map(({ pid }) => pid).toSorted((a, b) => a - b)

  it("are its descendants, whatever their group", () => {
    assert.deepStrictEqual(members([entry(10, 1), entry(11, 10, { group: 10 }), entry(12, 11), entry(20, 1)]), [
      10,
      11,
      12
    ])
  })

  it("are the members of its group that have lost their parents, and their descendants", () => {
    assert.deepStrictEqual(members([entry(10, 1), entry(15, 1, { group: 10 }), entry(16, 15)]), [10, 15, 16])
  })

  it("are those that were known before, when it is gone itself", () => {
    const known = ({ pid }: ProcessTable.Entry) => pid === 12
    assert.deepStrictEqual(members([entry(12, 1), entry(13, 12), entry(14, 1)], known), [12, 13])
  })

  it("is nobody in the group of another that has its pid by now", () => {
    const table = [entry(10, 1, { startTime: "later" }), entry(11, 10, { group: 10 }), entry(12, 1)]
    assert.deepStrictEqual(members(table, ({ pid }) => pid === 12), [12])
    assert.deepStrictEqual(members(table), [])
  })

  it("is never this process", () => {
    assert.deepStrictEqual(members([entry(10, 1), entry(process.pid, 10)]), [10])
  })
})

describe("killTree", () => {
  it.live("ends descendants four levels deep", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const deep = "sh -c \"sh -c 'sh -c \\\"sleep 60; :\\\"; :'; :\"; :"
      const leader = yield* shell(deep, mark)
      yield* livingOf(mark, 5)
      assert.deepStrictEqual(yield* KillTree.killTree(ProcessIdentity.of(leader.pid), { mark }), { killed: [] })
      assert.deepStrictEqual(yield* living(mark), [])
    }))

  it.live("ends those that have left the group, the session and their parent", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const leader = yield* shell("(setsid sleep 61 &) ; (setsid sleep 62 &) ; exec sleep 63", mark)
      yield* livingOf(mark, 3, 3)
      yield* KillTree.killTree(ProcessIdentity.of(leader.pid), { mark })
      assert.deepStrictEqual(yield* living(mark), [])
    }))

  it.live("ends what a leader that has ended leaves behind", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const leader = yield* shell("sleep 61 & sleep 62 &", mark)
      const identity = ProcessIdentity.of(leader.pid)
      yield* livingOf(mark, 2)
      yield* KillTree.killTree(identity, { mark })
      assert.deepStrictEqual(yield* living(mark), [])
    }))

  it.live("kills those that ignore what they are sent, and says who they were", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const leader = yield* shell("sleep 61 & trap '' TERM INT; (exec sleep 62) & exec sleep 63", mark)
      const all = yield* sleeping(mark, 3)
      const { killed } = yield* KillTree.killTree(ProcessIdentity.of(leader.pid), {
        mark,
        steps: [["SIGTERM", "100 millis"], ["SIGINT", "100 millis"]]
      })
      // All but the first, which was started before signals were ignored.
      assert.deepStrictEqual(
        killed.toSorted((a, b) => a.pid - b.pid),
        [
          ...all.filter(({ pid }) => pid === leader.pid),
          ...all.slice(-1)
        ].map(({ pid, startTime }) => ({ pid, startTime, name: "sleep" }))
      )
      assert.deepStrictEqual(yield* living(mark), [])
    }))

  it.live("asks all in mode tree, the group in mode group, and one in mode leader, as long as that one lives", () =>
    Effect.gen(function*() {
      const killed: Record<string, number> = {}
      for (const mode of ["tree", "group", "leader"] as const) {
        const mark = markOfTest()
        // The leader does not hear it, the others would.
        const leader = yield* shell("(exec setsid sleep 61) & sleep 62 & trap '' TERM; exec sleep 63", mark)
        yield* livingOf(mark, 3, 2)
        const steps = [["SIGTERM", "300 millis"]] as const
        killed[mode] = (yield* KillTree.killTree(ProcessIdentity.of(leader.pid), { mark, mode, steps })).killed.length
        assert.deepStrictEqual(yield* living(mark), [])
      }
      assert.deepStrictEqual(killed, { tree: 1, group: 2, leader: 3 })
    }))

  it.live("asks whoever is left, when the one who was to end them has gone", () =>
    Effect.gen(function*() {
      for (const mode of ["group", "leader"] as const) {
        const mark = markOfTest()
        const leader = yield* shell("(exec setsid sleep 61) & sleep 62 & exec sleep 63", mark)
        yield* livingOf(mark, 3, 2)
        assert.deepStrictEqual(yield* KillTree.killTree(ProcessIdentity.of(leader.pid), { mark, mode }), { killed: [] })
        assert.deepStrictEqual(yield* living(mark), [])
      }
    }))

  it.live("takes no other group of the same session for the group", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const apart = "python3 -c \"import os; os.setpgid(0, 0); os.execvp('sleep', ['sleep', '62'])\""
      const leader = yield* shell(`${apart} & trap '' TERM; exec sleep 63`, mark)
      const [one, other] = yield* sleeping(mark, 2)
      assert.deepStrictEqual([one?.session, one?.group === other?.group], [other?.session, false])
      const options = { mark, mode: "group", steps: [["SIGTERM", "300 millis"]] } as const
      const { killed } = yield* KillTree.killTree(ProcessIdentity.of(leader.pid), options)
      assert.strictEqual(killed.length, 2)
    }))

  it.live("leaves alone what it starts to clear up", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const leader = yield* shell("trap 'sleep 0.3 && exit' TERM; while :; do sleep 0.01; done", mark)
      yield* livingOf(mark, 2)
      const [took, report] = yield* Effect.timed(KillTree.killTree(ProcessIdentity.of(leader.pid), { mark }))
      assert.deepStrictEqual(report, { killed: [] })
      assert.isAtLeast(Duration.toMillis(took), 300)
    }))

  it.live("fails with the names of those that even then do not end", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const { pid } = yield* shell("exec sleep 60", mark)
      yield* sleeping(mark, 1)
      const deaf = vi.spyOn(process, "kill").mockImplementation(() => true)
      const error = yield* KillTree.killTree(ProcessIdentity.of(pid), { mark, steps: [["SIGTERM", "10 millis"]] }).pipe(
        Effect.flip,
        Effect.ensuring(Effect.sync(() => deaf.mockRestore()))
      )
      assert.deepStrictEqual(error, new KillTree.StillAlive({ processes: [{ pid, name: "sleep" }] }))
      assert.strictEqual(error.message, `killed, but still there: ${pid} (sleep)`)
    }))

  it.live("wakes those that are stopped, or they would not hear", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const { pid } = yield* shell("exec sleep 60", mark)
      yield* livingOf(mark, 1)
      ProcessIdentity.signal(ProcessIdentity.of(pid), "SIGSTOP")
      assert.deepStrictEqual(yield* KillTree.killTree(ProcessIdentity.of(pid), { mark }), { killed: [] })
    }))
})
