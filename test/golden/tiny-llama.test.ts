// The model against Hugging Face transformers: a random model of the exact architecture (test/goldens/tiny-llama),
// float32 throughout. Its logits reach 15 in size.
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createBackend, type Backend } from "#cria/backends/index"
import { openCheckpoint } from "#cria/formats/node"
import type { Checkpoint } from "#cria/formats/index"
import { decode } from "#cria/weights/index"
import { forward, inverseFrequencies, KvCache, layoutOf, loadModel, type Model } from "#cria/model/index"
import { openSafetensors } from "#cria/formats/safetensors"
import { fileSource } from "#cria/formats/file-source"
import type { TensorFile } from "#cria/formats/tensor-file"
import { backendCases, tellAbsence } from "../contract/backend-cases.js"
import { closeTo } from "../contract/random.js"

const folder = fileURLToPath(new URL("../goldens/tiny-llama", import.meta.url))
const noPages = new Int32Array(0)

let golden: TensorFile
let checkpoint: Checkpoint
beforeAll(async () => {
  golden = await openSafetensors(await fileSource(`${folder}/golden.safetensors`))
  checkpoint = await openCheckpoint(folder)
})
afterAll(async () => {
  await golden.close()
  await checkpoint.close()
})

async function floats(name: string): Promise<Float32Array> {
  const entry = golden.tensors.get(name)!
  const bytes = new Uint8Array(entry.byteLength)
  await golden.read(name, 0, bytes)
  const values = new Float32Array(bytes.length / 4)
  decode("f32", bytes, values)
  return values
}

async function ids(name: string): Promise<Int32Array> {
  const entry = golden.tensors.get(name)!
  const bytes = new Uint8Array(entry.byteLength)
  await golden.read(name, 0, bytes)
  return new Int32Array(bytes.buffer, 0, bytes.length / 4)
}

const range = (count: number, from = 0) => Int32Array.from({ length: count }, (_, i) => from + i)

test("inverse frequencies", async () => {
  const { config } = await layoutOf(checkpoint)
  const expected = await floats("rope.inv_freq")
  const actual = inverseFrequencies(config)
  actual.forEach((frequency, i) => expect(Math.abs(frequency / expected[i] - 1)).toBeLessThan(1.2e-7))
})

tellAbsence()
describe.each(backendCases)("$name with $threads threads", ({ name, threads }) => {
  let backend: Backend
  let model: Model
  beforeAll(async () => {
    backend = await createBackend(name, { threads })
    model = await loadModel(checkpoint, backend)
  })
  afterAll(() => backend.dispose())

  /** Logits of all tokens of one text, without a cache. */
  async function logits(tokens: Int32Array, firstPosition = 0) {
    const scope = backend.scope()
    const out = forward(backend, model, {
      ids: tokens,
      positions: range(tokens.length, firstPosition),
      sequences: [{ first: 0, length: tokens.length, cached: 0, pages: noPages }],
      outputs: range(tokens.length),
    })
    const values = await backend.read(out)
    scope.end()
    return values
  }

  const cacheOf = (capacity = 64) =>
    new KvCache(
      backend.createPages({
        layers: model.config.layers,
        kvHeads: model.config.kvHeads,
        headWidth: model.config.headWidth,
        pageTokens: 16,
        capacity,
        dtype: "f32",
      }),
    )

  test("logits of the prompt", async () => {
    closeTo(await logits(await ids("prompt.ids")), await floats("prompt.logits"), 2e-4 / 15)
  })

  test("hidden states of every layer", async () => {
    const tokens = await ids("prompt.ids")
    const scope = backend.scope()
    const seen: ReturnType<Backend["tensor"]>[] = []
    const out = forward(
      backend,
      model,
      {
        ids: tokens,
        positions: range(tokens.length),
        sequences: [{ first: 0, length: tokens.length, cached: 0, pages: noPages }],
        outputs: Int32Array.of(0),
      },
      undefined,
      (block, x) => {
        if (seen.length === 0) seen.push(x)
        const y = block(x)
        seen.push(y)
        return y
      },
    )
    await backend.read(out)
    expect(seen.length).toBe(4)
    // transformers reports the last hidden state after the final norm
    const last = backend.rmsNorm(seen[3], model.norm, model.config.normEpsilon)
    for (const [layer, x] of [...seen.slice(0, 3), last].entries()) {
      closeTo(await backend.read(x), await floats(`prompt.hidden.${layer}`), 5e-6)
    }
    scope.end()
  })

  test.each([8000, 32000, 100000])(
    "logits at position %i, where only the rotary scaling differs",
    async (position) => {
      const expected = await floats(`far.${position}.logits`)
      const tokens = (await ids("prompt.ids")).slice(0, 24)
      closeTo(await logits(tokens, position), expected, 2e-4 / 15)
    },
  )

  test("64 greedy tokens through the paged cache", async () => {
    const prompt = await ids("prompt.ids")
    const expected = await ids("greedy.ids")
    const start = expected.length - 64
    const cache = cacheOf()
    const tokens = [...expected.subarray(0, start)]
    expect(tokens).toEqual([...prompt.subarray(0, start)])
    const sequence = cache.open(tokens)
    for (let step = 0; step < 64; step++) {
      const fresh = tokens.slice(sequence.length)
      expect(sequence.reserve(fresh.length)).toBe(true)
      const scope = backend.scope()
      const out = forward(
        backend,
        model,
        {
          ids: Int32Array.from(fresh),
          positions: range(fresh.length, sequence.length),
          sequences: [{ first: 0, length: fresh.length, cached: sequence.length, pages: sequence.pages }],
          outputs: Int32Array.of(fresh.length - 1),
        },
        cache.store,
      )
      const values = await backend.read(out)
      scope.end()
      sequence.commit(fresh)
      tokens.push(values.indexOf(values.reduce((a, b) => Math.max(a, b))))
    }
    expect(tokens).toEqual([...expected])
  })

  test("two sequences in one batch equal each alone, bit for bit", async () => {
    const [a, b] = [await ids("prompt.ids"), await ids("batch.b.ids")]
    const scope = backend.scope()
    const out = forward(backend, model, {
      ids: Int32Array.of(...a, ...b),
      positions: Int32Array.of(...range(a.length), ...range(b.length)),
      sequences: [
        { first: 0, length: a.length, cached: 0, pages: noPages },
        { first: a.length, length: b.length, cached: 0, pages: noPages },
      ],
      outputs: range(a.length + b.length),
    })
    const together = await backend.read(out)
    scope.end()
    const V = model.config.vocabularySize
    expect(together.slice(0, a.length * V)).toEqual(await logits(a))
    expect(together.slice(a.length * V)).toEqual(await logits(b))
    closeTo(together.slice(a.length * V), await floats("batch.b.logits"), 2e-4 / 15)
  })
})
