import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Latch, Layer, Logger, PlatformError, Queue, type Scope } from "effect"

/** What may fail: one call of a file system. */
export type Call = "stat" | "makeDirectory" | "open" | "rename" | "remove" | "write" | "read" | "info"

/** A file system whose calls fail when they are told to. It writes few bytes at a time, as a real one may. */
export class FaultyFiles {
  readonly calls: Array<Call> = []
  isFaulty: (call: Call, number: number) => boolean = () => false

  /** No write ends from now on, until what is answered is run. */
  readonly standStill = Effect.sync(() => {
    const gate = Latch.makeUnsafe(false)
    this.gate = Effect.andThen(this.standing.open, gate.await)
    return gate.open
  })

  /** Waits until somebody writes, and waits. */
  readonly isStanding = Effect.suspend(() => this.standing.await)

  private readonly standing = Latch.makeUnsafe(false)
  private gate: Effect.Effect<void> = Effect.void

  readonly layer = Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (files) => ({
      ...files,
      stat: (path: string) => this.call("stat", files.stat(path)),
      makeDirectory: (path: string, options?: Parameters<FileSystem.FileSystem["makeDirectory"]>[1]) =>
        this.call("makeDirectory", files.makeDirectory(path, options)),
      rename: (from: string, to: string) => this.call("rename", files.rename(from, to)),
      remove: (path: string, options?: Parameters<FileSystem.FileSystem["remove"]>[1]) =>
        this.call("remove", files.remove(path, options)),
      open: (path: string, options?: Parameters<FileSystem.FileSystem["open"]>[1]) =>
        this.call("open", Effect.map(files.open(path, options), (file) => this.faulty(file)))
    }))
  )

  private faulty(file: FileSystem.File): FileSystem.File {
    return Object.create(file, {
      write: {
        value: (bytes: Uint8Array) => this.call("write", Effect.andThen(this.gate, file.write(bytes.subarray(0, 17))))
      },
      read: {
        value: (bytes: Uint8Array, options?: FileSystem.File.ReadOptions) =>
          this.call("read", file.read(bytes, options))
      },
      stat: { value: this.call("info", file.stat) }
    }) as FileSystem.File
  }

  private call<A, R>(call: Call, effect: Effect.Effect<A, PlatformError.PlatformError, R>) {
    return Effect.suspend(() => {
      this.calls.push(call)
      return this.isFaulty(call, this.calls.length) ? Effect.fail(noSpace(call)) : effect
    })
  }
}

export const noSpace = (method: string) =>
  PlatformError.systemError({
    _tag: "Unknown",
    module: "FileSystem",
    method,
    cause: new Error("ENOSPC: no space left on device")
  })

/** Runs with real files in a folder of its own, and with the messages that are logged, the name of the folder cut out. */
export const withFolder = <A, E>(
  use: (folder: string, messages: Queue.Dequeue<string>) => Effect.Effect<
    A,
    E,
    NodeServices.NodeServices | Scope.Scope
  >
) =>
  Effect.gen(function*() {
    const messages = yield* Queue.unbounded<string>()
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    const logger = Logger.make(({ logLevel, message }) => {
      const [text] = message as ReadonlyArray<string>
      Queue.offerUnsafe(messages, `${logLevel}: ${text?.replaceAll(folder, "")}`)
    })
    return yield* use(folder, messages).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
