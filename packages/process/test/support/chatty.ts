// Writes a thousand numbered lines to the file it is told, says so, and goes on for ever.
import { LogFile, ProcessLog } from "@coppice/process"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"

const numbers = (from: number, to: number) =>
  Stream.range(from, to).pipe(Stream.map((number) => `${number}\n`), Stream.encodeText)

Effect.gen(function*() {
  const file = yield* LogFile.make(process.argv[2]!, { format: ({ text }) => text })
  const log = yield* ProcessLog.make({ path: "chatty", sinks: [file] })
  yield* log.drain(numbers(1, 1000), "stdout", 1)
  yield* file.flush
  yield* Console.log("a thousand")
  yield* log.drain(numbers(1001, Infinity), "stdout", 1)
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer), NodeRuntime.runMain)
