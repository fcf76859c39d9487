// One suite for every backend: each operation against plain double-precision formulas of its own, on shapes that
// are not multiples of any tile, for every kind of weight; then the law of batch invariance, bit for bit.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createBackend, type Backend } from "#cria/backends/index"
import type { PageLayout, SequenceRows } from "#cria/ops/ops"
import {
  decodeRows,
  encodeRows,
  isInteger,
  rowBytes,
  weightKinds,
  type WeightKind,
} from "#cria/weights/index"
import { backendCases, tellAbsence } from "./backend-cases.js"
import { closeTo, randomValues, type Random, seeded } from "./random.js"

tellAbsence()

/** Encodes random values as a weight of this kind; `values` is what the kind makes of them. */
function randomWeight(backend: Backend, kind: WeightKind, rows: number, columns: number, random: Random) {
  const bytes = new Uint8Array(rows * rowBytes(kind, columns))
  encodeRows(kind, randomValues(random, rows * columns), columns, bytes)
  const values = new Float32Array(rows * columns)
  decodeRows(kind, bytes, columns, values)
  const writer = backend.createWeight(kind, rows, columns)
  const cut = Math.floor(rows / 3) * rowBytes(kind, columns)
  writer.write(bytes.subarray(0, cut))
  writer.write(bytes.subarray(cut))
  return { weight: writer.finish(), values }
}

/** The 8-bit activations that the contract of `linear` prescribes, as floats. */
function quantized(x: Float32Array, columns: number): Float32Array {
  const y = new Float32Array(x.length)
  for (let row = 0; row < x.length; row += columns) {
    let largest = 0
    for (let k = 0; k < columns; k++) largest = Math.max(largest, Math.abs(x[row + k]))
    if (largest === 0) continue
    for (let k = 0; k < columns; k++) y[row + k] = (Math.round((x[row + k] / largest) * 127) * largest) / 127
  }
  return y
}

function multiply(x: Float32Array, w: Float32Array, T: number, N: number, K: number): Float32Array {
  const y = new Float32Array(T * N)
  for (let t = 0; t < T; t++) {
    for (let n = 0; n < N; n++) {
      let sum = 0
      for (let k = 0; k < K; k++) sum += x[t * K + k] * w[n * K + k]
      y[t * N + n] = sum
    }
  }
  return y
}

