import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { Around } from "../ChildMiddleware.ts"
import type { OwnLayers } from "./ownLayer.ts"

/** What a layer child has built, and how it shares that with its siblings. */
export class Built {
  readonly layers: OwnLayers
  /** What is put around each use of it. */
  readonly use: Around["use"]
  private readonly context: Context.Context<any>
  private own: Context.Context<never> | undefined = undefined

  constructor(context: Context.Context<any>, layers: OwnLayers, use: Around["use"]) {
    this.context = context
    this.layers = layers
    this.use = use
  }

  /** Its services, without the memo map that Effect adds to them. Of a supervisor that nobody calls they are never asked for. */
  get services(): Context.Context<never> {
    return this.own ??= Context.omit(Layer.CurrentMemoMap)(this.context) as Context.Context<never>
  }
}
