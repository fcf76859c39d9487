// SentencePiece's BPE (Kudo and Richardson 2018): the text is one piece whose first symbols are its characters;
// a character that is no token becomes its bytes <0xXX>. Pairs merge by score, the best first.
import type { StretchEncoder } from "./byte-level.js"
import type { Merger } from "./merge.js"
import { padding, viewOf, type Vocabulary } from "./vocabulary.js"

/** UTF-8 scratch memory kept between calls; a longer text gets its own, which is freed after it. */
const keptBytes = 1 << 16

export class SentencePieceEncoder implements StretchEncoder {
  readonly #vocabulary: Vocabulary
  readonly #merger: Merger
  readonly #byteTokens: Int32Array
  readonly #utf8 = new TextEncoder()
  readonly #scratch = new Uint8Array(keptBytes)

  constructor(vocabulary: Vocabulary, merger: Merger, byteTokens: Int32Array) {
    this.#vocabulary = vocabulary
    this.#merger = merger
    this.#byteTokens = byteTokens
  }

  encode(text: string, out: number[]): void {
    const needed = 3 * text.length + padding
    const bytes = needed > keptBytes ? new Uint8Array(needed) : this.#scratch
    const view = viewOf(bytes)
    const end = this.#utf8.encodeInto(text, bytes).written
    const symbols = this.#merger.symbols(end)
    let count = 0
    for (let at = 0; at < end; ) {
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
