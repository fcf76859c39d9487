// The tokens of a vocabulary: their bytes in one buffer, and a hash table from bytes to token id.
// Knows nothing of merges, patterns or file formats.
import { InvalidFileError } from "../errors/index.js"
import { sharedBytes, sharedInts } from "./shared-memory.js"

/** Most tokens a vocabulary may have; merge ranks and ids are packed under this bound. */
export const maxVocabularySize = 1 << 20
/** Longest token in bytes; longer ones in a file are damage or an attack. */
export const maxTokenBytes = 1024
/** Bytes after the end of a searched buffer that may be read (never compared), so that reads are whole words. */
export const padding = 8

/** What a token is: ordinary text, a control token that decoding hides, or an added token that it shows. */
export const TokenKind = { ordinary: 0, control: 1, added: 2, unused: 3 } as const

/** A slot of the table: the first eight bytes (or two hashes of a longer token), id + 1 (0 is free), length. */
const slotWords = 4
const lowMasks = Int32Array.from([0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1, -1])
const highMasks = Int32Array.from([0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, -1])

export interface VocabularyData {
  /** Bytes of all tokens one after the other, then `padding` bytes. */
  bytes: Uint8Array
  /** Token i is bytes[offsets[i], offsets[i + 1]). */
  offsets: Int32Array
  /** A TokenKind for every token. */
  kinds: Uint8Array
  table: Int32Array
}

export class Vocabulary {
  readonly size: number
  readonly longest: number
  readonly #bytes: Uint8Array
  readonly #offsets: Int32Array
  readonly #table: Int32Array
  readonly #shift: number
  readonly data: VocabularyData

  constructor(data: VocabularyData) {
    this.data = data
    this.#bytes = data.bytes
    this.#offsets = data.offsets
    this.#table = data.table
    this.#shift = 32 - Math.log2(data.table.length / slotWords)
    this.size = data.kinds.length
    let longest = 0
    for (let id = 0; id < this.size; id++) longest = Math.max(longest, this.byteLength(id))
    this.longest = longest
  }

  /**
   * Builds the table over all ordinary tokens for which `findable` holds. Of two tokens with the same bytes the
   * first is found; `duplicate` is told the second and may throw.
   */
  static build(
    tokens: Omit<VocabularyData, "table">,
    findable: (id: number) => boolean = () => true,
    duplicate: (id: number, earlier: number) => void = () => {},
  ): Vocabulary {
    const size = tokens.kinds.length
    let slots = 16
    while (slots < 2 * size) slots *= 2
    const vocabulary = new Vocabulary({ ...tokens, table: sharedInts(slots * slotWords) })
    const view = viewOf(tokens.bytes)
    for (let id = 0; id < size; id++) {
      if (tokens.kinds[id] !== TokenKind.ordinary || !findable(id)) continue
      const start = tokens.offsets[id]
      const end = tokens.offsets[id + 1]
      if (start === end) continue
      const earlier = vocabulary.#place(id, view, start, end)
      if (earlier >= 0) duplicate(id, earlier)
    }
    return vocabulary
  }

  byteLength(id: number): number {
    return this.#offsets[id + 1] - this.#offsets[id]
  }

