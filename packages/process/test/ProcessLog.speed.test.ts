import { LogFile, ProcessLog } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Redacted, Stream } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { withFolder } from "./support/files.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const megabyte = 1024 * 1024
const line = "2026-11-20T08:00:00.000Z GET /items/12345 200 in 3 ms for somebody who asked\n"
const chunk = new TextEncoder().encode(line.repeat(Math.floor(65536 / line.length)))
const chunks = Math.ceil(100 * megabyte / chunk.length)
const lines = chunks * (chunk.length / line.length)

/** What a process prints: 100 MB, in chunks as large as a pipe gives, each of them to be read for itself. */
const printed = (bytes: Uint8Array) => Stream.range(1, chunks).pipe(Stream.rechunk(1), Stream.map(() => bytes))

/**
 * How many lines per second, and by how much the heap has grown when all is read. It is the time of the processor that is
 * taken, so that a busy machine makes no difference.
 */
const measured = Effect.fnUntraced(function*<A, E, R>(work: Effect.Effect<A, E, R>) {
  collectGarbage()
  const heap = process.memoryUsage().heapUsed
  const start = process.cpuUsage()
  const answer = yield* work
  const { system, user } = process.cpuUsage(start)
  collectGarbage()
  return { answer, perSecond: lines / ((system + user) / 1e6), grownBytes: process.memoryUsage().heapUsed - heap }
})

const splitOnly = Effect.gen(function*() {
  let count = 0
  yield* Stream.runForEach(printed(chunk), (bytes) =>
    Effect.sync(() => {
      for (const text of Buffer.from(bytes.buffer).toString("utf8").split("\n")) if (text !== "") count++
    }))
  return count
})

const report = (what: string, { perSecond }: { readonly perSecond: number }, bare: { readonly perSecond: number }) =>
  `${what}: ${(perSecond / 1e6).toFixed(2)} million lines per second of processor time, ${
    (perSecond / bare.perSecond).toFixed(2)
  } of a bare split`

describe("a hundred megabytes", () => {
  it.live(
    "of short lines are read fast, and take no more memory than the lines that are kept",
    (test) =>
      withFolder((folder) =>
        Effect.gen(function*() {
          // The first time is not what is meant: the code is compiled in it.
          const logOnly = Effect.flatMap(
            ProcessLog.make({ path: "shop/api" }),
            (log) => Effect.as(log.drain(printed(chunk), "stdout", 1), log)
          )
          yield* Effect.andThen(splitOnly, logOnly)
          const bare = yield* measured(splitOnly)
          const logged = yield* measured(logOnly)
          const secret = yield* ProcessLog.make({ path: "shop/api", redact: [Redacted.make("hunter2")] })
          const redacted = yield* measured(secret.drain(printed(chunk), "stdout", 1))
          const file = yield* LogFile.make(`${folder}/api.log`, { maxBytes: 500 * megabyte })
          const filed = yield* ProcessLog.make({ path: "shop/api", sinks: [file] })
          const written = yield* measured(Effect.andThen(filed.drain(printed(chunk), "stdout", 1), file.flush))
          const all = [
            report("bare split", bare, bare),
            report("log", logged, bare),
            report("log with a secret", redacted, bare),
            report("log and file", written, bare)
          ]
          yield* Effect.promise(() => test.annotate(all.join("\n")))
          const text = line.trimEnd()
          assert.strictEqual(bare.answer, lines)
          assert.deepStrictEqual(
            (yield* logged.answer.recent).map((line) => line.text),
            Array.from({ length: 1000 }, () => text)
          )
          const { size } = yield* (yield* FileSystem.FileSystem).stat(file.path)
          assert.strictEqual(
            Number(size),
            lines * ("1970-01-01T00:00:00.000Z shop/api#1 stdout: ".length + line.length)
          )
          assert.isBelow(logged.grownBytes, 2 * megabyte)
          assert.isBelow(written.grownBytes, 2 * megabyte)
          // It is a third or more, on a busy machine too.
          assert.isAbove(logged.perSecond / bare.perSecond, 0.1, all.join("\n"))
        })
      ),
    120_000
  )

  it.live("without a newline are one line, cut, and take no memory", () =>
    Effect.gen(function*() {
      const log = yield* ProcessLog.make({ path: "shop/api" })
      const bytes = new Uint8Array(chunk.length).fill(0x61)
      const { grownBytes } = yield* measured(log.drain(printed(bytes), "stdout", 1))
      const [only, ...others] = yield* log.recent
      assert.deepStrictEqual(others, [])
      assert.strictEqual(only?.text, "a".repeat(65536))
      assert.strictEqual(only?.omittedBytes, chunks * chunk.length - 65536)
      assert.isBelow(grownBytes, megabyte)
    }), 60_000)
})
