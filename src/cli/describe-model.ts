// What is known of a model without loading it: its numbers, its weights in the file and in memory, the cache that
// a context takes. Plain data; how it looks, info.ts knows.
import { chatFormatOf } from "../chat/index.js"
import { readTokenizer } from "../engine/load-model.js"
import type { Checkpoint } from "../formats/node.js"
import type { ModelConfig } from "../model/config.js"
import { kindFor, layoutOf, sourcesOf, type Layout, type Source } from "../model/checkpoint.js"
import { pageBytes } from "../ops/ops.js"
import { rowBytes, type Encoding, type WeightKind } from "../weights/index.js"

export interface ModelFacts {
  readonly path: string
  readonly format: Checkpoint["format"]
  readonly name: string | undefined
  readonly parameters: number
  readonly config: ModelConfig
  /** The file brings divisors of the rotary frequencies instead of the rule that they come from. */
  readonly hasFrequencyDivisors: boolean
  /** Bytes of each encoding in the file. */
  readonly weightsInFile: Readonly<Partial<Record<Encoding, number>>>
  /** Bytes of each kind once loaded. */
  readonly weightsInMemory: Readonly<Partial<Record<WeightKind, number>>>
  readonly memory: {
    readonly weightBytes: number
    readonly cacheBytesPerToken: number
    readonly contextLength: number
    /** The cache of one conversation that fills `contextLength`. */
    readonly cacheBytes: number
    readonly totalBytes: number
  }
  readonly tokenizer:
    | { readonly kind: string; readonly size: number; readonly specialTokens: number }
    | undefined
  /** "template": the model brings one; "llama3": its tokens without one; "none": a base model. */
  readonly chat: "template" | "llama3" | "none"
  readonly licence: string | undefined
}

/** Contexts of 131072 tokens are seldom wanted: this one is counted unless another is asked for. */
const usualContext = 8192

export async function describeModel(
  checkpoint: Checkpoint,
  weights: WeightKind | "auto",
  contextLength?: number,
): Promise<ModelFacts> {
  const layout = await layoutOf(checkpoint)
  const { config } = layout
  const sources = sourcesOf(layout)
  const weightsInFile: Partial<Record<Encoding, number>> = {}
  const weightsInMemory: Partial<Record<WeightKind, number>> = {}
  let weightBytes = 0
  for (const source of sources) {
    const { encoding, byteLength } = source.entry
    weightsInFile[encoding] = (weightsInFile[encoding] ?? 0) + byteLength
    const kind = kindInMemory(source, layout, weights)
    const size = source.rows * rowBytes(kind, source.columns)
    weightsInMemory[kind] = (weightsInMemory[kind] ?? 0) + size
    weightBytes += size
  }
  const { layers, kvHeads, headWidth } = config
  const cacheBytesPerToken = pageBytes({
    layers,
    kvHeads,
    headWidth,
    pageTokens: 1,
    capacity: 1,
    dtype: "f16",
  })
  const counted = contextLength ?? Math.min(config.contextLength, usualContext)
  const tokenizer = checkpoint.tokenizer && readTokenizer(checkpoint)
  const speaksLlama3 = tokenizer !== undefined && chatFormatOf(tokenizer) !== undefined
  return {
    path: checkpoint.path,
    format: checkpoint.format,
    name: text(checkpoint.tensors.metadata.get("general.name")),
    parameters: sources.reduce((sum, source) => sum + source.rows * source.columns, 0),
    config,
    hasFrequencyDivisors: layout.frequencyDivisors !== undefined,
    weightsInFile,
    weightsInMemory,
    memory: {
      weightBytes,
      cacheBytesPerToken,
      contextLength: counted,
      cacheBytes: cacheBytesPerToken * counted,
      totalBytes: weightBytes + cacheBytesPerToken * counted,
    },
    tokenizer: tokenizer && {
      kind: checkpoint.tokenizer.kind,
      size: tokenizer.size,
      specialTokens: tokenizer.special.size,
    },
    chat: checkpoint.chatTemplate !== undefined ? "template" : speaksLlama3 ? "llama3" : "none",
    licence: licenceOf(checkpoint, config),
  }
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

function kindInMemory(source: Source, layout: Layout, weights: WeightKind | "auto"): WeightKind {
  if (source.rows === 1) return "f32"
  return kindFor(source, weights, source === layout.embedding || source === layout.output)
}

/** What the file says of its licence; for a Llama 3 vocabulary, whose licence that usually is. */
function licenceOf({ tensors: { metadata } }: Checkpoint, config: ModelConfig): string | undefined {
  const named = text(metadata.get("general.license.name")) ?? text(metadata.get("general.license"))
  if (named !== undefined) return named
  return config.vocabularySize === 128256
    ? "not named in the file; for models made from Llama 3, Meta's"
    : undefined
}
