// The operations of training as plain loops: the formulas of ops/gradients.ts, sums in double precision.
import { checkRope, checkSame, matrix } from "../../ops/checks.js"
import {
  checkAdamW,
  checkAttentionGradient,
  checkCrossEntropy,
  checkEmbeddingGradient,
  checkLinearInputGradient,
  checkLinearWeightGradient,
  checkLogProbabilities,
  checkRmsNormGradient,
  checkRowsGradient,
  checkSwiGluGradient,
} from "../../ops/gradient-checks.js"
import type { AdamWStep, GradientOps } from "../../ops/gradients.js"
import type { SequenceRows, Weight } from "../../ops/ops.js"
import type { Tensor } from "../../tensor/tensor.js"
import { ReferenceForward } from "./forward.js"
import { ReferenceTensor, ReferenceWeight, values } from "./tensor.js"

export class ReferenceGradients extends ReferenceForward implements GradientOps {
  weight(x: Tensor): Weight {
    const { rows, columns } = matrix("weight", x)
    const weight = new ReferenceWeight("f32", rows, columns)
    weight.bytes.set(new Uint8Array(values(x).slice().buffer))
    return weight
  }

  linearInputGradient(dy: Tensor, weight: Weight): Tensor {
    checkLinearInputGradient(dy, weight)
    const [T] = dy.shape
    const [N, K] = weight.shape
    const gradient = values(dy)
    const sums = new Float64Array(T * K)
    const w = new Float32Array(K)
    for (let n = 0; n < N; n++) {
      ;(weight as ReferenceWeight).decodeRow(n, w)
      for (let t = 0; t < T; t++) {
        for (let k = 0; k < K; k++) sums[t * K + k] += gradient[t * N + n] * w[k]
      }
    }
    return new ReferenceTensor(Float32Array.from(sums), [T, K])
  }

  linearWeightGradient(dy: Tensor, x: Tensor, into: Tensor): void {
    checkLinearWeightGradient(dy, x, into)
    const [T, N] = dy.shape
    const K = x.shape[1]
    const [gradient, input, total] = [dy, x, into].map(values)
    const sums = new Float64Array(K)
    for (let n = 0; n < N; n++) {
      sums.fill(0)
      for (let t = 0; t < T; t++) {
        for (let k = 0; k < K; k++) sums[k] += gradient[t * N + n] * input[t * K + k]
      }
      for (let k = 0; k < K; k++) total[n * K + k] += sums[k]
    }
  }

  embeddingGradient(dy: Tensor, ids: Int32Array, into: Tensor): void {
    checkEmbeddingGradient(dy, ids, into)
    const D = into.shape[1]
    ids.forEach((id, t) => {
      for (let d = 0; d < D; d++) values(into)[id * D + d] += values(dy)[t * D + d]
    })
  }

  /** With s = sum_d dy g x: `dx = r g dy - x r^3 s / D`. */
  rmsNormGradient(dy: Tensor, x: Tensor, gain: Tensor, epsilon: number, gainInto?: Tensor): Tensor {
    checkRmsNormGradient(dy, x, gain, gainInto)
    const [T, D] = x.shape
    const dx = new Float32Array(T * D)
    const dGain = new Float64Array(D)
    for (let t = 0; t < T; t++) {
      let squares = 0
      let products = 0
      for (let d = 0; d < D; d++) {
        const value = values(x)[t * D + d]
        squares += value ** 2
        products += values(dy)[t * D + d] * values(gain)[d] * value
      }
      const r = 1 / Math.sqrt(squares / D + epsilon)
      for (let d = 0; d < D; d++) {
        const value = values(x)[t * D + d]
        const gradient = values(dy)[t * D + d]
        dx[t * D + d] = r * values(gain)[d] * gradient - (value * r ** 3 * products) / D
        dGain[d] += gradient * value * r
      }
    }
    if (gainInto) for (let d = 0; d < D; d++) values(gainInto)[d] += dGain[d]
    return new ReferenceTensor(dx, x.shape)
  }

