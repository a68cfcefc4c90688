import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { RowName } from "./rows.ts"

const source = fileURLToPath(new URL("../otp/bench.erl", import.meta.url))

/** Erlang on this machine, with the bench compiled. */
export interface Otp {
  readonly release: string
  readonly measure: (row: RowName, children: number) => number
  /** Removes what was compiled. */
  readonly remove: () => void
}

/** Finds Erlang and compiles the bench with it; `undefined` where there is none. */
export const findOtp = (): Otp | undefined => {
  const release = releaseOf()
  if (release === undefined) return undefined
  const compiled = mkdtempSync(join(tmpdir(), "coppice-bench-"))
  execFileSync("erlc", ["-o", compiled, source])
  return {
    release,
    measure: (row, children) =>
      Number(execFileSync("erl", ["-noshell", "-pa", compiled, "-run", "bench", "main", row, String(children)])),
    remove: () => rmSync(compiled, { recursive: true })
  }
}

const releaseOf = (): string | undefined => {
  const ask = "io:put_chars(erlang:system_info(otp_release)), halt()."
  try {
    return execFileSync("erl", ["-noshell", "-eval", ask], { encoding: "utf8" })
  } catch {
    return undefined
  }
}
