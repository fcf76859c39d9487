// Every form of call, the words that are no call, hostile text, and random calls that must come back as written.
import { describe, expect, test } from "vitest"
import type { Tool } from "./messages.js"
import { pythonJson, pythonLiteral } from "./parts.js"
import { parseToolCalls, pythonTag } from "./tool-calls.js"
import { ToolCallStream } from "./tool-stream.js"

const tools: Tool[] = [
  {
    name: "get_weather",
    parameters: {
      type: "dict",
      required: ["city"],
      properties: {
        city: { type: "string" },
        days: { type: "integer" },
        metric: { type: "string", enum: ["celsius", "fahrenheit"] },
        hourly: { type: "boolean" },
        tags: { type: "array", items: { type: "number" } },
        place: { type: "object", properties: { lat: { type: "number" } } },
      },
    },
  },
  { type: "function", function: { name: "clock" } },
  { name: "my-tools.send", parameters: { type: "object", properties: { to: {}, body: {} } } },
]
const sf = { name: "get_weather", arguments: { city: "SF", days: 2 } }
const clock = { name: "clock", arguments: {} }
const plain = (text: string, given: Tool[] = tools) =>
  parseToolCalls(text, given).calls.map(({ name, arguments: args }) => ({ name, arguments: args }))

describe("forms", () => {
  const forms: [string, unknown[]][] = [
    ["[get_weather(city='SF', days=2)]", [sf]],
    ['[get_weather(city="SF", days=2), clock()]', [sf, clock]],
    [" \n[ get_weather( city = 'SF' , days = 2 , ) , ]\n", [sf]],
    ["[get_weather('SF', 2)]", [sf]],
    ["[get_weather('SF', days=2)]", [sf]],
    ["[get_weather(**{'city': 'SF', 'days': 2})]", [sf]],
    ["get_weather(city='SF', days=2)", [sf]],
    ["get_weather(city='SF', days=2); clock()", [sf, clock]],
    ["[get_weather(city='SF', days=2)]; [clock()]", [sf, clock]],
    ['{"name": "get_weather", "parameters": {"city": "SF", "days": 2}}', [sf]],
    ['{"name": "get_weather", "arguments": {"city": "SF", "days": 2}}', [sf]],
    ['{"name": "get_weather", "arguments": "{\\"city\\": \\"SF\\", \\"days\\": 2}"}', [sf]],
    ['{"parameters": {"city": "SF", "days": "2"}, "name": "get_weather"}', [sf]],
    ['{"type": "function", "name": "get_weather", "parameters": {"city": "SF", "days": 2}}', [sf]],
    [
      '{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "SF", "days": 2}}}',
      [sf],
    ],
    ['{"type": "function", "function": "get_weather", "parameters": {"city": "SF", "days": 2}}', [sf]],
    ["{'name': 'get_weather', 'parameters': {'city': 'SF', 'days': 2}}", [sf]],
    ['{"name": "clock"}', [clock]],
    ['{"name": "clock", "parameters": null}', [clock]],
    ['[{"name": "get_weather", "parameters": {"city": "SF", "days": 2}}, {"name": "clock"}]', [sf, clock]],
    ['{"name": "get_weather", "parameters": {"city": "SF", "days": 2}}; {"name": "clock"}', [sf, clock]],
    ['{"name": "get_weather", "parameters": {"city": "SF", "days": 2}}\n{"name": "clock"}', [sf, clock]],
    [`${pythonTag}{"name": "clock", "parameters": {}}`, [clock]],
    [`${pythonTag}[clock()]`, [clock]],
    ['```json\n[{"name": "clock"}]\n```', [clock]],
    ["```\n[clock()]\n```", [clock]],
    ["```python\n[clock()]\n```\n", [clock]],
    [
      `${pythonTag}brave_search.call(query="a (b) \\"c\\"")`,
      [{ name: "brave_search", arguments: { query: 'a (b) "c"' } }],
    ],
    ['wolfram_alpha.call(query="1+1")', [{ name: "wolfram_alpha", arguments: { query: "1+1" } }]],
    ["[my-tools.send(to='a', body='b')]", [{ name: "my-tools.send", arguments: { to: "a", body: "b" } }]],
    [`${pythonTag}print(7)\nx = 1`, [{ name: "code_interpreter", arguments: { code: "print(7)\nx = 1" } }]],
  ]
  for (const [text, calls] of forms) {
    test(text, () => {
      expect(plain(text)).toEqual(calls)
      expect(parseToolCalls(text, tools).text).toBe("")
    })
    test(`streamed: ${text}`, () => {
      const options = [1, 3, 1000]
      for (const size of options) {
        const stream = new ToolCallStream(tools)
        let shown = ""
        for (let at = 0; at < text.length; at += size) shown += stream.push(text.slice(at, at + size))
        expect(shown).toBe("")
        expect(stream.finish()).toEqual(parseToolCalls(text, tools))
      }
    })
  }
})

