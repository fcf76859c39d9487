// Next-token prediction: `-sum log p(token | tokens before it in its sequence)` over the tokens whose loss counts.
// Pretraining counts all tokens of texts, supervised fine-tuning those of the assistant's turns: the data say which.
import { forward } from "../../model/llama.js"
import type { PackedBatch } from "../packing.js"
import type { Loss, Method, Pass } from "./method.js"

/** `bytesOf` has the bytes of every token's text, for bits per byte. */
export function nextToken(bytesOf: Int32Array): Method {
  return {
    unit: "tokens",
    async loss({ backend, ops, model, runBlock, training }: Pass, batch: PackedBatch): Promise<Loss> {
      const { targets } = batch
      const logits = forward(ops, model, batch, undefined, runBlock)
      const logProbabilities = await backend.read(backend.logProbabilities(logits, targets))
      const count = targets.length
      const sum = -logProbabilities.reduce((sum, value) => sum + value, 0)
      const more = { bytes: targets.reduce((sum, id) => sum + bytesOf[id], 0) }
      if (!training) return { sum, count, seeds: [], more }
      const minusOne = backend.tensor(new Float32Array(count).fill(-1), [count])
      return {
        sum,
        count,
        more,
        seeds: [[logits, backend.logProbabilitiesGradient(minusOne, logits, targets)]],
      }
    },
  }
}
