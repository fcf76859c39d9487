// One suite for the operations of training: the reference against finite differences, every other backend against
// the reference on shapes that are not multiples of any tile, and the same bits for any number of threads.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createBackend, type Backend } from "#cria/backends/index"
import type { SequenceRows, Weight } from "#cria/ops/ops"
import { elements, type Shape, type Tensor } from "#cria/tensor/tensor"
import { encodeRows, isInteger, rowBytes, weightKinds, type WeightKind } from "#cria/weights/index"
import { backendCases, tellAbsence } from "./backend-cases.js"
import { closeTo, randomValues, type Random, seeded } from "./random.js"

const noPages = new Int32Array(0)

/** Rows of texts of these lengths, one after the other. */
function texts(...lengths: number[]): SequenceRows[] {
  let first = 0
  return lengths.map((length) => {
    first += length
    return { first: first - length, length, cached: 0, pages: noPages }
  })
}

const integers = (random: Random, count: number, below: number) =>
  Int32Array.from({ length: count }, () => Math.floor(random() * below))

/** Turns of random angles, as `rope` takes them: [T, E]. */
function rotation(random: Random, T: number, E: number): Float32Array {
  const values = new Float32Array(T * E)
  for (let t = 0; t < T; t++) {
    for (let i = 0; i < E / 2; i++) {
      const angle = random() * 6
      values[t * E + i] = Math.cos(angle)
      values[t * E + E / 2 + i] = Math.sin(angle)
    }
  }
  return values
}

/** Positive, in sum 1 for each row of k but the first, whose sum is less: a teacher's k most likely tokens. */
function probabilities(random: Random, R: number, k: number): Float32Array {
  const p = Float32Array.from({ length: R * k }, () => random() + 0.01)
  for (let r = 0; r < R; r++) {
    const row = p.subarray(r * k, (r + 1) * k)
    const sum = row.reduce((a, b) => a + b) * (r === 0 ? 1.25 : 1)
    row.forEach((value, j) => (row[j] = value / sum))
  }
  return p
}

function weightOf(ops: Backend, kind: WeightKind, values: Float32Array, [N, K]: Shape): Weight {
  const bytes = new Uint8Array(N * rowBytes(kind, K))
  encodeRows(kind, values, K, bytes)
  const writer = ops.createWeight(kind, N, K)
  writer.write(bytes)
  return writer.finish()
}

/** Makes operands from one seed, so that two backends get the same. */
class Operands {
  readonly random: Random
  constructor(
    readonly ops: Backend,
    seed: number,
  ) {
    this.random = seeded(seed)
  }

  values(...shape: number[]): Float32Array {
    return randomValues(this.random, elements(shape))
  }

  tensor(...shape: number[]): Tensor {
    return this.ops.tensor(this.values(...shape), shape)
  }

  weight(kind: WeightKind, ...shape: number[]): Weight {
    return weightOf(this.ops, kind, this.values(...shape), shape)
  }
}

type Work = (ops: Backend, at: Operands) => Tensor[]

/** What some work gives on a backend. */
async function outcome(ops: Backend, work: Work, seed = 1): Promise<Float32Array[]> {
  const scope = ops.scope()
  try {
    const results: Float32Array[] = []
    for (const tensor of work(ops, new Operands(ops, seed))) results.push(await ops.read(tensor))
    return results
  } finally {
    scope.end()
  }
}

