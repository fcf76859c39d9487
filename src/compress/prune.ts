// Structured pruning in one shot: a checkpoint with fewer layers, heads, neurons and channels, as an ordinary folder that
// everything else reads (Node only). Weights are streamed matrix by matrix.
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { Checkpoint } from "../formats/checkpoint.js"
import type { TensorEntry } from "../formats/tensor-file.js"
import { writeFileAtomically } from "../formats/write-file.js"
import { writeSafetensors } from "../formats/write-safetensors.js"
import { type Layout, layoutOf, readRows, type Source } from "../model/checkpoint.js"
import { folderFiles } from "../model/convert.js"
import { blockName, blockTensors, type BlockTensor, topName } from "../model/names.js"
import type { Tokenizer } from "../tokenizer/index.js"
import { decode, encodeRows, kindEncodings, nearestKind, rowBytes } from "../weights/index.js"
import type { ColumnNorms, PrunePlan } from "./plan.js"

export interface WritePrunedOptions {
  /** Default: that of the checkpoint; bf16 where that is quantized. */
  readonly weights?: "f32" | "bf16" | "f16"
  readonly tokenizer?: Tokenizer
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/** Reads the matrices that write into the residual stream, for `planPruning`. */
export async function columnNorms(checkpoint: Checkpoint): Promise<ColumnNorms> {
  const { blocks } = await layoutOf(checkpoint)
  const of = async (source: Source): Promise<Float64Array> => {
    const norms = new Float64Array(source.columns)
    for await (const { values } of valuesOf(checkpoint, source))
      values.forEach((value, i) => (norms[i % source.columns] += value ** 2))
    return norms
  }
  const down: Float64Array[] = []
  const attentionOutput: Float64Array[] = []
  for (const block of blocks) {
    down.push(await of(block.down))
    attentionOutput.push(await of(block.attentionOutput))
  }
  return { down, attentionOutput }
}

/** Writes the model of the plan to the folder; config.json comes last, so that a folder without it is not finished. */
export async function writePruned(
  checkpoint: Checkpoint,
  plan: PrunePlan,
  folder: string,
  options: WritePrunedOptions = {},
): Promise<void> {
  const layout = await layoutOf(checkpoint)
  const kind = options.weights ?? denseKind(layout)
  const cuts = cutsOf(layout, plan)
  const entries = cuts.map(({ name, source, rows, columns }): TensorEntry => {
    const shape = source.rows === 1 ? [columns.length] : [rows.length, columns.length]
    const own = source.rows === 1 ? "f32" : kind
    return {
      name,
      shape,
      encoding: kindEncodings[own],
      byteLength: rows.length * rowBytes(own, columns.length),
    }
  })
  const total = entries.reduce((sum, { byteLength }) => sum + byteLength, 0)
  let done = 0
  const byName = new Map(cuts.map((cut) => [cut.name, cut]))
  await mkdir(folder, { recursive: true })
  await writeSafetensors(folder, entries, async function* (name) {
    const cut = byName.get(name)!
    const own = cut.source.rows === 1 ? "f32" : kind
    for await (const values of cutValues(checkpoint, cut)) {
      options.signal?.throwIfAborted()
      const bytes = new Uint8Array((values.length / cut.columns.length) * rowBytes(own, cut.columns.length))
      encodeRows(own, values, cut.columns.length, bytes)
      yield bytes
      options.onProgress?.((done += bytes.length), total)
    }
  })
  const files = folderFiles(checkpoint, { ...layout, config: plan.config }, kind, options.tokenizer)
  for (const [file, text] of [...files].toReversed()) await writeFileAtomically(join(folder, file), text)
}

function denseKind({ embedding }: Layout): "f32" | "bf16" | "f16" {
  const kind = nearestKind(embedding.entry.encoding)
  return kind === "f32" || kind === "f16" ? kind : "bf16"
}

/** A tensor of the new model: the rows and columns of an old one that stay. */
interface Cut {
  readonly name: string
  readonly source: Source
  readonly rows: Int32Array
  readonly columns: Int32Array
  readonly factor: number
}

const range = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i)

function cutsOf(layout: Layout, plan: PrunePlan): Cut[] {
  const { headWidth, queryHeads, kvHeads } = layout.config
  const { channels } = plan
  const cut = (name: string, source: Source, rows: Int32Array, columns: Int32Array, factor = 1): Cut => ({
    name,
    source,
    rows,
    columns,
    factor,
  })
  const vocabulary = range(layout.config.vocabularySize)
  const one = range(1)
  const blocks = plan.layers.flatMap((layer, place) => {
    const sources = layout.blocks[layer]
    const keys = spread(plan.kvHeads[place], headWidth)
    const queries = spread(plan.kvHeads[place], (queryHeads / kvHeads) * headWidth)
    const neurons = plan.neurons[place]
    const parts: Record<BlockTensor, [rows: Int32Array, columns: Int32Array, factor?: number]> = {
      attentionNorm: [one, channels, plan.gains[2 * place]],
      query: [queries, channels],
      key: [keys, channels],
      value: [keys, channels],
      attentionOutput: [channels, queries],
      feedForwardNorm: [one, channels, plan.gains[2 * place + 1]],
      gate: [neurons, channels],
      up: [neurons, channels],
      down: [channels, neurons],
    }
    return blockTensors.map((tensor) =>
      cut(blockName("huggingface", tensor, place), sources[tensor], ...parts[tensor]),
    )
  })
  return [
    cut(topName("huggingface", "embedding"), layout.embedding, vocabulary, channels),
    ...blocks,
    cut(topName("huggingface", "norm"), layout.norm, one, channels, plan.gains.at(-1)),
    ...(layout.output ? [cut(topName("huggingface", "output"), layout.output, vocabulary, channels)] : []),
  ]
}

/** Numbers of the parts of `width` that the chosen units have. */
const spread = (units: Int32Array, width: number): Int32Array =>
  Int32Array.from(
    { length: units.length * width },
    (_, i) => units[Math.floor(i / width)] * width + (i % width),
  )

/** The values that stay, some rows at a time. */
async function* cutValues(checkpoint: Checkpoint, cut: Cut): AsyncGenerator<Float32Array> {
  const { source, rows, columns, factor } = cut
  let next = 0
  for await (const { first, values } of valuesOf(checkpoint, source)) {
    const end = first + values.length / source.columns
    const from = next
    while (next < rows.length && rows[next] < end) next++
    if (next === from) continue
    const kept = new Float32Array((next - from) * columns.length)
    for (let row = from; row < next; row++) {
      const at = (rows[row] - first) * source.columns
      const to = (row - from) * columns.length
      for (let i = 0; i < columns.length; i++) kept[to + i] = values[at + columns[i]] * factor
    }
    yield kept
  }
}

/** Rows of a tensor as float32, heads in Cria's order; valid until the next are asked for. */
async function* valuesOf(
  { tensors }: Checkpoint,
  source: Source,
): AsyncGenerator<{ first: number; values: Float32Array }> {
  let first = 0
  for await (const { rows, bytes } of readRows(tensors, source)) {
    const values = new Float32Array(rows * source.columns)
    decode(source.entry.encoding, bytes, values)
    yield { first, values }
    first += rows
  }
}
