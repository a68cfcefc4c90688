import { parseArgs } from "node:util"

/** The flags of a command, by name. */
export type Flags = { readonly [name: string]: { readonly type: "boolean" | "string"; readonly multiple?: boolean } }

/** Reads a command line: the values of each flag that was given, or a sentence where it cannot be understood. */
export const readFlags = (
  args: ReadonlyArray<string>,
  flags: Flags
): { readonly [name: string]: ReadonlyArray<string> } | string => {
  const { tokens } = parseArgs({ args: [...args], options: flags, strict: false, tokens: true })
  const values: Record<string, Array<string>> = {}
  for (const token of tokens) {
    if (token.kind === "positional") return `"${token.value}" is not an option; see --help`
    if (token.kind !== "option") continue
    const { name, value } = token
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (flag === undefined) return `there is no --${name}; there are ${named(Object.keys(flags))}`
    if (flag.type === "string" && value === undefined) return `--${name} needs a value; see --help`
    if (flag.type === "boolean" && value !== undefined) return `--${name} takes no value`
    ;(values[name] ??= []).push(value ?? "")
  }
  return values
}

const named = (flags: ReadonlyArray<string>): string => flags.map((flag) => `--${flag}`).join(", ")
