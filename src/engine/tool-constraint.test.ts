// A turn that must be a call is one: what the constraint lets through, the parser of calls reads back.
import { expect, test } from "vitest"
import { parseToolCalls, type Tool, toolCallConstraint } from "../chat/index.js"
import { constraintOf, drawn, seeded, smallTokenizer, takes } from "../constraints/vocabulary-fixture.js"
import { InvalidOptionError } from "../errors/index.js"

const tools: Tool[] = [
  {
    name: "get_weather",
    parameters: {
      type: "dict",
      properties: {
        city: { type: "string", maxLength: 8 },
        days: { type: "integer", minimum: 1, maximum: 14 },
        where: { $ref: "#/$defs/point" },
      },
      required: ["city", "where"],
      $defs: { point: { type: "object", properties: { x: { type: "float" } }, required: ["x"] } },
    },
  },
  { type: "function", function: { name: "clock" } },
  {
    name: "tree",
    parameters: {
      type: "object",
      properties: { v: { const: { $ref: "#" } }, left: { $ref: "#" } },
      required: ["v"],
    },
  },
]
const tokenizer = smallTokenizer(["get_weather", '{"name": "', '", "parameters": {'])

test("drawn at random, every turn is read as calls without a problem", () => {
  const random = seeded(8)
  const seen = new Set<string>()
  const constraint = constraintOf(toolCallConstraint(tools, "required", { calls: 3 }), tokenizer)
  for (let i = 0; i < 80; i++) {
    const text = drawn(constraint, tokenizer, random, 300)
    if (text === undefined) continue
    const { calls, text: rest, problems } = parseToolCalls(text, tools)
    expect({ rest, problems }, text).toEqual({ rest: "", problems: [] })
    expect(calls.length).toBeLessThanOrEqual(3)
    for (const { name } of calls) seen.add(name)
  }
  expect([...seen].toSorted()).toEqual(["clock", "get_weather", "tree"])
})

test("one tool by name, or something else to say", () => {
  const isClock = takes(toolCallConstraint(tools, { name: "clock" }))
  expect(isClock('{"name": "clock", "parameters": {}}')).toBe(true)
  expect(isClock('{"name": "tree", "parameters": {"v": {"$ref": "#"}}}')).toBe(false)
  const isTree = takes(toolCallConstraint(tools, { name: "tree" }))
  expect(isTree('{"name": "tree", "parameters": {"v": {"$ref": "#"}, "left": {"v": {"$ref": "#"}}}}')).toBe(
    true,
  )
  const answer = { type: "object", properties: { say: { type: "string" } }, required: ["say"] }
  const either = takes(toolCallConstraint(tools, "required", { answer }))
  expect(either('{"say": "hello"}')).toBe(true)
  expect(either('{"name": "clock", "parameters": {}}')).toBe(true)
  expect(either('[{"name": "clock", "parameters": {}}]')).toBe(false)
})

test("a tool that is not there", () => {
  expect(() => toolCallConstraint(tools, { name: "gone" })).toThrow(InvalidOptionError)
  expect(() => toolCallConstraint([], "required")).toThrow(InvalidOptionError)
})
