import { ProcessLog } from "@coppice/process"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Queue, Redacted, Schema, Scope, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { TestClock } from "effect/testing"

const { make } = ProcessLog

const printed = (...chunks: ReadonlyArray<string | ReadonlyArray<number>>) =>
  Stream.fromIterable(
    chunks.map((chunk) => typeof chunk === "string" ? new TextEncoder().encode(chunk) : Uint8Array.from(chunk))
  )

/** The lines of what is printed, with what is missing of them. */
const linesOf = Effect.fnUntraced(function*(
  bytes: Stream.Stream<Uint8Array>,
  options: Omit<ProcessLog.Options, "path"> = {}
) {
  const log = yield* make({ path: "api", ...options })
  yield* log.drain(bytes, "stdout", 1)
  return (yield* log.recent).map(({ omittedBytes, text }) =>
    omittedBytes === undefined ? text : `${text}|${omittedBytes}`
  )
})

const line = (text: string, more: Partial<ProcessLog.Line> = {}): ProcessLog.Line => ({
  _tag: "Line",
  timeMillis: 0,
  stream: "stdout",
  path: "api",
  incarnation: 1,
  text,
  ...more
})

const textOf = (item: ProcessLog.Line | ProcessLog.Dropped) => item._tag === "Line" ? item.text : item.count

describe("a line", () => {
  it.effect("ends with a newline, and a carriage return before it is no part of it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* linesOf(printed("a\nb\r\n\n\r\nc\rd\r\r\n")), ["a", "b", "", "", "c\rd\r"])
      assert.deepStrictEqual(yield* linesOf(printed("a\r", "\n", "b", "\nc", "\n")), ["a", "b", "c"])
    }))

  it.effect("is also what the stream ends with", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* linesOf(printed("a\nb")), ["a", "b"])
      assert.deepStrictEqual(yield* linesOf(printed("a", "b")), ["ab"])
      assert.deepStrictEqual(yield* linesOf(printed("a\n")), ["a"])
      assert.deepStrictEqual(yield* linesOf(printed()), [])
    }))

  it.effect("has the characters that were read in two pieces, and U+FFFD for what is no UTF-8", () =>
    Effect.gen(function*() {
      const bytes = [...new TextEncoder().encode("é€😀")]
      for (let at = 1; at < bytes.length; at++) {
        assert.deepStrictEqual(yield* linesOf(printed(bytes.slice(0, at), bytes.slice(at))), ["é€😀"])
      }
      assert.deepStrictEqual(yield* linesOf(printed([0x61, 0xff, 0xe2, 0x82, 10, 0xac, 0x62, 10, 0xc3])), [
        "a\ufffd\ufffd",
        "\ufffdb",
        "\ufffd"
      ])
    }))

  it.effect("that is too long is cut at a whole character, says how much is missing, and never becomes two", () =>
    Effect.gen(function*() {
      const cut = (...chunks: ReadonlyArray<string>) => linesOf(printed(...chunks), { maxLineBytes: 4 })
      assert.deepStrictEqual(yield* cut("abcd\nabcde\nab\nabcdefgh"), ["abcd", "abcd|1", "ab", "abcd|4"])
      assert.deepStrictEqual(yield* cut("abc", "def", "gh\nab", "c\n"), ["abcd|4", "abc"])
      assert.deepStrictEqual(yield* cut("abcd\r\nabcde\r\n", "abcd\r", "\n"), ["abcd", "abcd|1", "abcd"])
      assert.deepStrictEqual(yield* cut("a😀b\nabc€\n€€\n"), ["a|5", "abc|3", "€|3"])
    }))

  const cap = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))
  const byte = Schema.Literals([0x61, 10, 13, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xff, 0xef, 0xbb])
  it.effect.prop(
    "is the same however its bytes were read",
    { chunks: Schema.Array(Schema.Array(byte)), maxLineBytes: cap },
    ({ chunks, maxLineBytes }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* linesOf(printed(...chunks), { maxLineBytes }),
          expectedLines(chunks.flat(), maxLineBytes)
        )
      }),
    { arbitrary: { runs: 1000 } }
  )

  it.effect("has the time at which its end was read", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api" })
      const changes = yield* listen(log.changes)
      const print = yield* process(log, "stderr", 7)
      yield* print("a\nb")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* log.recent, [
        line("a", { stream: "stderr", incarnation: 7 }),
        line("b", { stream: "stderr", incarnation: 7, unfinished: true })
      ])
      yield* print("c\n")
      assert.deepStrictEqual(yield* changes(2), [
        line("a", { stream: "stderr", incarnation: 7 }),
        line("bc", { stream: "stderr", incarnation: 7, timeMillis: 1000 })
      ])
    }))

  it("is written as when, who, where and what", () => {
    const text = "2026-11-20T10:00:00.123Z api#1 stdout: hello"
    const timeMillis = Date.parse("2026-11-20T10:00:00.123Z")
    assert.strictEqual(ProcessLog.format(line("hello", { timeMillis })), text)
    assert.strictEqual(ProcessLog.format(line("hello", { timeMillis, omittedBytes: 3 })), `${text}… (3 bytes more)`)
  })

  it.prop("goes through JSON unchanged", { item: Schema.Union([ProcessLog.Line, ProcessLog.Dropped]) }, ({ item }) => {
    const json = Schema.fromJsonString(Schema.toCodecJson(Schema.Union([ProcessLog.Line, ProcessLog.Dropped])))
    // But for the sign of a zero, which JSON has not.
    const unsigned = Object.fromEntries(Object.entries(item).map(([key, value]) => [key, value === 0 ? 0 : value]))
    assert.deepStrictEqual<object>(Schema.decodeSync(json)(Schema.encodeSync(json)(item)), unsigned)
  })
})

