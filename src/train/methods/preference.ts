// Direct preference optimization (Rafailov et al. 2023): with r = log p(answer) - log p_reference(answer), the loss of a
// pair is `-log sigmoid(beta (r_chosen - r_rejected))`. With Llama 3's changes (Dubey et al. 2024, section 4.1.4) special
// tokens do not count in r, and `nll` times the mean negative log likelihood of the chosen answer is added.
import type { PackedBatch, Segment } from "../packing.js"
import type { Loss, Method, Pass } from "./method.js"
import { targetLogProbabilities } from "./target-log-probabilities.js"

export interface PreferenceOptions {
  readonly beta: number
  /** Weight of the chosen answer's likelihood; 0 is the plain form. */
  readonly nll: number
  /** Tokens that are left out of r: 1 for each id that is. Without it all count. */
  readonly masked: Uint8Array | undefined
  /** Log probability of each target of a batch by the reference model. */
  readonly reference: (batch: PackedBatch) => Promise<Float32Array>
}

export function preference({ beta, nll, masked, reference }: PreferenceOptions): Method {
  return {
    unit: "pairs",
    async loss(pass: Pass, batch: PackedBatch): Promise<Loss> {
      const { targets } = batch
      const before = await reference(batch)
      const { values: now, seeds } = await targetLogProbabilities(pass, batch)
      const counts = Float32Array.from(targets, (id) => (masked?.[id] === 1 ? 0 : 1))
      const gradient = new Float32Array(targets.length)
      const total = { sum: 0, accuracy: 0, margin: 0, likelihood: 0 }
      const pairs = pairsOf(batch.segments)
      for (const [chosen, rejected] of pairs) {
        const margin = beta * (gain(chosen, now, before, counts) - gain(rejected, now, before, counts))
        const mean = -sumOf(chosen, now) / chosen.outputs
        const wrong = 1 / (1 + Math.exp(margin)) // sigmoid(-margin)
        total.sum += softplus(-margin) + nll * mean
        total.accuracy += margin > 0 ? 1 : 0
        total.margin += margin
        total.likelihood += mean
        each(chosen, (i) => (gradient[i] = -beta * wrong * counts[i] - nll / chosen.outputs))
        each(rejected, (i) => (gradient[i] = beta * wrong * counts[i]))
      }
      const { sum, ...more } = total
      return { sum, count: pairs.length, seeds: pass.training ? seeds(gradient) : [], more }
    },
  }
}

/** Chosen and rejected sequence of each record, which follow one another. */
export function pairsOf(segments: readonly Segment[]): [Segment, Segment][] {
  return Array.from({ length: segments.length / 2 }, (_, i) => [segments[2 * i], segments[2 * i + 1]])
}

/** log(1 + exp(x)) */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

function each({ firstOutput, outputs }: Segment, visit: (output: number) => void): void {
  for (let i = firstOutput; i < firstOutput + outputs; i++) visit(i)
}

function sumOf(segment: Segment, values: Float32Array): number {
  let sum = 0
  each(segment, (i) => (sum += values[i]))
  return sum
}

/** r of an answer. */
function gain(segment: Segment, now: Float32Array, before: Float32Array, counts: Float32Array): number {
  let sum = 0
  each(segment, (i) => (sum += counts[i] * (now[i] - before[i])))
  return sum
}
