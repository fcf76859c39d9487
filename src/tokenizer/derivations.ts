// How merging arrives at each token, and whether two tokens can stand side by side in its result. With this a
// piece can be encoded from left to right without performing its merges (see wasm/kernels/main.ts).
import { early, PairList, type PairTable } from "./pair-table.js"
import { sharedInts } from "./shared-memory.js"

/**
 * The tables that wasm/kernels/tokens.ts reads, packed because few fit into the processor's cache.
 *
 * A merge is late where its number is below that of the merge which makes one of its parts (the vocabulary of Llama 3
 * has such): it then comes right after that part was made, at the part's time. Otherwise its time is its number.
 */
export interface DerivationsData {
  /**
   * Four words for each token. From the lowest bit: 20 bits of the left part, 20 of the right one, 22 of the time of the
   * merge that makes it + 2 (0: merging never makes it, 1: a single byte), 2 of its lateness. Then a bit for the hash of
   * every token that it has a pair with to its right, and to its left: most borders have no pair, and the two records
   * say so without another look at memory.
   */
  records: Int32Array
  /** The number of each late token's merge. */
  lateNumbers: Int32Array
  /** The longest token that merging makes and that each properly starts with + 1 (0: none), shifted by its length. */
  starts: Int32Array
}

const recordWords = 4
const lengthBits = 11
const unmade = -2
const base = -1
const Late = { not: 0, byLeft: 1, byRight: 2 } as const

/** Whether merging arrives at the token. */
export function isMade({ records }: DerivationsData, id: number): boolean {
  return (records[id * recordWords + 1] & 0x3fffff00) !== 0
}

/**
 * Derives the tokens of a vocabulary from the pairs, which must be in order of their numbers. `shorter` is the longest
 * token that each properly starts with, or -1.
 *
 * `met` are the pairs that merging can meet: the two parts of each token; `others` three words for each other pair: left,
 * right, number. Of the bytes of a token merging makes the same,
 * in the same order, whatever stands around them, until something merges across their border; and where it arrives at
 * the token, it does so through one pair. The two of another pair never stand side by side; of the 280,147 pairs of
 * Llama 3 more than half are such. Those of a token whose making is not known all count as met.
 */
export function derive(
  list: PairList,
  pairs: PairTable,
  earlyPairs: PairTable,
  byteTokens: Int32Array,
  shorter: Int32Array,
  offsets: Int32Array,
): { derivations: DerivationsData; met: PairList; others: Int32Array } {
  const size = shorter.length
  const found = new Derivations(size, list, pairs, earlyPairs, byteTokens)
  const records = sharedInts(size * recordWords)
  const lateNumbers = sharedInts(size)
  const starts = sharedInts(size)
  for (let id = 0; id < size; id++) {
    const right = found.right[id]
    records[id * recordWords] = found.left[id] | (right << 20)
    records[id * recordWords + 1] = (right >> 12) | ((found.time[id] + 2) << 8) | (found.late[id] << 30)
    if (found.late[id] !== Late.not) lateNumbers[id] = found.number[id]
    let start = shorter[id]
    while (start >= 0 && found.time[start] === unmade) start = shorter[start]
    starts[id] = ((start + 1) << lengthBits) | (offsets[id + 1] - offsets[id])
  }
  const met = new PairList()
  const others: number[] = []
  for (let at = 0; at < 4 * list.count; at += 4) {
    const x = list.words[at]
    const y = list.words[at + 1]
    const id = list.words[at + 3]
    const number = list.words[at + 2]
    if (found.time[id] !== unmade && (found.left[id] !== x || found.right[id] !== y)) {
      others.push(x, y, number)
      continue
    }
    met.add(x, y, number, id)
    records[x * recordWords + 2] |= 1 << partnerBit(y)
    records[y * recordWords + 3] |= 1 << partnerBit(x)
  }
  const rest = sharedInts(others.length)
  rest.set(others)
  return { derivations: { records, lateNumbers, starts }, met, others: rest }
}

class Derivations {
  readonly time: Int32Array
  readonly left: Int32Array
  readonly right: Int32Array
  readonly number: Int32Array
  readonly late: Uint8Array
  readonly #pairs: PairTable
  readonly #earlyPairs: PairTable

  constructor(
    size: number,
    { words, count }: PairList,
    pairs: PairTable,
    earlyPairs: PairTable,
    byteTokens: Int32Array,
  ) {
    this.time = sharedInts(size).fill(unmade)
    this.left = sharedInts(size)
    this.right = sharedInts(size)
    this.number = sharedInts(size)
    this.late = new Uint8Array(size)
    this.#pairs = pairs
    this.#earlyPairs = earlyPairs
    for (const id of byteTokens) this.time[id] = base
    // Merges that wait for a late part are found in a later pass; a token never found is merged step by step.
    for (let at = 0; at < 4 * count; at += 4) this.#derive(words, at)
    let waiting: number[] = []
    for (let at = 0; at < 4 * count; at += 4) if (this.time[words[at + 3]] === unmade) waiting.push(at)
    for (let pass = 1, found = -1; found !== 0 && pass < 8; pass++) {
      found = 0
      for (const at of waiting) if (this.#derive(words, at)) found++
      waiting = waiting.filter((at) => this.time[words[at + 3]] === unmade)
    }
  }

  #derive(words: Int32Array, at: number): boolean {
    const id = words[at + 3]
    if (this.time[id] !== unmade) return false
    const x = words[at]
    const y = words[at + 1]
    const number = words[at + 2]
    const timeX = this.time[x]
    const timeY = this.time[y]
    if (timeX === unmade || timeY === unmade || !this.#standApart(x, y, number)) return false
    this.late[id] =
      timeY >= number && timeY >= timeX ? Late.byRight : timeX >= number ? Late.byLeft : Late.not
    this.time[id] = Math.max(number, timeX, timeY)
    this.left[id] = x
    this.right[id] = y
    this.number[id] = number
    return true
  }

  /**
   * Whether the bytes of x and y together merge into x and y before the merge of both, whose number is `limit`: takes
   * the merges of x and y back, the latest first, and looks at each step whether a merge across the border would have
   * come before the one taken back.
   */
  #standApart(x: number, y: number, limit: number): boolean {
    for (;;) {
      if ((limit <= early ? this.#earlyPairs : this.#pairs).find(x, y) < limit) return false
      // Equal times merge from left to right: of x and y, y is the later.
      if (this.time[x] > this.time[y]) {
        // At equal numbers x, which lies left of the border, merges before the border does. Where the left part came
        // late, the border was there all the time until then.
        limit = this.late[x] === Late.byLeft ? this.time[x] : this.number[x]
        x = this.right[x]
      } else if (this.time[y] > base) {
        limit = (this.late[y] === Late.byRight ? this.time[y] : this.number[y]) + 1
        y = this.left[y]
      } else return true
    }
  }
}

const partnerBit = (id: number): number => Math.imul(id, 0x9e3779b1) >>> 27
