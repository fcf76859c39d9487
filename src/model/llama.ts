// Llama 3.2 (Touvron et al. 2023, Dubey et al. 2024): the whole forward pass, for prefill, decode, evaluation and
// training alike. It knows nothing of files, kinds of weight, memory, sampling or optimizers.
//
// Suffixes name the axes: T tokens of the batch, R rows of it whose logits are wanted, D model width,
// X all query heads (H * E), Y all key-value heads (G * E), E head width, F feed-forward width, V vocabulary.
import type { Ops, PageStore, SequenceRows, Weight } from "../ops/ops.js"
import type { Tensor } from "../tensor/tensor.js"
import type { ModelConfig } from "./config.js"
import { rotations } from "./rope.js"

export interface Attention {
  readonly query: Weight // [X, D]
  readonly key: Weight // [Y, D]
  readonly value: Weight // [Y, D]
  readonly output: Weight // [D, X]
}

export interface FeedForward {
  readonly gate: Weight // [F, D]
  readonly up: Weight // [F, D]
  readonly down: Weight // [D, F]
}

export interface Block {
  readonly attentionNorm: Tensor // [D]
  readonly attention: Attention
  readonly feedForwardNorm: Tensor // [D]
  readonly feedForward: FeedForward
}

export interface Model {
  readonly config: ModelConfig
  /** Radians a token of each rotary pair, E/2 values. */
  readonly frequencies: Float32Array
  readonly embedding: Weight // [V, D]
  readonly blocks: readonly Block[]
  readonly norm: Tensor // [D]
  readonly output: Weight // [V, D]; the embedding itself where they are tied
}

/** Tokens of one or more sequences that go through the model together. */
export interface Batch {
  readonly ids: Int32Array // [T]
  /** Position of each token, for the rotation only: it may differ from the token's slot in the cache. */
  readonly positions: Int32Array // [T]
  readonly sequences: readonly SequenceRows[]
  /** Rows whose logits are wanted. */
  readonly outputs: Int32Array // [R]
}

/** What the layers share in one pass. */
interface Pass {
  readonly config: ModelConfig
  readonly rotation_TE: Tensor
  readonly sequences: readonly SequenceRows[]
  readonly cache: PageStore | undefined
}

/** How each block in turn is run on the residual stream [T, D]: watched, skipped, or forgotten and run again. */
export type RunBlock = (block: (x_TD: Tensor) => Tensor, x_TD: Tensor) => Tensor

/**
 * Logits of the rows asked for: [R, V]. With a cache, earlier tokens of each sequence are read from it and the
 * batch's own are added to it.
 */
export function forward(
  ops: Ops,
  model: Model,
  batch: Batch,
  cache?: PageStore,
  runBlock?: RunBlock,
): Tensor {
  return ops.linear(hiddenStates(ops, model, batch, cache, runBlock), model.output)
}

/** What the output layer sees of the rows asked for, after the last norm: [R, D]. Otherwise as `forward`. */
export function hiddenStates(
  ops: Ops,
  model: Model,
  batch: Batch,
  cache?: PageStore,
  runBlock: RunBlock = (block, x_TD) => block(x_TD),
): Tensor {
  const { config } = model
  const rotation = rotations(model.frequencies, batch.positions)
  const pass: Pass = {
    config,
    rotation_TE: ops.tensor(rotation, [batch.ids.length, config.headWidth]),
    sequences: batch.sequences,
    cache,
  }
  let x_TD = ops.embedding(model.embedding, batch.ids)
  model.blocks.forEach((weights, layer) => {
    x_TD = runBlock((in_TD) => block(ops, weights, in_TD, pass, layer), x_TD)
  })
  return ops.rmsNorm(ops.rows(x_TD, batch.outputs), model.norm, config.normEpsilon)
}

function block(ops: Ops, w: Block, x_TD: Tensor, pass: Pass, layer: number): Tensor {
  const { normEpsilon } = pass.config
  const h_TD = ops.add(
    x_TD,
    attention(ops, w.attention, ops.rmsNorm(x_TD, w.attentionNorm, normEpsilon), pass, layer),
  )
  return ops.add(h_TD, feedForward(ops, w.feedForward, ops.rmsNorm(h_TD, w.feedForwardNorm, normEpsilon)))
}

function attention(ops: Ops, w: Attention, x_TD: Tensor, pass: Pass, layer: number): Tensor {
  const query_TX = ops.rope(ops.linear(x_TD, w.query), pass.rotation_TE)
  const key_TY = ops.rope(ops.linear(x_TD, w.key), pass.rotation_TE)
  const value_TY = ops.linear(x_TD, w.value)
  const cache = pass.cache && { pages: pass.cache, layer }
  const mixed_TX = ops.attention(query_TX, key_TY, value_TY, pass.sequences, pass.config.headWidth, cache)
  return ops.linear(mixed_TX, w.output)
}

function feedForward(ops: Ops, w: FeedForward, x_TD: Tensor): Tensor {
  const gate_TF = ops.linear(x_TD, w.gate)
  const up_TF = ops.linear(x_TD, w.up)
  return ops.linear(ops.swiGlu(gate_TF, up_TF), w.down)
}
