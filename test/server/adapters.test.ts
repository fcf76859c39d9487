// Adapters as models of their own: listed, chosen by name in every kind of request, and refused where they are not there.
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { InvalidOptionError, Llama } from "cria"
import { createHandler, Models } from "cria/server"
import { listen, type Listener } from "cria/server/node"
import OpenAI, { NotFoundError } from "openai"
import { afterAll, beforeAll, expect, test } from "vitest"
import { makeChatModel } from "../cli/chat-model.js"
import { makeAdapter } from "../random-adapter.js"

let root: string
let llama: Llama
let listener: Listener
let client: OpenAI

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cria-served-adapters-"))
  const model = await makeChatModel(join(root, "model"))
  const plain = await Llama.load(model, { threads: 1 })
  const adapters = {
    one: await makeAdapter(join(root, "one"), plain, model, 1),
    two: await makeAdapter(join(root, "two"), plain, model, 2),
  }
  await plain.dispose()
  llama = await Llama.load(model, { threads: 1, adapters })
  listener = await listen(createHandler({ tiny: llama }), { port: 0 })
  client = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: "any", maxRetries: 0 })
})
afterAll(async () => {
  await listener.close({ now: true })
  await llama.dispose()
  await rm(root, { recursive: true })
})

const names = ["tiny", "tiny:one", "tiny:two"]
const adapterOf = (name: string) => name.split(":")[1] ?? null
const options = { temperature: 0, maxTokens: 8 }

test("they are listed behind their model", async () => {
  const { data } = await client.models.list()
  expect(data.map(({ id }) => id)).toEqual(names)
  expect(data[1]).toMatchObject({ parent: "tiny", loaded: true })
  expect(await client.models.retrieve("tiny:two")).toMatchObject({ id: "tiny:two" })
  const metrics = await (await fetch(`${listener.url}/metrics`)).text()
  expect(metrics).toContain('cria_batch_size{model="tiny"}')
  expect(metrics).not.toContain("tiny:one")
})

test("requests that run together each have the adapter of their model's name", async () => {
  const messages = [{ role: "user" as const, content: "Hello" }]
  const chats = await Promise.all(
    names.map((model) => client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 8 })),
  )
  const texts = await Promise.all(
    names.map((name) => llama.chat(messages, { ...options, adapter: adapterOf(name) }).text()),
  )
  expect(new Set(texts).size).toBe(3)
  expect(chats.map(({ choices }) => choices[0].message.content)).toEqual(texts)
  expect(chats.map(({ model }) => model)).toEqual(names)

  const responses = await Promise.all(
    names.map((model) =>
      client.responses.create({ model, input: "Hello", temperature: 0, max_output_tokens: 8 }),
    ),
  )
  expect(responses.map(({ output_text }) => output_text)).toEqual(texts)

  const prompt = "the llama"
  for (const model of names) {
    const adapter = adapterOf(model)
    const completion = await client.completions.create({
      model,
      prompt,
      echo: true,
      logprobs: 0,
      temperature: 0,
      max_tokens: 4,
    })
    const { text, logprobs } = completion.choices[0]
    expect(text).toBe(prompt + (await llama.generate(prompt, { ...options, maxTokens: 4, adapter }).text()))
    const first = (
      await client.completions.create({ model: "tiny", prompt, echo: true, logprobs: 0, max_tokens: 0 })
    ).choices[0].logprobs!.token_logprobs![1]
    if (adapter === null) expect(logprobs!.token_logprobs![1]).toBe(first)
    else expect(logprobs!.token_logprobs![1]).not.toBe(first)
    const { data } = await client.embeddings.create({ model, input: prompt, encoding_format: "float" })
    expect(data[0].embedding).toEqual(Array.from(await llama.embed(prompt, { adapter })))
  }
})

test("what is not there, and names that say two things", async () => {
  await expect(client.embeddings.create({ model: "tiny:three", input: "x" })).rejects.toThrow(NotFoundError)
  expect(() => new Models({ tiny: llama, "tiny:one": llama })).toThrow(InvalidOptionError)
})
