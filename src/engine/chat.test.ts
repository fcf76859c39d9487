// Chats: the prompt that the model sees, and tool calls that come out as calls instead of text.
import { afterEach, expect, test } from "vitest"
import { InvalidOptionError } from "../errors/index.js"
import { withToolCalls } from "./chat-pieces.js"
import { Llama } from "./llama.js"
import type { Piece } from "./options.js"
import { tinyLink } from "./tiny-model-fixture.js"

const open: Llama[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((llama) => llama.dispose()))
})

const tools = [{ name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } }]
const tag = { text: "<|python_tag|>", id: 900 }
const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }

/** What comes out when a model says these texts. */
async function said(texts: string[], end: Partial<Piece> = { finishReason: "stop" }): Promise<Piece[]> {
  async function* pieces(): AsyncGenerator<Piece[]> {
    for (const [token, text] of texts.entries())
      yield [text === tag.text ? { text: "", token: 900, index: 0 } : { text, token, index: 0 }]
    yield [{ text: "", index: 0, usage, ...end }]
  }
  const all: Piece[] = []
  for await (const batch of withToolCalls(pieces(), tools, tag)) all.push(...batch)
  return all
}

test("plain text passes at once", async () => {
  const pieces = await said(["It ", "rains", "."])
  expect(pieces.map(({ text }) => text)).toEqual(["It ", "rains", ".", ""])
  expect(pieces.at(-1)).toMatchObject({ finishReason: "stop", usage })
  expect(pieces.at(-1)).not.toHaveProperty("toolCalls")
})

test("a call comes in parts and in the last piece, not as text; tokens keep coming", async () => {
  const pieces = await said(["[weather", "(city=", "'Rome')]"])
  expect(pieces.map(({ toolCallDeltas = [] }) => toolCallDeltas)).toEqual([
    [],
    [{ index: 0, name: "weather", arguments: "" }],
    [{ index: 0, arguments: '{"city":"Rome"}' }],
    [],
  ])
  expect(pieces.map(({ text }) => text).join("")).toBe("")
  expect(pieces.map(({ token }) => token)).toEqual([0, 1, 2, undefined])
  expect(pieces.at(-1)).toMatchObject({
    finishReason: "toolCalls",
    toolCalls: [{ name: "weather", arguments: { city: "Rome" } }],
  })
})

test("the python tag counts, though it is no text", async () => {
  const pieces = await said([tag.text, '{"name": "weather", "parameters": {"city": "Oslo"}}'])
  expect(pieces.at(-1)!.toolCalls).toMatchObject([{ name: "weather", arguments: { city: "Oslo" } }])
})

test("what was held back and is no call is shown in the end; a cut-off answer keeps its reason", async () => {
  const pieces = await said(["[weather", "(city="], { finishReason: "length" })
  expect(pieces.map(({ text }) => text).join("")).toBe("[weather(city=")
  expect(pieces.at(-1)).toMatchObject({ finishReason: "length" })
})

test("a chat is the prompt of its format, with the same answer as those tokens", async () => {
  const llama = await Llama.open(tinyLink())
  open.push(llama)
  const messages = [{ role: "user" as const, content: "hi <|eot_id|>" }]
  const options = { seed: 1, maxTokens: 5, ignoreEos: true }
  const [answer] = await llama.chat(messages, { ...options, date: "26 Jul 2024" }).result()
  const { special, encode } = {
    special: llama.tokenizer.special,
    encode: (text: string) => llama.tokenizer.encode(text),
  }
  const [bos, start, end, eot] = ["begin_of_text", "start_header_id", "end_header_id", "eot_id"].map(
    (name) => special.get(`<|${name}|>`)!,
  )
  const turn = (role: string) => [start, ...encode(role), end, ...encode("\n\n")]
  const system = encode("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n")
  const prompt = [
    bos,
    ...turn("system"),
    ...system,
    eot,
    ...turn("user"),
    ...encode("hi <|eot_id|>"),
    eot,
    ...turn("assistant"),
  ]
  expect(answer.usage.promptTokens).toBe(prompt.length)
  expect((await llama.generate(prompt, options).result())[0].tokens).toEqual(answer.tokens)
  expect(() => llama.chat(messages, { temprature: 1 } as object)).toThrow(InvalidOptionError)
  await expect(llama.chat([], options).text()).rejects.toThrow(InvalidOptionError)
})
