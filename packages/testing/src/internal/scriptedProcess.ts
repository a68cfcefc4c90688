import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Signal } from "effect/process/ChildProcess"
import * as Stream from "effect/Stream"
import type { End, ForkOptions, Input, Output, Process, Status } from "../TestProcess.ts"
import type { Machine } from "./machine.ts"
import type { Pipe } from "./pipe.ts"

/** The pipes of a process by the names of its descriptors. What it writes to any other goes nowhere. */
export interface Pipes {
  readonly inputs: ReadonlyMap<Input, Pipe>
  readonly outputs: ReadonlyMap<Output, Pipe>
}

/** What a process begins with. */
export interface Birth
  extends Pick<Process, "args" | "attempt" | "command" | "cwd" | "env" | "group" | "parent" | "pid">
{
  /** Where its program and its handlers run. */
  readonly context: Context.Context<never>
  readonly pipes: Pipes
  readonly open: Iterable<Input | Output>
  readonly ignored: Iterable<Signal>
}

// What signals do by default; all others end the process.
const stopping: ReadonlySet<Signal> = new Set(["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"])
const harmless: ReadonlySet<Signal> = new Set(["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"])

/** A process of the machine. */
export class ScriptedProcess implements Process {
  readonly pid: number
  readonly group: number
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly attempt: number
  readonly parent: Process | undefined
  readonly context: Context.Context<never>

  /** How it has ended. */
  end: End | undefined = undefined
  /** What its spawner does when it has ended. */
  onEnd: (end: End) => void = () => {}
  /** Those of its program and of its handlers. */
  readonly fibers = new Set<Fiber.Fiber<number | void>>()
  private readonly machine: Machine
  private readonly pipes: Pipes
  private readonly open: Set<Input | Output>
  private readonly handlers = new Map<Signal, Effect.Effect<number | void>>()
  private readonly ignored: Set<Signal>
  private readonly sent: Array<Signal> = []
  private pending: Array<Signal> = []
  private isStopped = false
  private isHung = false

  constructor(machine: Machine, birth: Birth) {
    this.machine = machine
    this.pid = birth.pid
    this.group = birth.group
    this.command = birth.command
    this.args = birth.args
    this.cwd = birth.cwd
    this.env = birth.env
    this.attempt = birth.attempt
    this.parent = birth.parent
    this.context = birth.context
    this.pipes = birth.pipes
    this.open = new Set(birth.open)
    this.ignored = new Set(birth.ignored)
    for (const pipe of this.pipesOf(this.open)) pipe.hold()
  }

  readonly children: Effect.Effect<ReadonlyArray<Process>> = Effect.sync(() =>
    Array.from(this.machine.alive).filter((process) => process.parent === this)
  )

  readonly status: Effect.Effect<Status> = Effect.sync(() =>
    this.end ?? { _tag: this.isStopped ? "Stopped" : "Running" }
  )

  readonly signals: Effect.Effect<ReadonlyArray<Signal>> = Effect.sync(() => [...this.sent])

  readonly hang: Effect.Effect<void> = this.act(() => {
    this.isHung = true
    this.interrupt()
  })

  exit(code: number): Effect.Effect<void> {
    return this.act(() => this.exitWith(code))
  }

  die(signal: Signal): Effect.Effect<void> {
    return this.act(() => this.finish({ _tag: "Signaled", signal }))
  }

  kill(signal: Signal): Effect.Effect<void> {
    return this.act(() => this.receive(signal))
  }

  on(signal: Signal, handler: Effect.Effect<number | void>): Effect.Effect<void> {
    return this.act(() => {
      this.ignored.delete(signal)
      this.handlers.set(signal, handler)
    })
  }

  ignore(...signals: ReadonlyArray<Signal>): Effect.Effect<void> {
    return this.act(() => {
      for (const signal of signals) this.ignored.add(signal)
    })
  }

