// Every method against finite differences of its own loss, and whether it improves what it is for.
import { afterAll, describe, expect, test } from "vitest"
import { recording } from "../../autograd/index.js"
import { ReferenceBackend } from "../../backends/reference/reference.js"
import { tinyConfig } from "../../engine/tiny-model-fixture.js"
import { Mixture, recordsInMemory, type TokenRecord } from "../../data/index.js"
import { forward } from "../../model/llama.js"
import { newModelValues } from "../model-values.js"
import { normal } from "../initialize.js"
import { Batches, type PackedBatch } from "../packing.js"
import { Trainer } from "../trainer.js"
import { headForm, type Trainable, trainWhole } from "../trainable.js"
import { distill } from "./distill.js"
import { readLogits, restOf, reverseDivergence, topTokens } from "./distributions.js"
import type { Method } from "./method.js"
import { nextToken } from "./next-token.js"
import { preference } from "./preference.js"
import { reward } from "./reward.js"
import { targetLogProbabilities } from "./target-log-probabilities.js"

const config = { ...tinyConfig, width: 16, layers: 1, queryHeads: 2, kvHeads: 1, feedForwardWidth: 24 }
const bytesOf = new Int32Array(config.vocabularySize).fill(1)
const backends: ReferenceBackend[] = []
afterAll(() => Promise.all(backends.map((backend) => backend.dispose())))

async function setup(seed: number, deviation = 0.3) {
  const backend = await ReferenceBackend.create()
  backends.push(backend)
  const values = newModelValues(config, deviation, seed)
  const head = normal([1, config.width], 0.5, seed, 99)
  const trainable = trainWhole(backend, config, ({ name }) => ({ value: values.get(name) ?? head }), true)
  return { backend, trainable, values }
}

/** n records of `sequences` sequences whose answers start with the numbers given. */
const records = (n: number, sequences: readonly number[]): TokenRecord[] =>
  Array.from({ length: n }, (_, i) =>
    sequences.map((first) => ({
      ids: Int32Array.from([260, 10 + (i % 7), 20, first, first + (i % 3), 264]),
      loss: Uint8Array.of(0, 0, 0, 1, 1, 1),
    })),
  )

const batchesOf = (list: readonly TokenRecord[], withLast = false) =>
  new Batches(new Mixture([{ name: "a", store: recordsInMemory(list) }], 3), {
    rows: 48,
    context: 32,
    divides: false,
    withLast,
  })

/** Compares the gradient of some entries of parameters with central differences of the loss. */
async function checkGradients(
  method: Method,
  trainable: Trainable,
  backend: ReferenceBackend,
  batch: PackedBatch,
) {
  const lossNow = async () => {
    const { model, ops, head } = trainable.bind(backend)
    return (await method.loss({ backend, ops, scoring: backend, model, head, training: true }, batch)).sum
  }
  const tape = recording(
    backend,
    new Map(trainable.parameters.map(({ value, gradient }) => [value, gradient])),
  )
  const { model, ops, head } = trainable.bind(tape)
  const loss = await method.loss({ backend, ops, scoring: tape, model, head, training: true }, batch)
  tape.backward(loss.seeds)
  let checked = 0
  for (const { name, value, gradient, shape } of trainable.parameters) {
    const size = shape.reduce((a, b) => a * b, 1)
    const gradients = await backend.read(gradient)
    const largest = gradients.reduce((best, g, i) => (Math.abs(g) > Math.abs(gradients[best]) ? i : best), 0)
    if (Math.abs(gradients[largest]) < 1e-3) continue
    const step = 2e-3
    const moved = async (by: number) => {
      const delta = new Float32Array(size)
      delta[largest] = by
      backend.accumulate(value, backend.tensor(delta, shape), 1)
      return lossNow()
    }
    const up = await moved(step)
    const down = await moved(-2 * step)
    await moved(step)
    const expected = (up - down) / (2 * step)
    expect(Math.abs(gradients[largest] - expected), name).toBeLessThan(2e-2 * Math.abs(expected) + 2e-3)
    checked++
  }
  expect(checked).toBeGreaterThan(5)
}

