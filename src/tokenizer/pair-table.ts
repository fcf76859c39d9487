// Which two tokens merge into which third, and how early: a hash table over pairs of ids.
// Knows nothing of text; `merge.ts` runs it.
import { sharedInts } from "./shared-memory.js"

/** A slot: left id + 1 (0 is free), right id, rank (lower merges first), merged id. */
const slotWords = 4

export interface PairTableData {
  pairs: Int32Array
  /** One bit for each of many hashes, set where some pair has it: most pairs asked for are none, and this is small. */
  pairFilter: Int32Array
}

export class PairTable {
  readonly data: PairTableData
  readonly table: Int32Array
  readonly #filter: Int32Array
  readonly #filterMask: number
  readonly #mask: number
  readonly #shift: number

  constructor(data: PairTableData) {
    this.data = data
    this.table = data.pairs
    this.#filter = data.pairFilter
    this.#filterMask = data.pairFilter.length - 1
    this.#mask = data.pairs.length - 1
    this.#shift = 32 - Math.log2(data.pairs.length / slotWords)
  }

  /** Where the slot of the pair starts in `table` (its rank at +2, the merged id at +3), or -1. */
  find(left: number, right: number): number {
    const h = hash(left, right)
    if (((this.#filter[(h >>> 5) & this.#filterMask] >>> h) & 1) === 0) return -1
    const table = this.table
    let slot = (h >>> this.#shift) * slotWords
    for (;;) {
      const key = table[slot] - 1
      if (key === left && table[slot + 1] === right) return slot
      if (key < 0) return -1
      slot = (slot + slotWords) & this.#mask
    }
  }

  /** The rank of the pair; that of a pair that never merges is above all others. */
  rankOf(left: number, right: number): number {
    const slot = this.find(left, right)
    return slot < 0 ? 0x7fffffff : this.table[slot + 2]
  }

  /** Of two ranks for one pair the lower counts. */
  static fromList({ words, count }: PairList): PairTable {
    let slots = 16
    while (slots < 1.5 * count) slots *= 2
    const table = sharedInts(slots * slotWords)
    const filter = sharedInts(slots / 4)
    const shift = 32 - Math.log2(slots)
    for (let at = 0; at < count * 4; at += 4) {
      const left = words[at]
      const right = words[at + 1]
      const rank = words[at + 2]
      const h = hash(left, right)
      filter[(h >>> 5) & (filter.length - 1)] |= 1 << h
      let slot = (h >>> shift) * slotWords
      while (table[slot] !== 0 && !(table[slot] - 1 === left && table[slot + 1] === right))
        slot = (slot + slotWords) & (table.length - 1)
      if (table[slot] !== 0 && table[slot + 2] <= rank) continue
      table[slot] = left + 1
      table[slot + 1] = right
      table[slot + 2] = rank
      table[slot + 3] = words[at + 3]
    }
    return new PairTable({ pairs: table, pairFilter: filter })
  }
}

function hash(left: number, right: number): number {
  const h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
  return Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
}

/** A growing list of pairs: left, right, rank, merged. */
export class PairList {
  words = new Int32Array(4096)
  count = 0

  add(left: number, right: number, rank: number, merged: number): void {
    const at = this.count * 4
    if (at === this.words.length) {
      const larger = new Int32Array(this.words.length * 2)
      larger.set(this.words)
      this.words = larger
    }
    this.words[at] = left
    this.words[at + 1] = right
    this.words[at + 2] = rank
    this.words[at + 3] = merged
    this.count++
  }
}
