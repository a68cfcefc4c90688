/** What the whole tree is told when it starts. It outlives every incarnation. */
import { Context, type Duration, type Ref } from "effect"

/** Where the web server listens: on the loopback interface only, as anybody who reaches it may crash the service. */
export const host = "127.0.0.1"

export class Settings extends Context.Service<Settings, {
  readonly databaseFile: string
  /** How long a worker takes over one job, so that there is something to watch and something to interrupt. */
  readonly pace: Duration.Duration
  /** How many workers there are. */
  readonly workers: number
  /** 0 asks for a free port. The first web server notes here which it got, and its successors keep it. */
  readonly port: Ref.Ref<number>
}>()("@coppice/demo/Settings") {}
