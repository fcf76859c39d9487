// Records of tokens as batches of a bounded number of rows. Each piece is a sequence of its own, so attention never
// crosses from one document into the next, and no row is spent on padding. Where the stream stands is a few numbers.
import type { Mixture, MixtureCursor, MixtureRecord, RecordStore, TokenSequence } from "../data/index.js"
import { InvalidOptionError } from "../errors/index.js"
import type { Batch } from "../model/llama.js"
import type { SequenceRows } from "../ops/ops.js"
import type { TopTokens } from "./methods/distributions.js"

/** A sequence that brings what a teacher said about each of its tokens: those that were likeliest in its place. */
export interface TaughtSequence extends TokenSequence {
  readonly teacher?: TopTokens
}

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
  /** What a teacher said about each output, where the records bring it. */
  readonly teacher?: TopTokens
}

/** Collects sequences until the rows are used up. */
class Builder {
  readonly #ids: number[] = []
  readonly #positions: number[] = []
  readonly #outputs: number[] = []
  readonly #targets: number[] = []
  readonly #sequences: SequenceRows[] = []
  readonly #segments: Segment[] = []
  /** For each output the teacher's file and the place in it. */
  readonly #teacher: [TopTokens, number][] = []
  #records = 0

  get rows(): number {
    return this.#ids.length
  }

  addRecord(): number {
    return this.#records++
  }

  /** Tokens first..end-1 as inputs; each predicts the token after it where the loss counts that one. */
  add(
    { ids, loss, teacher }: TaughtSequence,
    first: number,
    end: number,
    record: number,
    sequence: number,
  ): void {
    const firstRow = this.rows
    const firstOutput = this.#outputs.length
    for (let i = first; i < end; i++) {
      if (i + 1 < ids.length && loss[i + 1] === 1) {
        this.#outputs.push(this.rows)
        this.#targets.push(ids[i + 1])
        if (teacher) this.#teacher.push([teacher, i + 1])
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
      ...(this.#teacher.length > 0 ? { teacher: gather(this.#teacher) } : {}),
    }
  }
}

const noPages = new Int32Array(0)

/** The k tokens of each of these places, one after the other. */
function gather(places: readonly [TopTokens, number][]): TopTokens {
  const [{ k }] = places[0]
  const ids = new Int32Array(places.length * k)
  const p = new Float32Array(places.length * k)
  for (const [row, [from, place]] of places.entries()) {
    ids.set(from.ids.subarray(place * k, (place + 1) * k), row * k)
    p.set(from.p.subarray(place * k, (place + 1) * k), row * k)
  }
  return { k, ids, p }
}

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
  /** Whether the last token of a sequence goes through the model too, which has nothing to predict. Default false. */
  readonly withLast?: boolean
}

/** The records of a store in their order, packed whole or divided, until about `tokens` of them have gone by. */
export async function* packAll(
  store: RecordStore,
  { rows, context, divides, withLast = false }: PackingOptions,
  tokens: number,
): AsyncGenerator<PackedBatch> {
  let builder = new Builder()
  let seen = 0
  for (let number = 0; number < store.records && seen < tokens; number++) {
    const record = await store.read(number)
    const length = record.reduce((sum, { ids }) => sum + ids.length, 0)
    if (builder.rows > 0 && builder.rows + length > rows) {
      yield builder.end()
      builder = new Builder()
    }
    const place = builder.addRecord()
    for (const [i, sequence] of record.entries()) {
      const whole = withLast ? sequence.ids.length : sequence.ids.length - 1
      const end = divides ? Math.min(whole, context, rows) : whole
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
  #addPieces(builder: Builder, { record: [sequence] }: MixtureRecord): boolean {
    const { rows, context } = this.#options
    const end = sequence.ids.length - 1
    const number = builder.addRecord()
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
  #addWhole(builder: Builder, { record }: MixtureRecord): boolean {
    const { rows, withLast = false } = this.#options
    const end = ({ ids }: TokenSequence) => (withLast ? ids.length : ids.length - 1)
    const needed = record.reduce((sum, sequence) => sum + end(sequence), 0)
    if (needed > rows)
      throw new InvalidOptionError(
        `an example takes ${needed} tokens, but a batch holds ${rows}: raise batch.microTokens, or lower data.context`,
      )
    if (builder.rows + needed > rows) return false
    const number = builder.addRecord()
    record.forEach((sequence, i) => builder.add(sequence, 0, end(sequence), number, i))
    return true
  }
}
