// Low-rank adapters (Hu et al. 2022): a weight [N, K] of any kind with an addition of rank r, for training and inference
// alike. The model does not know of them: they are in the operations that it is run with.
import type { GradientOps } from "../ops/gradients.js"
import type { Ops, PageStore, SequenceRows, Weight } from "../ops/ops.js"
import type { Shape, Tensor } from "../tensor/tensor.js"

/** The addition to a weight: `y = x W^T + scale * (x A^T) B^T`. */
export interface LowRank {
  readonly a: Weight // [r, K]
  readonly b: Weight // [N, r]
  /** alpha / r, or alpha / sqrt(r) where the adapter says so. */
  readonly scale: number
}

/** An addition for some of a model's weights. */
export type Adapter = ReadonlyMap<Weight, LowRank>

/** Rows of a batch, in any order, that go through an adapter. */
export interface AdaptedRows {
  readonly adapter: Adapter
  readonly rows: Int32Array
}

/** The operations with an adapter in every row. */
export const withAdapter = (ops: Ops, adapter: Adapter): Ops =>
  new AdaptedOps(ops, (x, weight, y) => {
    const addition = adapter.get(weight)
    return addition ? ops.add(y, product(ops, x, addition), addition.scale) : y
  })

/**
 * The operations with adapters for some rows of a batch each; the others go through the model as it is. A row's result
 * is that of `withAdapter`. Weights that see other rows than the batch's, such as the output layer, take no adapter.
 */
export const withRowAdapters = (ops: GradientOps, parts: readonly AdaptedRows[]): Ops =>
  new AdaptedOps(ops, (x, weight, y) => {
    let sum = y
    for (const { adapter, rows } of parts) {
      const addition = adapter.get(weight)
      if (!addition || rows.length === 0) continue
      const part = product(ops, ops.rows(x, rows), addition)
      sum = ops.add(sum, ops.rowsGradient(part, rows, x.shape[0]), addition.scale)
    }
    return sum
  })

/** `(x A^T) B^T`: [T, K] gives [T, N]. */
const product = (ops: Ops, x: Tensor, { a, b }: LowRank): Tensor => ops.linear(ops.linear(x, a), b)

/**
 * The weight with its addition made part of it, `W + scale * B A`: tensors [N, K], [r, K] and [N, r] give [N, K].
 * Within a scope.
 */
export function merged(ops: GradientOps, weight: Tensor, a: Tensor, b: Tensor, scale: number): Tensor {
  // dx of a linear is dy W: here B A.
  return ops.add(weight, ops.linearInputGradient(b, ops.weight(a)), scale)
}

/** Operations in which a linear's result may be added to. */
class AdaptedOps implements Ops {
  readonly #ops: Ops
  readonly #adapt: (x: Tensor, weight: Weight, y: Tensor) => Tensor

  constructor(ops: Ops, adapt: (x: Tensor, weight: Weight, y: Tensor) => Tensor) {
    this.#ops = ops
    this.#adapt = adapt
  }

  linear(x: Tensor, weight: Weight): Tensor {
    return this.#adapt(x, weight, this.#ops.linear(x, weight))
  }

  tensor(values: Float32Array, shape: Shape): Tensor {
    return this.#ops.tensor(values, shape)
  }

  embedding(table: Weight, ids: Int32Array): Tensor {
    return this.#ops.embedding(table, ids)
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    return this.#ops.rmsNorm(x, gain, epsilon)
  }

  rope(x: Tensor, rotation: Tensor): Tensor {
    return this.#ops.rope(x, rotation)
  }

  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
    cache?: { readonly pages: PageStore; readonly layer: number },
  ): Tensor {
    return this.#ops.attention(query, key, value, sequences, headWidth, cache)
  }

  swiGlu(gate: Tensor, up: Tensor): Tensor {
    return this.#ops.swiGlu(gate, up)
  }

  add(x: Tensor, y: Tensor, scale?: number): Tensor {
    return this.#ops.add(x, y, scale)
  }

  rows(x: Tensor, indices: Int32Array): Tensor {
    return this.#ops.rows(x, indices)
  }
}
