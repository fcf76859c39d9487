// How often each piece of text occurs: a hash table over bytes that lie in one buffer. Beyond its bound it forgets the
// rarest pieces (lossy counting, Manku & Motwani 2002), so memory stays bounded on a text of any size.

export class PieceCounts {
  /** Pieces that are held. */
  size = 0
  /** Bytes of all pieces that were added, each as often as it was. */
  totalBytes = 0
  readonly #mostBytes: number
  #bytes = new Uint8Array(1 << 16)
  #used = 0
  /** Piece i is bytes[starts[i], starts[i + 1]). */
  #starts = new Int32Array(1 << 10)
  #counts = new Float64Array(1 << 10)
  /** Number + 1 of the piece at each slot; 0 is free. */
  #slots = new Int32Array(1 << 12)
  #threshold = 1

  /** `mostBytes` bounds the text of the pieces that are held. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Counts bytes[start, end) `count` times more. */
  add(bytes: Uint8Array, start: number, end: number, count = 1): void {
    this.#count(bytes, start, end, count)
    this.totalBytes += (end - start) * count
    if (this.#used > this.#mostBytes) this.#forget()
  }

  /** Bytes of the pieces that are held, each once. */
  get bytes(): number {
    return this.#used
  }

  /** Visits every piece in the order in which they first came. */
  forEach(visit: (bytes: Uint8Array, start: number, end: number, count: number) => void): void {
    for (let i = 0; i < this.size; i++)
      visit(this.#bytes, this.#starts[i], this.#starts[i + 1], this.#counts[i])
  }

  #count(bytes: Uint8Array, start: number, end: number, count: number): void {
    const length = end - start
    const mask = this.#slots.length - 1
    let slot = hashOf(bytes, start, end) & mask
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const piece = this.#slots[slot] - 1
      if (this.#same(piece, bytes, start, length)) {
        this.#counts[piece] += count
        return
      }
    }
    this.#makeRoom(length)
    this.#bytes.set(bytes.subarray(start, end), this.#used)
    this.#counts[this.size] = count
    this.#slots[slot] = ++this.size
    this.#used += length
    this.#starts[this.size] = this.#used
    if (2 * this.size > this.#slots.length) this.#index(2 * this.#slots.length)
  }

  #same(piece: number, bytes: Uint8Array, start: number, length: number): boolean {
    const own = this.#starts[piece]
    if (this.#starts[piece + 1] - own !== length) return false
    for (let i = 0; i < length; i++) if (this.#bytes[own + i] !== bytes[start + i]) return false
    return true
  }

  #makeRoom(length: number): void {
    if (this.#used + length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.#bytes.length + length))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    if (this.size + 2 > this.#starts.length) {
      const starts = new Int32Array(2 * this.#starts.length)
      starts.set(this.#starts)
      this.#starts = starts
      const counts = new Float64Array(starts.length)
      counts.set(this.#counts)
      this.#counts = counts
    }
  }

  #index(slots: number): void {
    this.#slots = new Int32Array(slots)
    for (let piece = 0; piece < this.size; piece++) {
      let slot = hashOf(this.#bytes, this.#starts[piece], this.#starts[piece + 1]) & (slots - 1)
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (slots - 1)
      this.#slots[slot] = piece + 1
    }
  }

  /** Drops the pieces with the smallest counts until half of the bound is free. */
  #forget(): void {
    while (2 * this.#used > this.#mostBytes && this.size > 0) {
      let kept = 0
      let used = 0
      for (let piece = 0; piece < this.size; piece++) {
        const [start, end] = [this.#starts[piece], this.#starts[piece + 1]]
        if (this.#counts[piece] <= this.#threshold) continue
        this.#bytes.copyWithin(used, start, end)
        this.#counts[kept] = this.#counts[piece]
        this.#starts[kept++] = used
        used += end - start
      }
      this.#starts[kept] = used
      this.size = kept
      this.#used = used
      if (2 * used > this.#mostBytes) this.#threshold *= 2
    }
    this.#index(this.#slots.length)
  }
}

/** FNV-1a, its high bits folded into the low ones. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193)
  return hash ^ (hash >>> 15)
}
