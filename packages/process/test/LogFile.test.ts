import { LogFile, ProcessLog } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, FileSystem, Option, Queue, Scope, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { TestClock } from "effect/testing"
import { fileURLToPath } from "node:url"
import { FaultyFiles, withFolder } from "./support/files.ts"

const lineOf = (text: string): ProcessLog.Line => ({
  _tag: "Line",
  timeMillis: 0,
  stream: "stdout",
  path: "api",
  incarnation: 1,
  text
})

/** A file of bare texts. */
const open = Effect.fnUntraced(function*(path: string, options: LogFile.Options = {}) {
  const file = yield* LogFile.make(path, { format: ({ text }) => text, ...options })
  const write = (...texts: ReadonlyArray<string>) => {
    for (const text of texts) file.writeUnsafe(lineOf(text))
  }
  return {
    /** Writes lines that may wait for others. */
    write,
    /** Writes lines, and tries at once to bring them to the disk. */
    put: (...texts: ReadonlyArray<string>) => Effect.andThen(Effect.sync(() => write(...texts)), file.flush)
  }
})

/** What is in the file, and before that what is in the old ones. */
const contents = Effect.fnUntraced(function*(path: string) {
  const files = yield* FileSystem.FileSystem
  const found: Array<string> = []
  if (yield* files.exists(path)) found.push(yield* files.readFileString(path))
  for (let number = 1; yield* files.exists(`${path}.${number}`); number++) {
    found.unshift(yield* files.readFileString(`${path}.${number}`))
  }
  return found
})

const modeOf = (path: string) =>
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (files) => files.stat(path)),
    ({ mode }) => mode & 0o777
  )

