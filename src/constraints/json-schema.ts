// A JSON schema as an expression: every text that it matches parses and is valid under the schema. Where a schema
// leaves something open that clients do not mean (an object with properties also allows others, and in any order),
// fewer texts are allowed: properties come in the order of the schema, and others only where it asks for them.
import { anyCharacter } from "./character-ranges.js"
import { type Expressions, type Node, type Rule, unlimited } from "./expressions.js"
import { intersection } from "./intersection.js"
import { JsonText } from "./json-text.js"
import { type Bounds, numberExpression } from "./numbers.js"
import {
  checkKeywords,
  countOf,
  isObject,
  type JsonSchema,
  listOf,
  namesOf,
  numberOf,
  objectOf,
  restricts,
  schemaAt,
  schemaError,
  type SchemaObject,
  textOf,
  type TypeName,
  typesOf,
} from "./schema-keywords.js"
import { type Merged, merged, prefixOf, valuesOf } from "./schema-merge.js"
import { SchemaStrings } from "./schema-strings.js"

const deepestSchema = 128
const mostSchemas = 20_000

/** @throws InvalidOptionError with the path of the keyword that is wrong, not supported or too large. */
export function schemaExpression(schema: unknown, expressions: Expressions): Node {
  return new SchemaCompiler(schema, expressions).all()
}

class SchemaCompiler {
  readonly #root: JsonSchema
  readonly #expressions: Expressions
  readonly #text: JsonText
  readonly #rules = new Map<string, Rule>()
  readonly #waiting: { rule: Rule; schema: JsonSchema; path: string }[] = []
  readonly #strings: SchemaStrings
  #depth = 0
  #schemas = 0

  constructor(schema: unknown, expressions: Expressions) {
    this.#root = schemaAt(schema, "#")
    this.#expressions = expressions
    this.#text = new JsonText(expressions)
    this.#strings = new SchemaStrings(this.#text)
  }

  all(): Node {
    const root = this.#reference("#", "#")
    for (let next = this.#waiting.pop(); next; next = this.#waiting.pop())
      next.rule.body = this.#node(next.schema, next.path)
    return root
  }

  /** The rule of the schema that a reference points to. */
  #reference(pointer: string, path: string): Rule {
    let rule = this.#rules.get(pointer)
    if (!rule) {
      rule = this.#expressions.rule(pointer)
      this.#rules.set(pointer, rule)
      this.#waiting.push({ rule, schema: this.#target(pointer, path), path: pointer })
    }
    return rule
  }

