// Reverse-mode differentiation (Linnainmaa 1970): a tape is the operations of the model, and remembers for each call
// how a gradient of its result becomes gradients of its operands. It knows nothing of models, losses or optimizers.
import type { Backend } from "../backends/backend.js"
import { UnsupportedError } from "../errors/errors.js"
import type { ScoringOps, WeightOps } from "../ops/gradients.js"
import type { PageStore, SequenceRows, Weight } from "../ops/ops.js"
import { elements, type Shape, type Tensor } from "../tensor/tensor.js"

/** For each parameter (the values of a matrix, a norm's gain) the tensor that its gradient is added into. */
export type Gradients = ReadonlyMap<Tensor, Tensor>

/** A tensor of the tape, and the gradient of the loss with respect to it. */
export type Seed = readonly [tensor: Tensor, gradient: Tensor]

/** One call: its result, and its backward. */
interface Call {
  readonly result: Tensor
  readonly backward: (dy: Tensor) => void
}

/** Calls of the backward after which memory is given back: about those of a block. */
const stretchCalls = 16

/**
 * Starts a tape. Gradients flow to the parameters of `gradients` (to matrices through `Tape.weight`) and to `inputs`;
 * what depends on none of them is computed, but not recorded.
 */
export const recording = (ops: Backend, gradients: Gradients, inputs: readonly Tensor[] = []): Tape =>
  new Tape(ops, gradients, inputs)

export class Tape implements WeightOps, ScoringOps {
  readonly #ops: Backend
  readonly #gradients: Gradients
  readonly #inputs: readonly Tensor[]
  /** What gradients flow to. */
  readonly #differentiable: Set<Weight | Tensor>
  /** Where the gradients of weights made from parameters go. */
  readonly #weightGradients = new Map<Weight, Tensor>()
  #calls: Call[] = []
  /** False in the forward pass of a checkpoint. */
  #recording = true
  /** Gradients that the backward has met and not yet passed on. */
  readonly #pending = new Map<Tensor, Tensor>()

  constructor(ops: Backend, gradients: Gradients, inputs: readonly Tensor[]) {
    this.#ops = ops
    this.#gradients = gradients
    this.#inputs = inputs
    this.#differentiable = new Set([...gradients.keys(), ...inputs])
  }

  /**
   * Adds the gradients of the loss into `gradients` and returns those of `inputs`; the tape is empty afterwards. The
   * loss, and from it the seeds, are made with the backend's own operations.
   */
  backward(seeds: readonly Seed[]): Tensor[] {
    for (const [tensor, gradient] of seeds) this.#flow(tensor, gradient)
    this.#walk()
    const gradients = this.#inputs.map((input) => this.#pending.get(input) ?? this.#zeros(input.shape))
    this.#pending.clear()
    return gradients
  }

