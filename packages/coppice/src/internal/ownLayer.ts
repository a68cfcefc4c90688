import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { InvalidChild } from "../SupervisorError.ts"
import type { AnyLayer } from "./spec.ts"

type Built<ROut, E, RIn> = Effect.Effect<Context.Context<ROut>, E, RIn>

/** The layer inside a layer that is composed with what it depends on, where both stand for the same thing. */
const cores = new WeakMap<WeakKey, unknown>()

/** Says that a composed layer and one inside it stand for the same thing. */
export const standsFor = <ROut, E, RIn>(
  composed: Layer.Layer<ROut, E, RIn>,
  inside: unknown
): Layer.Layer<ROut, E, RIn> => {
  cores.set(composed, inside)
  return composed
}

// Layers are one object whatever their types.
const isSame = (layer: unknown, that: AnyLayer | undefined): boolean =>
  that !== undefined && (layer === that || layer === cores.get(that))

/** The answers that refuse a layer, which is an answer too: a supervisor further down must not take it for none. */
const refusals = new WeakSet<WeakKey>()

const refuse = (invalid: Effect.Effect<never>): Effect.Effect<never> => {
  refusals.add(invalid)
  return invalid
}

/**
 * What a supervisor's surroundings had built, as its children see it: asked once per layer and held for the
 * supervisor's life, so that the answer is the same for every incarnation. What is still being built, or has failed, was
 * not built: to wait for it could be to wait for oneself.
 */
export class Surroundings {
  /** The supervisor's own layer, which is being built while its children start. */
  readonly own: AnyLayer | undefined
  private readonly memoMap: Layer.MemoMap | undefined
  // By weak keys: layers may be made anew by each incarnation, as by Layer.unwrap.
  private asked: WeakMap<WeakKey, unknown> | undefined = undefined
  private scope: Scope.Closeable | undefined = undefined

  constructor(memoMap: Layer.MemoMap | undefined, own: AnyLayer | undefined) {
    this.memoMap = memoMap
    this.own = own
  }

  /** Lets go of what is shared. To be done after the children have stopped. */
  get release(): Effect.Effect<void> {
    return this.scope === undefined ? Effect.void : Scope.close(this.scope, Exit.void)
  }

  get<ROut, E, RIn>(layer: Layer.Layer<ROut, E, RIn>): Built<ROut, E, RIn> | undefined {
    const { memoMap } = this
    if (memoMap === undefined) return undefined
    const asked = this.asked ??= new WeakMap()
    if (!asked.has(layer)) asked.set(layer, this.ask(memoMap, layer))
    return asked.get(layer) as Built<ROut, E, RIn> | undefined
  }

  private ask<ROut, E, RIn>(
    memoMap: Layer.MemoMap,
    layer: Layer.Layer<ROut, E, RIn>
  ): Built<ROut, E, RIn> | undefined {
    const lease = Scope.forkUnsafe(this.scope ??= Scope.makeUnsafe())
    const found = memoMap.get(layer, lease)
    if (found !== undefined && (refusals.has(found) || (Exit.isExit(found) && Exit.isSuccess(found)))) return found
    const closing = Scope.closeUnsafe(lease, Exit.void)
    if (closing !== undefined) Effect.runFork(closing)
    return undefined
  }
}

/**
 * The memo map that children find in their context, where they provide layers to themselves: what the surroundings had
 * built is shared, as for layer children; what is built is the builder's own.
 */
export class ChildLayers implements Layer.MemoMap {
  readonly "~effect/Layer/MemoMap" = "~effect/Layer/MemoMap" as const
  private readonly surroundings: Surroundings
  private readonly invalid: (problem: string) => Effect.Effect<never>

  constructor(surroundings: Surroundings, invalid: (problem: string) => Effect.Effect<never>) {
    this.surroundings = surroundings
    this.invalid = invalid
  }

  get<RIn, E, ROut>(layer: Layer.Layer<ROut, E, RIn>): Built<ROut, E, RIn> | undefined {
    return isSame(layer, this.surroundings.own) ? refuse(this.invalid(containsItself)) : this.surroundings.get(layer)
  }

  getOrElseMemoize<RIn, E, ROut>(
    layer: Layer.Layer<ROut, E, RIn>,
    scope: Scope.Scope,
    build: (memoMap: Layer.MemoMap, scope: Scope.Scope) => Built<ROut, E, RIn>
  ): Built<ROut, E, RIn> {
    return Effect.suspend(() => this.get(layer) ?? Layer.forkMemoMapUnsafe(this).getOrElseMemoize(layer, scope, build))
  }
}

const containsItself = "its layer contains the layer of the supervisor it is a child of"

/**
 * The memo map of one incarnation: what it builds is its own; what the surroundings had built is shared; under a group
 * strategy so is what earlier siblings have built; and the listed layer itself is taken from nobody.
 */
export class OwnLayers implements Layer.MemoMap {
  readonly "~effect/Layer/MemoMap" = "~effect/Layer/MemoMap" as const
  private readonly local = Layer.makeMemoMapUnsafe()
  /** What siblings have asked for, once each: what is built here lives as long as this incarnation, and no longer. */
  private lent: WeakMap<WeakKey, unknown> | undefined = undefined
  private readonly scope: Scope.Scope
  private readonly surroundings: Surroundings
  private readonly listed: AnyLayer
  private readonly siblings: () => ReadonlyArray<OwnLayers>
  private readonly invalid: (problem: string) => InvalidChild

  constructor(options: {
    readonly scope: Scope.Scope
    readonly surroundings: Surroundings
    readonly listed: AnyLayer
    readonly siblings: () => ReadonlyArray<OwnLayers>
    readonly invalid: (problem: string) => InvalidChild
  }) {
    this.scope = options.scope
    this.surroundings = options.surroundings
    this.listed = options.listed
    this.siblings = options.siblings
    this.invalid = options.invalid
  }

  get<RIn, E, ROut>(layer: Layer.Layer<ROut, E, RIn>, scope: Scope.Scope): Built<ROut, E, RIn> | undefined {
    // Whoever builds it waits for this child: to wait for it here would never end.
    if (isSame(layer, this.surroundings.own)) {
      return refuse(Effect.die(this.invalid(containsItself)))
    }
    const own = this.local.get(layer, scope)
    return own ?? (isSame(layer, this.listed) ? undefined : this.surroundings.get(layer) ?? this.borrow(layer))
  }

  getOrElseMemoize<RIn, E, ROut>(
    layer: Layer.Layer<ROut, E, RIn>,
    scope: Scope.Scope,
    build: (memoMap: Layer.MemoMap, scope: Scope.Scope) => Built<ROut, E, RIn>
  ): Built<ROut, E, RIn> {
    return Effect.suspend(() =>
      this.get(layer, scope) ??
        this.local.getOrElseMemoize(layer, scope, (_memoMap, layerScope) => build(this, layerScope))
    )
  }

  private borrow<ROut, E, RIn>(layer: Layer.Layer<ROut, E, RIn>): Built<ROut, E, RIn> | undefined {
    for (const sibling of this.siblings()) {
      const found = sibling.lend(layer)
      if (found !== undefined) return found
    }
    return undefined
  }

  private lend<ROut, E, RIn>(layer: Layer.Layer<ROut, E, RIn>): Built<ROut, E, RIn> | undefined {
    const lent = this.lent ??= new WeakMap()
    if (!lent.has(layer)) {
      const found = this.local.get(layer, this.scope)
      if (found === undefined) return undefined
      lent.set(layer, found)
    }
    return lent.get(layer) as Built<ROut, E, RIn>
  }
}
