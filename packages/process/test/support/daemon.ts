/** A daemon with the child that its arguments name. It tells on standard output what happens to it. */
import { Daemon } from "@coppice/process"
import { Child, Supervisor } from "coppice"
import { Effect, Layer, Logger } from "effect"
import { readSync, writeSync } from "node:fs"

const { child, pidFile, stopTimeout, waits } = JSON.parse(process.argv[2]!) as {
  readonly child: string
  readonly pidFile?: { readonly path: string; readonly owner?: string; readonly port?: number }
  readonly stopTimeout?: number
  readonly waits?: boolean
}

// At once, whatever the process does next, and as long as there is a terminal.
const print = (text: string) => {
  try {
    writeSync(1, `${text}\n`)
  } catch {}
}
const say = (text: string) => Effect.sync(() => print(text))

/** A child that does something when it stops, for however long. */
const stopping = (id: string, stop: Effect.Effect<void>) =>
  Child.layer(id, Layer.effectDiscard(Effect.addFinalizer(() => Effect.andThen(say(`${id} stops`), stop))), {
    shutdown: "Infinity"
  })

// @effect-diagnostics-next-line globalTimersInEffect:off - it is to be thrown outside of all fibers
const fromTimer = (run: () => void) => Effect.andThen(Effect.sync(() => void setTimeout(run, 50)), Effect.never)

const hangs = stopping("hangs", Effect.never)

const Inner = Supervisor.layer("inner", { strategy: "one-for-one", children: [stopping("d", Effect.void), hangs] })

const children: Record<string, Child.Child<string, never, never>> = {
  quiet: stopping("c", Effect.void),
  hangs: Child.supervisor("inner", Inner),
  bomb: Child.effect("bomb", Effect.die("boom")),
  done: Child.effect("done", Effect.void, { restart: "transient", significant: true }),
  starting: Child.make("starting", Effect.andThen(say("starting"), Effect.never)),
  // @effect-diagnostics-next-line globalErrorInEffectFailure:off - as good as any
  unstartable: Child.make("unstartable", Effect.fail(new Error("no database"))),
  thrower: Child.effect(
    "thrower",
    fromTimer(() => {
      throw new Error("out of the blue")
    })
  ),
  rejecter: Child.effect("rejecter", fromTimer(() => void Promise.reject(new Error("nobody cares"))))
}

const App = Supervisor.layer("app", {
  strategy: "one-for-one",
  intensity: 1,
  autoShutdown: "any-significant",
  children: [stopping("a", Effect.void), stopping("b", Effect.void), children[child]!]
})

const logger = Logger.make(({ logLevel, message }) => {
  const [text] = message as ReadonlyArray<unknown>
  if (typeof text === "string" && /daemon|pid/.test(text)) print(`${logLevel}: ${text}`)
})

if (waits === true) {
  print("waits")
  readSync(0, Buffer.alloc(1))
}

process.on("SIGUSR2", print)

// It keeps Node from ending by itself.
// @effect-diagnostics-next-line globalTimers:off - and is nobody's
setInterval(() => {}, 1000)

Daemon.runMain(App, {
  name: "daemon",
  pidFile,
  stopTimeout,
  onReady: say("ready"),
  surroundings: Logger.layer([logger])
})
