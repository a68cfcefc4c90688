import { Child } from "coppice"
import { Context, Effect, Layer } from "effect"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles where the two types are exactly the same. */
export const same = <A, B>(..._: Same<A, B> extends true ? [] : ["these types differ", A, B]): void => {}

export class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()(
  "coppice/typetest/support/Db"
) {
  static readonly layer = Layer.succeed(Db, { query: Effect.succeed(1) })
}

export class Cache extends Context.Service<Cache, { readonly get: Effect.Effect<number> }>()(
  "coppice/typetest/support/Cache"
) {
  static readonly layer = Layer.succeed(Cache, { get: Effect.succeed(1) })
  /** The same, but it needs the database. */
  static readonly overDb = Layer.effect(Cache, Effect.map(Db, ({ query }) => ({ get: query })))
}

export class Mail extends Context.Service<Mail, { readonly send: Effect.Effect<void, MailError> }>()(
  "coppice/typetest/support/Mail"
) {}

export class MailError extends Error {
  readonly _tag = "MailError"
}

export const usesDb = Effect.flatMap(Db, ({ query }) => query)
export const usesCache = Effect.flatMap(Cache, ({ get }) => get)
export const usesMail = Effect.flatMap(Mail, ({ send }) => send)

export const db = Child.layer("db", Db.layer)
export const cache = Child.layer("cache", Cache.overDb)
export const reader = Child.effect("reader", usesDb)
export const writer = Child.make("writer", Effect.as(usesDb, usesCache))
