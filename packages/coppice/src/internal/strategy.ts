/** Which children a restart touches. */
export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one"

/**
 * The first child that is stopped and started when `child` is restarted; under a group strategy every later one is too
 * (rules G1–G3).
 */
export const firstAffected = <Child>(strategy: Strategy, child: Child, first: Child): Child =>
  strategy === "one-for-all" ? first : child

/** Whether a restart touches more than the child itself. */
export const isGroup = (strategy: Strategy): boolean => strategy !== "one-for-one"
