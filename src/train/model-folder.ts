// A model in training as a folder that transformers and every command of Cria load (Node only).
import { join } from "node:path"
import { writeFileAtomically } from "../formats/write-file.js"
import { writeSafetensors } from "../formats/write-safetensors.js"
import type { ModelConfig } from "../model/config.js"
import { huggingFaceConfig } from "../model/convert.js"
import { generationConfigOf, type SamplingDefaults } from "../model/generation-config.js"
import { elements, type Shape } from "../tensor/tensor.js"
import { encodeRows, kindEncodings, rowBytes } from "../weights/index.js"

export type SavedKind = "f32" | "bf16" | "f16"

/** A tensor to be written; its values are asked for when its turn comes. */
export interface NamedTensor {
  readonly name: string
  readonly shape: Shape
  readonly read: () => Promise<Float32Array>
}

/** What a folder holds beside the weights. */
export interface ModelFiles {
  readonly config: ModelConfig
  /** Text of tokenizer.json. */
  readonly tokenizer: string | undefined
  readonly chatTemplate: string | undefined
  /** Parsed generation_config.json of the model that training began with. */
  readonly generationConfig?: unknown
  /** What is recommended instead. */
  readonly sampling?: SamplingDefaults | undefined
}

/** Writes tensors to one safetensors file; vectors stay f32. */
export function writeTensors(path: string, tensors: readonly NamedTensor[], kind: SavedKind): Promise<void> {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const kindOf = ({ shape }: NamedTensor) => (shape.length === 1 ? "f32" : kind)
  const entries = tensors.map((tensor) => ({
    name: tensor.name,
    shape: [...tensor.shape],
    encoding: kindEncodings[kindOf(tensor)],
    byteLength: rowBytes(kindOf(tensor), elements(tensor.shape)),
  }))
  return writeSafetensors(path, entries, async function* (name) {
    const tensor = byName.get(name)!
    const values = await tensor.read()
    const bytes = new Uint8Array(rowBytes(kindOf(tensor), values.length))
    encodeRows(kindOf(tensor), values, values.length, bytes)
    yield bytes
  })
}

/** Writes config.json, generation_config.json, tokenizer.json and chat_template.jinja. A reward model is one with a head. */
export async function writeModelFiles(
  folder: string,
  files: ModelFiles,
  kind: SavedKind,
  hasHead = false,
): Promise<void> {
  const { config, tokenizer, chatTemplate, generationConfig, sampling } = files
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`
  const dtype = { f32: "float32", bf16: "bfloat16", f16: "float16" } as const
  const generation = generationConfigOf(config, generationConfig, sampling)
  const classifier = { architectures: ["LlamaForSequenceClassification"], num_labels: 1 }
  const written = { ...huggingFaceConfig(config, dtype[kind]), ...(hasHead ? classifier : {}) }
  await writeFileAtomically(join(folder, "config.json"), json(written))
  await writeFileAtomically(join(folder, "generation_config.json"), json(generation))
  if (tokenizer !== undefined) await writeFileAtomically(join(folder, "tokenizer.json"), tokenizer)
  if (chatTemplate !== undefined) await writeFileAtomically(join(folder, "chat_template.jinja"), chatTemplate)
}
