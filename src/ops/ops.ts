// The operations of the model, one contract each: formula, shapes, who may rely on what. Nothing runs here.
//
// T tokens of the batch, D model width, N rows and K columns of a weight, H query heads, G kv heads,
// E head width (X = H*E, Y = G*E), F feed-forward width, V vocabulary.
//
// The law of every operation: the result for one token depends on that token and its sequence alone, bit for
// bit, never on what else is in the batch, on how a prompt was cut into chunks, or on the number of threads.
// Continuous batching, prefix sharing and preemption are invisible in the output because of it.
import type { Shape, Tensor } from "../tensor/tensor.js"
import type { WeightKind } from "../weights/kind.js"

/** A matrix [N, K] held by a backend in the layout that its kernels want. */
export interface Weight {
  readonly shape: Shape
  readonly kind: WeightKind
}

/** Rows of a batch that belong to one sequence. Slots number a sequence's cached tokens from 0. */
export interface SequenceRows {
  /** Row of the batch where this sequence's tokens start. */
  readonly first: number
  /** How many consecutive rows it has. */
  readonly length: number
  /** Tokens of this sequence already in the cache: row `first` goes to slot `cached`. */
  readonly cached: number
  /** Page table: slot s lives in page `pages[floor(s / pageTokens)]`. Empty without a cache. */
  readonly pages: Int32Array
}

/** Form of a paged key-value cache. A page holds `pageTokens` slots of one sequence, for all layers. */
export interface PageLayout {
  readonly layers: number
  readonly kvHeads: number
  readonly headWidth: number
  readonly pageTokens: number
  /** Largest number of pages; memory is taken only when a page is first written. */
  readonly capacity: number
  readonly dtype: "f16" | "f32"
}

/** Bytes of one page: K and V of every layer. */
export const pageBytes = (layout: PageLayout): number =>
  2 * layout.layers * layout.kvHeads * layout.headWidth * layout.pageTokens * (layout.dtype === "f16" ? 2 : 4)

/** The pages themselves. Which page belongs to whom is the business of `model/kv-cache.ts`. */
export interface PageStore {
  readonly layout: PageLayout
  /** Takes the memory of pages 0..count-1 ahead of use. Throws OutOfMemoryError. */
  reserve(count: number): void
  /** Copies all layers of a page: a fork that goes on writing needs a page of its own. */
  copy(from: number, to: number): void
  free(): void
}

export interface Ops {
  /** A tensor of these values (copied). `values.length` is the product of `shape`. */
  tensor(values: Float32Array, shape: Shape): Tensor

  /** Rows `ids` of the table [V, D], dequantized: [T, D]. Ids are within 0..V-1. */
  embedding(table: Weight, ids: Int32Array): Tensor

  /**
   * `y[t,n] = sum_k x[t,k] * w[n,k]`: [T, K] with [N, K] gives [T, N].
   * Where the weight is of an integer kind, x is first quantized to 8 bits with one scale a token:
   * `s = max|x[t,:]| / 127`, `q = round(x / s)` (ties to even; s = 0 gives zeros), and the products run on integers
   * exactly within a group of 32.
   */
  linear(x: Tensor, weight: Weight): Tensor

  /** `y[t,d] = x[t,d] / sqrt(mean_d(x[t,:]^2) + epsilon) * gain[d]`: [T, D], gain [D]. (Zhang & Sennrich 2019.) */
  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor

  /**
   * Rotary position embedding with split halves (Su et al. 2021, in the Hugging Face pairing): for each head and
   * i < E/2, `(y[i], y[i+E/2]) = (x[i] c - x[i+E/2] s, x[i+E/2] c + x[i] s)`.
   * x is [T, heads * E]; `rotation` is [T, E]: the E/2 cosines of the token's angles, then the E/2 sines.
   */
  rope(x: Tensor, rotation: Tensor): Tensor

  /**
   * Causal grouped-query attention (Ainslie et al. 2023): query [T, X], key and value [T, Y] give [T, X];
   * head h reads kv head `floor(h / (H/G))`; scores are `q.k / sqrt(E)`, softmax over the token's own sequence up
   * to and including itself. With a cache the keys and values of the batch are first stored into their slots and
   * earlier slots are read from it (rounded to its dtype, the batch's own too); without one a sequence is just
   * its rows in the batch.
   */
  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
    cache?: { readonly pages: PageStore; readonly layer: number },
  ): Tensor

  /** `silu(gate) * up`, with `silu(z) = z / (1 + exp(-z))`: both [T, F]. (Shazeer 2020.) */
  swiGlu(gate: Tensor, up: Tensor): Tensor

  /** `x + scale * y`, same shape; scale is 1 if absent. */
  add(x: Tensor, y: Tensor, scale?: number): Tensor

  /** Rows `indices` of x: [T, D] gives [indices.length, D]. */
  rows(x: Tensor, indices: Int32Array): Tensor
}
