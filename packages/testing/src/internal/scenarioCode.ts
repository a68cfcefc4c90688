import * as Equal from "effect/Equal"
import type * as Scenario from "../Scenario.ts"
import { supervisorDefaults, workerDefaults } from "./scenarioDefaults.ts"

/** A scenario as the TypeScript that makes it, one line for each child, step and entry. */
export const toCode = ({ expect, id, steps, tree }: Scenario.Scenario): string =>
  [
    "const scenario = Scenario.make({",
    `  id: ${literal(id)},`,
    `  tree: ${supervisorCode(tree, "  ")},`,
    `  steps: ${listCode(steps.map(stepCode), "  ")}${expect.length === 0 ? "" : ","}`,
    ...(expect.length === 0 ? [] : [`  expect: ${listCode(expect.map(literal), "  ")}`]),
    "})"
  ].join("\n")

const supervisorCode = ({ children, id, type: _, ...fields }: Scenario.Supervisor, indent: string): string => {
  const options = literal(withoutDefaults(fields, supervisorDefaults))
  const list = children.map((child) =>
    child.type === "worker" ? workerCode(child) : supervisorCode(child, `${indent}  `)
  )
  return `Scenario.supervisor(${literal(id)}, ${options}, ${listCode(list, indent)})`
}

const workerCode = ({ id, type: _, ...fields }: Scenario.Worker): string => {
  const options = withoutDefaults(fields, workerDefaults)
  return `Scenario.worker(${literal(id)}${Object.keys(options).length === 0 ? "" : `, ${literal(options)}`})`
}

const stepCode = (step: Scenario.Step): string =>
  step.op === "startChild"
    ? `{ op: "startChild", supervisor: ${literal(step.supervisor)}, child: ${workerCode(step.child)} }`
    : literal(step)

const listCode = (items: ReadonlyArray<string>, indent: string): string =>
  items.length === 0 ? "[]" : `[\n${items.map((item) => `${indent}  ${item}`).join(",\n")}\n${indent}]`

const withoutDefaults = (fields: object, defaults: { readonly [field: string]: unknown }): object =>
  Object.fromEntries(Object.entries(fields).filter(([field, value]) => !Equal.equals(value, defaults[field])))

const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([key, field]) => `${keyCode(key)}: ${literal(field)}`)
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`
}

const keyCode = (key: string): string => /^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key)
