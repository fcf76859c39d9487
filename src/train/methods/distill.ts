// Distillation (Hinton et al. 2015): the student learns the teacher's distribution p over the next token beside the token
// that came. With q the student's, the loss of a token is
//   `hard * -log q(token) + (1 - hard) * D`, D = KL(p || q) (forward: cover what the teacher does) or KL(q || p)
//   (reverse: keep to what it surely does; Gu et al. 2024).
// The forward form needs the teacher's k likeliest tokens only, and takes all others together as one more outcome (see
// `restOf`); the reverse form needs all of its logits.
import { forward } from "../../model/llama.js"
import type { Tensor } from "../../tensor/tensor.js"
import type { PackedBatch } from "../packing.js"
import type { TrainingBackend } from "../parameters.js"
import { readLogits, restOf, reverseDivergence, type TopTokens, topTokens } from "./distributions.js"
import type { Loss, Method, Pass } from "./method.js"

export interface DistillOptions {
  /** Part of the loss that is the cross-entropy with the token itself. */
  readonly hard: number
  readonly divergence: "forward" | "reverse"
  /** Both distributions are those of the logits divided by this; gradients are multiplied by its square. */
  readonly temperature: number
  readonly topK: number
  /** Logits [R, V] of the teacher, within the scope of the step; absent where the batch brings its likeliest tokens. */
  readonly teacher: ((batch: PackedBatch) => Tensor) | undefined
  readonly bytesOf: Int32Array
}

export function distill(options: DistillOptions): Method {
  const { hard, divergence, temperature, topK, teacher, bytesOf } = options
  return {
    unit: "tokens",
    async loss({ backend, ops, model, runBlock, training }: Pass, batch: PackedBatch): Promise<Loss> {
      const { targets } = batch
      const count = targets.length
      const logits = forward(ops, model, batch, undefined, runBlock)
      const logProbabilities = await backend.read(backend.logProbabilities(logits, targets))
      const ownLoss = -logProbabilities.reduce((sum, value) => sum + value, 0)
      const soft =
        divergence === "reverse"
          ? await reverse(backend, logits, await backend.read(teacher!(batch)), temperature)
          : await forwards(
              backend,
              logits,
              batch.teacher ?? (await topTokens(backend, teacher!(batch), topK, temperature)),
              temperature,
            )
      const more = { hard: ownLoss, soft: soft.sum, bytes: targets.reduce((sum, id) => sum + bytesOf[id], 0) }
      const sum = hard * ownLoss + (1 - hard) * temperature ** 2 * soft.sum
      if (!training) return { sum: ownLoss, count, seeds: [], more }
      const weight = backend.tensor(new Float32Array(count).fill(-hard), [count])
      const seeds: [Tensor, Tensor][] = [[logits, soft.gradient((1 - hard) * temperature)]]
      if (hard > 0) seeds.push([logits, backend.logProbabilitiesGradient(weight, logits, targets)])
      return { sum, count, more, seeds }
    },
  }
}

/** A divergence summed over the rows, and its gradient with respect to the logits, multiplied by a number. */
interface Divergence {
  readonly sum: number
  readonly gradient: (scale: number) => Tensor
}

async function forwards(
  backend: TrainingBackend,
  logits: Tensor,
  teacher: TopTokens,
  temperature: number,
): Promise<Divergence> {
  const { ids, p } = teacher
  const student = await readLogits(backend, logits, temperature)
  const crossEntropies = await backend.read(backend.crossEntropy(student.tensor, ids, p))
  const entropy = p.reduce((sum, value) => (value > 0 ? sum - value * Math.log(value) : sum), 0)
  const rest = restOf(student, teacher)
  return {
    sum: crossEntropies.reduce((sum, value) => sum + value, 0) - entropy + rest.sum,
    gradient: (scale) =>
      backend.crossEntropyGradient(
        backend.tensor(new Float32Array(crossEntropies.length).fill(scale), [crossEntropies.length]),
        student.tensor,
        ids,
        rest.targets,
      ),
  }
}

async function reverse(
  backend: TrainingBackend,
  logits: Tensor,
  teacher: Float32Array,
  temperature: number,
): Promise<Divergence> {
  const { sum, gradient } = reverseDivergence(
    await backend.read(logits),
    teacher,
    logits.shape[1],
    temperature,
  )
  return { sum, gradient: (scale) => backend.scale(backend.tensor(gradient, logits.shape), scale) }
}
