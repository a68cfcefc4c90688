/** Makes an error without a stack: one of a supervisor would tell of nothing but its loop. */
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
