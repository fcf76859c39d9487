// From response_format and tool_choice to what constrains the text: a schema of the calls that are allowed, with the
// references of the schemas inside it moved along.
import type { GenerateOptions } from "../engine/options.js"
import type { ApiError } from "./api-error.js"
import { badRequest } from "./api-error.js"

/** What an answer has to look like. */
export type Constraint = NonNullable<GenerateOptions["constraint"]>

export type Schema = Record<string, unknown>

export type Format =
  | { readonly type: "text" | "json_object" }
  | { readonly type: "json_schema"; readonly schema?: Schema | null }
  | { readonly type: "regex"; readonly pattern: string }
  | { readonly type: "grammar"; readonly grammar: string }

export interface FunctionTool {
  readonly name: string
  readonly description?: string
  readonly parameters?: Schema
}

/** Which tools a model may or must call. */
export type ToolChoice = "none" | "auto" | "required" | { readonly name: string }

/** @throws ApiError 400 where the wishes exclude each other. */
export function constraintFor(
  format: Format | undefined,
  tools: readonly FunctionTool[],
  choice: ToolChoice,
): Constraint | undefined {
  if (choice === "required" || typeof choice === "object") {
    const allowed = typeof choice === "object" ? tools.filter(({ name }) => name === choice.name) : tools
    if (allowed.length === 0) throw missingTool(choice)
    return { type: "json_schema", schema: callSchema(allowed) }
  }
  if (format === undefined || format.type === "text") return undefined
  const mayCall = choice === "auto" && tools.length > 0
  if (format.type === "json_schema") {
    const schema = format.schema ?? { type: "object" }
    return { type: "json_schema", schema: mayCall ? callSchema(tools, schema) : schema }
  }
  if (mayCall)
    throw badRequest(
      `a format of type ${format.type} excludes tool calls: leave the tools out, or pass tool_choice "none"`,
      "tool_choice",
    )
  if (format.type === "regex") return { type: "regex", pattern: format.pattern }
  if (format.type === "grammar") return { type: "grammar", grammar: format.grammar }
  return { type: "json_object" }
}

function missingTool(choice: "required" | { readonly name: string }): ApiError {
  return choice === "required"
    ? badRequest('tool_choice "required" needs at least one tool in tools', "tool_choice")
    : badRequest(`tool_choice names ${choice.name}, which is not in tools`, "tool_choice")
}

/** A schema of one call, `{"name": ..., "parameters": ...}`, as the model was taught to write it, or of an answer. */
function callSchema(tools: readonly FunctionTool[], answer?: Schema): Schema {
  const definitions: Schema = {}
  const inside = (name: string, schema: Schema): Schema => {
    definitions[name] = moved(schema, `#/$defs/${name}`)
    return { $ref: `#/$defs/${name}` }
  }
  const calls = tools.map(({ name, parameters }, index) => ({
    type: "object",
    properties: {
      name: { const: name },
      parameters: inside(`parameters_${index}`, parameters ?? { type: "object", properties: {} }),
    },
    required: ["name", "parameters"],
    additionalProperties: false,
  }))
  const all = answer ? [inside("answer", answer), ...calls] : calls
  return { ...(all.length === 1 ? all[0] : { anyOf: all }), $defs: definitions }
}

/** Keywords whose values are maps from names to schemas, and those whose values are data. */
const maps = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"])
const data = new Set(["const", "enum", "default", "examples"])

/** The schema with its local references based at `base`. */
function moved(schema: unknown, base: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => moved(item, base))
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]: [string, unknown]) => {
      if (key === "$ref" && typeof value === "string" && value.startsWith("#"))
        return [key, base + value.slice(1)]
      if (data.has(key)) return [key, value]
      if (maps.has(key) && typeof value === "object" && value !== null && !Array.isArray(value))
        return [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, moved(one, base)]))]
      return [key, moved(value, base)]
    }),
  )
}
