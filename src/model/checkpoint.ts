// From a checkpoint of any format to a model on a backend: finds the config and every tensor, checks the shapes
// before anything is allocated, then streams the rows, reordered and converted on the way.
import { InvalidFileError } from "../errors/index.js"
import type { Backend } from "../backends/backend.js"
import type { Checkpoint } from "../formats/checkpoint.js"
import type { TensorEntry, TensorFile } from "../formats/tensor-file.js"
import type { Weight } from "../ops/ops.js"
import type { Tensor } from "../tensor/tensor.js"
import {
  convertRows,
  decode,
  encodedBytes,
  groupSize,
  nearestKind,
  rowBytes,
  kindEncodings,
  type Encoding,
  type WeightKind,
} from "../weights/index.js"
import {
  configFromGguf,
  configFromHuggingFace,
  configFromLlama2c,
  configFromMeta,
  type ModelConfig,
} from "./config.js"
import type { Block, Model } from "./llama.js"
import {
  blockName,
  blockTensors,
  hasInterleavedHeads,
  splitHalves,
  topName,
  type BlockTensor,
  type NamedFormat,
} from "./names.js"
import { inverseFrequencies } from "./rope.js"
import { RowBuffers } from "./row-buffers.js"

/** A tensor of the model as it lies in the file. */
export interface Source {
  readonly name: string
  readonly entry: TensorEntry
  readonly rows: number
  /** 1 row for a vector. */
  readonly columns: number
  /** Rows of each head to be reordered: source row within a head of each of its rows. */
  readonly headOrder: Int32Array | undefined
}

/** Where everything of a model is in a checkpoint. */
export interface Layout {
  readonly config: ModelConfig
  readonly format: NamedFormat
  readonly frequencyDivisors: Float32Array | undefined
  readonly embedding: Source
  readonly norm: Source
  /** Absent where the embedding serves as output. */
  readonly output: Source | undefined
  readonly blocks: readonly Record<BlockTensor, Source>[]
}

/** All tensors of a layout, in the order in which they are loaded and written. */
export function sourcesOf(layout: Layout): Source[] {
  const blocks = layout.blocks.flatMap((block) => blockTensors.map((tensor) => block[tensor]))
  return [layout.embedding, ...blocks, layout.norm, ...(layout.output ? [layout.output] : [])]
}

/** Finds and checks all tensors. Reads no weights. */
export async function layoutOf(checkpoint: Checkpoint): Promise<Layout> {
  const { tensors } = checkpoint
  const format = namedFormat(tensors)
  const config = configOf(checkpoint, format)
  const { width: D, headWidth: E, feedForwardWidth: F, vocabularySize: V } = config
  const [X, Y] = [config.queryHeads * E, config.kvHeads * E]

  const source = (name: string, rows: number, columns: number, heads = false): Source => {
    const entry = entryOf(tensors, name)
    const expected = rows === 1 ? [columns] : [rows, columns]
    if (entry.shape.join() !== expected.join()) {
      throw new InvalidFileError(
        `tensor ${name} is [${entry.shape.join(", ")}], but the config makes it [${expected.join(", ")}]`,
      )
    }
    nearestKind(entry.encoding)
    const headOrder = heads && hasInterleavedHeads(format) ? splitHalves(E) : undefined
    return { name, entry, rows, columns, headOrder }
  }
  const blocks = Array.from({ length: config.layers }, (_, layer) => {
    const named = (tensor: BlockTensor, rows: number, columns: number, heads = false) =>
      source(blockName(format, tensor, layer), rows, columns, heads)
    return {
      attentionNorm: named("attentionNorm", 1, D),
      query: named("query", X, D, true),
      key: named("key", Y, D, true),
      value: named("value", Y, D),
      attentionOutput: named("attentionOutput", D, X),
      feedForwardNorm: named("feedForwardNorm", 1, D),
      gate: named("gate", F, D),
      up: named("up", F, D),
      down: named("down", D, F),
    }
  })
  return {
    config,
    format,
    frequencyDivisors: await readDivisors(tensors, format, E),
    embedding: source(topName(format, "embedding"), V, D),
    norm: source(topName(format, "norm"), 1, D),
    output: config.tiedEmbeddings ? undefined : source(topName(format, "output"), V, D),
    blocks,
  }
}