/** Listens; what is answered waits for so many items. */
const listen = Effect.fnUntraced(function*<A>(stream: Stream.Stream<A>) {
  const items = yield* Queue.unbounded<A>()
  const listening = Stream.runForEach(stream, (item) => Queue.offer(items, item))
  yield* Effect.forkScoped(listening, { startImmediately: true })
  return (count: number) => Queue.takeN(items, count)
})

/** A process that prints what it is told to; what is answered waits until the log has read that. */
const process = Effect.fnUntraced(function*(
  log: ProcessLog.ProcessLog,
  stream: ProcessLog.StreamName,
  incarnation: number
) {
  const [chunks, asked] = [yield* Queue.unbounded<Uint8Array>(), yield* Queue.unbounded<void>()]
  const bytes = Stream.fromEffectRepeat(Effect.andThen(Queue.offer(asked, undefined), Queue.take(chunks)))
  yield* Effect.forkScoped(log.drain(bytes, stream, incarnation), { startImmediately: true })
  yield* Queue.take(asked)
  return (text: string) => Effect.andThen(Queue.offer(chunks, new TextEncoder().encode(text)), Queue.take(asked))
})

const expectedLines = (bytes: ReadonlyArray<number>, maxLineBytes: number): ReadonlyArray<string> => {
  const lines: Array<Array<number>> = [[]]
  for (const byte of bytes) {
    if (byte === 10) lines.push([])
    else lines.at(-1)!.push(byte)
  }
  if (lines.at(-1)!.length === 0) lines.pop()
  return lines.map((whole) => {
    const line = whole.at(-1) === 13 ? whole.slice(0, -1) : whole
    const decode = (end: number) =>
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(line.slice(0, end)))
    if (line.length <= maxLineBytes) return decode(line.length)
    const isStart = (at: number) => at >= 0 && (line[at]! & 0xc0) !== 0x80
    const end = [0, 1, 2, 3].map((back) => maxLineBytes - back).find(isStart) ?? maxLineBytes
    return `${decode(end)}|${line.length - end}`
  })
}

