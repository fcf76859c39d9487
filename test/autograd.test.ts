// The tape: what it records, whom gradients reach, and what running parts again saves.
import { afterAll, beforeAll, expect, test } from "vitest"
import { recording, type Gradients, type Tape } from "#cria/autograd/index"
import { createBackend, type Backend } from "#cria/backends/index"
import type { ModelConfig } from "#cria/model/config"
import { hiddenStates } from "#cria/model/llama"
import type { Tensor } from "#cria/tensor/tensor"
import { normal } from "#cria/train/initialize"
import { trainWhole } from "#cria/train/trainable"
import { closeTo, randomValues, seeded } from "./contract/random.js"

let backend: Backend
beforeAll(async () => {
  backend = await createBackend("wasm", { threads: 2 })
})
afterAll(() => backend.dispose())

const random = seeded(1)
const tensor = (...shape: number[]) =>
  backend.tensor(
    randomValues(
      random,
      shape.reduce((a, b) => a * b),
    ),
    shape,
  )
const zeros = (...shape: number[]) => backend.scale(tensor(...shape), 0)

/** A product whose gradients are known: y = x W^T. */
function product(gradients: Gradients, inputs: Tensor[], w: Tensor, x: Tensor): { tape: Tape; y: Tensor } {
  const tape = recording(backend, gradients, inputs)
  return { tape, y: tape.linear(x, tape.weight(w)) }
}

test("gradients reach parameters and inputs, and add up over several tapes", async () => {
  const [w, x, dy, gradient] = [tensor(5, 8), tensor(3, 8), tensor(3, 5), zeros(5, 8)]
  const scope = backend.scope()
  const expected = zeros(5, 8)
  backend.linearWeightGradient(dy, x, expected)
  for (let i = 0; i < 2; i++) {
    const { tape, y } = product(new Map([[w, gradient]]), [x], w, x)
    const [dx] = tape.backward([[y, dy]])
    expect(await backend.read(dx)).toEqual(
      await backend.read(backend.linearInputGradient(dy, backend.weight(w))),
    )
  }
  closeTo(await backend.read(gradient), await backend.read(backend.scale(expected, 2)), 1e-6)
  scope.end()
})

test("what depends on no parameter has no gradient; an unused input's is zero", async () => {
  const [w, x, other, dy, gradient] = [tensor(5, 8), tensor(3, 8), tensor(2, 2), tensor(3, 5), zeros(5, 8)]
  const scope = backend.scope()
  const { tape, y } = product(new Map([[other, gradient]]), [other], w, x)
  const [unused] = tape.backward([[y, dy]])
  expect([...(await backend.read(unused))]).toEqual([0, 0, 0, 0])
  expect((await backend.read(gradient)).every((value) => value === 0)).toBe(true)
  scope.end()
})

test("a tensor that is used twice, and twice in one call, gets the sum", async () => {
  const [x, dy] = [tensor(3, 8), tensor(3, 8)]
  const scope = backend.scope()
  const tape = recording(backend, new Map(), [x])
  const y = tape.add(tape.add(x, x, 0.5), tape.rows(x, Int32Array.of(2, 0, 0)), 2)
  const [dx] = tape.backward([[y, dy]])
  const values = await backend.read(dy)
  const row = (r: number) => values.subarray(r * 8, (r + 1) * 8)
  const expected = values.map((value, i) => {
    const [r, d] = [Math.floor(i / 8), i % 8]
    const picked = r === 0 ? row(1)[d] + row(2)[d] : r === 2 ? row(0)[d] : 0
    return 1.5 * value + 2 * picked
  })
  closeTo(await backend.read(dx), expected, 1e-6)
  scope.end()
})

test("a part that is run again may hold parts of its own, and parameters before which nothing is trained", async () => {
  const [w, gain, x, dy] = [tensor(8, 8), tensor(8), tensor(3, 8), tensor(3, 8)]
  const run = async (around: (tape: Tape) => Tape["checkpoint"]) => {
    const gradients = new Map([w, gain].map((parameter) => [parameter, zeros(...parameter.shape)]))
    const scope = backend.scope()
    const tape = recording(backend, gradients)
    const weight = tape.weight(w)
    const outer = (z: Tensor) =>
      tape.add(
        z,
        around(tape)((inner) => tape.rmsNorm(inner, gain, 1e-5), tape.linear(z, weight)),
      )
    const y = around(tape)(outer, around(tape)(outer, x))
    tape.backward([[y, dy]])
    const results = await Promise.all([y, ...gradients.values()].map((result) => backend.read(result)))
    scope.end()
    return results
  }
  const plain = await run(() => (part, z) => part(z))
  expect(await run((tape) => tape.checkpoint)).toEqual(plain)
  expect(plain[1].some((value) => value !== 0)).toBe(true)
})

test("attention through a cache is refused", () => {
  const scope = backend.scope()
  const pages = backend.createPages({
    layers: 1,
    kvHeads: 1,
    headWidth: 8,
    pageTokens: 16,
    capacity: 1,
    dtype: "f32",
  })
  const tape = recording(backend, new Map())
  const x = tensor(1, 8)
  const sequence = { first: 0, length: 1, cached: 0, pages: Int32Array.of(0) }
  expect(() => tape.attention(x, x, x, [sequence], 8, { pages, layer: 0 })).toThrow("has no gradient")
  pages.free()
  scope.end()
})

test("an error in a part leaves the scopes as they were", () => {
  const scope = backend.scope()
  const tape = recording(backend, new Map())
  const failing = () => tape.checkpoint((x) => tape.linear(x, tape.weight(tensor(2, 3))), tensor(1, 8))
  expect(failing).toThrow("shape mismatch")
  scope.end()
})

test("blocks that are run again leave only what goes between them: a third of the memory at most, of twelve blocks", async () => {
  const config: ModelConfig = {
    width: 64,
    layers: 12,
    queryHeads: 4,
    kvHeads: 2,
    headWidth: 16,
    feedForwardWidth: 192,
    vocabularySize: 100,
    normEpsilon: 1e-5,
    contextLength: 512,
    tiedEmbeddings: true,
    ropeTheta: 10000,
    ropeScaling: undefined,
    bos: undefined,
    stopTokens: [],
  }
  const peakOf = async (recompute: boolean): Promise<number> => {
    const own = await createBackend("wasm", { threads: 2 })
    const trainable = trainWhole(own, config, ({ shape, isTable }) => ({
      value:
        shape.length === 1 ? new Float32Array(shape[0]).fill(1) : normal(shape, 0.02, 1, Number(isTable)),
    }))
    const before = own.allocatedBytes
    const scope = own.scope()
    const gradients = new Map(trainable.parameters.map(({ value, gradient }) => [value, gradient]))
    const tape = recording(own, gradients)
    const T = 2048
    const ids = Int32Array.from({ length: T }, (_, i) => i % 100)
    const sequences = Array.from({ length: 16 }, (_, i) => {
      return { first: i * 128, length: 128, cached: 0, pages: new Int32Array(0) }
    })
    const batch = { ids, positions: ids.map((_, i) => i % 128), sequences, outputs: ids.map((_, i) => i) }
    const { model } = trainable.bind(tape)
    const x = hiddenStates(tape, model, batch, undefined, recompute ? tape.checkpoint : undefined)
    tape.backward([[x, own.scale(x, 0.01)]])
    await own.read(trainable.parameters[0].gradient)
    const peak = own.allocatedBytes - before
    scope.end()
    await own.dispose()
    return peak
  }
  const [plain, checkpointed] = [await peakOf(false), await peakOf(true)]
  expect(checkpointed).toBeLessThan(plain / 3)
})
