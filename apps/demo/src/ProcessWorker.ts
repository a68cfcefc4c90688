/**
 * A worker in a process of its own. A panic there ends a process, and so does the kernel when there is no memory left: to the
 * tree that is a child that has ended, like any other.
 */
import { ProcessChild, ProcessProbe } from "@coppice/process"
import { Duration, Effect, Option, Schema } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { Settings } from "./Settings.ts"
import { self } from "./Worker.ts"

/** What the process is told, in its environment. */
export const Told = Schema.fromJsonString(Schema.Struct({
  path: Schema.String,
  incarnation: Schema.Int,
  crash: Schema.optionalKey(Schema.String),
  databaseFile: Schema.String,
  paceMillis: Schema.Finite
}))

/** The environment variable that has it. */
export const toldIn = "DEMO_WORKER"

/** What it prints when it has begun. */
export const greeting = "working"

const program = fileURLToPath(new URL("./processWorkerMain.ts", import.meta.url))

const command = Effect.gen(function*() {
  const { databaseFile, pace } = yield* Settings
  const { crash, incarnation, path } = yield* self
  const told = yield* Schema.encodeEffect(Told)({
    path,
    incarnation,
    databaseFile,
    paceMillis: Duration.toMillis(pace),
    ...(Option.isSome(crash) ? { crash: crash.value } : undefined)
  })
  // As this program is run: from its sources, or not.
  const args = [...process.execArgv.filter((flag) => flag.startsWith("--conditions")), program]
  return ChildProcess.make(process.execPath, args, { env: { [toldIn]: told }, extendEnv: true, stdin: "ignore" })
})

export const processWorker = ProcessChild.make("process-worker", command, {
  readiness: ProcessProbe.logLine(greeting),
  startTimeout: "10 seconds",
  stop: [["SIGTERM", "2 seconds"]]
})