describe("a log file", () => {
  it.effect("has the lines of its logs in order, and is nobody else's", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/log/shop/api.log`
        const file = yield* LogFile.make(path)
        const log = yield* ProcessLog.make({ path: "shop/api", sinks: [file] })
        yield* log.drain(Stream.make("a\nb\n", "c").pipe(Stream.encodeText), "stdout", 1)
        yield* log.drain(Stream.make("é\n").pipe(Stream.encodeText), "stderr", 2)
        yield* file.flush
        assert.deepStrictEqual(yield* contents(path), [
          "1970-01-01T00:00:00.000Z shop/api#1 stdout: a\n1970-01-01T00:00:00.000Z shop/api#1 stdout: b\n" +
          "1970-01-01T00:00:00.000Z shop/api#1 stdout: c\n1970-01-01T00:00:00.000Z shop/api#2 stderr: é\n"
        ])
        const modes = yield* Effect.forEach([path, `${folder}/log/shop`, `${folder}/log`], modeOf)
        assert.deepStrictEqual(modes, [0o600, 0o700, 0o700])
      })
    ))

  it.effect("is not made before there is a line", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const { put } = yield* open(`${folder}/api.log`)
        yield* put()
        assert.deepStrictEqual(yield* contents(`${folder}/api.log`), [])
      })
    ))

  it.effect("has all that waited when its scope has closed", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { write } = yield* Scope.provide(open(`${folder}/api.log`, { maxBytes: 1_000_000 }), scope)
        const texts = Array.from({ length: 50_000 }, (_, number) => `${number}`)
        write(...texts)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* contents(`${folder}/api.log`), [`${texts.join("\n")}\n`])
      })
    ))

  it.effect("is left alone from then on", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const scope = yield* Scope.make()
        const { write } = yield* Scope.provide(open(path), scope)
        write("a")
        yield* Scope.close(scope, Exit.void)
        write("too late")
        // Time enough for it to be written, if anybody would.
        yield* Effect.scoped(Effect.flatMap(open(`${folder}/other.log`), ({ put }) => put("b")))
        assert.deepStrictEqual(yield* contents(path), ["a\n"])
      })
    ))

  it.effect("is appended to by the next program, after the line its killed predecessor had not finished", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        yield* Effect.scoped(Effect.flatMap(open(path), ({ put }) => put("a", "b")))
        yield* Effect.scoped(Effect.flatMap(open(path), ({ put }) => put("c")))
        yield* (yield* FileSystem.FileSystem).writeFileString(path, "torn", { flag: "a" })
        yield* Effect.scoped(Effect.flatMap(open(path), ({ put }) => put("d", "e")))
        assert.deepStrictEqual(yield* contents(path), ["a\nb\nc\ntorn\nd\ne\n"])
      })
    ))
})

describe("rotation by size", () => {
  it.effect("begins another file before one becomes too large, and keeps so many old ones", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const { put } = yield* open(path, { maxBytes: 6, keep: 2 })
        yield* put("ab", "cd", "e")
        assert.deepStrictEqual(yield* contents(path), ["ab\ncd\n", "e\n"])
        yield* put("f")
        yield* put("gh", "a long line", "i")
        assert.deepStrictEqual(yield* contents(path), ["gh\n", "a long line\n", "i\n"])
        assert.isFalse(yield* (yield* FileSystem.FileSystem).exists(`${path}.3`))
        assert.strictEqual(yield* modeOf(path), 0o600)
      })
    ))

  it.effect("keeps none if it is to keep none", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const { put } = yield* open(`${folder}/api.log`, { maxBytes: 4, keep: 0 })
        yield* put("ab", "cd", "e", "f")
        assert.deepStrictEqual(yield* contents(`${folder}/api.log`), ["e\nf\n"])
      })
    ))

  it.effect("moves no file further than to a number that is free, as a crash in the middle leaves one", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const files = yield* FileSystem.FileSystem
        for (const name of ["", ".1", ".3"]) yield* files.writeFileString(`${path}${name}`, `old${name}\n`)
        const { put } = yield* open(path, { maxBytes: 4, keep: 3 })
        yield* put("new")
        assert.deepStrictEqual(yield* contents(path), ["old.3\n", "old.1\n", "old\n", "new\n"])
      })
    ))

  it.effect(
    "loses no line and doubles none, across restarts, while several logs write",
    () =>
      withFolder((folder) =>
        Effect.gen(function*() {
          const path = `${folder}/api.log`
          for (const program of ["p", "q", "r"]) yield* Effect.scoped(countedBy(program, path))
          const found = yield* contents(path)
          assert.isAbove(found.length, 20)
          assert.isAtMost(Math.max(...found.map(({ length }) => length)), 2048)
          const numbers: Record<string, Array<number>> = {}
          for (const line of found.join("").trimEnd().split("\n")) {
            const [log, number] = line.split(" ") as [string, string]
            const printed = numbers[log] ??= []
            printed.push(Number(number))
          }
          const expected = Array.from({ length: 2000 }, (_, number) => number + 1)
          const logs = ["p1", "p2", "q1", "q2", "r1", "r2"]
          assert.deepStrictEqual(numbers, Object.fromEntries(logs.map((log) => [log, expected])))
        })
      ),
    30_000
  )
})

/** A program whose two logs count to 2000 at the same time. */
const countedBy = Effect.fnUntraced(function*(program: string, path: string) {
  const format = ({ path, text }: ProcessLog.Line) => `${path} ${text}`
  const file = yield* LogFile.make(path, { maxBytes: 2048, keep: 1000, format })
  const numbers = Stream.range(1, 2000).pipe(Stream.rechunk(7), Stream.map((number) => `${number}\n`))
  const count = Effect.fnUntraced(function*(path: string) {
    const log = yield* ProcessLog.make({ path, sinks: [file] })
    yield* log.drain(Stream.encodeText(numbers), "stdout", 1)
  })
  yield* Effect.forEach([`${program}1`, `${program}2`], count, { concurrency: "unbounded" })
})

describe("rotation by age", () => {
  it.effect("begins another file with the first line that comes too late for one", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const { put } = yield* open(path, { maxAge: "1 hour" })
        yield* TestClock.adjust("5 hours")
        yield* put("a")
        yield* TestClock.adjust(3_599_999)
        yield* put("b")
        assert.deepStrictEqual(yield* contents(path), ["a\nb\n"])
        yield* TestClock.adjust(1)
        yield* put("c")
        yield* TestClock.adjust(3_599_999)
        yield* put("d")
        assert.deepStrictEqual(yield* contents(path), ["a\nb\n", "c\nd\n"])
      })
    ))

  it.effect("counts from when the file was made, whoever made it", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        yield* Effect.scoped(Effect.flatMap(open(path), ({ put }) => put("a")))
        const { birthtime, mtime } = yield* (yield* FileSystem.FileSystem).stat(path)
        const made = [birthtime, mtime].map((time) => Option.getOrThrow(time).getTime()).find((time) => time > 0)!
        yield* TestClock.setTime(made + 59_999)
        yield* Effect.scoped(Effect.flatMap(open(path, { maxAge: "1 minute" }), ({ put }) => put("b")))
        yield* TestClock.setTime(made + 60_000)
        yield* Effect.scoped(Effect.flatMap(open(path, { maxAge: "1 minute" }), ({ put }) => put("c")))
        assert.deepStrictEqual(yield* contents(path), ["a\nb\n", "c\n"])
      })
    ))
})

describe("a disk that fails", () => {
  const long = "x".repeat(49)
  const full = (path: string) => Effect.flatMap(FileSystem.FileSystem, (files) => files.symlink("/dev/full", path))
  const remove = (path: string) =>
    Effect.flatMap(FileSystem.FileSystem, (files) => files.remove(path, { recursive: true }))

  // A process that prints 500 lines, each for itself.
  const counted = Array.from({ length: 500 }, (_, number) => `${number}\n`).join("")
  const counting = Stream.fromIterable(counted.split(/(?<=\n)/)).pipe(Stream.rechunk(1), Stream.encodeText)

  it.effect("is one warning, and its lines wait", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        yield* full(path)
        const { put } = yield* open(path)
        yield* put("a", "b")
        yield* put("c")
        yield* remove(path)
        yield* put("d")
        assert.deepStrictEqual(yield* contents(path), ["a\nb\nc\nd\n"])
        assert.deepStrictEqual(yield* Queue.takeAll(messages), [
          "Warn: /api.log cannot be written, its lines wait",
          "Info: /api.log is written again, no line was lost"
        ])
      })
    ))

  it.effect("costs none of the many lines that have come meanwhile", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        yield* full(path)
        const { put } = yield* open(path, { maxBytes: 10_000, keep: 100 })
        const texts = Array.from({ length: 50_000 }, (_, number) => `${number}`)
        yield* put(...texts.slice(0, 5000))
        yield* put(...texts.slice(5000))
        yield* remove(path)
        yield* put()
        assert.strictEqual((yield* contents(path)).join(""), `${texts.join("\n")}\n`)
      })
    ))

  it.effect("costs the lines that come when too many wait, and says where and how many", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        yield* full(path)
        const { put } = yield* open(path, { backlogBytes: 120 })
        yield* put("being written")
        yield* put(long, long)
        yield* put(long, "short")
        yield* put(long, long, long)
        yield* remove(path)
        yield* put()
        yield* put("a")
        assert.deepStrictEqual(yield* contents(path), [
          `being written\n${long}\n${long}\n(lines lost here, as they could not be written in time: 1)\nshort\n` +
          "(lines lost here, as they could not be written in time: 3)\na\n"
        ])
        assert.deepStrictEqual(yield* Queue.takeAll(messages), [
          "Warn: /api.log cannot be written, its lines wait",
          "Warn: /api.log is written again, lines lost: 4"
        ])
      })
    ))

  it.effect("is told of when it is only too slow", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const { put, write } = yield* open(path, { backlogBytes: 100 })
        write(long, long, long)
        assert.deepStrictEqual(yield* Queue.takeN(messages, 2), [
          "Warn: /api.log is not written as fast as lines come, some are lost",
          "Warn: /api.log is written again, lines lost: 1"
        ])
        yield* put("a")
        assert.deepStrictEqual(yield* contents(path), [
          `${long}\n${long}\n(lines lost here, as they could not be written in time: 1)\na\n`
        ])
        assert.strictEqual(yield* Queue.size(messages), 0)
      })
    ))

  it.effect("makes no reader wait", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        yield* full(`${folder}/api.log`)
        const file = yield* LogFile.make(`${folder}/api.log`, { backlogBytes: 1000 })
        const log = yield* ProcessLog.make({ path: "api", sinks: [file] })
        yield* log.drain(counting, "stdout", 1)
        assert.strictEqual((yield* log.recent).length, 500)
      })
    ))

  it.effect("does not hold the end of a program, which says how many lines are lost", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        yield* full(path)
        const scope = yield* Scope.make()
        const { put, write } = yield* Scope.provide(open(path, { backlogBytes: 100 }), scope)
        yield* put("a", "b")
        write(long, long, long)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* Queue.takeAll(messages), [
          "Warn: /api.log cannot be written, its lines wait",
          "Warn: /api.log could not be written, lines lost: 5"
        ])
      })
    ))

  it.effect("that is slow makes the reader wait, and costs no line", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const format = ({ text }: ProcessLog.Line) => text
        const file = yield* Effect.provide(LogFile.make(path, { format, backlogBytes: 100 }), new FaultyFiles().layer)
        const log = yield* ProcessLog.make({ path: "api", sinks: [file] })
        yield* log.drain(counting, "stdout", 1)
        yield* file.flush
        assert.deepStrictEqual(yield* contents(path), [counted])
        assert.strictEqual(yield* Queue.size(messages), 0)
      })
    ))

  it.live("that stands still makes the reader wait once, and no longer than a second", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const disk = new FaultyFiles()
        const goOn = yield* disk.standStill
        const format = ({ text }: ProcessLog.Line) => text
        const file = yield* Effect.provide(LogFile.make(path, { format, backlogBytes: 100 }), disk.layer)
        const log = yield* ProcessLog.make({ path: "api", sinks: [file] })
        const [time] = yield* Effect.timed(log.drain(counting, "stdout", 1))
        assert.isAtLeast(Duration.toMillis(time), 1000)
        yield* goOn
        yield* file.flush
        yield* file.flush
        const lines = (yield* contents(path)).join("").trimEnd().split("\n")
        const note = lines.pop()
        assert.deepStrictEqual(lines, lines.map((_, number) => `${number}`))
        assert.strictEqual(note, `(lines lost here, as they could not be written in time: ${500 - lines.length})`)
        assert.deepStrictEqual(yield* Queue.takeAll(messages), [
          "Warn: /api.log is not written as fast as lines come, some are lost",
          `Warn: /api.log is written again, lines lost: ${500 - lines.length}`
        ])
        // And it is waited for again.
        yield* log.drain(counting, "stdout", 2)
        yield* file.flush
        assert.isTrue((yield* contents(path)).join("").endsWith(`${note}\n${counted}`))
      })
    ))

  it.effect("that stands still does not hold the end of a program longer than 5 seconds", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const disk = new FaultyFiles()
        const goOn = yield* disk.standStill
        const scope = yield* Scope.make()
        const { write } = yield* Scope.provide(Effect.provide(open(path), disk.layer), scope)
        write("a", "b")
        yield* disk.isStanding
        const close = Effect.uninterruptible(Scope.close(scope, Exit.void))
        const closing = yield* Effect.forkChild(close, { startImmediately: true })
        yield* TestClock.adjust(4999)
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust(1)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(yield* Queue.takeAll(messages), [
          "Warn: /api.log stands still, what is not written may be lost"
        ])
        yield* goOn
      })
    ))

  it.live("is tried again by itself", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/log/api.log`
        yield* (yield* FileSystem.FileSystem).writeFileString(`${folder}/log`, "no folder")
        const { write } = yield* open(path)
        write("a")
        assert.strictEqual(yield* Queue.take(messages), "Warn: /log/api.log cannot be written, its lines wait")
        yield* remove(`${folder}/log`)
        assert.strictEqual(yield* Queue.take(messages), "Info: /log/api.log is written again, no line was lost")
        assert.deepStrictEqual(yield* contents(path), ["a\n"])
      })
    ))

  it.effect("costs no line and doubles none, whichever of its calls fail", () =>
    Effect.gen(function*() {
      const texts = Array.from({ length: 10 }, (_, number) => `line ${"x".repeat(number * 3)} ${number}`)
      const play = (isFaulty: FaultyFiles["isFaulty"]) =>
        withFolder((folder) =>
          Effect.gen(function*() {
            const path = `${folder}/log/api.log`
            const disk = new FaultyFiles()
            const { put } = yield* Effect.provide(open(path, { maxBytes: 60, keep: 20 }), disk.layer)
            yield* put(...texts.slice(0, 3))
            disk.isFaulty = isFaulty
            yield* put(...texts.slice(3, 7))
            yield* put(...texts.slice(7))
            disk.isFaulty = () => false
            yield* put("last")
            return { calls: disk.calls, found: yield* contents(path) }
          })
        )
      const expected = `${[...texts, "last"].join("\n")}\n`
      const { calls } = yield* play(() => false)
      assert.includeMembers(calls, ["stat", "makeDirectory", "open", "rename", "write", "info"])
      for (let first = 1; first <= calls.length; first++) {
        for (const count of [1, 4]) {
          const { found } = yield* play((_, number) => number >= first && number < first + count)
          assert.strictEqual(found.join(""), expected, `calls from ${first}, ${count} of them`)
        }
      }
      for (const call of ["rename", "write", "stat"]) {
        const { found } = yield* play((name) => name === call)
        assert.strictEqual(found.join(""), expected, call)
      }
    }), 30_000)

  it.effect("that lets no file be renamed lets one grow", () =>
    withFolder((folder, messages) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const disk = new FaultyFiles()
        const { put } = yield* Effect.provide(open(path, { maxBytes: 2 }), disk.layer)
        disk.isFaulty = (call) => call === "rename"
        yield* put("a", "b")
        yield* put("c", "d")
        assert.deepStrictEqual(yield* contents(path), ["a\nb\nc\nd\n"])
        disk.isFaulty = () => false
        yield* put("e", "f")
        assert.deepStrictEqual(yield* contents(path), ["a\nb\nc\nd\n", "e\n", "f\n"])
        assert.deepStrictEqual(yield* Queue.takeAll(messages), ["Warn: /api.log cannot be rotated, it grows"])
      })
    ))
})

