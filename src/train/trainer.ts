// The loop of every training run: batches through a method's loss and back, AdamW, measurements in between. It is told
// when to stop and what to call at each step, and knows neither files, recipes nor terminals.
import { recording } from "../autograd/index.js"
import { DivergedError } from "../errors/index.js"
import type { Tensor } from "../tensor/tensor.js"
import type { Loss, Method } from "./methods/method.js"
import { Optimizer, type OptimizerOptions } from "./optimizer.js"
import type { Batches, PackedBatch } from "./packing.js"
import type { TrainingBackend } from "./parameters.js"
import { learningRateFactor, type Schedule } from "./schedule.js"
import type { Trainable } from "./trainable.js"

export interface TrainerOptions {
  readonly backend: TrainingBackend
  readonly trainable: Trainable
  readonly method: Method
  readonly optimizer: OptimizerOptions
  readonly learningRate: number
  readonly schedule: Schedule
  /** Batches whose gradients make one step. */
  readonly accumulate: number
  /** The data of a step, by its number: an annealing may have its own. */
  readonly batchesAt: (step: number) => Batches
  /** Computes the inside of blocks again on the way back instead of keeping it. */
  readonly recompute: boolean
}

/** What is known after a step. Means are over what the loss counts. */
export interface StepReport {
  readonly step: number
  readonly loss: number
  readonly learningRate: number
  /** Of the mean loss, before clipping. */
  readonly gradientNorm: number
  /** What the loss was the mean of, and rows that went through the model. */
  readonly count: number
  readonly rows: number
  readonly seconds: number
  /** Further means of the method. */
  readonly more: Readonly<Record<string, number>>
}

/** Mean losses over some batches. */
export interface Measurement {
  readonly loss: number
  readonly count: number
  readonly more: Readonly<Record<string, number>>
}

export class Trainer {
  readonly #options: TrainerOptions
  readonly #optimizer: Optimizer
  readonly #gradients: ReadonlyMap<Tensor, Tensor>
  /** Steps done. */
  step = 0

  constructor(options: TrainerOptions) {
    this.#options = options
    const { backend, trainable } = options
    this.#optimizer = new Optimizer(backend, trainable.parameters, options.optimizer)
    this.#gradients = new Map(trainable.parameters.map(({ value, gradient }) => [value, gradient]))
  }

  /**
   * One step of the optimizer.
   * @throws DivergedError where the loss or the gradient is no finite number; the parameters are then as before.
   */
  async advance(): Promise<StepReport> {
    const { batchesAt, accumulate, schedule } = this.#options
    const start = performance.now()
    const step = this.step + 1
    const total = new Sums()
    for (let i = 0; i < accumulate; i++) {
      const batch = await batchesAt(step).next()
      total.add(await this.#forwardAndBack(batch, step), batch.ids.length)
    }
    const norm = await this.#optimizer.gradientNorm()
    if (!Number.isFinite(norm)) throw new DivergedError(step, "the norm of the gradient", norm)
    const learningRate = this.#options.learningRate * learningRateFactor(schedule, step)
    const gradientNorm = this.#optimizer.step(step, learningRate, norm, total.count)
    this.step = step
    const seconds = (performance.now() - start) / 1000
    return { step, learningRate, gradientNorm, ...total.means(), rows: total.rows, seconds }
  }

  async #forwardAndBack(batch: PackedBatch, step: number): Promise<Loss> {
    const { backend, trainable, method, recompute } = this.#options
    const scope = backend.scope()
    try {
      const tape = recording(backend, this.#gradients)
      const { model, ops, head } = trainable.bind(tape)
      const pass = {
        backend,
        ops,
        scoring: tape,
        model,
        head,
        training: true,
        runBlock: recompute ? tape.checkpoint : undefined,
        checkpoint: tape.checkpoint,
      }
      const loss = await method.loss(pass, batch)
      if (!Number.isFinite(loss.sum)) throw new DivergedError(step, "the loss", loss.sum)
      tape.backward(loss.seeds)
      // what was recorded has to run before the scope's memory is given away
      await backend.read(backend.squaredNorm(trainable.parameters.at(-1)!.gradient))
      return loss
    } finally {
      scope.end()
    }
  }

  /** Losses of batches without learning from them. */
  async measure(batches: AsyncIterable<PackedBatch> | Iterable<PackedBatch>): Promise<Measurement> {
    const { backend, trainable, method } = this.#options
    const total = new Sums()
    for await (const batch of batches) {
      const scope = backend.scope()
      try {
        const { model, ops, head } = trainable.bind(backend)
        const pass = { backend, ops, scoring: backend, model, head, training: false }
        total.add(await method.loss(pass, batch), batch.ids.length)
      } finally {
        scope.end()
      }
    }
    return total.means()
  }
}

class Sums {
  sum = 0
  count = 0
  rows = 0
  readonly more: Record<string, number> = {}

  add(loss: Loss, rows: number): void {
    this.sum += loss.sum
    this.count += loss.count
    this.rows += rows
    for (const [name, value] of Object.entries(loss.more ?? {}))
      this.more[name] = (this.more[name] ?? 0) + value
  }

  means(): Measurement {
    const { sum, count } = this
    const more = Object.fromEntries(Object.entries(this.more).map(([name, value]) => [name, value / count]))
    return { loss: sum / count, count, more }
  }
}
