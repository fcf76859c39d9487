// From a checkpoint of any format to one that llama.cpp (GGUF) or transformers (a Hugging Face folder) loads,
// streamed: names, row order and kind of weight change on the way, a few megabytes at a time.
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { UnsupportedError } from "../errors/index.js"
import type { Checkpoint } from "../formats/checkpoint.js"
import { writeFileAtomically } from "../formats/write-file.js"
import type { GgufValue } from "../formats/gguf-values.js"
import { writeGguf } from "../formats/write-gguf.js"
import { writeSafetensors } from "../formats/write-safetensors.js"
import type { TensorEntry } from "../formats/tensor-file.js"
import { exportGguf, exportTokenizerJson, type Tokenizer } from "../tokenizer/index.js"
import { convertRows, decode, kindEncodings, rowBytes, type WeightKind } from "../weights/index.js"
import { kindFor, layoutOf, readRows, reorder, type Layout, type Source } from "./checkpoint.js"
import type { ModelConfig, RopeScaling } from "./config.js"
import {
  blockName,
  blockTensors,
  hasInterleavedHeads,
  interleave,
  topName,
  type NamedFormat,
} from "./names.js"
import { generationConfigOf, samplingOf, type SamplingDefaults } from "./generation-config.js"
import { inverseFrequencies } from "./rope.js"

export interface ConvertOptions {
  /** What to write: one GGUF file, or a folder as transformers has it. */
  to: "gguf" | "safetensors"
  /** The file or folder; what stands there is replaced only when the new one is complete. */
  path: string
  /** Kind of the matrices; "auto" keeps what the checkpoint has. safetensors holds f32, f16 and bf16 only. */
  weights?: WeightKind | "auto"
  /** Name of the model in GGUF metadata. */
  name?: string
  /** The checkpoint's tokenizer, to be written along in the form of the target. */
  tokenizer?: Tokenizer
  onProgress?: (event: { tensor: string; done: number; total: number }) => void
  signal?: AbortSignal
}

/** A tensor to be written: where it comes from and what it becomes. */
interface Job {
  readonly tensor: TensorEntry
  readonly source: Source
  readonly kind: WeightKind
  /** Row order of each head in the target, where it interleaves them. */
  readonly headOrder: Int32Array | undefined
}

/**
 * Writes the model of a checkpoint in another format or kind. Values are those of the source, except that a change
 * of kind rounds them as `weights/encode.ts` states. Throws UnsupportedError where the target cannot hold the kind.
 */
