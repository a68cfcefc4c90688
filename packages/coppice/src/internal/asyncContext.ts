/** What Node's tools see something that goes on later in, such as the store of an `AsyncLocalStorage`. */
export interface AsyncContext {
  runInAsyncScope<This, Argument>(run: (this: This, argument: Argument) => void, self: This, argument: Argument): void
  emitDestroy(): void
}

const AsyncResource: (new(type: string) => AsyncContext) | undefined = (() => {
  try {
    return (globalThis as any).process?.getBuiltinModule?.("node:async_hooks")?.AsyncResource
  } catch {
    return undefined
  }
})()

/** The async context of whoever asks, where there is such a thing, in which the children of a supervisor are to run. */
export const asyncContext = (): AsyncContext | undefined =>
  AsyncResource === undefined ? undefined : new AsyncResource("coppice/Supervisor")