/** Every operation of training at some size: name, work, and what may differ from the reference, of the largest value. */
const operations: [name: string, tolerance: number, work: Work][] = [
  ...weightKinds.flatMap((kind): [string, number, Work][] =>
    [[1, 19, 64], [37, 67, 96], [130, 300, 160], ...(isInteger(kind) ? [] : [[21, 33, 45]])].map(
      ([T, N, K]): [string, number, Work] => [
        `linearInputGradient of ${kind}: [${T}, ${N}] and [${N}, ${K}]`,
        1e-5,
        (ops, at) => [ops.linearInputGradient(at.tensor(T, N), at.weight(kind, N, K))],
      ],
    ),
  ),
  ...[
    [1, 5, 7],
    [37, 67, 45],
    [300, 96, 160],
    [1100, 24, 40],
  ].map(([T, N, K]): [string, number, Work] => [
    `linearWeightGradient of [${T}, ${N}] and [${T}, ${K}]`,
    1e-5,
    (ops, at) => {
      const into = at.tensor(N, K)
      ops.linearWeightGradient(at.tensor(T, N), at.tensor(T, K), into)
      return [into]
    },
  ]),
  [
    "weight of a tensor",
    1e-5,
    (ops, at) => {
      const w = ops.weight(at.tensor(67, 45))
      const y = ops.linear(at.tensor(21, 45), w)
      return [y, ops.linear(at.tensor(1, 45), w), ops.embedding(w, Int32Array.of(0, 66, 5))]
    },
  ],
  [
    "embeddingGradient with repeated ids",
    1e-6,
    (ops, at) => {
      const into = at.tensor(31, 45)
      ops.embeddingGradient(at.tensor(90, 45), integers(at.random, 90, 31), into)
      return [into]
    },
  ],
  ...[
    [1, 64],
    [70, 172],
    [600, 45],
  ].map(([T, D]): [string, number, Work] => [
    `rmsNormGradient of [${T}, ${D}]`,
    1e-5,
    (ops, at) => {
      const [dy, x, gain, into] = [at.tensor(T, D), at.tensor(T, D), at.tensor(D), at.tensor(D)]
      return [ops.rmsNormGradient(dy, x, gain, 1e-5, into), into, ops.rmsNormGradient(dy, x, gain, 1e-5)]
    },
  ]),
  ...[8, 36, 64].map((E): [string, number, Work] => [
    `ropeGradient with heads of ${E}`,
    1e-6,
    (ops, at) => [ops.ropeGradient(at.tensor(13, 3 * E), ops.tensor(rotation(at.random, 13, E), [13, E]))],
  ]),
  ...[
    { heads: 4, groups: 4, E: 8, lengths: [1] },
    { heads: 4, groups: 2, E: 32, lengths: [37, 5, 1, 90] },
    { heads: 6, groups: 2, E: 128, lengths: [70, 3] },
    { heads: 3, groups: 1, E: 20, lengths: [200] },
  ].map(({ heads, groups, E, lengths }): [string, number, Work] => [
    `attentionGradient ${heads}/${groups} heads of ${E}, texts of ${lengths.join(", ")}`,
    2e-5,
    (ops, at) => {
      const T = lengths.reduce((a, b) => a + b)
      const [q, k, v] = [at.tensor(T, heads * E), at.tensor(T, groups * E), at.tensor(T, groups * E)]
      const y = ops.attention(q, k, v, texts(...lengths), E)
      const gradients = ops.attentionGradient(at.tensor(T, heads * E), q, k, v, y, texts(...lengths), E)
      return [gradients.query, gradients.key, gradients.value]
    },
  ]),
  [
    "swiGluGradient over the whole range of the gate",
    1e-5,
    (ops, at) => {
      const gate = ops.tensor(
        Float32Array.from({ length: 401 }, (_, i) => (i - 200) / 2),
        [1, 401],
      )
      const gradients = ops.swiGluGradient(at.tensor(1, 401), gate, at.tensor(1, 401))
      return [gradients.gate, gradients.up]
    },
  ],
  [
    "rowsGradient with repeated rows",
    1e-6,
    (ops, at) => [ops.rowsGradient(at.tensor(50, 45), integers(at.random, 50, 33), 33)],
  ],
  ...[7, 1000].flatMap((V): [string, number, Work][] => [
    [
      `logProbabilities of ${V} logits, and their gradient`,
      1e-5,
      (ops, at) => {
        const logits = ops.scale(at.tensor(21, V), 5)
        const targets = integers(at.random, 21, V)
        return [
          ops.logProbabilities(logits, targets),
          ops.logProbabilitiesGradient(at.tensor(21), logits, targets),
        ]
      },
    ],
    [
      `crossEntropy of ${V} logits, and its gradient`,
      1e-5,
      (ops, at) => {
        const logits = ops.scale(at.tensor(21, V), 5)
        const ids = integers(at.random, 21 * 6, V)
        const p = probabilities(at.random, 21, 6)
        return [ops.crossEntropy(logits, ids, p), ops.crossEntropyGradient(at.tensor(21), logits, ids, p)]
      },
    ],
  ]),
  [
    "log probabilities of large and equal logits",
    1e-6,
    (ops) => {
      const logits = ops.tensor(Float32Array.of(1000, -1000, 0, 88, 88, 88), [2, 3])
      const targets = Int32Array.of(1, 2)
      const ones = ops.tensor(Float32Array.of(1, 1), [2])
      return [ops.logProbabilities(logits, targets), ops.logProbabilitiesGradient(ones, logits, targets)]
    },
  ],
  [
    "scale, fill, accumulate, add with a scale",
    1e-6,
    (ops, at) => {
      const [x, y, z] = [at.tensor(9, 1003), at.tensor(9, 1003), at.tensor(3)]
      ops.accumulate(y, x, -0.3)
      ops.fill(z, 7)
      return [ops.scale(x, 0.7), y, z, ops.add(x, y, 0.3)]
    },
  ],
  ["squaredNorm", 1e-5, (ops, at) => [ops.squaredNorm(at.tensor(70_001)), ops.squaredNorm(at.tensor(3, 5))]],
  [
    "adamW, three steps",
    1e-6,
    (ops, at) => {
      const [p, m, v] = [at.tensor(70, 129), ops.scale(at.tensor(70, 129), 0), at.tensor(70, 129)]
      ops.fill(v, 0)
      for (const step of [1, 2, 1000]) {
        ops.adamW(p, at.tensor(70, 129), m, v, {
          learningRate: 0.01,
          beta1: 0.9,
          beta2: 0.95,
          epsilon: 1e-8,
          weightDecay: 0.1,
          step,
          gradientScale: 0.3,
        })
      }
      return [p, m, v]
    },
  ],
]

