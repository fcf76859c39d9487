// /v1/responses with the official client: answers, events, tools, the conversation by previous_response_id, what is
// kept and for how long.
import OpenAI, { NotFoundError } from "openai"
import type { FunctionTool, ResponseStreamEvent } from "openai/resources/responses/responses"
import { createHandler } from "cria/server"
import { listen } from "cria/server/node"
import { afterAll, beforeAll, expect, test } from "vitest"
import { eventually, post, runServer, type RunningServer } from "./running-server.js"
import { scripted } from "./scripted-model.js"

let server: RunningServer
let client: OpenAI
beforeAll(async () => {
  server = await runServer({ maxResponses: 8 })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

const weather: FunctionTool = {
  type: "function",
  name: "get_weather",
  strict: false,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
}

async function saying(...texts: string[]) {
  const { model, asked } = scripted(server.llama, texts)
  const listener = await listen(createHandler({ tiny: model }), { port: 0 })
  const openai = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: "any", maxRetries: 0 })
  return { openai, asked, stop: () => listener.close({ now: true }) }
}

test("an answer, cut off, is kept, listed with its input, and deleted", async () => {
  const response = await client.responses.create({
    model: "tiny",
    input: "Hello",
    instructions: "Be brief.",
    max_output_tokens: 6,
    metadata: { topic: "test" },
  })
  expect(response).toMatchObject({
    object: "response",
    status: "incomplete",
    incomplete_details: { reason: "max_output_tokens" },
    metadata: { topic: "test" },
  })
  expect(response.usage!.output_tokens).toBe(6)
  expect(await client.responses.retrieve(response.id)).toMatchObject({ output: response.output })
  const items = await client.responses.inputItems.list(response.id)
  expect(items.data).toMatchObject([
    { type: "message", role: "user", content: [{ type: "input_text", text: "Hello" }] },
  ])
  await client.responses.delete(response.id)
  await expect(client.responses.retrieve(response.id)).rejects.toThrow(NotFoundError)
  const unkept = await client.responses.create({
    model: "tiny",
    input: "Hi",
    max_output_tokens: 1,
    store: false,
  })
  await expect(client.responses.retrieve(unkept.id)).rejects.toThrow(NotFoundError)
})

test("the events of a stream are numbered without a gap and add up to the response", async () => {
  const { openai, stop } = await saying("It rains today.")
  const events: ResponseStreamEvent[] = []
  const stream = await openai.responses.create({ model: "tiny", input: "Hello", stream: true })
  for await (const event of stream) events.push(event)
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i))
  const types = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1])
  expect(types).toEqual([
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ])
  const text = events
    .map((event) => (event.type === "response.output_text.delta" ? event.delta : ""))
    .join("")
  expect(text).toBe("It rains today.")
  const last = events.at(-1)!
  if (last.type !== "response.completed") throw new Error("not completed")
  expect(await openai.responses.retrieve(last.response.id)).toMatchObject({ status: "completed" })
  const final = await client.responses
    .stream({ model: "tiny", input: "Hi", max_output_tokens: 4 })
    .finalResponse()
  expect(final.output_text.length).toBeGreaterThan(0)
  await stop()
})

test("calls, their results and earlier turns make the conversation", async () => {
  const call = '{"name": "get_weather", "parameters": {"city": "Bern"}}'
  const { openai, asked, stop } = await saying(call, "Sunny.")
  const first = await openai.responses.create({
    model: "tiny",
    input: "Weather in Bern?",
    instructions: "Use tools.",
    tools: [weather],
  })
  const [item] = first.output
  if (item.type !== "function_call") throw new Error("no call")
  expect(JSON.parse(item.arguments)).toEqual({ city: "Bern" })
  const second = await openai.responses.create({
    model: "tiny",
    previous_response_id: first.id,
    input: [{ type: "function_call_output", call_id: item.call_id, output: "sunny" }],
    tools: [weather],
  })
  expect(second.output_text).toBe("Sunny.")
  expect(second.previous_response_id).toBe(first.id)
  expect(asked[1].messages).toEqual([
    { role: "user", content: "Weather in Bern?" },
    {
      role: "assistant",
      content: "",
      toolCalls: [{ id: item.call_id, name: "get_weather", arguments: { city: "Bern" } }],
    },
    { role: "tool", content: "sunny", toolCallId: item.call_id },
  ])
  await expect(
    openai.responses.create({ model: "tiny", input: "x", previous_response_id: "resp_nothing" }),
  ).rejects.toMatchObject({ status: 404, param: "previous_response_id" })
  await stop()
})

