import { VirtualTime } from "@coppice/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Effect, Exit, Fiber, Random, Scheduler } from "effect"
import { TestClock } from "effect/testing"
// With .js, as this is another project than the sources.
import { CurrentHold, Hold } from "../src/internal/hold.js"

const names: ReadonlyArray<string> = ["a", "b", "c", "d"]

/** What is noted, in the order in which it is. */
class Notes {
  readonly lines: Array<string> = []

  note(line: string): Effect.Effect<void> {
    return Effect.sync(() => {
      this.lines.push(line)
    })
  }
}

/** One thing is noted by each of four fibers: who has the first turn, who the second? */
const turns = Effect.gen(function*() {
  const notes = new Notes()
  yield* Effect.forEach(names, (name) => Effect.forkChild(notes.note(name)))
  yield* VirtualTime.settle
  return notes.lines
})

/** Many things are noted by each of four fibers: where do they give way? */
const work = Effect.gen(function*() {
  const notes = new Notes()
  yield* Effect.forEach(names, (name) => Effect.forkChild(Effect.repeat(notes.note(name), { times: 4 })))
  yield* VirtualTime.settle
  return notes.lines
})

/** Four fibers that have gone to sleep in their order wake at the same time: which is the first? */
const wakes = Effect.gen(function*() {
  const notes = new Notes()
  for (const name of names) {
    yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 second"), notes.note(name)))
    yield* VirtualTime.settle
  }
  yield* TestClock.adjust("1 second")
  return notes.lines
})

/** How many operations a fiber does in each of its turns, if it does so many in all. */
const opCounts = (times: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function*() {
    const counts: Array<number> = []
    let last = 0
    for (let time = 0; time < times; time++) {
      const count = yield* Effect.withFiber((fiber) => Effect.succeed(fiber.currentOpCount))
      if (count < last) counts.push(last)
      last = count
    }
    return counts
  })

const seeds = Array.from({ length: 20 }, (_, index) => index + 1)

/** What comes out with each seed. */
const withSeeds = <A>(program: Effect.Effect<A>): Effect.Effect<ReadonlyArray<A>> =>
  Effect.forEach(seeds, (seed) => VirtualTime.run(program, { seed }))

/** Runs an effect where what is thrown into the host is caught, and answers it as well. */
const catching = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const thrown: Array<unknown> = []
  const scheduler = yield* Scheduler.Scheduler
  const host: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => scheduler.shouldYield(fiber),
    makeDispatcher: () => {
      const dispatcher = scheduler.makeDispatcher()
      const caught = (task: () => void) => () => {
        try {
          task()
        } catch (error) {
          thrown.push(error)
        }
      }
      return {
        scheduleTask: (task, priority) => dispatcher.scheduleTask(caught(task), priority),
        flush: () => dispatcher.flush()
      }
    }
  }
  return [yield* Effect.provideService(effect, Scheduler.Scheduler, host), thrown] as const
})

const hour = 60 * 60 * 1000

