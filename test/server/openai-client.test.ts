// The official client of OpenAI's API, unmodified, against a running server.
import OpenAI, { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError } from "openai"
import type { ChatCompletionChunk, ChatCompletionTool } from "openai/resources/chat/completions"
import { createHandler, hashKey } from "cria/server"
import { listen } from "cria/server/node"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { eventually, runServer, type RunningServer } from "./running-server.js"
import { scripted } from "./scripted-model.js"

let server: RunningServer
let client: OpenAI
beforeAll(async () => {
  server = await runServer()
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

const hello = [{ role: "user" as const, content: "Hello" }]
const weather: ChatCompletionTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}

/** A client of a server whose model says these texts. */
async function saying(...texts: string[]) {
  const { model, asked } = scripted(server.llama, texts)
  const listener = await listen(createHandler({ tiny: model }), { port: 0 })
  const openai = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: "any", maxRetries: 0 })
  return { openai, asked, stop: () => listener.close({ now: true }) }
}

describe("chat", () => {
  test("an answer and its stream are the same text under one seed", async () => {
    const options = { model: "tiny", messages: hello, max_tokens: 12, seed: 7, temperature: 1 }
    const answer = await client.chat.completions.create(options)
    expect(answer.object).toBe("chat.completion")
    expect(answer.choices[0].finish_reason).toBe("length")
    expect(answer.usage).toMatchObject({ completion_tokens: 12 })
    expect(answer.usage!.total_tokens).toBe(answer.usage!.prompt_tokens + 12)
    const direct = await server.llama
      .chat([{ role: "user", content: "Hello" }], { maxTokens: 12, seed: 7, temperature: 1 })
      .text()
    expect(answer.choices[0].message.content).toBe(direct)
    const chunks: ChatCompletionChunk[] = []
    const stream = await client.chat.completions.create({
      ...options,
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const chunk of stream) chunks.push(chunk)
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
    expect(chunks[0].choices[0].delta.role).toBe("assistant")
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(direct)
    const last = chunks.at(-1)!
    expect(last.choices).toEqual([])
    expect(last.usage).toMatchObject({ completion_tokens: 12 })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
    expect(chunks.at(-2)!.choices[0].finish_reason).toBe("length")
  })

  test("several answers, their probabilities, stop texts and a bias", async () => {
    const x = server.llama.tokenizer.encode("x")[0]
    const answer = await client.chat.completions.create({
      model: "tiny",
      messages: hello,
      n: 3,
      max_completion_tokens: 4,
      logit_bias: { [x]: 100 },
      logprobs: true,
      top_logprobs: 2,
      temperature: 0,
    })
    expect(answer.choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, "xxxx"],
      [1, "xxxx"],
      [2, "xxxx"],
    ])
    const [first] = answer.choices[0].logprobs!.content!
    expect(first).toMatchObject({ token: "x", bytes: [120] })
    expect(first.logprob).toBeLessThan(0)
    expect(first.top_logprobs).toHaveLength(2)
    expect(first.top_logprobs[0].logprob).toBeGreaterThanOrEqual(first.top_logprobs[1].logprob)
    const stopped = await client.chat.completions.create({
      model: "tiny",
      messages: hello,
      max_tokens: 50,
      logit_bias: { [x]: 100 },
      stop: ["xxx"],
    })
    expect(stopped.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "" } })
  })

  test("an aborted stream frees its sequence", async () => {
    // the random model does not end by itself
    const logit_bias = Object.fromEntries(
      [...server.llama.tokenizer.special.values()].map((id) => [id, -100]),
    )
    const stream = await client.chat.completions.create({
      model: "tiny",
      messages: hello,
      stream: true,
      max_tokens: 1900,
      logit_bias,
    })
    let seen = 0
    for await (const _ of stream) if (++seen === 3) break
    stream.controller.abort()
    await eventually(async () => (await server.llama.stats()).running === 0)
    const controller = new AbortController()
    const whole = client.chat.completions.create(
      { model: "tiny", messages: hello, max_tokens: 1900, logit_bias },
      { signal: controller.signal },
    )
    setTimeout(() => controller.abort(), 50)
    await expect(whole).rejects.toThrow(APIUserAbortError)
    await eventually(async () => {
      const { running, waiting, pages } = await server.llama.stats()
      return running + waiting === 0 && pages.free === pages.total
    })
  })

  test("errors are those that the client knows", async () => {
    const ask = (options: object) =>
      client.chat.completions.create({ model: "tiny", messages: hello, ...options } as never)
    await expect(ask({ model: "gpt-99" })).rejects.toThrow(NotFoundError)
    await expect(ask({ temperature: 3 })).rejects.toMatchObject({ status: 400, param: "temperature" })
    await expect(ask({ messages: [] })).rejects.toMatchObject({ status: 400, param: "messages" })
    await expect(ask({ top_logprobs: 2 })).rejects.toThrow(BadRequestError)
    await expect(ask({ logit_bias: { 99999: 1 } })).rejects.toThrow(/99999/)
    const long = [{ role: "user", content: "x".repeat(5000) }]
    const tooLong = { status: 400, code: "context_length_exceeded" }
    await expect(ask({ messages: long })).rejects.toMatchObject(tooLong)
    await expect(ask({ messages: long, stream: true })).rejects.toMatchObject(tooLong)
  })
})

