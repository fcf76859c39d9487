// The paged cache: for each layer one stretch of memory for all pages it may ever have. Nothing of it is resident
// before it is written, because fresh WebAssembly memory is not.
import type { PageLayout, PageStore } from "../../ops/ops.js"
import type { Memories, Place } from "./memories.js"

const eights = (x: number): number => Math.ceil(x / 8) * 8

/** Bytes of one layer's keys and values in a page: see kernels/cache.ts. */
export function layerPageBytes({ kvHeads, headWidth, pageTokens, dtype }: PageLayout): number {
  return 2 * kvHeads * eights(headWidth) * eights(pageTokens) * (dtype === "f16" ? 2 : 4)
}

export class WasmPages implements PageStore {
  readonly layers: readonly Place[]
  readonly layerBytes: number
  #reserved = 0
  #freed = false

  constructor(
    readonly layout: PageLayout,
    memories: Memories,
    readonly owner: object,
    private readonly hooks: {
      copy(pages: WasmPages, from: number, to: number): void
      free(pages: WasmPages): void
    },
  ) {
    this.layerBytes = layerPageBytes(layout)
    const layers: Place[] = []
    try {
      for (let layer = 0; layer < layout.layers; layer++) {
        layers.push(memories.place(layout.capacity * this.layerBytes, "pages"))
      }
    } catch (error) {
      for (const { recorder, address, bytes } of layers) recorder.heap.release(address, bytes)
      throw error
    }
    this.layers = layers
  }

  /** Address space of this store, and the part of it that has been used. */
  get spaceBytes(): number {
    return this.#freed ? 0 : this.layers.reduce((sum, { bytes }) => sum + bytes, 0)
  }
  get usedBytes(): number {
    return this.#freed ? 0 : this.#reserved * this.layerBytes * this.layout.layers
  }

  reserve(count: number): void {
    if (count > this.layout.capacity) throw new Error(`${count} pages of ${this.layout.capacity}`)
    this.#reserved = Math.max(this.#reserved, count)
  }

  copy(from: number, to: number): void {
    for (const page of [from, to]) {
      if (!(page >= 0 && page < this.layout.capacity))
        throw new Error(`page ${page} of ${this.layout.capacity}`)
    }
    this.reserve(Math.max(from, to) + 1)
    this.hooks.copy(this, from, to)
  }

  get freed(): boolean {
    return this.#freed
  }

  free(): void {
    if (this.#freed) return
    this.hooks.free(this)
    this.#freed = true
    for (const { recorder, address, bytes } of this.layers) recorder.heap.release(address, bytes)
  }
}
