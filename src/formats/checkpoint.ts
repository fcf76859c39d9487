// Finds out what the files of a folder are: a model of Hugging Face or Meta, a GGUF file or split set, a llama2.c
// file; opens its tensors and gathers config, tokenizer and chat template as they are. Where the folder is (a disk, a
// server, a page's files) it does not know, nor what the config means; model/ knows that.
import { InvalidFileError, ModelNotFoundError, UnsupportedError } from "../errors/index.js"
import { type ByteSource, readBytes, takingOver } from "./byte-source.js"
import type { ModelFolder } from "./folder.js"
import { openGguf } from "./gguf.js"
import { decodeText, isRecord, parseJsonObject } from "./json.js"
import { openLlama2c, readLlama2cHeader } from "./llama2c.js"
import { openPth } from "./pth.js"
import { openSafetensors, openShardedSafetensors } from "./safetensors.js"
import type { TensorFile } from "./tensor-file.js"

/** The tokenizer of a checkpoint as it was found, for tokenizer/ to read. */
export type TokenizerSource =
  | { readonly kind: "tokenizer.json"; readonly text: string }
  | { readonly kind: "tiktoken"; readonly bytes: Uint8Array }
  | { readonly kind: "gguf"; readonly metadata: ReadonlyMap<string, unknown> }
  | { readonly kind: "llama2c"; readonly bytes: Uint8Array; readonly vocabularySize: number }

export interface Checkpoint {
  readonly format: TensorFile["format"]
  /** The folder or file that was opened. */
  readonly path: string
  readonly tensors: TensorFile
  /** Parsed config.json or params.json; undefined for GGUF and llama2.c, whose numbers are `tensors.metadata`. */
  readonly config: unknown
  /** Parsed generation_config.json, or what GGUF metadata has of it. */
  readonly generationConfig: unknown
  /** Undefined where there is none, and after `dropTokenizer`. */
  readonly tokenizer: TokenizerSource | undefined
  /** The Jinja template that the model brings. */
  readonly chatTemplate: string | undefined
  /** Lets go of what the tokenizer was read from (also in the metadata of a GGUF file), 20 MB and more for Llama 3. */
  dropTokenizer(): void
  close(): Promise<void>
}

const maxConfigBytes = 2 ** 24
const maxTokenizerBytes = 2 ** 28

/**
 * Opens the model in a folder, or with `name` that file of it. ModelNotFoundError where there is none,
 * InvalidFileError for damage or missing companions, UnsupportedError for what Cria does not read or where a
 * folder holds several models (name the file then).
 */
export async function openCheckpointIn(from: ModelFolder, name?: string): Promise<Checkpoint> {
  const folder = new Folder(from, await from.names())
  const found = name === undefined ? await modelIn(folder) : await modelAt(folder, name)
  return openers[found.format](folder, found, name === undefined ? from.path : folder.pathOf(name))
}

/** A model inside a folder: its files in order; for sharded safetensors the index. */
interface Found {
  readonly format: TensorFile["format"]
  readonly files: readonly string[]
}

/** A folder with its names at hand, and small files of it. */
class Folder {
  constructor(
    readonly from: ModelFolder,
    readonly names: ReadonlySet<string>,
  ) {}

  get path(): string {
    return this.from.path
  }

  pathOf(name: string): string {
    return this.from.pathOf(name)
  }

  async open(name: string): Promise<ByteSource> {
    return this.from.open(name)
  }

  matching(pattern: RegExp): string[] {
    return [...this.names].filter((name) => pattern.test(name)).toSorted()
  }

  /** All bytes of a small file; InvalidFileError beyond `limit` bytes, before anything is allocated. */
  async small(name: string, limit: number): Promise<Uint8Array> {
    const source = await this.open(name)
    try {
      if (source.size > limit)
        throw new InvalidFileError(
          `${source.name} has ${source.size} bytes; at most ${limit} were expected of such a file`,
        )
      return await readBytes(source, 0, source.size, "the file")
    } finally {
      await source.close()
    }
  }

