// Which parts of a model stay: the most important ones, as many as wanted. Pure arithmetic on what was measured.
import { InvalidOptionError } from "../errors/index.js"
import type { ModelConfig } from "../model/config.js"
import type { Importance } from "./importance.js"

/** What the smaller model is to have; what is left out stays as it is. */
export interface PruneTarget {
  readonly layers?: number
  /** Key-value heads; each takes its query heads with it, so that as many share one as before. */
  readonly kvHeads?: number
  readonly feedForwardWidth?: number
  /** Width of the residual stream. */
  readonly width?: number
}

/** Squared norms of the columns of the matrices that write into the residual stream, one list a layer. */
export interface ColumnNorms {
  /** Of `down`: [F]. */
  readonly down: readonly Float64Array[]
  /** Of the attention's output matrix: [X]. */
  readonly attentionOutput: readonly Float64Array[]
}

/** Parts of the old model that make up the new one, by their numbers, in order. */
export interface PrunePlan {
  readonly config: ModelConfig
  readonly layers: readonly number[]
  /** Key-value heads of each layer that stays. */
  readonly kvHeads: readonly Int32Array[]
  /** Neurons of each layer that stays. */
  readonly neurons: readonly Int32Array[]
  readonly channels: Int32Array
  /**
   * Factors of the gains: the norms of each layer that stays (attention, feed-forward), then the last one. Fewer channels
   * have another mean square; with the factor the norm divides by what it divided by before, on the calibration text.
   */
  readonly gains: readonly number[]
}

/**
 * Layers go by block influence. Neurons and heads go by the mean square norm of what they add to the residual stream:
 * `mean(a_j^2) |w_j|^2` for each column j of the matrix, summed over the columns of a key-value head's query heads.
 * Channels go by the mean squares of the norms' outputs (after Muralidharan et al. 2024, "Minitron", section 2.2). Of two
 * parts that matter equally the first stays. InvalidOptionError where the target is not smaller.
 */
export function planPruning(
  config: ModelConfig,
  importance: Importance,
  norms: ColumnNorms,
  target: PruneTarget,
): PrunePlan {
  const wanted = checkTarget(config, target)
  const layers = [...largest(importance.blocks, wanted.layers)]
  const groupWidth = (config.queryHeads / config.kvHeads) * config.headWidth
  const neuronsOf = (layer: number) =>
    largest(
      importance.neurons[layer].map((square, j) => square * norms.down[layer][j]),
      wanted.feedForwardWidth,
    )
  const headsOf = (layer: number) => {
    const sums = new Float64Array(config.kvHeads)
    importance.heads[layer].forEach((square, j) => {
      sums[Math.floor(j / groupWidth)] += square * norms.attentionOutput[layer][j]
    })
    return largest(sums, wanted.kvHeads)
  }
  const kept = [...layers.flatMap((layer) => [2 * layer, 2 * layer + 1]), 2 * config.layers]
  const channelSums = new Float64Array(config.width)
  for (const norm of kept) importance.normed[norm].forEach((square, d) => (channelSums[d] += square))
  const channels = largest(channelSums, wanted.width)
  return {
    config: {
      ...config,
      ...wanted,
      queryHeads: (config.queryHeads / config.kvHeads) * wanted.kvHeads,
    },
    layers,
    kvHeads: layers.map(headsOf),
    neurons: layers.map(neuronsOf),
    channels,
    gains: kept.map((norm) => gainFactor(importance.residuals[norm], channels)),
  }
}

/** The target with what it leaves out. InvalidOptionError where it asks for more than the model has. */
export function checkTarget(config: ModelConfig, target: PruneTarget): Required<PruneTarget> {
  const wanted = {
    layers: target.layers ?? config.layers,
    kvHeads: target.kvHeads ?? config.kvHeads,
    feedForwardWidth: target.feedForwardWidth ?? config.feedForwardWidth,
    width: target.width ?? config.width,
  }
  for (const [name, value] of Object.entries(wanted) as [keyof typeof wanted, number][])
    if (!Number.isInteger(value) || value < 1 || value > config[name])
      throw new InvalidOptionError(
        `${name} is ${value}, expected 1 to the ${config[name]} that the model has`,
      )
  return wanted
}

/** The numbers of the `count` largest values, in order; of equal ones the first. */
function largest(values: Float64Array, count: number): Int32Array {
  const order = Array.from(values, (_, i) => i).toSorted((a, b) => values[b] - values[a] || a - b)
  return Int32Array.from(order.slice(0, count)).toSorted()
}

/** `sqrt(mean of the squares that stay / mean of all)`. */
function gainFactor(squares: Float64Array, channels: Int32Array): number {
  if (channels.length === squares.length) return 1
  const all = squares.reduce((sum, square) => sum + square, 0) / squares.length
  const kept = channels.reduce((sum, d) => sum + squares[d], 0) / channels.length
  return all === 0 ? 1 : Math.sqrt(kept / all)
}
