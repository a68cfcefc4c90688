import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { createHash } from "node:crypto"

/** What the text of a file says about who wrote it. */
export type Judgement = "lives" | "gone" | "unreadable"

/** Ours now, and what was there before; or the text of somebody who lives. */
export type Claim =
  | { readonly _tag: "Ours"; readonly before: string | undefined; readonly setAside: string | undefined }
  | { readonly _tag: "Theirs"; readonly text: string }

/** The files that were read, from the one that everybody knows to the last, with their texts. */
interface Trail {
  readonly names: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
  readonly end: "free" | "ours" | "theirs"
}

/**
 * A file that belongs to one of many programs that start at the same time. Its text names the program, and no text is
 * written twice.
 *
 * Where there is no file, the one that links its own there has it. A file whose writer is gone is not removed, as who removes
 * by name may remove what somebody has put there meanwhile. It has one successor instead: the file whose name comes from its
 * text, again made by a link. Where that one's writer is gone too, it has a successor in turn. Whoever is the last of that
 * line, and finds the line unbroken after it has become the last, alone may rename its file over the first.
 */
export class SoleFile {
  private readonly files: FileSystem.FileSystem
  private readonly path: string
  private readonly judge: (text: string) => Judgement

  constructor(files: FileSystem.FileSystem, path: string, judge: (text: string) => Judgement) {
    this.files = files
    this.path = path
    this.judge = judge
  }

  /** Tries to have the file, with this text. */
  claim(text: string): Effect.Effect<Claim, PlatformError> {
    return this.withNew(text, (own) => this.compete(own, text))
  }

  /** Writes another text where this one is. False: it is not. */
  replace(text: string, next: string): Effect.Effect<boolean, PlatformError> {
    return this.withNew(
      next,
      (own) =>
        Effect.flatMap(
          this.read(this.path),
          (found) => found === text ? Effect.as(this.files.rename(own, this.path), true) : Effect.succeed(false)
        )
    )
  }

  /** Removes the file if it still has this text, and answers the text that it had. */
  release(text: string): Effect.Effect<string | undefined, PlatformError> {
    return this.drop(this.path, text)
  }

  /** The text of a file, none if there is no file. */
  read(name: string): Effect.Effect<string | undefined, PlatformError> {
    return Effect.catchIf(this.files.readFileString(name), is("NotFound"), () => Effect.undefined)
  }

  /** With a file of its own that has the text, so that nobody ever reads half of it. */
  private withNew<A>(text: string, use: (own: string) => Effect.Effect<A, PlatformError>) {
    const own = `${this.path}.new-${digest(text)}`
    return Effect.ensuring(
      Effect.andThen(this.files.writeFileString(own, text, { flag: "wx", mode: 0o644 }), use(own)),
      Effect.ignore(this.files.remove(own, { force: true }))
    )
  }

  private readonly compete = Effect.fnUntraced(function*(this: SoleFile, own: string, text: string) {
    let linked: string | undefined
    while (true) {
      const trail = yield* this.follow(text)
      const last = trail.names.at(-1)!
      if (trail.end === "ours") return yield* this.take(trail)
      // Somebody has taken the file since: the line is no longer the one whose last this was.
      if (linked !== undefined) yield* this.drop(linked, text)
      linked = undefined
      if (trail.end === "theirs") return { _tag: "Theirs", text: trail.texts.at(-1)! } as const
      if (yield* this.link(own, last)) linked = last
    }
  })

  /** Goes from each file whose writer is gone to its successor. */
  private readonly follow = Effect.fnUntraced(function*(this: SoleFile, own: string) {
    const names: Array<string> = []
    const texts: Array<string> = []
    const end = (end: Trail["end"]): Trail => ({ names, texts, end })
    for (let name = this.path;; name = `${this.path}.after-${digest(texts.at(-1)!)}`) {
      names.push(name)
      const text = yield* this.read(name)
      if (text === undefined) return end("free")
      texts.push(text)
      if (text === own) return end("ours")
      if (this.judge(text) === "lives") return end("theirs")
    }
  })

  private readonly take = Effect.fnUntraced(function*(this: SoleFile, { names, texts }: Trail) {
    const [before] = texts
    if (names.length === 1) return { _tag: "Ours", before: undefined, setAside: undefined } as const
    const setAside = this.judge(before!) === "unreadable" ? yield* this.keepAside() : undefined
    yield* this.files.rename(names.at(-1)!, this.path)
    for (const name of names.slice(1, -1)) yield* this.files.remove(name, { force: true })
    return { _tag: "Ours", before, setAside } as const
  })

  /** Gives what is in the file another name that is free. */
  private readonly keepAside = Effect.fnUntraced(function*(this: SoleFile) {
    for (let number = 1;; number++) {
      const name = `${this.path}.unreadable-${number}`
      if (yield* this.link(this.path, name)) return name
    }
  })

  private readonly drop = Effect.fnUntraced(function*(this: SoleFile, name: string, text: string) {
    const found = yield* this.read(name)
    if (found === text) yield* this.files.remove(name)
    return found
  })

  /** Gives a file another name. False: that is taken. */
  private link(from: string, to: string): Effect.Effect<boolean, PlatformError> {
    return Effect.catchIf(Effect.as(this.files.link(from, to), true), is("AlreadyExists"), () => Effect.succeed(false))
  }
}

const is = (tag: PlatformError["reason"]["_tag"]) => ({ reason }: PlatformError): boolean => reason._tag === tag

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16)
