// JSON schemas drawn at random, for tests.
import { formatPatterns } from "./formats.js"

/** Schemas of every kind, at random. */
export class SchemaMaker {
  constructor(readonly random: () => number) {}

  below(count: number): number {
    return Math.floor(this.random() * count)
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }

  root(): Record<string, unknown> {
    const $defs = { leaf: this.schema(0), node: this.object(2) }
    return { ...this.schema(3), $defs }
  }

  schema(depth: number): Record<string, unknown> {
    const kinds = ["string", "number", "integer", "word", "enum", "const"]
    if (depth > 0) kinds.push("object", "object", "array", "anyOf", "allOf", "ref", "union")
    switch (this.one(kinds)) {
      case "string":
        return this.string()
      case "number":
        return this.number(false)
      case "integer":
        return this.number(true)
      case "word":
        return { type: this.one(["boolean", "null"]) }
      case "enum":
        return {
          enum: ["a", 'quote " \\', "é\n", 12, -0.5, null, true, [1, "x"], { k: [] }]
            .filter(() => this.random() < 0.6)
            .concat(["z"]),
        }
      case "const":
        return { const: this.one<unknown>(["only", 3, null, { a: [1, { b: "c" }] }]) }
      case "object":
        return this.object(depth)
      case "array":
        return this.array(depth)
      case "anyOf":
        return { anyOf: [this.schema(depth - 1), this.schema(depth - 1)] }
      case "allOf":
        return { allOf: [this.object(depth - 1), this.object(depth - 1)] }
      case "ref":
        return { $ref: "#/$defs/leaf", description: "a leaf" }
      default:
        return {
          type: this.one([
            ["string", "null"],
            ["integer", "string"],
            ["number", "boolean", "null"],
          ]),
          minLength: 2,
          maximum: 9,
        }
    }
  }

  string(): Record<string, unknown> {
    const min = this.below(4)
    return this.one<() => Record<string, unknown>>([
      () => ({ type: "string" }),
      () => ({ type: "string", minLength: min }),
      () => ({ type: "string", minLength: min, maxLength: min + this.below(6) }),
      () => ({
        type: "string",
        pattern: this.one(["^[a-z]+$", "ab", "^a|b$", "[0-9]{2}", "^(?!x)\\w{1,3}$", '["\\\\]$', "^\\p{L}"]),
      }),
      () => ({ type: "string", pattern: "^[ab1é]+$", minLength: 1 + min, maxLength: 5 + min }),
      () => ({
        type: "string",
        format: this.one([...formatPatterns.keys()].filter((name) => name !== "base64")),
      }),
    ])()
  }

  number(integer: boolean): Record<string, unknown> {
    const type = integer ? "integer" : "number"
    const low = this.one([-1234, -10.5, -1, -0.25, 0, 0.001, 3, 99, 12345.678])
    const high = low + this.one([0.5, 1, 7.25, 90, 1000, 123456])
    return this.one<Record<string, unknown>>([
      { type },
      { type, minimum: low },
      { type, maximum: high },
      { type, minimum: integer ? Math.ceil(low) : low, maximum: integer ? Math.ceil(high) : high },
      { type, exclusiveMinimum: Math.floor(low), exclusiveMaximum: Math.ceil(high) + 1 },
      { type, multipleOf: this.one([1, 2, 3, 7, 10, 25]) },
      { type, minimum: 0, maximum: 500, multipleOf: integer ? 5 : this.one([0.01, 0.25, 0.5, 5]) },
    ])
  }

  object(depth: number): Record<string, unknown> {
    const names = ["a", "ab", "b", "name", 'q"uote', "é", "c/d", "x~y"].filter(() => this.random() < 0.4)
    const properties = Object.fromEntries(
      names.map((name) => [name, depth > 0 ? this.schema(depth - 1) : this.string()]),
    )
    const required = names.filter(() => this.random() < 0.6)
    const others = this.one<unknown>([undefined, false, true, { type: "integer" }])
    return {
      type: "object",
      ...(names.length > 0 && { properties }),
      ...(required.length > 0 && { required }),
      ...(others !== undefined && { additionalProperties: others }),
    }
  }

  array(depth: number): Record<string, unknown> {
    const minItems = this.below(3)
    return this.one<() => Record<string, unknown>>([
      () => ({ type: "array" }),
      () => ({ type: "array", items: this.schema(depth - 1) }),
      () => ({ type: "array", items: this.schema(depth - 1), minItems, maxItems: minItems + this.below(3) }),
      () => ({
        type: "array",
        prefixItems: [this.schema(depth - 1), this.string()],
        items: this.one<unknown>([false, { type: "null" }]),
      }),
    ])()
  }
}
