// What a run changes: named tensors in float32 with their gradients and the two moments of AdamW. They live outside any
// scope, so on the backend until it is disposed. Which of them a model has is the business of `trainable.ts`.
import type { Backend } from "../backends/backend.js"
import type { GradientOps } from "../ops/gradients.js"
import { elements, type Shape, type Tensor } from "../tensor/tensor.js"

/** A backend that can train. */
export type TrainingBackend = Backend & GradientOps

export interface Parameter {
  /** As transformers names it, or PEFT where it belongs to an adapter. */
  readonly name: string
  /** [N, K] or [D]. */
  readonly shape: Shape
  readonly value: Tensor
  readonly gradient: Tensor
  readonly m: Tensor
  readonly v: Tensor
  /** Tables of tokens: the embedding and an output layer of its own. */
  readonly isTable: boolean
}

/** What a checkpoint keeps of a parameter. */
export interface ParameterValues {
  readonly value: Float32Array
  readonly m?: Float32Array
  readonly v?: Float32Array
}

/** A parameter with these values; the gradient is zero, and so are moments that are not given. */
export function createParameter(
  backend: TrainingBackend,
  name: string,
  shape: Shape,
  { value, m, v }: ParameterValues,
  isTable = false,
): Parameter {
  const zeros = m && v ? undefined : new Float32Array(elements(shape))
  return {
    name,
    shape,
    value: backend.tensor(value, shape),
    gradient: backend.tensor(zeros ?? new Float32Array(elements(shape)), shape),
    m: backend.tensor(m ?? zeros!, shape),
    v: backend.tensor(v ?? zeros!, shape),
    isTable,
  }
}

export const countParameters = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + elements(shape), 0)
