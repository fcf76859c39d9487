// Literals of Python and JSON as they stand in the arguments of calls.
import { describe, expect, test } from "vitest"
import { parseToolCalls } from "./tool-calls.js"

const plain = (text: string) =>
  parseToolCalls(text).calls.map(({ name, arguments: args }) => ({ name, arguments: args }))

describe("Python literals", () => {
  const literals: [string, unknown][] = [
    [`'it\\'s'`, "it's"],
    [`"a\\tb\\n\\x41\\u00e9\\U0001F999\\101"`, "a\tb\nAé🦙A"],
    [`"\\ud83e\\udd99"`, "🦙"],
    [`'''a 'quoted'\nline'''`, "a 'quoted'\nline"],
    [`r'\\d+'`, "\\d+"],
    [`'a' "b"`, "ab"],
    [`'\\d'`, "\\d"],
    ["''", ""],
    ["-3", -3],
    ["+1_000", 1000],
    ["1.5e-3", 0.0015],
    [".5", 0.5],
    ["5.", 5],
    ["0x1F", 31],
    ["-0b101", -5],
    ["True", true],
    ["false", false],
    ["None", null],
    ["null", null],
    ["[1, [2, {'a': (3,)}],]", [1, [2, { a: [3] }]]],
    ["(1)", 1],
    ["()", []],
    ["(1, 2)", [1, 2]],
    ["{1, 2}", [1, 2]],
    ["{1: 'a'}", { "1": "a" }],
  ]
  for (const [source, value] of literals)
    test(source, () => expect(plain(`[f(a=${source})]`)).toEqual([{ name: "f", arguments: { a: value } }]))
  for (const source of [
    "x",
    "1j",
    "f'x'",
    "1 + 1",
    "g()",
    "'open",
    "[1",
    "{'a'}: 1",
    "1e999",
    "lambda: 0",
    "{[]: 1}",
  ])
    test(`no literal: ${source}`, () => expect(plain(`[f(a=${source})]`)).toEqual([]))
})
