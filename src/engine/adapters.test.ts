// Requests with adapters of their own: each reads as if it were alone, whatever shares its steps and the cache.
import { afterEach, expect, test } from "vitest"
import { InvalidOptionError } from "../errors/index.js"
import type { GenerateOptions } from "./options.js"
import { Llama } from "./llama.js"
import { tinyLink, type TinyOptions } from "./tiny-model-fixture.js"

const open: Llama[] = []
afterEach(async () => {
  for (const llama of open.splice(0)) await llama.dispose()
})

async function load(options: TinyOptions = {}): Promise<Llama> {
  const llama = await Llama.open(tinyLink({ adapters: ["one", "two"], ...options }))
  open.push(llama)
  return llama
}

const prompt = "the theatre in the a thin the in there"
const choices = ["one", null, "two", "one", null] as const

async function answer(llama: Llama, adapter: GenerateOptions["adapter"]): Promise<number[]> {
  const tokens: number[] = []
  for await (const { token } of llama.generate(prompt, { adapter, maxTokens: 20, seed: 7, ignoreEos: true }))
    if (token !== undefined) tokens.push(token)
  return tokens
}

test("requests that share their steps answer as each would alone", async () => {
  const alone = new Map<string | null, number[]>()
  for (const choice of new Set(choices)) alone.set(choice, await answer(await load(), choice))
  expect(new Set([...alone.values()].map((tokens) => tokens.join())).size).toBe(3)
  const llama = await load()
  const together = await Promise.all(choices.map((choice) => answer(llama, choice)))
  choices.forEach((choice, i) => expect(together[i]).toEqual(alone.get(choice)))
})

test("the cache's prefixes are shared within an adapter, never across", async () => {
  const llama = await load()
  const cachedOf = async (adapter: string | null) => {
    let cached = 0
    for await (const { usage } of llama.generate(prompt, { adapter, maxTokens: 1 }))
      cached = usage?.cachedTokens ?? cached
    return cached
  }
  expect(await cachedOf("one")).toBe(0)
  expect(await cachedOf("two")).toBe(0)
  expect(await cachedOf(null)).toBe(0)
  const found = await cachedOf("one")
  expect(found).toBeGreaterThan(0)
  expect(await cachedOf("two")).toBe(found)
})

test("a request has the load's adapter unless it says otherwise", async () => {
  const llama = await load({ adapter: "two" })
  expect(await answer(llama, undefined)).toEqual(await answer(llama, "two"))
  expect(await answer(llama, null)).not.toEqual(await answer(llama, "two"))
  const ids = llama.tokenizer.encode(prompt)
  expect(await llama.logits(ids)).toEqual(await llama.logits(ids, { adapter: "two" }))
  expect(await llama.logits(ids)).not.toEqual(await llama.logits(ids, { adapter: null }))
  expect(await llama.embed(ids)).not.toEqual(await llama.embed(ids, { adapter: "one" }))
})

test("an adapter that was not loaded is refused by its name", async () => {
  const llama = await load()
  await expect(answer(llama, "three")).rejects.toThrow(
    new InvalidOptionError('no adapter "three" was loaded with the model, only "one", "two"'),
  )
  await expect(llama.logits([1, 2], { adapter: "" })).rejects.toThrow('no adapter ""')
})
