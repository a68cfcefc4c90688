/**
 * Measures one row in this process and prints what it takes per child: `row.ts coppice start 100000`. A tenth of the
 * children goes first, to warm up. Nothing is logged: the minimum log level is "None".
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { RowName } from "./rows.ts"
import { coppice, coppiceHeard, coppiceWith } from "./sides/coppice.ts"
import { effect } from "./sides/effect.ts"

const sides = { coppice, heard: coppiceHeard, with: coppiceWith, effect }

const [side, row, count] = process.argv.slice(2)
const measure = sides[side as keyof typeof sides]?.[row as RowName]
const children = Number(count)
if (measure === undefined || !(children > 0)) throw new TypeError(`no such row: ${side} ${row} ${count}`)

const total = await Effect.runPromise(
  Effect.andThen(measure(children / 10), measure(children)).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )
)
process.stdout.write(`${total / children}\n`)
