// Byte-level BPE: the pattern cuts the text into pieces, a piece that is a token is that token, every other piece
// starts as bytes and is merged. Knows UTF-8 bytes and ids; special tokens and strings are above it.
import { UnsupportedError } from "../errors/index.js"
import { Backtracker } from "./backtrack.js"
import { Derivations } from "./derivations.js"
import { Merger } from "./merge.js"
import type { LeftToRightData } from "./model.js"
import type { PairTable } from "./pair-table.js"
import { Scanner } from "./pattern/scanner.js"
import { Trie } from "./trie.js"
import type { Vocabulary } from "./vocabulary.js"

/** What turns a stretch of UTF-8 into ids; the bytes must be readable for `padding` bytes after `end`. */
export interface StretchEncoder {
  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void
}

export class ByteLevelEncoder implements StretchEncoder {
  readonly #vocabulary: Vocabulary
  readonly #merger: Merger
  readonly #backtracker: Backtracker
  readonly #byteTokens: Int32Array
  readonly #scanners: readonly Scanner[]

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
    this.#backtracker = new Backtracker(
      vocabulary,
      new Trie(leftToRight.trie),
      new Derivations(leftToRight.derivations, pairs),
    )
    this.#byteTokens = byteTokens
    this.#scanners = patterns.map((pattern) => new Scanner(pattern))
  }

  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    if (start < end) this.#split(0, bytes, view, start, end, out)
  }

  #split(stage: number, bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    if (stage === this.#scanners.length) {
      this.#piece(bytes, view, start, end, out)
      return
    }
    const scanner = this.#scanners[stage]
    const isLast = stage + 1 === this.#scanners.length
    // A pattern may have to read on to learn where its match ended. Real ones read every character a few times at
    // most; one that reads the rest of the text for every match would take quadratic time and is refused.
    let rereads = 64 * (end - start) + 4096
    let gap = start
    let at = start
    while (at < end) {
      const match = scanner.next(bytes, at, end)
      rereads -= scanner.reach - (match < 0 ? at : match)
      if (rereads < 0)
        throw new UnsupportedError(
          "the pre-tokenizer pattern of this model needs quadratic time on this text",
        )
      if (match < 0) {
        at++
        while (at < end && (bytes[at] & 0xc0) === 0x80) at++
        continue
      }
      // What no match covers is a piece of its own.
      if (gap < at) this.#split(stage + 1, bytes, view, gap, at, out)
      if (isLast) this.#piece(bytes, view, at, match, out)
      else this.#split(stage + 1, bytes, view, at, match, out)
      at = gap = match
    }
    if (gap < end) this.#split(stage + 1, bytes, view, gap, end, out)
  }

  #piece(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    const whole = this.#vocabulary.find(bytes, view, start, end)
    if (whole >= 0) {
      out.push(whole)
      return
    }
    if (this.#backtracker.encode(bytes, start, end, out)) return
    const count = end - start
    const symbols = this.#merger.symbols(count)
    const byteTokens = this.#byteTokens
    for (let i = 0; i < count; i++) symbols[i] = byteTokens[bytes[start + i]]
    this.#merger.merge(count, out)
  }
}