async function train(
  method: Method,
  seed: number,
  list: readonly TokenRecord[],
  withLast = false,
  steps = 25,
) {
  const { backend, trainable } = await setup(seed, 0.1)
  const batches = batchesOf(list, withLast)
  const trainer = new Trainer({
    backend,
    trainable,
    method,
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, decayEmbeddings: false, clip: 1 },
    learningRate: 0.01,
    schedule: { steps, warmup: 1, shape: "constant", floor: 1, decay: 1, anneal: 0 },
    accumulate: 1,
    batchesAt: () => batches,
    recompute: false,
  })
  const first = await trainer.measure([await batchesOf(list, withLast).next()])
  for (let i = 0; i < steps; i++) await trainer.advance()
  const last = await trainer.measure([await batchesOf(list, withLast).next()])
  return { first, last, trainable, backend }
}

describe("next token", () => {
  test("has the gradient of its loss", async () => {
    const { backend, trainable } = await setup(1)
    await checkGradients(nextToken(bytesOf), trainable, backend, await batchesOf(records(6, [40])).next())
  })

  test("learns what it is shown", async () => {
    const { first, last } = await train(nextToken(bytesOf), 2, records(20, [40]))
    expect(last.loss).toBeLessThan(first.loss / 3)
  })
})

describe("distillation", () => {
  const make = async (options: Partial<Parameters<typeof distill>[0]>) => {
    const { backend, trainable } = await setup(5)
    const teacherValues = await setup(6)
    const model = trainWhole(backend, config, ({ name }) => ({
      value: teacherValues.values.get(name)!,
    })).bind(backend).model
    const method = distill({
      hard: 0.3,
      divergence: "forward",
      temperature: 1,
      topK: config.vocabularySize,
      teacher: (batch) => forward(backend, model, batch),
      bytesOf,
      ...options,
    })
    return { backend, trainable, method }
  }

  test.each([
    ["forward, all tokens", {}],
    ["forward, the 10 likeliest, warm", { topK: 10, temperature: 2 }],
    ["reverse", { divergence: "reverse" as const }],
    ["reverse, warm, soft alone", { divergence: "reverse" as const, temperature: 2, hard: 0 }],
  ])("has the gradient of its loss (%s)", async (_, options) => {
    const { backend, trainable, method } = await make(options)
    await checkGradients(method, trainable, backend, await batchesOf(records(4, [40])).next())
  })

  test("the forward divergence over all tokens is that of the definition", async () => {
    const student = normal([3, 7], 1, 1, 1)
    const teacher = normal([3, 7], 1, 1, 2)
    const { backend } = await setup(14)
    const { ids, p, k } = await topTokens(backend, backend.tensor(teacher, [3, 7]), 7, 1)
    expect(k).toBe(7)
    expect(p.reduce((sum, value) => sum + value, 0)).toBeCloseTo(3, 5)
    for (let row = 0; row < 3; row++) expect(new Set(ids.subarray(row * 7, row * 7 + 7)).size).toBe(7)
    const same = reverseDivergence(student, student, 7, 1.5)
    expect(same.sum).toBeCloseTo(0, 6)
    expect(Math.max(...same.gradient.map(Math.abs))).toBeLessThan(1e-6)
  })

  test("a student that agrees with its teacher stays as it is, whatever the teacher leaves unsaid", async () => {
    const { backend } = await setup(16)
    const values = normal([2, 50], 1, 1, 1)
    const logits = backend.tensor(values, [2, 50])
    const teacher = await topTokens(backend, logits, 5, 1)
    const rest = restOf(await readLogits(backend, logits, 1), teacher)
    const one = backend.tensor(new Float32Array(2).fill(1), [2])
    const gradient = await backend.read(backend.crossEntropyGradient(one, logits, teacher.ids, rest.targets))
    expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-6)
    expect(rest.sum).toBeCloseTo(0, 5)
  })

  test.each([1, 2])("top tokens are those with the largest logits, temperature %f", async (temperature) => {
    const { backend } = await setup(15)
    const logits = normal([4, 100], 2, 3, 3)
    const { ids, p } = await topTokens(backend, backend.tensor(logits, [4, 100]), 9, temperature)
    for (let row = 0; row < 4; row++) {
      const values = [...logits.subarray(row * 100, (row + 1) * 100)]
      const expected = values
        .map((_, i) => i)
        .toSorted((a, b) => values[b] - values[a])
        .slice(0, 9)
      expect(new Set(ids.subarray(row * 9, row * 9 + 9))).toEqual(new Set(expected))
      const total = values.reduce((sum, value) => sum + Math.exp(value / temperature), 0)
      ids.subarray(row * 9, row * 9 + 9).forEach((id, j) => {
        expect(p[row * 9 + j]).toBeCloseTo(Math.exp(values[id] / temperature) / total, 5)
      })
    }
  })
})