  /** The file's bytes, or undefined where it is not there. */
  async bytes(name: string, limit: number): Promise<Uint8Array | undefined> {
    return this.names.has(name) ? this.small(name, limit) : undefined
  }

  async json(name: string): Promise<Record<string, unknown> | undefined> {
    const bytes = await this.bytes(name, maxConfigBytes)
    return bytes && parseJsonObject(bytes, this.pathOf(name))
  }

  async text(name: string, limit: number): Promise<string | undefined> {
    const bytes = await this.bytes(name, limit)
    return bytes && decodeText(bytes, this.pathOf(name))
  }
}

const splitName = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/
const indexName = /\.safetensors\.index\.json$/
const shardName = /-\d{5}-of-\d{5}\.safetensors$/

async function modelAt(folder: Folder, name: string): Promise<Found> {
  if (indexName.test(name) || name.endsWith(".safetensors")) return { format: "safetensors", files: [name] }
  if (name.endsWith(".pth") || name.endsWith(".pt")) return { format: "pth", files: [name] }
  if (name.endsWith(".gguf")) return { format: "gguf", files: splitParts(folder, name) }
  // Ollama's store and the hub's cache name files by their hash: look inside.
  const source = await folder.open(name)
  try {
    const start = await readBytes(source, 0, Math.min(4, source.size), "the first bytes")
    const magic = String.fromCharCode(...start)
    if (magic === "GGUF") return { format: "gguf", files: [name] }
    if (magic === "PK\x03\x04") return { format: "pth", files: [name] }
    if (magic === "24ka" || (await readLlama2cHeader(source)) !== undefined)
      return { format: "llama2c", files: [name] }
  } finally {
    await source.close()
  }
  throw new InvalidFileError(
    `${folder.pathOf(name)} is not a model that Cria knows: expected GGUF, safetensors, a torch.save archive or a ` +
      "llama2.c .bin",
  )
}

async function modelIn(folder: Folder): Promise<Found> {
  const found = [...safetensorsIn(folder), ...pthIn(folder), ...ggufIn(folder), ...llama2cIn(folder)]
  if (found.length === 1) return found[0]
  if (found.length > 1)
    throw new UnsupportedError(
      `${folder.path} holds ${found.length} models: pass the path of the one to open ` +
        `(${found
          .map(({ files }) => files[0])
          .join(", ")
          .slice(0, 500)})`,
    )
  if (folder.matching(/^pytorch_model.*\.bin/).length > 0)
    throw new UnsupportedError(
      `${folder.path} holds only pytorch_model.bin files: use the model's safetensors version`,
    )
  throw new ModelNotFoundError(
    `no model in ${folder.path}: looked for model.safetensors, model.safetensors.index.json, consolidated.00.pth, ` +
      `*.gguf and a llama2.c *.bin, found ${[...folder.names].slice(0, 10).join(", ") || "nothing"}`,
  )
}

// As in transformers, model.safetensors goes before an index, and an index before loose files.
function safetensorsIn(folder: Folder): Found[] {
  const format = "safetensors"
  if (folder.names.has("model.safetensors")) return [{ format, files: ["model.safetensors"] }]
  const indices = folder.matching(indexName)
  if (indices.length > 0) return indices.map((name) => ({ format, files: [name] }))
  const files = folder.matching(/\.safetensors$/)
  const shards = files.filter((name) => shardName.test(name))
  if (shards.length > 0)
    throw new InvalidFileError(
      `${folder.path} holds ${shards.length} safetensors shards, but no model.safetensors.index.json: fetch it too`,
    )
  return files.map((name) => ({ format, files: [name] }))
}

function pthIn(folder: Folder): Found[] {
  const files = folder.matching(/\.pth$/)
  const consolidated = files.filter((name) => name.startsWith("consolidated."))
  if (consolidated.length > 0) return [{ format: "pth", files: [consolidated[0]] }]
  return files.map((name) => ({ format: "pth", files: [name] }))
}