describe("the order of a world", () => {
  it.effect("is that of arrival without a seed", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* VirtualTime.run(turns), ["a", "b", "c", "d"])
      assert.deepStrictEqual(yield* VirtualTime.run(wakes), ["a", "b", "c", "d"])
      assert.strictEqual((yield* VirtualTime.run(work)).join(""), "aaaaabbbbbcccccddddd")
    }))

  it.effect("is then the one Effect has, down to where a fiber gives way", () =>
    Effect.gen(function*() {
      const counts = yield* VirtualTime.run(opCounts(10_000))
      assert.deepStrictEqual(counts, yield* Effect.flatMap(Effect.forkChild(opCounts(10_000)), Fiber.join))
      assert.strictEqual(counts[1], 2047)
    }))

  it.effect("has fibers give way after as many operations as are asked for", () =>
    Effect.gen(function*() {
      for (const opsBeforeYield of [20, 30]) {
        const counts = yield* VirtualTime.run(opCounts(200), { opsBeforeYield })
        assert.deepStrictEqual(new Set(counts), new Set([opsBeforeYield - 1]))
      }
      assert.strictEqual((yield* VirtualTime.run(work, { opsBeforeYield: 3 })).join(""), "abcdabcdabcdabcdabcd")
    }))

  it.effect("is the same with the same seed", () =>
    Effect.gen(function*() {
      for (const program of [turns, work, wakes]) {
        assert.deepStrictEqual(yield* withSeeds(program), yield* withSeeds(program))
      }
      const named = VirtualTime.run(work, { seed: "a name" })
      assert.deepStrictEqual(yield* named, yield* named)
    }))

  it.effect("lets any of several runnable fibers have the first turn", () =>
    Effect.gen(function*() {
      const seen = yield* withSeeds(turns)
      for (const position of [0, 3]) {
        assert.deepStrictEqual(new Set(seen.map((lines) => lines[position])), new Set<string | undefined>(names))
      }
    }))

  it.effect("lets any of those who wake at the same time be the first", () =>
    Effect.gen(function*() {
      const seen = yield* withSeeds(wakes)
      for (const position of [0, 3]) {
        assert.deepStrictEqual(new Set(seen.map((lines) => lines[position])), new Set<string | undefined>(names))
      }
    }))

  it.effect("lets a fiber give way in the middle, but not before it has got on", () =>
    Effect.gen(function*() {
      const seen = (yield* withSeeds(work)).map((lines) => lines.join(""))
      const whole = /^(aaaaa|bbbbb|ccccc|ddddd)+$/
      assert.isAbove(seen.filter((line) => !whole.test(line)).length, 10)
      assert.isAbove(new Set(seen).size, 15)
      const scheduler = Context.get(new VirtualTime.VirtualTime({ seed: 1 }).context, Scheduler.Scheduler)
      const share = (currentOpCount: number) => {
        const fiber = { currentOpCount } as Fiber.Fiber<unknown, unknown>
        return Array.from({ length: 1000 }, () => scheduler.shouldYield(fiber)).filter(Boolean).length / 1000
      }
      assert.strictEqual(share(2), 0)
      assert.approximately(share(3), 0.1, 0.03)
    }))

  it.effect("gives Random from the seed, and without one leaves that of the surroundings", () =>
    Effect.gen(function*() {
      const draw = Effect.all([Random.nextInt, Random.nextInt])
      const seeded = (seed: number) => VirtualTime.run(draw, { seed })
      assert.deepStrictEqual(yield* seeded(1), yield* seeded(1))
      assert.notDeepEqual(yield* seeded(1), yield* seeded(2))
      assert.deepStrictEqual(yield* Random.withSeed(VirtualTime.run(draw), "s"), yield* Random.withSeed(draw, "s"))
    }))
})

describe("settle", () => {
  it.effect("waits for everything that is runnable, also for what that makes runnable", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      const chain = (name: string) =>
        Effect.gen(function*() {
          for (let link = 0; link < 50; link++) yield* Effect.yieldNow
          const next = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, notes.note(`after ${name}`)))
          yield* Fiber.join(next)
          yield* notes.note(name)
        })
      yield* Effect.forkChild(chain("a"))
      yield* Effect.forkDetach(chain("b"))
      yield* VirtualTime.settle
      assert.deepStrictEqual(notes.lines, ["after a", "a", "after b", "b"])
    })))

  it.effect("waits for what promises do, one after the other", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      const promised = (name: string, between: Effect.Effect<void>) =>
        Effect.gen(function*() {
          for (let link = 0; link < 20; link++) {
            yield* Effect.promise(() => Promise.resolve(link).then((link) => link + 1).then(String))
            yield* between
          }
          yield* notes.note(name)
        })
      yield* Effect.forkChild(promised("a", Effect.void))
      yield* Effect.forkChild(promised("b", Effect.yieldNow))
      yield* VirtualTime.settle
      assert.deepStrictEqual(notes.lines, ["a", "b"])
    })))

  it.effect("does not wait for time to pass", () =>
    VirtualTime.run(Effect.gen(function*() {
      const sleeper = yield* Effect.forkChild(Effect.sleep(1))
      yield* VirtualTime.settle
      assert.strictEqual(sleeper.pollUnsafe(), undefined)
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    })))

  it.effect("is told to all who wait, when all is quiet", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      const settler = (name: string) => Effect.andThen(VirtualTime.settle, notes.note(name))
      yield* Effect.forkChild(settler("first"))
      yield* Effect.forkChild(Effect.andThen(VirtualTime.settle, settler("second, twice")))
      yield* Effect.forkChild(Effect.andThen(Effect.promise(() => Promise.resolve()), notes.note("work")))
      const interrupted = yield* Effect.forkChild(settler("nobody"), { startImmediately: true })
      yield* Fiber.interrupt(interrupted)
      yield* VirtualTime.settle
      yield* VirtualTime.settle
      yield* VirtualTime.settle
      assert.deepStrictEqual(notes.lines, ["work", "first", "second, twice"])
    })))

  it.effect("is told to all of them before anything of what they then do", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      for (const name of names) {
        const more = Effect.forkDetach(notes.note(`what ${name} does`))
        yield* Effect.forkChild(Effect.andThen(VirtualTime.settle, Effect.andThen(notes.note(name), more)), {
          startImmediately: true
        })
      }
      yield* VirtualTime.settle
      yield* VirtualTime.settle
      assert.deepStrictEqual(notes.lines, [...names, ...names.map((name) => `what ${name} does`)])
    })))

  it.effect("dies outside, and says so", () =>
    Effect.gen(function*() {
      const dies = Exit.die(new TypeError("there is no virtual time here: run the test in VirtualTime.run"))
      assert.deepStrictEqual(yield* Effect.exit(VirtualTime.settle), dies)
      assert.deepStrictEqual(yield* Effect.exit(VirtualTime.current), dies)
    }))
})

