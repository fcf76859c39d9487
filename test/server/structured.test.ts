// Structured output and forced calls on a model of random weights: only the constraint makes its answers parse.
import { generateObject } from "ai"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { ChatOpenAI } from "@langchain/openai"
import OpenAI from "openai"
import { zodResponseFormat } from "openai/helpers/zod"
import type { ChatCompletionChunk, ChatCompletionTool } from "openai/resources/chat/completions"
import { afterAll, beforeAll, expect, test } from "vitest"
import * as z from "zod"
import { post, processorTime, runServer, type RunningServer } from "./running-server.js"

let server: RunningServer
let client: OpenAI
beforeAll(async () => {
  server = await runServer({ contextLength: 8192 })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

const messages = [{ role: "user" as const, content: "Hello" }]
const shape = z.strictObject({
  mood: z.enum(["calm", "angry"]),
  legs: z.number().int().min(0).max(9),
  friends: z.array(z.strictObject({ name: z.enum(["Ada", "Bo"]) })).max(2),
})
const options = { model: "tiny", messages, max_tokens: 300, temperature: 1 }

/** Makes these characters likely. */
const bias = (characters: string[]) =>
  Object.fromEntries(characters.map((character) => [server.llama.tokenizer.encode(character)[0], 100]))

const tool = (name: string): ChatCompletionTool => ({
  type: "function",
  function: {
    name,
    parameters: {
      type: "object",
      properties: { size: { $ref: "#/$defs/size" } },
      required: ["size"],
      additionalProperties: false,
      $defs: { size: { enum: ["small", "large"] } },
    },
  },
})

test("json_schema: parsed by the client's own helper, whatever the seed", async () => {
  for (let seed = 0; seed < 3; seed++) {
    const { choices } = await client.chat.completions.parse({
      ...options,
      seed,
      response_format: zodResponseFormat(shape, "llama"),
    })
    expect(choices[0].finish_reason).toBe("stop")
    expect(shape.safeParse(choices[0].message.parsed).success).toBe(true)
  }
})

test("json_object, a pattern and a grammar, streamed too", async () => {
  const ask = async (response_format: object, more = {}) => {
    const body = { ...options, ...more, response_format } as never
    const stream = await client.chat.completions.stream(body).finalChatCompletion()
    return stream.choices[0]
  }
  const object = await ask({ type: "json_object" }, { max_tokens: 2000, logit_bias: bias(["{", "}"]) })
  expect(JSON.parse(object.message.content!)).toEqual({})
  const cut = await client.chat.completions.create({
    ...options,
    max_tokens: 3,
    response_format: { type: "regex", pattern: "a{5}" } as never,
  })
  expect(cut.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "aaa" } })
  expect((await ask({ type: "regex", pattern: "(ab|cd){3}" })).message.content).toMatch(/^(ab|cd){3}$/)
  const grammar = 'root ::= "yes" | "no"'
  expect(["yes", "no"]).toContain((await ask({ type: "grammar", grammar })).message.content)
})

test("a required call is a call of one of the tools, a named one of that tool", async () => {
  for (let seed = 0; seed < 2; seed++) {
    const tools = [tool("pick"), tool("drop")]
    const required = await client.chat.completions.create({
      ...options,
      seed,
      tools,
      tool_choice: "required",
    })
    const [call] = required.choices[0].message.tool_calls!
    if (call.type !== "function") throw new Error("no function")
    expect(["pick", "drop"]).toContain(call.function.name)
    expect(["small", "large"]).toContain((JSON.parse(call.function.arguments) as { size: string }).size)
    expect(required.choices[0].finish_reason).toBe("tool_calls")
    const named = await client.chat.completions
      .stream({ ...options, seed, tools, tool_choice: { type: "function", function: { name: "drop" } } })
      .finalChatCompletion()
    expect(named.choices[0].message.tool_calls).toMatchObject([{ function: { name: "drop" } }])
  }
})

test("several required calls where the client asks for them", async () => {
  const ask = {
    ...options,
    tools: [tool("pick"), tool("drop")],
    tool_choice: "required" as const,
    max_tokens: 2000,
  }
  const many = await client.chat.completions
    .stream({ ...ask, parallel_tool_calls: true, logit_bias: bias(["[", "]"]) })
    .finalChatCompletion()
  const calls = many.choices[0].message.tool_calls!
  expect(calls.length).toBeGreaterThan(1)
  for (const call of calls) {
    if (call.type !== "function") throw new Error("no function")
    expect(["small", "large"]).toContain((JSON.parse(call.function.arguments) as { size: string }).size)
  }
  const one = await client.chat.completions.create({ ...ask, logit_bias: bias(["[", "]"]) })
  expect(one.choices[0].message.tool_calls).toHaveLength(1)
})

