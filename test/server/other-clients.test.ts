// Clients of other makers, unmodified: Vercel's AI SDK and LangChain.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { type AIMessageChunk, HumanMessage } from "@langchain/core/messages"
import { tool as langchainTool } from "@langchain/core/tools"
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai"
import { embed, generateText, stepCountIs, streamText, tool } from "ai"
import { createHandler } from "cria/server"
import { listen } from "cria/server/node"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import { eventually, runServer, type RunningServer } from "./running-server.js"
import { scripted } from "./scripted-model.js"

let server: RunningServer
beforeAll(async () => {
  server = await runServer()
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.stop()
})

const call = '{"name": "weather", "parameters": {"city": "Bern"}}'

async function saying(...texts: string[]) {
  const { model } = scripted(server.llama, texts)
  const listener = await listen(createHandler({ tiny: model }), { port: 0 })
  return { url: `${listener.url}/v1`, stop: () => listener.close({ now: true }) }
}

describe("ai with @ai-sdk/openai-compatible", () => {
  const provider = (baseURL: string) =>
    createOpenAICompatible({ name: "cria", baseURL, apiKey: "any", includeUsage: true })

  test("texts, streams and usage", async () => {
    const model = provider(`${server.url}/v1`)("tiny")
    const options = { model, prompt: "Hello", maxOutputTokens: 8, seed: 3, temperature: 1, maxRetries: 0 }
    const { text, finishReason, usage } = await generateText(options)
    expect(finishReason).toBe("length")
    expect(usage.outputTokens).toBe(8)
    const stream = streamText(options)
    let streamed = ""
    for await (const part of stream.textStream) streamed += part
    expect(streamed).toBe(text)
    expect((await stream.usage).outputTokens).toBe(8)
  })

  test("a tool is called and its result is used, also in a stream", async () => {
    const cities: string[] = []
    const tools = {
      weather: tool({
        description: "The weather of a city",
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => {
          cities.push(city)
          return { sky: "blue" }
        },
      }),
    }
    const { url, stop } = await saying(call, "Blue sky.", `${call}; ${call}`, "Blue twice.")
    const model = provider(url)("tiny")
    const ask = { model, prompt: "Weather?", tools, stopWhen: stepCountIs(3), maxRetries: 0 }
    expect((await generateText(ask)).text).toBe("Blue sky.")
    expect(await streamText(ask).text).toBe("Blue twice.")
    expect(cities).toEqual(["Bern", "Bern", "Bern"])
    await stop()
  })

  test("embeddings, and an abort that frees the sequence", async () => {
    const model = provider(`${server.url}/v1`).embeddingModel("tiny")
    const { embedding } = await embed({ model, value: "the llama" })
    expect(embedding).toEqual(Array.from(await server.llama.embed("the llama")))
    const controller = new AbortController()
    const { textStream } = streamText({
      model: provider(`${server.url}/v1`)("tiny"),
      prompt: "Hello",
      abortSignal: controller.signal,
    })
    for await (const _ of textStream) controller.abort()
    await eventually(async () => (await server.llama.stats()).running === 0)
  })
})

describe("@langchain/openai", () => {
  const chat = (baseURL: string, options = {}) =>
    new ChatOpenAI({ model: "tiny", apiKey: "any", configuration: { baseURL }, maxRetries: 0, ...options })

  test("messages and streams", async () => {
    const model = chat(`${server.url}/v1`, { maxTokens: 8, temperature: 0 })
    const answer = await model.invoke([new HumanMessage("Hello")])
    expect(answer.usage_metadata!.output_tokens).toBe(8)
    let whole: AIMessageChunk | undefined
    for await (const chunk of await model.stream([new HumanMessage("Hello")]))
      whole = whole ? whole.concat(chunk) : chunk
    expect(whole!.content).toBe(answer.content)
    expect(whole!.usage_metadata!.output_tokens).toBe(8)
  })

  test("tool calls, plain and streamed", async () => {
    const { url, stop } = await saying(call, `${call}; ${call}`)
    const weather = langchainTool(() => "blue", {
      name: "weather",
      description: "The weather of a city",
      schema: z.object({ city: z.string() }),
    })
    const model = chat(url).bindTools([weather])
    const { tool_calls } = await model.invoke("Weather?")
    expect(tool_calls).toMatchObject([{ name: "weather", args: { city: "Bern" } }])
    let whole: AIMessageChunk | undefined
    for await (const chunk of await model.stream("Weather?")) whole = whole ? whole.concat(chunk) : chunk
    expect(whole!.tool_calls).toMatchObject([
      { name: "weather", args: { city: "Bern" } },
      { name: "weather", args: { city: "Bern" } },
    ])
    await stop()
  })

  test("embeddings", async () => {
    const embeddings = new OpenAIEmbeddings({
      model: "tiny",
      apiKey: "any",
      configuration: { baseURL: `${server.url}/v1` },
    })
    const [vector] = await embeddings.embedDocuments(["the llama"])
    expect(vector).toEqual(Array.from(await server.llama.embed("the llama")))
  })
})
