// SentencePiece's BPE (Kudo and Richardson 2018): the text is one piece whose first symbols are its characters;
// a character that is no token becomes its bytes <0xXX>. Pairs merge by score, the best first.
import type { StretchEncoder } from "./byte-level.js"
import { Merger } from "./merge.js"
import type { PairTable } from "./pair-table.js"
import type { Vocabulary } from "./vocabulary.js"

export class SentencePieceEncoder implements StretchEncoder {
  readonly #vocabulary: Vocabulary
  readonly #merger: Merger
  readonly #byteTokens: Int32Array

  constructor(vocabulary: Vocabulary, pairs: PairTable, byteTokens: Int32Array) {
    this.#vocabulary = vocabulary
    this.#merger = new Merger(pairs)
    this.#byteTokens = byteTokens
  }

  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    const symbols = this.#merger.symbols(end - start)
    let count = 0
    for (let at = start; at < end; ) {
      let after = at + 1
      while (after < end && (bytes[after] & 0xc0) === 0x80) after++
      const id = this.#vocabulary.find(bytes, view, at, after)
      if (id >= 0) symbols[count++] = id
      else for (let i = at; i < after; i++) symbols[count++] = this.#byteTokens[bytes[i]]
      at = after
    }
    this.#merger.merge(count, out)
  }
}
