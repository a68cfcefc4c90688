/** What Node's tools see something that goes on later in, such as the store of an `AsyncLocalStorage`. */
export interface AsyncContext {
  runInAsyncScope<This, Argument>(run: (this: This, argument: Argument) => void, self: This, argument: Argument): void
  emitDestroy(): void
}

/** Where there is a `process` that lends its modules without an import, which browsers could not resolve. */
interface Host {
  readonly process?: {
    readonly getBuiltinModule?: (name: "node:async_hooks") => Hooks | undefined
  }
}

interface Hooks {
  readonly AsyncResource: new(type: string) => AsyncContext
}

const hooks = (globalThis as Host).process?.getBuiltinModule?.("node:async_hooks")

/** The async context of whoever asks, where there is such a thing, in which the children of a supervisor are to run. */
export const asyncContext = (): AsyncContext | undefined =>
  hooks === undefined ? undefined : new hooks.AsyncResource("coppice/Supervisor")
