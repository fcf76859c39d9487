// From an open checkpoint to everything an engine works with: backend, weights, cache, tokenizer.
import { createBackend, type Backend } from "../backends/index.js"
import { chatFormatOf } from "../chat/index.js"
import { InvalidFileError, InvalidOptionError } from "../errors/index.js"
import type { Checkpoint, TokenizerSource } from "../formats/index.js"
import type { ModelFolder } from "../formats/folder.js"
import { layoutOf, loadModel } from "../model/checkpoint.js"
import type { ModelConfig } from "../model/config.js"
import { samplingOf } from "../model/generation-config.js"
import type { Model } from "../model/llama.js"
import { pageBytes, type Weight } from "../ops/ops.js"
import { Tokenizer } from "../tokenizer/index.js"
import { rowBytes, type WeightKind } from "../weights/kind.js"
import type { EngineParts } from "./engine.js"
import type { LoadedModel, ModelInfo } from "./link.js"
import { loadAdapters } from "./load-adapters.js"
import type { EngineOptions } from "./load-options.js"

export interface LoadHooks {
  onWeights?: (loaded: number, total: number) => void
  /** Called where a load has left much garbage: a thread of our own collects it before the weights take memory. */
  onGarbage?: () => Promise<void>
  signal?: AbortSignal
}

/** What a checkpoint says beside its weights and its tokenizer. */
export interface ModelPapers {
  readonly path: string
  readonly format: Checkpoint["format"]
  readonly name?: string
  readonly chatTemplate?: string
  readonly generationConfig?: unknown
}

/** A model on a backend, and what an engine needs beside it. */
export interface KeptModel {
  readonly papers: ModelPapers
  readonly model: Model
  readonly tokenizer: Tokenizer
}

/** Where a model can be kept as a backend packs it. Neither function rejects. */
export interface PackedStore {
  /** The model as it was kept, or undefined. `weights` is the kind that was asked for. */
  load(backend: Backend, weights: string): Promise<KeptModel | undefined>
  /** Starts to keep the model: that goes on beside the first answers and ends with the backend. */
  save(backend: Backend, weights: string, kept: KeptModel): Promise<void>
}

/** A model before it is loaded. */
export interface FoundModel {
  open(): Promise<Checkpoint>
  readonly packed?: PackedStore
  /** How a folder of an adapter is opened; absent where there are none. */
  readonly folderAt?: (path: string) => ModelFolder
}

/** Tokens a page of the cache; a prefix is shared in whole pages. */
const pageTokens = 16
/** Cache that is made room for where the caller says nothing. */
const defaultCacheBytes = 2 ** 30
/** Tokens that models with a short context get room for, so that several sequences fit. */
const sharedCacheTokens = 16384

/** Loads a model: as it was kept where that can be, else from its checkpoint, which is then kept for the next time. */
export async function loadFound(
  found: FoundModel,
  options: EngineOptions,
  { onWeights, onGarbage, signal }: LoadHooks,
): Promise<{ parts: EngineParts; loaded: LoadedModel }> {
  const packed = options.packedCache ? found.packed : undefined
  const backend = await createBackend(options.backend, { threads: options.threads })
  try {
    const known = await packed?.load(backend, options.weights)
    signal?.throwIfAborted()
    if (known) checkContext(options, known.model.config)
    const kept =
      known ?? (await loadCheckpoint(() => found.open(), options, { onWeights, onGarbage, signal }, backend))
    if (!known) await packed?.save(backend, options.weights, kept)
    const adapters = await loadAdapters(options.adapters, found.folderAt, backend, kept.model)
    if (!known) await onGarbage?.()
    backend.trim?.()
    const { parts, loaded } = assemble(kept, options, backend)
    if (known) onWeights?.(loaded.info.weightBytes, loaded.info.weightBytes)
    return { parts: { ...parts, adapters }, loaded }
  } catch (error) {
    await backend.dispose()
    throw error
  }
}

/** Opens a checkpoint and loads it; closes it in any case. */
async function loadCheckpoint(
  open: () => Promise<Checkpoint>,
  options: EngineOptions,
  { onWeights, onGarbage, signal }: LoadHooks,
  backend: Backend,
): Promise<KeptModel> {
  const checkpoint = await open()
  try {
    signal?.throwIfAborted()
    const { config } = await layoutOf(checkpoint) // refuses what cannot work before memory is taken
    checkContext(options, config)
    const tokenizer = readTokenizer(checkpoint)
    checkpoint.dropTokenizer()
    await onGarbage?.()
    const model = await loadModel(checkpoint, backend, {
      weights: options.weights,
      onProgress: onWeights,
      signal,
    })
    return { papers: papersOf(checkpoint), model, tokenizer }
  } finally {
    await checkpoint.close()
  }
}

const papersOf = (checkpoint: Checkpoint): ModelPapers => ({
  path: checkpoint.path,
  format: checkpoint.format,
  name: nameOf(checkpoint),
  chatTemplate: checkpoint.chatTemplate,
  generationConfig: checkpoint.generationConfig,
})