function namedFormat(tensors: TensorFile): NamedFormat {
  if (tensors.format === "gguf" || tensors.format === "llama2c") return tensors.format
  if (tensors.format === "pth" || tensors.tensors.has(topName("meta", "embedding"))) return "meta"
  return "huggingface"
}

function entryOf(tensors: TensorFile, name: string): TensorEntry {
  const entry = tensors.tensors.get(name)
  if (entry) return entry
  const some = [...tensors.tensors.keys()].slice(0, 3).join(", ")
  throw new InvalidFileError(
    `tensor ${name} is missing; the file has ${tensors.tensors.size} tensors: ${some}, ...`,
  )
}

function configOf(checkpoint: Checkpoint, format: NamedFormat): ModelConfig {
  const { tensors } = checkpoint
  const tiedEmbeddings = !tensors.tensors.has(topName(format, "output"))
  const rowsOf = (name: string) => entryOf(tensors, name).shape[0]
  const vocabularySize = () => rowsOf(topName(format, "embedding"))
  switch (format) {
    case "gguf":
      return configFromGguf(tensors.metadata, { vocabularySize: vocabularySize(), tiedEmbeddings })
    case "llama2c":
      return configFromLlama2c(tensors.metadata)
    case "meta":
      return configFromMeta(checkpoint.config, {
        vocabularySize: vocabularySize(),
        tiedEmbeddings,
        feedForwardWidth: rowsOf(blockName(format, "gate", 0)),
      })
    case "huggingface": // where the config ties the embeddings, a copy in the file is ignored, as transformers does
      return configFromHuggingFace(checkpoint.config, checkpoint.generationConfig)
  }
}

async function readDivisors(
  tensors: TensorFile,
  format: NamedFormat,
  E: number,
): Promise<Float32Array | undefined> {
  const entry = format === "gguf" ? tensors.tensors.get("rope_freqs.weight") : undefined
  if (!entry) return undefined
  if (entry.shape.join() !== String(E / 2) || entry.encoding !== "f32") {
    throw new InvalidFileError(
      `rope_freqs.weight is ${entry.encoding} [${entry.shape.join(", ")}], expected f32 [${E / 2}]`,
    )
  }
  const divisors = await readVector(tensors, entry)
  if (!divisors.every((divisor) => Number.isFinite(divisor) && divisor > 0)) {
    throw new InvalidFileError("rope_freqs.weight holds a divisor that is not a positive number")
  }
  return divisors
}

async function readVector(tensors: TensorFile, entry: TensorEntry): Promise<Float32Array> {
  const bytes = new Uint8Array(entry.byteLength)
  await tensors.read(entry.name, 0, bytes)
  const values = new Float32Array(entry.shape.reduce((a, b) => a * b, 1))
  decode(entry.encoding, bytes, values)
  return values
}