describe("words that are no call", () => {
  const texts = [
    "",
    "  \n",
    "Hello!",
    "The call is [clock()] here.",
    'Use {"name": "clock", "parameters": {}} for that.',
    "[1] A footnote",
    "[Note] this",
    "[link](http://example.org)",
    "[link(a)](b)",
    "[]",
    "{}",
    '{"name": "Alice", "age": 3}',
    '{"answer": 42}',
    "[f()] is Python for a list of one result",
    "get_wea",
    "clock",
    "print('x')",
    "```python\nprint(1)\n```",
    "```\nplain\n```",
    "[get_weather(city='SF'",
    '{"name": "get_weather", "parameters": {"city": ',
    "f(a=1)",
    "<|pyth",
    "[1, 2, 3]",
    "[clock(), 5]",
  ]
  for (const text of texts)
    test(JSON.stringify(text), () => {
      const turn = parseToolCalls(text, tools)
      expect(turn.calls).toEqual([])
      expect(turn.text).toBe(text)
      for (const size of [1, 2, 100]) {
        const stream = new ToolCallStream(tools)
        let shown = ""
        for (let at = 0; at < text.length; at += size) shown += stream.push(text.slice(at, at + size))
        expect(shown + stream.finish().text).toBe(text)
      }
    })
})

describe("streaming decides early", () => {
  const decided: [string, "text" | "call" | "undecided"][] = [
    ["T", "text"],
    ["  H", "text"],
    ["get_", "undecided"],
    ["get_weather(", "call"],
    ["get_m", "text"],
    ["[", "undecided"],
    ["[1", "text"],
    ["[clock", "undecided"],
    ["[clock(", "call"],
    ["[clock ", "text"],
    ["{", "undecided"],
    ['{"ans', "text"],
    ['{"na', "undecided"],
    ['{"name": "Al', "undecided"],
    ['{"name": "Alice", "age"', "text"],
    ['{"name": "clock"', "call"],
    ['{"name": "other", "parameters": {', "call"],
    ['{"type": "person"', "text"],
    ["<|py", "undecided"],
    [pythonTag, "call"],
    ["``", "undecided"],
    ["```json\n", "undecided"],
    ["```json\n{", "undecided"],
    ["```python\nimport", "text"],
    ["`x", "text"],
  ]
  for (const [text, state] of decided)
    test(`${JSON.stringify(text)} is ${state}`, () => {
      const stream = new ToolCallStream(tools)
      for (const char of text) stream.push(char)
      expect(stream.state).toBe(state)
    })

  test("an endless beginning is let go", () => {
    const stream = new ToolCallStream(tools)
    let shown = ""
    const text = `{"name": "${"a".repeat(5000)}`
    for (const char of text) shown += stream.push(char)
    expect(stream.state).toBe("text")
    expect(shown + stream.finish().text).toBe(text)
  })
})

