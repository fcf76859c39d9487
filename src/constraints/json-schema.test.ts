// Whatever is drawn at random from what a schema allows parses and is valid, as an independent validator says; and
// what clients mean is not forbidden.
import { Ajv2020 } from "ajv/dist/2020.js"
import addFormats from "ajv-formats"
import { describe, expect, test } from "vitest"
import * as z from "zod"
import { InvalidOptionError } from "../errors/index.js"
import { formatPatterns } from "./formats.js"
import { compileConstraint } from "./index.js"
import { SchemaMaker } from "./random-schema-fixture.js"
import { constraintOf, drawn, seeded, smallTokenizer, takes } from "./vocabulary-fixture.js"

const tokenizer = smallTokenizer()
const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9, validateFormats: true })
addFormats.default(ajv)

/** Draws texts from a schema and has each of them checked. Returns how many ended in time. */
function check(schema: object | boolean, random: () => number, times: number): number {
  const constraint = constraintOf({ type: "json_schema", schema }, tokenizer)
  const validate = ajv.compile(schema)
  let ended = 0
  for (let i = 0; i < times; i++) {
    const text = drawn(constraint, tokenizer, random)
    if (text === undefined) continue
    ended++
    const value: unknown = JSON.parse(text)
    if (!validate(value))
      throw new Error(
        `${text}\nis not valid under\n${JSON.stringify(schema)}\n${ajv.errorsText(validate.errors)}`,
      )
  }
  return ended
}

test("texts drawn under 150 random schemas parse and are valid", () => {
  const random = seeded(2024)
  const maker = new SchemaMaker(random)
  let ended = 0
  let empty = 0
  for (let i = 0; i < 150; i++) {
    const schema = maker.root()
    try {
      ended += check(schema, random, 4)
    } catch (error) {
      // objects that exclude each other's properties, and the like
      if (
        !(error instanceof InvalidOptionError) ||
        !/no text at all|no number|no string|two formats|minProperties/.test(error.message)
      )
        throw error
      empty++
    }
  }
  expect(empty).toBeLessThan(25)
  expect(ended).toBeGreaterThan(400)
})

describe("single keywords", () => {
  const random = seeded(7)
  test.each([...formatPatterns.keys()].filter((name) => name !== "base64"))("format %s", (format) => {
    expect(check({ type: "string", format }, random, 60)).toBeGreaterThan(20)
  })

  test.each([
    [{ type: "number", minimum: 0.1, maximum: 0.3 }],
    [{ type: "number", exclusiveMinimum: 1.5, exclusiveMaximum: 1.75 }],
    [{ type: "number", minimum: -2.75, maximum: -2.5 }],
    [{ type: "number", exclusiveMinimum: -1, exclusiveMaximum: 1 }],
    [{ type: "number", minimum: 99.5, maximum: 1000.25 }],
    [{ type: "number", exclusiveMinimum: 0 }],
    [{ type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 }],
    [{ type: "integer", minimum: -5, exclusiveMaximum: 17 }],
    [{ type: "integer", minimum: 1.5, maximum: 9.5 }],
    [{ type: "integer", multipleOf: 7, minimum: 100, maximum: 3000 }],
    [{ type: "number", multipleOf: 0.25, minimum: -2, maximum: 2 }],
    [{ type: "number", minimum: 1e-7, maximum: 1e21 }],
  ])("%j", (schema) => {
    expect(check(schema, random, 150)).toBeGreaterThan(100)
  })

  test("bounds let through exactly the numbers between them", () => {
    for (const [low, high] of [
      [-12, 7],
      [0, 0],
      [95, 1005],
      [-1001, -99],
      [7, 7],
    ]) {
      const isIn = takes({ type: "json_schema", schema: { type: "integer", minimum: low, maximum: high } })
      for (let value = low - 25; value <= high + 25; value++)
        expect(isIn(String(value)), `${value} in ${low} to ${high}`).toBe(value >= low && value <= high)
    }
    const isIn = takes({
      type: "json_schema",
      schema: { type: "number", minimum: -0.35, exclusiveMaximum: 1.05 },
    })
    for (let i = -50; i < 150; i++) {
      const text = (i / 100).toFixed(2).replace(/^-0\.00$/, "0.00")
      expect(isIn(text), text).toBe(i >= -35 && i < 105)
    }
  })
})

