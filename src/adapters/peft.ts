// Adapters in the format of Hugging Face's PEFT: adapter_config.json beside adapter_model.safetensors. What that format can
// say beyond plain LoRA is refused, never left out silently.
import * as z from "zod"
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { readBytes } from "../formats/byte-source.js"
import type { ModelFolder } from "../formats/folder.js"
import { parseJsonObject } from "../formats/json.js"
import { openSafetensors } from "../formats/safetensors.js"
import type { TensorFile } from "../formats/tensor-file.js"
import type { ModelConfig } from "../model/config.js"
import { decode } from "../weights/index.js"
import { type AdapterTarget, adapterTargets, factorName, moduleName, targetShape } from "./targets.js"

export const adapterConfigName = "adapter_config.json"
export const adapterTensorsName = "adapter_model.safetensors"
const maxConfigBytes = 2 ** 20
const maxRank = 4096

/** What there is to know of an adapter beside its factors. */
export interface AdapterForm {
  readonly rank: number
  readonly alpha: number
  readonly targets: readonly AdapterTarget[]
}

/** An update of a weight on its way: `scale * b a`. */
export interface AdapterFactors {
  readonly target: AdapterTarget
  readonly layer: number
  readonly rank: number
  readonly scale: number
  /** [rank, K] and [N, rank], row by row. */
  readonly a: Float32Array
  readonly b: Float32Array
}

const empty = z.union([z.null(), z.array(z.unknown()).length(0), z.strictObject({})])
const configSchema = z.object({
  peft_type: z.literal("LORA", "is no LoRA"),
  r: z.number().int().positive().max(maxRank),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  base_model_name_or_path: z.string().nullish(),
  use_rslora: z.boolean().default(false),
  use_dora: z.literal(false, "DoRA is not done here").default(false),
  bias: z.literal("none", "biases are not done here").default("none"),
  fan_in_fan_out: z.literal(false, "transposed weights are not done here").default(false),
  modules_to_save: empty.nullish(),
  rank_pattern: empty.nullish(),
  alpha_pattern: empty.nullish(),
  lora_bias: z.literal(false).default(false),
})

/** adapter_config.json of an adapter. */
export const adapterConfig = ({ rank, alpha, targets }: AdapterForm, base: string): object => ({
  peft_type: "LORA",
  task_type: "CAUSAL_LM",
  base_model_name_or_path: base,
  r: rank,
  lora_alpha: alpha,
  target_modules: targets.map(moduleName),
  lora_dropout: 0,
  bias: "none",
  fan_in_fan_out: false,
  use_rslora: false,
  use_dora: false,
  modules_to_save: null,
  inference_mode: true,
})

/**
 * Reads an adapter for a model of this config. InvalidFileError where it is damaged or of another model, UnsupportedError
 * for forms beyond plain LoRA, ModelNotFoundError where the folder holds none.
 */
export async function readAdapter(folder: ModelFolder, config: ModelConfig): Promise<AdapterFactors[]> {
  const names = await folder.names()
  if (!names.has(adapterConfigName))
    throw new InvalidFileError(`${folder.path} holds no adapter: ${adapterConfigName} is not there`)
  const source = await folder.open(adapterConfigName)
  const path = folder.pathOf(adapterConfigName)
  const bytes = await readBytes(source, 0, Math.min(source.size, maxConfigBytes), adapterConfigName)
  await source.close()
  const raw = parseJsonObject(bytes, path)
  const parsed = configSchema.safeParse(raw)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new UnsupportedError(`${path}: ${issue.path.join(".")}: ${issue.message}`)
  }
  const { r, lora_alpha: alpha, use_rslora: stabilized } = parsed.data
  const scale = stabilized ? alpha / Math.sqrt(r) : alpha / r
  const tensors = await openSafetensors(await folder.open(adapterTensorsName))
  try {
    return await readFactors(tensors, config, r, scale, folder.pathOf(adapterTensorsName))
  } finally {
    await tensors.close()
  }
}

async function readFactors(
  tensors: TensorFile,
  config: ModelConfig,
  rank: number,
  scale: number,
  path: string,
): Promise<AdapterFactors[]> {
  const left = new Set(tensors.tensors.keys())
  const factors: AdapterFactors[] = []
  for (let layer = 0; layer < config.layers; layer++) {
    for (const target of adapterTargets) {
      const [a, b] = [factorName(target, layer, "A"), factorName(target, layer, "B")]
      if (!left.delete(a)) continue
      left.delete(b)
      const [N, K] = targetShape(target, config)
      factors.push({
        target,
        layer,
        rank,
        scale,
        a: await readFactor(tensors, a, [rank, K], path),
        b: await readFactor(tensors, b, [N, rank], path),
      })
    }
  }
  const [unknown] = left
  if (unknown !== undefined)
    throw new InvalidFileError(
      `${path}: the tensor ${unknown.slice(0, 200)} belongs to no weight of this model that can have an adapter: it was made for another model`,
    )
  if (factors.length === 0) throw new InvalidFileError(`${path} holds no factors of an adapter`)
  return factors
}

async function readFactor(
  tensors: TensorFile,
  name: string,
  shape: readonly number[],
  path: string,
): Promise<Float32Array> {
  const entry = tensors.tensors.get(name)
  if (!entry) throw new InvalidFileError(`${path}: the tensor ${name} is missing`)
  if (entry.shape.join() !== shape.join())
    throw new InvalidFileError(
      `${path}: ${name} is [${entry.shape.join(", ")}], but for this model it has to be [${shape.join(", ")}]`,
    )
  const bytes = new Uint8Array(entry.byteLength)
  await tensors.read(name, 0, bytes)
  const values = new Float32Array(shape[0] * shape[1])
  decode(entry.encoding, bytes, values)
  return values
}
