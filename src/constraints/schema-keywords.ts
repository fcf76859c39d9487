// The keywords of JSON Schema: which of them restrict a value, and how they are read from a schema that a stranger
// wrote. Says where a schema is wrong.
import { InvalidOptionError } from "../errors/index.js"

export type JsonSchema = Readonly<Record<string, unknown>> | boolean
export type SchemaObject = Readonly<Record<string, unknown>>

export const typeNames = ["object", "array", "string", "number", "integer", "boolean", "null"] as const
export type TypeName = (typeof typeNames)[number]

/** Keywords that restrict and that are not kept to, so they are refused. */
const refused = [
  "not",
  "if",
  "then",
  "else",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "patternProperties",
  "contains",
  "minContains",
  "maxContains",
  "$dynamicRef",
  "$recursiveRef",
]

/** Keywords that are kept to, and the type of value that they are about. */
const understood = new Map<string, TypeName | undefined>([
  ...["$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf", "nullable"].map(
    (name) => [name, undefined] as const,
  ),
  ...[
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
  ].map((name) => [name, "object"] as const),
  ...["items", "prefixItems", "additionalItems", "minItems", "maxItems"].map(
    (name) => [name, "array"] as const,
  ),
  ...["minLength", "maxLength", "pattern", "format"].map((name) => [name, "string"] as const),
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"].map(
    (name) => [name, "number"] as const,
  ),
])

export const isObject = (value: unknown): value is SchemaObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether anything in the schema restricts a value. */
export const restricts = (schema: SchemaObject): boolean =>
  Object.keys(schema).some((key) => understood.has(key))

export function schemaError(path: string, problem: string): never {
  throw new InvalidOptionError(`the schema at ${path} ${problem}`)
}

/** @throws InvalidOptionError that names the first keyword that is not supported. */
export function checkKeywords(schema: SchemaObject, path: string): void {
  for (const key of refused) {
    if (schema[key] !== undefined)
      schemaError(
        `${path}/${key}`,
        `uses the keyword ${key}, which is not supported: leave it out or say it otherwise`,
      )
  }
  for (const key of ["uniqueItems", "unevaluatedProperties", "unevaluatedItems"]) {
    const value = schema[key]
    const harmless = value === undefined || value === (key !== "uniqueItems")
    if (!harmless && !closesPlainly(schema, key))
      schemaError(`${path}/${key}`, `uses the keyword ${key}, which is not supported: leave it out`)
  }
}

/** `unevaluated...: false` where nothing but this very object's own properties or items is evaluated. */
function closesPlainly(schema: SchemaObject, key: string): boolean {
  if (key === "uniqueItems" || schema[key] !== false) return false
  return !["$ref", "allOf", "anyOf", "oneOf"].some((name) => schema[name] !== undefined)
}

export function schemaAt(value: unknown, path: string): JsonSchema {
  if (typeof value === "boolean" || isObject(value)) return value
  return schemaError(path, "is no schema: it must be an object, true or false")
}

export function numberOf(schema: SchemaObject, key: string, path: string): number | undefined {
  const value = schema[key]
  if (value === undefined) return undefined
  if (typeof value !== "number" || !Number.isFinite(value)) schemaError(`${path}/${key}`, "must be a number")
  return value
}

export function countOf(schema: SchemaObject, key: string, path: string): number | undefined {
  const value = numberOf(schema, key, path)
  if (value !== undefined && (!Number.isInteger(value) || value < 0 || value > 1e9))
    schemaError(`${path}/${key}`, "must be a whole number from 0 to 1000000000")
  return value
}

export function textOf(schema: SchemaObject, key: string, path: string): string | undefined {
  const value = schema[key]
  if (value !== undefined && typeof value !== "string") schemaError(`${path}/${key}`, "must be a string")
  return value
}

export function listOf(schema: SchemaObject, key: string, path: string): readonly unknown[] | undefined {
  const value = schema[key]
  if (value !== undefined && !Array.isArray(value)) schemaError(`${path}/${key}`, "must be an array")
  return value as readonly unknown[] | undefined
}

export function namesOf(schema: SchemaObject, key: string, path: string): readonly string[] {
  const list = listOf(schema, key, path) ?? []
  if (!list.every((name) => typeof name === "string"))
    schemaError(`${path}/${key}`, "must be an array of strings")
  return list
}

export function objectOf(schema: SchemaObject, key: string, path: string): SchemaObject {
  const value = schema[key] ?? {}
  if (!isObject(value)) schemaError(`${path}/${key}`, "must be an object")
  return value
}

/** The types that the schema names; where it names none, those that its keywords are about. */
export function typesOf(schema: SchemaObject, path: string): readonly TypeName[] {
  const { type, nullable } = schema
  const extra: TypeName[] = nullable === true ? ["null"] : []
  if (type !== undefined) {
    const list: readonly unknown[] = Array.isArray(type) ? type : [type]
    for (const name of list)
      if (!(typeNames as readonly unknown[]).includes(name))
        schemaError(
          `${path}/type`,
          `names the type ${JSON.stringify(name)}, expected one of ${typeNames.join(", ")}`,
        )
    return [...new Set([...(list as TypeName[]), ...extra])]
  }
  const implied = Object.keys(schema).flatMap((key) => understood.get(key) ?? [])
  return implied.length > 0 ? [...new Set([...implied, ...extra])] : typeNames
}