describe("what clients write is allowed", () => {
  const contact = {
    type: "object",
    properties: {
      name: { type: "string" },
      age: { type: ["integer", "null"] },
      tags: { type: "array", items: { type: "string" } },
    },
    required: ["name", "age", "tags"],
    additionalProperties: false,
  }
  const value = { name: 'Ada "the first" \\ é 日本 😀', age: 36, tags: ["a", "b"] }

  test("compact, with blanks, and indented", () => {
    const isValid = takes({ type: "json_schema", schema: contact })
    for (const indent of [undefined, 2, 4, "\t"])
      expect(isValid(JSON.stringify(value, null, indent))).toBe(true)
    expect(isValid('{"name": "\\u00e9\\ud83d\\ude00\\/", "age": null, "tags": []}')).toBe(true)
    expect(isValid('{ "name": "x", "age": -12, "tags": [ "y" ] }')).toBe(true)
  })

  test("and what is wrong is not", () => {
    const isValid = takes({ type: "json_schema", schema: contact })
    for (const text of [
      '{"age": 1, "name": "x", "tags": []}',
      '{"name": "x", "tags": []}',
      '{"name": "x", "age": 1.5, "tags": []}',
      '{"name": "x", "age": 01, "tags": []}',
      '{"name": "x", "age": 1, "tags": [], "more": 1}',
      '{"name": "x", "age": 1, "tags": [],}',
      '{"name": "\\ud800", "age": 1, "tags": []}',
      '{"name": "\n", "age": 1, "tags": []}',
      '{"name":    "x", "age": 1, "tags": []}',
      ' {"name": "x", "age": 1, "tags": []}',
      '{"name": "x", "age": 1, "tags": []} ',
    ])
      expect(isValid(text), text).toBe(false)
  })

  test("recursion, references with siblings, definitions of older drafts", () => {
    const tree = {
      $ref: "#/definitions/node",
      definitions: {
        node: {
          type: "object",
          properties: {
            v: { $ref: "#/definitions/v%7e1", maxLength: 3 },
            left: { anyOf: [{ $ref: "#/definitions/node" }, { type: "null" }] },
          },
          required: ["v", "left"],
        },
        "v~/": { type: "string" },
      },
    }
    tree.definitions.node.properties.v.$ref = "#/definitions/v~0~1"
    const isValid = takes({ type: "json_schema", schema: tree })
    expect(isValid('{"v": "a", "left": {"v": "abc", "left": null}}')).toBe(true)
    expect(isValid('{"v": "abcd", "left": null}')).toBe(false)
    expect(takes({ type: "json_schema", schema: { items: { $ref: "#" } } })("[[], [[]]]")).toBe(true)
  })

  test("maps, with names that are restricted", () => {
    const map = {
      type: "object",
      propertyNames: { pattern: "^[a-z]+$" },
      additionalProperties: { type: "integer" },
    }
    const isValid = takes({ type: "json_schema", schema: map })
    expect(isValid('{"a": 1, "bcd": 2}')).toBe(true)
    expect(isValid('{"A": 1}')).toBe(false)
    const closed = { properties: { a: { type: "null" } }, additionalProperties: { type: "integer" } }
    const other = takes({ type: "json_schema", schema: closed })
    expect(other('{"a": null, "b": 1}')).toBe(true)
    expect(other('{"ab": 1}')).toBe(true)
    expect(other('{"a": 1}')).toBe(false)
    expect(other('{"\\u0061": 1}')).toBe(false)
    expect(
      takes({ type: "json_schema", schema: { type: "object", minProperties: 1, maxProperties: 2 } })("{}"),
    ).toBe(false)
  })

  test("patterns that match a part of the text", () => {
    const both = z.toJSONSchema(z.string().startsWith("ab").endsWith("yz").includes('"'))
    const isValid = takes({ type: "json_schema", schema: both })
    expect(isValid('"ab\\"\\nyz"')).toBe(true)
    for (const text of ['"ab\\nyz"', '"b\\"yz"', '"ab\\"y"']) expect(isValid(text), text).toBe(false)
  })

  test("any object, any value", () => {
    const isObject = takes({ type: "json_object" })
    expect(isObject('{"a": [1, -2.5e3, {"b": [true, false, null, "x"]}], "a": {}}')).toBe(true)
    expect(isObject("[]")).toBe(false)
    expect(takes({ type: "json_schema", schema: {} })('[{"x": 1}]')).toBe(true)
    expect(takes({ type: "json_schema", schema: true })("1e9")).toBe(true)
  })
})

