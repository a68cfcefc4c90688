/**
 * What tests of supervised programs need: virtual time, scripted children, random faults, and OTP as the judge.
 *
 * @since 0.1.0
 */
export * as Chaos from "./Chaos.ts"
export * as Conformance from "./Conformance.ts"
export * as Fault from "./Fault.ts"
export * as Invariants from "./Invariants.ts"
export * as Model from "./Model.ts"
export * as Scenario from "./Scenario.ts"
export * as ScenarioArbitrary from "./ScenarioArbitrary.ts"
export * as TestChild from "./TestChild.ts"
export * as TestProcess from "./TestProcess.ts"
export * as Trace from "./Trace.ts"
export * as VirtualTime from "./VirtualTime.ts"
