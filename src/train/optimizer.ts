// One optimizer step over all parameters: the norm of the gradient, clipping, AdamW by groups.
import type { AdamWStep } from "../ops/gradients.js"
import type { Tensor } from "../tensor/tensor.js"
import type { Parameter, TrainingBackend } from "./parameters.js"

export interface OptimizerOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Of matrices; vectors (the gains of norms) never decay. */
  readonly weightDecay: number
  /** Whether the tables of tokens decay as well. */
  readonly decayEmbeddings: boolean
  /** Largest norm of the gradient of the mean loss; 0 clips nothing. */
  readonly clip: number
}

/** The optimizer of a run. Its moments are the parameters' own. */
export class Optimizer {
  readonly #backend: TrainingBackend
  readonly #parameters: readonly Parameter[]
  readonly #options: OptimizerOptions
  readonly #squares: Tensor

  constructor(backend: TrainingBackend, parameters: readonly Parameter[], options: OptimizerOptions) {
    this.#backend = backend
    this.#parameters = parameters
    this.#options = options
    this.#squares = backend.tensor(new Float32Array(1), [1])
  }

  /** `sqrt(sum g^2)` over all parameters, of the gradients as they have been added up. */
  async gradientNorm(): Promise<number> {
    const scope = this.#backend.scope()
    try {
      this.#backend.fill(this.#squares, 0)
      for (const { gradient } of this.#parameters)
        this.#backend.accumulate(this.#squares, this.#backend.squaredNorm(gradient), 1)
      const [squares] = await this.#backend.read(this.#squares)
      return Math.sqrt(squares)
    } finally {
      scope.end()
    }
  }

  /**
   * Moves the parameters and sets the gradients to zero. `norm` is what `gradientNorm` gave, `count` what the loss was
   * summed over: the step is that of the mean. Returns the norm of the mean's gradient before clipping.
   */
  step(number: number, learningRate: number, norm: number, count: number): number {
    const { clip, weightDecay, decayEmbeddings, ...rest } = this.#options
    const mean = norm / count
    const gradientScale = (clip > 0 && mean > clip ? clip / mean : 1) / count
    for (const { shape, isTable, value, gradient, m, v } of this.#parameters) {
      const decays = shape.length > 1 && (decayEmbeddings || !isTable)
      const step: AdamWStep = {
        learningRate,
        beta1: rest.beta1,
        beta2: rest.beta2,
        epsilon: rest.epsilon,
        weightDecay: decays ? weightDecay : 0,
        step: number,
        gradientScale,
      }
      this.#backend.adamW(value, gradient, m, v, step)
      this.#backend.fill(gradient, 0)
    }
    return mean
  }
}