test("calls are streamed while they are written, each an item of its own", async () => {
  const { openai, stop } = await saying(
    '[get_weather(city="Bern"), get_weather(city="Basel")] I asked.',
    '{"name": "get_weather", "parameters": {"city": "Ber',
  )
  const events: ResponseStreamEvent[] = []
  const ask = { model: "tiny", input: "?", tools: [weather] }
  const stream = await openai.responses.create({ ...ask, stream: true })
  for await (const event of stream) events.push(event)
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i))
  const types = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1])
  const item = (...inside: string[]) => [
    "response.output_item.added",
    ...inside.map((name) => `response.${name}`),
    "response.output_item.done",
  ]
  const called = item("function_call_arguments.delta", "function_call_arguments.done")
  const said = item("content_part.added", "output_text.delta", "output_text.done", "content_part.done")
  expect(types).toEqual([
    "response.created",
    "response.in_progress",
    ...called,
    ...called,
    ...said,
    "response.completed",
  ])
  const parts = ["", ""]
  for (const event of events)
    if (event.type === "response.function_call_arguments.delta") parts[event.output_index] += event.delta
  expect(parts.map((part) => JSON.parse(part) as unknown)).toEqual([{ city: "Bern" }, { city: "Basel" }])
  const count = events.filter(({ type }) => type === "response.function_call_arguments.delta").length
  expect(count).toBeGreaterThan(4)
  const last = events.at(-1)!
  if (last.type !== "response.completed") throw new Error("not completed")
  expect(last.response.output.map(({ type }) => type)).toEqual(["function_call", "function_call", "message"])

  const broken = await openai.responses.create(ask)
  expect(broken.output).toMatchObject([
    { type: "function_call", name: "get_weather", arguments: '{"city":"Ber', status: "incomplete" },
  ])
  await stop()
})

test("in the background: it is polled, and cancelled", async () => {
  const short = await client.responses.create({
    model: "tiny",
    input: "Hi",
    background: true,
    max_output_tokens: 3,
  })
  expect(["queued", "in_progress"]).toContain(short.status)
  await eventually(async () => (await client.responses.retrieve(short.id)).status === "incomplete")
  const long = await client.responses.create({ model: "tiny", input: "Hi", background: true })
  const cancelled = await client.responses.cancel(long.id)
  expect(cancelled.status).toBe("cancelled")
  await eventually(async () => (await server.llama.stats()).running === 0)
  expect((await client.responses.retrieve(long.id)).status).toBe("cancelled")
  await expect(client.responses.cancel("resp_none")).rejects.toThrow(NotFoundError)
})

test("the oldest make room", async () => {
  const ids: string[] = []
  for (let i = 0; i < 10; i++) {
    const { id } = await client.responses.create({ model: "tiny", input: `${i}`, max_output_tokens: 1 })
    ids.push(id)
  }
  await expect(client.responses.retrieve(ids[0])).rejects.toThrow(NotFoundError)
  expect((await client.responses.retrieve(ids[9])).id).toBe(ids[9])
})

test("pages of input items, and questions that make no sense", async () => {
  const input = ["a", "b", "c"].map((content) => ({ role: "user" as const, content }))
  const { id } = await client.responses.create({ model: "tiny", input, max_output_tokens: 1 })
  const listed: unknown[] = []
  for await (const item of client.responses.inputItems.list(id, { limit: 2, order: "asc" }))
    listed.push(item.type === "message" ? item.content : undefined)
  expect(listed).toEqual(["a", "b", "c"].map((text) => [{ type: "input_text", text }]))
  for (const query of ["limit=0", "limit=x", "order=up", "after=nobody"])
    expect((await fetch(`${server.url}/v1/responses/${id}/input_items?${query}`)).status).toBe(400)
  const wrong: object[] = [
    { input: [] },
    { input: "x", conversation: "conv_1" },
    { input: "x", background: true, stream: true },
    { input: [{ type: "item_reference", id: "item_none" }] },
    { input: [{ type: "function_call", call_id: "c", name: "f", arguments: "no json" }] },
    { input: "x", tools: [{ type: "web_search" }] },
  ]
  for (const body of wrong)
    expect(
      (await post(server, "/v1/responses", { model: "tiny", ...body })).status,
      JSON.stringify(body),
    ).toBe(400)
})
