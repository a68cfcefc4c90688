import { ProcessChild, ProcessGuard, ProcessTable } from "@coppice/process"
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { type Child, ChildRef, Supervisor } from "coppice"
import { Context, Effect, Layer, Logger, Schedule, type Scope, Stream } from "effect"
import { ChildProcess } from "effect/process"

/** What process children need, with real processes. */
const Live = ProcessChild.layer.pipe(Layer.provideMerge(NodeServices.layer))

/** A process, and whichever is alive. */
export class Proc
  extends Context.Service<Proc, ProcessChild.Process>()("@coppice/process/test/support/children/Proc")
{}
export class ProcRef extends ChildRef.Service<ProcRef>()("@coppice/process/test/support/children/ProcRef", Proc) {}

type Services = Scope.Scope | Layer.Success<typeof Live> | ProcRef

/** What has been logged, a line each: the level, and the message. */
export type Lines = ReadonlyArray<string>

/** Runs with real processes. None is left behind, and that is looked at. */
export const run = <A, E>(use: (lines: Lines) => Effect.Effect<A, E, Services>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel}: ${Array.isArray(message) ? message.join(" ") : String(message)}`)
  })
  return Effect.gen(function*() {
    const { nextMark } = yield* ProcessGuard.ProcessGuard
    const program = (yield* nextMark).replace(/\d+;$/, "")
    const result = yield* Effect.scoped(use(lines))
    assert.deepStrictEqual(yield* ProcessTable.marked(program), [])
    return result
  }).pipe(Effect.provide(Layer.mergeAll(ProcRef.layer, Live, Logger.layer([logger]))))
}

/** A command of a shell. */
export const sh = (script: string, options?: ChildProcess.CommandOptions) =>
  ChildProcess.make("sh", ["-c", script], options)

/** Node, running a program that is told. */
export const node = (program: string, options?: ChildProcess.CommandOptions) =>
  ChildProcess.make(process.execPath, ["-e", program], options)

/** A supervisor of these children. */
export const supervise = <const Children extends ReadonlyArray<Child.Any>>(
  ...children: Children
) => Supervisor.make("app", { strategy: "one-for-one", children })

/** Why a child ends for which there are no restarts. */
export const reasonOf = Effect.fnUntraced(function*<R>(child: Child.Child<string, unknown, R>) {
  const app = yield* Supervisor.make("app", { strategy: "one-for-one", intensity: 0, children: [child] })
  return (yield* Effect.flip(app.await)).reason
})

/** Tries again until it is so. */
export const until = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.retry(Schedule.spaced("10 millis")), Effect.timeout("15 seconds"))

/** The process that is alive, as soon as there is one. */
export const current = ProcRef.use((process) => Effect.succeed(process))

/** The lines so far, as text. */
export const texts = (process: ProcessChild.Process) =>
  Effect.map(process.log.recent, (lines) => lines.map(({ text }) => text))

/** Waits for a line, from the beginning. */
export const line = (process: ProcessChild.Process, text: string) =>
  process.log.follow.pipe(
    Stream.filter((line) => line._tag === "Line" && line.text === text && line.incarnation === process.incarnation),
    Stream.runHead,
    Effect.timeout("15 seconds")
  )

/** Writes a line to its standard input, which stays open. */
export const say = (process: ProcessChild.Process, text: string) =>
  Stream.run(Stream.concat(Stream.encodeText(Stream.make(`${text}\n`)), Stream.never), process.stdin).pipe(
    Effect.timeoutOption("50 millis")
  )
