// The arguments between the parentheses of a call as Python writes it, and the names of those that have none.
import type { LiteralReader } from "./literal.js"
import { isObject, type ToolFunction } from "./messages.js"
import { parameterNames } from "./tool-arguments.js"

export interface CallArguments {
  readonly named: Record<string, unknown>
  readonly positional: readonly unknown[]
}

/** Tools that a model calls as `name.call(query="...")`. */
export const builtinSearches: readonly string[] = ["brave_search", "wolfram_alpha"]

/** Reads up to and with the closing parenthesis; the opening one was read. @throws LiteralError. */
export function readArguments(reader: LiteralReader): CallArguments {
  const named: [string, unknown][] = []
  const positional: unknown[] = []
  for (;;) {
    reader.skipSpace()
    if (reader.take(")")) return { named: Object.fromEntries(named), positional }
    const keyword = reader.match(/[\p{L}_][\p{L}\p{N}_]*(?=\s{0,16}=(?!=))/uy)
    if (keyword !== undefined) {
      reader.skipSpace()
      reader.take("=")
      named.push([keyword, reader.value()])
    } else if (reader.take("**")) {
      const spread = reader.value()
      if (!isObject(spread)) reader.fail("a dictionary")
      for (const entry of Object.entries(spread)) named.push(entry)
    } else positional.push(reader.value())
    reader.skipSpace()
    if (!reader.take(",") && reader.text[reader.at] !== ")") reader.fail("a comma or a closing parenthesis")
    if (named.length + positional.length > 1024) reader.fail("at most 1024 arguments")
  }
}

/**
 * All arguments under names: one given by position has the next name of the tool's schema that no other argument has.
 * `complaints` receives a line for each that the schema has no name for.
 */
export function withNames(
  name: string,
  { named, positional }: CallArguments,
  tool: ToolFunction | undefined,
  complaints: string[],
  isTaken: (name: string) => boolean = (name) => Object.hasOwn(named, name),
): Record<string, unknown> {
  const names = builtinSearches.includes(name) && tool === undefined ? ["query"] : parameterNames(tool)
  const free = names.filter((name) => !isTaken(name))
  const placed = positional.map((value, place) => {
    if (free[place] === undefined)
      complaints.push(`argument ${place + 1} has no name, and the schema has none for it`)
    return [free[place] ?? `argument_${place + 1}`, value] as const
  })
  return Object.fromEntries([...placed, ...Object.entries(named)])
}
