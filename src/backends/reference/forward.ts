// The specification: every operation as plain loops over float32 arrays, one readable formula each. Other
// backends are tested against it. It runs at once, on the calling thread, and is not meant to be fast.
import {
  checkAttention,
  checkEmbedding,
  checkLinear,
  checkRmsNorm,
  checkRope,
  checkRows,
  checkSame,
  matrix,
} from "../../ops/checks.js"
import type { Ops, PageStore, SequenceRows, Weight } from "../../ops/ops.js"
import { elements, type Shape, type Tensor } from "../../tensor/tensor.js"
import { isInteger } from "../../weights/kind.js"
import type { ReferencePages } from "./pages.js"
import { integerLinear, quantizeRow } from "./quantized.js"
import { ReferenceTensor, type ReferenceWeight, values } from "./tensor.js"

export class ReferenceForward implements Ops {
  tensor(data: Float32Array, shape: Shape): Tensor {
    if (data.length !== elements(shape))
      throw new Error(`${data.length} values for ${elements(shape)} elements`)
    return new ReferenceTensor(data.slice(), shape)
  }

  embedding(table: Weight, ids: Int32Array): Tensor {
    checkEmbedding(table, ids)
    const columns = table.shape[1]
    const y = new Float32Array(ids.length * columns)
    ids.forEach((id, t) =>
      (table as ReferenceWeight).decodeRow(id, y.subarray(t * columns, (t + 1) * columns)),
    )
    return new ReferenceTensor(y, [ids.length, columns])
  }

  linear(x: Tensor, weight: Weight): Tensor {
    checkLinear(x, weight)
    const [T, K] = x.shape
    const N = weight.shape[0]
    const input = values(x)
    const y = new Float32Array(T * N)
    const held = weight as ReferenceWeight
    if (isInteger(held.kind)) {
      const rows = Array.from({ length: T }, (_, t) => quantizeRow(input.subarray(t * K, (t + 1) * K)))
      for (let n = 0; n < N; n++) {
        const row = integerLinear(held.kind, held.rowBytes(n), K)
        rows.forEach((quantized, t) => (y[t * N + n] = row(quantized)))
      }
    } else {
      const w = new Float32Array(K)
      for (let n = 0; n < N; n++) {
        held.decodeRow(n, w)
        for (let t = 0; t < T; t++) {
          let sum = 0
          for (let k = 0; k < K; k++) sum += input[t * K + k] * w[k]
          y[t * N + n] = sum
        }
      }
    }
    return new ReferenceTensor(y, [T, N])
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    checkRmsNorm(x, gain)
    const [T, D] = x.shape
    const y = new Float32Array(T * D)
    for (let t = 0; t < T; t++) {
      let squares = 0
      for (let d = 0; d < D; d++) squares += values(x)[t * D + d] ** 2
      const scale = 1 / Math.sqrt(squares / D + epsilon)
      for (let d = 0; d < D; d++) y[t * D + d] = values(x)[t * D + d] * scale * values(gain)[d]
    }
    return new ReferenceTensor(y, [T, D])
  }

  rope(x: Tensor, rotation: Tensor): Tensor {
    checkRope(x, rotation)
    const [T, X] = x.shape
    const E = rotation.shape[1]
    const half = E / 2
    const y = new Float32Array(T * X)
    for (let t = 0; t < T; t++) {
      for (let head = 0; head < X; head += E) {
        for (let i = 0; i < half; i++) {
          const low = t * X + head + i
          const cos = values(rotation)[t * E + i]
          const sin = values(rotation)[t * E + half + i]
          y[low] = values(x)[low] * cos - values(x)[low + half] * sin
          y[low + half] = values(x)[low + half] * cos + values(x)[low] * sin
        }
      }
    }
    return new ReferenceTensor(y, x.shape)
  }

  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
    cache?: { readonly pages: PageStore; readonly layer: number },
  ): Tensor {
    const { queryHeads, kvHeads } = checkAttention(query, key, value, sequences, headWidth, cache)
    const [T, X] = query.shape
    const Y = key.shape[1]
    const out = new Float32Array(T * X)
    for (const sequence of sequences) {
      // keys and values of slots 0..total-1 as rows of Y
      const total = sequence.cached + sequence.length
      const from = sequence.first * Y
      let keys = values(key).subarray(from, from + sequence.length * Y)
      let vals = values(value).subarray(from, from + sequence.length * Y)
      if (cache) {
        const pages = cache.pages as ReferencePages
        pages.store(cache.layer, sequence, keys, vals)
        keys = pages.gather(cache.layer, "key", sequence.pages, total)
        vals = pages.gather(cache.layer, "value", sequence.pages, total)
      }
      for (let row = 0; row < sequence.length; row++) {
        const visible = sequence.cached + row + 1
        for (let head = 0; head < queryHeads; head++) {
          const kvHead = Math.floor(head / (queryHeads / kvHeads))
          const at = (sequence.first + row) * X + head * headWidth
          const q = values(query).subarray(at, at + headWidth)
          const scores = new Float64Array(visible)
          for (let slot = 0; slot < visible; slot++) {
            let dot = 0
            for (let e = 0; e < headWidth; e++) dot += q[e] * keys[slot * Y + kvHead * headWidth + e]
            scores[slot] = dot / Math.sqrt(headWidth)
          }
          const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
          let sum = 0
          for (let slot = 0; slot < visible; slot++) sum += scores[slot] = Math.exp(scores[slot] - largest)
          for (let e = 0; e < headWidth; e++) {
            let mixed = 0
            for (let slot = 0; slot < visible; slot++) {
              mixed += scores[slot] * vals[slot * Y + kvHead * headWidth + e]
            }
            out[at + e] = mixed / sum
          }
        }
      }
    }
    return new ReferenceTensor(out, query.shape)
  }

  swiGlu(gate: Tensor, up: Tensor): Tensor {
    checkSame("swiGlu", gate, up)
    const y = values(gate).map((z, i) => (z / (1 + Math.exp(-z))) * values(up)[i])
    return new ReferenceTensor(y, gate.shape)
  }

  add(x: Tensor, y: Tensor, scale = 1): Tensor {
    checkSame("add", x, y)
    return new ReferenceTensor(
      values(x).map((left, i) => left + scale * values(y)[i]),
      x.shape,
    )
  }

  rows(x: Tensor, indices: Int32Array): Tensor {
    checkRows(x, indices)
    const { columns } = matrix("rows", x)
    const y = new Float32Array(indices.length * columns)
    indices.forEach((row, t) => y.set(values(x).subarray(row * columns, (row + 1) * columns), t * columns))
    return new ReferenceTensor(y, [indices.length, columns])
  }
}
