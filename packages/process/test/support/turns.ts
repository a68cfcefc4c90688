import { Effect, FileSystem, PlatformError, Queue } from "effect"

/** Files in memory, and programs that use them, one call at a time: whose turn it is somebody else says. */
export class Turns {
  readonly files = new Map<string, string>()
  private readonly news: Queue.Queue<void>
  private readonly waiting = new Map<string, () => void>()
  private readonly dead = new Set<string>()

  private constructor(news: Queue.Queue<void>) {
    this.news = news
  }

  static readonly make = Effect.map(Queue.unbounded<void>(), (news) => new Turns(news))

  /** Starts a program, which gets as far as its first call. */
  readonly start = Effect.fnUntraced(
    function*<A, E>(this: Turns, name: string, program: (files: FileSystem.FileSystem) => Effect.Effect<A, E>) {
      const ended = Effect.ensuring(program(this.fileSystem(name)), Queue.offer(this.news, undefined))
      yield* Effect.forkScoped(ended)
      yield* Queue.take(this.news)
    }
  )

  /** Those that can have a turn. */
  get ready(): ReadonlyArray<string> {
    return Array.from(this.waiting.keys()).toSorted()
  }

  /** Gives one a turn: it makes its call, and gets as far as the next one, or to its end. */
  turn(name: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const go = this.waiting.get(name)!
      this.waiting.delete(name)
      go()
      return Queue.take(this.news)
    })
  }

  /** Ends one in the middle of what it does: it makes no call any more. */
  kill(name: string): Effect.Effect<void> {
    this.dead.add(name)
    return this.turn(name)
  }

  private fileSystem(name: string): FileSystem.FileSystem {
    const { files } = this
    const ifAlive = Effect.suspend(() => this.dead.has(name) ? Effect.die("killed") : Effect.void)
    const turn = Effect.callback<void>((resume) => {
      this.waiting.set(name, () => resume(Effect.void))
      Queue.offerUnsafe(this.news, undefined)
    })
    const call = <A>(call: () => Effect.Effect<A, PlatformError.PlatformError>) =>
      ifAlive.pipe(Effect.andThen(turn), Effect.andThen(ifAlive), Effect.andThen(Effect.suspend(call)))
    const put = (path: string, text: string) =>
      files.has(path) ? fails("AlreadyExists") : Effect.sync(() => void files.set(path, text))
    const get = (path: string) =>
      Effect.suspend(() => files.has(path) ? Effect.succeed(files.get(path)!) : fails("NotFound"))
    const remove = (path: string) => Effect.sync(() => void files.delete(path))
    return FileSystem.makeNoop({
      writeFileString: (path, text) => call(() => put(path, text)),
      readFileString: (path) => call(() => get(path)),
      link: (from, to) => call(() => Effect.flatMap(get(from), (text) => put(to, text))),
      remove: (path) => call(() => remove(path)),
      rename: (from, to) =>
        call(() =>
          Effect.flatMap(get(from), (text) => Effect.andThen(remove(from), Effect.sync(() => void files.set(to, text))))
        )
    })
  }
}

const fails = (_tag: "AlreadyExists" | "NotFound") =>
  Effect.fail(PlatformError.systemError({ _tag, module: "FileSystem", method: "call" }))
