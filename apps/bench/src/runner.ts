import { execFileSync } from "node:child_process"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Side, sides } from "./rows.ts"

/** A figure that a process has printed: of a row, for a number of children. */
export interface Figure {
  readonly row: string
  readonly n: number
  readonly value: number
}

/** Runs measurements of one side, such as `life:1000`, in a process of their own. */
export interface Runner {
  readonly version: string
  readonly run: (wanted: ReadonlyArray<string>) => ReadonlyArray<Figure>
}

/** Who can be run here; a peer that is not installed is missing. */
export type Runners = { readonly [S in Side]?: Runner }

const here = fileURLToPath(new URL(".", import.meta.url))

/** Finds the sides, and compiles those that need it into a folder. */
export const findRunners = (folder: string): Runners => {
  const effectVersion: string = createRequire(import.meta.url)("effect/package.json").version
  const found = {
    coppice: { version: effectVersion, run: node(here, folder, "coppice") },
    floor: { version: effectVersion, run: node(here, folder, "floor") },
    effect: { version: effectVersion, run: node(here, folder, "effect") },
    otp: erlang(folder),
    elixir: elixir(folder)
  }
  return Object.fromEntries(sides.filter((side) => found[side] !== undefined).map((side) => [side, found[side]]))
}

/** Runs the measurements of a side with the sources of a folder; what is compiled is kept in another. */
export const node = (sources: string, cache: string, side: Side): Runner["run"] => (wanted) => {
  const flags = ["--expose-gc", "--max-old-space-size=8192", "--conditions=@coppice/source"]
  const env = { ...process.env, NODE_COMPILE_CACHE: join(cache, "node") }
  return figures(execute(process.execPath, [...flags, join(sources, "measure.ts"), side, ...wanted], env))
}

// Room for more processes than the BEAM allows by default.
const processes = "+P 4000000"

const erlang = (folder: string): Runner | undefined => {
  const version = ask("erl", ["-noshell", "-eval", "io:put_chars(erlang:system_info(otp_release)), halt()."])
  if (version === undefined) return undefined
  execute("erlc", ["-o", folder, join(here, "../peers/bench.erl")])
  const start = [...processes.split(" "), "-noshell", "-pa", folder, "-run", "bench", "main"]
  return { version, run: (wanted) => figures(execute("erl", [...start, ...wanted])) }
}

const elixir = (folder: string): Runner | undefined => {
  const version = ask("elixir", ["-e", "IO.write(System.version())"])
  if (version === undefined) return undefined
  execute("elixirc", ["-o", folder, join(here, "../peers/bench.ex")])
  const start = ["--erl", processes, "-pa", folder, "-e", "Bench.main(System.argv())"]
  return { version, run: (wanted) => figures(execute("elixir", [...start, ...wanted])) }
}

// A BEAM that is ended leaves no dump behind.
const beam = { ...process.env, ERL_CRASH_DUMP_BYTES: "0" }

// A quarter of an hour: a million children need some minutes.
const execute = (command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = beam): string =>
  execFileSync(command, args, {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 900_000,
    killSignal: "SIGKILL"
  })

const ask = (command: string, args: ReadonlyArray<string>): string | undefined => {
  try {
    return execute(command, args)
  } catch {
    return undefined
  }
}

const figures = (output: string): ReadonlyArray<Figure> =>
  output.trim().split("\n").map((line) => {
    const [row, n, value] = line.split(" ")
    return { row: row!, n: Number(n), value: Number(value) }
  })