describe("log probabilities of targets", () => {
  test("rows in parts give the values and gradients of all rows at once", async () => {
    const { backend, trainable } = await setup(13)
    const batch = await batchesOf(records(6, [40])).next()
    const gradient = Float32Array.from(batch.targets, (_, i) => 0.1 * i - 1)
    const measured = async (most: number) => {
      const gradients = new Map(trainable.parameters.map(({ value, gradient }) => [value, gradient]))
      for (const into of gradients.values()) backend.fill(into, 0)
      const tape = recording(backend, gradients)
      const pass = { backend, scoring: tape, checkpoint: tape.checkpoint, ...trainable.bind(tape) }
      const { values, seeds } = await targetLogProbabilities(pass, batch, most)
      tape.backward(seeds(gradient))
      const all = await Promise.all([...gradients.values()].map((into) => backend.read(into)))
      return { values, seeds: seeds(gradient).length, gradients: all.flatMap((list) => [...list]) }
    }
    const whole = await measured(2 ** 26)
    const parts = await measured(4 * config.vocabularySize)
    expect(whole.seeds).toBe(1)
    expect(parts.seeds).toBe(Math.ceil(batch.targets.length / 4))
    expect(parts.values).toEqual(whole.values)
    expect(parts.gradients.length).toBe(whole.gradients.length)
    const largest = whole.gradients.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(largest).toBeGreaterThan(0.1)
    for (const [i, value] of parts.gradients.entries())
      expect(Math.abs(value - whole.gradients[i])).toBeLessThan(1e-5 * largest)
  })
})

describe("preferences", () => {
  const zeros = async (batch: PackedBatch) => new Float32Array(batch.targets.length).fill(-5)
  const masked = new Uint8Array(config.vocabularySize)
  masked[264] = 1

  test.each([
    ["plain", { nll: 0, masked: undefined }],
    ["Llama 3", { nll: 0.2, masked }],
  ])("dpo has the gradient of its loss (%s)", async (_, options) => {
    const { backend, trainable } = await setup(7)
    const method = preference({ beta: 0.3, reference: zeros, ...options })
    await checkGradients(method, trainable, backend, await batchesOf(records(4, [40, 60])).next())
  })

  test("where model and reference are the same, the loss is log 2", async () => {
    const { backend, trainable } = await setup(8)
    const { model } = trainable.bind(backend)
    const reference = (batch: PackedBatch) =>
      backend.read(backend.logProbabilities(forward(backend, model, batch), batch.targets))
    const method = preference({ beta: 0.1, nll: 0, masked: undefined, reference })
    const { sum, count } = await method.loss(
      { backend, ops: backend, scoring: backend, model, training: false },
      await batchesOf(records(4, [40, 60])).next(),
    )
    expect(sum / count).toBeCloseTo(Math.log(2), 6)
  })

  test("dpo comes to prefer the chosen answers", async () => {
    const method = preference({ beta: 0.1, nll: 0.2, masked, reference: zeros })
    const { first, last } = await train(method, 9, records(20, [40, 60]))
    expect(last.more.margin).toBeGreaterThan(first.more.margin + 0.5)
    expect(last.more.accuracy).toBe(1)
    expect(last.more.likelihood).toBeLessThan(first.more.likelihood)
  })

  test("special tokens that are masked do not count in the comparison", async () => {
    const { backend, trainable } = await setup(10)
    const { model } = trainable.bind(backend)
    const batch = await batchesOf(records(2, [40, 60])).next()
    const marginWith = async (end: number) => {
      const reference = async ({ targets }: PackedBatch) =>
        Float32Array.from(targets, (id) => (id === 264 ? end : -5))
      const method = preference({ beta: 0.1, nll: 0, masked, reference })
      return (await method.loss({ backend, ops: backend, scoring: backend, model, training: false }, batch))
        .sum
    }
    expect(await marginWith(-100)).toBe(await marginWith(-1))
  })

  test("a reward model has the gradient of its loss, and learns to rank", async () => {
    const { backend, trainable } = await setup(11)
    await checkGradients(reward, trainable, backend, await batchesOf(records(4, [40, 60]), true).next())
    const { last } = await train(reward, 12, records(20, [40, 60]), true)
    expect(last.more.accuracy).toBe(1)
    expect(last.loss).toBeLessThan(0.2)
    expect(headForm(config).shape).toEqual([1, config.width])
  })
})
