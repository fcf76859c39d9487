// Arguments of a tool call against the tool's JSON schema: small slips of a model are mended ("3" for 3),
// everything else is reported. Not a full schema validator, and knows nothing of how the call was written.
import { LiteralReader } from "./literal.js"
import { isObject, type ToolFunction } from "./messages.js"

type Schema = Readonly<Record<string, unknown>>

/** Names that Meta's and others' schemas use beside JSON schema's own. */
const typeNames = new Map([
  ["dict", "object"],
  ["map", "object"],
  ["list", "array"],
  ["tuple", "array"],
  ["str", "string"],
  ["text", "string"],
  ["int", "integer"],
  ["float", "number"],
  ["double", "number"],
  ["bool", "boolean"],
  ["none", "null"],
])

/** The types that a schema allows, or undefined where it does not say. */
function typesOf(schema: Schema): string[] | undefined {
  const declared = Array.isArray(schema.type) ? schema.type : [schema.type]
  const types = declared.filter((type) => typeof type === "string").map((type) => type.toLowerCase())
  return types.length === 0 ? undefined : types.map((type) => typeNames.get(type) ?? type)
}

function typeOf(value: unknown): string {
  if (value === null) return "null"
  if (Array.isArray(value)) return "array"
  return typeof value === "number" && Number.isInteger(value) ? "integer" : typeof value
}

/** The value read as `type`, or undefined where it cannot be. */
function read(value: unknown, type: string): unknown {
  const own = typeOf(value)
  if (own === type || (type === "number" && own === "integer")) return value
  if (type === "string" && ["integer", "number", "boolean"].includes(own)) return String(value)
  if (typeof value !== "string" || value.length > 1_000_000) return undefined
  const text = value.trim()
  if (type === "integer") return /^[+-]?\d{1,15}(?:\.0+)?$/.test(text) ? Number(text) : undefined
  if (type === "number") return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined
  if (type === "boolean") return /^(?:true|false)$/i.test(text) ? text.toLowerCase() === "true" : undefined
  if (type === "null") return /^(?:null|none)$/i.test(text) ? null : undefined
  if (type === "array" || type === "object") {
    const inner = literalOf(text)
    return typeOf(inner) === type ? inner : undefined
  }
  return undefined
}

/** The value of a text that is one whole literal, or undefined. */
export function literalOf(text: string): unknown {
  const reader = new LiteralReader(text)
  try {
    const value = reader.value()
    reader.skipSpace()
    return reader.at === text.length ? value : undefined
  } catch {
    return undefined
  }
}

/** Schemas are followed so deep. */
const deepest = 16

/**
 * The schema by which the inside of an object, array or string is mended, undefined where it is taken as it is;
 * "whole" where another type is asked for, so that the value has to be seen whole.
 */
export function schemaInside(
  schema: unknown,
  type: "object" | "array" | "string",
  depth: number,
): Schema | "whole" | undefined {
  if (!isObject(schema) || depth > deepest) return undefined
  const types = typesOf(schema)
  if (types === undefined || types.includes(type)) return schema
  return type === "string" ? "whole" : undefined
}

/** Mends one value by its schema and reports what does not fit; `place` names it in the report. */
export function mend(value: unknown, schema: unknown, place: string, problems: string[], depth = 0): unknown {
  if (!isObject(schema) || depth > deepest) return value
  const types = typesOf(schema)
  let result = value
  if (types !== undefined) {
    const exact =
      types.find((type) => type === typeOf(value)) ?? types.find((type) => read(value, type) === value)
    const fitting = exact ?? types.find((type) => read(value, type) !== undefined)
    if (fitting === undefined) {
      problems.push(`${place} should be ${types.join(" or ")}, got ${typeOf(value)}`)
      return value
    }
    result = read(value, fitting)
  }
  if (Array.isArray(schema.enum) && isScalar(result) && !schema.enum.includes(result))
    problems.push(`${place} should be one of ${JSON.stringify(schema.enum).slice(0, 200)}`)
  if (Array.isArray(result))
    return result.map((item, index) => mend(item, schema.items, `${place}[${index}]`, problems, depth + 1))
  if (isObject(result) && isObject(schema.properties))
    return mendObject(result, schema, `${place}.`, problems, depth + 1)
  return result
}

const isScalar = (value: unknown) => typeof value !== "object" || value === null

function mendObject(
  given: Record<string, unknown>,
  schema: Schema,
  prefix: string,
  problems: string[],
  depth: number,
): Record<string, unknown> {
  const properties = isObject(schema.properties) ? schema.properties : {}
  for (const key of Array.isArray(schema.required) ? schema.required : [])
    if (typeof key === "string" && !Object.hasOwn(given, key)) problems.push(`${prefix}${key} is missing`)
  const entries = Object.entries(given).map(([key, value]) => {
    if (Object.hasOwn(properties, key))
      return [key, mend(value, properties[key], `${prefix}${key}`, problems, depth)] as const
    if (schema.additionalProperties === undefined || schema.additionalProperties === false)
      problems.push(`${prefix}${key} is not a parameter`)
    return [key, value] as const
  })
  return Object.fromEntries(entries)
}

/**
 * The arguments of a call, mended by the tool's schema: numbers, booleans, lists and objects written as strings
 * become what the schema asks for, and numbers become strings where it asks for those. `problems` receives one
 * line for each argument that is missing, unknown, of the wrong type or outside its enum.
 */
export function checkArguments(
  given: Record<string, unknown>,
  tool: ToolFunction,
  problems: string[],
): Record<string, unknown> {
  if (!isObject(tool.parameters) || !isObject(tool.parameters.properties)) return given
  return mendObject(given, tool.parameters, "", problems, 0)
}

/** The names of a tool's parameters in the order of its schema, for arguments given by position. */
export function parameterNames(tool: ToolFunction | undefined): string[] {
  const properties = tool?.parameters?.properties
  return isObject(properties) ? Object.keys(properties) : []
}
