// The provider for Vercel's AI SDK, driven by the SDK itself: texts, streams, objects, tools, embeddings, aborts.
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  createProviderRegistry,
  embed,
  embedMany,
  generateObject,
  generateText,
  Output,
  stepCountIs,
  streamText,
  tool,
} from "ai"
import { build } from "esbuild"
import { Llama, ModelNotFoundError, UnsupportedError } from "cria"
import { createCria } from "cria/ai-sdk"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import { makeChatModel } from "./cli/chat-model.js"
import { eventually, hasStories, stories } from "./server/running-server.js"
import { scripted } from "./server/scripted-model.js"

let llama: Llama
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-ai-sdk-"))
  llama = await Llama.load(await makeChatModel(folder), { contextLength: 2048, threads: 1 })
  await rm(folder, { recursive: true })
})
afterAll(() => llama.dispose())

const tiny = () => createCria({ tiny: llama })("tiny")
const saying = (...texts: string[]) => {
  const { model, asked } = scripted(llama, texts)
  return { model: createCria({ tiny: model })("tiny"), asked }
}
const idle = async () => {
  const { running, waiting } = await llama.stats()
  return running + waiting === 0
}
const call = '{"name": "weather", "parameters": {"city": "Bern"}}'
const user = (text: string) => ({ role: "user" as const, content: [{ type: "text" as const, text }] })

async function partsOf<Part>(stream: ReadableStream<Part>): Promise<Part[]> {
  const parts: Part[] = []
  for await (const part of stream as ReadableStream<Part> & AsyncIterable<Part>) parts.push(part)
  return parts
}

describe("texts", () => {
  test("whole and streamed are what the model's own chat says, with usage and reason", async () => {
    const messages = [
      { role: "system" as const, content: "Be brief." },
      { role: "user" as const, content: "Hello" },
    ]
    const settings = {
      temperature: 1,
      topP: 0.95,
      topK: 40,
      frequencyPenalty: 0.5,
      presencePenalty: 0.25,
      seed: 7,
    }
    const [own] = await llama.chat(messages, { ...settings, maxTokens: 12, stop: ["zzz"] }).result()
    const options = {
      model: tiny(),
      system: "Be brief.",
      prompt: "Hello",
      ...settings,
      maxOutputTokens: 12,
      stopSequences: ["zzz"],
    }
    const { text, finishReason, usage, response, warnings } = await generateText(options)
    expect(text).toBe(own.text)
    expect(finishReason).toBe("length")
    expect(usage).toMatchObject({ inputTokens: own.usage.promptTokens, outputTokens: 12 })
    expect(response.modelId).toBe("tiny")
    expect(warnings).toEqual([])

    const stream = streamText(options)
    let streamed = ""
    for await (const part of stream.textStream) streamed += part
    expect(streamed).toBe(own.text)
    expect(await stream.finishReason).toBe("length")
    expect((await stream.usage).totalTokens).toBe(own.usage.promptTokens + 12)
  })

  test("a stop sequence ends the answer, seeds below 0 and topP 0 are taken", async () => {
    const free = await generateText({ model: tiny(), prompt: "Hi", seed: -5, topP: 0, maxOutputTokens: 30 })
    const stop = free.text.slice(8, 12)
    const stopped = await generateText({
      model: tiny(),
      prompt: "Hi",
      seed: 99,
      topP: 0,
      maxOutputTokens: 30,
      stopSequences: [stop],
    })
    expect(stopped.finishReason).toBe("stop")
    expect(stopped.text).toBe(free.text.slice(0, free.text.indexOf(stop)))
  })

  test("options that the SDK has no words for pass through, unknown ones are refused", async () => {
    const constrained = await generateText({
      model: tiny(),
      prompt: "Hi",
      providerOptions: { cria: { constraint: { type: "regex", pattern: "(yes|no)" } } },
    })
    expect(constrained.text).toMatch(/^(yes|no)$/)
    const misspelt = { model: tiny(), prompt: "Hi", providerOptions: { cria: { minp: 0.1 } } }
    await expect(generateText(misspelt)).rejects.toThrow("minp")
  })

  test("the parts of a stream come in the order of the specification", async () => {
    const { model } = saying("Blue sky.")
    const { stream } = await model.doStream({ prompt: [user("Weather?")] })
    const types = (await partsOf(stream)).map(({ type }) => type)
    expect(types.filter((type, at) => type !== types[at - 1])).toEqual([
      "stream-start",
      "response-metadata",
      "text-start",
      "text-delta",
      "text-end",
      "finish",
    ])
  })
})

