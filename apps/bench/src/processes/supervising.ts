/** A process under a Coppice supervisor. */
import { ProcessChild } from "@coppice/process"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Supervisor } from "coppice"
import { Effect, Layer, Logger } from "effect"
import { ChildProcess } from "effect/process"

const App = Supervisor.layer("bench", {
  strategy: "one-for-one",
  children: [ProcessChild.make("shell", ChildProcess.make("sh", ["-c", process.argv[2]!]))]
})

const Live = Layer.mergeAll(ProcessChild.layer, NodeServices.layer, Logger.layer([]))

NodeRuntime.runMain(Effect.provide(Supervisor.launch(App), Live))
