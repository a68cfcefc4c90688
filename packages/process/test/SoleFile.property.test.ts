import { assert, describe, it } from "@effect/vitest"
import { Effect, type FileSystem, Schema } from "effect"
import { Turns } from "./support/turns.ts"

// It is internal, and another project's: its types are not to be had here.
type Claim =
  | { readonly _tag: "Ours"; readonly before?: string; readonly setAside?: string }
  | { readonly _tag: "Theirs"; readonly text: string }
const soleFileModule = "../src/internal/soleFile.ts"
const { SoleFile } = await import(soleFileModule) as {
  readonly SoleFile: new(
    files: FileSystem.FileSystem,
    path: string,
    judge: (text: string) => "lives" | "gone" | "unreadable"
  ) => {
    readonly claim: (text: string) => Effect.Effect<Claim>
    readonly release: (text: string) => Effect.Effect<string | undefined>
  }
}

const path = "/run/shop.pid"

/** What one step does: the turn of one that is ready, or, seldom, its sudden end. */
const Step = Schema.Struct({
  who: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 11 })),
  kill: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
})

/** Programs that claim one file, release it if they have it, and claim it again. */
const play = Effect.fnUntraced(function*(
  first: string | undefined,
  steps: ReadonlyArray<typeof Step.Type>,
  options: { readonly kills: boolean; readonly releases: boolean }
) {
  const turns = yield* Turns.make
  const alive = new Set(["a", "b", "c"])
  const holders = new Set<string>()
  const answers: Array<string> = []
  const [found, expected]: [Array<unknown>, Array<unknown>] = [[], []]
  if (first !== undefined) turns.files.set(path, first)
  const judge = (text: string) => text === "garbage" ? "unreadable" : alive.has(text.slice(0, 1)) ? "lives" : "gone"
  const claiming = (name: string, number: number) => (files: FileSystem.FileSystem): Effect.Effect<void> =>
    Effect.gen(function*() {
      const text = `${name}${number}`
      const file = new SoleFile(files, path, judge)
      const claim = yield* file.claim(text)
      answers.push(`${text} ${claim._tag}`)
      if (claim._tag === "Theirs") return
      holders.add(name)
      found.push([Array.from(holders), turns.files.get(path)])
      expected.push([[name], text])
      if (!options.releases || number === 3) return
      found.push(yield* file.release(text))
      expected.push(text)
      holders.delete(name)
      yield* claiming(name, number + 1)(files)
    })
  for (const name of alive) yield* turns.start(name, claiming(name, 1))
  for (const { kill, who } of [...steps, ...Array.from({ length: 500 }, () => ({ who: 0, kill: 1 }))]) {
    const name = turns.ready[who % turns.ready.length]
    if (name === undefined) break
    if (options.kills && kill === 0) {
      yield* turns.kill(name)
      alive.delete(name)
      holders.delete(name)
    } else yield* turns.turn(name)
  }
  const left = turns.ready
  for (const name of left) yield* turns.kill(name)
  assert.deepStrictEqual([left, found], [[], expected])
  return { answers, files: turns.files, holders }
}, Effect.scoped)

const Steps = Schema.Array(Step).check(Schema.isMinLength(30), Schema.isMaxLength(60))
const many = { arbitrary: { runs: 1000 } }

describe("a file that only one may have", () => {
  for (const first of [undefined, "x1", "garbage"]) {
    it.effect.prop(
      `is had by exactly one of three that begin together, where it ${
        first === undefined ? "is not" : `says ${first}`
      }`,
      { steps: Steps },
      ({ steps }) =>
        Effect.gen(function*() {
          const { answers, files, holders } = yield* play(first, steps, { kills: false, releases: false })
          const [winner] = holders
          const kept = first === "garbage" ? { [`${path}.unreadable-1`]: "garbage" } : {}
          assert.deepStrictEqual(Object.fromEntries(files), { [path]: `${winner}1`, ...kept })
          assert.deepStrictEqual(
            answers.toSorted(),
            ["a", "b", "c"].map((name) => `${name}1 ${name === winner ? "Ours" : "Theirs"}`)
          )
        }),
      many
    )
  }

  it.effect.prop(
    "is had by one at a time, whoever releases it, and whoever is killed in the middle of it",
    { steps: Steps },
    ({ steps }) => play("x1", steps, { kills: true, releases: true }),
    many
  )

  it.effect("has no successors left when it is had, also of one that was killed as such", () =>
    Effect.gen(function*() {
      const turns = yield* Turns.make
      const alive = new Set(["a", "b"])
      const claim = (name: string) => (files: FileSystem.FileSystem) =>
        new SoleFile(files, path, (text) => alive.has(text) ? "lives" : "gone").claim(name)
      turns.files.set(path, "x")
      yield* turns.start("a", claim("a"))
      while (Array.from(turns.files.values()).filter((text) => text === "a").length < 2) yield* turns.turn("a")
      yield* turns.kill("a")
      alive.delete("a")
      yield* turns.start("b", claim("b"))
      while (turns.ready.length > 0) yield* turns.turn("b")
      // What it had not yet linked anywhere stays behind.
      const names = Array.from(turns.files.keys(), (name) => name.replace(/[0-9a-f]{16}/, "DIGEST"))
      assert.deepStrictEqual(names.toSorted(), [path, `${path}.new-DIGEST`])
      assert.strictEqual(turns.files.get(path), "b")
    }))
})