describe("the clock of a world", () => {
  it.effect("wakes in the order of time, and lets each come to rest before the next", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      const sleeper = (name: string, millis: number) =>
        Effect.gen(function*() {
          yield* Effect.sleep(millis)
          yield* notes.note(`${name} wakes at ${yield* Clock.currentTimeMillis}`)
          yield* Effect.promise(() => Promise.resolve().then(() => undefined))
          yield* Effect.yieldNow
          yield* notes.note(`${name} rests at ${yield* Clock.currentTimeMillis}`)
        })
      yield* Effect.forkChild(sleeper("late", 20))
      yield* Effect.forkChild(Effect.andThen(sleeper("early", 10), sleeper("again", 5)))
      yield* Effect.forkChild(sleeper("second", 20))
      yield* Effect.forkChild(sleeper("not yet", 31))
      yield* TestClock.adjust(30)
      assert.deepStrictEqual(notes.lines, [
        "early wakes at 10",
        "early rests at 10",
        "again wakes at 15",
        "again rests at 15",
        "late wakes at 20",
        "late rests at 20",
        "second wakes at 20",
        "second rests at 20"
      ])
      assert.strictEqual(yield* Clock.currentTimeMillis, 30)
    })))

  it.effect("keeps the order of time with any seed", () =>
    Effect.gen(function*() {
      const sleepers = Effect.gen(function*() {
        const notes = new Notes()
        for (const millis of [40, 10, 30, 20]) {
          yield* Effect.forkChild(Effect.andThen(Effect.sleep(millis), notes.note(String(millis))))
        }
        yield* TestClock.adjust(50)
        return notes.lines
      })
      for (const lines of yield* withSeeds(sleepers)) assert.deepStrictEqual(lines, ["10", "20", "30", "40"])
    }))

  it.effect("counts time from what has begun to sleep when it is moved, and not before", () =>
    VirtualTime.run(Effect.gen(function*() {
      const sleeper = yield* Effect.forkChild(Effect.sleep("1 hour"))
      yield* TestClock.adjust(hour - 1)
      assert.strictEqual(sleeper.pollUnsafe(), undefined)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(sleeper.pollUnsafe(), Exit.void)
    })))

  it.effect("can be set, forwards and back, and tells nanoseconds too", () =>
    VirtualTime.run(Effect.gen(function*() {
      const sleeper = yield* Effect.forkChild(Effect.sleep(1000))
      yield* TestClock.setTime(999.5)
      assert.strictEqual(yield* Clock.currentTimeNanos, 999_500_000n)
      assert.strictEqual(yield* Clock.clockWith((clock) => clock.monotonicTimeNanos), 999_500_000n)
      yield* TestClock.setTime(500)
      assert.strictEqual(yield* Clock.currentTimeMillis, 500)
      assert.strictEqual(sleeper.pollUnsafe(), undefined)
      yield* TestClock.setTime(1000)
      assert.deepStrictEqual(sleeper.pollUnsafe(), Exit.void)
    })))

  it.effect("leaves the real time to withLive", () =>
    VirtualTime.run(Effect.gen(function*() {
      assert.isAbove(yield* TestClock.withLive(Clock.currentTimeMillis), Date.parse("2020-01-01"))
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    })))

  it.effect("can be copied with another way to sleep", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      const clock = yield* Clock.clockWith(Effect.succeed)
      const program = Effect.gen(function*() {
        yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 hour"), notes.note("awake")))
        yield* TestClock.adjust("1 hour")
      })
      yield* Effect.provideService(program, Clock.Clock, {
        ...clock,
        sleep: (duration) => Effect.andThen(notes.note("sleeps"), clock.sleep(duration))
      })
      assert.deepStrictEqual(notes.lines, ["sleeps", "awake"])
      assert.strictEqual(yield* Clock.currentTimeMillis, hour)
    })))

  it.effect("does not hold up whoever sleeps no time, or less, and never wakes who sleeps for ever", () =>
    VirtualTime.run(Effect.gen(function*() {
      const clock = yield* Clock.clockWith(Effect.succeed)
      yield* Effect.sleep(0)
      yield* Effect.sleep(-1000)
      assert.strictEqual(clock.currentTimeMillisUnsafe(), 0)
      const sleepers = yield* Effect.forEach([1, 2], () => Effect.forkChild(Effect.sleep("Infinity")))
      yield* TestClock.adjust("36500 days")
      assert.deepStrictEqual(sleepers.map((sleeper) => sleeper.pollUnsafe()), [undefined, undefined])
      assert.strictEqual((yield* VirtualTime.current).sleeping.length, 2)
      yield* Fiber.interruptAll(sleepers)
      assert.strictEqual((yield* VirtualTime.current).sleeping.length, 0)
    })))

  it.effect("keeps nothing of a sleeper that is interrupted", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      const [first, second, third] = yield* Effect.forEach(names, (name) =>
        Effect.forkChild(Effect.andThen(Effect.sleep("1 hour"), notes.note(name))))
      yield* VirtualTime.settle
      assert.strictEqual((yield* VirtualTime.current).sleeping.length, 4)
      yield* Fiber.interrupt(second!)
      yield* Fiber.interrupt(third!)
      assert.strictEqual((yield* VirtualTime.current).sleeping.length, 2)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(notes.lines, ["a", "d"])
      yield* Fiber.interrupt(first!) // has been awake
      assert.strictEqual((yield* VirtualTime.current).sleeping.length, 0)
    })))
})

