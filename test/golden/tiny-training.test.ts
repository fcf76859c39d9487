// Training held against transformers and torch: loss and every gradient of one batch, then ten steps of AdamW.
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { recording } from "#cria/autograd/index"
import { createBackend, type Backend } from "#cria/backends/index"
import { fileSource } from "#cria/formats/file-source"
import { openSafetensors, type Checkpoint } from "#cria/formats/index"
import { openCheckpoint } from "#cria/formats/node"
import type { TensorFile } from "#cria/formats/tensor-file"
import { layoutOf, type Layout } from "#cria/model/checkpoint"
import { inverseFrequencies } from "#cria/model/index"
import { forward, type Model } from "#cria/model/llama"
import { blockName, type BlockTensor, topName } from "#cria/model/names"
import type { WeightOps } from "#cria/ops/gradients"
import { elements, type Tensor } from "#cria/tensor/tensor"
import { decode } from "#cria/weights/index"
import { backendCases, tellAbsence } from "../contract/backend-cases.js"

tellAbsence()

const folder = fileURLToPath(new URL("../goldens/tiny-llama", import.meta.url))
const noPages = new Int32Array(0)

let golden: TensorFile
let checkpoint: Checkpoint
let layout: Layout
let steps: {
  "train.loss": number
  "grad.norm": number
  adamw: {
    lr: number
    betas: number[]
    eps: number
    weight_decay: number
    clip_grad_norm: number
    losses: number[]
    grad_norms: number[]
  }
}
beforeAll(async () => {
  golden = await openSafetensors(await fileSource(`${folder}/golden.safetensors`))
  checkpoint = await openCheckpoint(folder)
  layout = await layoutOf(checkpoint)
  steps = JSON.parse(await readFile(`${folder}/golden.json`, "utf8"))
})
afterAll(async () => {
  await golden.close()
  await checkpoint.close()
})

async function bytesOf(file: TensorFile, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.tensors.get(name)!.byteLength)
  await file.read(name, 0, bytes)
  return bytes
}

async function floats(file: TensorFile, name: string): Promise<Float32Array> {
  const bytes = await bytesOf(file, name)
  const values = new Float32Array(bytes.length / 4)
  decode("f32", bytes, values)
  return values
}

const ids = async (name: string) => new Int32Array((await bytesOf(golden, name)).buffer)

interface Parameter {
  readonly value: Tensor
  readonly gradient: Tensor
  readonly m: Tensor
  readonly v: Tensor
}

/** Every tensor of the model as a parameter, by its name in transformers. */
async function parametersOf(backend: Backend): Promise<Map<string, Parameter>> {
  const parameters = new Map<string, Parameter>()
  for (const [name, { shape }] of checkpoint.tensors.tensors) {
    const zeros = new Float32Array(elements(shape))
    parameters.set(name, {
      value: backend.tensor(await floats(checkpoint.tensors, name), shape),
      gradient: backend.tensor(zeros, shape),
      m: backend.tensor(zeros, shape),
      v: backend.tensor(zeros, shape),
    })
  }
  return parameters
}

function modelOf(ops: WeightOps, parameters: Map<string, Parameter>): Model {
  const { config } = layout
  const value = (name: string) => parameters.get(name)!.value
  const embedding = ops.weight(value(topName("huggingface", "embedding")))
  const blocks = Array.from({ length: config.layers }, (_, layer) => {
    const of = (tensor: BlockTensor) => value(blockName("huggingface", tensor, layer))
    return {
      attentionNorm: of("attentionNorm"),
      attention: {
        query: ops.weight(of("query")),
        key: ops.weight(of("key")),
        value: ops.weight(of("value")),
        output: ops.weight(of("attentionOutput")),
      },
      feedForwardNorm: of("feedForwardNorm"),
      feedForward: {
        gate: ops.weight(of("gate")),
        up: ops.weight(of("up")),
        down: ops.weight(of("down")),
      },
    }
  })
  return {
    config,
    frequencies: inverseFrequencies(config),
    embedding,
    blocks,
    norm: value(topName("huggingface", "norm")),
    output: embedding,
  }
}

