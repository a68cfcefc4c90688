import { ProcessIdentity, ProcessTable } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { markIn, parseLine } from "../src/internal/darwin.js"
import { living, markOfTest, shell } from "./support/family.ts"

describe("ProcessIdentity", () => {
  it.live("is alive as long as its process is, and not when another has its pid", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const { pid } = yield* shell("exec sleep 60", mark)
      const identity = ProcessIdentity.of(pid)
      assert.isTrue(ProcessIdentity.isAlive(identity))
      assert.isTrue(ProcessIdentity.isAlive({ pid }))
      assert.isFalse(ProcessIdentity.isAlive({ pid, startTime: "another" }))
      assert.isTrue(ProcessIdentity.signal(identity, "SIGKILL"))
      yield* gone(pid)
      assert.isFalse(ProcessIdentity.isAlive(identity))
      assert.isFalse(ProcessIdentity.signal(identity, "SIGKILL"))
    }))

  it.live("sends nothing to another process that has its pid", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      const { pid } = yield* shell("exec sleep 60", mark)
      assert.isFalse(ProcessIdentity.signal({ pid, startTime: "another" }, "SIGKILL"))
      assert.deepStrictEqual((yield* living(mark)).map((entry) => entry.pid), [pid])
    }))

  it.live("is not alive when it has ended and its parent has not asked how", () =>
    Effect.gen(function*() {
      const mark = markOfTest()
      // What the shell has started is the child of what it becomes, which never asks.
      const { pid } = yield* shell("sleep 0 & exec sleep 60", mark)
      const zombie = yield* ProcessTable.all.pipe(
        Effect.map((all) => all.find((entry) => entry.parent === pid && entry.zombie)),
        Effect.filterOrFail((entry) => entry !== undefined),
        Effect.retry(Schedule.spaced("10 millis"))
      )
      assert.isFalse(ProcessIdentity.isAlive(zombie))
    }))
})

describe("ProcessTable", () => {
  it.live("is not deceived by the name of a process", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "coppice-table-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const name = join(folder, "a) Z 1 (b")
      copyFileSync("/bin/sleep", name)
      const mark = markOfTest()
      const { pid } = yield* shell(`"${name}" 60; :`, mark)
      const named = yield* living(mark).pipe(
        Effect.map((all) => all.find((entry) => entry.name === "a) Z 1 (b")),
        Effect.filterOrFail((entry) => entry !== undefined),
        Effect.retry(Schedule.spaced("10 millis")),
        Effect.timeout("10 seconds")
      )
      assert.deepStrictEqual([named.parent, named.group, named.zombie], [pid, pid, false])
    }))

  it.live("finds those that bear a mark, and no others", () =>
    Effect.gen(function*() {
      const [one, other] = [markOfTest(), markOfTest()]
      const { pid } = yield* shell("exec sleep 60", `${one}${other}`)
      const { pid: second } = yield* shell("exec sleep 60", other)
      assert.deepStrictEqual(yield* ProcessTable.marked(one), [pid])
      assert.sameMembers([...yield* ProcessTable.marked(other)], [pid, second])
      assert.deepStrictEqual(yield* ProcessTable.marked(markOfTest(), one), [pid])
    }))
})

describe("ProcessTable, of what ps says on macOS", () => {
  it("reads a process, whose command is a path that may have spaces in it", () => {
    assert.deepStrictEqual(
      parseLine("  501     1   501 Ss   Mon Jan  5 09:07:01 2026     /Applications/Some App.app/Contents/Some Helper"),
      {
        pid: 501,
        parent: 1,
        group: 501,
        session: 501,
        startTime: "Mon Jan 5 09:07:01 2026",
        zombie: false,
        name: "Some Helper"
      }
    )
  })

  it("reads one that has ended, which may have no command any more", () => {
    const zombie = parseLine("502 501 501 Z Mon Jan 5 09:07:01 2026")
    assert.deepStrictEqual([zombie?.zombie, zombie?.name], [true, ""])
  })

  it("reads nothing from what is no process", () => {
    assert.isUndefined(parseLine("502 501 501"))
    assert.isUndefined(parseLine("ps: no such thing"))
  })

  it("finds a mark in the variable that bears it, and nowhere else", () => {
    assert.strictEqual(markIn("501 /bin/sh -c true HOME=/ COPPICE_SUPERVISOR=a.1;b.2;"), "a.1;b.2;")
    assert.isUndefined(markIn("501 /bin/sh -c true HOME=b.2;"))
  })
})

const gone = (pid: number) =>
  Effect.suspend(() => ProcessIdentity.isAlive({ pid }) ? Effect.fail("alive") : Effect.void).pipe(
    Effect.retry(Schedule.spaced("10 millis"))
  )
