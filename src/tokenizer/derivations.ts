// How merging arrives at each token, and whether two tokens can stand side by side in its result. With this a
// piece can be encoded from left to right without performing its merges (see backtrack.ts).
import type { PairList, PairTable } from "./pair-table.js"
import { sharedInts } from "./shared-memory.js"

/**
 * Words of a token's record: time, left part, right part, rank * 4 + lateness of the merge that makes it; then a bit
 * for the hash of every token that it has a pair with, to its right and to its left; then the longest token that
 * merging makes and that it properly starts with, or -1, and its length in bytes. Most borders have no pair, and the
 * two records say so without another look at memory.
 */
const recordWords = 8
const partnersRight = 4
const partnersLeft = 5
const shorterWord = 6
const lengthWord = 7
const unmade = -2
const base = -1
/**
 * A merge is late where its rank is below that of the merge which makes one of its parts (the vocabulary of Llama 3
 * has such): it then comes right after that part was made, at the part's time. Otherwise its time is its rank.
 */
const Late = { not: 0, byLeft: 1, byRight: 2 } as const

export class Derivations {
  /** One record for each token; the time is -1 for a single byte and -2 where merging never makes the token. */
  readonly data: Int32Array
  readonly #pairs: PairTable

  constructor(data: Int32Array, pairs: PairTable) {
    this.data = data
    this.#pairs = pairs
  }

  /** Derives the tokens from the pairs, which must be in order of rank. */
  static of(size: number, list: PairList, pairs: PairTable, byteTokens: Int32Array): Derivations {
    const data = sharedInts(size * recordWords)
    for (let id = 0; id < size; id++) data[id * recordWords] = unmade
    for (const id of byteTokens) data[id * recordWords] = base
    for (let at = 0; at < 4 * list.count; at += 4) {
      const x = list.words[at]
      const y = list.words[at + 1]
      data[x * recordWords + partnersRight] |= 1 << partnerBit(y)
      data[y * recordWords + partnersLeft] |= 1 << partnerBit(x)
    }
    const derivations = new Derivations(data, pairs)
    // Merges that wait for a late part are found in a later pass; a token never found is merged step by step.
    let waiting = Int32Array.from({ length: list.count }, (_, pair) => 4 * pair)
    for (let pass = 0, found = -1; found !== 0 && pass < 8; pass++) {
      found = 0
      for (const at of waiting) if (derivations.#derive(list.words, at)) found++
      waiting = waiting.filter((at) => data[list.words[at + 3] * recordWords] === unmade)
    }
    return derivations
  }

  #derive(words: Int32Array, at: number): boolean {
    const data = this.data
    const x = words[at]
    const y = words[at + 1]
    const rank = words[at + 2]
    const record = words[at + 3] * recordWords
    const timeX = data[x * recordWords]
    const timeY = data[y * recordWords]
    if (data[record] !== unmade || timeX === unmade || timeY === unmade) return false
    if (!this.#standApart(x, y, rank)) return false
    const late = timeY >= rank && timeY >= timeX ? Late.byRight : timeX >= rank ? Late.byLeft : Late.not
    data[record] = Math.max(rank, timeX, timeY)
    data[record + 1] = x
    data[record + 2] = y
    data[record + 3] = rank * 4 + late
    return true
  }

  /** Whether merging arrives at the token. */
  isMade(id: number): boolean {
    return this.data[id * recordWords] !== unmade
  }

  /** Completes the records: `shorter` is the longest token that each starts with, -1 for none, made or not. */
  setLengths(shorter: Int32Array, offsets: Int32Array): void {
    const data = this.data
    for (let id = 0; id < shorter.length; id++) {
      let start = shorter[id]
      while (start >= 0 && !this.isMade(start)) start = shorter[start]
      data[id * recordWords + shorterWord] = start
      data[id * recordWords + lengthWord] = offsets[id + 1] - offsets[id]
    }
  }

  /**
   * Takes the merges of x and y back, the latest first, and looks at each step whether a merge across the border
   * would have come before the one taken back. A merge of x and y themselves counts only below `limit`.
   */
  #standApart(x: number, y: number, limit: number): boolean {
    const data = this.data
    let recordX = x * recordWords
    let recordY = y * recordWords
    let timeX = data[recordX]
    let timeY = data[recordY]
    for (;;) {
      const mayPair =
        (data[recordX + partnersRight] >>> partnerBit(y)) &
        (data[recordY + partnersLeft] >>> partnerBit(x)) &
        1
      if (mayPair === 1 && this.#pairs.rankOf(x, y) < limit) return false
      // Equal times merge from left to right: of x and y, y is the later.
      if (timeX > timeY) {
        // At equal ranks x, which lies left of the border, merges before the border does. Where the left part came
        // late, the border was there all the time until then.
        const last = data[recordX + 3]
        limit = (last & 3) === Late.byLeft ? timeX : last >> 2
        x = data[recordX + 2]
        recordX = x * recordWords
        timeX = data[recordX]
      } else if (timeY > base) {
        const last = data[recordY + 3]
        limit = ((last & 3) === Late.byRight ? timeY : last >> 2) + 1
        y = data[recordY + 1]
        recordY = y * recordWords
        timeY = data[recordY]
      } else return true
    }
  }
}

const partnerBit = (id: number): number => Math.imul(id, 0x9e3779b1) >>> 27