  ropeGradient(dy: Tensor, rotation: Tensor): Tensor {
    checkRope(dy, rotation)
    const E = rotation.shape[1]
    const inverse = values(rotation).map((value, i) => (i % E < E / 2 ? value : -value))
    return this.rope(dy, new ReferenceTensor(inverse, rotation.shape))
  }

  /**
   * With the probabilities p of a query row and `D = sum_e dy out`: `dv += p dy`, `ds = p (dy.v - D) / sqrt(E)`,
   * `dq += ds k`, `dk += ds q` (Dao et al. 2022, appendix B).
   */
  attentionGradient(
    dy: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
  ): { query: Tensor; key: Tensor; value: Tensor } {
    const heads = checkAttentionGradient(dy, query, key, value, output, sequences, headWidth)
    const [T, X] = query.shape
    const Y = key.shape[1]
    const [q, k, v, out, dOut] = [query, key, value, output, dy].map(values)
    const dQuery = new Float64Array(T * X)
    const dKey = new Float64Array(T * Y)
    const dValue = new Float64Array(T * Y)
    const dot = (a: Float32Array, i: number, b: Float32Array, j: number) => {
      let sum = 0
      for (let e = 0; e < headWidth; e++) sum += a[i + e] * b[j + e]
      return sum
    }
    for (const { first, length } of sequences) {
      for (let row = first; row < first + length; row++) {
        for (let head = 0; head < heads.queryHeads; head++) {
          const at = row * X + head * headWidth
          const kvAt = Math.floor(head / (heads.queryHeads / heads.kvHeads)) * headWidth
          const p = new Float64Array(row - first + 1)
          p.forEach((_, s) => (p[s] = dot(q, at, k, (first + s) * Y + kvAt) / Math.sqrt(headWidth)))
          softmax(p)
          const total = dot(dOut, at, out, at)
          p.forEach((probability, s) => {
            const slot = (first + s) * Y + kvAt
            const ds = (probability * (dot(dOut, at, v, slot) - total)) / Math.sqrt(headWidth)
            for (let e = 0; e < headWidth; e++) {
              dValue[slot + e] += probability * dOut[at + e]
              dQuery[at + e] += ds * k[slot + e]
              dKey[slot + e] += ds * q[at + e]
            }
          })
        }
      }
    }
    return {
      query: new ReferenceTensor(Float32Array.from(dQuery), query.shape),
      key: new ReferenceTensor(Float32Array.from(dKey), key.shape),
      value: new ReferenceTensor(Float32Array.from(dValue), value.shape),
    }
  }

  /** With `s = 1 / (1 + exp(-gate))`: `d gate = dy up s (1 + gate (1 - s))`, `d up = dy gate s`. */
  swiGluGradient(dy: Tensor, gate: Tensor, up: Tensor): { gate: Tensor; up: Tensor } {
    checkSwiGluGradient(dy, gate, up)
    const sigmoid = (z: number) => 1 / (1 + Math.exp(-z))
    const dGate = values(gate).map((z, i) => {
      const s = sigmoid(z)
      return values(dy)[i] * values(up)[i] * s * (1 + z * (1 - s))
    })
    const dUp = values(gate).map((z, i) => values(dy)[i] * z * sigmoid(z))
    return { gate: new ReferenceTensor(dGate, gate.shape), up: new ReferenceTensor(dUp, up.shape) }
  }

  rowsGradient(dy: Tensor, indices: Int32Array, rows: number): Tensor {
    checkRowsGradient(dy, indices, rows)
    const D = dy.shape[1]
    const dx = new Float32Array(rows * D)
    indices.forEach((row, r) => {
      for (let d = 0; d < D; d++) dx[row * D + d] += values(dy)[r * D + d]
    })
    return new ReferenceTensor(dx, [rows, D])
  }

  logProbabilities(logits: Tensor, targets: Int32Array): Tensor {
    checkLogProbabilities("logProbabilities", logits, targets)
    const V = logits.shape[1]
    const y = Float32Array.from(targets, (target, r) => {
      const row = values(logits).subarray(r * V, (r + 1) * V)
      return row[target] - logSumExp(row)
    })
    return new ReferenceTensor(y, [targets.length])
  }