describe("run", () => {
  class Greeting extends Context.Service<Greeting, string>()("@coppice/testing/test/VirtualTime.test/Greeting") {}

  it.effect("gives the services and the scope of the surroundings to the inside", () =>
    Effect.gen(function*() {
      const notes = new Notes()
      const inside = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => notes.note("closed"))
        yield* notes.note(yield* Greeting)
      })
      yield* Effect.scoped(Effect.andThen(VirtualTime.run(inside), notes.note("after"))).pipe(
        Effect.provideService(Greeting, "hello")
      )
      assert.deepStrictEqual(notes.lines, ["hello", "after", "closed"])
    }))

  it.effect("passes on what comes out: a value, a failure, a defect, an interruption", () =>
    Effect.gen(function*() {
      const exitOf = <A, E>(effect: Effect.Effect<A, E>) => Effect.exit(VirtualTime.run(effect))
      assert.deepStrictEqual(yield* exitOf(Effect.delay(Effect.void, 0)), Exit.void)
      assert.deepStrictEqual(yield* exitOf(Effect.andThen(Effect.yieldNow, Effect.succeed(1))), Exit.succeed(1))
      assert.deepStrictEqual(yield* exitOf(Effect.fail("no")), Exit.fail("no"))
      assert.deepStrictEqual(yield* exitOf(Effect.andThen(Effect.yieldNow, Effect.die("oops"))), Exit.die("oops"))
      assert.isTrue(Exit.hasInterrupts(yield* exitOf(Effect.interrupt)))
    }))

  it.effect("interrupts the inside when it is interrupted, and waits for its finalizers", () =>
    Effect.gen(function*() {
      const notes = new Notes()
      const inside = Effect.onExit(Effect.never, (exit) =>
        Effect.gen(function*() {
          yield* notes.note(`interrupted: ${Exit.hasInterrupts(exit)}`)
          for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
          yield* Effect.promise(() => Promise.resolve())
          yield* notes.note("closed")
        }))
      const fiber = yield* Effect.forkChild(VirtualTime.run(inside), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(notes.lines, ["interrupted: true", "closed"])
    }))

  it.effect("makes a world of its own each time", () =>
    Effect.gen(function*() {
      const later = Effect.andThen(TestClock.adjust("1 hour"), Clock.currentTimeMillis)
      const inside = Effect.andThen(VirtualTime.run(later), Clock.currentTimeMillis)
      assert.deepStrictEqual(yield* Effect.all([VirtualTime.run(later), VirtualTime.run(inside)]), [hour, 0])
    }))

  it.effect("goes on where an observer throws, which the host is told", () =>
    Effect.gen(function*() {
      const notes = new Notes()
      const program = Effect.gen(function*() {
        for (const name of names) {
          const fiber = yield* Effect.forkChild(notes.note(name))
          if (name < "c") {
            fiber.addObserver(() => {
              throw new Error(name)
            })
          }
        }
        yield* VirtualTime.settle
        yield* Effect.forkChild(notes.note("more"))
        yield* VirtualTime.settle
      })
      const [, thrown] = yield* catching(VirtualTime.run(program))
      assert.deepStrictEqual(notes.lines, ["a", "b", "c", "d", "more"])
      assert.deepStrictEqual(thrown, [new Error("a"), new Error("b")])
    }))

  it.effect("tells everybody that it is quiet where one of them throws", () =>
    Effect.gen(function*() {
      const notes = new Notes()
      const program = Effect.gen(function*() {
        for (const name of names) {
          const settled = Effect.andThen(VirtualTime.settle, notes.note(name))
          const fiber = yield* Effect.forkChild(settled, { startImmediately: true })
          if (name < "c") {
            fiber.addObserver(() => {
              throw new Error(name)
            })
          }
        }
        yield* VirtualTime.settle
      })
      const [, thrown] = yield* catching(VirtualTime.run(program))
      assert.deepStrictEqual(notes.lines, ["a", "b", "c", "d"])
      assert.deepStrictEqual(thrown, [new Error("a"), new Error("b")])
    }))

  it.effect("tells whoever moves the clock what a sleeper's observer throws, and wakes the next all the same", () =>
    VirtualTime.run(Effect.gen(function*() {
      const notes = new Notes()
      for (const name of names) {
        const fiber = yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 hour"), notes.note(name)))
        if (name === "a") {
          fiber.addObserver(() => {
            throw new Error(name)
          })
        }
      }
      assert.deepStrictEqual(yield* Effect.exit(TestClock.adjust("1 hour")), Exit.die(new Error("a")))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(notes.lines, [...names])
    })))
})