describe("arguments against the schema", () => {
  const read = (text: string) => parseToolCalls(text, tools)
  test("slips are mended", () => {
    const turn = read(
      `[get_weather(city=94110, days="3", hourly="True", tags="[1, 2]", place={"lat": "1.5"}, metric='celsius')]`,
    )
    expect(turn.problems).toEqual([])
    expect(turn.calls[0].arguments).toEqual({
      city: "94110",
      days: 3,
      hourly: true,
      tags: [1, 2],
      place: { lat: 1.5 },
      metric: "celsius",
    })
  })
  test("what cannot be mended is reported and left as it was", () => {
    const turn = read("[get_weather(days='soon', metric='kelvin', color=1, tags=[1, 'x']), nope(a=1)]")
    expect(turn.calls.map((call) => call.name)).toEqual(["get_weather", "nope"])
    expect(turn.calls[0].arguments).toEqual({ days: "soon", metric: "kelvin", color: 1, tags: [1, "x"] })
    const said = turn.problems.map(({ kind, call, message }) => `${kind} ${call} ${message}`)
    expect(said).toEqual([
      "bad_arguments 0 get_weather: city is missing",
      "bad_arguments 0 get_weather: days should be integer, got string",
      'bad_arguments 0 get_weather: metric should be one of ["celsius","fahrenheit"]',
      "bad_arguments 0 get_weather: color is not a parameter",
      "bad_arguments 0 get_weather: tags[1] should be number, got string",
      "unknown_tool 1 there is no tool named nope",
    ])
  })
  test("a call that breaks off is reported", () => {
    expect(read("[get_weather(city='SF'").problems[0].kind).toBe("malformed")
    expect(read("[Note] text").problems).toEqual([])
  })
  test("ids are numbered, given ones kept, or made by the caller", () => {
    const text = '[{"name": "clock", "id": "x7"}, {"name": "clock"}]'
    expect(parseToolCalls(text, tools).calls.map((call) => call.id)).toEqual(["x7", "call_1"])
    expect(parseToolCalls(text, tools, { id: (i) => `c${i}` }).calls[1].id).toBe("c1")
  })
  test("text after calls of known tools is kept", () => {
    expect(parseToolCalls("[clock()] Let me see.", tools)).toMatchObject({
      calls: [clock],
      text: " Let me see.",
    })
  })
  test("__proto__ is a name like any other", () => {
    const [call] = parseToolCalls(
      '{"name": "clock", "parameters": {"__proto__": {"polluted": 1}}}',
      tools,
    ).calls
    expect(Object.getPrototypeOf(call.arguments)).toBe(Object.prototype)
    expect(Object.keys(call.arguments)).toEqual(["__proto__"])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})

/** A small generator of random numbers with a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

describe("random calls come back as written", () => {
  const next = random(7)
  const below = (n: number) => Math.floor(next() * n)
  const pieces = [
    "a",
    "'",
    '"',
    "\\",
    "\n",
    "\t",
    "é",
    "🦙",
    "[",
    ")",
    "}",
    ";",
    "<|python_tag|>",
    "```",
    "\u0007",
    "\\n",
    " ",
  ]
  const text = () => Array.from({ length: below(8) }, () => pieces[below(pieces.length)]).join("")
  const value = (depth: number): unknown => {
    const kinds: (() => unknown)[] = [
      text,
      () => below(1000) - 500,
      () => next() * 100 - 50,
      () => next() < 0.5,
      () => null,
    ]
    if (depth < 3) {
      kinds.push(() => Array.from({ length: below(4) }, () => value(depth + 1)))
      kinds.push(() => Object.fromEntries(Array.from({ length: below(4) }, () => [text(), value(depth + 1)])))
    }
    return kinds[below(kinds.length)]()
  }
  const call = () => ({
    name: `f_${below(5)}`,
    arguments: Object.fromEntries(Array.from({ length: below(4) }, (_, i) => [`p${i}`, value(0)])),
  })
  test("300 turns, pythonic and JSON, whole and streamed", () => {
    for (let round = 0; round < 300; round++) {
      const calls = Array.from({ length: 1 + below(3) }, call)
      const entries = (args: object) =>
        Object.entries(args).map(([key, item]) => `${key}=${pythonLiteral(item)}`)
      const pythonic = `[${calls.map((c) => `${c.name}(${entries(c.arguments).join(", ")})`).join(", ")}]`
      const json = calls.map((c) => pythonJson({ name: c.name, parameters: c.arguments } as never))
      for (const turn of [
        pythonic,
        `[${json.join(",")}]`,
        json.join("; "),
        `${pythonTag}${json.join(";")}`,
      ]) {
        expect(plain(turn, [])).toEqual(calls)
        const stream = new ToolCallStream([])
        let shown = ""
        for (let at = 0; at < turn.length; ) {
          const size = 1 + below(6)
          shown += stream.push(turn.slice(at, at + size))
          at += size
        }
        expect(shown).toBe("")
        expect(stream.finish()).toEqual(parseToolCalls(turn, []))
      }
    }
  })
  test("no random text throws, and none is lost", () => {
    const scraps = [
      ...pieces,
      "{",
      "(",
      "]",
      ":",
      ",",
      "=",
      "clock",
      "get_weather(",
      '"name"',
      "1",
      pythonTag,
      "```json\n",
    ]
    for (let round = 0; round < 3000; round++) {
      const turn = Array.from({ length: below(14) }, () => scraps[below(scraps.length)]).join("")
      const whole = parseToolCalls(turn, tools)
      if (whole.calls.length === 0) expect(whole.text).toBe(turn)
      else expect(turn.endsWith(whole.text)).toBe(true)
      const stream = new ToolCallStream(tools)
      let shown = ""
      for (const char of turn) shown += stream.push(char)
      const end = stream.finish()
      if (end.calls.length === 0) expect(shown + end.text).toBe(turn)
    }
  })
})

describe("hostile text takes linear time", () => {
  const million = 1_000_000
  const hostile: [string, string][] = [
    ["brackets", "[".repeat(million)],
    ["braces", "{".repeat(million)],
    ["quotes", `[f(a=${"'".repeat(million)}`],
    ["double quotes", `{"name": ${'"'.repeat(million)}`],
    ["nested lists", `[f(a=${"[".repeat(million)}`],
    ["nested dictionaries", `[f(a=${"{'a':".repeat(million / 5)}`],
    ["backslashes", `[f(a='${"\\".repeat(million)}`],
    ["one long name", `[${"a".repeat(million)}`],
    ["a name of many dots", `[${"a.".repeat(million / 2)}`],
    ["an open string", `[f(a='${"x".repeat(million)}`],
    ["many calls", `[${"clock(),".repeat(million / 8)}`],
    ["many groups", "[clock()];".repeat(million / 10)],
    ["many objects", '{"name":"clock"}'.repeat(million / 16)],
    ["spaces", " ".repeat(million)],
    ["fences", "```".repeat(million / 3)],
    ["tags", pythonTag.repeat(million / 14)],
    ["digits", `[f(a=${"1".repeat(million)}`],
    ["keywords", `[f(${"a ".repeat(million / 2)}`],
    ["arguments", `[f(${"a=1,".repeat(million / 4)}`],
    ["parentheses", `[f(a=${"(".repeat(million)}`],
    ["single values in parentheses", `[f(a=${"(1      ),".repeat(million / 10)}`],
    ["a fenced tag", `${pythonTag}\`\`\`py\n${"\n```".repeat(million / 4)}x`],
  ]
  for (const [name, text] of hostile)
    test(name, () => {
      const start = performance.now()
      parseToolCalls(text, tools)
      const stream = new ToolCallStream(tools)
      for (let at = 0; at < text.length; at += 3) stream.push(text.slice(at, at + 3))
      stream.finish()
      // well under a second alone; quadratic time would be minutes
      expect(performance.now() - start).toBeLessThan(10_000)
    })
})
