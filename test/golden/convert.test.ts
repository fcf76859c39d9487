// One model through every format and kind: tiny-llama converted to GGUF and back is the same to the bit; rounded to
// bf16, f16, 8 and 4 bits its logits move by what is stated here (root mean square, relative to the logits').
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Backend, createBackend } from "#cria/backends/index"
import { openCheckpoint } from "#cria/formats/node"
import { convertModel, forward, loadModel } from "#cria/model/index"
import type { WeightKind } from "#cria/weights/index"

const tiny = fileURLToPath(new URL("../goldens/tiny-llama", import.meta.url))
const ids = Int32Array.from({ length: 40 }, (_, i) => (i * 97 + 13) % 512)

let folder: string
let backend: Backend
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-convert-"))
  backend = await createBackend("reference")
})
afterAll(async () => {
  await backend.dispose()
  await rm(folder, { recursive: true })
})

async function logitsOf(path: string, weights?: WeightKind): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(path)
  const model = await loadModel(checkpoint, backend, { weights })
  await checkpoint.close()
  const rows = Int32Array.from(ids.keys())
  const sequences = [{ first: 0, length: ids.length, cached: 0, pages: new Int32Array(0) }]
  return backend.read(forward(backend, model, { ids, positions: rows, sequences, outputs: rows }))
}

async function convert(from: string, to: string, weights: WeightKind | "auto" = "auto"): Promise<string> {
  const path = join(folder, to)
  const checkpoint = await openCheckpoint(from)
  try {
    await convertModel(checkpoint, { to: to.endsWith(".gguf") ? "gguf" : "safetensors", path, weights })
  } finally {
    await checkpoint.close()
  }
  return path
}

/** Root mean square of the difference over that of the expected. */
function relativeError(actual: Float32Array, expected: Float32Array): number {
  let error = 0
  let size = 0
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2
    size += expected[i] ** 2
  }
  return Math.sqrt(error / size)
}

describe("tiny-llama", () => {
  let original: Float32Array
  beforeAll(async () => {
    original = await logitsOf(tiny)
  })

  test("to GGUF and back: the same logits to the bit, and the same tensors", async () => {
    const gguf = await convert(tiny, "there.gguf")
    // GGUF holds divisors of the rotary frequencies in float32, so angles may differ in the last bit
    expect(relativeError(await logitsOf(gguf), original)).toBeLessThan(1e-6)
    const back = await convert(gguf, "back")
    expect(await logitsOf(back)).toEqual(original)
    const [first, second] = await Promise.all([openCheckpoint(tiny), openCheckpoint(back)])
    for (const [name, entry] of first.tensors.tensors) {
      const [a, b] = [new Uint8Array(entry.byteLength), new Uint8Array(entry.byteLength)]
      await first.tensors.read(name, 0, a)
      await second.tensors.read(name, 0, b)
      expect(Buffer.compare(a, b), name).toBe(0)
    }
    await Promise.all([first.close(), second.close()])
  })

  test("what its makers recommend for sampling goes along", async () => {
    const from = join(folder, "recommending")
    await cp(tiny, from, { recursive: true })
    const recommended = { temperature: 0.3, top_p: 0.95, do_sample: true }
    await writeFile(join(from, "generation_config.json"), JSON.stringify({ eos_token_id: 7, ...recommended }))
    const gguf = await convert(from, "recommending.gguf")
    const checkpoint = await openCheckpoint(gguf)
    expect(checkpoint.tensors.metadata.get("general.sampling.temp")).toBeCloseTo(0.3, 6)
    expect(checkpoint.generationConfig).toEqual(recommended)
    await checkpoint.close()
    const back = await convert(gguf, "recommending-back")
    const written: unknown = JSON.parse(await readFile(join(back, "generation_config.json"), "utf8"))
    expect(written).toMatchObject({ ...recommended, bos_token_id: 0 })
  })

  // Measured: bf16 0.0073, f16 0.00095, int8 0.040, int4 0.32, int4-min 0.27; the bounds leave half as much again.
  // Random weights are the worst case: no structure survives rounding better than the rest, unlike in trained ones.
  test.each([
    ["bf16", "safetensors", 0.011],
    ["f16", "safetensors", 0.0015],
    ["bf16", "gguf", 0.011],
    ["int8", "gguf", 0.06],
    ["int4", "gguf", 0.48],
    ["int4-min", "gguf", 0.41],
  ] as const)("as %s in %s: logits within %f", async (kind, format, bound) => {
    const path = await convert(tiny, `${kind}-${format}${format === "gguf" ? ".gguf" : ""}`, kind)
    const converted = await logitsOf(path)
    const error = relativeError(converted, original)
    expect(error).toBeGreaterThan(0)
    expect(error).toBeLessThan(bound)
    // the same rounding whether it is done at conversion or at loading
    expect(relativeError(converted, await logitsOf(tiny, kind))).toBeLessThan(1e-5)
  })

  test("safetensors for transformers cannot hold integer weights, and says what can", async () => {
    await expect(convert(tiny, "refused", "int4")).rejects.toThrow("write GGUF")
  })
})

test("stories260K keeps its words: interleaved heads from llama2.c to safetensors to GGUF", async (context) => {
  const stories = fileURLToPath(new URL("../../../shared/reference/stories260K", import.meta.url))
  const found = await openCheckpoint(stories).catch(() => undefined)
  if (!found) return context.skip("../shared/reference/stories260K is not there")
  await found.close()
  const original = await logitsOf(stories)
  const there = await convert(stories, "stories")
  const gguf = await convert(there, "stories.gguf")
  expect(await logitsOf(there)).toEqual(original)
  expect(await logitsOf(gguf)).toEqual(original)
})
