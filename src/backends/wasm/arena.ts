// Memory that is given back all at once: what is allocated after a mark is free again when the mark is reset.
import type { Heap } from "./heap.js"

export interface Mark {
  readonly chunk: number
  readonly offset: number
}

export class Arena {
  readonly #chunks: { address: number; size: number }[] = []
  #chunk = 0
  #offset = 0

  constructor(
    readonly heap: Heap,
    readonly chunkBytes: number,
  ) {}

  /** Address of `bytes`, aligned to 64. Throws OutOfMemoryError. */
  allocate(bytes: number): number {
    const size = Math.ceil(Math.max(bytes, 1) / 64) * 64
    for (;;) {
      const chunk = this.#chunks[this.#chunk]
      if (!chunk) {
        const chunkSize = Math.max(this.chunkBytes, size)
        this.#chunks.push({ address: this.heap.allocate(chunkSize), size: chunkSize })
      } else if (this.#offset + size <= chunk.size) {
        const address = chunk.address + this.#offset
        this.#offset += size
        return address
      } else {
        this.#chunk++
        this.#offset = 0
      }
    }
  }

  mark(): Mark {
    return { chunk: this.#chunk, offset: this.#offset }
  }

  reset(mark: Mark = { chunk: 0, offset: 0 }): void {
    this.#chunk = mark.chunk
    this.#offset = mark.offset
  }

  /** An empty arena of several chunks gives all of them back. Only when no recorded command uses them any more. */
  trim(): void {
    if (this.#chunk > 0 || this.#offset > 0 || this.#chunks.length < 2) return
    for (const { address, size } of this.#chunks) this.heap.release(address, size)
    this.#chunks.length = 0
  }
}