describe("drain", () => {
  it.effect("keeps apart what two streams of two incarnations print at the same time", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api" })
      const one = yield* process(log, "stdout", 1)
      const two = yield* process(log, "stdout", 2)
      yield* one("a")
      yield* two("b")
      yield* one("c\n")
      yield* two("d\n")
      assert.deepStrictEqual(yield* log.recent, [line("ac"), line("bd", { incarnation: 2 })])
    }))

  it.effect("loses nothing of an open line when it is interrupted", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api" })
      const endless = Stream.concat(printed("a\nb"), Stream.never)
      const fiber = yield* Effect.forkChild(log.drain(endless, "stdout", 1), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* log.recent, [line("a"), line("b")])
    }))

  it.effect("loses nothing of what it has read when it is interrupted while others listen", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api", lines: 1 })
      const heard = yield* Queue.unbounded<string | number>()
      const listening = Stream.runForEach(log.changes, (item) => Queue.offer(heard, textOf(item)))
      yield* Effect.forkChild(listening, { startImmediately: true })
      const endless = Stream.concat(printed("a\nb\nc\nd"), Stream.never)
      const fiber = yield* Effect.forkChild(log.drain(endless, "stdout", 1), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* log.recent, [line("d")])
      assert.deepStrictEqual(yield* Queue.takeN(heard, 4), ["a", "b", "c", "d"])
    }))

  it.effect("loses nothing of an open line when the stream fails, and fails as it does", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api" })
      const broken = Stream.concat(printed("a\nb"), Stream.fail("broken"))
      assert.deepStrictEqual(yield* Effect.exit(log.drain(broken, "stdout", 1)), Exit.fail("broken"))
      assert.deepStrictEqual(yield* log.recent, [line("a"), line("b")])
    }))

  it.effect("reads on whatever those who listen do", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api", lines: 10 })
      const stuck = Stream.runForEach(log.changes, () => Effect.never)
      yield* Effect.forkChild(stuck, { startImmediately: true })
      const failing = Stream.runForEach(log.changes, () => Effect.die("no"))
      yield* Effect.forkDetach(failing, { startImmediately: true })
      yield* log.drain(printed(...Array.from({ length: 1000 }, (_, number) => `${number}\n`)), "stdout", 1)
      assert.deepStrictEqual((yield* log.recent).at(-1), line("999"))
    }))

  it.live("can be interrupted while a grandchild holds the stream", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api" })
      const handle = yield* ChildProcess.make("/bin/sh", ["-c", "echo started; sleep 60 & printf 'and gone'"])
      const fiber = yield* Effect.forkChild(log.drain(handle.stdout, "stdout", 1))
      const { timeMillis } = yield* Effect.fromOption(yield* Stream.runHead(log.follow)).pipe(
        Effect.filterOrFail((item) => item._tag === "Line")
      )
      yield* handle.exitCode
      yield* Fiber.interrupt(fiber)
      const lines = yield* log.recent
      assert.deepStrictEqual(lines.map(({ text }) => text), ["started", "and gone"])
      assert.strictEqual(lines[0]!.timeMillis, timeMillis)
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("recent", () => {
  it.effect("is the last lines, bounded in number and in characters", () =>
    Effect.gen(function*() {
      const text = Array.from({ length: 25 }, (_, number) => `${number}\n`).join("")
      assert.deepStrictEqual(yield* linesOf(printed(text), { lines: 3 }), ["22", "23", "24"])
      assert.deepStrictEqual(yield* linesOf(printed(text), { maxCharacters: 5 }), ["23", "24"])
      assert.deepStrictEqual(yield* linesOf(printed(`${text}a long one\n`), { maxCharacters: 5 }), ["a long one"])
      assert.strictEqual((yield* linesOf(printed("\n".repeat(5000)))).length, 1000)
    }))
})

describe("those who listen", () => {
  it.effect("are told how many lines they have lost, and go on with the oldest that is kept", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api", lines: 3 })
      const drain = (text: string) => log.drain(printed(text), "stdout", 1)
      const fast = yield* listen(log.changes)
      const [seen, gate] = [yield* Queue.unbounded<string | number>(), yield* Queue.unbounded<void>()]
      const slow = Stream.runForEach(
        log.changes,
        (item) => Effect.andThen(Queue.offer(seen, textOf(item)), Queue.take(gate))
      )
      yield* Effect.forkChild(slow, { startImmediately: true })
      const heard = []
      yield* drain("1\n2\n")
      heard.push(yield* Queue.take(seen), ...yield* fast(2))
      yield* drain("3\n4\n")
      heard.push(...yield* fast(2))
      yield* drain("5\n6\n7\n")
      heard.push(...yield* fast(3))
      yield* Queue.offerAll(gate, Array.from({ length: 5 }, () => {}))
      assert.deepStrictEqual(yield* Queue.takeN(seen, 5), ["2", 2, "5", "6", "7"])
      assert.deepStrictEqual(heard, ["1", ...["1", "2", "3", "4", "5", "6", "7"].map((text) => line(text))])
    }))

  it.effect("lose none when they waited for them, however many come at once", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api", lines: 10 })
      const busy = yield* Queue.unbounded<string | number>()
      const listening = Stream.runForEachArray(log.changes, (items) =>
        Effect.andThen(Effect.yieldNow, Queue.offerAll(busy, items.map(textOf))))
      yield* Effect.forkChild(listening, { startImmediately: true })
      const idle = yield* listen(Stream.map(log.follow, textOf))
      const texts = Array.from({ length: 1005 }, (_, number) =>
        `${number}`)
      yield* log.drain(printed("0", `\n${texts.slice(1).join("\n")}`), "stdout", 1)
      assert.deepStrictEqual(yield* Queue.takeN(busy, 1005), texts)
      assert.deepStrictEqual(yield* idle(1005), texts)
    }))

  it.effect("hear all that come from now on, or first those that are kept", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api", lines: 2 })
      yield* log.drain(printed("1\n2\n3\n"), "stdout", 1)
      const [changes, follow] = [yield* listen(log.changes), yield* listen(log.follow)]
      yield* log.drain(printed("4\n5\n"), "stderr", 2)
      assert.deepStrictEqual((yield* changes(2)).map(textOf), ["4", "5"])
      assert.deepStrictEqual((yield* follow(4)).map(textOf), ["2", "3", "4", "5"])
    }))

  it.effect("hear the last lines and then the end when the log's scope closes", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const log = yield* Scope.provide(make({ path: "api" }), scope)
      const waiting = yield* Effect.forkChild(Stream.runCollect(log.changes), { startImmediately: true })
      yield* log.drain(printed("1\n"), "stdout", 1)
      const late = yield* Effect.forkChild(Stream.runCollect(log.follow), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(textOf), ["1"])
      assert.deepStrictEqual((yield* Fiber.join(late)).map(textOf), ["1"])
      assert.deepStrictEqual((yield* Stream.runCollect(log.follow)).map(textOf), ["1"])
    }))

  it.effect("are forgotten when they leave, as is a stream that has ended", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api" })
      const left = yield* Deferred.make<void>()
      const head = Effect.andThen(Stream.runHead(log.changes), Deferred.succeed(left, undefined))
      yield* Effect.forkChild(head, { startImmediately: true })
      yield* Fiber.interrupt(yield* Effect.forkChild(Stream.runDrain(log.changes), { startImmediately: true }))
      assert.deepStrictEqual(heldBy(log), { waiting: 1, sources: 0 })
      yield* log.drain(printed("1\n"), "stdout", 1)
      yield* Deferred.await(left)
      assert.deepStrictEqual(heldBy(log), { waiting: 0, sources: 0 })
    }))

  it.effect("as sinks are given every line at once", () =>
    Effect.gen(function*() {
      const [one, two]: [Array<ProcessLog.Line>, Array<ProcessLog.Line>] = [[], []]
      const sinks = [{ writeUnsafe: (line: ProcessLog.Line) => one.push(line) }, {
        writeUnsafe: (line: ProcessLog.Line) => two.push(line)
      }]
      const log = yield* make({ path: "api", lines: 1, sinks })
      yield* log.drain(printed("1\n2\n", "3"), "stdout", 1)
      assert.deepStrictEqual(one, [line("1"), line("2"), line("3")])
      assert.deepStrictEqual(two, one)
    }))
})

