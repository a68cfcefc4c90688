// The command `npm run conformance -- FILE...`: recorded scenarios of OTP on the real supervisor.
import { Conformance, Scenario } from "@coppice/testing"
import { Cause, Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const fixture = fileURLToPath(new URL("../fixtures/otp-25.jsonl", import.meta.url))

const help = `Usage: npm run conformance -- [FILE...]

Performs recorded OTP scenarios on the real supervisor, under virtual time, and compares each with its trace.
Without arguments: the project's own recordings, ${fixture}.
Prints each failing scenario with its first difference, then how many passed. Exit code 1 if any failed, 2 if a file
cannot be read.
`

class BadFile extends Schema.TaggedError<BadFile>()("BadFile", { file: Schema.String, problem: Schema.String }) {
  override get message(): string {
    return `${this.file}: ${this.problem}`
  }
}

const lines = (file: string) =>
  Effect.try({
    try: () => readFileSync(file, "utf8").split("\n"),
    catch: (cause) => new BadFile({ file, problem: `it cannot be read: ${(cause as Error).message}` })
  })

// A line that is no scenario fails like a scenario; the others are still performed.
const failureOf = (file: string, line: string, number: number): Effect.Effect<string | undefined> =>
  Scenario.fromLine(line).pipe(
    Effect.map(Conformance.check),
    Effect.map((difference) => difference && Conformance.format(difference)),
    Effect.catchCause((cause) => Effect.succeed(`${file}, line ${number}: ${(Cause.squash(cause) as Error).message}`))
  )

const program = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  let passed = 0
  let failed = 0
  for (const file of files) {
    for (const [index, line] of (yield* lines(file)).entries()) {
      if (line.trim() === "") continue
      const failure = yield* failureOf(file, line, index + 1)
      if (failure === undefined) passed++
      else {
        failed++
        process.stdout.write(`${failure}\n`)
      }
    }
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  return failed === 0 && passed > 0 ? 0 : 1
})

const files = process.argv.slice(2)
if (files.includes("--help") || files.includes("-h")) process.stdout.write(help)
else {
  const command = program(files.length === 0 ? [fixture] : files).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        process.stderr.write(`${error.message}\n`)
        return 2
      })
    )
  )
  process.exitCode = await Effect.runPromise(command)
}
