/** Makes submissions of the text files in a folder. */
import { Effect, FileSystem, Option, Path } from "effect"
import { poison } from "./Analysis.ts"
import type { Submission } from "./Job.ts"

const isText = /\.(?:md|txt|ts|js|json|erl)$/
const skipped = new Set(["node_modules", "dist"])

/** Beyond this a folder is not what anybody wants to watch. */
const maxFiles = 1000
const maxBytes = 1_000_000n

/** The repository this file is in. */
export const repository = Effect.flatMap(Path.Path, (path) => path.fromFileUrl(new URL("../../..", import.meta.url)))

/** Reads the text files in a folder and below it, by name, without what is hidden or generated. */
export const readFolder = Effect.fnUntraced(function*(folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const submissions: Array<Submission> = []
  const folders = [folder]
  for (let here = folders.shift(); here !== undefined; here = folders.shift()) {
    const entries = yield* fileSystem.readDirectoryEntries(here)
    for (const { name, type } of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
      const full = path.join(here, name)
      if (submissions.length === maxFiles) return submissions
      if (name.startsWith(".") || skipped.has(name)) continue
      if (type === "Directory") folders.push(full)
      if (type !== "File" || !isText.test(name)) continue
      // A file can vanish or be closed to us between the listing and the reading: then it is no job.
      const text = yield* Effect.option(readSmall(full))
      if (Option.isSome(text)) submissions.push({ name: path.relative(folder, full), text: text.value })
    }
  }
  return submissions
})

const readSmall = Effect.fnUntraced(function*(file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const { size } = yield* fileSystem.stat(file)
  if (size > maxBytes) return yield* Effect.fail("too large")
  return yield* fileSystem.readFileString(file)
})

/** Two poisons early in the queue, so that a viewer sees crashes without asking for any. */
export const withPoison = (submissions: ReadonlyArray<Submission>): ReadonlyArray<Submission> => [
  ...submissions.slice(0, 5),
  { name: "poison-1", text: `${poison}\nNobody can count these words.` },
  ...submissions.slice(5, 15),
  { name: "poison-2", text: `Do not ${poison}!` },
  ...submissions.slice(15)
]
