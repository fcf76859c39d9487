// The boundary: what is refused, and whether the message says where.
import { expect, test } from "vitest"
import { InvalidOptionError } from "../errors/index.js"
import { checkMessages, checkTools, type Message, type Tool } from "./messages.js"

const refused: [string, unknown, RegExp][] = [
  ["no list", "hi", /must be an array/],
  ["empty list", [], /is empty/],
  ["no object", [{ role: "user", content: "x" }, 3], /^messages\[1\]/],
  ["unknown role", [{ role: "root", content: "x" }], /messages\[0\].*role must be one of/],
  ["no content", [{ role: "user" }], /messages\[0\]: content/],
  ["content of the wrong kind", [{ role: "user", content: 5 }], /messages\[0\]: content/],
  ["image part", [{ role: "user", content: [{ type: "image", url: "x" }] }], /messages\[0\]: content/],
  ["name that breaks the format", [{ role: "tool", content: "x", name: "a b" }], /messages\[0\]: name/],
  [
    "call without a name",
    [{ role: "assistant", toolCalls: [{ arguments: {} }] }],
    /messages\[0\]: toolCalls\[0\].name/,
  ],
  [
    "arguments as text",
    [{ role: "assistant", toolCalls: [{ name: "f", arguments: "{}" }] }],
    /toolCalls\[0\].arguments/,
  ],
  ["a number that JSON cannot hold", [{ role: "tool", content: { a: Number.NaN } }], /messages\[0\]/],
]
for (const [name, messages, message] of refused)
  test(`refused: ${name}`, () => {
    expect(() => checkMessages(messages as Message[])).toThrow(InvalidOptionError)
    expect(() => checkMessages(messages as Message[])).toThrow(message)
  })

test("a cyclic or deep value is refused, not followed", () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  expect(() => checkMessages([{ role: "tool", content: cycle } as unknown as Message])).toThrow(
    InvalidOptionError,
  )
  expect(() => checkTools([{ name: "f", parameters: cycle }])).toThrow(/tools\[0\]/)
})

test("text parts are joined, an absent answer is empty", () => {
  const checked = checkMessages([
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    },
    { role: "assistant", content: null, toolCalls: [{ name: "f", arguments: {} }] },
    { role: "tool", content: [{ type: "text", text: "ok" }] },
    { role: "tool", content: [1, 2] },
  ])
  expect(checked.map((message) => message.content)).toEqual(["ab", "", "ok", [1, 2]])
  expect(checked[1].toolCalls).toEqual([{ id: "", name: "f", arguments: {} }])
})

test("tools in both shapes, kept as written; doubles and bad names are refused", () => {
  const tools: Tool[] = [
    { name: "a", parameters: { type: "object" } },
    { type: "function", function: { name: "b" }, strict: true } as Tool,
  ]
  expect(checkTools(tools)).toEqual(tools)
  expect(() => checkTools([{ name: "a" }, { function: { name: "a" } }])).toThrow(
    /tools\[1\]: a second tool named a/,
  )
  expect(() => checkTools([{ name: "a<|eot_id|>" }])).toThrow(/tools\[0\]/)
})
