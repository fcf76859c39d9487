// Calls while they are written: what is passed on early, and that all parts together are the calls of the whole turn.
import { describe, expect, test } from "vitest"
import type { Tool } from "./messages.js"
import { pythonJson, pythonLiteral } from "./parts.js"
import type { ToolCallDelta } from "./tool-call-deltas.js"
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
        hourly: { type: "boolean" },
        tags: { type: "array", items: { type: "number" } },
        place: { type: "object", properties: { lat: { type: "number" }, name: { type: "string" } } },
        any: {},
      },
    },
  },
  { type: "function", function: { name: "clock" } },
]

/** The parts after each piece, and after the end. */
function partsOf(pieces: readonly string[], given: readonly Tool[] = tools): ToolCallDelta[][] {
  const stream = new ToolCallStream(given)
  const parts = pieces.map((piece) => {
    stream.push(piece)
    return stream.deltas()
  })
  stream.finish()
  return [...parts, stream.deltas()]
}

interface Joined {
  name: string
  text: string
}

function joined(parts: readonly ToolCallDelta[]): Joined[] {
  const calls: Joined[] = []
  for (const { index, name, arguments: text } of parts) {
    if (name !== undefined) {
      expect(index).toBe(calls.length)
      calls.push({ name, text: "" })
    }
    expect(index).toBe(calls.length - 1) // only the last call is being written
    calls[index].text += text
  }
  return calls
}

const cut = (text: string, size: number) => text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []

/** The parts joined are the calls of the whole turn, however it was cut. */
function sameAsWhole(text: string, given: readonly Tool[] = tools): void {
  const { calls } = parseToolCalls(text, given)
  for (const size of [1, 2, 5, text.length || 1]) {
    const written = joined(partsOf(cut(text, size), given).flat())
    const whole = written.slice(0, calls.length)
    expect(
      whole.map(({ name, text }) => ({ name, arguments: JSON.parse(text) as unknown })),
      text,
    ).toEqual(calls.map(({ name, arguments: values }) => ({ name, arguments: values })))
    // what is more was begun and went wrong
    if (calls.length > 0 && written.length > calls.length) expect(written.length).toBe(calls.length + 1)
  }
}

describe("what comes when", () => {
  const early = (pieces: string[]) =>
    partsOf(pieces).map((parts) => parts.map(({ name, arguments: text }) => (name ?? "") + text).join("|"))

  test("JSON, as a constraint lets it be written", () => {
    const pieces = [
      '{"name": "get_',
      'weather", "parameters": ',
      '{"city": "New ',
      "York",
      '", "days"',
      ": 1",
      "2}}",
    ]
    expect(early(pieces)).toEqual(["", "", 'get_weather|{"city":"New ', "York", '"', ',"days":', "12}", ""])
  })

  test("Python", () => {
    const pieces = [
      "[get_weather(",
      "city='Z\\xfcri",
      "ch', tags=[1, '2",
      "', 3], place={'lat': ",
      "4}), clo",
      "ck()]",
    ]
    expect(early(pieces)).toEqual([
      "get_weather",
      '{"city":"Züri',
      'ch","tags":[1,',
      '2,3],"place":{"lat":',
      "4}}",
      "clock|{}",
      "",
    ])
  })

  test("arguments without a name come when the call is closed, unknown tools at the end of the turn", () => {
    expect(early(["[get_weather('Bern', ", "days=2)", ", other()]"])).toEqual([
      "get_weather",
      '{"city":"Bern","days":2}',
      "",
      "other|{}",
    ])
  })

  test("an answer that is cut off leaves its last call open", () => {
    expect(early(['{"name": "get_weather", "parameters": {"city": "Be'])).toEqual([
      'get_weather|{"city":"Be',
      "",
    ])
    const parts = partsOf(["[clock(), get_weather(city='Be"]).flat()
    expect(joined(parts)).toEqual([
      { name: "clock", text: "{}" },
      { name: "get_weather", text: '{"city":"Be' },
    ])
  })
})

