// A new model that can copy before it has learned anything. Looking up what followed the same token earlier in the text
// takes two heads that are useless one without the other (Olsson et al. 2022, "In-context Learning and Induction
// Heads"), so training finds them late, after far more tokens than a small run has. Here they are built by hand from the
// rotary embedding and random projections; everything about them is learned on from there.
//
// The width is divided into orthogonal parts: one common direction c, E directions P that tokens are recognized by, and E
// directions Q that the first layer writes in.
//
// - Every embedding gets c: a constant that queries and keys can be made from (logits all shift alike, which softmax
//   ignores).
// - Layer 0, head 0 looks at the token before: query u and key R(1) u, both made from c, match best at distance 1. It
//   carries the token's P part into Q.
// - Layer 1, head 0 looks for the place whose token before (Q) is the token here (P), in the dimensions that rotary
//   embedding hardly turns, and adds the P part of the token that stands there to the output.
// - Whatever else writes into the residual stream begins at zero, so that it does not drown these two.
import { InvalidOptionError } from "../errors/index.js"
import { inverseFrequencies } from "../model/rope.js"
import type { ModelConfig } from "../model/config.js"
import { blockName, type BlockTensor, topName } from "../model/names.js"
import { normal } from "./initialize.js"
import type { ModelValues } from "./model-values.js"

/** Least difference of the scores (before softmax) of the token before and of its neighbours. */
const positionSharpness = 5
/** Score of the same token in layer 1; of other tokens it is about this over the square root of E/2. */
const matchSharpness = 10
/** Frequencies in radians a token above which a dimension tells positions apart. */
const turning = 0.2
/** How much longer the copied part of the residual stream is than the embedding. */
const copyStrength = 1.7

/**
 * Builds the two heads into the values of a new model, whose matrices have this standard deviation. Changes `values`.
 * @throws InvalidOptionError for a model of one layer, or with 2 headWidth + 1 > width.
 */
export function buildInductionHeads(
  values: ModelValues,
  config: ModelConfig,
  deviation: number,
  seed: number,
): void {
  const { width: D, headWidth: E, layers, queryHeads } = config
  if (layers < 2 || 2 * E + 1 > D)
    throw new InvalidOptionError(
      `model.new.inductionHeads: needs two layers and a width of at least 2 headWidth + 1 (${2 * E + 1}), not ${layers} and ${D}`,
    )
  const tensor = (layer: number, name: BlockTensor): Float32Array =>
    values.get(blockName("huggingface", name, layer))!
  for (let layer = 0; layer < layers; layer++) {
    tensor(layer, "attentionOutput").fill(0)
    tensor(layer, "down").fill(0)
  }

  const [common, ...directions] = orthonormal(1 + 2 * E, D, seed)
  const own = directions.slice(0, E)
  const written = directions.slice(E)
  /** Length of an embedding, of the common direction in it, and of what layer 0 writes. */
  const length = deviation * Math.sqrt(D)
  const embedding = values.get(topName("huggingface", "embedding"))!
  for (let i = 0; i < embedding.length; i++) embedding[i] += length * common[i % D]

  /** Head 0 of a projection that reads: these rows read these directions. Little of what was there stays beside it, for a row of zeros in query and key learns nothing. */
  const read = (
    matrix: Float32Array,
    rows: readonly (readonly [row: number, scale: number, of: Direction])[],
  ) => {
    for (let i = 0; i < E * D; i++) matrix[i] *= 0.1
    for (const [row, scale, of] of rows) for (let d = 0; d < D; d++) matrix[row * D + d] += scale * of[d]
  }
  /** The columns of head 0 of an output projection. */
  const write = (matrix: Float32Array, scale: number, of: readonly Direction[]) => {
    for (let d = 0; d < D; d++) for (let e = 0; e < E; e++) matrix[d * queryHeads * E + e] = scale * of[e][d]
  }
  const all = own.map((of, row) => [row, 1, of] as const)

  // Layer 0. The normalized input has length sqrt(D): half of its square is c, half the token.
  const frequencies = [...inverseFrequencies(config)]
  const fast = frequencies.flatMap((frequency, i) => (frequency >= turning ? [i] : []))
  const gap = fast.reduce((sum, i) => sum + 1 - Math.cos(frequencies[i]), 0)
  const a = Math.sqrt(((positionSharpness / gap) * Math.sqrt(E)) / (D / 2))
  read(
    tensor(0, "query"),
    fast.map((i) => [i, a, common] as const),
  )
  read(
    tensor(0, "key"),
    fast.flatMap((i) => [
      [i, a * Math.cos(frequencies[i]), common] as const,
      [i + E / 2, a * Math.sin(frequencies[i]), common] as const,
    ]),
  )
  read(tensor(0, "value"), all)
  write(tensor(0, "attentionOutput"), length / Math.sqrt(E / 2), written)

  // Layer 1. Now a third of the square is each of c, the token, and the token before.
  const slow = frequencies.map((_, i) => i).slice(E / 4)
  const rows = [...slow, ...slow.map((i) => i + E / 2)]
  const score = (Math.sqrt(rows.length / 3) * Math.sqrt((D / 3) * (rows.length / E))) / Math.sqrt(E)
  const k = Math.sqrt(matchSharpness / score)
  read(
    tensor(1, "query"),
    rows.map((row, n) => [row, k, own[n]] as const),
  )
  read(
    tensor(1, "key"),
    rows.map((row, n) => [row, k, written[n]] as const),
  )
  read(tensor(1, "value"), all)
  write(tensor(1, "attentionOutput"), (copyStrength * length) / Math.sqrt(E / 3), own)
}

type Direction = Float32Array

/** `count` orthogonal directions of length 1, drawn at random (Gram and Schmidt). */
function orthonormal(count: number, width: number, seed: number): Direction[] {
  const found: Direction[] = []
  const drawn = normal([count, width], 1, seed, directionsTensor)
  for (let n = 0; n < count; n++) {
    const x = drawn.subarray(n * width, (n + 1) * width)
    for (const other of found) {
      const along = dot(x, other)
      for (let i = 0; i < width; i++) x[i] -= along * other[i]
    }
    const norm = Math.sqrt(dot(x, x))
    found.push(x.map((value) => value / norm))
  }
  return found
}

/** The generator's tensor number of the directions: none that a model's tensors have. */
const directionsTensor = 0x7fffffff

const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i], 0)
