import type { SupervisorCore } from "./supervisorCore.ts"

/** The supervisors at one place, each with a path of its own. At most places there is one, which needs no map. */
export class ByPath {
  private one: SupervisorCore | undefined = undefined
  private onePath = ""
  private others: Map<string, SupervisorCore> | undefined = undefined

  get isEmpty(): boolean {
    return this.one === undefined && (this.others === undefined || this.others.size === 0)
  }

  /** Adds one, and answers the path it has: the one it would like to have, or one that no other has. */
  add(supervisor: SupervisorCore, wanted: string): string {
    const path = this.unique(wanted)
    if (this.one === undefined && this.others === undefined) {
      this.one = supervisor
      this.onePath = path
    } else (this.others ??= new Map()).set(path, supervisor)
    return path
  }

  delete(supervisor: SupervisorCore): void {
    if (this.one === supervisor) this.one = undefined
    else this.others?.delete(supervisor.path)
  }

  *[Symbol.iterator](): Iterator<SupervisorCore> {
    if (this.one !== undefined) yield this.one
    if (this.others !== undefined) yield* this.others.values()
  }

  private unique(path: string): string {
    let unique = path
    for (let number = 2; this.has(unique); number++) unique = `${path}#${number}`
    return unique
  }

  private has(path: string): boolean {
    return (this.one !== undefined && this.onePath === path) || this.others?.has(path) === true
  }
}