describe("all parts together are the calls of the whole turn", () => {
  const forms = [
    "[get_weather(city='SF', days=2)]",
    '[get_weather(city="SF", days=2), clock()]',
    " \n[ get_weather( city = 'SF' , days = 2 , ) , ]\n",
    "[get_weather('SF', 2)]",
    "[get_weather('SF', days=2)]",
    "[get_weather(2, city='SF')]",
    "[get_weather(city='SF', **{'days': '2', 'any': (1, 2)})]",
    "get_weather(city='SF', days=2); clock()",
    "[get_weather(city='SF', days=2)]; [clock()]",
    '{"name": "get_weather", "parameters": {"city": "SF", "days": "2"}}',
    '{"name": "get_weather", "arguments": "{\\"city\\": \\"SF\\", \\"days\\": 2}"}',
    '{"parameters": {"city": "SF", "days": "2"}, "name": "get_weather"}',
    '{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "SF"}}, "id": "x"}',
    '{"type": "function", "function": {"arguments": {"city": "SF"}, "name": "get_weather"}}',
    '{"type": "function", "function": "get_weather", "parameters": {"city": "SF"}}',
    '{"name": "clock"}',
    '{"name": "clock", "parameters": null}',
    '[{"name": "get_weather", "parameters": {"city": "SF"}}, {"name": "clock"}]',
    '{"name": "get_weather", "parameters": {"city": "SF"}}\n{"name": "clock"}',
    `${pythonTag}[clock()]`,
    '```json\n[{"name": "clock"}]\n```',
    "```python\n[clock()]\n```\n",
    `${pythonTag}brave_search.call(query="a (b) \\"c\\"")`,
    `${pythonTag}print(7)\nx = 1`,
    "clock() and so on",
    // values
    "[get_weather(city=8001, days='3', hourly='True', tags=['1', 2.5], place={'lat': '4', 'name': 5})]",
    "[get_weather(city='a' \"b\" '''c'd''', any=r'\\n', days=0x10)]",
    "[get_weather(city='''x''', any={1, 2}, tags=(1, 2))]",
    "[get_weather(any={'a': {}, 2: [[]], None: {'b': (3)}, \"c:d\": '}'})]",
    "[get_weather(city='\\x41\\u00e9\\U0001f999\\101\\q\\'', any='')]",
    "[get_weather(any='\\ud83e\\udd99 🦙')]",
    "[get_weather(any='\\U1')]",
    "[get_weather(place=['no', 'object'], tags={'no': 'array'})]",
    "[get_weather(any=-1.5e3, hourly=True, days=None)]",
    '{"name": "get_weather", "parameters": {"__proto__": {"a": 1}, "city": "\\u2028\\/\\b"}}',
    '{"name": "clock", "parameters": {"a": [1, {"b": null}], "a": 2}}',
    // what goes wrong
    "[get_weather(city='SF'",
    "[clock(), 5]",
    "[clock(), other()] and words",
    "[clock()]; g(",
    "[get_weather(city=nowhere)]",
    '{"name": "get_weather", "parameters": {"city": "SF" oops}}',
    '{"name": "clock", "parameters": 5}',
    "[clock(]",
    "",
  ]
  for (const text of forms) test(JSON.stringify(text), () => sameAsWhole(text))

  let state = 11
  const below = (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const texts = ["", "a", "it's", 'say "x"', "ü🦙", "\n\t\\", "}])(", "a=b, c:d", "3", "true"]
  const value = (depth: number): unknown =>
    [
      () => texts[below(texts.length)],
      () => below(1000) - 500,
      () => below(8) / 8,
      () => [true, false, null][below(3)],
      () => Array.from({ length: depth > 2 ? 0 : below(3) }, () => value(depth + 1)),
      () =>
        Object.fromEntries(
          Array.from({ length: depth > 2 ? 0 : below(3) }, (_, i) => [`k${i}`, value(depth + 1)]),
        ),
    ][below(6)]()
  const keys = ["city", "days", "hourly", "tags", "place", "any", "more"]
  const call = () => ({
    name: ["get_weather", "clock"][below(2)],
    arguments: Object.fromEntries(keys.filter(() => below(2) === 0).map((key) => [key, value(0)])),
  })

  test("100 random turns with their slips, in four forms", () => {
    for (let round = 0; round < 100; round++) {
      const calls = Array.from({ length: 1 + below(3) }, call)
      const entries = (args: object) =>
        Object.entries(args).map(([key, item]) => `${key}=${pythonLiteral(item)}`)
      const json = calls.map((c) => pythonJson({ name: c.name, parameters: c.arguments } as never))
      for (const turn of [
        `[${calls.map((c) => `${c.name}(${entries(c.arguments).join(", ")})`).join(", ")}]`,
        `[${json.join(",")}]`,
        json.join("; "),
        `${pythonTag}${json.join(";")}`,
      ])
        sameAsWhole(turn)
    }
  })

  test("1000 turns of scraps", () => {
    const scraps = [
      ..."()[]{}'\":,;=*\\ ".split(""),
      "clock(",
      "get_weather(",
      "city=",
      "days=",
      '{"name": "clock", "parameters": {',
      '"a": ',
      "'b'",
      "1",
      "True",
      "**{'city': ",
      "'''",
    ]
    for (let round = 0; round < 1000; round++) {
      const start = ["[clock(", "get_weather(", '{"name": "clock", "parameters": {'][below(3)]
      sameAsWhole(start + Array.from({ length: below(12) }, () => scraps[below(scraps.length)]).join(""))
    }
  })
})

test("hostile text takes linear time", () => {
  const million = 200_000
  const hostile = [
    `[clock(a=${"[".repeat(million)}`,
    `[clock(a='${"x".repeat(million)}`,
    `[clock(a='${"\\".repeat(million)}`,
    `[clock(a=${"'x' ".repeat(million / 4)}`,
    `[clock(a=${"1".repeat(million)}`,
    `[clock(a=(${"'x',".repeat(million / 4)}`,
    `[clock(${"a ".repeat(million / 2)}`,
    `[clock(${"a=1,".repeat(million / 4)}`,
    `[clock(${" ".repeat(million)}`,
    `{"name": "clock", "parameters": {${'"a": {'.repeat(million / 6)}`,
    `{"name": "clock", "parameters": {"${"a".repeat(million)}`,
    `{"name": "clock", ${'"a": 1,'.repeat(million / 7)}`,
    "[clock()];".repeat(million / 10),
  ]
  for (const text of hostile) {
    const start = performance.now()
    const stream = new ToolCallStream(tools)
    for (let at = 0; at < text.length; at += 3) {
      stream.push(text.slice(at, at + 3))
      stream.deltas()
    }
    stream.finish()
    expect(performance.now() - start, text.slice(0, 40)).toBeLessThan(5_000)
  }
})
