// The trainer as a library: usable without files, and bundled for pages without anything of Node.
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { expect, test } from "vitest"
import { createBackend } from "../backends/index.js"
import { tinyConfig, tinyTokenizer } from "../engine/tiny-model-fixture.js"
import {
  Batches,
  Mixture,
  newModelValues,
  nextToken,
  recordsInMemory,
  tokenBytes,
  Trainer,
  trainWhole,
} from "./index.js"
import { sentence } from "./run-fixture.js"

test("a model is trained from texts in memory", async () => {
  const tokenizer = tinyTokenizer()
  const backend = await createBackend("reference")
  const config = { ...tinyConfig, width: 16, layers: 1, queryHeads: 2, kvHeads: 1, feedForwardWidth: 32 }
  const values = newModelValues(config, 0.02, 1)
  const records = Array.from({ length: 100 }, (_, i) => {
    const ids = Int32Array.from(tokenizer.encode(sentence(i), { bos: true }))
    return [{ ids, loss: new Uint8Array(ids.length).fill(1) }]
  })
  const mixture = new Mixture([{ name: "sentences", store: recordsInMemory(records) }], 1)
  const batches = new Batches(mixture, { rows: 128, context: 64, divides: true })
  const trainer = new Trainer({
    backend,
    trainable: trainWhole(backend, config, ({ name }) => ({ value: values.get(name)! })),
    method: nextToken(tokenBytes(tokenizer)),
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, decayEmbeddings: false, clip: 1 },
    learningRate: 0.01,
    schedule: { steps: 10, warmup: 1, shape: "cosine", floor: 0.1, decay: 0.2, anneal: 0 },
    accumulate: 1,
    batchesAt: () => batches,
    recompute: false,
  })
  const losses: number[] = []
  for (let i = 0; i < 10; i++) losses.push((await trainer.advance()).loss)
  expect(losses.at(-1)!).toBeLessThan(losses[0] - 0.5)
  await backend.dispose()
})

test("the library holds nothing of Node", async () => {
  const entry = fileURLToPath(new URL("index.ts", import.meta.url))
  const { metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    metafile: true,
    external: ["node:*"],
    logLevel: "silent",
  })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  expect(imports.filter((path) => path.startsWith("node:"))).toEqual([])
})
