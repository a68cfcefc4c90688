/**
 * Erlang-style supervision trees for Effect.
 *
 * @since 0.1.0
 */
export * as Backoff from "./Backoff.ts"
export * as Child from "./Child.ts"
export * as ChildMiddleware from "./ChildMiddleware.ts"
export * as ChildRef from "./ChildRef.ts"
export * as DynamicSupervisor from "./DynamicSupervisor.ts"
export * as ExitReason from "./ExitReason.ts"
export * as PartitionSupervisor from "./PartitionSupervisor.ts"
export * as Probe from "./Probe.ts"
export * as RestartPolicy from "./RestartPolicy.ts"
export * as SupervisionTree from "./SupervisionTree.ts"
export * as Supervisor from "./Supervisor.ts"
export * as SupervisorError from "./SupervisorError.ts"
export * as SupervisorEvent from "./SupervisorEvent.ts"
export * as SupervisorMetrics from "./SupervisorMetrics.ts"
