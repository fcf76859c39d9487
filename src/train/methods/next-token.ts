// Next-token prediction: `-sum log p(token | tokens before it in its sequence)` over the tokens whose loss counts.
// Pretraining counts all tokens of texts, supervised fine-tuning those of the assistant's turns: the data say which.
import type { PackedBatch } from "../packing.js"
import type { Loss, Method, Pass } from "./method.js"
import { targetLogProbabilities } from "./target-log-probabilities.js"

/** `bytesOf` has the bytes of every token's text, for bits per byte. */
export function nextToken(bytesOf: Int32Array): Method {
  return {
    unit: "tokens",
    async loss(pass: Pass, batch: PackedBatch): Promise<Loss> {
      const { targets } = batch
      const { values, seeds } = await targetLogProbabilities(pass, batch)
      const count = targets.length
      return {
        sum: -values.reduce((sum, value) => sum + value, 0),
        count,
        more: { bytes: targets.reduce((sum, id) => sum + bytesOf[id], 0) },
        seeds: pass.training ? seeds(new Float32Array(count).fill(-1)) : [],
      }
    },
  }
}
