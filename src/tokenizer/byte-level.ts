// Byte-level BPE: the pattern cuts the text into pieces, a piece that is a token is that token, every other piece
// starts as bytes and is merged. Knows UTF-8 bytes and ids; special tokens and strings are above it.
import { UnsupportedError } from "../errors/index.js"
import { Backtracker } from "./backtrack.js"
import { Derivations } from "./derivations.js"
import { Merger } from "./merge.js"
import type { LeftToRightData } from "./model.js"
import type { PairTable } from "./pair-table.js"
import { Scanner } from "./pattern/scanner.js"
import { shortPiece, ShortPieceMerger } from "./short-piece.js"
import { Trie } from "./trie.js"
import type { Vocabulary } from "./vocabulary.js"

const batchPieces = 64
/** Longest piece without an ASCII letter in its second byte that is merged in place. */
const shortNonAscii = 8

/** What turns a stretch of UTF-8 into ids; the bytes must be readable for `padding` bytes after `end`. */
export interface StretchEncoder {
  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void
}

export class ByteLevelEncoder implements StretchEncoder {
  readonly #vocabulary: Vocabulary
  readonly #merger: Merger
  readonly #shortMerger: ShortPieceMerger
  readonly #backtracker: Backtracker
  readonly #byteTokens: Int32Array
  readonly #scanners: readonly Scanner[]
  /** Bytes that each stage may still read again in its stretch. */
  readonly #rereads: Float64Array

  /** `patterns` are applied one after the other, each to the pieces of the one before. */
  constructor(
    vocabulary: Vocabulary,
    pairs: PairTable,
    leftToRight: LeftToRightData,
    byteTokens: Int32Array,
    patterns: readonly string[],
  ) {
    this.#vocabulary = vocabulary
    this.#merger = new Merger(pairs)
    this.#shortMerger = new ShortPieceMerger(pairs, byteTokens)
    this.#backtracker = new Backtracker(
      vocabulary,
      new Trie(leftToRight.trie),
      new Derivations(leftToRight.derivations, pairs),
    )
    this.#byteTokens = byteTokens
    this.#scanners = patterns.map((pattern) => new Scanner(pattern))
    this.#rereads = new Float64Array(patterns.length)
  }

  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    if (start < end) this.#split(0, bytes, view, start, end, out)
  }

  #split(stage: number, bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    if (stage === this.#scanners.length) {
      this.#piece(bytes, view, start, end, out)
      return
    }
    // A pattern may have to read on to learn where its match ended. Real ones read every character a few times at
    // most; one that reads the rest of the text for every match would take quadratic time and is refused.
    this.#rereads[stage] = 64 * (end - start) + 4096
    for (let at = start; at < end; ) at = this.#batch(stage, bytes, view, at, end, out)
  }

  /**
   * Encodes up to `batchPieces` matches from `at` and returns where it stopped. A function that is entered often is
   * compiled whole; one long loop over the text would fall back to the interpreter at the end of every text.
   */
  #batch(stage: number, bytes: Uint8Array, view: DataView, at: number, end: number, out: number[]): number {
    const scanner = this.#scanners[stage]
    const isLast = stage + 1 === this.#scanners.length
    for (let pieces = 0; pieces < batchPieces && at < end; pieces++) {
      const match = scanner.next(bytes, at, end)
      this.#rereads[stage] -= scanner.reach - (match < 0 ? at : match)
      if (this.#rereads[stage] < 0) refuseQuadratic()
      if (match < 0) at = this.#gap(stage, bytes, view, at, end, out)
      else {
        if (isLast) this.#piece(bytes, view, at, match, out)
        else this.#split(stage + 1, bytes, view, at, match, out)
        at = match
      }
    }
    return at
  }

  /** What no match covers is a piece of its own. Returns where it ends. */
  #gap(stage: number, bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): number {
    const scanner = this.#scanners[stage]
    let at = start
    do {
      at++
      while (at < end && (bytes[at] & 0xc0) === 0x80) at++
      if (at === end || scanner.next(bytes, at, end) >= 0) break
      this.#rereads[stage] -= scanner.reach - at
      if (this.#rereads[stage] < 0) refuseQuadratic()
    } while (at < end)
    this.#split(stage + 1, bytes, view, start, at, out)
    return at
  }

  #piece(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    const whole = this.#vocabulary.find(bytes, view, start, end)
    if (whole >= 0) {
      out.push(whole)
      return
    }
    const count = end - start
    // Measured: bytes of Latin letters are merged faster than looked at from left to right, up to some length.
    if (count <= (bytes[start + 1] < 0x80 ? shortPiece : shortNonAscii)) {
      this.#shortMerger.encode(bytes, start, end, out)
      return
    }
    if (this.#backtracker.encode(bytes, start, end, out)) return
    const symbols = this.#merger.symbols(count)
    const byteTokens = this.#byteTokens
    for (let i = 0; i < count; i++) symbols[i] = byteTokens[bytes[start + i]]
    this.#merger.merge(count, out)
  }
}

function refuseQuadratic(): never {
  throw new UnsupportedError("the pre-tokenizer pattern of this model needs quadratic time on this text")
}