  #target(pointer: string, path: string): JsonSchema {
    if (pointer !== "#" && !pointer.startsWith("#/"))
      schemaError(
        path,
        `refers to ${pointer.slice(0, 200)}: only references into the schema itself, #/..., are followed`,
      )
    let target: unknown = this.#root
    for (const part of pointer.split("/").slice(1)) {
      const name = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~")
      const container = target as Record<string, unknown> | null
      if (typeof container !== "object" || container === null || !Object.hasOwn(container, name))
        schemaError(path, `refers to ${pointer.slice(0, 200)}, which is not there`)
      target = container[name]
    }
    return schemaAt(target, pointer)
  }

  #node(schema: JsonSchema, path: string): Node {
    this.#count(path)
    if (++this.#depth > deepestSchema)
      schemaError(
        path.slice(0, 200),
        `is nested more than ${deepestSchema} deep, or refers to itself in allOf`,
      )
    try {
      return this.#checked(schema, path)
    } finally {
      this.#depth--
    }
  }

  #checked(schema: JsonSchema, path: string): Node {
    if (schema === true) return this.#text.value
    if (schema === false) return this.#expressions.never
    checkKeywords(schema, path)
    const { $ref, ...beside } = schema
    if (typeof $ref === "string" && !restricts(beside)) return this.#reference($ref, `${path}/$ref`)
    const flat = this.#flat(schema, path)
    if (typeof flat === "boolean") return this.#checked(flat, path)
    for (const key of ["anyOf", "oneOf"] as const) {
      const list = listOf(flat, key, path)
      if (!list) continue
      const { [key]: _, ...rest } = flat
      return this.#expressions.choice(
        list.map((item, i) => {
          const option = schemaAt(item, `${path}/${key}/${i}`)
          if (!restricts(rest)) return this.#node(option, `${path}/${key}/${i}`)
          return this.#node({ allOf: [rest, option] }, `${path}/${key}/${i}`)
        }),
      )
    }
    if (!restricts(flat)) return this.#text.value
    const types = typesOf(flat, path)
    const values = valuesOf(flat, path)
    if (values) return this.#values(values, flat, types, path)
    return this.#expressions.choice(types.map((type) => this.#typed(type, flat, types, path)))
  }

  /** References, and allOf with them, can unfold a small schema without end. */
  #count(path: string): void {
    if (++this.#schemas > mostSchemas)
      schemaError(path.slice(0, 200), `is too large: it unfolds to more than ${mostSchemas} schemas`)
  }

  /** Without `$ref` and `allOf`: what they say is part of it. */
  #flat(schema: JsonSchema, path: string): JsonSchema {
    if (typeof schema === "boolean") return schema
    checkKeywords(schema, path)
    const { $ref, allOf, ...own } = schema
    if ($ref === undefined && allOf === undefined) return schema
    this.#count(path)
    if (++this.#depth > deepestSchema) schemaError(path.slice(0, 200), "refers to itself in allOf")
    let result: JsonSchema = restricts(own) ? own : true
    if ($ref !== undefined) {
      const pointer = textOf(schema, "$ref", path)!
      result = merged(result, this.#flat(this.#target(pointer, `${path}/$ref`), pointer), path)
    }
    for (const [i, item] of (listOf(schema, "allOf", path) ?? []).entries()) {
      const place = `${path}/allOf/${i}`
      result = merged(result, this.#flat(schemaAt(item, place), place), path)
    }
    this.#depth--
    return result
  }

  #typed(type: TypeName, schema: SchemaObject, types: readonly TypeName[], path: string): Node {
    switch (type) {
      case "null":
        return this.#text.text("null")
      case "boolean":
        return this.#expressions.choice([this.#text.text("true"), this.#text.text("false")])
      case "integer":
        return types.includes("number") ? this.#expressions.never : this.#number(schema, true, path)
      case "number":
        return this.#number(schema, false, path)
      case "string":
        return this.#strings.value(schema, path)
      case "array":
        return this.#array(schema, path)
      case "object":
        return this.#object(schema, path)
    }
  }

  #bounds(schema: SchemaObject, path: string): Bounds {
    const [minimum, maximum] = [numberOf(schema, "minimum", path), numberOf(schema, "maximum", path)]
    const above = numberOf(schema, "exclusiveMinimum", path)
    const below = numberOf(schema, "exclusiveMaximum", path)
    const minExcluded = above !== undefined && (minimum === undefined || above >= minimum)
    const maxExcluded = below !== undefined && (maximum === undefined || below <= maximum)
    const multipleOf = numberOf(schema, "multipleOf", path)
    if (multipleOf !== undefined && multipleOf <= 0) schemaError(`${path}/multipleOf`, "must be above 0")
    return {
      min: minExcluded ? above : minimum,
      max: maxExcluded ? below : maximum,
      minExcluded,
      maxExcluded,
      multipleOf,
    }
  }

  #number(schema: SchemaObject, integer: boolean, path: string): Node {
    const node = numberExpression(this.#expressions, integer, this.#bounds(schema, path), path)
    return node === this.#expressions.never ? schemaError(path, "allows no number at all") : node
  }

  #array(schema: SchemaObject, path: string): Node {
    const { prefix, rest } = prefixOf(schema, path)
    const least = countOf(schema, "minItems", path) ?? 0
    const most = countOf(schema, "maxItems", path) ?? unlimited
    const text = this.#text
    const item = (value: unknown, place: string) =>
      this.#node(schemaAt(value, `${path}/${place}`), `${path}/${place}`)
    if (rest === undefined && prefix.length === 0 && least === 0 && most === unlimited) return text.array
    if (prefix.length === 0) {
      const node = item(rest ?? true, "items")
      const list = node === this.#expressions.never ? this.#none(least) : text.list(node, least, most)
      return this.#part(path, "[", list, "]")
    }
    const placed = prefix.slice(0, most).map((value, i) => item(value, `prefixItems/${i}`))
    const parts = placed.map((node, i) => (i === 0 ? node : text.following(node)))
    // without a minimum all places are filled and nothing more is added: what a tuple means
    const left = Math.max(0, least - placed.length)
    const open = rest !== undefined && rest !== false ? most - placed.length : left
    const more =
      open > 0 ? [this.#expressions.repeat(text.following(item(rest ?? true, "items")), left, open)] : []
    return this.#part(path, "[", this.#expressions.sequence(...parts, ...more), "]")
  }

  #none(least: number): Node {
    return least === 0 ? this.#expressions.empty : this.#expressions.never
  }

  #part(path: string, open: string, items: Node, close: string): Node {
    if (items === this.#expressions.never) return items
    return this.#text.named(path, this.#text.enclosed(open, items, close))
  }

  #object(schema: SchemaObject, path: string): Node {
    const properties = objectOf(schema, "properties", path)
    const required = new Set(namesOf(schema, "required", path))
    const closed = schema.unevaluatedProperties === false ? false : undefined
    const others = schema.additionalProperties ?? closed
    const names = Object.keys(properties)
    const least = countOf(schema, "minProperties", path) ?? 0
    const most = countOf(schema, "maxProperties", path) ?? unlimited
    const open = others ?? names.length === 0
    if (
      names.length + required.size === 0 &&
      open === true &&
      schema.propertyNames === undefined &&
      least === 0 &&
      most === unlimited
    )
      return this.#text.object
    const members: { node: Node; required: boolean }[] = []
    for (const name of new Set([...names, ...required])) {
      const known = Object.hasOwn(properties, name)
      const place = known ? `${path}/properties/${pointed(name)}` : `${path}/additionalProperties`
      const node = this.#node(schemaAt(known ? properties[name] : (others ?? true), place), place)
      if (node === this.#expressions.never && required.has(name)) return node
      if (node === this.#expressions.never) continue
      const key = this.#expressions.text(`"${this.#text.content(name)}"`)
      members.push({ node: this.#text.member(key, node), required: required.has(name) })
    }
    const place = `${path}/additionalProperties`
    const value = this.#node(schemaAt(open, place), place)
    const other =
      value === this.#expressions.never
        ? undefined
        : this.#text.member(this.#otherKey(schema, new Set([...names, ...required]), path), value)
    checkNumber(members, least, most, path)
    const spare = most - members.length
    const tail = {
      first: other
        ? this.#text.list(other, members.length === 0 ? least : 0, spare)
        : this.#expressions.empty,
      more: other ? this.#expressions.repeat(this.#text.following(other), 0, spare) : this.#expressions.empty,
    }
    return this.#part(path, "{", this.#members(members, tail), "}")
  }

  /** Members in order, those that are not required left out at will, then the others. */
  #members(members: readonly { node: Node; required: boolean }[], tail: { first: Node; more: Node }): Node {
    let { first, more } = tail
    for (const { node, required } of members.toReversed()) {
      const taken = this.#expressions.sequence(node, more)
      const next = this.#expressions.sequence(this.#text.following(node), more)
      first = required ? taken : this.#expressions.choice([taken, first])
      more = required ? next : this.#expressions.choice([next, more])
    }
    return first
  }

  /** The key of a property that is not listed. */
  #otherKey(schema: SchemaObject, names: ReadonlySet<string>, path: string): Node {
    const text = this.#text
    const restricted = schema.propertyNames !== undefined && schema.propertyNames !== true
    if (names.size === 0 && !restricted) return text.string
    let content: Node = this.#expressions.repeat(text.character(anyCharacter), 0, unlimited)
    if (restricted) content = this.#nameContent(schema, `${path}/propertyNames`)
    if (names.size > 0) {
      const listed = this.#expressions.texts([...names].map((name) => text.content(name)))
      content = intersection(this.#expressions, content, listed, true)
    }
    return text.named(`${path}/propertyNames`, text.quoted(content))
  }

  #nameContent(schema: SchemaObject, path: string): Node {
    const names = this.#flat({ allOf: [{ type: "string" }, schema.propertyNames] }, path)
    if (names === false || names === true) return this.#expressions.never
    if (names.anyOf !== undefined || names.oneOf !== undefined)
      schemaError(path, "may not use anyOf or oneOf")
    const values = valuesOf(names, path)
    return values ? this.#strings.among(values, names, path) : this.#strings.content(names, path)
  }

  /** One of these values, as far as the other keywords allow them. */
  #values(values: readonly unknown[], schema: Merged, types: readonly TypeName[], path: string): Node {
    const explicit = schema.type !== undefined
    const kept = values.filter(
      (value) =>
        !explicit ||
        types.includes(typeOf(value)) ||
        (typeOf(value) === "integer" && types.includes("number")),
    )
    const texts = kept.filter((value) => typeof value === "string")
    const numbers = kept.filter((value) => typeof value === "number")
    const others = kept.filter((value) => typeof value !== "string" && typeof value !== "number")
    const options: Node[] = others.map((value) => this.#structured(value, schema, path))
    const bounds = this.#bounds(schema, path)
    const fits = (value: number) =>
      !(value < (bounds.min ?? -Infinity) || value > (bounds.max ?? Infinity)) &&
      !(bounds.minExcluded && value === bounds.min) &&
      !(bounds.maxExcluded && value === bounds.max) &&
      (bounds.multipleOf === undefined || Number.isInteger(value / bounds.multipleOf))
    options.push(this.#expressions.texts(numbers.filter(fits).map((value) => JSON.stringify(value))))
    const listed = this.#strings.among(texts, schema, path)
    if (listed !== this.#expressions.never) options.push(this.#text.quoted(listed))
    const node = this.#expressions.choice(options)
    return node === this.#expressions.never && values.length > 0 && kept.length === values.length
      ? schemaError(path, "allows none of the values that it lists")
      : node
  }

  #structured(value: unknown, schema: SchemaObject, path: string): Node {
    const about = Array.isArray(value)
      ? ["items", "prefixItems", "minItems", "maxItems"]
      : ["properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"]
    const wrong =
      typeof value === "object" && value !== null && about.find((key) => schema[key] !== undefined)
    if (wrong) schemaError(`${path}/${wrong}`, "cannot stand beside listed values that are objects or arrays")
    return this.#text.literal(value)
  }
}

/** How many properties there are must follow from which of them are required. */
function checkNumber(
  members: readonly { required: boolean }[],
  least: number,
  most: number,
  path: string,
): void {
  const sure = members.filter(({ required }) => required).length
  // two keys may be the same, so several properties of any name cannot be promised
  if (least > sure && !(members.length === 0 && least === 1))
    schemaError(`${path}/minProperties`, `is ${least}, but only ${sure} are required: list them in required`)
  if (most < members.length)
    schemaError(
      `${path}/maxProperties`,
      `is ${most}, but ${members.length} properties are listed: leave it out`,
    )
}

function typeOf(value: unknown): TypeName {
  if (value === null) return "null"
  if (Array.isArray(value)) return "array"
  if (isObject(value)) return "object"
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number"
  return typeof value === "boolean" ? "boolean" : "string"
}

const pointed = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1")

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
