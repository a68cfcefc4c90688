/**
 * What tests of supervised programs need, beginning with OTP conformance.
 *
 * @since 0.1.0
 */
export * as Conformance from "./Conformance.ts"
export * as Scenario from "./Scenario.ts"
export * as TestChild from "./TestChild.ts"
export * as Trace from "./Trace.ts"
export * as VirtualTime from "./VirtualTime.ts"
