// From tools to what a turn has to be when the model must call one of them: a JSON schema of the calls, in the form
// that the prompt teaches and `parseToolCalls` reads. Knows nothing of how a schema is kept to.
import { InvalidOptionError } from "../errors/index.js"
import { type Tool, toolFunction } from "./messages.js"

type Schema = Record<string, unknown>

/** "required": one of the tools; else the one with this name. */
export type ForcedToolChoice = "required" | { readonly name: string }

export interface ToolSchemaOptions {
  /** Most calls in one turn; several stand in a list. Default 1. */
  readonly calls?: number
  /** A schema of what may be said instead of a call. Default: nothing. */
  readonly answer?: Schema
}

/**
 * The constraint under which a turn is a call, `{"name": ..., "parameters": {...}}`, with parameters that are valid
 * under the tool's own schema.
 * @throws InvalidOptionError where there is no such tool.
 */
export function toolCallConstraint(
  tools: readonly Tool[],
  choice: ForcedToolChoice,
  options: ToolSchemaOptions = {},
): { readonly type: "json_schema"; readonly schema: Schema } {
  const wanted =
    choice === "required" ? tools : tools.filter((tool) => toolFunction(tool).name === choice.name)
  if (wanted.length === 0)
    throw new InvalidOptionError(
      choice === "required"
        ? "a call of a tool is required, but there are no tools: pass at least one"
        : `a call of ${choice.name} is required, but no tool has this name`,
    )
  return { type: "json_schema", schema: toolCallSchema(wanted, options) }
}

/** The schema alone. The schemas of the tools move into its `$defs`, and their references with them. */
export function toolCallSchema(
  tools: readonly Tool[],
  { calls = 1, answer }: ToolSchemaOptions = {},
): Schema {
  const $defs: Schema = {}
  const defined = (name: string, schema: Schema): Schema => {
    $defs[name] = moved(schema, `#/$defs/${name}`)
    return { $ref: `#/$defs/${name}` }
  }
  const each = tools.map((tool, index) => {
    const { name, parameters } = toolFunction(tool)
    return {
      type: "object",
      properties: {
        name: { const: name },
        parameters: defined(`parameters_${index}`, { type: "object", properties: {}, ...parameters }),
      },
      required: ["name", "parameters"],
      additionalProperties: false,
    }
  })
  const call = defined("call", {})
  $defs.call = { anyOf: each }
  const list = { type: "array", items: call, minItems: 2, maxItems: calls }
  const anyOf = [...(answer ? [defined("answer", answer)] : []), call, ...(calls > 1 ? [list] : [])]
  return { anyOf, $defs }
}

/** Keywords whose values are maps from names to schemas, and those whose values are data. */
const maps = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"])
const data = new Set(["const", "enum", "default", "examples", "required"])
/** Names of Python's types, which the tools of Meta's examples have. */
const pythonTypes = new Map(
  Object.entries({
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
  }),
)

/** The schema with its local references based at `base`. */
function moved(schema: unknown, base: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => moved(item, base))
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]: [string, unknown]): [string, unknown] => {
      if (key === "$ref" && typeof value === "string" && value.startsWith("#"))
        return [key, base + value.slice(1)]
      if (key === "type" && typeof value === "string") return [key, pythonTypes.get(value) ?? value]
      if (data.has(key)) return [key, value]
      if (maps.has(key) && typeof value === "object" && value !== null && !Array.isArray(value))
        return [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, moved(one, base)]))]
      return [key, moved(value, base)]
    }),
  )
}
