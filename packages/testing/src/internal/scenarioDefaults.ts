/** What a worker has that says nothing else: OTP's defaults. */
export const workerDefaults = {
  restart: "permanent",
  significant: false,
  shutdown: 5000,
  start: [],
  ignoresShutdown: false
} as const

/** What a supervisor has that says nothing else: OTP's defaults. */
export const supervisorDefaults = {
  restart: "permanent",
  significant: false,
  strategy: "one_for_one",
  intensity: 1,
  period: 5,
  autoShutdown: "never"
} as const