export async function convertModel(checkpoint: Checkpoint, options: ConvertOptions): Promise<void> {
  const layout = await layoutOf(checkpoint)
  const format = options.to === "gguf" ? "gguf" : "huggingface"
  const jobs = jobsOf(layout, format, options.weights ?? "auto")
  const { kind } = jobs.find((job) => job.source.rows > 1)!
  const files =
    options.to === "safetensors" ? folderFiles(checkpoint, layout, kind, options.tokenizer) : undefined
  const total = jobs.reduce((bytes, job) => bytes + job.tensor.byteLength, 0)
  let done = 0

  const byName = new Map(jobs.map((job) => [job.tensor.name, job]))
  async function* produce(name: string): AsyncGenerator<Uint8Array> {
    const job = byName.get(name)!
    for await (const bytes of converted(checkpoint, job)) {
      options.signal?.throwIfAborted()
      yield bytes
      done += bytes.length
      options.onProgress?.({ tensor: name, done, total })
    }
  }

  if (files) {
    await mkdir(options.path, { recursive: true })
    await writeSafetensors(
      options.path,
      jobs.map((job) => job.tensor),
      produce,
    )
    for (const [file, text] of files) {
      await writeFileAtomically(join(options.path, file), text)
    }
    return
  }
  const entries = jobs.map((job) => job.tensor)
  const divisors = layout.frequencyDivisors ?? frequencyDivisors(layout.config)
  if (divisors)
    entries.unshift({
      name: "rope_freqs.weight",
      shape: [divisors.length],
      encoding: "f32",
      byteLength: divisors.byteLength,
    })
  await writeGguf(
    options.path,
    ggufMetadata(layout.config, {
      ...options,
      template: checkpoint.chatTemplate,
      sampling: samplingOf(checkpoint.generationConfig),
    }),
    entries,
    (name) => (name === "rope_freqs.weight" ? once(new Uint8Array(divisors!.buffer)) : produce(name)),
  )
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function jobsOf(layout: Layout, format: NamedFormat, wanted: WeightKind | "auto"): Job[] {
  const heads = hasInterleavedHeads(format) ? interleave(layout.config.headWidth) : undefined
  const job = (name: string, source: Source, isTable = false, isHeads = false): Job => {
    const kind = source.rows === 1 ? "f32" : kindFor(source, wanted, isTable)
    if (kind === "int8-channel" || (format === "huggingface" && kind.startsWith("int"))) {
      throw new UnsupportedError(
        kind === "int8-channel"
          ? "int8-channel has no place in GGUF; use int8"
          : `a safetensors folder for transformers cannot hold ${kind} weights; use --weights bf16, or write GGUF`,
      )
    }
    const shape = source.rows === 1 ? [source.columns] : [source.rows, source.columns]
    const byteLength = source.rows * rowBytes(kind, source.columns)
    const tensor = { name, shape, encoding: kindEncodings[kind], byteLength }
    return { tensor, source, kind, headOrder: isHeads ? heads : undefined }
  }
  return [
    job(topName(format, "embedding"), layout.embedding, true),
    ...layout.blocks.flatMap((block, layer) =>
      blockTensors.map((tensor) =>
        job(blockName(format, tensor, layer), block[tensor], false, tensor === "query" || tensor === "key"),
      ),
    ),
    job(topName(format, "norm"), layout.norm),
    ...(layout.output ? [job(topName(format, "output"), layout.output, true)] : []),
  ]
}

async function* converted(
  checkpoint: Checkpoint,
  { source, kind, headOrder }: Job,
): AsyncGenerator<Uint8Array> {
  for await (const { rows, bytes } of readRows(checkpoint.tensors, source)) {
    const into = new Uint8Array(rows * rowBytes(kind, source.columns))
    if (kind === "f32") decode(source.entry.encoding, bytes, new Float32Array(into.buffer))
    else convertRows(source.entry.encoding, bytes, kind, source.columns, into)
    if (!headOrder) yield into
    else {
      const reordered = new Uint8Array(into.length)
      reorder(into, rowBytes(kind, source.columns), headOrder, reordered)
      yield reordered
    }
  }
}

/** Unscaled frequency over the model's own, as GGUF's `rope_freqs.weight` has it; undefined without scaling. */
export function frequencyDivisors(config: ModelConfig): Float32Array | undefined {
  if (!config.ropeScaling) return undefined
  const plain = inverseFrequencies({ ...config, ropeScaling: undefined })
  const scaled = inverseFrequencies(config)
  return plain.map((frequency, i) => frequency / scaled[i])
}

/**
 * Scaling parameters for config.json. GGUF keeps only the outcome, so the known sets of Llama 3.1 and 3.2 are tried
 * against it.
 */
function scalingOf(layout: Pick<Layout, "config" | "frequencyDivisors">): RopeScaling | undefined {
  const { config, frequencyDivisors: divisors } = layout
  if (!divisors) return config.ropeScaling
  const plain = inverseFrequencies(config)
  for (const factor of [32, 8, 16, 4]) {
    const scaling = { factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192 }
    const scaled = inverseFrequencies({ ...config, ropeScaling: scaling })
    if (scaled.every((frequency, i) => Math.abs((frequency * divisors[i]) / plain[i] - 1) < 1e-5))
      return scaling
  }
  throw new UnsupportedError(
    "the rotary divisors of this GGUF file are those of no Llama 3 scaling: write GGUF instead",
  )
}

/** The metadata that llama.cpp needs to load a Llama model, tokenizer and chat template included. */
export function ggufMetadata(
  config: ModelConfig,
  parts: {
    name?: string
    tokenizer?: Tokenizer
    template?: string
    sampling?: SamplingDefaults
    weights?: WeightKind | "auto"
  },
): Map<string, GgufValue> {
  const u32 = (value: number): GgufValue => ({ type: "uint32", value })
  const f32 = (value: number): GgufValue => ({ type: "float32", value })
  const text = (value: string): GgufValue => ({ type: "string", value })
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", text("llama")],
    ["general.name", text(parts.name ?? "Llama")],
    ["general.quantization_version", u32(2)],
    ["llama.context_length", u32(config.contextLength)],
    ["llama.embedding_length", u32(config.width)],
    ["llama.block_count", u32(config.layers)],
    ["llama.feed_forward_length", u32(config.feedForwardWidth)],
    ["llama.attention.head_count", u32(config.queryHeads)],
    ["llama.attention.head_count_kv", u32(config.kvHeads)],
    ["llama.attention.key_length", u32(config.headWidth)],
    ["llama.attention.value_length", u32(config.headWidth)],
    ["llama.attention.layer_norm_rms_epsilon", f32(config.normEpsilon)],
    ["llama.rope.freq_base", f32(config.ropeTheta)],
    ["llama.rope.dimension_count", u32(config.headWidth)],
    ["llama.vocab_size", u32(config.vocabularySize)],
  ])
  if (parts.tokenizer) addTokenizer(metadata, parts.tokenizer)
  else metadata.set("tokenizer.ggml.model", text("no_vocab"))
  if (config.bos !== undefined) metadata.set("tokenizer.ggml.bos_token_id", u32(config.bos))
  const stops = ["eos", "eot", "eom"]
  config.stopTokens
    .slice(0, 3)
    .forEach((id, i) => metadata.set(`tokenizer.ggml.${stops[i]}_token_id`, u32(id)))
  if (parts.template) metadata.set("tokenizer.chat_template", text(parts.template))
  const { temperature, topP } = parts.sampling ?? {}
  if (temperature !== undefined) metadata.set("general.sampling.temp", f32(temperature))
  if (topP !== undefined) metadata.set("general.sampling.top_p", f32(topP))
  return metadata
}

