// Log probabilities of a batch's targets, without ever holding the logits of all rows: a vocabulary of 128,256 makes half a
// megabyte of them a row. Parts of the rows are scored one after the other and forgotten; the backward scores them again.
import type { Seed } from "../../autograd/tape.js"
import { hiddenStates } from "../../model/llama.js"
import type { Tensor } from "../../tensor/tensor.js"
import type { PackedBatch } from "../packing.js"
import type { TrainingBackend } from "../parameters.js"
import type { Pass } from "./method.js"

export interface TargetLogProbabilities {
  /** `log p(target)` of each output row. */
  readonly values: Float32Array
  /** Where the backward pass begins, from the gradient of the loss with respect to each value. */
  readonly seeds: (gradient: Float32Array) => Seed[]
}

/** Logits that are held at once: 256 MB of them, and as much for their gradient. */
const mostLogits = 2 ** 26

export async function targetLogProbabilities(
  pass: Pick<Pass, "backend" | "ops" | "scoring" | "model" | "runBlock" | "checkpoint">,
  batch: PackedBatch,
  most = mostLogits,
): Promise<TargetLogProbabilities> {
  const { backend, ops, scoring, model, runBlock, checkpoint = scoped(backend) } = pass
  const { targets } = batch
  const hidden = hiddenStates(ops, model, batch, undefined, runBlock)
  const rowsAtOnce = Math.max(1, Math.floor(most / model.config.vocabularySize))
  const parts: { readonly first: number; readonly end: number; readonly scores: Tensor }[] = []
  for (let first = 0; first < targets.length; first += rowsAtOnce) {
    const end = Math.min(targets.length, first + rowsAtOnce)
    const isWhole = end - first === targets.length
    const rows = Int32Array.from({ length: end - first }, (_, i) => first + i)
    const score = (states: Tensor) => {
      const some = isWhole ? states : ops.rows(states, rows)
      return scoring.logProbabilities(ops.linear(some, model.output), targets.subarray(first, end))
    }
    parts.push({ first, end, scores: isWhole ? score(hidden) : checkpoint(score, hidden) })
  }
  const values = new Float32Array(targets.length)
  for (const { first, scores } of parts) values.set(await backend.read(scores), first)
  return {
    values,
    seeds: (gradient) =>
      parts.map(({ first, end, scores }) => [
        scores,
        backend.tensor(gradient.slice(first, end), [end - first]),
      ]),
  }
}

/** Runs part of a model and gives back the memory of all but its result. */
const scoped =
  (backend: TrainingBackend) =>
  (part: (x: Tensor) => Tensor, x: Tensor): Tensor => {
    const scope = backend.scope()
    const kept: Tensor[] = []
    try {
      kept.push(part(x))
    } finally {
      scope.end(kept)
    }
    return kept[0]
  }
