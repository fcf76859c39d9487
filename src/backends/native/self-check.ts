// A look at the kernels of an instruction set before they are trusted: small cases of the operations that have kernels
// of their own there, held against the plainest set. A compiler's mistake or a processor's quirk then costs speed only.
import type { GradientOps } from "../../ops/gradients.js"
import { elements, type Tensor } from "../../tensor/tensor.js"
import { encodeRows } from "../../weights/encode.js"
import { rowBytes, type WeightKind, weightKinds } from "../../weights/kind.js"
import type { Addon } from "./addon.js"
import { NativeGradients } from "./gradients.js"
import { Machine } from "./machine.js"
import { NativePages } from "./pages.js"
import { createWeight } from "./weights.js"

/** Rows, columns and tokens that fill no tile. */
const [N, K, T] = [37, 96, 5]
/** Relative to the largest value of a result. */
const tolerance = 1e-3

/** Numbers between -1 and 1, the same for every set. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}

/** Each case makes some results; they are read one after the other. */
const cases: Readonly<Record<string, (ops: NativeGradients, machine: Machine) => Tensor[]>> = {
  ...Object.fromEntries(
    weightKinds.map((kind) => [
      `linear with ${kind} weights`,
      (ops: NativeGradients, machine: Machine) => {
        const weight = weightOf(machine, kind)
        const one = ops.linear(ops.tensor(numbers(K, 2), [1, K]), weight)
        const several = ops.linear(ops.tensor(numbers(T * K, 3), [T, K]), weight)
        const back = ops.linearInputGradient(ops.tensor(numbers(T * N, 4), [T, N]), weight)
        return [one, several, back, ops.embedding(weight, Int32Array.of(0, N - 1))]
      },
    ]),
  ),
  linearWeightGradient: (ops) => {
    const into = ops.tensor(numbers(N * K, 1), [N, K])
    ops.linearWeightGradient(
      ops.tensor(numbers(T * N, 2), [T, N]),
      ops.tensor(numbers(T * K, 3), [T, K]),
      into,
    )
    return [into]
  },
  rmsNorm: (ops) => {
    const [x, gain] = [ops.tensor(numbers(T * K, 1), [T, K]), ops.tensor(numbers(K, 2), [K])]
    const dy = ops.tensor(numbers(T * K, 3), [T, K])
    return [ops.rmsNorm(x, gain, 1e-5), ops.rmsNormGradient(dy, x, gain, 1e-5)]
  },
  swiGlu: (ops) => {
    const [x, y, dy] = [1, 2, 3].map((seed) => ops.tensor(numbers(T * K, seed), [T, K]))
    const back = ops.swiGluGradient(dy, x, y)
    return [ops.swiGlu(x, y), back.gate, back.up]
  },
  attention: (ops, machine) => {
    const width = 16
    const rows = 21
    const tensor = (heads: number, seed: number) =>
      ops.tensor(numbers(rows * heads * width, seed), [rows, heads * width])
    const [q, k, v, dy] = [tensor(4, 1), tensor(2, 2), tensor(2, 3), tensor(4, 4)]
    const sequence = { first: 0, length: rows, cached: 0, pages: new Int32Array(0) }
    const y = ops.attention(q, k, v, [sequence], width)
    const back = ops.attentionGradient(dy, q, k, v, y, [sequence], width)
    const layout = {
      layers: 1,
      kvHeads: 2,
      headWidth: width,
      pageTokens: 16,
      capacity: 2,
      dtype: "f16",
    } as const
    const pages = new NativePages(layout, machine)
    const cached = ops.attention(q, k, v, [{ ...sequence, pages: Int32Array.of(1, 0) }], width, {
      pages,
      layer: 0,
    })
    return [y, back.query, back.key, back.value, cached]
  },
  losses: (ops) => {
    const logits = ops.tensor(numbers(T * K, 1), [T, K])
    const targets = Int32Array.from({ length: T }, (_, t) => t * 7)
    const dy = ops.tensor(numbers(T, 2), [T])
    return [ops.logProbabilities(logits, targets), ops.logProbabilitiesGradient(dy, logits, targets)]
  },
  adamW: (ops) => {
    const [p, g, m] = [1, 2, 3].map((seed) => ops.tensor(numbers(N * K, seed), [N, K]))
    const v = ops.tensor(numbers(N * K, 4).map(Math.abs), [N, K])
    ops.adamW(p, g, m, v, {
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      weightDecay: 0.1,
      step: 3,
      gradientScale: 0.5,
    })
    return [p, m, v, ops.squaredNorm(g)]
  },
}

function weightOf(machine: Machine, kind: WeightKind): ReturnType<GradientOps["weight"]> {
  const bytes = new Uint8Array(N * rowBytes(kind, K))
  encodeRows(kind, numbers(N * K, 1), K, bytes)
  const writer = createWeight(machine, kind, N, K)
  writer.write(bytes)
  return writer.finish()
}

/** The first case in which a set differs from the plain one, if any. */
export function selfCheck(addon: Addon, set: string, plain: string): string | undefined {
  const expected = run(addon, plain)
  const actual = run(addon, set)
  for (const [name, values] of expected) if (!agree(values, actual.get(name)!)) return name
  return undefined
}

function run(addon: Addon, set: string): Map<string, Float32Array[]> {
  const machine = new Machine(addon, set, 1)
  try {
    const ops = new NativeGradients(machine)
    return new Map(
      Object.entries(cases).map(([name, make]) => {
        const tensors = make(ops, machine).map((tensor) => machine.own(tensor))
        machine.flush()
        return [name, tensors.map(({ address, shape }) => machine.read(address, elements(shape)))]
      }),
    )
  } finally {
    machine.dispose()
  }
}

function agree(expected: readonly Float32Array[], actual: readonly Float32Array[]): boolean {
  return expected.every((values, i) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    // Written so that a NaN does not agree.
    return values.every((value, j) => Math.abs(value - actual[i][j]) <= tolerance * largest)
  })
}
