// Adapters from PEFT's files to answers: loaded beside a model, chosen by request, in a worker and by the command line.
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { InvalidFileError, InvalidOptionError, Llama } from "cria"
import { afterAll, beforeAll, expect, test } from "vitest"
import { makeChatModel } from "./cli/chat-model.js"
import { cria } from "./cli/run.js"
import { makeAdapter } from "./random-adapter.js"

let root: string
let model: string
const adapters: Record<string, string> = {}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cria-adapters-"))
  model = await makeChatModel(join(root, "model"))
  const llama = await Llama.load(model, { threads: 1 })
  for (const [seed, name] of ["one", "two"].entries())
    adapters[name] = await makeAdapter(join(root, name), llama, model, seed)
  await llama.dispose()
})
afterAll(() => rm(root, { recursive: true, force: true }))

const options = { temperature: 0, maxTokens: 8, ignoreEos: true }
const textOf = async (llama: Llama, adapter?: string | null) =>
  (await llama.generate("The llama", { ...options, adapter }).result())[0].text

test("requests choose among the adapters that were loaded; the command line takes one", async () => {
  const llama = await Llama.load(model, { threads: 2, adapters, adapter: "two" })
  expect(llama.info.adapters).toEqual(["one", "two"])
  const texts = await Promise.all(["one", "two", null, undefined].map((choice) => textOf(llama, choice)))
  expect(new Set(texts.slice(0, 3)).size).toBe(3)
  expect(texts[3]).toBe(texts[1])
  await llama.dispose()

  const single = await Llama.load(model, { threads: 1 })
  expect(await textOf(single)).toBe(texts[2])
  await single.dispose()

  const args = ["generate", "-m", model, "The llama", "--temperature", "0", "--max-tokens", "8"]
  const { out } = await cria([...args, "--adapter", adapters["one"]])
  expect(out.trimEnd()).toBe(texts[0].trimEnd())
})

test("what is wrong with an adapter is told when loading", async () => {
  await expect(Llama.load(model, { adapter: "one" })).rejects.toThrow(InvalidOptionError)
  await expect(Llama.load(model, { adapters: { one: model } })).rejects.toThrow(InvalidFileError)
  await expect(Llama.load(model, { adapters: { one: join(root, "nowhere") } })).rejects.toThrow("nowhere")
  const { code, err } = await cria(["generate", "-m", model, "Hello", "--adapter", model])
  expect(code).toBe(1)
  expect(err).toContain("holds no adapter")
})
