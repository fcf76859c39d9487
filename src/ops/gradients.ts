// The operations that training adds: one backward an operation of the model, the losses, and the optimizer's step.
// Letters as in ops.ts. A gradient has the shape of what it is the gradient of; `dy` is that of an operation's result.
//
// Gradients of parameters are added into a tensor that the trainer holds (`into`), so accumulating over several
// batches costs nothing. The law here: the same inputs give the same result, bit for bit, for any number of threads.
// A run that is resumed continues exactly because of it.
import type { Tensor } from "../tensor/tensor.js"
import type { Ops, SequenceRows, Weight } from "./ops.js"

/** One step of AdamW. */
export interface AdamWStep {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Decoupled: the parameter is first multiplied by `1 - learningRate * weightDecay`. */
  readonly weightDecay: number
  /** Steps done, this one included: the first is 1. */
  readonly step: number
  /** The gradient is multiplied by this first: clipping, averaging over batches. */
  readonly gradientScale: number
}

/** The operations with weights that change from step to step: what a model in training is made of and run with. */
export interface WeightOps extends Ops {
  /** The tensor x [N, K] as a weight of kind f32. It lives as long as the scope, and x may not be changed meanwhile. */
  weight(x: Tensor): Weight
}

/** The operations that a loss is made of. */
export interface ScoringOps {
  /** `y[r] = logits[r, targets[r]] - log sum_v exp(logits[r, v])`: [R, V] gives [R]. */
  logProbabilities(logits: Tensor, targets: Int32Array): Tensor
}

export interface GradientOps extends WeightOps, ScoringOps {
  /** `dx[t,k] = sum_n dy[t,n] * w[n,k]`: [T, N] and a weight [N, K] of any kind (dequantized) give [T, K]. */
  linearInputGradient(dy: Tensor, weight: Weight): Tensor

  /** `into[n,k] += sum_t dy[t,n] * x[t,k]`: [T, N] and [T, K] into [N, K]. */
  linearWeightGradient(dy: Tensor, x: Tensor, into: Tensor): void

  /** `into[ids[t],:] += dy[t,:]`: [T, D] into [V, D]. */
  embeddingGradient(dy: Tensor, ids: Int32Array, into: Tensor): void

  /** Returns dx [T, D]; with r = 1/sqrt(mean(x^2) + epsilon), `gainInto[d] += sum_t dy[t,d] * x[t,d] * r[t]` if given. */
  rmsNormGradient(dy: Tensor, x: Tensor, gain: Tensor, epsilon: number, gainInto?: Tensor): Tensor

  /** The inverse rotation of dy. */
  ropeGradient(dy: Tensor, rotation: Tensor): Tensor

  /** Gradients of causal grouped-query attention without a cache; `output` is the forward's result. */
  attentionGradient(
    dy: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
  ): { query: Tensor; key: Tensor; value: Tensor }

  swiGluGradient(dy: Tensor, gate: Tensor, up: Tensor): { gate: Tensor; up: Tensor }

  /** Scatters and adds: dx[indices[r],:] += dy[r,:], the other rows zero: [R, D] gives [rows, D]. */
  rowsGradient(dy: Tensor, indices: Int32Array, rows: number): Tensor

  /** `dx[r,v] = dy[r] * ((v == targets[r]) - softmax(logits[r])[v])`. dy is [R]. */
  logProbabilitiesGradient(dy: Tensor, logits: Tensor, targets: Int32Array): Tensor

  /**
   * Cross-entropy against a sparse distribution (a teacher's k most likely tokens):
   * `y[r] = -sum_j p[r,j] * logSoftmax(logits[r])[ids[r,j]]`. ids and p are [R * k], row by row.
   */
  crossEntropy(logits: Tensor, ids: Int32Array, p: Float32Array): Tensor

  /** `dx[r,v] = dy[r] * (softmax(logits[r])[v] * sum_j p[r,j] - sum_{j: ids[r,j] = v} p[r,j])`. */
  crossEntropyGradient(dy: Tensor, logits: Tensor, ids: Int32Array, p: Float32Array): Tensor

  /** `x * scale`. */
  scale(x: Tensor, scale: number): Tensor

  // In place, on tensors that live outside any scope.

  /** `x[...] = value`. */
  fill(x: Tensor, value: number): void

  /** `into += x * scale`. */
  accumulate(into: Tensor, x: Tensor, scale: number): void

  /** `sum x^2` as [1], summed in a fixed order. */
  squaredNorm(x: Tensor): Tensor

  /**
   * Loshchilov & Hutter 2019, with bias correction: `g = gradient * gradientScale`, `m = beta1 m + (1 - beta1) g`,
   * `v = beta2 v + (1 - beta2) g^2`, `p = p (1 - lr decay) - lr (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)`.
   */
  adamW(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: AdamWStep): void
}
