import type * as Layer from "effect/Layer"
import type { Any, Child, LayerChild } from "../Child.ts"
import type { Strategy } from "./strategy.ts"

type IdOf<C> = C extends Child<infer Id, any, any> ? Id : never
type ProvidesOf<C> = C extends Child<any, infer Provides, any> ? Provides : never
type RequiresOf<C> = C extends Child<any, any, infer Requires> ? Requires : never

type IsUnion<T, U = T> = [T] extends [never] ? false : T extends unknown ? ([U] extends [T] ? false : true) : never

/** The ids of a list of children. */
export type Ids<Children extends ReadonlyArray<Any>> = IdOf<Children[number]>

/**
 * What a list of children requires when earlier siblings give to later ones. Tail-recursive, so that long lists compile.
 * An element that may be one of several children gives nothing, and a list of unknown length neither.
 */
type Flow<Children extends ReadonlyArray<unknown>, Given = never, Required = never> = Children extends
  readonly [infer Head, ...infer Tail] ? Flow<
    Tail,
    Given | (IsUnion<Head> extends true ? never : ProvidesOf<Head>),
    Required | Exclude<RequiresOf<Head>, Given>
  >
  : Children extends readonly [] ? Required
  : Required | Exclude<RequiresOf<Children[number]>, Given>

/** What a supervisor's children require, by strategy: under a group strategy earlier permanent siblings give. */
export type Requires<S extends Strategy, Children extends ReadonlyArray<Any>> = S extends "one-for-one"
  ? RequiresOf<Children[number]>
  : Flow<Children>

type Duplicate<Children extends ReadonlyArray<unknown>, Seen = never> = Children extends
  readonly [infer Head, ...infer Tail] ? string extends IdOf<Head> ? Duplicate<Tail, Seen>
  : [Extract<IdOf<Head>, Seen>] extends [never] ? Duplicate<Tail, Seen | IdOf<Head>>
  : Extract<IdOf<Head>, Seen>
  : never

/** Nothing for a list without duplicate ids, else a message that names one. */
export type NoDuplicates<Children extends ReadonlyArray<unknown>> = [Duplicate<Children>] extends [never] ? unknown
  : `two children have the id "${Duplicate<Children> & string}"`

/** The layers a supervisor builds before its children. */
export type Dependencies = ReadonlyArray<Layer.Any>

/** What a supervisor requires: what its children do, without what it builds for them, and what those need. */
export type Needs<S extends Strategy, Children extends ReadonlyArray<Any>, Deps extends Dependencies> =
  | Exclude<Requires<S, Children>, Layer.Success<Deps[number]>>
  | Layer.Services<Deps[number]>

/** The layers that may stand in for those of a list of children, by id. */
export type Replacements<Children extends ReadonlyArray<Any>> = {
  readonly [C in Children[number] as C extends LayerChild<infer Id, any, any, any, any> ? Id : never]?: C extends
    LayerChild<any, any, any, infer Builds, any> ? Layer.Layer<Builds, any, any> : never
}

/** A message for each key that is not the id of a child built from a layer. */
export type UnknownIds<By, Children extends ReadonlyArray<Any>> = {
  readonly [K in Exclude<keyof By, keyof Replacements<Children>>]: `no child built from a layer has the id "${
    & K
    & string}"`
}

type ServicesOf<L> = L extends Layer.Any ? Layer.Services<L> : never

/** A list of children, some with another layer. */
export type Replaced<Children extends ReadonlyArray<Any>, By> = {
  readonly [K in keyof Children]: Children[K] extends
    LayerChild<infer Id, infer Provides, any, infer Builds, infer RefId>
    ? Id extends keyof By ? LayerChild<Id, Provides, RefId | ServicesOf<By[Id]>, Builds, RefId> : Children[K]
    : Children[K]
}
