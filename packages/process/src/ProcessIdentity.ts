/**
 * Which process is meant: a pid alone may be another's by now.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as identity from "./internal/identity.ts"

/**
 * A pid with the time at which its process was started. Where that is not known the pid has to do.
 *
 * @category models
 * @since 0.1.0
 */
export const ProcessIdentity = Schema.Struct({
  pid: Schema.Int,
  startTime: Schema.optionalKey(Schema.String)
})

/**
 * A pid with the time at which its process was started. Where that is not known the pid has to do.
 *
 * @category models
 * @since 0.1.0
 */
export type ProcessIdentity = typeof ProcessIdentity.Type

/**
 * The identity of the process that has this pid now.
 *
 * @category constructors
 * @since 0.1.0
 */
export const of: (pid: number) => ProcessIdentity = identity.identityOf

/**
 * Whether this very process lives. One that has ended and waits for its parent does not.
 *
 * **Example** (Somebody else's pid is not enough)
 *
 * ```ts import.meta.vitest
 * import { ProcessIdentity } from "@coppice/process"
 *
 * ProcessIdentity.isAlive(ProcessIdentity.of(process.pid)) // => true
 * ProcessIdentity.isAlive({ pid: process.pid, startTime: "before" }) // => false
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isAlive: (identity: ProcessIdentity) => boolean = identity.isAlive

/**
 * Sends a signal to this very process. False: it does not live any more, or is another user's, and nobody was sent anything.
 *
 * @category operations
 * @since 0.1.0
 */
export const signal: (identity: ProcessIdentity, signal: NodeJS.Signals) => boolean = identity.signal
