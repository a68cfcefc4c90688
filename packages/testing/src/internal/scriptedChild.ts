import { Child } from "coppice"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Script, State } from "../TestChild.ts"
import * as VirtualTime from "../VirtualTime.ts"

type Body = Effect.Effect<void, {} | null | undefined>

/** One incarnation: where it is, what it writes when it has ended unless it was asked to, and what it does next. */
interface Life {
  state: State
  line: string | undefined
  tell: (next: Body) => void
  /** What it was told before it waited. */
  told: Body | undefined
}

const newLife = (): Life => {
  const life: Life = { state: "down", line: undefined, told: undefined, tell: (next) => void (life.told = next) }
  return life
}

/** Plays the part of a child: its starts, its bodies, and what they are told in between. */
export class ScriptedChild {
  readonly id: string
  starts = 0
  private readonly script: Script
  /** The latest. */
  private life = newLife()
  /** Of all incarnations, as those that are abandoned may hang beside the latest. */
  private readonly hanging = new Set<Life>()

  constructor(id: string, script: Script) {
    this.id = id
    this.script = script
  }

  get state(): State {
    return this.life.state
  }

  get isUp(): boolean {
    return this.state === "up" || this.state === "deaf" || this.state === "ending"
  }

  /** A start, which answers the body. */
  readonly start: Effect.Effect<Body, {} | null | undefined, Scope.Scope> = Effect.suspend(() => {
    const life = newLife()
    this.life = life
    this.starts++
    switch (this.script.starts?.[this.starts - 1] ?? "ok") {
      case "ok":
        return this.up(life)
      case "fail":
        return Effect.andThen(this.note("fail"), Effect.fail(`${this.id} does not start`))
      case "ignore":
        return Effect.andThen(this.note("ignore"), Child.ignore)
      case "hang":
        return Effect.andThen(this.hangInStart(life), this.up(life))
    }
  })

  /** It does this, and ends as that does; then it writes this word. */
  leave(line: string, how: Body): Effect.Effect<void> {
    return this.command(line, (life) => {
      const starting = life.state === "starting" && line !== "return"
      if (life.state !== "up" && life.state !== "deaf" && !starting) return false
      life.state = "ending"
      life.line = line
      this.hanging.delete(life)
      life.tell(how)
      return true
    })
  }

  get hang(): Effect.Effect<void> {
    return this.command("hang", (life) => {
      if (life.state !== "up") return false
      life.tell(Effect.andThen(this.note("hang"), this.deaf(life)))
      return true
    })
  }

  get release(): Effect.Effect<void> {
    return this.command("be released", () => {
      const hanging = [...this.hanging]
      this.hanging.clear()
      for (const life of hanging) life.tell(life.state === "deaf" ? this.hearing(life) : Effect.void)
      return hanging.length > 0
    })
  }

  // Answers when all has come to rest.
  private command(what: string, perform: (life: Life) => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { life } = this
      const { state } = life
      if (perform(life)) return VirtualTime.settle
      return Effect.die(new TypeError(`${this.id} cannot ${what}: it is ${state}`))
    })
  }

  private note(what: string): Effect.Effect<void> {
    return this.script.trace?.note(`${what} ${this.id}`) ?? Effect.void
  }

  private waits(life: Life): Body {
    return Effect.callback((resume) => {
      const { told } = life
      life.told = undefined
      life.tell = resume
      if (told !== undefined) resume(told)
    })
  }

  private hangs(life: Life, state: State): Body {
    return Effect.suspend(() => {
      life.state = state
      this.hanging.add(life)
      return this.waits(life)
    })
  }

  private deaf(life: Life): Body {
    return Effect.uninterruptible(this.hangs(life, "deaf"))
  }

  private hearing(life: Life): Body {
    life.state = "up"
    return Effect.interruptible(this.waits(life))
  }

  private hangInStart(life: Life): Body {
    const started = Effect.onExit(this.hangs(life, "starting"), (exit) => {
      life.state = "down"
      this.hanging.delete(life)
      return Exit.isSuccess(exit) || life.line === undefined ? Effect.void : this.note("fail")
    })
    return Effect.andThen(this.note("hang"), started)
  }

  private up(life: Life): Effect.Effect<Body, never, Scope.Scope> {
    const { stops } = this.script
    const body = Effect.onExit(stops === "deaf" ? this.deaf(life) : this.waits(life), () => this.ended(life))
    const started = Effect.suspend(() => {
      life.state = "up"
      life.line = undefined
      return Effect.as(this.note("start"), body)
    })
    return stops === "hang" ? Effect.andThen(Effect.addFinalizer(() => this.hangInRelease(life)), started) : started
  }

  private ended(life: Life): Effect.Effect<void> {
    life.state = "down"
    const written = this.note(life.line ?? "stop")
    return life.line === undefined && this.script.stops === "fail"
      ? Effect.andThen(written, Effect.die(`${this.id} does not stop`))
      : written
  }

  private hangInRelease(life: Life): Effect.Effect<void> {
    return Effect.orDie(this.hangs(life, "stopping")).pipe(
      Effect.andThen(() => {
        life.state = "down"
        return this.note("gone")
      })
    )
  }
}