describe("objects", () => {
  const schema = z.object({ mood: z.enum(["calm", "wild"]), count: z.number().int().min(0).max(9) })

  test("are valid under their schema, by generateObject and by Output.object", async () => {
    const { object } = await generateObject({ model: tiny(), prompt: "A llama", schema, maxRetries: 0 })
    expect(schema.parse(object)).toEqual(object)
    const stream = streamText({ model: tiny(), prompt: "A llama", output: Output.object({ schema }) })
    expect(schema.safeParse(await stream.output).success).toBe(true)
  })

  test("JSON without a schema is an object; with tools at hand it is that or a call", async () => {
    const model = saying("{}", "{}")
    const format = { prompt: [user("Hi")], responseFormat: { type: "json" as const } }
    await model.model.doGenerate(format)
    await model.model.doGenerate({ ...format, tools: [{ type: "function", name: "f", inputSchema: {} }] })
    const [alone, withTools] = model.asked.map(({ options }) => options["constraint"])
    expect(alone).toEqual({ type: "json_object" })
    expect(withTools).toMatchObject({
      type: "json_schema",
      schema: { $defs: { answer: { type: "object" } } },
    })
  })
})

describe("tools", () => {
  const weather = (cities: string[]) => ({
    weather: tool({
      description: "The weather of a city",
      inputSchema: z.object({ city: z.enum(["Bern", "Oslo"]) }),
      execute: async ({ city }) => {
        cities.push(city)
        return { sky: "blue" }
      },
    }),
    clock: tool({ inputSchema: z.object({}) }),
  })

  test("a forced call is one, with an input that the tool's schema allows", async () => {
    for (const toolChoice of ["required", { type: "tool", toolName: "weather" }] as const) {
      const cities: string[] = []
      const { toolCalls, finishReason, text } = await generateText({
        model: tiny(),
        prompt: "Weather?",
        tools: weather(cities),
        toolChoice,
        temperature: 1,
        seed: 2,
      })
      expect(finishReason).toBe("tool-calls")
      expect(text).toBe("")
      expect(toolCalls).toHaveLength(1)
      expect(toolCalls[0].invalid).toBeFalsy()
      if (toolChoice !== "required") expect(toolCalls[0].toolName).toBe("weather")
      expect(cities).toEqual(
        toolCalls.flatMap(({ toolName, input }) =>
          toolName === "weather" ? [(input as { city: string }).city] : [],
        ),
      )
    }
  })

  test("calls are run and their results read, also in a stream, and calls have ids of their own", async () => {
    const cities: string[] = []
    const { model, asked } = saying(call, "Blue sky.", `${call}; ${call}`, "Blue twice.")
    const ask = { model, prompt: "Weather?", tools: weather(cities), stopWhen: stepCountIs(3) }
    expect((await generateText(ask)).text).toBe("Blue sky.")
    const stream = streamText(ask)
    const types: string[] = []
    const ids = new Set<string>()
    for await (const part of stream.fullStream) {
      types.push(part.type)
      if (part.type === "tool-call") ids.add(part.toolCallId)
    }
    expect(await stream.text).toBe("Blue twice.")
    expect(ids.size).toBe(2)
    const ofCalls = types.filter((type) => type.startsWith("tool-input") || type === "tool-call")
    expect(ofCalls.filter((type) => type === "tool-input-delta").length).toBeGreaterThan(4)
    expect(ofCalls.filter((type, i) => type !== ofCalls[i - 1]).slice(0, 4)).toEqual([
      "tool-input-start",
      "tool-input-delta",
      "tool-input-end",
      "tool-call",
    ])
    expect(cities).toEqual(["Bern", "Bern", "Bern"])
    const [, assistant, answered] = asked[1].messages
    expect(assistant).toMatchObject({ toolCalls: [{ name: "weather", arguments: { city: "Bern" } }] })
    expect(answered).toMatchObject({ role: "tool", name: "weather", content: { sky: "blue" } })
  })

  test("a call that the answer's end cuts off is reported as an invalid one, and not run", async () => {
    const cities: string[] = []
    const { model } = saying('{"name": "weather", "parameters": {"city": "Be')
    const stream = streamText({ model, prompt: "Weather?", tools: weather(cities) })
    const parts: string[] = []
    for await (const part of stream.fullStream) parts.push(part.type)
    const [called] = await stream.toolCalls
    expect(called).toMatchObject({ toolName: "weather", invalid: true })
    expect(parts).toContain("tool-input-end")
    expect(await stream.text).toBe("")
    expect(cities).toEqual([])
  })

  test("none shows no tools; what has no meaning here gets a warning", async () => {
    const { model, asked } = saying("Fine.", "Fine.")
    const tools = [
      { type: "function" as const, name: "f", inputSchema: {}, strict: true, inputExamples: [{ input: {} }] },
      { type: "provider" as const, id: "maker.search" as const, name: "search", args: {} },
    ]
    await model.doGenerate({ prompt: [user("Hi")], tools, toolChoice: { type: "none" } })
    const { warnings } = await model.doGenerate({
      prompt: [{ role: "assistant", content: [{ type: "reasoning", text: "hm" }] }, user("Hi")],
      tools,
    })
    expect(asked.map(({ options }) => (options["tools"] as unknown[]).length)).toEqual([0, 1])
    expect(warnings.map(({ type }) => type)).toEqual([
      "unsupported",
      "unsupported",
      "compatibility",
      "unsupported",
    ])
  })
})