describe("tools", () => {
  const call = '{"name": "get_weather", "parameters": {"city": "Zürich"}}'

  test("calls come as calls, plain and streamed, and go back into the conversation", async () => {
    const { openai, asked, stop } = await saying(call, `${call}; ${call}`, `${call}; ${call}`, "It rains.")
    const first = await openai.chat.completions.create({ model: "tiny", messages: hello, tools: [weather] })
    const [choice] = first.choices
    expect(choice.finish_reason).toBe("tool_calls")
    expect(choice.message.content).toBeNull()
    const [toolCall] = choice.message.tool_calls!
    expect(toolCall).toMatchObject({ type: "function", function: { name: "get_weather" } })
    expect(JSON.parse(toolCall.type === "function" ? toolCall.function.arguments : "")).toEqual({
      city: "Zürich",
    })

    const stream = openai.chat.completions.stream({ model: "tiny", messages: hello, tools: [weather] })
    const deltas: ChatCompletionChunk.Choice.Delta.ToolCall[] = []
    stream.on("chunk", (chunk) => deltas.push(...(chunk.choices[0]?.delta.tool_calls ?? [])))
    const final = await stream.finalChatCompletion()
    expect(deltas.every(({ index }) => Number.isInteger(index))).toBe(true)
    for (const index of [0, 1]) {
      const own = deltas.filter((delta) => delta.index === index)
      expect(own[0].id).toMatch(/^call_/)
      expect(own[0].function!.name).toBe("get_weather")
      expect(own.slice(1).every(({ id }) => id === undefined)).toBe(true)
      expect(own.length).toBeGreaterThan(3) // piece by piece
      expect(JSON.parse(own.map((delta) => delta.function!.arguments ?? "").join(""))).toEqual({
        city: "Zürich",
      })
    }
    expect(final.choices[0].message.tool_calls).toHaveLength(2)
    expect(final.choices[0].finish_reason).toBe("tool_calls")

    const one = await openai.chat.completions.create({
      model: "tiny",
      messages: hello,
      tools: [weather],
      parallel_tool_calls: false,
    })
    expect(one.choices[0].message.tool_calls).toHaveLength(1)

    const last = await openai.chat.completions.create({
      model: "tiny",
      messages: [
        ...hello,
        choice.message,
        { role: "tool", tool_call_id: toolCall.id, content: '{"sky":"grey"}' },
      ],
      tools: [weather],
      tool_choice: "none",
    })
    expect(last.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "It rains." } })
    expect(asked.at(-1)!.options["tools"]).toEqual([])
    expect(asked.at(-1)!.messages.slice(1)).toEqual([
      {
        role: "assistant",
        content: "",
        toolCalls: [{ id: toolCall.id, name: "get_weather", arguments: { city: "Zürich" } }],
      },
      { role: "tool", content: '{"sky":"grey"}', toolCallId: toolCall.id },
    ])
    await stop()
  })

  test("runTools calls the function and finishes", async () => {
    const { openai, stop } = await saying(call, "Rain in Zürich.")
    const cities: unknown[] = []
    const runner = openai.chat.completions.runTools({
      model: "tiny",
      messages: [...hello],
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "The weather of a city",
            parse: JSON.parse,
            parameters: { type: "object", properties: { city: { type: "string" } } },
            function: (args: object) => {
              cities.push(args)
              return "rain"
            },
          },
        },
      ],
    })
    expect(await runner.finalContent()).toBe("Rain in Zürich.")
    expect(cities).toEqual([{ city: "Zürich" }])
    await stop()
  })

  test("a forced call names a tool that is there", async () => {
    const ask = (options: object) =>
      client.chat.completions.create({ model: "tiny", messages: hello, ...options } as never)
    const named = { type: "function", function: { name: "other" } }
    await expect(ask({ tools: [weather], tool_choice: named })).rejects.toThrow(/other/)
    await expect(ask({ tool_choice: "required" })).rejects.toMatchObject({
      status: 400,
      param: "tool_choice",
    })
  })
})