  fork(options: ForkOptions = {}): Effect.Effect<Process> {
    const child = this.machine.start((pid) => ({
      pid,
      group: options.leavesGroup === true ? pid : this.group,
      command: options.command ?? this.command,
      args: options.args ?? (options.command === undefined ? this.args : []),
      cwd: this.cwd,
      env: this.env,
      attempt: this.attempt,
      parent: this,
      context: this.context,
      pipes: this.pipes,
      open: this.open,
      ignored: this.ignored
    }))
    return Effect.tap(Effect.andThen(this.act(() => {}), child), (child) =>
      Effect.sync(() => {
        if (options.program !== undefined) child.run(options.program(child))
      }))
  }

  print(line: string, to?: Output): Effect.Effect<void> {
    return this.write(new TextEncoder().encode(`${line}\n`), to)
  }

  write(bytes: Uint8Array, to: Output = "stdout"): Effect.Effect<void> {
    return this.act(() => {
      if (this.open.has(to)) this.pipes.outputs.get(to)?.write(bytes)
    })
  }

  unread(to: Output = "stdout"): Effect.Effect<number> {
    return Effect.sync(() => this.pipes.outputs.get(to)?.unread ?? 0)
  }

  read(from: Input = "stdin"): Stream.Stream<Uint8Array> {
    return this.pipes.inputs.get(from)?.read() ?? Stream.empty
  }

  received(from: Input = "stdin"): Effect.Effect<string> {
    return Effect.sync(() => {
      const decoder = new TextDecoder()
      const chunks = this.pipes.inputs.get(from)?.written ?? []
      return chunks.map((bytes) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode()
    })
  }

  close(...names: ReadonlyArray<Input | Output>): Effect.Effect<void> {
    return this.act(() => this.closeAll(names))
  }

  /** Runs its program, or a handler. */
  run(program: Effect.Effect<number | void>): void {
    this.machine.run(this, program)
  }

  /** A signal has been sent to it. */
  receive(signal: Signal): void {
    if (this.end !== undefined) return
    this.sent.push(signal)
    if (signal === "SIGKILL") this.finish({ _tag: "Signaled", signal })
    else if (signal === "SIGCONT") this.resume()
    else if (this.isStopped) this.pending.push(signal)
    else this.react(signal)
  }

  exitWith(code: number): void {
    this.finish({ _tag: "Exited", code: code & 0xff })
  }

  /** Ends it. All is over before anybody is told. */
  finish(end: End): void {
    if (this.end !== undefined) return
    this.end = end
    this.machine.alive.delete(this)
    this.interrupt()
    this.closeAll(Array.from(this.open))
    this.onEnd(end)
    this.machine.hasChanged()
  }

  /** Ends its program and its handlers. */
  interrupt(): void {
    for (const fiber of Array.from(this.fibers)) fiber.interruptUnsafe()
  }

  toString(): string {
    return `${this.command} (pid ${this.pid})`
  }

  private react(signal: Signal): void {
    const handler = this.handlers.get(signal)
    if (signal === "SIGSTOP") this.isStopped = true
    else if (this.isHung || this.ignored.has(signal)) return
    else if (handler !== undefined) this.run(handler)
    else if (stopping.has(signal)) this.isStopped = true
    else if (!harmless.has(signal)) this.finish({ _tag: "Signaled", signal })
  }

  /** After `SIGCONT`: what has come meanwhile is delivered. */
  private resume(): void {
    this.isStopped = false
    for (const signal of [...this.pending.splice(0), "SIGCONT" as const]) {
      if (this.end === undefined) this.react(signal)
    }
  }

  private closeAll(names: ReadonlyArray<Input | Output>): void {
    const closed = names.filter((name) => this.open.delete(name))
    for (const pipe of this.pipesOf(closed)) pipe.release()
  }

  private pipesOf(names: Iterable<Input | Output>): ReadonlyArray<Pipe> {
    return Array.from(names).flatMap((name) =>
      [this.pipes.inputs.get(name as Input), this.pipes.outputs.get(name as Output)].filter((pipe) =>
        pipe !== undefined
      )
    )
  }

  private act(what: () => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.end !== undefined) return Effect.die(new Error(`${this} has ended`))
      what()
      return Effect.void
    })
  }
}
