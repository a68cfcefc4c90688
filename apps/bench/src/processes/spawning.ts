/** The least that restarts a process: it is spawned again when it has exited. */
import { spawn } from "node:child_process"

const start = (): void => {
  spawn("sh", ["-c", process.argv[2]!], { stdio: ["ignore", "pipe", "pipe"], detached: true }).on("exit", start)
}

start()
