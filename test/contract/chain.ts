// For tests of a backend of its own: a small computation that uses every operation and every kind of weight.
import type { Backend } from "#cria/backends/backend"
import { encodeRows, rowBytes, weightKinds, type WeightKind } from "#cria/weights/index"
import { randomValues, seeded } from "./random.js"

export function weight(backend: Backend, kind: WeightKind, rows: number, columns: number, seed: number) {
  const bytes = new Uint8Array(rows * rowBytes(kind, columns))
  encodeRows(kind, randomValues(seeded(seed), rows * columns), columns, bytes)
  const writer = backend.createWeight(kind, rows, columns)
  writer.write(bytes)
  return writer.finish()
}

const D = 64
const width = 16

/** A chain through every operation and every kind of weight: prefill in two chunks, then one token. */
export async function chain(backend: Backend): Promise<Float32Array> {
  const table = weight(backend, "int8", 100, D, 1)
  const linears = weightKinds.map((kind, index) => weight(backend, kind, D, D, 2 + index))
  const gain = backend.tensor(randomValues(seeded(20), D), [D])
  const pages = backend.createPages({
    layers: 2,
    kvHeads: 4,
    headWidth: width,
    pageTokens: 16,
    capacity: 8,
    dtype: "f16",
  })
  const results: number[] = []
  let cached = 0
  for (const length of [19, 2, 1]) {
    const scope = backend.scope()
    let x = backend.embedding(
      table,
      Int32Array.from({ length }, (_, i) => (cached + i) % 100),
    )
    const rotation = backend.tensor(randomValues(seeded(cached), length * width), [length, width])
    const sequences = [{ first: 0, length, cached, pages: Int32Array.of(5, 2) }]
    for (let layer = 0; layer < 2; layer++) {
      let y = backend.rmsNorm(x, gain, 1e-5)
      for (const linear of linears) y = backend.linear(y, linear)
      y = backend.rope(backend.rmsNorm(y, gain, 1e-5), rotation)
      x = backend.add(x, backend.attention(y, y, x, sequences, width, { pages, layer }))
      x = backend.swiGlu(x, y)
    }
    const last = backend.rows(x, Int32Array.of(length - 1))
    results.push(...(await backend.read(last)))
    scope.end()
    cached += length
  }
  pages.copy(5, 1)
  pages.free()
  return Float32Array.from(results)
}