describe("embeddings", () => {
  test("are the model's own, however many", async () => {
    const model = createCria({ tiny: llama }).textEmbeddingModel("tiny")
    const { embedding, usage } = await embed({ model, value: "the llama" })
    expect(embedding).toEqual(Array.from(await llama.embed("the llama")))
    expect(usage.tokens).toBe(llama.tokenizer.encode("the llama").length + 1)
    const values = Array.from({ length: 19 }, (_, i) => `text ${i}`)
    const { embeddings } = await embedMany({ model, values })
    expect(embeddings[18]).toEqual(Array.from(await llama.embed("text 18")))
  })
})

describe("endings before the end", () => {
  test("an abort stops a stream and a whole answer, and frees the sequence", async () => {
    const controller = new AbortController()
    const cria = { ignoreEos: true, contextOverflow: "slide" }
    const long = { model: tiny(), prompt: "Hello", providerOptions: { cria } }
    const types: string[] = []
    for await (const { type } of streamText({ ...long, abortSignal: controller.signal }).fullStream) {
      types.push(type)
      if (type === "text-delta") controller.abort()
    }
    expect(types.at(-1)).toBe("abort")
    await eventually(idle)
    const own = new AbortController()
    const { stream } = await tiny().doStream({
      prompt: [user("Hello")],
      providerOptions: { cria },
      abortSignal: own.signal,
    })
    own.abort(new Error("enough"))
    await expect(partsOf(stream)).rejects.toThrow("enough")
    await eventually(idle)
    const late = new AbortController()
    setTimeout(() => late.abort(), 30)
    await expect(generateText({ ...long, abortSignal: late.signal })).rejects.toThrow(/abort/i)
    await eventually(idle)
  })

  test("a stream that is left frees the sequence", async () => {
    const { stream } = await tiny().doStream({
      prompt: [user("Hello")],
      providerOptions: { cria: { ignoreEos: true, contextOverflow: "slide" } },
    })
    const reader = stream.getReader()
    for (let i = 0; i < 5; i++) await reader.read()
    expect(await idle()).toBe(false)
    await reader.cancel()
    await eventually(idle)
  })

  test("an engine that ends on the way is an error in the stream", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cria-ai-sdk-"))
    const short = await Llama.load(await makeChatModel(folder), { contextLength: 512, threads: 1 })
    await rm(folder, { recursive: true })
    const { stream } = await createCria({ short })("short").doStream({
      prompt: [user("Hello")],
      providerOptions: { cria: { ignoreEos: true, contextOverflow: "slide" } },
    })
    const reading = partsOf(stream)
    await short.dispose()
    const parts = await reading
    expect(parts.at(-2)).toMatchObject({ type: "error", error: { code: "disposed" } })
    expect(parts.at(-1)).toMatchObject({ type: "finish", finishReason: { unified: "error" } })
  })
})

test("a page can have it: nothing of Node is in it", async () => {
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "cria/ai-sdk"', resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
  })
  expect(outputFiles[0].text).toContain("createCria")
  expect(outputFiles[0].text).not.toMatch(/["']node:/)
})

describe("what does not work", () => {
  test("files and images are refused with their place", async () => {
    const image = { type: "file" as const, mediaType: "image/png", data: new Uint8Array(4) }
    const ask = tiny().doGenerate({ prompt: [{ role: "user", content: [image] }] })
    await expect(ask).rejects.toThrow(UnsupportedError)
    await expect(ask).rejects.toThrow("prompt[0].content[0]")
  })

  test("a prompt beyond the context rejects before there is a stream", async () => {
    await expect(tiny().doStream({ prompt: [user("the llama ".repeat(3000))] })).rejects.toMatchObject({
      code: "context_overflow",
    })
  })

  test("names that are not there; loading happens once, and again after a failure", async () => {
    let loads = 0
    const provider = createCria({
      lazy: () => {
        if (loads++ === 0) throw new Error("no disk")
        return Promise.resolve(llama)
      },
    })
    // @ts-expect-error the names are known to the compiler
    expect(() => provider("toString")).toThrow(ModelNotFoundError)
    const ask = { model: provider("lazy"), prompt: "Hi", maxOutputTokens: 1, maxRetries: 0 }
    expect(loads).toBe(0)
    await expect(generateText(ask)).rejects.toThrow("no disk")
    await Promise.all([generateText(ask), generateText(ask)])
    expect(loads).toBe(2)
    const registry = createProviderRegistry({ cria: provider })
    await generateText({ ...ask, model: registry.languageModel("cria:lazy") })
    expect(loads).toBe(2)
  })
})

test("the stories model, which has no chat, continues a text under a template that is the text", async (context) => {
  if (!hasStories) context.skip("no ../shared/reference/stories260K")
  await using model = await Llama.load(stories)
  const cria = createCria({ stories: model })
  const ask = { model: cria("stories"), prompt: "Once upon a time", temperature: 0, maxOutputTokens: 20 }
  await expect(generateText(ask)).rejects.toThrow(UnsupportedError)
  const template = "{{ messages[0].content }}"
  const { text } = await generateText({ ...ask, providerOptions: { cria: { template } } })
  expect(text).toBe(await model.generate("Once upon a time", { temperature: 0, maxTokens: 20 }).text())
  expect(text).toContain("little girl")
})
