import type { Verdict } from "../SupervisorEvent.ts"

/** How a child is treated when it leaves. */
export type RestartType = "permanent" | "transient" | "temporary"

/** When the end of a significant child ends its supervisor. */
export type AutoShutdown = "never" | "any-significant" | "all-significant"

/**
 * OTP's table of restart type and exit reason (rules R1–R4): whether a child that left is restarted, kept in the list
 * as down, or removed from it.
 */
export const afterExit = (restart: RestartType, clean: boolean): "restart" | "keep" | "remove" => {
  switch (restart) {
    case "permanent":
      return "restart"
    case "transient":
      return clean ? "keep" : "restart"
    case "temporary":
      return "remove"
  }
}

/**
 * Whether a significant child that left and is not restarted ends its supervisor (rules A1, A2, A4).
 *
 * `siblingActive` says whether another significant child is running or restarting; it is asked only when it matters.
 */
export const endsSupervisor = (autoShutdown: AutoShutdown, siblingActive: () => boolean): boolean => {
  switch (autoShutdown) {
    case "never":
      return false
    case "any-significant":
      return true
    case "all-significant":
      return !siblingActive()
  }
}

/** What to do about a child that left, as far as its restart is allowed. */
export const judge = (
  child: { readonly restart: RestartType; readonly significant: boolean },
  clean: boolean,
  autoShutdown: AutoShutdown,
  siblingActive: () => boolean
): Exclude<Verdict, "give-up" | "fail"> => {
  const after = afterExit(child.restart, clean)
  return after !== "restart" && child.significant && endsSupervisor(autoShutdown, siblingActive) ? "shut-down" : after
}
