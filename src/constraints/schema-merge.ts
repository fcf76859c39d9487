// Two schemas that must both hold as one: what `allOf`, and keywords beside `$ref` or `anyOf`, come down to.
import {
  type JsonSchema,
  listOf,
  namesOf,
  objectOf,
  schemaError,
  type SchemaObject,
  typesOf,
} from "./schema-keywords.js"

/** Patterns that must all match, each of them in the sense of `pattern`. */
export const allPatterns = Symbol("patterns")
const mostAlternatives = 256

const least = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"])
const greatest = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"])

export type Merged = SchemaObject & { readonly [allPatterns]?: readonly string[] }

/** Both schemas, neither with `$ref` or `allOf` in it. */
export function merged(one: JsonSchema, other: JsonSchema, path: string): JsonSchema {
  if (one === false || other === false) return false
  if (one === true) return other
  if (other === true) return one
  const result: Record<string | symbol, unknown> = { ...one, ...other }
  for (const [key, theirs] of Object.entries(other)) {
    const ours = one[key]
    if (ours === undefined || same(ours, theirs)) continue
    if (least.has(key)) result[key] = Math.min(Number(ours), Number(theirs))
    else if (greatest.has(key)) result[key] = Math.max(Number(ours), Number(theirs))
    else if (key === "anyOf" || key === "oneOf") result[key] = products(one, other, key, path)
    else if (key === "multipleOf") result[key] = commonMultiple(Number(ours), Number(theirs), path)
    else if (key === "propertyNames") result[key] = { allOf: [ours, theirs] }
    else if (key === "format")
      schemaError(path, `has two formats, ${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`)
  }
  if (one.type !== undefined || other.type !== undefined) {
    const types = commonTypes(one, other, path)
    if (types.length === 0) return false
    result.type = types
    delete result.nullable
  }
  const values = commonValues(one, other, path)
  if (values) {
    delete result.const
    result.enum = values
  }
  if (one.required !== undefined && other.required !== undefined)
    result.required = [...new Set([...namesOf(one, "required", path), ...namesOf(other, "required", path)])]
  mergeProperties(one, other, result, path)
  mergeItems(one, other, result, path)
  const patterns = [...patternsOf(one), ...patternsOf(other)]
  if (patterns.length > 0) {
    delete result.pattern
    result[allPatterns] = [...new Set(patterns)]
  }
  return result
}

export function patternsOf(schema: Merged): readonly string[] {
  const own = typeof schema.pattern === "string" ? [schema.pattern] : []
  return [...own, ...(schema[allPatterns] ?? [])]
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

function products(one: SchemaObject, other: SchemaObject, key: string, path: string): unknown[] {
  const ours = listOf(one, key, path)!
  const theirs = listOf(other, key, path)!
  if (ours.length * theirs.length > mostAlternatives)
    schemaError(path, `joins ${ours.length} with ${theirs.length} alternatives, which are too many`)
  return ours.flatMap((a) => theirs.map((b) => ({ allOf: [a, b] })))
}

function commonMultiple(a: number, b: number, path: string): number {
  const [small, large] = a < b ? [a, b] : [b, a]
  return Number.isInteger(large / small)
    ? large
    : schemaError(path, `has to be a multiple of both ${a} and ${b}`)
}

function commonTypes(one: SchemaObject, other: SchemaObject, path: string): string[] {
  const ours = one.type === undefined ? undefined : typesOf(one, path)
  const theirs = other.type === undefined ? undefined : typesOf(other, path)
  if (!ours || !theirs) return [...(ours ?? theirs!)]
  const within = (type: string, types: readonly string[]) =>
    types.includes(type) || (type === "integer" && types.includes("number"))
  return [
    ...new Set([
      ...ours.filter((type) => within(type, theirs)),
      ...theirs.filter((type) => within(type, ours)),
    ]),
  ]
}

/** The values of `enum` and `const`, or undefined where there is neither. */
export function valuesOf(schema: SchemaObject, path: string): readonly unknown[] | undefined {
  const list = listOf(schema, "enum", path)
  if (!("const" in schema)) return list
  return !list || list.some((value) => same(value, schema.const)) ? [schema.const] : []
}

function commonValues(one: SchemaObject, other: SchemaObject, path: string): readonly unknown[] | undefined {
  const ours = valuesOf(one, path)
  const theirs = valuesOf(other, path)
  if (!ours || !theirs) return ours ?? theirs
  const known = new Set(theirs.map((value) => JSON.stringify(value)))
  return ours.filter((value) => known.has(JSON.stringify(value)))
}

function mergeProperties(
  one: SchemaObject,
  other: SchemaObject,
  result: Record<string, unknown>,
  path: string,
): void {
  const ours = objectOf(one, "properties", path)
  const theirs = objectOf(other, "properties", path)
  const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
  const of = (schema: SchemaObject, properties: SchemaObject, name: string): unknown =>
    Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties
  if (names.length > 0)
    result.properties = Object.fromEntries(
      names.map((name) => [name, both(of(one, ours, name), of(other, theirs, name))]),
    )
  if (one.additionalProperties !== undefined && other.additionalProperties !== undefined)
    result.additionalProperties = both(one.additionalProperties, other.additionalProperties)
}

function mergeItems(
  one: SchemaObject,
  other: SchemaObject,
  result: Record<string, unknown>,
  path: string,
): void {
  const ours = prefixOf(one, path)
  const theirs = prefixOf(other, path)
  const length = Math.max(ours.prefix.length, theirs.prefix.length)
  if (length > 0) {
    delete result.additionalItems
    result.prefixItems = Array.from({ length }, (_, i) =>
      both(ours.prefix[i] ?? ours.rest, theirs.prefix[i] ?? theirs.rest),
    )
  }
  if (ours.rest !== undefined || theirs.rest !== undefined) result.items = both(ours.rest, theirs.rest)
}

/** Items by place, and what comes after them; older drafts write the former as `items`. */
export function prefixOf(schema: SchemaObject, path: string): { prefix: readonly unknown[]; rest: unknown } {
  if (Array.isArray(schema.items)) return { prefix: schema.items as unknown[], rest: schema.additionalItems }
  const closed = schema.items === undefined && schema.unevaluatedItems === false ? false : schema.items
  return { prefix: listOf(schema, "prefixItems", path) ?? [], rest: closed }
}

function both(one: unknown, other: unknown): unknown {
  if (one === undefined || other === undefined) return one ?? other
  return same(one, other) ? one : { allOf: [one, other] }
}