function checkContext({ contextLength, cacheTokens }: EngineOptions, config: ModelConfig): void {
  if (contextLength !== undefined && contextLength > config.contextLength) {
    throw new InvalidOptionError(
      `contextLength ${contextLength} is more than the ${config.contextLength} tokens this model was made for`,
    )
  }
  if (cacheTokens !== undefined && contextLength !== undefined && cacheTokens < contextLength) {
    throw new InvalidOptionError(
      `cacheTokens ${cacheTokens} cannot hold one context of ${contextLength} tokens`,
    )
  }
}

function assemble(
  { papers, model, tokenizer }: KeptModel,
  options: EngineOptions,
  backend: Backend,
): { parts: EngineParts; loaded: LoadedModel } {
  const { config } = model
  const weights = weightsOf(model)
  const weightBytes = Object.values(weights).reduce((sum, bytes) => sum + bytes, 0)
  const dtype =
    options.cacheType === "auto" ? (Object.keys(weights).join() === "f32" ? "f32" : "f16") : options.cacheType
  const { layers, kvHeads, headWidth } = config
  const form = { layers, kvHeads, headWidth, pageTokens, dtype } as const
  const affordable = Math.floor(defaultCacheBytes / pageBytes({ ...form, capacity: 1 })) * pageTokens
  const contextLength =
    options.contextLength ?? Math.min(config.contextLength, options.cacheTokens ?? Math.max(affordable, 2048))
  const cacheTokens = options.cacheTokens ?? Math.max(contextLength, Math.min(affordable, sharedCacheTokens))
  const layout = { ...form, capacity: Math.ceil(cacheTokens / pageTokens) }
  const pages = backend.createPages(layout)
  const info: ModelInfo = {
    path: papers.path,
    format: papers.format,
    name: papers.name,
    weights,
    weightBytes,
    tokenBytes: weightBytes - (model.output === model.embedding ? 0 : bytesOf(model.embedding)),
    backend: backend.description,
    backendName: backend.name,
    threads: backend.threads,
    contextLength,
    cacheTokens: layout.capacity * pageTokens,
    cacheBytes: layout.capacity * pageBytes(layout),
    adapters: Object.keys(options.adapters),
    adapter: options.adapter,
    chatTemplate: papers.chatTemplate,
    sampling: recommendedSampling(papers.generationConfig),
    hasChat: papers.chatTemplate !== undefined || chatFormatOf(tokenizer) !== undefined,
  }
  return {
    parts: { backend, model, tokenizer, pages, contextLength },
    loaded: {
      config,
      info,
      tokenizer: tokenizer.serialize(),
      stopTokens: stopTokensOf(config, tokenizer),
      interrupt: backend.interrupt,
    },
  }
}

/** The tokenizer that a checkpoint brings. */
export function readTokenizer({ tokenizer: source, path }: Checkpoint): Tokenizer {
  if (!source) {
    throw new InvalidFileError(
      `${path} has no tokenizer: put the tokenizer.json or tokenizer.model of the model (for llama2.c its tokenizer.bin) beside it`,
    )
  }
  const readers: {
    [K in TokenizerSource["kind"]]: (from: Extract<TokenizerSource, { kind: K }>) => Tokenizer
  } = {
    "tokenizer.json": ({ text }) => Tokenizer.fromTokenizerJson(text),
    tiktoken: ({ bytes }) => Tokenizer.fromTiktoken(bytes),
    gguf: ({ metadata }) => Tokenizer.fromGguf(metadata),
    llama2c: ({ bytes, vocabularySize }) => Tokenizer.fromLlama2c(bytes, vocabularySize),
  }
  return (readers[source.kind] as (from: TokenizerSource) => Tokenizer)(source)
}

/** What the model's makers recommend, else what Meta does. */
function recommendedSampling(generationConfig: unknown): ModelInfo["sampling"] {
  const { temperature = 0.6, topP = 0.9 } = samplingOf(generationConfig)
  return { temperature, topP }
}

/** Llama 3 ends a text, a message that waits for a tool, and a turn with a token each, whatever the config says. */
function stopTokensOf(config: ModelConfig, tokenizer: Tokenizer): number[] {
  const named = ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"].map((text) => tokenizer.idOf(text))
  const own = config.stopTokens.length > 0 ? config.stopTokens : [tokenizer.eos]
  return [...new Set([...own, ...named])].filter((id): id is number => id !== undefined)
}

const bytesOf = ({ kind, shape: [rows, columns] }: Weight): number => rows * rowBytes(kind, columns)

function weightsOf({ embedding, blocks, output }: Model): Partial<Record<WeightKind, number>> {
  const bytes: Partial<Record<WeightKind, number>> = {}
  const add = (weight: Weight) => {
    bytes[weight.kind] = (bytes[weight.kind] ?? 0) + bytesOf(weight)
  }
  add(embedding)
  if (output !== embedding) add(output)
  for (const { attention, feedForward } of blocks) {
    for (const weight of [...Object.values(attention), ...Object.values(feedForward)] as Weight[]) add(weight)
  }
  return bytes
}

function nameOf({ tensors, config }: Checkpoint): string | undefined {
  const name =
    tensors.metadata.get("general.name") ?? (config as { _name_or_path?: unknown } | undefined)?._name_or_path
  return typeof name === "string" && name !== "" ? name.slice(0, 200) : undefined
}
