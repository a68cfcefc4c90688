import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** One who supervises a shell script, as a process of its own. */
export interface Peer {
  readonly name: string
  /** Undefined where it is not installed. */
  readonly version: () => string | undefined
  readonly start: (script: string, folder: string) => ChildProcess
}

/** The first word of what a command prints that looks like a version. */
const versionOf = (command: string, ...args: ReadonlyArray<string>): string | undefined => {
  try {
    const text = execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
    return /\d+(\.\d+)+/.exec(text)?.[0] ?? "?"
  } catch {
    return undefined
  }
}

const ofPackage = (name: string): string | undefined => versionOf("dpkg-query", "-W", "-f=${Version}", name)

const has = (command: string): boolean => versionOf("sh", "-c", `command -v ${command}`) !== undefined

const run = (command: string, args: ReadonlyArray<string>, env: Record<string, string> = {}): ChildProcess =>
  spawn(command, args, { stdio: "ignore", detached: true, env: { ...process.env, ...env } })

const inNode = (file: string) => (script: string): ChildProcess =>
  run(process.execPath, ["--conditions=@coppice/source", fileURLToPath(new URL(file, import.meta.url)), script])

/** A folder as runit and s6 have it: what is run is the file `run`. */
const service = (script: string, folder: string): string => {
  const path = join(folder, "service")
  mkdirSync(path)
  writeFileSync(join(path, "run"), `#!/bin/sh\n${script}\n`)
  chmodSync(join(path, "run"), 0o755)
  return path
}

export const peers: ReadonlyArray<Peer> = [
  { name: "Node's spawn alone", version: () => process.versions.node, start: inNode("spawning.ts") },
  { name: "Coppice", version: () => "", start: inNode("supervising.ts") },
  {
    name: "runit",
    version: () => has("runsv") ? ofPackage("runit") ?? "?" : undefined,
    start: (script, folder) => run("runsv", [service(script, folder)])
  },
  {
    name: "s6",
    version: () => has("s6-supervise") ? ofPackage("s6") ?? "?" : undefined,
    start: (script, folder) => run("s6-supervise", [service(script, folder)])
  },
  {
    name: "supervisord",
    version: () => versionOf("supervisord", "--version"),
    start: (script, folder) => {
      const path = service(script, folder)
      const file = join(folder, "supervisord.conf")
      writeFileSync(
        file,
        [
          "[supervisord]",
          "nodaemon=true",
          `logfile=${folder}/log`,
          `pidfile=${folder}/pid`,
          `childlogdir=${folder}`,
          "[program:shell]",
          `command=${path}/run`,
          "autorestart=true",
          "startsecs=0"
        ].join("\n")
      )
      return run("supervisord", ["-c", file])
    }
  },
  {
    name: "pm2",
    version: () => has("pm2-runtime") ? versionOf("pm2", "--version") : undefined,
    start: (script, folder) => {
      const path = service(script, folder)
      const file = join(folder, "pm2.config.json")
      writeFileSync(file, JSON.stringify({ apps: [{ name: "shell", script: `${path}/run`, interpreter: "none" }] }))
      return run("pm2-runtime", ["start", file], { PM2_HOME: join(folder, "pm2") })
    }
  }
]
