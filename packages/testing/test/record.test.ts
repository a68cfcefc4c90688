import { Conformance, Scenario } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { generate } from "../otp/generator.ts"

const command = fileURLToPath(new URL("../otp/record.ts", import.meta.url))
const fixture = fileURLToPath(new URL("../fixtures/otp-25.jsonl", import.meta.url))
const hasOtp = spawnSync("erlc", ["-h"]).error === undefined

const record = (...args: ReadonlyArray<string>) =>
  execFileSync(process.execPath, [command, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

describe("record", () => {
  it("makes the same scenarios from the same seed, and others from another", () => {
    const some = (seed: number) => Array.from({ length: 50 }, (_, index) => generate(seed, index, `r${index}`))
    assert.deepStrictEqual(some(7), some(7))
    assert.notDeepEqual(some(7), some(8))
  })

  it.effect("makes scenarios in the format that is performed here", () =>
    Effect.gen(function*() {
      for (let index = 0; index < 200; index++) {
        const scenario = generate(11, index, `r${index}`)
        yield* Scenario.fromLine(JSON.stringify({ ...scenario, expect: [] }))
      }
    }))

  it(
    "records from the installed OTP what is performed here without a difference, and finds the fixture unchanged",
    async (context) => {
      if (!hasOtp) return context.skip("Erlang is not installed (erl, erlc): nothing is recorded anew")
      const folder = mkdtempSync(join(tmpdir(), "coppice-record-"))
      try {
        const lines = record("--seed", "3", "--count", "10", "--runs", "2").split("\n").filter((line) => line !== "")
        assert.strictEqual(lines.length, 10)
        for (const line of lines) {
          const scenario = await Effect.runPromise(Scenario.fromLine(line))
          assert.isUndefined(Conformance.check(scenario), line)
        }
        const some = join(folder, "some.jsonl")
        writeFileSync(some, readFileSync(fixture, "utf8").split("\n").slice(0, 10).join("\n"))
        assert.doesNotThrow(() => record("--check", some))
        writeFileSync(some, readFileSync(some, "utf8").replace(`"reason":"shutdown"`, `"reason":"normal"`))
        assert.throws(() => record("--check", some))
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
    120_000
  )
})
