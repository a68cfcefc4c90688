/** A supervisor whose processes start, crash, are stopped and are killed, without end, as its seed will have it. */
import * as ProcessChild from "@coppice/process/ProcessChild"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as DynamicSupervisor from "coppice/DynamicSupervisor"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ChildProcess from "effect/process/ChildProcess"
import { randomFrom } from "./random.ts"

const scripts = [
  "sleep 71; sleep 72",
  "sleep 73 & sleep 0.05; exit 1",
  "(setsid sleep 74 &); setsid sh -c 'sleep 75 & sleep 76' & sleep 77",
  "(trap '' TERM INT HUP; exec setsid sleep 78) & trap '' TERM INT HUP; sleep 79; sleep 80"
]
const most = 5

const random = randomFrom(Number(process.argv[2]))

const program = Effect.gen(function*() {
  const pool = yield* DynamicSupervisor.make("pool", {
    child: (number: number) =>
      ProcessChild.make("process", ChildProcess.make("sh", ["-c", scripts[number % scripts.length]!]), {
        stop: [["SIGTERM", random(100)]]
      }),
    intensity: 1_000_000
  })
  const running: Array<DynamicSupervisor.ChildHandle<never>> = []
  const act = Effect.gen(function*() {
    if (running.length < most && random(3) > 0) {
      running.push(yield* pool.startChild(random(scripts.length)))
    } else {
      const [one] = running.splice(random(running.length), 1)
      if (one !== undefined) yield* Effect.forkScoped(one.terminate)
    }
  })
  yield* Effect.sync(() => process.stdout.write("up\n"))
  return yield* Effect.forever(Effect.andThen(act, Effect.sleep(random(50))))
})

const Live = Layer.mergeAll(ProcessChild.layer, NodeServices.layer, Logger.layer([]))

Effect.runFork(program.pipe(Effect.scoped, Effect.provide(Live)))