test("a forced call is streamed while it is written, and is the one of the whole answer", async () => {
  const note: ChatCompletionTool = {
    type: "function",
    function: {
      name: "note",
      parameters: {
        type: "object",
        properties: { text: { type: "string", minLength: 40, maxLength: 60 }, stars: { type: "integer" } },
        required: ["text", "stars"],
        additionalProperties: false,
      },
    },
  }
  const ask = { ...options, seed: 3, tools: [note], tool_choice: "required" as const }
  const answer = await client.chat.completions.create(ask)
  const whole = answer.choices[0].message.tool_calls![0]
  if (whole.type !== "function") throw new Error("no function")
  const deltas: ChatCompletionChunk.Choice.Delta.ToolCall[] = []
  const stream = await client.chat.completions.create({ ...ask, stream: true })
  for await (const { choices } of stream) {
    expect(choices[0].delta.content ?? "").toBe("")
    deltas.push(...(choices[0].delta.tool_calls ?? []))
  }
  expect(deltas[0]).toMatchObject({ index: 0, type: "function", function: { name: "note", arguments: "" } })
  expect(deltas[0].id).toMatch(/^call_/)
  const rest = deltas.slice(1)
  // a token of the small model has few characters
  expect(rest.length).toBeGreaterThan(10)
  expect(
    rest.every(({ id, index, function: called }) => id === undefined && index === 0 && !called!.name),
  ).toBe(true)
  expect(rest.map((delta) => delta.function!.arguments).join("")).toBe(whole.function.arguments)
  expect(JSON.parse(whole.function.arguments)).toMatchObject({ text: expect.any(String) as string })

  const cut = await client.chat.completions.create({
    ...ask,
    max_tokens: answer.usage!.completion_tokens - 10,
  })
  const [{ message, finish_reason }] = cut.choices
  expect(finish_reason).toBe("length")
  expect(message.content).toBeNull()
  const [begun] = message.tool_calls!
  if (begun.type !== "function") throw new Error("no function")
  expect(begun.function.arguments.length).toBeGreaterThan(0)
  expect(whole.function.arguments.startsWith(begun.function.arguments)).toBe(true)
})

test("responses: a format and a forced call", async () => {
  const text = {
    format: { type: "json_schema" as const, name: "llama", schema: z.toJSONSchema(shape), strict: true },
  }
  const answer = await client.responses.create({
    model: "tiny",
    input: "Hello",
    text,
    max_output_tokens: 300,
  })
  expect(shape.safeParse(JSON.parse(answer.output_text)).success).toBe(true)
  const { function: fn } = tool("pick") as { function: { name: string; parameters: Record<string, unknown> } }
  const call = await client.responses.create({
    model: "tiny",
    input: "Hello",
    tools: [{ type: "function", strict: false, ...fn }],
    tool_choice: "required",
    max_output_tokens: 300,
  })
  expect(call.output).toMatchObject([{ type: "function_call", status: "completed", name: "pick" }])
})

test("other makers' helpers", async () => {
  const provider = createOpenAICompatible({
    name: "cria",
    baseURL: `${server.url}/v1`,
    apiKey: "any",
    supportsStructuredOutputs: true,
  })
  const { object } = await generateObject({
    model: provider("tiny"),
    schema: shape,
    prompt: "Hello",
    maxRetries: 0,
  })
  expect(shape.safeParse(object).success).toBe(true)
  const model = new ChatOpenAI({
    model: "tiny",
    apiKey: "any",
    configuration: { baseURL: `${server.url}/v1` },
    maxRetries: 0,
  })
  for (const method of ["jsonSchema", "functionCalling"] as const) {
    const structured = model.withStructuredOutput(shape, { method, name: "llama" })
    expect(shape.safeParse(await structured.invoke("Hello")).success, method).toBe(true)
  }
})

test("schemas and patterns made to hurt are refused or done in time, and stall nobody", async () => {
  const stream = post(server, "/v1/chat/completions", {
    model: "tiny",
    messages,
    max_tokens: 300,
    stream: true,
  })
  const gaps: number[] = []
  const reading = (async () => {
    let last = performance.now()
    for await (const _ of (await stream).body!) {
      gaps.push(performance.now() - last)
      last = performance.now()
    }
  })()
  const nested = (depth: number): object => (depth === 0 ? {} : { type: "array", items: nested(depth - 1) })
  const formats: object[] = [
    { type: "regex", pattern: "(a+)+$" },
    { type: "regex", pattern: "(((a{1,500}){1,500}){1,500}){1,500}" },
    { type: "regex", pattern: "(" },
    { type: "regex", pattern: "(a|b)?".repeat(3000) },
    { type: "grammar", grammar: "root ::= root" },
    { type: "grammar", grammar: 'root ::= root "a" | ""' },
    { type: "json_schema", json_schema: { name: "x", schema: { $ref: "#" } } },
    { type: "json_schema", json_schema: { name: "x", schema: { $ref: "#/nowhere" } } },
    { type: "json_schema", json_schema: { name: "x", schema: nested(40) } },
    {
      type: "json_schema",
      json_schema: { name: "x", schema: { enum: Array.from({ length: 50_000 }, (_, i) => `value ${i}`) } },
    },
    {
      type: "json_schema",
      json_schema: { name: "x", schema: { type: "string", pattern: "^(a|aa)+$", minLength: 100_000 } },
    },
    {
      type: "json_schema",
      json_schema: {
        name: "x",
        schema: {
          allOf: Array.from({ length: 200 }, () => ({ anyOf: [{ type: "string" }, { type: "number" }] })),
        },
      },
    },
  ]
  for (const response_format of formats) {
    const named = JSON.stringify(response_format).slice(0, 100)
    const time = await processorTime(async () => {
      const response = await post(server, "/v1/chat/completions", {
        ...options,
        max_tokens: 4,
        response_format,
      })
      const text = await response.text()
      expect([200, 400], `${named}: ${text.slice(0, 300)}`).toContain(response.status)
    })
    expect(time, named).toBeLessThan(4000)
  }
  await reading
  expect(Math.max(...gaps)).toBeLessThan(15_000)
})
