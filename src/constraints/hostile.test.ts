// Constraints made to hurt: each is refused or works, and neither takes long.
import { expect, test } from "vitest"
import { CriaError } from "../errors/index.js"
import { Constraint, compileConstraint, type ConstraintOptions, TokenTrie } from "./index.js"
import { seeded, smallTokenizer, tokensIn } from "./vocabulary-fixture.js"

const trie = new TokenTrie(smallTokenizer(["aaaaaaaaaaaaaaaa", "abababab"]).serialize().vocabulary)
const many = (count: number) => Array.from({ length: count }, (_, i) => i)
const schema = (value: unknown): ConstraintOptions => ({ type: "json_schema", schema: value as object })
const regex = (pattern: string): ConstraintOptions => ({ type: "regex", pattern })

function nested(depth: number): unknown {
  let value: unknown = { type: "string" }
  for (let i = 0; i < depth; i++) value = { type: "array", items: value }
  return value
}

const cases: Record<string, ConstraintOptions> = {
  "exponential subset construction": regex("(a|b)*a(a|b){20}"),
  "exponential backtracking": regex("(a+)+b"),
  "more of that": regex("(a*)*(a*)*(a*)*b"),
  "nested counts": regex("(a{1,1000}){1,1000}"),
  "deeply nested counts": regex("((((a{1,100}){1,100}){1,100}){1,100}){1,100}"),
  "empty things counted": regex("((a?){0,1000}){0,1000}"),
  "a million times": regex("[ab]{999999,1000000}"),
  "exponential alternatives": regex(
    `(?:${many(200)
      .map((i) => `a{${i}}`)
      .join("|")})*b`,
  ),
  "look-aheads that multiply": regex(
    `${many(12)
      .map((i) => `(?=[ab]*a[ab]{${i}})`)
      .join("")}[ab]*`,
  ),
  "a look-ahead that is exponential": regex("(?=[ab]*a[ab]{20}c)[abc]*"),
  "a giant class": regex(
    `[${many(5000)
      .map((i) => String.fromCodePoint(0x4e00 + 2 * i))
      .join("")}]+`,
  ),
  "properties by the dozen": regex("(?:[\\p{L}\\p{N}]|[^\\p{Lu}]\\p{Script=Greek}){10,1000}"),
  "a giant enum": schema({ enum: many(50_000).map((i) => `value number ${i}`) }),
  "an enum of giants": schema({ enum: many(4).map((i) => String(i).repeat(100_000)) }),
  "a very long string": schema({ type: "string", maxLength: 1_000_000 }),
  "a pattern with a giant bound": schema({ type: "string", pattern: "^[a-z]+$", maxLength: 500_000 }),
  "patterns that multiply": schema({
    allOf: many(8).map((i) => ({ pattern: `a.{${i + 5}}b` })),
    type: "string",
  }),
  "many properties": schema({
    properties: Object.fromEntries(many(2000).map((i) => [`property_${i}`, { type: "string" }])),
  }),
  "deep nesting": schema(nested(3000)),
  "alternatives that multiply": schema({
    allOf: many(10).map(() => ({ anyOf: many(10).map((i) => ({ minimum: i })) })),
  }),
  "references that multiply": schema({
    $ref: "#/$defs/d20",
    $defs: Object.fromEntries(
      many(21).map((i) => [
        `d${i}`,
        i === 0
          ? { type: "null" }
          : { type: "array", prefixItems: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] },
      ]),
    ),
  }),
  "allOf that multiplies": schema({
    $ref: "#/$defs/d24",
    $defs: Object.fromEntries(
      many(25).map((i) => [
        `d${i}`,
        i === 0
          ? { type: "string" }
          : { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] },
      ]),
    ),
  }),
  "a chain of references": schema({
    $ref: "#/$defs/d3000",
    $defs: Object.fromEntries(
      many(3001).map((i) => [`d${i}`, i === 0 ? { type: "null" } : { $ref: `#/$defs/d${i - 1}` }]),
    ),
  }),
  "a prime multiple": schema({ type: "integer", multipleOf: 9973, minimum: 0, maximum: 1e15 }),
  "an ambiguous grammar": { type: "grammar", grammar: 'root ::= s\ns ::= "a" s s s | "a" s s | "a" s | "a"' },
  "a grammar of many rules": {
    type: "grammar",
    grammar: `root ::= r0\n${many(5000)
      .map((i) => `r${i} ::= "a" r${i + 1} | "b"`)
      .join("\n")}\nr5000 ::= "c"`,
  },
  "a grammar that doubles": {
    type: "grammar",
    grammar: `root ::= r0\n${many(30)
      .map((i) => `r${i} ::= r${i + 1} r${i + 1}`)
      .join("\n")}\nr30 ::= "a"?`,
  },
}

/** Milliseconds that this thread may compute, on a busy machine. */
const most = 1500

test.each(Object.entries(cases))("%s", (_, options) => {
  const random = seeded(4)
  let slowest = 0
  const timed = <T>(work: () => T): T => {
    const start = process.cpuUsage()
    try {
      return work()
    } finally {
      const { user, system } = process.cpuUsage(start)
      slowest = Math.max(slowest, (user + system) / 1000)
    }
  }
  try {
    const constraint = timed(() => new Constraint(compileConstraint(options), trie))
    const state = constraint.begin()
    for (let i = 0; i < 60 && !state.mustEnd; i++) {
      const tokens = timed(() => tokensIn(state.allowed()))
      if (tokens.length === 0) break
      const token = tokens[Math.floor(random() * tokens.length)]
      expect(timed(() => state.accept(token))).toBe(true)
    }
  } catch (error) {
    expect(error).toBeInstanceOf(CriaError)
  }
  expect(slowest).toBeLessThan(most)
})