describe("completions", () => {
  test("texts, tokens, several prompts, echo and stream", async () => {
    const options = { model: "tiny", max_tokens: 5, temperature: 0 }
    const one = await client.completions.create({ ...options, prompt: "the llama" })
    expect(one.choices[0]).toMatchObject({ index: 0, finish_reason: "length", logprobs: null })
    expect(one.choices[0].text).toBe(
      await server.llama.generate("the llama", { maxTokens: 5, temperature: 0 }).text(),
    )
    const ids = [0, ...server.llama.tokenizer.encode("the llama")]
    const both = await client.completions.create({ ...options, prompt: ["the llama", "a lake"], n: 2 })
    expect(both.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3])
    expect(both.choices[0].text).toBe(one.choices[0].text)
    expect(both.choices[3].text).toBe(
      await server.llama.generate("a lake", { maxTokens: 5, temperature: 0 }).text(),
    )
    const tokens = await client.completions.create({ ...options, prompt: ids, echo: true, logprobs: 2 })
    const { text, logprobs } = tokens.choices[0]
    expect(text).toBe(`the llama${one.choices[0].text}`)
    expect(logprobs!.tokens).toHaveLength(ids.length + 5)
    expect(logprobs!.token_logprobs![0]).toBeNull()
    expect(logprobs!.token_logprobs!.slice(1).every((value) => value <= 0)).toBe(true)
    expect(logprobs!.text_offset!.slice(0, 3)).toEqual([0, 0, 1])
    const stream = await client.completions.create({
      ...options,
      prompt: ["the llama", "a lake"],
      stream: true,
    })
    const streamed = ["", ""]
    for await (const { choices } of stream)
      for (const choice of choices) streamed[choice.index] += choice.text
    expect(streamed).toEqual([both.choices[0].text, both.choices[2].text])
    const none = await client.completions.create({
      ...options,
      prompt: "the llama",
      echo: true,
      max_tokens: 0,
    })
    expect(none.choices[0].text).toBe("the llama")
    await expect(client.completions.create({ ...options, prompt: "a", suffix: "b" })).rejects.toMatchObject({
      status: 400,
      param: "suffix",
    })
  })
})

describe("embeddings", () => {
  test("floats and base64 are the same vectors, of length 1, also when shortened", async () => {
    const ask = { model: "tiny", input: ["the llama", "a lake"] }
    // the client asks for base64 by itself and decodes it
    const base64 = await client.embeddings.create(ask)
    const floats = await client.embeddings.create({ ...ask, encoding_format: "float" })
    expect(base64.data.map(({ embedding }) => Array.from(embedding))).toEqual(
      floats.data.map(({ embedding }) => embedding),
    )
    expect(floats.data[1].embedding).toEqual(Array.from(await server.llama.embed("a lake")))
    expect(Math.hypot(...floats.data[0].embedding)).toBeCloseTo(1, 5)
    const short = await client.embeddings.create({ ...ask, dimensions: 4, encoding_format: "float" })
    expect(short.data[0].embedding).toHaveLength(4)
    expect(Math.hypot(...short.data[0].embedding)).toBeCloseTo(1, 5)
    expect(floats.usage.prompt_tokens).toBeGreaterThan(0)
    await expect(client.embeddings.create({ ...ask, dimensions: 100_000 })).rejects.toThrow(BadRequestError)
  })
})

describe("models and keys", () => {
  test("models are listed and looked up, also with slashes in the name", async () => {
    const handler = createHandler({ "owner/name": server.llama })
    const listener = await listen(handler, { port: 0 })
    const openai = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: "any", maxRetries: 0 })
    const ids: string[] = []
    for await (const { id } of openai.models.list()) ids.push(id)
    expect(ids).toEqual(["owner/name"])
    expect(await openai.models.retrieve("owner/name")).toMatchObject({ id: "owner/name", object: "model" })
    await expect(openai.models.retrieve("other")).rejects.toThrow(NotFoundError)
    await expect(openai.moderations.create({ input: "x" })).rejects.toThrow(NotFoundError)
    await listener.close({ now: true })
  })

  test("only known keys are let in", async () => {
    const handler = createHandler(
      { tiny: server.llama },
      { apiKeyHashes: [await hashKey("open sesame".replace(" ", "-"))] },
    )
    const listener = await listen(handler, { port: 0 })
    const withKey = (apiKey: string) =>
      new OpenAI({ baseURL: `${listener.url}/v1`, apiKey, maxRetries: 0 }).models.list()
    await expect(withKey("wrong")).rejects.toThrow(AuthenticationError)
    expect((await withKey("open-sesame")).data).toHaveLength(1)
    expect((await fetch(`${listener.url}/v1/models`)).status).toBe(401)
    expect((await fetch(`${listener.url}/health`)).status).toBe(200)
    await listener.close({ now: true })
  })
})
