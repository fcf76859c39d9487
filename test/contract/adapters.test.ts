// Low-rank adapters on every backend: what they add, rows of a batch with adapters of their own, merging, and their
// gradients through a frozen model by finite differences.
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { merged, withAdapter, withRowAdapters, type LowRank } from "#cria/adapters/index"
import { recording } from "#cria/autograd/index"
import { createBackend, type Backend } from "#cria/backends/index"
import { openCheckpoint } from "#cria/formats/node"
import { forward, loadModel } from "#cria/model/index"
import type { Ops, Weight } from "#cria/ops/ops"
import type { Tensor } from "#cria/tensor/tensor"
import { encodeRows, rowBytes, type WeightKind } from "#cria/weights/index"
import { backendCases, tellAbsence } from "./backend-cases.js"
import { closeTo, randomValues, type Random, seeded } from "./random.js"

tellAbsence()

const folder = fileURLToPath(new URL("../goldens/tiny-llama", import.meta.url))
const [T, N, K, r] = [9, 48, 96, 4]

describe.each(backendCases)("$name with $threads threads", ({ name, threads }) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await createBackend(name, { threads })
  })
  afterAll(() => backend.dispose())

  const tensor = (random: Random, ...shape: [number, number]) =>
    backend.tensor(randomValues(random, shape[0] * shape[1]), shape)

  const frozen = (random: Random, kind: WeightKind): Weight => {
    const bytes = new Uint8Array(N * rowBytes(kind, K))
    encodeRows(kind, randomValues(random, N * K), K, bytes)
    const writer = backend.createWeight(kind, N, K)
    writer.write(bytes)
    return writer.finish()
  }

  const addition = (random: Random): LowRank => {
    const [a, b] = [tensor(random, r, K), tensor(random, N, r)]
    return { a: backend.weight(a), b: backend.weight(b), scale: 0.5 }
  }

  test("a weight with its adapter equals the weight that it is merged into", async () => {
    const random = seeded(1)
    const scope = backend.scope()
    const [w, a, b, x] = [
      tensor(random, N, K),
      tensor(random, r, K),
      tensor(random, N, r),
      tensor(random, T, K),
    ]
    const weight = backend.weight(w)
    const adapter = new Map([[weight, { a: backend.weight(a), b: backend.weight(b), scale: 0.5 }]])
    const apart = await backend.read(withAdapter(backend, adapter).linear(x, weight))
    const together = await backend.read(backend.linear(x, backend.weight(merged(backend, w, a, b, 0.5))))
    const plain = await backend.read(backend.linear(x, weight))
    closeTo(apart, together, 1e-5)
    expect(apart).not.toEqual(plain)
    scope.end()
  })

  test.each(["f32", "int8"] as const)(
    "rows of a batch with adapters of their own, on %s: each as if it were alone",
    async (kind) => {
      const random = seeded(2)
      const scope = backend.scope()
      const weight = frozen(random, kind)
      const [first, second] = [addition(random), addition(random)].map((one) => new Map([[weight, one]]))
      const x = tensor(random, T, K)
      const ops = withRowAdapters(backend, [
        { adapter: first, rows: Int32Array.of(0, 1, 5) },
        { adapter: second, rows: Int32Array.of(7, 2) },
        { adapter: new Map(), rows: Int32Array.of(3) },
        { adapter: first, rows: new Int32Array(0) },
      ])
      const mixed = await backend.read(ops.linear(x, weight))
      const alone = async (ops: Ops) => await backend.read(ops.linear(x, weight))
      const whole = [await alone(backend), await alone(withAdapter(backend, first))]
      whole.push(await alone(withAdapter(backend, second)))
      for (const [row, which] of [1, 1, 2, 0, 0, 1, 0, 2, 0].entries()) {
        const of = (values: Float32Array) => values.subarray(row * N, (row + 1) * N)
        expect(of(mixed)).toEqual(of(whole[which]))
      }
      scope.end()
    },
  )

  // Integer kinds round the activations, so that the loss has steps; the gradient is that of the values behind them.
  // The plain loops of the reference would take minutes.
  const differences = [
    ["bf16", 0.005, 1e-3],
    ["int8", 0.1, 0.1],
  ] as const
  test.each(name === "reference" ? [] : differences)(
    "gradients of adapters on a model in %s, by finite differences",
    async (kind, h, tolerance) => {
      const random = seeded(3)
      const checkpoint = await openCheckpoint(folder)
      const model = await loadModel(checkpoint, backend, { weights: kind })
      await checkpoint.close()
      const parameters: { value: Tensor; gradient: Tensor; direction: Float32Array }[] = []
      const parameter = (rows: number, columns: number) => {
        const values = randomValues(random, rows * columns).map((value) => value * 0.1)
        const value = backend.tensor(values, [rows, columns])
        const gradient = backend.tensor(new Float32Array(values.length), [rows, columns])
        parameters.push({ value, gradient, direction: new Float32Array() })
        return value
      }
      const matrices = model.blocks.flatMap(({ attention, feedForward }) => [
        ...Object.values(attention as unknown as Record<string, Weight>),
        ...Object.values(feedForward as unknown as Record<string, Weight>),
      ])
      const factors = matrices.map((weight) => {
        const [rows, columns] = weight.shape
        return { weight, a: parameter(r, columns), b: parameter(rows, r) }
      })
      const ids = Int32Array.from({ length: 40 }, () => Math.floor(random() * 512))
      const positions = ids.map((_, i) => i % 20)
      const sequences = [0, 20].map((first) => ({ first, length: 20, cached: 0, pages: new Int32Array(0) }))
      const batch = { ids, positions, sequences, outputs: ids.map((_, i) => i) }
      const targets = Int32Array.from(ids, () => Math.floor(random() * 512))
      const lossOf = async (
        ops: Backend | ReturnType<typeof recording>,
        learn?: (logits: Tensor) => void,
      ) => {
        const adapter = new Map(
          factors.map(({ weight, a, b }) => [weight, { a: ops.weight(a), b: ops.weight(b), scale: 2 }]),
        )
        const logits = forward(withAdapter(ops, adapter), model, batch)
        const values = await backend.read(backend.logProbabilities(logits, targets))
        learn?.(logits)
        return values.reduce((sum, value) => sum + value, 0) / values.length
      }
      const scope = backend.scope()
      const tape = recording(backend, new Map(parameters.map(({ value, gradient }) => [value, gradient])))
      await lossOf(tape, (logits) => {
        const each = backend.tensor(new Float32Array(ids.length).fill(1 / ids.length), [ids.length])
        tape.backward([[logits, backend.logProbabilitiesGradient(each, logits, targets)]])
      })
      // A direction in which the loss changes fast: the gradient's, every element stretched by its own factor.
      let [slope, squares] = [0, 0]
      for (const parameter of parameters) {
        const gradient = await backend.read(parameter.gradient)
        parameter.direction = gradient.map((value) => value * 2 * random())
        parameter.direction.forEach((value, i) => {
          slope += value * gradient[i]
          squares += value ** 2
        })
      }
      scope.end()

      const moved = async (h: number) => {
        const scope = backend.scope()
        const move = (by: number) => {
          for (const { value, direction } of parameters)
            backend.accumulate(value, backend.tensor(direction, value.shape), by / Math.sqrt(squares))
        }
        move(h)
        const loss = await lossOf(backend)
        move(-h)
        scope.end()
        return loss
      }
      const difference = async (h: number) => (await moved(h)) - (await moved(-h))
      const expected = (8 * (await difference(h)) - (await difference(2 * h))) / (12 * h)
      expect(Math.abs(slope / Math.sqrt(squares) / expected - 1)).toBeLessThan(tolerance)
    },
  )
})
