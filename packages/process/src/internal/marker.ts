/**
 * The environment variable that every supervised process inherits: the marks of the programs that supervise it, the innermost
 * last. Whoever leaves its parent, its group and its session is known by it still.
 */
export const markerName = "COPPICE_SUPERVISOR"

/** The mark of the nth process of a program: it begins with the program's own, and is no part of another's. */
export const markOf = (program: string, number: number): string => `${program}.${number};`

/** The value for a process: its mark after those that the program that starts it bears itself. */
export const markerFor = (mark: string): string => `${process.env[markerName] ?? ""}${mark}`