describe("what zod writes is understood, and zod takes what comes of it", () => {
  const random = seeded(77)
  const cases: Record<string, z.ZodType> = {
    email: z.email(),
    uuid: z.uuid(),
    url: z.url(),
    datetime: z.iso.datetime(),
    time: z.iso.time(),
    ipv6: z.ipv6(),
    int: z.int(),
    int32: z.int32(),
    positive: z.number().positive(),
    step: z.number().multipleOf(0.5),
    record: z.record(z.string(), z.number()),
    "record of known keys": z.record(z.enum(["a", "b"]), z.number()),
    tuple: z.tuple([z.string(), z.number()]),
    "open tuple": z.tuple([z.string()], z.number()),
    object: z.object({
      a: z.string().optional(),
      b: z.nullable(z.int()),
      c: z.enum(["x", "y"]),
      d: z
        .array(z.object({ e: z.literal("q") }))
        .min(1)
        .max(3),
      f: z.string().default("x"),
    }),
    strict: z.strictObject({ a: z.string().min(2).max(5) }),
    loose: z.looseObject({ a: z.string() }),
    union: z.discriminatedUnion("t", [
      z.object({ t: z.literal("a"), v: z.int() }),
      z.object({ t: z.literal("b"), w: z.string() }),
    ]),
    intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })),
    lowercase: z.string().lowercase(),
    base64: z.base64(),
    e164: z.e164(),
    ulid: z.ulid(),
    emoji: z.emoji(),
    anything: z.any(),
  }
  test.each(Object.entries(cases))("%s", (_, type) => {
    const constraint = constraintOf({ type: "json_schema", schema: z.toJSONSchema(type) }, tokenizer)
    let ended = 0
    for (let i = 0; i < 25; i++) {
      const text = drawn(constraint, tokenizer, random)
      if (text === undefined) continue
      ended++
      expect(type.safeParse(JSON.parse(text)).success, text).toBe(true)
    }
    expect(ended).toBeGreaterThan(4)
  })
})

describe("what is not kept to is refused by name and place", () => {
  test.each([
    [{ type: "object", properties: { a: { not: { type: "string" } } } }, "#/properties/a/not"],
    [{ type: "array", uniqueItems: true }, "uniqueItems"],
    [{ if: {}, else: {} }, "#/if"],
    [{ patternProperties: { a: {} } }, "patternProperties"],
    [{ type: "array", contains: { type: "string" } }, "contains"],
    [{ anyOf: [{ type: "string", format: "nonsense" }] }, "#/anyOf/0/format"],
    [
      {
        allOf: [{ unevaluatedProperties: false }, {}],
        $ref: "#/$defs/a",
        $defs: { a: { dependentRequired: {} } },
      },
      "dependentRequired",
    ],
    [{ $ref: "https://example.com/schema" }, "only references into the schema itself"],
    [{ $ref: "#/$defs/gone" }, "not there"],
    [{ type: "text" }, '"text"'],
    [{ type: "string", minLength: -1 }, "#/minLength"],
    [{ type: "string", minLength: 3, maxLength: 2 }, "no string at all"],
    [{ type: "integer", minimum: 0.2, maximum: 0.8 }, "no number"],
    [{ type: "number", multipleOf: 0 }, "multipleOf"],
    [{ properties: [] }, "#/properties"],
    [{ properties: { a: 1 } }, "#/properties/a"],
    [{ required: "a" }, "#/required"],
    [{ enum: "a" }, "#/enum"],
    [{ type: "object", minProperties: 3 }, "minProperties"],
    [{ const: [1], items: {} }, "#/items"],
    [false, "no text at all"],
    [
      {
        $ref: "#/$defs/a",
        $defs: { a: { type: "object", properties: { a: { $ref: "#/$defs/a" } }, required: ["a"] } },
      },
      "no text at all",
    ],
    [{ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }, "calls itself"],
    [{ allOf: [{ $ref: "#" }] }, "refers to itself"],
    [{ type: "string", pattern: "(a" }, "is missing"],
    ["schema", "no schema"],
  ])("%j", (schema, reason) => {
    const compile = () => compileConstraint({ type: "json_schema", schema: schema as object })
    expect(compile).toThrow(InvalidOptionError)
    expect(compile).toThrow(reason)
  })
})
