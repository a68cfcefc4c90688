import type { SupervisorEvent } from "coppice"

type Tag = SupervisorEvent.SupervisorEvent["_tag"]

/** After which events of the same incarnation each may come. */
const after: Partial<Record<Tag, ReadonlyArray<Tag>>> = {
  ChildStarted: ["ChildStarting"],
  ChildReady: ["ChildStarted"],
  ChildExited: ["ChildStarted", "ChildReady"],
  ChildStopped: ["ChildStarted", "ChildReady"],
  ChildIgnored: ["ChildStarting"],
  ChildStartFailed: ["ChildStarting", "ChildStarted"]
}

const ends: ReadonlyArray<Tag> = ["ChildExited", "ChildStopped", "ChildIgnored", "ChildStartFailed"]

/** What is wrong with the order of the events of each child, from the first one on that is there. */
export const orderOf = (events: ReadonlyArray<SupervisorEvent.SupervisorEvent>): ReadonlyArray<string> => {
  const latest = new Map<string, { readonly tag: Tag; readonly incarnation: number }>()
  return events.flatMap(({ _tag: tag, incarnation, path }) => {
    if (tag !== "ChildStarting" && after[tag] === undefined) return []
    const before = latest.get(path)
    latest.set(path, { tag, incarnation })
    if (before === undefined) return []
    // A start that was aborted, with its supervisor or by its caller, is followed by that of a new child.
    const isRight = tag !== "ChildStarting"
      ? before.incarnation === incarnation && after[tag]!.includes(before.tag)
      : incarnation === 1
      ? before.tag !== "ChildStarted" && before.tag !== "ChildReady"
      : before.incarnation === incarnation - 1 && ends.includes(before.tag)
    return isRight ? [] : [`${tag} of ${path} ${incarnation} after ${before.tag} of ${before.incarnation}`]
  })
}