  logProbabilitiesGradient(dy: Tensor, logits: Tensor, targets: Int32Array): Tensor {
    checkLogProbabilities("logProbabilitiesGradient", logits, targets, dy)
    const V = logits.shape[1]
    const dx = new Float32Array(targets.length * V)
    targets.forEach((target, r) => {
      const row = values(logits).subarray(r * V, (r + 1) * V)
      const total = logSumExp(row)
      row.forEach((logit, v) => {
        dx[r * V + v] = values(dy)[r] * ((v === target ? 1 : 0) - Math.exp(logit - total))
      })
    })
    return new ReferenceTensor(dx, logits.shape)
  }

  crossEntropy(logits: Tensor, ids: Int32Array, p: Float32Array): Tensor {
    const k = checkCrossEntropy("crossEntropy", logits, ids, p)
    const [R, V] = logits.shape
    const y = new Float32Array(R)
    for (let r = 0; r < R; r++) {
      const row = values(logits).subarray(r * V, (r + 1) * V)
      const total = logSumExp(row)
      let sum = 0
      for (let j = r * k; j < (r + 1) * k; j++) sum -= p[j] * (row[ids[j]] - total)
      y[r] = sum
    }
    return new ReferenceTensor(y, [R])
  }

  crossEntropyGradient(dy: Tensor, logits: Tensor, ids: Int32Array, p: Float32Array): Tensor {
    const k = checkCrossEntropy("crossEntropyGradient", logits, ids, p, dy)
    const [R, V] = logits.shape
    const dx = new Float32Array(R * V)
    for (let r = 0; r < R; r++) {
      const row = values(logits).subarray(r * V, (r + 1) * V)
      const total = logSumExp(row)
      let mass = 0
      for (let j = r * k; j < (r + 1) * k; j++) mass += p[j]
      row.forEach((logit, v) => (dx[r * V + v] = values(dy)[r] * Math.exp(logit - total) * mass))
      for (let j = r * k; j < (r + 1) * k; j++) dx[r * V + ids[j]] -= values(dy)[r] * p[j]
    }
    return new ReferenceTensor(dx, logits.shape)
  }

  scale(x: Tensor, scale: number): Tensor {
    return new ReferenceTensor(
      values(x).map((value) => value * scale),
      x.shape,
    )
  }

  fill(x: Tensor, value: number): void {
    values(x).fill(value)
  }

  accumulate(into: Tensor, x: Tensor, scale: number): void {
    checkSame("accumulate", into, x)
    values(x).forEach((value, i) => (values(into)[i] += value * scale))
  }

  squaredNorm(x: Tensor): Tensor {
    let sum = 0
    for (const value of values(x)) sum += value ** 2
    return new ReferenceTensor(Float32Array.of(sum), [1])
  }

  adamW(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, at: AdamWStep): void {
    checkAdamW(parameter, gradient, m, v)
    const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = at
    const [p, first, second] = [parameter, m, v].map(values)
    values(gradient).forEach((value, i) => {
      const g = value * gradientScale
      first[i] = beta1 * first[i] + (1 - beta1) * g
      second[i] = beta2 * second[i] + (1 - beta2) * g ** 2
      const mean = first[i] / (1 - beta1 ** step)
      const deviation = Math.sqrt(second[i] / (1 - beta2 ** step))
      p[i] = p[i] * (1 - learningRate * weightDecay) - (learningRate * mean) / (deviation + epsilon)
    })
  }
}

/** In place, relative to the largest. */
function softmax(scores: Float64Array): void {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  let sum = 0
  scores.forEach((score, i) => (sum += scores[i] = Math.exp(score - largest)))
  scores.forEach((score, i) => (scores[i] = score / sum))
}

function logSumExp(row: Float32Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity)
  let sum = 0
  for (const logit of row) sum += Math.exp(logit - largest)
  return largest + Math.log(sum)
}
