// Tokens a second of whole training steps (forward, back, AdamW) of new models in float32, random tokens, full
// sequences: median and best of some steps after one to warm up. bench/peers/pytorch-training.py measures the same
// models in PyTorch; run both in turn and compare within one session.
//
//   npm run build && npx tsx bench/training.ts [3.9M 12.1M 26.7M] [--backend native] [--threads 2] [--steps 5] [--json]
import { parseArgs } from "node:util"
import { type BackendName, createBackend } from "#cria/backends/index"
import type { ModelConfig } from "#cria/model/config"
import { tensorForms, trainWhole } from "#cria/train/trainable"
import { normal } from "#cria/train/initialize"
import { nextToken } from "#cria/train/methods/next-token"
import { countParameters, type TrainingBackend } from "#cria/train/parameters"
import type { Batches, PackedBatch } from "#cria/train/packing"
import { Trainer } from "#cria/train/trainer"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backend: { type: "string", default: "native" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    recompute: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
})

interface Size {
  readonly sequences: number
  readonly tokens: number
  readonly form: Pick<
    ModelConfig,
    "vocabularySize" | "width" | "layers" | "queryHeads" | "kvHeads" | "headWidth" | "feedForwardWidth"
  >
}

const sizes: Record<string, Size> = {
  "3.9M": {
    sequences: 16,
    tokens: 256,
    form: {
      vocabularySize: 8192,
      width: 192,
      layers: 6,
      queryHeads: 6,
      kvHeads: 2,
      headWidth: 32,
      feedForwardWidth: 512,
    },
  },
  "12.1M": {
    sequences: 8,
    tokens: 512,
    form: {
      vocabularySize: 16384,
      width: 256,
      layers: 8,
      queryHeads: 4,
      kvHeads: 2,
      headWidth: 64,
      feedForwardWidth: 1024,
    },
  },
  "26.7M": {
    sequences: 8,
    tokens: 256,
    form: {
      vocabularySize: 8192,
      width: 512,
      layers: 8,
      queryHeads: 8,
      kvHeads: 2,
      headWidth: 64,
      feedForwardWidth: 1408,
    },
  },
}

const configOf = (form: Size["form"]): ModelConfig => ({
  ...form,
  normEpsilon: 1e-5,
  contextLength: 2048,
  tiedEmbeddings: true,
  ropeTheta: 10000,
  ropeScaling: undefined,
  bos: undefined,
  stopTokens: [],
})

function randomBatch({ sequences, tokens, form }: Size): PackedBatch {
  const rows = sequences * tokens
  const id = () => Math.floor(Math.random() * form.vocabularySize)
  return {
    ids: Int32Array.from({ length: rows }, id),
    positions: Int32Array.from({ length: rows }, (_, row) => row % tokens),
    sequences: Array.from({ length: sequences }, (_, i) => ({
      first: i * tokens,
      length: tokens,
      cached: 0,
      pages: new Int32Array(0),
    })),
    outputs: Int32Array.from({ length: rows }, (_, row) => row),
    targets: Int32Array.from({ length: rows }, id),
    segments: [],
  }
}

async function measure(size: Size, steps: number) {
  const backend = (await createBackend(values.backend as BackendName, {
    threads: Number(values.threads),
  })) as TrainingBackend
  const config = configOf(size.form)
  const numbers = new Map(tensorForms(config).map(({ name }, i) => [name, i]))
  const trainable = trainWhole(backend, config, ({ name, shape }) => ({
    value:
      shape.length === 1 ? new Float32Array(shape[0]).fill(1) : normal(shape, 0.02, 1, numbers.get(name)!),
  }))
  const batch = randomBatch(size)
  const trainer = new Trainer({
    backend,
    trainable,
    method: nextToken(new Int32Array(size.form.vocabularySize).fill(1)),
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, decayEmbeddings: false, clip: 1 },
    learningRate: 3e-4,
    schedule: { steps: steps + 1, warmup: 0, shape: "constant", floor: 1, decay: 0, anneal: 0 },
    accumulate: 1,
    batchesAt: () => ({ next: async () => batch }) as unknown as Batches,
    recompute: values.recompute,
  })
  const speeds: number[] = []
  for (let step = 0; step <= steps; step++) {
    const { seconds } = await trainer.advance()
    if (step > 0) speeds.push(batch.ids.length / seconds)
  }
  const result = {
    parameters: countParameters(trainable.parameters),
    median: speeds.toSorted((a, b) => a - b)[Math.floor(speeds.length / 2)],
    best: Math.max(...speeds),
    residentBytes: process.memoryUsage().rss,
    backend: backend.description,
  }
  await backend.dispose()
  return result
}

for (const name of positionals.length > 0 ? positionals : Object.keys(sizes)) {
  const { parameters, median, best, residentBytes, backend } = await measure(
    sizes[name],
    Number(values.steps),
  )
  if (values.json) console.log(JSON.stringify({ name, parameters, median, best, residentBytes, backend }))
  else
    console.log(
      `${name}: ${Math.round(median)} tokens/s (best ${Math.round(best)}), ${Math.ceil(residentBytes / 2 ** 20)} MiB; ${backend}`,
    )
}
