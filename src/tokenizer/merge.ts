// Byte-pair merging: from the symbols of a piece to its tokens, always the pair of lowest rank first, the
// leftmost of equals (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units").
// Knows ids and ranks only; where the first symbols come from is the caller's matter.
import type { PairTable } from "./pair-table.js"

const never = 0x7fffffff
/** Symbols of scratch memory kept between calls; a longer piece gets its own, which is freed after it. */
const keptSymbols = 1 << 16

export class Merger {
  readonly #pairs: PairTable
  #symbols = new Int32Array(1024)
  #ranks = new Int32Array(1024)
  #merged = new Int32Array(1024)

  constructor(pairs: PairTable) {
    this.#pairs = pairs
  }

  /** Room for `count` symbols, to be filled by the caller before `merge`. */
  symbols(count: number): Int32Array {
    if (this.#symbols.length < count) {
      this.#symbols = new Int32Array(count)
      this.#ranks = new Int32Array(count)
      this.#merged = new Int32Array(count)
    }
    return this.#symbols
  }

  /** Merges the first `count` of `symbols()` and appends what is left to `out`. */
  merge(count: number, out: number[]): void {
    this.#merge(count, out)
    if (this.#symbols.length > keptSymbols) {
      this.#symbols = new Int32Array(1024)
      this.#ranks = new Int32Array(1024)
      this.#merged = new Int32Array(1024)
    }
  }

  /** Sets rank and merged id of the pair (left, right) at place i. */
  #rate(i: number, left: number, right: number): void {
    const number = this.#pairs.find(left, right)
    const { ranks, merged } = this.#pairs.data
    this.#ranks[i] = ranks && number !== never ? ranks[number] : number
    if (number !== never) this.#merged[i] = merged ? merged[number] : number
  }

  #merge(count: number, out: number[]): void {
    const symbols = this.#symbols
    const ranks = this.#ranks
    const merged = this.#merged
    const next = new Int32Array(count)
    const previous = new Int32Array(count)
    // Each merge takes at least one entry out and puts at most two in, so 2 * count entries are enough.
    const heap = new Heap(2 * count)
    for (let i = 0; i < count; i++) {
      next[i] = i + 1
      previous[i] = i - 1
      ranks[i] = never
      if (i + 1 < count) this.#rate(i, symbols[i], symbols[i + 1])
      if (ranks[i] !== never) heap.append(ranks[i], i)
    }
    heap.order()
    while (heap.size > 0) {
      const top = heap.pop()
      const at = top % 0x80000000
      if (ranks[at] !== (top - at) / 0x80000000) continue // this pair is gone: one side was merged meanwhile
      const gone = next[at]
      const after = next[gone]
      symbols[at] = merged[at]
      ranks[gone] = never
      next[at] = after
      if (after < count) {
        previous[after] = at
        this.#rate(at, symbols[at], symbols[after])
        if (ranks[at] !== never) heap.push(ranks[at], at)
      } else ranks[at] = never
      const before = previous[at]
      if (before >= 0) {
        this.#rate(before, symbols[before], symbols[at])
        if (ranks[before] !== never) heap.push(ranks[before], before)
      }
    }
    for (let i = 0; i < count; i = next[i]) out.push(symbols[i])
  }
}

/** A binary heap of (rank, place), packed into one number each: rank * 2^31 + place, below 2^51. */
class Heap {
  readonly #items: Float64Array
  size = 0

  constructor(capacity: number) {
    this.#items = new Float64Array(capacity)
  }

  append(rank: number, place: number): void {
    this.#items[this.size++] = rank * 0x80000000 + place
  }

  order(): void {
    for (let i = (this.size >> 1) - 1; i >= 0; i--) this.#sink(i, this.#items[i])
  }

  push(rank: number, place: number): void {
    const items = this.#items
    const item = rank * 0x80000000 + place
    let i = this.size++
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (items[parent] <= item) break
      items[i] = items[parent]
      i = parent
    }
    items[i] = item
  }

  pop(): number {
    const top = this.#items[0]
    const item = this.#items[--this.size]
    if (this.size > 0) this.#sink(0, item)
    return top
  }

  #sink(from: number, item: number): void {
    const items = this.#items
    const size = this.size
    let i = from
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      if (child + 1 < size && items[child + 1] < items[child]) child++
      if (items[child] >= item) break
      items[i] = items[child]
      i = child
    }
    items[i] = item
  }
}
