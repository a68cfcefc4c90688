/**
 * Makes an error without a stack. One of a supervisor would tell of nothing but its loop, and to take it costs as much as all
 * else together when failures climb through many levels.
 */
export const withoutStack = <A>(make: () => A): A => {
  // Not all engines have it, and where all is frozen it cannot be set.
  const limit: unknown = Reflect.get(Error, "stackTraceLimit")
  if (limit === undefined || !Reflect.set(Error, "stackTraceLimit", 0)) return make()
  try {
    return make()
  } finally {
    Reflect.set(Error, "stackTraceLimit", limit)
  }
}