describe.each(backendCases)("$name with $threads threads", ({ name, threads }) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await createBackend(name, { threads })
  })
  afterAll(() => backend.dispose())

  /** Runs an operation in a scope and reads its result. */
  const run = async (work: () => ReturnType<Backend["tensor"]>) => {
    const scope = backend.scope()
    try {
      return await backend.read(work())
    } finally {
      scope.end()
    }
  }

  describe.each(weightKinds)("weights of kind %s", (kind) => {
    const shapes = isInteger(kind)
      ? [
          [1, 16, 32],
          [1, 67, 64],
          [5, 131, 96],
          [19, 48, 1056],
        ]
      : [
          [1, 16, 32],
          [1, 67, 172],
          [5, 131, 65],
          [19, 48, 1027],
        ]
    test.each(shapes)("linear: x [%i, K], weight [%i, %i]", async (T, N, K) => {
      const random = seeded(T * 1000 + N)
      const { weight, values } = randomWeight(backend, kind, N, K, random)
      const x = randomValues(random, T * K)
      const y = await run(() => backend.linear(backend.tensor(x, [T, K]), weight))
      const expected = multiply(isInteger(kind) ? quantized(x, K) : x, values, T, N, K)
      // one activation may fall on the other side of a rounding tie: 1/127 of the largest of one product
      closeTo(y, expected, isInteger(kind) ? 2e-4 * Math.sqrt(K) : 1e-5 * Math.sqrt(K))
    })

    test("embedding gives exactly the decoded rows", async () => {
      const { weight, values } = randomWeight(backend, kind, 50, 96, seeded(7))
      const ids = Int32Array.of(0, 49, 17, 17, 1)
      const y = await run(() => backend.embedding(weight, ids))
      const expected = Float32Array.from(ids, () => 0)
      expect(expected.length).toBe(5)
      ids.forEach((id, row) =>
        expect(y.subarray(row * 96, row * 96 + 96)).toEqual(values.subarray(id * 96, id * 96 + 96)),
      )
    })

    test("a token's result does not depend on its batch", async () => {
      const K = 160
      const random = seeded(11)
      const { weight } = randomWeight(backend, kind, 75, K, random)
      const x = randomValues(random, 17 * K)
      const together = await run(() => backend.linear(backend.tensor(x, [17, K]), weight))
      for (const t of [0, 3, 16]) {
        const alone = await run(() =>
          backend.linear(backend.tensor(x.slice(t * K, (t + 1) * K), [1, K]), weight),
        )
        expect(alone).toEqual(together.slice(t * 75, (t + 1) * 75))
      }
    })
  })

  test("linear on a row of zeros gives zeros", async () => {
    for (const kind of weightKinds) {
      const { weight } = randomWeight(backend, kind, 20, 64, seeded(3))
      const y = await run(() => backend.linear(backend.tensor(new Float32Array(64), [1, 64]), weight))
      expect(y.every((value) => value === 0)).toBe(true)
    }
  })

  test("one input for several weights", async () => {
    const random = seeded(5)
    const first = randomWeight(backend, "int4", 33, 64, random)
    const second = randomWeight(backend, "f16", 18, 64, random)
    const x = randomValues(random, 2 * 64)
    const scope = backend.scope()
    const input = backend.tensor(x, [2, 64])
    const [a, b] = [backend.linear(input, first.weight), backend.linear(input, second.weight)]
    closeTo(await backend.read(a), multiply(quantized(x, 64), first.values, 2, 33, 64), 2e-3)
    closeTo(await backend.read(b), multiply(x, second.values, 2, 18, 64), 1e-4)
    scope.end()
  })

  test.each([
    [1, 64],
    [7, 172],
    [3, 2048],
  ])("rmsNorm of [%i, %i]", async (T, D) => {
    const random = seeded(D)
    const x = randomValues(random, T * D)
    const gain = randomValues(random, D)
    const y = await run(() => backend.rmsNorm(backend.tensor(x, [T, D]), backend.tensor(gain, [D]), 1e-5))
    const expected = x.map((value, i) => {
      const row = Math.floor(i / D)
      let squares = 0
      for (let d = 0; d < D; d++) squares += x[row * D + d] ** 2
      return (value / Math.sqrt(squares / D + 1e-5)) * gain[i % D]
    })
    closeTo(y, expected, 2e-6)
  })

  test.each([8, 32, 64, 128])("rope with heads of %i", async (E) => {
    const T = 5
    const random = seeded(E)
    const x = randomValues(random, T * 3 * E)
    const angles = randomValues(random, (T * E) / 2)
    const rotation = new Float32Array(T * E)
    angles.forEach((angle, i) => {
      const at = Math.floor(i / (E / 2)) * E + (i % (E / 2))
      rotation[at] = Math.cos(angle)
      rotation[at + E / 2] = Math.sin(angle)
    })
    const y = await run(() => backend.rope(backend.tensor(x, [T, 3 * E]), backend.tensor(rotation, [T, E])))
    const expected = x.map((value, i) => {
      const t = Math.floor(i / (3 * E))
      const e = i % E
      const pair = e < E / 2 ? -x[i + E / 2] : x[i - E / 2]
      return value * rotation[t * E + (e % (E / 2))] + pair * rotation[t * E + E / 2 + (e % (E / 2))]
    })
    closeTo(y, expected, 1e-6)
  })

  test("swiGlu over the whole range of its gate", async () => {
    const gate = Float32Array.from({ length: 401 }, (_, i) => (i - 200) / 2)
    const up = randomValues(seeded(1), 401)
    const y = await run(() => backend.swiGlu(backend.tensor(gate, [1, 401]), backend.tensor(up, [1, 401])))
    const expected = gate.map((z, i) => (z / (1 + Math.exp(-z))) * up[i])
    closeTo(y, expected, 2e-5)
  })

  test("add and rows", async () => {
    const random = seeded(2)
    const x = randomValues(random, 6 * 21)
    const y = randomValues(random, 6 * 21)
    const sum = await run(() => backend.add(backend.tensor(x, [6, 21]), backend.tensor(y, [6, 21])))
    expect(sum).toEqual(x.map((value, i) => value + y[i]))
    const picked = await run(() => backend.rows(backend.tensor(x, [6, 21]), Int32Array.of(5, 0, 5)))
    expect([...picked]).toEqual([...x.slice(105), ...x.slice(0, 21), ...x.slice(105)])
  })

  describe.each([
    { queryHeads: 4, kvHeads: 4, headWidth: 8 },
    { queryHeads: 4, kvHeads: 2, headWidth: 32 },
    { queryHeads: 6, kvHeads: 2, headWidth: 128 },
  ])("attention $queryHeads/$kvHeads heads of $headWidth", ({ queryHeads, kvHeads, headWidth }) => {
    const X = queryHeads * headWidth
    const Y = kvHeads * headWidth
    const layout = (dtype: "f16" | "f32"): PageLayout => ({
      layers: 2,
      kvHeads,
      headWidth,
      pageTokens: 16,
      capacity: 32,
      dtype,
    })

    /** Attention of `length` tokens of one sequence, by the formula. */
    const expectedOf = (q: Float32Array, k: Float32Array, v: Float32Array, length: number) => {
      const out = new Float32Array(length * X)
      for (let t = 0; t < length; t++) {
        for (let h = 0; h < queryHeads; h++) {
          const g = Math.floor(h / (queryHeads / kvHeads))
          const weights: number[] = []
          for (let s = 0; s <= t; s++) {
            let dot = 0
            for (let e = 0; e < headWidth; e++)
              dot += q[t * X + h * headWidth + e] * k[s * Y + g * headWidth + e]
            weights.push(Math.exp(dot / Math.sqrt(headWidth)))
          }
          const sum = weights.reduce((a, b) => a + b)
          for (let e = 0; e < headWidth; e++) {
            let mixed = 0
            weights.forEach((weight, s) => (mixed += weight * v[s * Y + g * headWidth + e]))
            out[t * X + h * headWidth + e] = mixed / sum
          }
        }
      }
      return out
    }

    const make = (length: number, seed: number) => {
      const random = seeded(seed)
      return {
        q: randomValues(random, length * X),
        k: randomValues(random, length * Y),
        v: randomValues(random, length * Y),
      }
    }
    const noPages = new Int32Array(0)

    test("without a cache, two sequences in a batch", async () => {
      const [a, b] = [make(37, 1), make(5, 2)]
      const join = (x: Float32Array, y: Float32Array) => Float32Array.of(...x, ...y)
      const y = await run(() =>
        backend.attention(
          backend.tensor(join(a.q, b.q), [42, X]),
          backend.tensor(join(a.k, b.k), [42, Y]),
          backend.tensor(join(a.v, b.v), [42, Y]),
          [
            { first: 0, length: 37, cached: 0, pages: noPages },
            { first: 37, length: 5, cached: 0, pages: noPages },
          ],
          headWidth,
        ),
      )
      closeTo(y, join(expectedOf(a.q, a.k, a.v, 37), expectedOf(b.q, b.k, b.v, 5)), 2e-5)
    })

    test.each(["f32", "f16"] as const)(
      "in chunks through a paged %s cache equals the whole, bit for bit",
      async (dtype) => {
        const length = 75
        const { q, k, v } = make(length, 3)
        const pages = backend.createPages(layout(dtype))
        pages.reserve(20)
        const through = async (table: Int32Array, chunks: number[]) => {
          const rows: number[] = []
          let cached = 0
          for (const chunk of chunks) {
            const cut = (x: Float32Array, width: number) =>
              backend.tensor(x.slice(cached * width, (cached + chunk) * width), [chunk, width])
            const sequence: SequenceRows = { first: 0, length: chunk, cached, pages: table }
            const y = await run(() =>
              backend.attention(cut(q, X), cut(k, Y), cut(v, Y), [sequence], headWidth, { pages, layer: 1 }),
            )
            rows.push(...y)
            cached += chunk
          }
          return Float32Array.from(rows)
        }
        const whole = await through(Int32Array.of(7, 2, 19, 0, 1), [75])
        closeTo(whole, expectedOf(q, k, v, length), dtype === "f32" ? 2e-5 : 4e-3)
        const pieces = await through(Int32Array.of(3, 4, 5, 6, 8), [1, 30, 33, 1, 1, 9])
        expect(pieces).toEqual(whole)
        pages.free()
      },
    )

    test("a copied page serves a fork, and the original stays as it was", async () => {
      const { q, k, v } = make(20, 4)
      const pages = backend.createPages(layout("f32"))
      pages.reserve(4)
      const step = (from: number, to: number, table: Int32Array, shift = 0) => {
        const cut = (x: Float32Array, width: number) =>
          backend.tensor(
            x.slice(from * width, to * width).map((value) => value + shift),
            [to - from, width],
          )
        const sequence: SequenceRows = { first: 0, length: to - from, cached: from, pages: table }
        return run(() =>
          backend.attention(cut(q, X), cut(k, Y), cut(v, Y), [sequence], headWidth, { pages, layer: 0 }),
        )
      }
      await step(0, 19, Int32Array.of(0, 1))
      pages.copy(1, 2)
      const fork = await step(19, 20, Int32Array.of(0, 2), 0.5)
      const original = await step(19, 20, Int32Array.of(0, 1))
      closeTo(original, expectedOf(q, k, v, 20).slice(19 * X), 2e-5)
      expect(fork).not.toEqual(original)
      pages.free()
    })
  })

  test("a scope frees what was made in it", async () => {
    const step = async () => {
      const scope = backend.scope()
      let x = backend.tensor(randomValues(seeded(1), 256 * 1024), [256, 1024])
      for (let i = 0; i < 4; i++) x = backend.add(x, x)
      await backend.read(x)
      scope.end()
    }
    await step()
    await step()
    const before = backend.allocatedBytes
    for (let i = 0; i < 10; i++) await step()
    expect(backend.allocatedBytes).toBe(before)
  })

  test("shapes that do not fit are refused with the numbers", () => {
    const scope = backend.scope()
    const { weight } = randomWeight(backend, "f32", 4, 8, seeded(1))
    const x = backend.tensor(new Float32Array(14), [2, 7])
    expect(() => backend.linear(x, weight)).toThrow("x is [2, 7], weight expects 8")
    expect(() => backend.add(x, backend.tensor(new Float32Array(7), [1, 7]))).toThrow("shape mismatch in add")
    expect(() => backend.embedding(weight, Int32Array.of(4))).toThrow("id 4, but the table has 4 rows")
    expect(() => backend.rows(x, Int32Array.of(2))).toThrow("row 2 of 2")
    expect(() => backend.tensor(new Float32Array(3), [2, 2])).toThrow()
    scope.end()
  })
})

const threaded = [...new Set(backendCases.filter(({ threads }) => threads > 1).map(({ name }) => name))]
test.each(threaded)("every number of threads gives the same bits: %s", async (name) => {
  const results: Float32Array[] = []
  for (const threads of [1, 2, 4]) {
    const backend = await createBackend(name, { threads })
    const random = seeded(9)
    const { weight } = randomWeight(backend, "int4", 200, 256, random)
    const dense = randomWeight(backend, "bf16", 256, 200, random)
    const scope = backend.scope()
    const x = backend.tensor(randomValues(random, 9 * 256), [9, 256])
    const y = backend.linear(backend.linear(x, weight), dense.weight)
    const noPages = new Int32Array(0)
    const whole = [{ first: 0, length: 9, cached: 0, pages: noPages }]
    results.push(await backend.read(backend.attention(y, y, y, whole, 64)))
    scope.end()
    await backend.dispose()
  }
  expect(results[1]).toEqual(results[0])
  expect(results[2]).toEqual(results[0])
})
