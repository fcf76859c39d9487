// Which two tokens merge, and how early: a hash table over pairs of ids. Knows nothing of text; `merge.ts` and
// wasm/kernels/tokens.ts run it.
import { sharedInts } from "./shared-memory.js"

const never = 0x7fffffff
/**
 * Merges with numbers below this are early: most that are asked for, in a table that stays in the processor's cache.
 */
export const early = 2048

/**
 * A slot of two words has 20 bits of the left id, 20 of the right one and 24 of the merge's number + 1 (0 is free), from
 * the high bits of the first word to the low ones of the second.
 */
export interface PairTableData {
  slots: Int32Array
  /** One bit for each of many hashes, set where some pair has it: most pairs asked for are none, and this is small. */
  filter: Int32Array
  /** The id that each merge, by its number, makes; undefined where it is the number itself. */
  merged: Int32Array | undefined
  /** The rank of each merge, the lower the earlier; undefined where it is the number itself. */
  ranks: Int32Array | undefined
}

export class PairTable {
  readonly data: PairTableData
  readonly #slots: Int32Array
  readonly #filter: Int32Array
  readonly #shift: number

  constructor(data: PairTableData) {
    this.data = data
    this.#slots = data.slots
    this.#filter = data.filter
    this.#shift = Math.clz32(data.slots.length / 2) + 1
  }

  /** The number of the merge of a pair; that of a pair that never merges is above all others. */
  find(left: number, right: number): number {
    const h = hash(left, right)
    if (((this.#filter[(h >>> 5) & (this.#filter.length - 1)] >>> h) & 1) === 0) return never
    const slots = this.#slots
    const high = (left << 12) | (right >> 8)
    const low = right & 0xff
    for (let slot = (h >>> this.#shift) << 1; ; slot = (slot + 2) & (slots.length - 1)) {
      const word = slots[slot + 1]
      if (slots[slot] === high && word >>> 24 === low && (word & 0xffffff) !== 0) return (word & 0xffffff) - 1
      if ((word & 0xffffff) === 0) return never
    }
  }

  /** All pairs, in no order. */
  *entries(): Generator<{ left: number; right: number; rank: number; merged: number }> {
    const { slots, merged, ranks } = this.data
    for (let slot = 0; slot < slots.length; slot += 2) {
      const number = (slots[slot + 1] & 0xffffff) - 1
      if (number < 0) continue
      const right = ((slots[slot] & 0xfff) << 8) | (slots[slot + 1] >>> 24)
      const rank = ranks ? ranks[number] : number
      yield { left: slots[slot] >>> 12, right, rank, merged: merged ? merged[number] : number }
    }
  }

  /** The table of a list's merges. Of two merges of one pair the lower number counts. */
  static of(list: PairList, ranks?: Int32Array): PairTable {
    let merged: Int32Array | undefined
    if (!list.numbersAreIds) {
      merged = sharedInts(list.highest + 1)
      for (let at = 0; at < 4 * list.count; at += 4) merged[list.words[at + 2]] = list.words[at + 3]
    }
    return new PairTable({ ...slotsOf(list, never), merged, ranks })
  }

  /** The table of a list's early merges, which tells numbers only: what a merge makes the other table has. */
  static earlyOf(list: PairList): PairTable {
    return new PairTable({ ...slotsOf(list, early), merged: undefined, ranks: undefined })
  }
}

/** Slots and filter for the merges of a list whose numbers are below `limit`. */
function slotsOf(list: PairList, limit: number): { slots: Int32Array; filter: Int32Array } {
  const { words } = list
  let count = list.count
  if (limit < never)
    for (let at = (count = 0); at < 4 * list.count; at += 4) if (words[at + 2] < limit) count++
  let size = 16
  while (size < 1.5 * count) size *= 2
  const slots = sharedInts(2 * size)
  const filter = sharedInts(size / 8)
  const shift = Math.clz32(size) + 1
  for (let at = 0; at < 4 * list.count; at += 4) {
    const left = words[at]
    const right = words[at + 1]
    const number = words[at + 2]
    if (number >= limit) continue
    const h = hash(left, right)
    filter[(h >>> 5) & (filter.length - 1)] |= 1 << h
    const high = (left << 12) | (right >> 8)
    const low = right & 0xff
    let slot = (h >>> shift) << 1
    let held = slots[slot + 1]
    while (held !== 0 && !(slots[slot] === high && held >>> 24 === low)) {
      slot = (slot + 2) & (slots.length - 1)
      held = slots[slot + 1]
    }
    if (held !== 0 && (held & 0xffffff) - 1 <= number) continue
    slots[slot] = high
    slots[slot + 1] = (low << 24) | (number + 1)
  }
  return { slots, filter }
}

function hash(left: number, right: number): number {
  const h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
  return Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
}

/** A growing list of merges: left, right, number, merged. Numbers are below 2^24 - 1. */
export class PairList {
  words = sharedInts(1 << 16)
  count = 0
  highest = -1
  numbersAreIds = true

  add(left: number, right: number, number: number, merged: number): void {
    const at = this.count * 4
    if (at === this.words.length) {
      const larger = sharedInts(this.words.length * 2)
      larger.set(this.words)
      this.words = larger
    }
    this.words[at] = left
    this.words[at + 1] = right
    this.words[at + 2] = number
    this.words[at + 3] = merged
    this.count++
    if (number > this.highest) this.highest = number
    if (number !== merged) this.numbersAreIds = false
  }
}