function addTokenizer(metadata: Map<string, GgufValue>, tokenizer: Tokenizer): void {
  const { model, pre, tokens, tokenTypes, merges, scores, bos, eos, addsBos, addsSpacePrefix } =
    exportGguf(tokenizer)
  const set = (key: string, value: GgufValue) => metadata.set(`tokenizer.ggml.${key}`, value)
  set("model", { type: "string", value: model })
  if (pre !== undefined) set("pre", { type: "string", value: pre })
  set("tokens", { type: "array", of: "string", value: tokens })
  set("token_type", { type: "array", of: "int32", value: tokenTypes })
  if (merges) set("merges", { type: "array", of: "string", value: merges })
  if (scores) set("scores", { type: "array", of: "float32", value: scores })
  if (bos !== undefined) set("bos_token_id", { type: "uint32", value: bos })
  if (eos !== undefined) set("eos_token_id", { type: "uint32", value: eos })
  set("add_bos_token", { type: "bool", value: addsBos })
  set("add_space_prefix", { type: "bool", value: addsSpacePrefix })
}

/** config.json of transformers for these numbers. `dtype` is that of the matrices. */
export function huggingFaceConfig(config: ModelConfig, dtype: "float32" | "float16" | "bfloat16"): object {
  const scaling = config.ropeScaling
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: config.width,
    num_hidden_layers: config.layers,
    num_attention_heads: config.queryHeads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headWidth,
    intermediate_size: config.feedForwardWidth,
    vocab_size: config.vocabularySize,
    rms_norm_eps: config.normEpsilon,
    max_position_embeddings: config.contextLength,
    tie_word_embeddings: config.tiedEmbeddings,
    attention_bias: false,
    mlp_bias: false,
    hidden_act: "silu",
    rope_theta: config.ropeTheta,
    rope_scaling: scaling
      ? {
          rope_type: "llama3",
          factor: scaling.factor,
          low_freq_factor: scaling.lowFrequencyFactor,
          high_freq_factor: scaling.highFrequencyFactor,
          original_max_position_embeddings: scaling.originalContextLength,
        }
      : null,
    bos_token_id: config.bos ?? null,
    eos_token_id: config.stopTokens.length === 1 ? config.stopTokens[0] : [...config.stopTokens],
    torch_dtype: dtype,
  }
}

/** The files of a transformers folder beside the weights, config.json first, by their names. */
export function folderFiles(
  checkpoint: Checkpoint,
  layout: Pick<Layout, "config" | "frequencyDivisors">,
  kind: WeightKind,
  tokenizer: Tokenizer | undefined,
): Map<string, string> {
  const dtype = kind === "bf16" ? "bfloat16" : kind === "f16" ? "float16" : "float32"
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`
  const config = { ...layout.config, ropeScaling: scalingOf(layout) }
  const files = new Map([["config.json", json(huggingFaceConfig(config, dtype))]])
  files.set("generation_config.json", json(generationConfigOf(layout.config, checkpoint.generationConfig)))
  if (checkpoint.tokenizer?.kind === "tokenizer.json") files.set("tokenizer.json", checkpoint.tokenizer.text)
  else if (tokenizer) files.set("tokenizer.json", json(exportTokenizerJson(tokenizer)))
  if (checkpoint.chatTemplate) files.set("chat_template.jinja", checkpoint.chatTemplate)
  return files
}