  /**
   * Runs part of a model and forgets what it made on the way; the backward runs it a second time, recorded (Chen et
   * al. 2016). The values and gradients are the same, bit for bit.
   */
  readonly checkpoint = (part: (x: Tensor) => Tensor, x: Tensor): Tensor => {
    const outer = this.#recording
    this.#recording = false
    const [y] = this.#scoped(() => [part(x)])
    this.#recording = outer
    return this.#record(y, [x, y], (dy) => {
      const calls = this.#calls
      this.#calls = []
      this.#scoped(() => {
        this.#flow(part(x), dy)
        this.#walk()
        return this.#pending.values()
      })
      this.#calls = calls
    })
  }

  // The operations of the model, each with its backward.

  tensor(values: Float32Array, shape: Shape): Tensor {
    return this.#ops.tensor(values, shape)
  }

  /** As the backend's. Its gradient goes to that of `x` where x is a parameter; otherwise it is a constant. */
  weight(x: Tensor): Weight {
    const weight = this.#ops.weight(x)
    const into = this.#gradients.get(x)
    if (into) {
      this.#weightGradients.set(weight, into)
      this.#differentiable.add(weight)
    }
    return weight
  }

  embedding(table: Weight, ids: Int32Array): Tensor {
    return this.#record(this.#ops.embedding(table, ids), [table], (dy) =>
      this.#ops.embeddingGradient(dy, ids, this.#weightGradients.get(table)!),
    )
  }

  linear(x: Tensor, weight: Weight): Tensor {
    return this.#record(this.#ops.linear(x, weight), [x, weight], (dy) => {
      const into = this.#weightGradients.get(weight)
      if (into) this.#ops.linearWeightGradient(dy, x, into)
      if (this.#differentiable.has(x)) this.#flow(x, this.#ops.linearInputGradient(dy, weight))
    })
  }

  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor {
    return this.#record(this.#ops.rmsNorm(x, gain, epsilon), [x, gain], (dy) =>
      this.#flow(x, this.#ops.rmsNormGradient(dy, x, gain, epsilon, this.#gradients.get(gain))),
    )
  }

  rope(x: Tensor, rotation: Tensor): Tensor {
    return this.#record(this.#ops.rope(x, rotation), [x], (dy) =>
      this.#flow(x, this.#ops.ropeGradient(dy, rotation)),
    )
  }

  attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    sequences: readonly SequenceRows[],
    headWidth: number,
    cache?: { readonly pages: PageStore; readonly layer: number },
  ): Tensor {
    if (cache) throw new UnsupportedError("attention through a cache has no gradient: leave the cache out")
    const y = this.#ops.attention(query, key, value, sequences, headWidth)
    return this.#record(y, [query, key, value], (dy) => {
      const gradients = this.#ops.attentionGradient(dy, query, key, value, y, sequences, headWidth)
      this.#flow(query, gradients.query)
      this.#flow(key, gradients.key)
      this.#flow(value, gradients.value)
    })
  }

  swiGlu(gate: Tensor, up: Tensor): Tensor {
    return this.#record(this.#ops.swiGlu(gate, up), [gate, up], (dy) => {
      const gradients = this.#ops.swiGluGradient(dy, gate, up)
      this.#flow(gate, gradients.gate)
      this.#flow(up, gradients.up)
    })
  }

  add(x: Tensor, y: Tensor, scale = 1): Tensor {
    return this.#record(this.#ops.add(x, y, scale), [x, y], (dy) => {
      this.#flow(x, dy)
      if (this.#differentiable.has(y)) this.#flow(y, scale === 1 ? dy : this.#ops.scale(dy, scale))
    })
  }

  rows(x: Tensor, indices: Int32Array): Tensor {
    return this.#record(this.#ops.rows(x, indices), [x], (dy) =>
      this.#flow(x, this.#ops.rowsGradient(dy, indices, x.shape[0])),
    )
  }

  logProbabilities(logits: Tensor, targets: Int32Array): Tensor {
    return this.#record(this.#ops.logProbabilities(logits, targets), [logits], (dy) =>
      this.#flow(logits, this.#ops.logProbabilitiesGradient(dy, logits, targets)),
    )
  }

  #record(result: Tensor, operands: readonly (Weight | Tensor)[], backward: Call["backward"]): Tensor {
    if (operands.some((operand) => this.#differentiable.has(operand))) {
      this.#differentiable.add(result)
      if (this.#recording) this.#calls.push({ result, backward })
    }
    return result
  }

  /** Adds to the gradient of a tensor: a parameter's is kept by the caller, others wait until their own call is reached. */
  #flow(to: Tensor, gradient: Tensor): void {
    if (!this.#differentiable.has(to)) return
    const into = this.#gradients.get(to)
    const before = this.#pending.get(to)
    if (into) this.#ops.accumulate(into, gradient, 1)
    else this.#pending.set(to, before ? this.#ops.add(before, gradient) : gradient)
  }

  /** Goes back through the calls; of what a stretch of them makes, only the pending gradients stay. */
  #walk(): void {
    while (this.#calls.length > 0) {
      this.#scoped(() => {
        for (const { result, backward } of this.#calls.splice(-stretchCalls).toReversed()) {
          const gradient = this.#pending.get(result)
          this.#pending.delete(result)
          if (gradient) backward(gradient)
        }
        return this.#pending.values()
      })
    }
  }

  /** Runs some work in a scope of its own, which keeps what the work returns. */
  #scoped(work: () => Iterable<Tensor>): Tensor[] {
    const scope = this.#ops.scope()
    let kept: Tensor[] = []
    try {
      kept = [...work()]
    } finally {
      scope.end(kept)
    }
    return kept
  }

  #zeros(shape: Shape): Tensor {
    return this.#ops.tensor(new Float32Array(elements(shape)), shape)
  }
}
