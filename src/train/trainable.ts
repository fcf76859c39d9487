// A model that can be trained: which tensors of it are parameters, and how they become the weights of one step's forward
// pass. Full training has all of them; adapters.ts has low-rank updates of a frozen model.
import type { ModelConfig } from "../model/config.js"
import type { Block, Model } from "../model/llama.js"
import { blockName, type BlockTensor, blockTensors, topName, type TopTensor } from "../model/names.js"
import { inverseFrequencies } from "../model/rope.js"
import type { WeightOps } from "../ops/gradients.js"
import type { Ops, Weight } from "../ops/ops.js"
import type { Shape, Tensor } from "../tensor/tensor.js"
import { createParameter, type Parameter, type ParameterValues, type TrainingBackend } from "./parameters.js"

/** The model of one step: valid until the step's scope ends. */
export interface BoundModel {
  readonly model: Model
  /** What the model is run with: the operations it was bound to, with adapters where it has some. */
  readonly ops: Ops
  /** [1, D]: the head of a reward model. */
  readonly head?: Weight
}

export interface Trainable {
  readonly config: ModelConfig
  readonly parameters: readonly Parameter[]
  /** The model with the parameters as they are now. */
  bind(ops: WeightOps): BoundModel
}

/** Name, shape and role of a tensor of a model. */
export interface TensorForm {
  readonly name: string
  readonly shape: Shape
  readonly isTable: boolean
}

/** All tensors of a model as transformers names them, in the order of their numbers for the initializer. */
export function tensorForms(config: ModelConfig): TensorForm[] {
  const { width: D, headWidth: E, feedForwardWidth: F, vocabularySize: V } = config
  const [X, Y] = [config.queryHeads * E, config.kvHeads * E]
  const shapes: Record<BlockTensor, Shape> = {
    attentionNorm: [D],
    query: [X, D],
    key: [Y, D],
    value: [Y, D],
    attentionOutput: [D, X],
    feedForwardNorm: [D],
    gate: [F, D],
    up: [F, D],
    down: [D, F],
  }
  const top = (tensor: TopTensor, shape: Shape, isTable: boolean): TensorForm => ({
    name: topName("huggingface", tensor),
    shape,
    isTable,
  })
  return [
    top("embedding", [V, D], true),
    ...Array.from({ length: config.layers }, (_, layer) =>
      blockTensors.map((tensor): TensorForm => {
        return { name: blockName("huggingface", tensor, layer), shape: shapes[tensor], isTable: false }
      }),
    ).flat(),
    top("norm", [D], false),
    ...(config.tiedEmbeddings ? [] : [top("output", [V, D], true)]),
  ]
}

/** The head of a reward model, as transformers names that of a sequence classifier. */
export const headForm = ({ width }: Pick<ModelConfig, "width">): TensorForm => ({
  name: "score.weight",
  shape: [1, width],
  isTable: false,
})

/** Every tensor of the model is a parameter, and its head where it has one. `valuesOf` gives first values. */
export function trainWhole(
  backend: TrainingBackend,
  config: ModelConfig,
  valuesOf: (form: TensorForm) => ParameterValues,
  hasHead = false,
): Trainable {
  const forms = [...tensorForms(config), ...(hasHead ? [headForm(config)] : [])]
  const parameters = forms.map((form) =>
    createParameter(backend, form.name, form.shape, valuesOf(form), form.isTable),
  )
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]))
  const frequencies = inverseFrequencies(config)
  return {
    config,
    parameters,
    bind(ops) {
      const gain = (name: string): Tensor => byName.get(name)!.value
      const weight = (name: string): Weight => ops.weight(gain(name))
      const top = (tensor: TopTensor) => topName("huggingface", tensor)
      const embedding = weight(top("embedding"))
      const blocks = Array.from({ length: config.layers }, (_, layer): Block => {
        const name = (tensor: BlockTensor) => blockName("huggingface", tensor, layer)
        return {
          attentionNorm: gain(name("attentionNorm")),
          attention: {
            query: weight(name("query")),
            key: weight(name("key")),
            value: weight(name("value")),
            output: weight(name("attentionOutput")),
          },
          feedForwardNorm: gain(name("feedForwardNorm")),
          feedForward: {
            gate: weight(name("gate")),
            up: weight(name("up")),
            down: weight(name("down")),
          },
        }
      })
      const norm = gain(top("norm"))
      const output = config.tiedEmbeddings ? embedding : weight(top("output"))
      const model = { config, frequencies, embedding, blocks, norm, output }
      return { model, ops, head: hasHead ? weight(headForm(config).name) : undefined }
    },
  }
}
