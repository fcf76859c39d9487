// How much each part of a model matters, measured on a calibration text: watches the forward pass through its operations.
// Knows nothing of files, nor of what is then taken out.
import type { Backend } from "../backends/backend.js"
import { hiddenStates, type Model } from "../model/llama.js"
import type { Ops, SequenceRows, Weight } from "../ops/ops.js"
import type { Tensor } from "../tensor/tensor.js"

/** Mean squares over the tokens of the calibration text, and what follows from them. */
export interface Importance {
  readonly tokens: number
  /**
   * Block influence of each layer: `1 - mean_t cos(x_t, y_t)` of its input and output (Men et al. 2024, "ShortGPT").
   * A block that hardly turns the residual stream matters little.
   */
  readonly blocks: Float64Array
  /** For each layer, mean square of what each column of `down` is multiplied with: [F]. */
  readonly neurons: readonly Float64Array[]
  /** For each layer, mean square of what each column of the attention's output matrix is multiplied with: [X]. */
  readonly heads: readonly Float64Array[]
  /** Mean square of each channel of the norms' inputs, those of a layer (attention, feed-forward) in turn, the last one: [D]. */
  readonly residuals: readonly Float64Array[]
  /** The same of the norms' outputs. */
  readonly normed: readonly Float64Array[]
}

const noPages = new Int32Array(0)

/** Runs every text, given as token ids, through the model. All weights may be of any kind. */
export async function measureImportance(
  backend: Backend,
  model: Model,
  texts: AsyncIterable<Int32Array> | Iterable<Int32Array>,
  onTokens?: (tokens: number) => void,
): Promise<Importance> {
  const { layers, width: D, feedForwardWidth: F, queryHeads, headWidth } = model.config
  const sums = (count: number, length: number) =>
    Array.from({ length: count }, () => new Float64Array(length))
  const neurons = sums(layers, F)
  const heads = sums(layers, queryHeads * headWidth)
  const residuals = sums(2 * layers + 1, D)
  const normed = sums(2 * layers + 1, D)
  const turns = new Float64Array(layers)
  const inputs = new Map<Weight, Float64Array>(
    model.blocks.flatMap((block, layer): [Weight, Float64Array][] => [
      [block.feedForward.down, neurons[layer]],
      [block.attention.output, heads[layer]],
    ]),
  )
  const gains = [...model.blocks.flatMap((block) => [block.attentionNorm, block.feedForwardNorm]), model.norm]
  let tokens = 0

  for await (const ids of texts) {
    const scope = backend.scope()
    try {
      const seen: { x: Tensor; into: Float64Array }[] = []
      const watched = watching(backend, {
        linear: (x, weight) => {
          const into = inputs.get(weight)
          if (into) seen.push({ x, into })
        },
        rmsNorm: (x, gain, y) => {
          const norm = gains.indexOf(gain)
          seen.push({ x, into: residuals[norm] }, { x: y, into: normed[norm] })
        },
      })
      const passages: { before: Tensor; after: Tensor }[] = []
      const all = Int32Array.from(ids, (_, t) => t)
      const sequences: SequenceRows[] = [{ first: 0, length: ids.length, cached: 0, pages: noPages }]
      const batch = { ids, positions: all, sequences, outputs: all }
      const last = hiddenStates(watched, model, batch, undefined, (block, before) => {
        const after = block(before)
        passages.push({ before, after })
        return after
      })
      await backend.read(last) // runs the pass; reading the others only copies
      for (const { x, into } of seen) addSquares(await backend.read(x), into)
      for (const [layer, { before, after }] of passages.entries())
        turns[layer] += cosines(await backend.read(before), await backend.read(after), D)
    } finally {
      scope.end()
    }
    tokens += ids.length
    onTokens?.(tokens)
  }
  const means = (lists: Float64Array[]) => lists.map((list) => list.map((sum) => sum / tokens))
  return {
    tokens,
    blocks: turns.map((sum) => 1 - sum / tokens),
    neurons: means(neurons),
    heads: means(heads),
    residuals: means(residuals),
    normed: means(normed),
  }
}

interface Watch {
  linear(x: Tensor, weight: Weight): void
  rmsNorm(x: Tensor, gain: Tensor, y: Tensor): void
}

/** The operations, with somebody who is told of some of them. */
function watching(ops: Ops, watch: Watch): Ops {
  return {
    tensor: (values, shape) => ops.tensor(values, shape),
    embedding: (table, ids) => ops.embedding(table, ids),
    linear(x, weight) {
      watch.linear(x, weight)
      return ops.linear(x, weight)
    },
    rmsNorm(x, gain, epsilon) {
      const y = ops.rmsNorm(x, gain, epsilon)
      watch.rmsNorm(x, gain, y)
      return y
    },
    rope: (x, rotation) => ops.rope(x, rotation),
    attention: (query, key, value, sequences, headWidth, cache) =>
      ops.attention(query, key, value, sequences, headWidth, cache),
    swiGlu: (gate, up) => ops.swiGlu(gate, up),
    add: (x, y, scale) => ops.add(x, y, scale),
    rows: (x, indices) => ops.rows(x, indices),
  }
}

function addSquares(values: Float32Array, into: Float64Array): void {
  const columns = into.length
  for (let row = 0; row < values.length; row += columns)
    for (let i = 0; i < columns; i++) into[i] += values[row + i] ** 2
}

/** Sum over the rows of the cosine of the angle between them; 1 where one of the two is nought. */
function cosines(a: Float32Array, b: Float32Array, columns: number): number {
  let sum = 0
  for (let row = 0; row < a.length; row += columns) {
    let [ab, aa, bb] = [0, 0, 0]
    for (let i = row; i < row + columns; i++) {
      ab += a[i] * b[i]
      aa += a[i] * a[i]
      bb += b[i] * b[i]
    }
    sum += aa === 0 || bb === 0 ? 1 : ab / Math.sqrt(aa * bb)
  }
  return sum
}
