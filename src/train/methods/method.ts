// What a method of training is: a loss of a batch, and what to start the backward pass from. The trainer knows nothing
// else of it; where the batch comes from is the business of `batches.ts`.
import type { Seed } from "../../autograd/tape.js"
import type { Model, RunBlock } from "../../model/llama.js"
import type { ScoringOps } from "../../ops/gradients.js"
import type { Ops, Weight } from "../../ops/ops.js"
import type { PackedBatch } from "../packing.js"
import type { TrainingBackend } from "../parameters.js"

/** The model as a method runs it. */
export interface Pass {
  /** Losses and their gradients are computed with these, values are read from them. */
  readonly backend: TrainingBackend
  /** The model is run with these: a tape in training, else the backend itself. */
  readonly ops: Ops
  /** Scores that are to be differentiated are taken with these: the tape in training, else the backend itself. */
  readonly scoring: ScoringOps
  readonly model: Model
  /** [1, D]: the head of a reward model. */
  readonly head?: Weight
  /** How blocks are run: a checkpoint of the tape where memory is to be saved. */
  readonly runBlock?: RunBlock
  /** Runs part of a model, forgets what it made on the way, and runs it again in the backward pass. */
  readonly checkpoint?: RunBlock
  /** Whether a backward pass follows: without one seeds are not needed. */
  readonly training: boolean
}

export interface Loss {
  /** Sum of the losses of a batch, in nats where they are log probabilities. */
  readonly sum: number
  /** What it is summed over: predicted tokens, or pairs. */
  readonly count: number
  /** Gradients of `sum` with respect to tensors of the pass. */
  readonly seeds: readonly Seed[]
  /** Further sums over the same count, by name: they become means in the metrics. */
  readonly more?: Readonly<Record<string, number>>
}

export interface Method {
  /** What `count` counts, for people. */
  readonly unit: string
  loss(pass: Pass, batch: PackedBatch): Promise<Loss>
}