let reference: Backend
beforeAll(async () => {
  reference = await createBackend("reference")
})
afterAll(() => reference.dispose())

tellAbsence()

const names = new Set(backendCases.map(({ name }) => name).filter((name) => name !== "reference"))

describe.each([...names])("%s", (name) => {
  const instances: Backend[] = []
  beforeAll(async () => {
    for (const threads of [1, 2, 3]) instances.push(await createBackend(name, { threads }))
  })
  afterAll(async () => {
    for (const ops of instances) await ops.dispose()
  })

  test.each(operations)("%s", async (_, tolerance, work) => {
    const actual = await outcome(instances[0], work)
    const expected = await outcome(reference, work)
    expect(actual.length).toBe(expected.length)
    actual.forEach((values, i) => closeTo(values, expected[i], tolerance))
    for (const other of instances.slice(1)) expect(await outcome(other, work)).toEqual(actual)
  })
})

describe("the reference against finite differences", () => {
  const h = 0.02

  /**
   * Checks `gradients(c)`, the gradients of `sum c * f(...)` for some c, of every element of the inputs. `f` gets
   * them as tensors of these shapes.
   */
  async function check(
    shapes: readonly Shape[],
    f: (inputs: Tensor[]) => Tensor,
    gradients: (dy: Tensor, inputs: Tensor[]) => Tensor[],
  ): Promise<void> {
    const random = seeded(5)
    const inputs = shapes.map((shape) =>
      Float32Array.from({ length: elements(shape) }, () => random() * 2 - 1),
    )
    const tensors = () => inputs.map((values, i) => reference.tensor(values, shapes[i]))
    const y = f(tensors())
    const c = Float32Array.from({ length: elements(y.shape) }, () => random() * 2 - 1)
    const actual = gradients(reference.tensor(c, y.shape), tensors())
    const loss = async () =>
      (await reference.read(f(tensors()))).reduce((sum, value, i) => sum + value * c[i], 0)
    for (const [i, values] of inputs.entries()) {
      const expected = new Float32Array(values.length)
      for (const [e, value] of values.entries()) {
        const at = async (offset: number) => {
          values[e] = value + offset
          return loss()
        }
        expected[e] =
          (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h)
        values[e] = value
      }
      closeTo(await reference.read(actual[i]), expected, 1e-4)
    }
  }

  const zeros = (shape: Shape) => reference.tensor(new Float32Array(elements(shape)), shape)
  /** What an operation that adds into a tensor adds to zeros. */
  const added = (shape: Shape, work: (into: Tensor) => unknown) => {
    const into = zeros(shape)
    work(into)
    return into
  }

  test("linear", () =>
    check(
      [
        [3, 5],
        [4, 5],
      ],
      ([x, w]) => reference.linear(x, reference.weight(w)),
      (dy, [x, w]) => [
        reference.linearInputGradient(dy, reference.weight(w)),
        added([4, 5], (into) => reference.linearWeightGradient(dy, x, into)),
      ],
    ))

  test("embedding", () => {
    const ids = Int32Array.of(2, 0, 2)
    return check(
      [[4, 5]],
      ([w]) => reference.embedding(reference.weight(w), ids),
      (dy) => [added([4, 5], (into) => reference.embeddingGradient(dy, ids, into))],
    )
  })

  test("rmsNorm", () =>
    check(
      [[3, 5], [5]],
      ([x, gain]) => reference.rmsNorm(x, gain, 0.1),
      (dy, [x, gain]) => {
        const into = zeros([5])
        return [reference.rmsNormGradient(dy, x, gain, 0.1, into), into]
      },
    ))

  test("rope", () => {
    const turn = reference.tensor(rotation(seeded(3), 3, 4), [3, 4])
    return check(
      [[3, 8]],
      ([x]) => reference.rope(x, turn),
      (dy) => [reference.ropeGradient(dy, turn)],
    )
  })

  test("attention", () =>
    check(
      [
        [7, 16],
        [7, 8],
        [7, 8],
      ],
      ([q, k, v]) => reference.attention(q, k, v, texts(5, 2), 4),
      (dy, [q, k, v]) => {
        const y = reference.attention(q, k, v, texts(5, 2), 4)
        const gradients = reference.attentionGradient(dy, q, k, v, y, texts(5, 2), 4)
        return [gradients.query, gradients.key, gradients.value]
      },
    ))

  test("swiGlu", () =>
    check(
      [
        [3, 5],
        [3, 5],
      ],
      ([gate, up]) => reference.swiGlu(gate, up),
      (dy, [gate, up]) => {
        const gradients = reference.swiGluGradient(dy, gate, up)
        return [gradients.gate, gradients.up]
      },
    ))

  test("rows", () => {
    const indices = Int32Array.of(3, 0, 3)
    return check(
      [[4, 5]],
      ([x]) => reference.rows(x, indices),
      (dy) => [reference.rowsGradient(dy, indices, 4)],
    )
  })

  test("logProbabilities", () => {
    const targets = Int32Array.of(2, 0, 5)
    return check(
      [[3, 6]],
      ([x]) => reference.logProbabilities(x, targets),
      (dy, [x]) => [reference.logProbabilitiesGradient(dy, x, targets)],
    )
  })

  test("crossEntropy", () => {
    const ids = Int32Array.of(2, 0, 5, 5, 1, 3)
    const p = probabilities(seeded(2), 3, 2)
    return check(
      [[3, 6]],
      ([x]) => reference.crossEntropy(x, ids, p),
      (dy, [x]) => [reference.crossEntropyGradient(dy, x, ids, p)],
    )
  })
})