describe("a file that somebody else has taken away", () => {
  it.effect("is made anew, with its folder", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/log/api.log`
        const files = yield* FileSystem.FileSystem
        const { put } = yield* open(path)
        yield* put("a")
        yield* files.rename(path, `${folder}/elsewhere`)
        yield* put("b")
        assert.deepStrictEqual(yield* contents(path), ["b\n"])
        yield* files.remove(`${folder}/log`, { recursive: true })
        yield* put("c")
        assert.deepStrictEqual(yield* contents(path), ["c\n"])
        assert.strictEqual(yield* files.readFileString(`${folder}/elsewhere`), "a\n")
      })
    ))

  it.effect("while a line was written in part is made anew with the whole of that line", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/api.log`
        const files = yield* FileSystem.FileSystem
        const disk = new FaultyFiles()
        const { put } = yield* Effect.provide(open(path), disk.layer)
        disk.isFaulty = (call) => call === "write" && disk.calls.filter((name) => name === "write").length > 1
        yield* put("a short line", "a longer line", "a last line")
        assert.deepStrictEqual(yield* contents(path), ["a short line\na lo"])
        yield* files.remove(path)
        disk.isFaulty = () => false
        yield* put()
        assert.deepStrictEqual(yield* contents(path), ["a longer line\na last line\n"])
      })
    ))
})

