// Merges short pieces in place: for a word of a few bytes, going through all pairs for every merge is faster than
// any cleverer way, because the pairs of single bytes come from one small table.
import type { PairTable } from "./pair-table.js"

const never = 0x7fffffff
/** Longest piece in bytes. */
export const shortPiece = 24

export class ShortPieceMerger {
  readonly #pairs: PairTable
  readonly #byteTokens: Int32Array
  /** Rank and merged id of every pair of bytes. */
  readonly #bytePairs = new Int32Array(2 * 65536)
  readonly #symbols = new Int32Array(shortPiece)
  readonly #ranks = new Int32Array(shortPiece)
  readonly #merged = new Int32Array(shortPiece)

  constructor(pairs: PairTable, byteTokens: Int32Array) {
    this.#pairs = pairs
    this.#byteTokens = byteTokens
    for (let pair = 0; pair < 65536; pair++) {
      const slot = pairs.find(byteTokens[pair >> 8], byteTokens[pair & 0xff])
      this.#bytePairs[2 * pair] = slot < 0 ? never : pairs.table[slot + 2]
      this.#bytePairs[2 * pair + 1] = slot < 0 ? -1 : pairs.table[slot + 3]
    }
  }

  /** Appends the tokens of bytes[start, end), 1 to `shortPiece` bytes. */
  encode(bytes: Uint8Array, start: number, end: number, out: number[]): void {
    const pairs = this.#pairs
    const table = pairs.table
    const byteTokens = this.#byteTokens
    const bytePairs = this.#bytePairs
    const symbols = this.#symbols
    const ranks = this.#ranks
    const merged = this.#merged
    let last = end - start - 1
    let byte = bytes[start]
    symbols[0] = byteTokens[byte]
    for (let i = 0; i < last; i++) {
      const next = bytes[start + i + 1]
      const pair = 2 * ((byte << 8) | next)
      ranks[i] = bytePairs[pair]
      merged[i] = bytePairs[pair + 1]
      symbols[i + 1] = byteTokens[next]
      byte = next
    }
    for (;;) {
      let best = never
      let at = -1
      for (let i = 0; i < last; i++) {
        const rank = ranks[i]
        if (rank < best) {
          best = rank
          at = i
        }
      }
      if (at < 0) break
      const symbol = merged[at]
      symbols[at] = symbol
      last--
      for (let i = at + 1; i <= last; i++) {
        symbols[i] = symbols[i + 1]
        ranks[i] = ranks[i + 1]
        merged[i] = merged[i + 1]
      }
      if (at > 0) {
        const slot = pairs.find(symbols[at - 1], symbol)
        ranks[at - 1] = slot < 0 ? never : table[slot + 2]
        if (slot >= 0) merged[at - 1] = table[slot + 3]
      }
      if (at < last) {
        const slot = pairs.find(symbol, symbols[at + 1])
        ranks[at] = slot < 0 ? never : table[slot + 2]
        if (slot >= 0) merged[at] = table[slot + 3]
      }
    }
    for (let i = 0; i <= last; i++) out.push(symbols[i])
  }
}
