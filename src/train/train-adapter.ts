// A frozen model with low-rank updates as its parameters (Hu et al. 2021): A starts as small random numbers, B as zeros, so
// that training begins with the model as it is.
import {
  type AdapterForm,
  factorName,
  type LowRank,
  targetShape,
  targetWeight,
  withAdapter,
} from "../adapters/index.js"
import type { Model } from "../model/llama.js"
import type { Weight } from "../ops/ops.js"
import type { Shape } from "../tensor/tensor.js"
import { normal } from "./initialize.js"
import { createParameter, type Parameter, type ParameterValues, type TrainingBackend } from "./parameters.js"
import { headForm, type TensorForm, type Trainable } from "./trainable.js"

/** The factors of an adapter, in the order of their numbers for the initializer. */
export function adapterForms(model: Model, { rank, targets }: AdapterForm): TensorForm[] {
  return model.blocks.flatMap((_, layer) =>
    targets.flatMap((target) => {
      const [N, K] = targetShape(target, model.config)
      const form = (factor: "A" | "B", shape: Shape): TensorForm => {
        return { name: factorName(target, layer, factor), shape, isTable: false }
      }
      return [form("A", [rank, K]), form("B", [N, rank])]
    }),
  )
}

/** First values: A uniform in effect like PEFT's, here normal with deviation `1 / sqrt(3 K)`; B zero. */
export function newFactor({ name, shape }: TensorForm, number: number, seed: number): Float32Array {
  const [rows, columns] = shape
  if (name.endsWith(".lora_B.weight")) return new Float32Array(rows * columns)
  return normal(shape, 1 / Math.sqrt(3 * columns), seed, number)
}

/** `model` is frozen; its updates are parameters, and the head of a reward model where it has one. */
export function trainAdapter(
  backend: TrainingBackend,
  model: Model,
  form: AdapterForm,
  valuesOf: (form: TensorForm) => ParameterValues,
  hasHead = false,
): Trainable {
  const forms = [...adapterForms(model, form), ...(hasHead ? [headForm(model.config)] : [])]
  const parameters = forms.map((form) => createParameter(backend, form.name, form.shape, valuesOf(form)))
  const byName = new Map<string, Parameter>(parameters.map((parameter) => [parameter.name, parameter]))
  const scale = form.alpha / form.rank
  return {
    config: model.config,
    parameters,
    bind(ops) {
      const weight = (name: string): Weight => ops.weight(byName.get(name)!.value)
      const updates = new Map<Weight, LowRank>()
      for (const [layer, block] of model.blocks.entries()) {
        for (const target of form.targets) {
          const [a, b] = [weight(factorName(target, layer, "A")), weight(factorName(target, layer, "B"))]
          updates.set(targetWeight(block, target), { a, b, scale })
        }
      }
      const head = hasHead ? weight(headForm(model.config).name) : undefined
      return { model, ops: withAdapter(ops, updates), head }
    },
  }
}