describe.each(backendCases)("$name with $threads threads", ({ name, threads }) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await createBackend(name, { threads })
  })
  afterAll(() => backend.dispose())

  /** Adds the gradients of the golden batch to the parameters'; returns the loss. */
  async function learn(parameters: Map<string, Parameter>, checkpointed = false): Promise<number> {
    const tokens = await ids("train.ids")
    const labels = await ids("train.labels")
    const [texts, length] = golden.tensors.get("train.ids")!.shape
    // A token's logits are held against the label of the next one; -100 is no label.
    const rows = [...tokens.keys()].filter((row) => (row + 1) % length !== 0 && labels[row + 1] >= 0)
    const scope = backend.scope()
    const tape = recording(
      backend,
      new Map([...parameters.values()].map(({ value, gradient }) => [value, gradient])),
    )
    const batch = {
      ids: tokens,
      positions: tokens.map((_, row) => row % length),
      sequences: Array.from({ length: texts }, (_, text) => {
        return { first: text * length, length, cached: 0, pages: noPages }
      }),
      outputs: Int32Array.from(rows),
    }
    const run = checkpointed ? tape.checkpoint : undefined
    const logits = forward(tape, modelOf(tape, parameters), batch, undefined, run)
    const targets = Int32Array.from(rows, (row) => labels[row + 1])
    const logProbabilities = backend.logProbabilities(logits, targets)
    const each = backend.tensor(new Float32Array(rows.length).fill(-1 / rows.length), [rows.length])
    tape.backward([[logits, backend.logProbabilitiesGradient(each, logits, targets)]])
    const values = await backend.read(logProbabilities)
    scope.end()
    return -values.reduce((a, b) => a + b, 0) / rows.length
  }

  test("loss and every gradient of a batch", async () => {
    const parameters = await parametersOf(backend)
    expect(Math.abs((await learn(parameters)) - steps["train.loss"])).toBeLessThan(1e-5)
    for (const [name, { gradient }] of parameters) {
      const expected = await floats(golden, `grad.${name}`)
      const actual = await backend.read(gradient)
      const norm = Math.hypot(...expected)
      const error = Math.hypot(...actual.map((value, i) => value - expected[i]))
      expect(error / norm, name).toBeLessThan(1e-4)
    }
  })

  test("blocks that are run again give the same gradients, bit for bit", async () => {
    const [plain, checkpointed] = [await parametersOf(backend), await parametersOf(backend)]
    expect(await learn(checkpointed, true)).toBe(await learn(plain))
    for (const [name, { gradient }] of plain) {
      const [expected, actual] = [
        await backend.read(gradient),
        await backend.read(checkpointed.get(name)!.gradient),
      ]
      expect(
        actual.every((value, i) => value === expected[i]),
        name,
      ).toBe(true)
    }
  })

  // The reference is slow, and what comes after is the same again.
  const count = name === "reference" ? 3 : 10
  test(`${count} steps of AdamW`, async () => {
    const { adamw } = steps
    const parameters = await parametersOf(backend)
    for (const [i, expected] of adamw.losses.slice(0, count).entries()) {
      expect(Math.abs((await learn(parameters)) / expected - 1), `loss ${i}`).toBeLessThan(1e-4)
      const scope = backend.scope()
      const squares = [...parameters.values()].map(({ gradient }) => backend.squaredNorm(gradient))
      let total = 0
      for (const square of squares) total += (await backend.read(square))[0]
      const norm = Math.sqrt(total)
      expect(Math.abs(norm / adamw.grad_norms[i] - 1), `norm ${i}`).toBeLessThan(1e-4)
      for (const { value, gradient, m, v } of parameters.values()) {
        backend.adamW(value, gradient, m, v, {
          learningRate: adamw.lr,
          beta1: adamw.betas[0],
          beta2: adamw.betas[1],
          epsilon: adamw.eps,
          weightDecay: adamw.weight_decay,
          step: i + 1,
          gradientScale: Math.min(1, adamw.clip_grad_norm / (norm + 1e-6)),
        })
        backend.fill(gradient, 0)
      }
      scope.end()
    }
  })
})
