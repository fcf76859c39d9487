// The tokens allowed at every step are exactly those whose bytes go on, tried one by one.
import { describe, expect, test } from "vitest"
import { Constraint, ConstraintState } from "./constraint.js"
import { compileConstraint, type ConstraintOptions, TokenTrie } from "./index.js"
import { Masks } from "./masks.js"
import { constraintOf, drawn, seeded, smallTokenizer, tokensIn } from "./vocabulary-fixture.js"

const tokenizer = smallTokenizer([
  "aaaa",
  "aaaaaaaa",
  "b)",
  "))",
  "(((",
  '"x":1',
  '":"',
  "\\\\",
  "3.14",
  "-1",
  "1,2,3",
])
const node = {
  type: "object",
  properties: { v: { type: "string", maxLength: 5 }, c: { type: "array", items: { $ref: "#/$defs/node" } } },
  required: ["v", "c"],
}
const cases: Record<string, ConstraintOptions> = {
  "any object": { type: "json_object" },
  recursive: { type: "json_schema", schema: { $ref: "#/$defs/node", $defs: { node } } },
  "many parts": {
    type: "json_schema",
    schema: {
      type: "object",
      properties: {
        kind: { enum: ["a", "ab", "abc", 12, null] },
        size: { type: "number", minimum: -3.5, maximum: 12 },
        text: { type: "string", minLength: 3, maxLength: 9 },
        code: { type: "string", pattern: "^[a-c]{2,4}$" },
        list: { type: "array", items: { type: ["integer", "null"] }, minItems: 1, maxItems: 3 },
      },
      required: ["size", "list"],
      additionalProperties: { type: "boolean" },
    },
  },
  regex: { type: "regex", pattern: "(a{2,20}b|[^a]{1,3}|日本+)*" },
  "deep counts": { type: "regex", pattern: "(?:(?:a{1,3}){2,30}-){1,2}" },
  grammar: {
    type: "grammar",
    grammar: 'root ::= expr\nexpr ::= term ("+" term)*\nterm ::= [0-9]+ | "(" expr ")" | "a" term? "b"',
  },
}

/** Tokens of more than one byte that are only a and b. */
const lettersOnly = Array.from({ length: tokenizer.size }, (_, id) => id).filter(
  (id) => id > 255 && /^[ab]+$/.test(tokenizer.decode([id])),
)

describe("equal those found by trying every token", () => {
  test.each(Object.entries(cases))("%s", (_, options) => {
    const constraint = constraintOf(options, tokenizer)
    const random = seeded(11)
    let steps = 0
    for (let run = 0; run < 12; run++) {
      const state = constraint.begin()
      const tokens: number[] = []
      for (let i = 0; i < 25 && !state.mustEnd; i++) {
        const expected: number[] = []
        for (let token = 0; token < tokenizer.size; token++) {
          const trial = constraint.begin()
          for (const before of tokens) trial.accept(before)
          if (!tokenizer.isSpecial(token) && trial.accept(token)) expected.push(token)
        }
        const allowed = tokensIn(state.allowed())
        expect(allowed).toEqual(expected)
        if (allowed.length === 0) break
        const token = allowed[Math.floor(random() * allowed.length)]
        state.accept(token)
        tokens.push(token)
        steps++
      }
    }
    expect(steps).toBeGreaterThan(20)
  })
})

test("constraints over one vocabulary share masks, and only those that are the same", () => {
  const trie = new TokenTrie(tokenizer.serialize().vocabulary)
  const random = seeded(21)
  const patterns = [
    "[^b]{1,9}",
    "[^a]{1,9}",
    "[^b]{2,9}",
    "[^b]{1,8}",
    "[^b]{1,9}b",
    "[^b]*",
    "[^b]*b",
    "(?!.*aaa)[^b]{1,9}",
    "[^b]{1,9}",
  ]
  for (const pattern of patterns) {
    const options = { type: "regex", pattern } as const
    const state = new Constraint(compileConstraint(options), trie).begin()
    const alone = constraintOf(options, tokenizer).begin()
    for (let i = 0; i < 12 && !alone.mustEnd; i++) {
      const allowed = tokensIn(alone.allowed())
      expect(tokensIn(state.allowed()), pattern).toEqual(allowed)
      const token = allowed[Math.floor(random() * allowed.length)]
      expect(state.accept(token)).toBe(alone.accept(token))
    }
  }
})

test("a token that was not allowed is refused, and nothing goes on from there", () => {
  const state = constraintOf({ type: "regex", pattern: "ab" }, tokenizer).begin()
  expect(state.accept(98)).toBe(false)
  expect(state.accept(97)).toBe(false)
  expect(tokensIn(state.allowed())).toEqual([])
  expect(state.mayEnd).toBe(false)
})

test("special tokens are never part of a text", () => {
  const state = constraintOf({ type: "regex", pattern: "[^]*" }, tokenizer).begin()
  const allowed = tokensIn(state.allowed())
  expect(allowed.some((token) => tokenizer.isSpecial(token))).toBe(false)
  expect(state.accept(tokenizer.special.get("<|end_of_text|>")!)).toBe(false)
})

test("states go on when what was worked out is thrown away", () => {
  // counts make a new configuration of every character: more than are kept
  const { expressions, root } = compileConstraint({
    type: "grammar",
    grammar: 'root ::= "<" line{1,900} ">"\nline ::= [ab]{1,900} (root | "-")',
  })
  const trie = new TokenTrie(tokenizer.serialize().vocabulary)
  const masks = new Masks(expressions, root, trie)
  const state = new ConstraintState(masks, trie)
  const other = new ConstraintState(masks, trie)
  const first = masks.machine
  const read = (text: string) => {
    for (const byte of Buffer.from(text)) if (!state.accept(byte)) throw new Error("not accepted")
  }
  for (const byte of Buffer.from("<a<b")) expect(other.accept(byte)).toBe(true)
  read("<a<a")
  for (let line = 0; masks.machine === first; line++) read(`-${"a".repeat(1 + ((line * 37) % 900))}`)
  read("->")
  expect(state.mayEnd).toBe(false)
  expect(tokensIn(state.allowed())).toEqual(
    [...Buffer.from(">ab")].toSorted((a, b) => a - b).concat(lettersOnly),
  )
  read(">")
  expect(state.mustEnd).toBe(true)
  expect(other.mayEnd).toBe(false)
  for (const byte of Buffer.from("->a->")) expect(other.accept(byte)).toBe(true)
  expect(other.mustEnd).toBe(true)
})

test("drawing is the same for the same numbers", () => {
  const constraint = constraintOf({ type: "json_object" }, tokenizer)
  expect(drawn(constraint, tokenizer, seeded(5))).toBe(
    drawn(constraintOf({ type: "json_object" }, tokenizer), tokenizer, seeded(5)),
  )
})
