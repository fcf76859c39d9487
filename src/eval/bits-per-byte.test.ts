import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Backend, createBackend } from "../backends/index.js"
import { openCheckpoint } from "../formats/node.js"
import { loadModel } from "../model/checkpoint.js"
import { forward, type Model } from "../model/llama.js"
import { type Tokenizer, VocabularyTrainer } from "../tokenizer/index.js"
import { scoreText } from "./bits-per-byte.js"

const tiny = fileURLToPath(new URL("../../test/goldens/tiny-llama", import.meta.url))
const text = "Die Lamas gehen über die Berge, über die Berge gehen sie. 🦙 Und wieder zurück!"
let backend: Backend
let model: Model
let tokenizer: Tokenizer
beforeAll(async () => {
  backend = await createBackend("reference")
  const checkpoint = await openCheckpoint(tiny)
  model = await loadModel(checkpoint, backend)
  await checkpoint.close()
  const trainer = new VocabularyTrainer({ size: 300 })
  trainer.add(text.repeat(3))
  tokenizer = await trainer.train()
})
afterAll(() => backend.dispose())

/** Bits of ids[from...] in a window of its own, worked out from the logits. */
async function bitsOf(ids: readonly number[], from: number): Promise<number> {
  const all = Int32Array.from(ids, (_, t) => t)
  const sequences = [{ first: 0, length: ids.length, cached: 0, pages: new Int32Array(0) }]
  const batch = { ids: Int32Array.from(ids), positions: all, sequences, outputs: all }
  const logits = await backend.read(forward(backend, model, batch))
  let bits = 0
  for (let t = from; t < ids.length; t++) {
    const row = logits.subarray((t - 1) * 512, t * 512)
    const most = row.reduce((a, b) => Math.max(a, b))
    const sum = row.reduce((total, logit) => total + Math.exp(logit - most), 0)
    bits -= (row[ids[t]] - most - Math.log(sum)) / Math.LN2
  }
  return bits
}

test("a text within a window: the sum over all tokens but the first", async () => {
  const score = await scoreText(backend, model, tokenizer, text)
  const ids = tokenizer.encode(text, { bos: true })
  expect(score).toMatchObject({ texts: 1, bytes: Buffer.byteLength(text), tokens: ids.length - 1 })
  expect(score.bits).toBeCloseTo(await bitsOf(ids, 1), 3)
})

test("a longer text: windows that overlap by half, every token once", async () => {
  const ids = tokenizer.encode(text, { bos: true })
  const window = 16
  let expected = await bitsOf(ids.slice(0, 16), 1)
  for (let start = 8; start + 8 < ids.length; start += 8)
    expected += await bitsOf(ids.slice(start, start + 16), 8)
  const score = await scoreText(backend, model, tokenizer, text, { window })
  expect(score.bits).toBeCloseTo(expected, 3)
  expect(score.tokens).toBe(ids.length - 1)
})

test("nothing has no bits, and a signal stops", async () => {
  expect(await scoreText(backend, model, tokenizer, "")).toEqual({ texts: 1, bytes: 0, tokens: 0, bits: 0 })
  const signal = AbortSignal.abort(new Error("enough"))
  await expect(scoreText(backend, model, tokenizer, text, { signal })).rejects.toThrow("enough")
})
