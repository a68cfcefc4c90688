/**
 * OS processes as children of Coppice supervisors, and the life of a daemon.
 *
 * @since 0.1.0
 */
export * as Daemon from "./Daemon.ts"
export * as EnvFile from "./EnvFile.ts"
export * as KillTree from "./KillTree.ts"
export * as LogFile from "./LogFile.ts"
export * as PidFile from "./PidFile.ts"
export * as Ports from "./Ports.ts"
export * as ProcessChild from "./ProcessChild.ts"
export * as ProcessExit from "./ProcessExit.ts"
export * as ProcessGuard from "./ProcessGuard.ts"
export * as ProcessIdentity from "./ProcessIdentity.ts"
export * as ProcessLog from "./ProcessLog.ts"
export * as ProcessProbe from "./ProcessProbe.ts"
export * as ProcessTable from "./ProcessTable.ts"
export * as StateFolder from "./StateFolder.ts"
