// Embeddings through the engine against the definition: the mean of the hidden states of one plain pass.
import { afterEach, expect, test } from "vitest"
import { ReferenceBackend } from "../backends/reference/reference.js"
import { ContextOverflowError, InvalidOptionError } from "../errors/index.js"
import { hiddenStates } from "../model/llama.js"
import { Llama } from "./llama.js"
import { bos, tinyConfig, tinyLink, tinyModel } from "./tiny-model-fixture.js"

const open: Llama[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((llama) => llama.dispose()))
})

async function tiny(options = {}): Promise<Llama> {
  const llama = await Llama.open(tinyLink(options))
  open.push(llama)
  return llama
}

const textOf = (length: number, step: number) => [
  bos,
  ...Array.from({ length: length - 1 }, (_, i) => (i * step) % 256),
]

/** m / |m|, m the mean over all tokens. */
async function expected(ids: number[]): Promise<number[]> {
  const backend = await ReferenceBackend.create()
  const rows = Int32Array.from(ids, (_, i) => i)
  const batch = {
    ids: Int32Array.from(ids),
    positions: rows,
    sequences: [{ first: 0, length: ids.length, cached: 0, pages: new Int32Array() }],
    outputs: rows,
  }
  const states = await backend.read(hiddenStates(backend, tinyModel(backend), batch))
  const { width } = tinyConfig
  const mean = Array.from({ length: width }, (_, i) => {
    let sum = 0
    for (let row = 0; row < ids.length; row++) sum += states[row * width + i]
    return sum / ids.length
  })
  const norm = Math.hypot(...mean)
  return mean.map((value) => value / norm)
}

test("an embedding is the mean of the hidden states, whatever runs beside it", async () => {
  const llama = await tiny({ cacheTokens: 512 })
  const texts = [textOf(1, 1), textOf(7, 3), textOf(200, 5), textOf(333, 7)]
  const beside = llama.generate(textOf(30, 11), { maxTokens: 40, ignoreEos: true, seed: 1 }).result()
  const scored = llama.logits(textOf(20, 13))
  const vectors = await Promise.all(texts.map((ids) => llama.embed(ids)))
  for (const [i, ids] of texts.entries()) {
    const wanted = await expected(ids)
    expect(vectors[i].length).toBe(tinyConfig.width)
    // pages keep numbers as f16
    for (const [at, value] of wanted.entries()) expect(vectors[i][at]).toBeCloseTo(value, 2)
    expect(Math.hypot(...vectors[i])).toBeCloseTo(1, 5)
  }
  const alone = await (await tiny())
    .generate(textOf(30, 11), { maxTokens: 40, ignoreEos: true, seed: 1 })
    .result()
  expect((await beside)[0].tokens).toEqual(alone[0].tokens)
  expect(await scored).toEqual(await (await tiny()).logits(textOf(20, 13)))
  expect((await llama.stats()).running).toBe(0)
})

test("the same text gives the same vector, bit for bit, and a string is read after one start token", async () => {
  const llama = await tiny()
  const [first, second] = [await llama.embed("the llama"), await llama.embed("the llama")]
  expect(second).toEqual(first)
  expect(await llama.embed([bos, ...llama.tokenizer.encode("the llama")])).toEqual(first)
  expect(await llama.embed("the lama")).not.toEqual(first)
})

test("texts that cannot be embedded are refused, an aborted one ends", async () => {
  const llama = await tiny({ contextLength: 64 })
  await expect(llama.embed([])).rejects.toThrow(InvalidOptionError)
  await expect(llama.embed([99_999])).rejects.toThrow(InvalidOptionError)
  await expect(llama.embed(textOf(65, 1))).rejects.toThrow(ContextOverflowError)
  const controller = new AbortController()
  const reason = new Error("enough")
  const aborted = llama.embed(textOf(60, 1), { signal: controller.signal })
  controller.abort(reason)
  await expect(aborted).rejects.toBe(reason)
  expect((await llama.embed(textOf(60, 1))).length).toBe(tinyConfig.width)
})
