/**
 * OS processes as children of Coppice supervisors, and the life of a daemon.
 *
 * @since 0.1.0
 */
export * as KillTree from "./KillTree.ts"
export * as ProcessGuard from "./ProcessGuard.ts"
export * as ProcessIdentity from "./ProcessIdentity.ts"
export * as ProcessTable from "./ProcessTable.ts"
