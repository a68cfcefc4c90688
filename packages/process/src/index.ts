/**
 * OS processes as children of Coppice supervisors, and the life of a daemon.
 *
 * @since 0.1.0
 */
export * as EnvFile from "./EnvFile.ts"
export * as KillTree from "./KillTree.ts"
export * as LogFile from "./LogFile.ts"
export * as Ports from "./Ports.ts"
export * as ProcessGuard from "./ProcessGuard.ts"
export * as ProcessIdentity from "./ProcessIdentity.ts"
export * as ProcessLog from "./ProcessLog.ts"
export * as ProcessTable from "./ProcessTable.ts"
export * as StateFolder from "./StateFolder.ts"
