import { EnvFile } from "@coppice/process"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Redacted, Schema } from "effect"

const plain = (env: Record<string, Redacted.Redacted<string>>) =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, Redacted.value(value)]))

const files = Effect.fnUntraced(function*(...contents: ReadonlyArray<string>) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fileSystem.makeTempDirectoryScoped()
  return yield* Effect.forEach(contents, (content, index) => {
    const file = path.join(folder, `${index}.env`)
    return Effect.as(fileSystem.writeFileString(file, content), file)
  })
})

describe("EnvFile", () => {
  it("knows comments, quotes, empty values and what is written for shells", () => {
    const content = "# comment\nA=1\nB='two words'\nC=\"line\\nbreak\"\nexport D=4\nE=\n\n  F = 6 # not more\n"
    assert.deepStrictEqual(plain(EnvFile.parse(content)), {
      A: "1",
      B: "two words",
      C: "line\nbreak",
      D: "4",
      E: "",
      F: "6"
    })
  })

  it("shows no value to anybody who prints it", () => {
    const env = EnvFile.parse("TOKEN=secret")
    assert.notInclude(String(env["TOKEN"]), "secret")
    assert.notInclude(JSON.stringify(env), "secret")
  })

  it.effect("has the later of two files have its way", () =>
    Effect.gen(function*() {
      const env = yield* EnvFile.read(yield* files("A=1\nB=1", "B=2\nC=2"))
      assert.deepStrictEqual(plain(env), { A: "1", B: "2", C: "2" })
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("says which file cannot be read, and why", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(EnvFile.read(["/nowhere/.env"]))
      assert.isTrue(Schema.is(EnvFile.EnvFileUnreadable)(error))
      assert.include(error.message, "the environment file /nowhere/.env cannot be read: ")
      assert.include(error.message, "NotFound")
    }).pipe(Effect.provide(NodeServices.layer)))
})
