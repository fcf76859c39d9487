// Records of tokens as batches of a bounded number of rows. Each piece is a sequence of its own, so attention never
// crosses from one document into the next, and no row is spent on padding. Where the stream stands is a few numbers.
import type { Mixture, MixtureCursor, MixtureRecord, RecordStore, TokenSequence } from "../data/index.js"
import { InvalidOptionError } from "../errors/index.js"
import type { Batch } from "../model/llama.js"
import type { SequenceRows } from "../ops/ops.js"

/** Where a record's sequence lies in a batch. */
export interface Segment {
  /** Number of the record within the batch, and of the sequence within the record. */
  readonly record: number
  readonly sequence: number
  /** Its rows of the batch. */
  readonly firstRow: number
  readonly rows: number
  /** Its predicted tokens: entries of `outputs` and `targets`. */
  readonly firstOutput: number
  readonly outputs: number
}

/** A batch with the token that each of its output rows is to predict. */
export interface PackedBatch extends Batch {
  readonly targets: Int32Array
  readonly segments: readonly Segment[]
  /** Source of each record. */
  readonly sources: readonly number[]
}

/** Collects sequences until the rows are used up. */
class Builder {
  readonly #ids: number[] = []
  readonly #positions: number[] = []
  readonly #outputs: number[] = []
  readonly #targets: number[] = []
  readonly #sequences: SequenceRows[] = []
  readonly #segments: Segment[] = []
  readonly #sources: number[] = []

  get rows(): number {
    return this.#ids.length
  }

  addRecord(source: number): number {
    return this.#sources.push(source) - 1
  }

  /** Tokens first..end-1 as inputs; each predicts the token after it where the loss counts that one. */
  add({ ids, loss }: TokenSequence, first: number, end: number, record: number, sequence: number): void {
    const firstRow = this.rows
    const firstOutput = this.#outputs.length
    for (let i = first; i < end; i++) {
      if (i + 1 < ids.length && loss[i + 1] === 1) {
        this.#outputs.push(this.rows)
        this.#targets.push(ids[i + 1])
      }
      this.#ids.push(ids[i])
      this.#positions.push(i - first)
    }
    const rows = end - first
    this.#sequences.push({ first: firstRow, length: rows, cached: 0, pages: noPages })
    this.#segments.push({
      record,
      sequence,
      firstRow,
      rows,
      firstOutput,
      outputs: this.#outputs.length - firstOutput,
    })
  }

  end(): PackedBatch {
    return {
      ids: Int32Array.from(this.#ids),
      positions: Int32Array.from(this.#positions),
      sequences: this.#sequences,
      outputs: Int32Array.from(this.#outputs),
      targets: Int32Array.from(this.#targets),
      segments: this.#segments,
      sources: this.#sources,
    }
  }
}

const noPages = new Int32Array(0)

/** How far the data have been read: plain JSON, to be kept in a checkpoint. */
export interface BatchCursor {
  readonly mixture: MixtureCursor
  /** Rows of the next record that earlier batches had. */
  readonly offset: number
}

export interface PackingOptions {
  /** Rows of a batch at most. */
  readonly rows: number
  /** Tokens of a sequence at most. */
  readonly context: number
  /** Whether a record may be divided over batches (documents) or stays whole (conversations, preferences). */
  readonly divides: boolean
}

/** The records of a store in their order, packed whole or divided, until about `tokens` of them have gone by. */
export async function* packAll(
  store: RecordStore,
  { rows, context, divides }: PackingOptions,
  tokens: number,
): AsyncGenerator<PackedBatch> {
  let builder = new Builder()
  let seen = 0
  for (let number = 0; number < store.records && seen < tokens; number++) {
    const record = await store.read(number)
    const length = record.reduce((sum, { ids }) => sum + Math.max(0, ids.length - 1), 0)
    if (builder.rows > 0 && builder.rows + length > rows) {
      yield builder.end()
      builder = new Builder()
    }
    const place = builder.addRecord(0)
    for (const [i, sequence] of record.entries()) {
      const end = divides ? Math.min(sequence.ids.length - 1, context, rows) : sequence.ids.length - 1
      builder.add(sequence, 0, end, place, i)
    }
    seen += length
  }
  if (builder.rows > 0) yield builder.end()
}

/** A shorter piece of a divided document would be predicted from next to nothing; the rows stay free instead. */
const shortestPiece = 32

/** Batches without end, from a mixture. */
export class Batches {
  readonly #mixture: Mixture
  readonly #options: PackingOptions
  /** The record that did not fit as a whole, and where the mixture stood before it. */
  #pending: { readonly from: MixtureRecord; readonly before: MixtureCursor } | undefined
  #offset = 0

  constructor(mixture: Mixture, options: PackingOptions) {
    this.#mixture = mixture
    this.#options = options
  }

  get epochs(): number {
    return this.#mixture.epochs
  }

  get cursor(): BatchCursor {
    return { mixture: this.#pending?.before ?? this.#mixture.cursor, offset: this.#offset }
  }

  restore({ mixture, offset }: BatchCursor): void {
    this.#mixture.restore(mixture)
    this.#pending = undefined
    this.#offset = offset
  }

  async next(): Promise<PackedBatch> {
    const builder = new Builder()
    let fits = true
    while (fits) {
      const before = this.#mixture.cursor
      this.#pending ??= { from: await this.#mixture.next(), before }
      fits = this.#options.divides
        ? this.#addPieces(builder, this.#pending.from)
        : this.#addWhole(builder, this.#pending.from)
      if (fits) this.#pending = undefined
    }
    return builder.end()
  }

  /** Adds as much of a document as there is room for; whether that was all of it. */
  #addPieces(builder: Builder, { record: [sequence], source }: MixtureRecord): boolean {
    const { rows, context } = this.#options
    const end = sequence.ids.length - 1
    const number = builder.addRecord(source)
    while (this.#offset < end) {
      const room = Math.min(context, rows - builder.rows)
      const length = Math.min(room, end - this.#offset)
      if (room < Math.min(shortestPiece, end - this.#offset)) return false
      builder.add(sequence, this.#offset, this.#offset + length, number, 0)
      this.#offset += length
    }
    this.#offset = 0
    return true
  }

  /** Adds a whole record; false where it does not fit into what is left of the batch. */
  #addWhole(builder: Builder, { record, source }: MixtureRecord): boolean {
    const { rows } = this.#options
    const needed = record.reduce((sum, { ids }) => sum + ids.length - 1, 0)
    if (needed > rows)
      throw new InvalidOptionError(
        `an example takes ${needed} tokens, but a batch holds ${rows}: raise batch.microTokens, or lower data.context`,
      )
    if (builder.rows + needed > rows) return false
    const number = builder.addRecord(source)
    record.forEach((sequence, i) => builder.add(sequence, 0, sequence.ids.length - 1, number, i))
    return true
  }
}
