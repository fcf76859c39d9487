// For tests: a random model of two layers on the reference backend with a byte-level vocabulary, and links to
// engines that run it. The pieces around it (backend, cache size) can be replaced.
import type { Adapter } from "../adapters/index.js"
import type { Backend } from "../backends/backend.js"
import { ReferenceBackend } from "../backends/reference/reference.js"
import { type Block, type Model } from "../model/llama.js"
import type { ModelConfig } from "../model/config.js"
import { inverseFrequencies } from "../model/rope.js"
import { Tokenizer } from "../tokenizer/index.js"
import type { LoadedModel, OpenLink } from "./link.js"
import { localLink } from "./local-link.js"
import { uniform } from "./random.js"

const specials = [
  "<|begin_of_text|>",
  "<|end_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
]
const words = ["th", "the", " a", "in"]

/** 256 bytes, four longer tokens, five special ones. */
export function tinyTokenizer(): Tokenizer {
  const tokens = [
    ...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte])),
    ...words.map((word) => Buffer.from(word)),
  ]
  const lines = tokens.map((bytes, rank) => `${bytes.toString("base64")} ${rank}`)
  return Tokenizer.fromTiktoken(Buffer.from(lines.join("\n")), { specials })
}

export const bos = 260
export const endOfText = 261

export const tinyConfig: ModelConfig = {
  width: 32,
  layers: 2,
  queryHeads: 4,
  kvHeads: 2,
  headWidth: 8,
  feedForwardWidth: 64,
  vocabularySize: 260 + specials.length,
  normEpsilon: 1e-5,
  contextLength: 4096,
  tiedEmbeddings: true,
  ropeTheta: 10000,
  ropeScaling: undefined,
  bos,
  stopTokens: [endOfText],
}

export function tinyModel(backend: Backend, seed = 1): Model {
  const { width: D, feedForwardWidth: F, vocabularySize: V, headWidth: E, queryHeads, kvHeads } = tinyConfig
  let at = 0
  const values = (count: number, size: number) =>
    Float32Array.from({ length: count }, () => (uniform(seed, at++) - 0.5) * 2 * size)
  const weight = (rows: number, columns: number, size = 2 / Math.sqrt(columns)) => {
    const writer = backend.createWeight("f32", rows, columns)
    writer.write(new Uint8Array(values(rows * columns, size).buffer))
    return writer.finish()
  }
  const gain = () => backend.tensor(new Float32Array(D).fill(1), [D])
  const block = (): Block => ({
    attentionNorm: gain(),
    attention: {
      query: weight(queryHeads * E, D),
      key: weight(kvHeads * E, D),
      value: weight(kvHeads * E, D),
      output: weight(D, queryHeads * E),
    },
    feedForwardNorm: gain(),
    feedForward: { gate: weight(F, D), up: weight(F, D), down: weight(D, F) },
  })
  const embedding = weight(V, D, 1)
  return {
    config: tinyConfig,
    frequencies: inverseFrequencies(tinyConfig),
    embedding,
    blocks: [block(), block()],
    norm: gain(),
    output: embedding,
  }
}

export interface TinyOptions {
  contextLength?: number
  cacheTokens?: number
  pageTokens?: number
  /** Puts something between the engine and the reference backend. */
  wrap?: (backend: ReferenceBackend) => Backend
  /** Random adapters of these names, and the one that requests have without a choice. */
  adapters?: readonly string[]
  adapter?: string
}

/** A low-rank addition to every matrix of the blocks. */
function tinyAdapter(backend: Backend, model: Model, seed: number): Adapter {
  let at = 0
  const weight = (rows: number, columns: number) => {
    const writer = backend.createWeight("f32", rows, columns)
    const values = Float32Array.from({ length: rows * columns }, () => uniform(seed, at++) - 0.5)
    writer.write(new Uint8Array(values.buffer))
    return writer.finish()
  }
  const matrices = model.blocks.flatMap(({ attention, feedForward }) => [
    attention.query,
    attention.value,
    feedForward.down,
  ])
  return new Map(
    matrices.map((matrix) => {
      const [rows, columns] = matrix.shape
      return [matrix, { a: weight(4, columns), b: weight(rows, 4), scale: 0.5 }]
    }),
  )
}

/** A link to a new engine in this thread, with the tiny model. */
export function tinyLink(options: TinyOptions = {}): OpenLink {
  const { contextLength = 512, cacheTokens = 4096, pageTokens = 8, wrap = (backend) => backend } = options
  const { adapters: names = [], adapter } = options
  return localLink(async () => {
    const backend = wrap(await ReferenceBackend.create())
    const model = tinyModel(backend)
    const tokenizer = tinyTokenizer()
    const { layers, kvHeads, headWidth } = tinyConfig
    const capacity = Math.ceil(cacheTokens / pageTokens)
    const pages = backend.createPages({ layers, kvHeads, headWidth, pageTokens, capacity, dtype: "f16" })
    const loaded: LoadedModel = {
      config: tinyConfig,
      info: {
        path: "nowhere",
        format: "none",
        weights: {},
        weightBytes: 0,
        sampling: { temperature: 0.6, topP: 0.9 },
        tokenBytes: 0,
        backend: backend.description,
        backendName: backend.name,
        threads: 1,
        contextLength,
        cacheTokens,
        cacheBytes: 0,
        adapters: names,
        adapter,
        hasChat: true,
      },
      tokenizer: tokenizer.serialize(),
      stopTokens: tinyConfig.stopTokens,
      interrupt: undefined,
    }
    const adapters = new Map(names.map((name, i) => [name, tinyAdapter(backend, model, i + 100)]))
    return { parts: { backend, model, tokenizer, pages, contextLength, adapters }, loaded }
  })
}

/** The same backend with some of its methods replaced. */
export function replacing(backend: ReferenceBackend, replaced: Partial<Backend>): Backend {
  return new Proxy(backend, {
    get(target, name) {
      if (name in replaced) return replaced[name as keyof Backend]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === "function" ? (value.bind(target) as unknown) : value
    },
  })
}
