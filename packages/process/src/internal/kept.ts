import { Child } from "coppice"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogFile from "../LogFile.ts"
import { Ports } from "../Ports.ts"
import type { LogOptions, ProcessOptions } from "../ProcessChild.ts"
import * as ProcessLog from "../ProcessLog.ts"
import type { Port } from "./command.ts"

/** What a process child keeps over its incarnations. */
export class Kept extends Context.Service<Kept, {
  readonly log: ProcessLog.ProcessLog
  readonly port: Port | undefined
}>()("@coppice/process/internal/kept") {}

export const layerKept = ({ log, port }: ProcessOptions) =>
  Layer.effect(
    Kept,
    Effect.gen(function*() {
      const { path } = yield* Child.current
      return { log: yield* open(path, log), port: yield* choose(path, port) }
    })
  )

const open = Effect.fnUntraced(function*(path: string, { file, sinks = [], ...options }: LogOptions = {}) {
  const own = typeof file === "string" ? { path: file } : file
  const files = own === undefined ? [] : [yield* LogFile.make(own.path, own)]
  return yield* ProcessLog.make({ ...options, path, sinks: [...sinks, ...files] })
})

const choose = Effect.fnUntraced(function*(path: string, port: ProcessOptions["port"]) {
  if (port === undefined) return undefined
  const { flag, variable = "PORT", ...wish } = port === true ? {} : port
  const ports = yield* Ports
  const number = yield* ports.assign({ ...wish, owner: path })
  return { number, flag, variable }
})
