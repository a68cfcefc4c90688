/**
 * `npm run bench:processes`: how long a supervised process is gone after it has been killed, beside other supervisors.
 *
 * Each supervises the same shell, which says its pid when it has started and goes on for ever. It is killed when it has been up
 * for more than a second, as some of them wait that long between two starts; from then until the next one says its pid is the
 * latency. All run at the same time, and are killed in turns, so that a slow minute of the machine meets them all.
 */
import { type ChildProcess, execFileSync } from "node:child_process"
import { constants, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { type Peer, peers } from "./peers.ts"

const help = `npm run bench:processes [-- options]

Measures restart latency after a kill, beside Node's spawn alone, runit, s6, supervisord and pm2, as far as they are installed.

  --kills N     how often each is killed; default 20
  --json FILE   writes the figures to a file
  --help        this text
`

/** How long a process has been up when it is killed. */
const uptimeMillis = 1200

/** One that is measured: the pid of its process as it is told, and who waits for the next. */
class Measured {
  readonly peer: Peer
  readonly version: string
  readonly latencies: Array<number> = []
  private readonly supervisor: ChildProcess
  private readonly told: Socket
  private pid: number | undefined = undefined
  private onPid: (() => void) | undefined = undefined

  constructor(peer: Peer, version: string, folder: string) {
    this.peer = peer
    this.version = version
    mkdirSync(folder)
    const fifo = join(folder, "told")
    execFileSync("mkfifo", [fifo])
    // Open for writing too, so that it does not end when a writer does.
    this.told = new Socket({
      fd: openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK),
      readable: true,
      writable: false
    })
    this.told.on("data", (bytes) => {
      this.pid = Number(bytes.toString().trim().split("\n").at(-1))
      this.onPid?.()
    })
    this.supervisor = peer.start(`echo $$ > ${fifo}; exec sleep 1000`, folder)
  }

  /** Waits for a process, the first or the next. */
  async started(): Promise<void> {
    if (this.pid !== undefined) return
    const patience = new AbortController()
    const told = new Promise<void>((resolve) => {
      this.onPid = resolve
    })
    const late = sleep(20_000, undefined, { signal: patience.signal }).then(() => {
      throw new Error(`${this.peer.name} started nothing within 20 s`)
    })
    await Promise.race([told, late]).finally(() => patience.abort())
  }

  async kill(): Promise<void> {
    const { pid } = this
    if (pid === undefined) throw new Error(`${this.peer.name} has no process to be killed`)
    this.pid = undefined
    const before = performance.now()
    process.kill(pid, "SIGKILL")
    await this.started()
    this.latencies.push(performance.now() - before)
  }

  /** Ends the supervisor first, so that it starts nothing any more. */
  end(): void {
    this.told.destroy()
    for (const pid of [this.supervisor.pid, this.pid]) {
      try {
        if (pid !== undefined) process.kill(pid, "SIGKILL")
      } catch {
        // It is gone already.
      }
    }
  }
}

const tell = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? Number.NaN

const measure = async (measured: ReadonlyArray<Measured>, kills: number): Promise<void> => {
  for (const one of measured) await one.started()
  for (let round = 1; round <= kills; round++) {
    await sleep(uptimeMillis)
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Kkill ${round} of ${kills}`)
    for (const one of measured) await one.kill()
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
}

const table = (measured: ReadonlyArray<Measured>): string => {
  const floor = quantile(measured[0]?.latencies ?? [], 0.5)
  const lines = measured.map(({ latencies, peer, version }) => {
    const [median, least, most] = [0.5, 0, 1].map((q) => quantile(latencies, q)) as [number, number, number]
    const spread = `${least.toFixed(1)}–${most.toFixed(1)}`
    return `| ${`${peer.name} ${version}`.trim()} | ${median.toFixed(1)} ms | ${spread} | ${
      (median / floor).toFixed(2)
    } |`
  })
  return ["| restart after a kill | median | spread | of Node's spawn |", "| --- | --- | --- | --- |", ...lines].join(
    "\n"
  )
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "20" },
      json: { type: "string" },
      help: { type: "boolean", default: false }
    }
  })
  if (values.help) return tell(help)
  const kills = Number(values.kills)
  if (!Number.isInteger(kills) || kills < 1) {
    throw new Error(`--kills ${values.kills}: a whole number above zero, please`)
  }
  const folder = mkdtempSync(join(tmpdir(), "coppice-processes-"))
  const installed = peers.map((peer) => ({ peer, version: peer.version() }))
  const measured: Array<Measured> = []
  try {
    for (const { peer, version } of installed) {
      if (version === undefined) tell(`${peer.name} is not installed.`)
      else measured.push(new Measured(peer, version, join(folder, peer.name.replaceAll(/\W/g, "-"))))
    }
    await measure(measured, kills)
    tell(table(measured))
    const figures = measured.map(({ latencies, peer, version }) => ({ name: peer.name, version, latencies }))
    if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(figures, undefined, 2))
  } finally {
    for (const one of measured) one.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

main().then(() => process.exit(0), (error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(2)
})
