import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Semaphore from "effect/Semaphore"
import type { ChildRef } from "../ChildRef.ts"
import type { PartitionSupervisor } from "../PartitionSupervisor.ts"
import type { ChildStartFailed } from "../SupervisorError.ts"
import { type CallFailed, restartChild, terminateChild } from "./calls.ts"
import { makeHandle } from "./handle.ts"
import { Spec } from "./spec.ts"
import type { SupervisorCore } from "./supervisorCore.ts"

/** The key of a partition supervisor's handle. */
// Stryker disable next-line StringLiteral: nothing reads it
export const TypeId = "~coppice/PartitionSupervisor"

/** The ref that a partition fills. */
export type PartitionRef<I, S> = Context.Key<any, ChildRef<I, S>>

/** One child for each ref, by its number. */
export const partitionSpecs = (
  name: string,
  child: unknown,
  refs: ReadonlyArray<PartitionRef<any, any>>
): ReadonlyArray<Spec> =>
  refs.map((ref, partition) => {
    const spec: unknown = typeof child === "function" ? child(partition) : child
    if (!(spec instanceof Spec) || (spec.kind !== "layer" && spec.kind !== "supervisor")) {
      throw new TypeError(`${name}: a partition is made with Child.layer or Child.supervisor`)
    }
    if (spec.ref !== undefined) {
      throw new TypeError(
        `${name}: its partitions cannot all fill ${spec.ref.key}: use the partition supervisor instead`
      )
    }
    return spec.withId(String(partition), ref)
  })

/** Rule EL20: whole numbers by their remainder, so that neighbours are apart; anything else by its hash. */
export const route = (key: unknown, partitions: number): number =>
  Math.abs(Number.isInteger(key) ? key as number : Hash.hash(key)) % partitions

/** What users hold of a partition supervisor. */
export const makePartitions = <I, S>(
  core: SupervisorCore,
  refs: ReadonlyArray<PartitionRef<I, S>>
): PartitionSupervisor<I, S> => {
  const { await: awaitEnd, countChildren, events, path, tree, whichChildren } = makeHandle(core)
  const filled = refs.map((ref) => Context.get(core.context as Context.Context<any>, ref))
  const ids = refs.map((_, partition) => String(partition))
  // How many are routed to: those from number 0 on.
  let size = refs.length
  const refOf = (key: unknown) => filled[route(key, size)]!
  const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
  return {
    [TypeId]: TypeId,
    path,
    partitions: refs.length,
    size: Effect.sync(() => size),
    partitionOf: (key) => Effect.sync(() => route(key, size)),
    use: (key, f, options) => Effect.suspend(() => refOf(key).use(f, options)),
    provide: (key, effect, options) => Effect.suspend(() => refOf(key).provide(effect, options)),
    resize: (to) => {
      if (!Number.isInteger(to) || to < 1 || to > refs.length) {
        return Effect.die(new RangeError(`${path}: it has from 1 to ${refs.length} partitions, not ${to}`))
      }
      return oneAtATime(Effect.gen(function*() {
        // Nobody is sent to one that is about to stop, or has not started yet.
        size = Math.min(size, to)
        for (const id of ids.slice(to).toReversed()) yield* stopPartition(core, id)
        for (const id of ids.slice(size, to)) {
          yield* startPartition(core, id)
          size++
        }
      }))
    },
    whichChildren,
    countChildren,
    await: awaitEnd,
    tree,
    events
  }
}

const stopPartition = (core: SupervisorCore, id: string): Effect.Effect<void, CallFailed> =>
  Effect.catchTag(terminateChild(core, id), "ChildNotFound", () => Effect.void)

// One that has come back by other means is as good.
const startPartition = (core: SupervisorCore, id: string): Effect.Effect<void, ChildStartFailed | CallFailed> =>
  Effect.catchTags(Effect.asVoid(restartChild(core, id)), {
    ChildNotFound: () => Effect.void,
    ChildRunning: () => Effect.void,
    ChildRestarting: () => Effect.void
  })