describe("a program that is killed", () => {
  it.live("has written what it had flushed, and no line twice", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        const path = `${folder}/chatty.log`
        const chatty = fileURLToPath(new URL("support/chatty.ts", import.meta.url))
        const program = ChildProcess.make(process.execPath, ["--conditions=@coppice/source", chatty, path])
        yield* Effect.gen(function*() {
          const handle = yield* program
          yield* Stream.runHead(Stream.decodeText(handle.stdout))
          yield* handle.kill({ killSignal: "SIGKILL" })
        }).pipe(Effect.scoped)
        const lines = (yield* contents(path)).join("").split("\n")
        lines.pop()
        assert.isAtLeast(lines.length, 1000)
        assert.deepStrictEqual(lines, lines.map((_, number) => `${number + 1}`))
      })
    ), 60_000)
})

describe("options", () => {
  for (
    const [wrong, least] of [[{ keep: -1 }, 0], [{ keep: 0.5 }, 0], [{ maxBytes: 0 }, 1], [
      { backlogBytes: 0 },
      1
    ]] as const
  ) {
    it.effect(`are refused where they mean nothing: ${JSON.stringify(wrong)}`, () =>
      withFolder((folder) =>
        Effect.gen(function*() {
          const [[name, value]] = Object.entries(wrong) as [[string, number]]
          const path = `${folder}/api.log`
          assert.deepStrictEqual(
            yield* Effect.exit(LogFile.make(path, wrong)),
            Exit.die(new RangeError(`${path}: ${name} is a whole number from ${least}, not ${value}`))
          )
        })
      ))
  }
})
