// A reward model: one number for a conversation, `s = head . x` with x the last hidden state of its last token, trained
// on preferences with the loss of Bradley & Terry (1952), `-log sigmoid(s_chosen - s_rejected)`.
import { hiddenStates } from "../../model/llama.js"
import type { PackedBatch } from "../packing.js"
import type { Loss, Method, Pass } from "./method.js"
import { pairsOf, softplus } from "./preference.js"

export const reward: Method = {
  unit: "pairs",
  async loss({ backend, ops, model, head, runBlock, training }: Pass, batch: PackedBatch): Promise<Loss> {
    if (!head) throw new Error("a reward model needs a head")
    const outputs = Int32Array.from(batch.segments, ({ firstRow, rows }) => firstRow + rows - 1)
    const states = hiddenStates(ops, model, { ...batch, outputs }, undefined, runBlock)
    const scores_S1 = ops.linear(states, head)
    const scores = await backend.read(scores_S1)
    const pairs = pairsOf(batch.segments)
    const gradient = new Float32Array(scores.length)
    const total = { sum: 0, accuracy: 0, margin: 0 }
    for (const i of pairs.keys()) {
      const margin = scores[2 * i] - scores[2 * i + 1]
      total.sum += softplus(-margin)
      total.accuracy += margin > 0 ? 1 : 0
      total.margin += margin
      gradient[2 * i + 1] = 1 / (1 + Math.exp(margin))
      gradient[2 * i] = -gradient[2 * i + 1]
    }
    const { sum, ...more } = total
    if (!training) return { sum, count: pairs.length, seeds: [], more }
    return {
      sum,
      count: pairs.length,
      seeds: [[scores_S1, backend.tensor(gradient, [scores.length, 1])]],
      more,
    }
  },
}
