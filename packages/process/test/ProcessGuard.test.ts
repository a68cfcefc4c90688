import { ProcessGuard } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { readFileSync } from "node:fs"
import { markOfTest } from "./support/family.ts"
import { withFolder } from "./support/files.ts"
import { goneInTime, guarded, untilTokens, withToken } from "./support/tokens.ts"

const stubborn = "trap '' TERM INT HUP; sleep 64; sleep 65"
const leaver = "(setsid sh -c 'sleep 66 & sleep 67' &); sleep 68"
/** Nothing is left in its environment but what the test needs. */
const bare = "exec env -i TEST_TOKEN=$TEST_TOKEN"

const isGuard = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("guardMain")

const recordsIn = (folder: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readDirectory(`${folder}/processes`))

/** Ends when all that have the token, the program and its guard included, are so many, one of them a guard. */
const upTo = (token: string, count: number) => untilTokens(token, (pids) => pids.length === count && pids.some(isGuard))

describe("ProcessGuard.layer", () => {
  it.live("ends everything within two seconds when its program is killed", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, { registered: [stubborn, leaver, "sleep 69"] })
      child.kill("SIGKILL")
      yield* goneInTime(token)
    }), 20_000)

  it.live("ends what was not registered yet, by its mark", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, { unregistered: [stubborn, leaver, "sleep 69"] })
      child.kill("SIGKILL")
      yield* goneInTime(token)
    }), 20_000)

  it.live("ends what cleared its environment, as long as its parents live", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, { unregistered: ["env -i TEST_TOKEN=$TEST_TOKEN sleep 64; :"] })
      child.kill("SIGKILL")
      yield* goneInTime(token)
    }), 20_000)

  it.live(
    "ends what cleared its environment and lost its parents, as long as it is in the group of a registered one",
    () =>
      Effect.gen(function*() {
        const token = markOfTest()
        const child = yield* guarded(token, { registered: [`(${bare} sleep 64 &); ${bare} sleep 65`] })
        yield* upTo(token, 4)
        child.kill("SIGKILL")
        yield* goneInTime(token)
      }),
    20_000
  )

  it.live("is started again when it is killed, and knows all that are registered", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, { registered: [`${bare} sleep 64`, `${bare} sleep 65`] })
      const [guard] = (yield* upTo(token, 4)).filter(isGuard)
      process.kill(guard!, "SIGKILL")
      yield* untilTokens(token, (pids) => pids.length === 4 && pids.some((pid) => pid !== guard && isGuard(pid)))
      child.kill("SIGKILL")
      yield* goneInTime(token)
    }), 20_000)

  it.live("leaves alone what was released", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, { registered: [`${bare} sleep 64`], released: [`${bare} sleep 65`] })
      yield* upTo(token, 4)
      child.kill("SIGKILL")
      yield* untilTokens(token, (pids) => !pids.some(isGuard))
      assert.strictEqual(withToken(token).length, 1)
    }), 20_000)

  it.live("is gone when its program has ended in order, and has touched nobody", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, { registered: ["exec sleep 64"] })
      yield* upTo(token, 3)
      yield* Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      })
      assert.strictEqual(withToken(token).length, 1)
    }), 20_000)
})

describe("ProcessGuard.layerState", () => {
  it.live(
    "ends at the next start, before anything else, what is left when program and guard are killed at once",
    () =>
      withFolder((folder) =>
        Effect.gen(function*() {
          const [token, next] = [markOfTest(), markOfTest()]
          const registered = [stubborn, `${bare} sleep 64`, `(${bare} sleep 65 &); ${bare} sleep 66`]
          const child = yield* guarded(token, { folder, registered, unregistered: ["sleep 67"] })
          const [guard] = (yield* untilTokens(token, (pids) => pids.length > 7 && pids.some(isGuard))).filter(isGuard)
          process.kill(guard!, "SIGKILL")
          child.kill("SIGKILL")
          const records = yield* recordsIn(folder)
          assert.strictEqual(records.length, 4)
          yield* guarded(next, { folder })
          assert.deepStrictEqual(withToken(token), [])
          const left = yield* recordsIn(folder)
          assert.deepStrictEqual([left.length, left.filter((name) => records.includes(name))], [1, []])
        })
      ),
    20_000
  )

  it.live("has a record of a process from register to release, and none when it ends in order", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const counts = yield* Effect.gen(function*() {
          const guard = yield* ProcessGuard.ProcessGuard
          const mark = yield* guard.nextMark
          const identity = { pid: 4_194_999, startTime: "never" }
          yield* guard.register({ identity, mark, path: "shop/api", command: "node api.js" })
          const during = (yield* recordsIn(folder)).includes(`${mark.replace(";", "")}.json`)
          yield* guard.release(identity)
          return [during, (yield* recordsIn(folder)).length]
        }).pipe(Effect.provide(ProcessGuard.ProcessGuard.layerState(folder)))
        assert.deepStrictEqual([counts, yield* recordsIn(folder)], [[true, 1], []])
      })
    ))
})