export interface LoadWeightsOptions {
  /**
   * Kind for the matrices; "auto" keeps each as it is in the file, as near as there is a kind. With a 4-bit kind
   * the embedding and the output layer become int8, as in the released quantized models; a matrix whose columns
   * do not make whole groups of 32 stays f16.
   */
  weights?: WeightKind | "auto"
  /** Called after each chunk with bytes read so far and in all. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/** The kind that a matrix gets, see `LoadWeightsOptions.weights`. */
export function kindFor(source: Source, wanted: WeightKind | "auto", isTable: boolean): WeightKind {
  if (wanted === "auto") return nearestKind(source.entry.encoding)
  if (!wanted.startsWith("int")) return wanted
  if (source.columns % groupSize !== 0) return "f16"
  return isTable && wanted.startsWith("int4") ? "int8" : wanted
}

/** Loads the weights into the backend. What was allocated before an error goes with the backend. */
export async function loadModel(
  checkpoint: Checkpoint,
  backend: Backend,
  options: LoadWeightsOptions = {},
): Promise<Model> {
  const layout = await layoutOf(checkpoint)
  const { tensors } = checkpoint
  const wanted = options.weights ?? "auto"
  const total = sourcesOf(layout).reduce((bytes, source) => bytes + source.entry.byteLength, 0)
  let done = 0
  const progress = (bytes: number) => {
    options.signal?.throwIfAborted()
    options.onProgress?.((done += bytes), total)
  }

  const vector = async (source: Source): Promise<Tensor> => {
    const values = await readVector(tensors, source.entry)
    progress(source.entry.byteLength)
    return backend.tensor(values, [source.columns])
  }
  const buffers = new RowBuffers()
  const matrix = async (source: Source, isTable = false): Promise<Weight> => {
    const kind = kindFor(source, wanted, isTable)
    const writer = backend.createWeight(kind, source.rows, source.columns)
    const toKind = converter(source.entry.encoding, kind, source.columns, buffers)
    const { encoding } = source.entry
    const plain = encoding === "f32" || encoding === "f16" || encoding === "bf16" ? encoding : undefined
    for await (const { rows, bytes } of readRows(tensors, source, buffers)) {
      if (!plain || !writer.encode?.(plain, bytes)) writer.write(toKind(bytes, rows))
      progress(bytes.length)
    }
    return writer.finish()
  }

  const embedding = await matrix(layout.embedding, true)
  const blocks: Block[] = []
  for (const block of layout.blocks) {
    blocks.push({
      attentionNorm: await vector(block.attentionNorm),
      attention: {
        query: await matrix(block.query),
        key: await matrix(block.key),
        value: await matrix(block.value),
        output: await matrix(block.attentionOutput),
      },
      feedForwardNorm: await vector(block.feedForwardNorm),
      feedForward: {
        gate: await matrix(block.gate),
        up: await matrix(block.up),
        down: await matrix(block.down),
      },
    })
  }
  return {
    config: layout.config,
    frequencies: inverseFrequencies(layout.config, layout.frequencyDivisors),
    embedding,
    blocks,
    norm: await vector(layout.norm),
    output: layout.output ? await matrix(layout.output, true) : embedding,
  }
}

/** Rows as bytes of a kind, in a buffer that the next call uses again; the same bytes where nothing changes. */
function converter(encoding: Encoding, kind: WeightKind, columns: number, buffers: RowBuffers) {
  if (kind !== "int8-channel" && kindEncodings[kind] === encoding) return (bytes: Uint8Array) => bytes
  return (bytes: Uint8Array, rows: number): Uint8Array => {
    const into = buffers.take("converted", rows * rowBytes(kind, columns))
    convertRows(encoding, bytes, kind, columns, into)
    return into
  }
}

const chunkBytes = 4 << 20

/**
 * All rows of a matrix in order, in chunks of a few megabytes in the file's encoding, heads reordered. The next
 * chunk is being read while the caller works on one; a chunk is valid until the caller asks for the next.
 */
export async function* readRows(
  tensors: TensorFile,
  source: Source,
  buffers: RowBuffers = new RowBuffers(),
): AsyncGenerator<{ rows: number; bytes: Uint8Array }> {
  const { entry, rows, columns, headOrder } = source
  const size = encodedBytes(entry.encoding, columns)
  const unit = headOrder?.length ?? 1
  const step = Math.min(rows, Math.max(1, Math.floor(chunkBytes / (size * unit))) * unit)
  const chunks = Math.ceil(rows / step)
  const reordered = headOrder && buffers.take("reordered", step * size)
  const read = async (chunk: number) => {
    const count = Math.min(step, rows - chunk * step)
    const bytes = buffers.take(chunk % 2 === 0 ? "even" : "odd", step * size).subarray(0, count * size)
    await tensors.read(source.name, chunk * step * size, bytes)
    return { rows: count, bytes }
  }
  let next = read(0)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const current = await next
    if (chunk + 1 < chunks) {
      next = read(chunk + 1)
      next.catch(() => {}) // reported when it is awaited; the caller may stop before
    }
    if (reordered) {
      reorder(current.bytes, size, headOrder, reordered)
      yield { rows: current.rows, bytes: reordered.subarray(0, current.bytes.length) }
    } else yield current
  }
}

/** Rows of `size` bytes, whole heads: row r of each head comes from its row order[r]. */
export function reorder(bytes: Uint8Array, size: number, order: Int32Array, into: Uint8Array): void {
  const rows = bytes.length / size
  for (let head = 0; head < rows; head += order.length) {
    order.forEach((from, row) => {
      into.set(bytes.subarray((head + from) * size, (head + from + 1) * size), (head + row) * size)
    })
  }
}
