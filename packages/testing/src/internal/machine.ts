import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as ChildProcess from "effect/process/ChildProcess"
import * as Scheduler from "effect/Scheduler"
import type * as TestProcess from "../TestProcess.ts"
import { type Birth, ScriptedProcess } from "./scriptedProcess.ts"

/** The group of the program that spawns. */
export const ownGroup = 1

/** The processes, and what a kernel knows of them. */
export class Machine {
  readonly all: Array<ScriptedProcess> = []
  readonly alive = new Set<ScriptedProcess>()
  plannedPid: number | undefined = undefined
  private readonly scripts: TestProcess.Scripts
  private readonly surroundings: Context.Context<never>
  private readonly attempts = new Map<string, number>()
  private readonly watchers = new Set<() => void>()
  private readonly mistakes: Array<Cause.Cause<never>> = []
  private lastPid = 1000

  constructor(scripts: TestProcess.Scripts, surroundings: Context.Context<never>) {
    this.scripts = scripts
    this.surroundings = surroundings
  }

  /** Where a program runs: in these surroundings, but in the time of who spawned it. */
  contextFor(spawner: Context.Context<never>): Context.Context<never> {
    return Context.merge(this.surroundings, Context.pick(Clock.Clock, Scheduler.Scheduler)(spawner))
  }

  /** Counts an attempt to spawn a command, and says what comes of it. */
  attempt(command: ChildProcess.StandardCommand): {
    readonly attempt: number
    readonly outcome: TestProcess.Program | TestProcess.SpawnError
  } {
    const attempt = (this.attempts.get(command.command) ?? 0) + 1
    this.attempts.set(command.command, attempt)
    const script = this.scriptOf(command) ?? (isShell(command) ? notFoundByShell : "ENOENT")
    if (typeof script === "string" || typeof script === "function") return { attempt, outcome: script }
    return { attempt, outcome: script[Math.min(attempt, script.length) - 1]! }
  }

  /** Starts a process with a pid of its own. */
  start(birth: (pid: number) => Birth): Effect.Effect<ScriptedProcess> {
    return Effect.map(this.nextPid, (pid) => {
      const process = new ScriptedProcess(this, birth(pid))
      this.all.push(process)
      this.alive.add(process)
      return process
    })
  }

  latest(command: string): Effect.Effect<ScriptedProcess> {
    return Effect.suspend(() => {
      const found = this.all.findLast((process) => process.command === command)
      return found === undefined
        ? Effect.die(new Error(`no process of ${JSON.stringify(command)} has been started`))
        : Effect.succeed(found)
    })
  }

  hasGroup(group: number): boolean {
    return this.membersOf(group).length > 0
  }

  /** Signals a group. False: there is none. */
  killGroup(group: number, signal: ChildProcess.Signal): boolean {
    const members = this.membersOf(group)
    for (const member of members) member.receive(signal)
    return members.length > 0
  }

  /** Waits until something is so, which only the end of a process can change. */
  until(isSo: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const check = () => {
        if (!isSo()) return
        this.watchers.delete(check)
        resume(Effect.void)
      }
      this.watchers.add(check)
      check()
      return Effect.sync(() => this.watchers.delete(check))
    })
  }

  /** Tells those who wait that a process has ended. */
  hasChanged(): void {
    for (const watcher of Array.from(this.watchers)) watcher()
  }

  /** Runs a program or a handler. What it dies of is kept for the end of the test. */
  run(process: ScriptedProcess, program: Effect.Effect<number | void>): void {
    const fiber = Effect.runForkWith(process.context)(
      Effect.withFiber<number | void>((fiber) => {
        // Known before its first step: it may end its own process, and must not go on then.
        process.fibers.add(fiber as Fiber.Fiber<number | void>)
        return program
      })
    )
    fiber.addObserver((exit) => {
      process.fibers.delete(fiber)
      if (Exit.isSuccess(exit)) {
        if (typeof exit.value === "number") process.exitWith(exit.value)
      } else if (!Cause.hasInterruptsOnly(exit.cause)) {
        this.mistakes.push(exit.cause)
        process.finish({ _tag: "Signaled", signal: "SIGABRT" })
      }
    })
  }

  /** Ends all programs, and fails as the first of them did that has failed. */
  readonly shutDown: Effect.Effect<void> = Effect.suspend(() => {
    for (const process of this.alive) process.interrupt()
    const [mistake] = this.mistakes
    return mistake === undefined ? Effect.void : Effect.failCause(mistake)
  })

  private scriptOf(command: ChildProcess.StandardCommand): TestProcess.Script | undefined {
    if (typeof this.scripts === "function") return this.scripts(command)
    return Object.hasOwn(this.scripts, command.command) ? this.scripts[command.command] : undefined
  }

  // One that no process and no group has. A planned one that is taken is a mistake in the test.
  private readonly nextPid: Effect.Effect<number> = Effect.suspend(() => {
    const planned = this.plannedPid
    this.plannedPid = undefined
    if (planned !== undefined) {
      return this.isTaken(planned) ? Effect.die(new Error(`the pid ${planned} is in use`)) : Effect.succeed(planned)
    }
    do this.lastPid++
    while (this.isTaken(this.lastPid))
    return Effect.succeed(this.lastPid)
  })

  private isTaken(pid: number): boolean {
    return Array.from(this.alive).some((process) => process.pid === pid || process.group === pid)
  }

  private membersOf(group: number): ReadonlyArray<ScriptedProcess> {
    return Array.from(this.alive).filter((process) => process.group === group)
  }
}

const isShell = ({ options }: ChildProcess.StandardCommand): boolean =>
  options.shell !== undefined && options.shell !== false

const notFoundByShell: TestProcess.Program = () => Effect.succeed(127)
