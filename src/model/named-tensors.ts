// A model as a list of named tensors, and back: for those who keep models in a form of their own.
import type { Weight } from "../ops/ops.js"
import type { Tensor } from "../tensor/tensor.js"
import type { ModelConfig } from "./config.js"
import type { Block, Model } from "./llama.js"

/** Where the tensors of a model come from; names are those of `namedTensors`. */
export interface TensorSource {
  matrix(name: string, rows: number, columns: number): Weight
  vector(name: string, columns: number): Tensor
}

/** Every matrix and vector of a model once. */
export function namedTensors(model: Model): { matrices: Map<string, Weight>; vectors: Map<string, Tensor> } {
  const matrices = new Map([["embedding", model.embedding]])
  const vectors = new Map([["norm", model.norm]])
  if (model.output !== model.embedding) matrices.set("output", model.output)
  model.blocks.forEach(({ attention, attentionNorm, feedForward, feedForwardNorm }, layer) => {
    vectors.set(`${layer}.attentionNorm`, attentionNorm)
    vectors.set(`${layer}.feedForwardNorm`, feedForwardNorm)
    for (const [name, weight] of Object.entries({ ...attention, ...feedForward }))
      matrices.set(`${layer}.${name}`, weight)
  })
  return { matrices, vectors }
}

/** The model that these tensors are. */
export function modelOfTensors(config: ModelConfig, frequencies: Float32Array, from: TensorSource): Model {
  const { width: D, headWidth: E, feedForwardWidth: F, vocabularySize: V } = config
  const [X, Y] = [config.queryHeads * E, config.kvHeads * E]
  const block = (layer: number): Block => ({
    attentionNorm: from.vector(`${layer}.attentionNorm`, D),
    attention: {
      query: from.matrix(`${layer}.query`, X, D),
      key: from.matrix(`${layer}.key`, Y, D),
      value: from.matrix(`${layer}.value`, Y, D),
      output: from.matrix(`${layer}.output`, D, X),
    },
    feedForwardNorm: from.vector(`${layer}.feedForwardNorm`, D),
    feedForward: {
      gate: from.matrix(`${layer}.gate`, F, D),
      up: from.matrix(`${layer}.up`, F, D),
      down: from.matrix(`${layer}.down`, D, F),
    },
  })
  const embedding = from.matrix("embedding", V, D)
  return {
    config,
    frequencies,
    embedding,
    blocks: Array.from({ length: config.layers }, (_, layer) => block(layer)),
    norm: from.vector("norm", D),
    output: config.tiedEmbeddings ? embedding : from.matrix("output", V, D),
  }
}
