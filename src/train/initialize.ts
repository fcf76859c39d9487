// The first weights of a new model, a pure function of the seed: the n-th weight does not depend on how many others
// there are or in which order they are made.
import { threefry } from "../engine/random.js"
import type { ModelConfig } from "../model/config.js"
import { elements, type Shape } from "../tensor/tensor.js"

/**
 * Normal numbers with mean 0 and this standard deviation, by Box-Muller from a generator keyed with the seed and the
 * tensor's number.
 */
export function normal(shape: Shape, deviation: number, seed: number, tensor: number): Float32Array {
  const values = new Float32Array(elements(shape))
  const high = Math.floor(seed / 2 ** 32)
  for (let i = 0; i < values.length; i += 2) {
    const [a, b] = threefry(seed % 2 ** 32, high, i / 2, tensor)
    const radius = deviation * Math.sqrt(-2 * Math.log((a + 1) / 2 ** 32))
    const angle = (2 * Math.PI * b) / 2 ** 32
    values[i] = radius * Math.cos(angle)
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle)
  }
  return values
}

/**
 * Standard deviation of a matrix's first weights: `deviation`, and `deviation / sqrt(2 L)` for the two that write into
 * the residual stream of L blocks, so that its variance does not grow with the depth (Radford et al. 2019).
 */
export function deviationOf(name: string, config: Pick<ModelConfig, "layers">, deviation: number): number {
  const writes = /\.(?:o_proj|down_proj)\.weight$/.test(name)
  return writes ? deviation / Math.sqrt(2 * config.layers) : deviation
}
