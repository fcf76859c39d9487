// Pairs of neighbouring symbols: how often each occurs, in which pieces, and which is the most frequent now.

const pieceWords = 2
const none = -1

export class PairCounts {
  /** Pairs by number, in the order in which they first came. */
  size = 0
  left = new Int32Array(1 << 12)
  right = new Int32Array(1 << 12)
  counts = new Float64Array(1 << 12)
  /** First node of each pair's list of pieces. */
  #lists = new Int32Array(1 << 12)
  /** Nodes of all lists: a piece, and the next node. */
  #nodes = new Int32Array(1 << 14)
  #nodesUsed = 0
  #freeNodes = none
  /** Number + 1 of the pair at each slot; 0 is free. */
  #slots = new Int32Array(1 << 14)
  readonly #queue = new Queue((a, b) => this.left[a] - this.left[b] || this.right[a] - this.right[b])

  /** Counts the pair `by` more (or less) in a piece. Pairs that gained are to be told with `gained` afterwards. */
  add(left: number, right: number, by: number, piece: number): number {
    const pair = this.#find(left, right)
    this.counts[pair] += by
    if (by > 0) this.#list(pair, piece)
    return pair
  }

  /** Lets a pair whose count has grown be found by `most`. */
  gained(pair: number): void {
    this.#queue.push(pair, this.counts[pair])
  }

  /**
   * The pair with the highest count, of several the one with the smaller left symbol, then the smaller right one;
   * undefined where none occurs. It is taken out: its count becomes 0.
   */
  takeMost(): { pair: number; count: number } | undefined {
    for (;;) {
      const top = this.#queue.pop()
      if (top === undefined) return undefined
      const count = this.counts[top.pair]
      if (count === top.count && count > 0) {
        this.counts[top.pair] = 0
        return { pair: top.pair, count }
      }
      // It has lost since it was put there; had it gained, it would have been put there again.
      if (count > 0 && count < top.count) this.#queue.push(top.pair, count)
    }
  }

  /** The pieces that may hold the pair, latest first; the list is empty afterwards. */
  takePieces(pair: number): number[] {
    const pieces: number[] = []
    for (let node = this.#lists[pair]; node !== none; ) {
      pieces.push(this.#nodes[pieceWords * node])
      const next = this.#nodes[pieceWords * node + 1]
      this.#nodes[pieceWords * node + 1] = this.#freeNodes
      this.#freeNodes = node
      node = next
    }
    this.#lists[pair] = none
    return pieces
  }

  #find(left: number, right: number): number {
    const mask = this.#slots.length - 1
    let slot = hashOf(left, right) & mask
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const pair = this.#slots[slot] - 1
      if (this.left[pair] === left && this.right[pair] === right) return pair
    }
    const pair = this.size++
    if (pair === this.left.length) this.#growPairs()
    this.left[pair] = left
    this.right[pair] = right
    this.#lists[pair] = none
    this.#slots[slot] = pair + 1
    if (2 * this.size > this.#slots.length) this.#index()
    return pair
  }

  /** Puts a piece in front of the pair's list, unless it stands there. */
  #list(pair: number, piece: number): void {
    const first = this.#lists[pair]
    if (first !== none && this.#nodes[pieceWords * first] === piece) return
    let node = this.#freeNodes
    if (node === none) {
      node = this.#nodesUsed++
      if (pieceWords * this.#nodesUsed > this.#nodes.length) this.#nodes = grown(this.#nodes)
    } else this.#freeNodes = this.#nodes[pieceWords * node + 1]
    this.#nodes[pieceWords * node] = piece
    this.#nodes[pieceWords * node + 1] = first
    this.#lists[pair] = node
  }

  #growPairs(): void {
    this.left = grown(this.left)
    this.right = grown(this.right)
    this.#lists = grown(this.#lists)
    const counts = new Float64Array(2 * this.counts.length)
    counts.set(this.counts)
    this.counts = counts
  }

  #index(): void {
    const slots = new Int32Array(2 * this.#slots.length)
    for (let pair = 0; pair < this.size; pair++) {
      let slot = hashOf(this.left[pair], this.right[pair]) & (slots.length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
      slots[slot] = pair + 1
    }
    this.#slots = slots
  }
}

function grown(list: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * list.length)
  larger.set(list)
  return larger
}

function hashOf(left: number, right: number): number {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
  return hash ^ (hash >>> 15)
}

/** A binary heap of pairs with the counts that they had when they were put there. */
class Queue {
  readonly #before: (a: number, b: number) => number
  readonly #pairs: number[] = []
  readonly #counts: number[] = []

  /** `order` says which of two pairs with the same count comes first. */
  constructor(order: (a: number, b: number) => number) {
    this.#before = order
  }

  push(pair: number, count: number): void {
    let at = this.#pairs.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(pair, count, parent)) break
      this.#pairs[at] = this.#pairs[parent]
      this.#counts[at] = this.#counts[parent]
      at = parent
    }
    this.#pairs[at] = pair
    this.#counts[at] = count
  }

  pop(): { pair: number; count: number } | undefined {
    if (this.#pairs.length === 0) return undefined
    const top = { pair: this.#pairs[0], count: this.#counts[0] }
    const pair = this.#pairs.pop()!
    const count = this.#counts.pop()!
    const length = this.#pairs.length
    if (length === 0) return top
    let at = 0
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && this.#isBefore(this.#pairs[child + 1], this.#counts[child + 1], child))
        child++
      if (!this.#isBefore(this.#pairs[child], this.#counts[child], -1, pair, count)) break
      this.#pairs[at] = this.#pairs[child]
      this.#counts[at] = this.#counts[child]
      at = child
    }
    this.#pairs[at] = pair
    this.#counts[at] = count
    return top
  }

  #isBefore(
    pair: number,
    count: number,
    at: number,
    other = this.#pairs[at],
    otherCount = this.#counts[at],
  ): boolean {
    return count > otherCount || (count === otherCount && this.#before(pair, other) < 0)
  }
}