  /** The bytes of a token; a view, not to be written to. */
  bytesOf(id: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1])
  }

  /** Puts a token into the table; returns -1, or the token that is there with the same bytes. */
  #place(id: number, view: DataView, start: number, end: number): number {
    const length = end - start
    const low = lowKey(view, start, length)
    const high = highKey(view, start, length)
    const table = this.#table
    const mask = table.length - 1
    let slot = hash(low, high, length, this.#shift) * slotWords
    while (table[slot + 2] !== 0) {
      if (table[slot] === low && table[slot + 1] === high && table[slot + 3] === length) {
        const earlier = table[slot + 2] - 1
        if (length <= 8 || this.#same(earlier, this.#bytes, start, length)) return earlier
      }
      slot = (slot + slotWords) & mask
    }
    table[slot] = low
    table[slot + 1] = high
    table[slot + 2] = id + 1
    table[slot + 3] = length
    return -1
  }

  /**
   * The id of the token that is exactly bytes[start, end), or -1. `view` is a view of the same buffer, which must
   * be readable for `padding` bytes after `end`.
   */
  find(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const length = end - start
    if (length > maxTokenBytes) return -1
    const low = lowKey(view, start, length)
    const high = highKey(view, start, length)
    const table = this.#table
    const mask = table.length - 1
    let slot = hash(low, high, length, this.#shift) * slotWords
    for (;;) {
      const id = table[slot + 2] - 1
      if (id < 0) return -1
      if (table[slot] === low && table[slot + 1] === high && table[slot + 3] === length) {
        if (length <= 8 || this.#same(id, bytes, start, length)) return id
      }
      slot = (slot + slotWords) & mask
    }
  }

  #same(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    const own = this.#bytes
    const offset = this.#offsets[id]
    for (let i = 0; i < length; i++) if (own[offset + i] !== bytes[start + i]) return false
    return true
  }
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function lowKey(view: DataView, start: number, length: number): number {
  if (length <= 8) return view.getInt32(start, true) & lowMasks[length]
  let h = length
  for (let i = 0; i < length; i += 8) {
    const left = length - i
    const word = view.getInt32(start + i, true) & (left >= 8 ? -1 : lowMasks[left])
    h = Math.imul((h << 13) ^ (h >>> 19) ^ word, 0x9e3779b1)
  }
  return h
}

function highKey(view: DataView, start: number, length: number): number {
  if (length <= 8) return length <= 4 ? 0 : view.getInt32(start + 4, true) & highMasks[length]
  let h = ~length
  for (let i = 0; i < length; i += 8) {
    const left = length - i
    if (left <= 4) break
    const word = view.getInt32(start + i + 4, true) & (left >= 8 ? -1 : highMasks[left])
    h = Math.imul((h << 11) ^ (h >>> 21) ^ word, 0x85ebca6b)
  }
  return h
}

function hash(low: number, high: number, length: number, shift: number): number {
  const h = Math.imul(low ^ (low >>> 15) ^ length, 0x9e3779b1) ^ Math.imul(high ^ (high >>> 13), 0x85ebca6b)
  return Math.imul(h ^ (h >>> 15), 0xc2b2ae35) >>> shift
}

/** Collects tokens in any order of ids into the buffers of a vocabulary; ids never given become unused. */
export class VocabularyBuilder {
  /** Where the token is in `#text`: its start + 1 (0 is not given yet) and its length. */
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  readonly #kinds: Uint8Array
  #text: Uint8Array = new Uint8Array(4 * maxTokenBytes)
  #end = 0

  constructor(size: number) {
    checkSize(size)
    this.#starts = sharedInts(size)
    this.#lengths = sharedInts(size)
    this.#kinds = sharedBytes(size).fill(TokenKind.unused)
  }

  has(id: number): boolean {
    return this.#starts[id] !== 0
  }

  /** Gives a token the first `length` of these bytes, which are copied; a token given again is replaced. */
  set(id: number, bytes: Uint8Array, kind: number = TokenKind.ordinary, length = bytes.length): void {
    if (length > maxTokenBytes)
      throw new InvalidFileError(
        `token ${id} has ${length} bytes, expected at most ${maxTokenBytes}: the vocabulary is damaged`,
      )
    if (this.#end + length > this.#text.length) {
      const larger = sharedBytes(2 * this.#text.length)
      larger.set(this.#text)
      this.#text = larger
    }
    for (let i = 0; i < length; i++) this.#text[this.#end + i] = bytes[i]
    this.#starts[id] = this.#end + 1
    this.#lengths[id] = length
    this.#kinds[id] = kind
    this.#end += length
  }

  finish(): Omit<VocabularyData, "table"> {
    const size = this.#kinds.length
    const offsets = sharedInts(size + 1)
    for (let id = 0; id < size; id++) offsets[id + 1] = offsets[id] + this.#lengths[id]
    const bytes = sharedBytes(offsets[size] + padding)
    const text = this.#text
    for (let id = 0; id < size; id++) {
      const from = this.#starts[id] - 1
      const to = offsets[id]
      for (let i = this.#lengths[id] - 1; i >= 0; i--) bytes[to + i] = text[from + i]
    }
    return { bytes, offsets, kinds: this.#kinds }
  }
}

/** Refuses a vocabulary size before anything is allocated for it. */
export function checkSize(size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > maxVocabularySize)
    throw new InvalidFileError(
      `the vocabulary has ${size} tokens, expected 1 to ${maxVocabularySize}: the file is damaged or not a vocabulary`,
    )
}