describe("a world that is driven from outside", () => {
  it("runs an effect until quiet, and answers no exit where that waits for what will not come", () => {
    const world = new VirtualTime.VirtualTime()
    const yielding = Effect.andThen(Effect.yieldNow, Effect.succeed(1))
    assert.deepStrictEqual(world.run(Effect.andThen(Effect.yieldNow, yielding)), Exit.succeed(1))
    assert.deepStrictEqual(world.run(Effect.die("oops")), Exit.die("oops"))
    assert.strictEqual(world.run(Effect.sleep(1)), undefined)
    assert.strictEqual(world.sleeping.length, 1)
  })

  it("lets time pass exactly as far as it is told", () => {
    const world = new VirtualTime.VirtualTime()
    const notes = new Notes()
    const begin = (name: string, millis: number) => {
      const sleeping = Effect.andThen(Effect.sleep(millis), notes.note(name))
      // What is runnable when time begins to pass goes to sleep before it does.
      Effect.runForkWith(world.context)(Effect.flatMap(Effect.forkChild(sleeping), Fiber.join))
    }
    begin("b", 20)
    begin("a", 10)
    world.advance(9)
    assert.deepStrictEqual(notes.lines, [])
    world.advance(1)
    assert.deepStrictEqual(notes.lines, ["a"])
    begin("c", 20)
    world.advance(30)
    assert.deepStrictEqual(notes.lines, ["a", "b", "c"])
    assert.deepStrictEqual(world.run(Clock.currentTimeMillis), Exit.succeed(40))
  })

  it("lets time pass freely until nobody sleeps who would wake", () => {
    const world = new VirtualTime.VirtualTime()
    const notes = new Notes()
    const daily = Effect.repeat(Effect.andThen(Effect.sleep("1 day"), notes.note("day")), { times: 2 })
    Effect.runForkWith(world.context)(Effect.flatMap(Effect.forkChild(daily), Fiber.join))
    const forever = Effect.runForkWith(world.context)(Effect.sleep("Infinity"))
    world.runFreely()
    assert.deepStrictEqual(notes.lines, ["day", "day", "day"])
    assert.strictEqual(forever.pollUnsafe(), undefined)
    assert.strictEqual(world.sleeping.length, 1)
    assert.deepStrictEqual(world.run(Clock.currentTimeMillis), Exit.succeed(3 * 24 * hour))
  })

  it("settles what has been caused from outside, and lets the inside settle and move time", () => {
    const world = new VirtualTime.VirtualTime()
    const notes = new Notes()
    const gate = Deferred.makeUnsafe<void>()
    const inside = Effect.gen(function*() {
      yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 hour"), notes.note("an hour later")))
      yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, notes.note("runnable")))
      yield* VirtualTime.settle
      yield* notes.note("quiet")
      yield* TestClock.adjust("1 hour")
      yield* VirtualTime.settle
      yield* notes.note("quiet again")
    })
    const fiber = Effect.runForkWith(world.context)(
      Effect.flatMap(Effect.forkChild(Effect.andThen(Deferred.await(gate), inside)), Fiber.join)
    )
    world.settle()
    assert.deepStrictEqual(notes.lines, [])
    Deferred.doneUnsafe(gate, Effect.void)
    world.settle()
    assert.deepStrictEqual(notes.lines, ["runnable", "quiet", "an hour later", "quiet again"])
    assert.deepStrictEqual(fiber.pollUnsafe(), Exit.void)
  })

  it("throws at whoever drives it what an observer throws, and goes on when it is driven on", () => {
    const world = new VirtualTime.VirtualTime()
    const notes = new Notes()
    const fork = Effect.forEach(names, (name) => Effect.forkDetach(notes.note(name)))
    Effect.runForkWith(world.context)(Effect.map(fork, ([first]) =>
      first!.addObserver(() => {
        throw new Error("a")
      })))
    assert.throws(() => world.settle(), "a")
    assert.deepStrictEqual(notes.lines, ["a"])
    world.settle()
    assert.deepStrictEqual(notes.lines, [...names])
  })

  it("runs what is runnable when a dispatcher of it is flushed", () => {
    const dispatcher = Context.get(new VirtualTime.VirtualTime().context, Scheduler.Scheduler).makeDispatcher()
    const notes = new Notes()
    for (const name of names) dispatcher.scheduleTask(() => Effect.runSync(notes.note(name)), 0)
    assert.deepStrictEqual(notes.lines, [])
    dispatcher.flush()
    assert.deepStrictEqual(notes.lines, [...names])
  })

  it("has the order of its seed", () => {
    const orders = seeds.map((seed) => String(new VirtualTime.VirtualTime({ seed }).run(turns)))
    assert.deepStrictEqual(seeds.map((seed) => String(new VirtualTime.VirtualTime({ seed }).run(turns))), orders)
    assert.isAbove(new Set(orders).size, 5)
  })
})

