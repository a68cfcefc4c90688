import * as Schema from "effect/Schema"

// A record without the start time could mean another process, and one with half a mark all processes of all programs.
const Identity = Schema.Struct({ pid: Schema.Int.check(Schema.isGreaterThan(0)), startTime: Schema.NonEmptyString })
const mark = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

/** A program that starts processes. */
export const ProgramRecord = Schema.Struct({
  version: Schema.Literal(1),
  kind: Schema.Literal("program"),
  owner: Identity,
  mark: Schema.String.check(Schema.isPattern(new RegExp(`^${mark}$`)))
})

/** A process that a program has started. */
export const ProcessRecord = Schema.Struct({
  version: Schema.Literal(1),
  kind: Schema.Literal("process"),
  owner: Identity,
  mark: Schema.String.check(Schema.isPattern(new RegExp(`^${mark}\\.[1-9][0-9]*;$`))),
  identity: Identity,
  path: Schema.String,
  command: Schema.String,
  adoption: Schema.Null
})

/** What a file says. */
export type Record = typeof Record.Type
const Record = Schema.Union([ProgramRecord, ProcessRecord])

const format = Schema.fromJsonString(Record)

/** A record as the text of its file. */
export const textOf: (record: Record) => string = Schema.encodeSync(format)

/** Reads the text of a file. None: it is torn, or of another version, or something else. */
export const parse = Schema.decodeUnknownOption(format)

/** The file of a record: the mark that it is about. */
export const fileNameOf = ({ mark }: Record): string => `${mark.replace(/;$/, "")}.json`

/** The mark of the program that a record is of. */
export const programOf = ({ mark }: Record): string => mark.split(".", 1)[0] ?? mark