function ggufIn(folder: Folder): Found[] {
  const sets = new Map<string, string>()
  for (const name of folder.matching(/\.gguf$/)) {
    const [, prefix, , count] = splitName.exec(name) ?? []
    const set = prefix === undefined ? name : `${prefix}/${count}`
    if (!sets.has(set)) sets.set(set, name)
  }
  return [...sets.values()].map((name) => ({
    format: "gguf",
    files: sets.size === 1 ? splitParts(folder, name) : [name],
  }))
}

function llama2cIn(folder: Folder): Found[] {
  const others = /^(tok.*|pytorch_model.*|training_args|optimizer|scheduler|.*\.ggml.*)\.bin$/
  return folder
    .matching(/\.bin$/)
    .filter((name) => !others.test(name))
    .map((name) => ({ format: "llama2c", files: [name] }))
}

/** All parts of the split set that a GGUF file belongs to, the file alone where it is no part. */
function splitParts(folder: Folder, name: string): string[] {
  const [, prefix, , digits] = splitName.exec(name) ?? []
  const count = Number(digits)
  if (prefix === undefined || count === 0) return [name]
  const parts = Array.from({ length: Math.min(count, 1024) }, (_, i) => {
    return `${prefix}-${String(i + 1).padStart(5, "0")}-of-${digits}.gguf`
  })
  const missing = parts.filter((part) => !folder.names.has(part))
  if (missing.length > 0)
    throw new InvalidFileError(
      `${folder.pathOf(name)} is one of ${count} parts, of which ${missing.length} are missing: ` +
        `${missing.slice(0, 3).join(", ")}${missing.length > 3 ? ", ..." : ""}`,
    )
  return parts
}

/** The lists of a GGUF file's vocabulary. */
const vocabularyKeys = ["tokens", "scores", "token_type", "merges"].map((name) => `tokenizer.ggml.${name}`)

type Opener = (folder: Folder, found: Found, path: string) => Promise<Checkpoint>

const openers: Readonly<Record<TensorFile["format"], Opener>> = {
  safetensors: async (folder, { files: [name] }, path) => {
    const config = (await folder.json("config.json")) ?? (await folder.json("params.json"))
    if (config === undefined)
      throw new InvalidFileError(
        `${folder.pathOf(name)} needs the config.json of its model in the same folder; it is not there`,
      )
    const generationConfig = await folder.json("generation_config.json")
    const tokenizer = await tokenizerIn(folder)
    const chatTemplate = await chatTemplateIn(folder)
    const tensors = indexName.test(name)
      ? await openShardedSafetensors(
          await folder.small(name, maxConfigBytes * 4),
          folder.pathOf(name),
          (shard) => folder.open(shard),
        )
      : await openSafetensors(await folder.open(name))
    return checkpoint(path, tensors, { config, generationConfig, tokenizer, chatTemplate })
  },

  pth: async (folder, { files: [name] }, path) => {
    const shards = folder.matching(/^consolidated\.\d+\.pth$/)
    if (shards.length > 1 && shards.includes(name))
      throw new UnsupportedError(
        `${folder.path} holds ${shards.length} shards of a model-parallel checkpoint; Cria reads a single ` +
          "consolidated.00.pth: use the model's safetensors version",
      )
    const config = await folder.json("params.json")
    if (config === undefined)
      throw new InvalidFileError(
        `${folder.pathOf(name)} needs the params.json of its model in the same folder; it is not there`,
      )
    const tokenizer = await tokenizerIn(folder)
    const tensors = await openPth(await folder.open(name))
    return checkpoint(path, tensors, { config, tokenizer })
  },

  gguf: async (folder, { files }, path) => {
    const sources: ByteSource[] = []
    const tensors = await takingOver(sources, async () => {
      for (const name of files) sources.push(await folder.open(name))
      return openGguf(sources)
    })
    const { metadata } = tensors
    const template = metadata.get("tokenizer.chat_template")
    return checkpoint(path, tensors, {
      generationConfig: ggufGenerationConfig(metadata),
      tokenizer: metadata.has("tokenizer.ggml.tokens") ? { kind: "gguf", metadata } : undefined,
      chatTemplate: typeof template === "string" ? template : undefined,
      dropTokenizer: () => tensors.dropMetadata(vocabularyKeys),
    })
  },

  llama2c: async (folder, { files: [name] }, path) => {
    const tensors = await openLlama2c(await folder.open(name))
    try {
      const vocabularySize = Number(tensors.metadata.get("vocab_size"))
      const tokenizerName = llama2cTokenizer(folder, vocabularySize)
      const bytes = tokenizerName && (await folder.bytes(tokenizerName, maxTokenizerBytes))
      const tokenizer = bytes ? ({ kind: "llama2c", bytes, vocabularySize } as const) : undefined
      return checkpoint(path, tensors, { tokenizer })
    } catch (error) {
      await tensors.close()
      throw error
    }
  },
}

