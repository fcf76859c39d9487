// Attention over long contexts: thousands of slots in pages that lie anywhere, odd numbers of heads, several sequences
// that decode side by side. Held against the formula in double precision, and to the law, bit for bit.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createBackend, type Backend } from "#cria/backends/index"
import type { SequenceRows } from "#cria/ops/ops"
import { backendCases, tellAbsence } from "./backend-cases.js"
import { closeTo, randomValues, seeded } from "./random.js"

tellAbsence()

const pageTokens = 16

/** A text of random queries, keys and values, and where its pages lie. */
function makeText(length: number, shape: Heads, seed: number, pages: Int32Array) {
  const random = seeded(seed)
  const { X, Y } = widths(shape)
  return {
    length,
    pages,
    q: randomValues(random, length * X),
    k: randomValues(random, length * Y),
    v: randomValues(random, length * Y),
  }
}
type Text = ReturnType<typeof makeText>

interface Heads {
  readonly queryHeads: number
  readonly kvHeads: number
  readonly headWidth: number
}
const widths = ({ queryHeads, kvHeads, headWidth }: Heads) => ({
  X: queryHeads * headWidth,
  Y: kvHeads * headWidth,
})

/** Attention of token `t` by the formula. */
function expectedRow({ q, k, v }: Text, t: number, shape: Heads): Float32Array {
  const { X, Y } = widths(shape)
  const { queryHeads, kvHeads, headWidth: E } = shape
  const out = new Float32Array(X)
  for (let h = 0; h < queryHeads; h++) {
    const g = Math.floor(h / (queryHeads / kvHeads))
    let total = 0
    const mixed = new Float64Array(E)
    for (let s = 0; s <= t; s++) {
      let dot = 0
      for (let e = 0; e < E; e++) dot += q[t * X + h * E + e] * k[s * Y + g * E + e]
      const weight = Math.exp(dot / Math.sqrt(E))
      total += weight
      for (let e = 0; e < E; e++) mixed[e] += weight * v[s * Y + g * E + e]
    }
    for (let e = 0; e < E; e++) out[h * E + e] = mixed[e] / total
  }
  return out
}

/** Every `step`-th of `count` pages from `first` on, in an order that jumps. */
const scattered = (count: number, first: number, step: number) =>
  Int32Array.from({ length: count }, (_, i) => first + step * ((i * 7) % count))

// The reference backend is left out: it would take most of the time, and the formula is here.
describe.each(backendCases.filter((backend) => backend.name !== "reference"))(
  "'$name' with $threads threads",
  ({ name, threads }) => {
    let backend: Backend
    beforeAll(async () => {
      backend = await createBackend(name, { threads })
    })
    afterAll(() => backend.dispose())

    describe.each([
      { shape: { queryHeads: 3, kvHeads: 1, headWidth: 20 }, length: 2309, dtype: "f16" },
      { shape: { queryHeads: 5, kvHeads: 5, headWidth: 8 }, length: 1200, dtype: "f32" },
      { shape: { queryHeads: 14, kvHeads: 2, headWidth: 16 }, length: 1031, dtype: "f16" },
    ] as const)(
      "$shape.queryHeads/$shape.kvHeads heads, $length tokens, $dtype",
      ({ shape, length, dtype }) => {
        test("the last tokens by the formula; chunks, neighbours and threads change no bit", async () => {
          const { X, Y } = widths(shape)
          const count = Math.ceil(length / pageTokens)
          const { kvHeads, headWidth } = shape
          const layout = { layers: 1, kvHeads, headWidth, pageTokens, capacity: 4 * count + 8, dtype }
          const pages = backend.createPages(layout)
          /** Runs the next tokens of several texts as one batch; `cached` says where each is. */
          const step = async (parts: { text: Text; cached: number; length: number }[]) => {
            const cut = (pick: (text: Text) => Float32Array, width: number) => {
              const rows = parts.map((part) =>
                pick(part.text).subarray(part.cached * width, (part.cached + part.length) * width),
              )
              const all = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0))
              let at = 0
              for (const row of rows) {
                all.set(row, at)
                at += row.length
              }
              return backend.tensor(all, [all.length / width, width])
            }
            let first = 0
            const sequences = parts.map((part): SequenceRows => {
              const rows = { first, length: part.length, cached: part.cached, pages: part.text.pages }
              first += part.length
              return rows
            })
            const scope = backend.scope()
            const y = await backend.read(
              backend.attention(
                cut((t) => t.q, X),
                cut((t) => t.k, Y),
                cut((t) => t.v, Y),
                sequences,
                headWidth,
                { pages, layer: 0 },
              ),
            )
            scope.end()
            return y
          }

          const a = makeText(length, shape, 1, scattered(count, 0, 2))
          const whole = await step([{ text: a, cached: 0, length }])
          for (const t of [length - 1, length - 130]) {
            const row = whole.slice(t * X, (t + 1) * X)
            closeTo(row, expectedRow(a, t, shape), dtype === "f32" ? 2e-5 : 4e-3)
          }

          // The same text in other pages, in chunks, its last tokens one by one beside other sequences.
          const b = { ...a, pages: scattered(count, 1, 2) }
          const short = makeText(
            40,
            shape,
            2,
            Int32Array.from({ length: 3 }, (_, i) => 2 * count + i),
          )
          const long = makeText(length, shape, 3, scattered(count, 2 * count + 4, 1))
          const alone = 3
          const head = Math.floor((length - alone) / 2)
          const pieces = [
            await step([{ text: b, cached: 0, length: head }]),
            await step([{ text: b, cached: head, length: length - alone - head }]),
          ]
          await step([{ text: short, cached: 0, length: 36 }])
          await step([{ text: long, cached: 0, length: length - alone }])
          for (let i = 0; i < alone; i++) {
            const cached = length - alone + i
            const y = await step([
              { text: short, cached: 36 + i, length: 1 },
              { text: b, cached, length: 1 },
              { text: long, cached, length: 1 },
            ])
            pieces.push(y.slice(X, 2 * X))
          }
          const joined = new Float32Array(length * X)
          let at = 0
          for (const piece of pieces) {
            joined.set(piece, at)
            at += piece.length
          }
          expect(joined.findIndex((value, i) => !Object.is(value, whole[i]))).toBe(-1)
          pages.free()
        })
      },
    )
  },
)