const heldBy = (log: ProcessLog.ProcessLog) => {
  const { sources, waiting } = log as unknown as Record<"sources" | "waiting", ReadonlySet<unknown>>
  return { waiting: waiting.size, sources: sources.size }
}

describe("secrets", () => {
  const redact = (secrets: ReadonlyArray<string>, ...chunks: ReadonlyArray<string>) =>
    linesOf(printed(...chunks), { redact: secrets.map((secret) => Redacted.make(secret)) })

  it.effect("are in no line, however they were read", () =>
    Effect.gen(function*() {
      const text = "a hunter2 b hunter2\nhunter2hunter2\nnothing\n"
      const expected = ["a <redacted> b <redacted>", "<redacted>", "nothing"]
      for (let at = 0; at < text.length; at++) {
        assert.deepStrictEqual(yield* redact(["hunter2"], text.slice(0, at), text.slice(at)), expected)
      }
    }))

  it.effect("are in no line when one is in another, or begins in it, or is like what is put in their place", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* redact(["abc", "abcdef"], "<abcdefg>"), ["<<redacted>g>"])
      assert.deepStrictEqual(yield* redact(["abcd", "cdef"], "<abcdefg>"), ["<<redacted>g>"])
      assert.deepStrictEqual(yield* redact(["later", "first"], "first, later"), ["<redacted>, <redacted>"])
      assert.deepStrictEqual(yield* redact(["aba"], "<ababa>"), ["<<redacted>>"])
      assert.deepStrictEqual(yield* redact(["abcd", "red"], "abcd"), ["<redacted>"])
      assert.deepStrictEqual(yield* redact(["", "\n"], "a b\n"), ["a b"])
      assert.deepStrictEqual(yield* redact(["a.c"], "abc a.c\n"), ["abc <redacted>"])
    }))

  it.effect("of several lines are several, but for their short lines", () =>
    Effect.gen(function*() {
      const key = "-----BEGIN-----\r\n  abcdefgh\n}\nijklmnop\n-----END-----\n"
      const expected = ["<redacted>", "  <redacted>", "}", "<redacted>", "<redacted>"]
      assert.deepStrictEqual(yield* redact([key], key), expected)
      assert.deepStrictEqual(yield* redact(["hunter\n"], "hunter 2\n"), ["<redacted> 2"])
    }))

  it.effect("are in no line that is cut or ends in the middle of one", () =>
    Effect.gen(function*() {
      const options = { redact: [Redacted.make("hunter2"), Redacted.make("abcdef")], maxLineBytes: 8 }
      assert.deepStrictEqual(yield* linesOf(printed("a hunter2\nhun hunt\na hunte"), options), [
        "a <redacted>|1",
        "hun hunt",
        "a <redacted>"
      ])
      assert.deepStrictEqual(yield* linesOf(printed("12345hunter2"), options), ["12345hun|4"])
    }))

  it.effect("are in no line that is unfinished", () =>
    Effect.gen(function*() {
      const log = yield* make({ path: "api", redact: [Redacted.make("hunter2")] })
      const endless = Stream.concat(printed("is it hunte"), Stream.never)
      yield* Effect.forkChild(log.drain(endless, "stdout", 1), { startImmediately: true })
      assert.deepStrictEqual(yield* log.recent, [line("is it <redacted>", { unfinished: true })])
    }))
})

describe("options", () => {
  for (const wrong of [{ lines: 0 }, { lines: 1.5 }, { maxCharacters: 0 }, { maxLineBytes: 0 }]) {
    it.effect(`are refused where they mean nothing: ${JSON.stringify(wrong)}`, () =>
      Effect.gen(function*() {
        const [[name, value]] = Object.entries(wrong) as [[string, number]]
        assert.deepStrictEqual(
          yield* Effect.exit(make({ path: "api", ...wrong })),
          Exit.die(new RangeError(`api: ${name} is a whole number from 1, not ${value}`))
        )
      }))
  }
})