function checkpoint(
  path: string,
  tensors: TensorFile,
  found: {
    readonly config?: unknown
    readonly generationConfig?: unknown
    readonly tokenizer?: TokenizerSource | undefined
    readonly chatTemplate?: string | undefined
    readonly dropTokenizer?: () => void
  },
): Checkpoint {
  let { tokenizer } = found
  return {
    format: tensors.format,
    path,
    tensors,
    config: found.config,
    generationConfig: found.generationConfig,
    get tokenizer() {
      return tokenizer
    },
    chatTemplate: found.chatTemplate,
    dropTokenizer: () => {
      tokenizer = undefined
      found.dropTokenizer?.()
    },
    close: () => tensors.close(),
  }
}

/** What GGUF metadata says of sampling, in the words of generation_config.json. */
function ggufGenerationConfig(metadata: ReadonlyMap<string, unknown>): object | undefined {
  const names = { temperature: "general.sampling.temp", top_p: "general.sampling.top_p" }
  const found = Object.entries(names).flatMap(([name, key]) => {
    const value = metadata.get(key)
    // Written as 32 bits: seven digits are what its maker meant.
    return typeof value === "number" ? [[name, Number(value.toPrecision(7))]] : []
  })
  return found.length > 0 ? { do_sample: true, ...Object.fromEntries(found) } : undefined
}

async function tokenizerIn(folder: Folder): Promise<TokenizerSource | undefined> {
  const text = await folder.text("tokenizer.json", maxTokenizerBytes)
  if (text !== undefined) return { kind: "tokenizer.json", text }
  const bytes = await folder.bytes("tokenizer.model", maxTokenizerBytes)
  return bytes && { kind: "tiktoken", bytes }
}

/** `tok512.bin` for a vocabulary of 512, else `tokenizer.bin`, else the only `tok*.bin`. */
function llama2cTokenizer(folder: Folder, vocabularySize: number): string | undefined {
  const candidates = folder.matching(/^tok.*\.bin$/)
  for (const name of [`tok${vocabularySize}.bin`, "tokenizer.bin"]) if (candidates.includes(name)) return name
  if (candidates.length > 1)
    throw new UnsupportedError(
      `${folder.path} holds the tokenizers ${candidates.join(", ")}, and none is named for this model: name the right ` +
        "one tokenizer.bin",
    )
  return candidates[0]
}

// A template in a file of its own goes before the one in the configuration, as in transformers.
async function chatTemplateIn(folder: Folder): Promise<string | undefined> {
  const own = await folder.text("chat_template.jinja", maxConfigBytes)
  if (own !== undefined) return own
  const { chat_template: template } = (await folder.json("tokenizer_config.json")) ?? {}
  if (typeof template === "string") return template
  if (!Array.isArray(template)) return undefined
  const named = (template as unknown[]).filter(isRecord).find(({ name }) => name === "default")
  return typeof named?.template === "string" ? named.template : undefined
}