describe("fibers that are made to hang", () => {
  const setup = () => {
    const world = new VirtualTime.VirtualTime()
    const notes = new Notes()
    const ticking = (name: string): Effect.Effect<never> =>
      Effect.forever(Effect.andThen(Effect.sleep(1000), notes.note(name)))
    const begin = <A, E>(effect: Effect.Effect<A, E>, hold?: Hold) =>
      Effect.runForkWith(world.context)(Effect.provideService(effect, CurrentHold, hold))
    const lines = () => notes.lines.splice(0)
    return { begin, lines, notes, ticking, world }
  }

  it("do nothing more, whatever happens, and go on where they were when they are released", () => {
    const { begin, lines, notes, ticking, world } = setup()
    const hold = new Hold()
    const gate = Deferred.makeUnsafe<void>()
    begin(ticking("a"), hold)
    begin(Effect.andThen(Effect.forkChild(ticking("b's fiber")), ticking("b")), hold)
    begin(Effect.andThen(Deferred.await(gate), notes.note("c")), hold)
    begin(ticking("free"))
    world.advance(1000)
    assert.deepStrictEqual(lines(), ["a", "b", "free", "b's fiber"])

    begin(Effect.flatMap(Effect.forkChild(notes.note("d's fiber")), Fiber.join), hold)
    world.hang(hold, false)
    Deferred.doneUnsafe(gate, Effect.void)
    world.advance(5000)
    assert.deepStrictEqual(lines(), ["free", "free", "free", "free", "free"])

    world.release(hold)
    world.settle()
    assert.deepStrictEqual(lines(), ["c", "d's fiber", "a", "b", "b's fiber"])
    world.advance(1000)
    assert.deepStrictEqual(lines(), ["free", "a", "b", "b's fiber"])
  })

  it("can be interrupted, and finalize", () => {
    const { begin, lines, notes, ticking, world } = setup()
    const hold = new Hold()
    const fibers = names.map((name) => begin(Effect.onExit(ticking(name), () => notes.note(`${name} ends`)), hold))
    begin(ticking("free"))
    world.hang(hold, false)
    fibers[1]!.interruptUnsafe()
    assert.deepStrictEqual(lines(), ["b ends"])
    world.advance(1000)
    fibers[2]!.interruptUnsafe()
    assert.deepStrictEqual(lines(), ["free", "c ends"])
    assert.deepStrictEqual(fibers.map((fiber) => fiber.pollUnsafe() !== undefined), [false, true, true, false])

    world.release(hold)
    world.settle()
    assert.deepStrictEqual(lines(), ["a", "d"])
    world.advance(1000)
    assert.deepStrictEqual(lines(), ["free", "a", "d"])
  })

  it("hear nothing where they are deaf, and end as they were told when they are released", () => {
    const { begin, lines, notes, ticking, world } = setup()
    const hold = new Hold()
    const fibers = names.map((name) => begin(Effect.onExit(ticking(name), () => notes.note(`${name} ends`)), hold))
    world.hang(hold, true)
    fibers[1]!.interruptUnsafe()
    world.advance(1000)
    fibers[2]!.interruptUnsafe()
    assert.deepStrictEqual(lines(), [])
    assert.deepStrictEqual(fibers.map((fiber) => fiber.pollUnsafe()), names.map(() => undefined))

    world.release(hold)
    world.settle()
    assert.deepStrictEqual(lines(), ["b ends", "a", "d", "c ends"])
    const ended = fibers.map((fiber) => fiber.pollUnsafe()).filter((exit) => exit !== undefined)
    assert.deepStrictEqual(ended.map((exit) => Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)), [
      true,
      true
    ])
  })

  it("hang by their own hold, again and again", () => {
    const { begin, lines, ticking, world } = setup()
    const one = new Hold()
    const other = new Hold()
    begin(ticking("one"), one)
    begin(ticking("other"), other)
    world.hang(one, false)
    world.hang(other, false)
    world.advance(1000)
    assert.deepStrictEqual(lines(), [])
    world.release(one)
    world.settle()
    assert.deepStrictEqual(lines(), ["one"])
    world.hang(one, false)
    world.release(other)
    world.advance(1000)
    assert.deepStrictEqual(lines(), ["other", "other"])
    world.release(one)
    world.settle()
    assert.deepStrictEqual(lines(), ["one"])
  })

  it("are not waited for", () => {
    const { begin, lines, notes, ticking, world } = setup()
    const hold = new Hold()
    begin(ticking("a"), hold)
    world.hang(hold, false)
    world.advance(1000)
    assert.deepStrictEqual(world.run(Effect.andThen(VirtualTime.settle, notes.note("quiet"))), Exit.void)
    assert.deepStrictEqual(lines(), ["quiet"])
  })
})

describe("what does not come to rest", () => {
  const restless = Effect.forever(Effect.yieldNow)

  it("is thrown to whoever drives the world", () => {
    const world = new VirtualTime.VirtualTime({ opsAtOnce: 1000 })
    world.run(Effect.sleep("1 second"))
    world.advance(500)
    assert.throws(() => world.run(restless), "there is no end of what is done at 500 ms")
  })

  it.effect("is a defect of what runs in a world, with a seed or without", () =>
    Effect.gen(function*() {
      for (const seed of [undefined, 1]) {
        const exit = yield* Effect.exit(VirtualTime.run(restless, { opsAtOnce: 1000, seed }))
        assert.deepStrictEqual(exit, Exit.die(new VirtualTime.Restless({ atMillis: 0 })))
      }
    }))

  it.effect("is not what does much, but lets time pass", () =>
    Effect.gen(function*() {
      const busy = Effect.repeat(Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 100 }), Effect.sleep(1)), {
        times: 100
      })
      const test = Effect.andThen(Effect.forkChild(busy), TestClock.adjust("1 second"))
      yield* VirtualTime.run(test, { opsAtOnce: 3000 })
    }))
})
