/** The program of the worker that has a process of its own. */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Duration, Effect, Option, Ref } from "effect"
import { greeting, Told, toldIn } from "./ProcessWorker.ts"
import { Settings } from "./Settings.ts"
import { work } from "./Worker.ts"

const program = Effect.gen(function*() {
  const { crash, databaseFile, incarnation, paceMillis, path } = yield* Config.schema(Told, toldIn)
  const settings = Settings.of({
    databaseFile,
    pace: Duration.millis(paceMillis),
    port: yield* Ref.make(0),
    workers: 0
  })
  yield* Console.log(greeting)
  return yield* Effect.provideService(
    work({ path, incarnation, crash: Option.fromUndefinedOr(crash) }),
    Settings,
    settings
  )
})

NodeRuntime.runMain(program)
