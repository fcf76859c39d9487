// The paged cache: for each layer one stretch of address space for all pages it may ever have. Nothing of it is resident
// before it is written, and of its first part no more than what is written.
import { OutOfMemoryError, UnsupportedError } from "../../errors/errors.js"
import type { PageLayout, PageStore } from "../../ops/ops.js"
import { formatMiB } from "./arena.js"
import type { Machine } from "./machine.js"

/** Of each layer so much is in small pages: a huge one for a few tokens would be most of the cache of a short answer. */
const smallBytes = 2 ** 21

export const elementBytes = (dtype: PageLayout["dtype"]): number => (dtype === "f16" ? 2 : 4)

export class NativePages implements PageStore {
  /** Address of each layer's pages. */
  readonly layers: readonly number[]
  /** Bytes of one layer's part of a page. */
  readonly layerBytes: number
  #reserved = 0
  #freed = false

  constructor(
    readonly layout: PageLayout,
    readonly owner: Machine,
  ) {
    const { kvHeads, headWidth, pageTokens } = layout
    if (owner.ask("attentionRange", pageTokens) === 0)
      throw new UnsupportedError(`pages of ${pageTokens} tokens are too large`)
    this.layerBytes = owner.ask("pageBytes", kvHeads, headWidth, pageTokens, elementBytes(layout.dtype))
    const layers: number[] = []
    const bytes = layout.capacity * this.layerBytes
    for (let layer = 0; layer < layout.layers; layer++) {
      const address = owner.addon.allocate(owner.handle, bytes, smallBytes)
      if (address === 0) {
        for (const taken of layers) owner.addon.release(owner.handle, taken)
        throw new OutOfMemoryError(
          `the system grants no ${formatMiB(bytes * layout.layers)} for the cache: use a shorter context`,
        )
      }
      layers.push(address)
    }
    this.layers = layers
    owner.pages.add(this)
  }

  get usedBytes(): number {
    return this.#reserved * this.layerBytes * this.layout.layers
  }

  get freed(): boolean {
    return this.#freed
  }

  reserve(count: number): void {
    if (count > this.layout.capacity) throw new Error(`${count} pages of ${this.layout.capacity}`)
    this.#reserved = Math.max(this.#reserved, count)
  }

  copy(from: number, to: number): void {
    this.owner.ownPages(this)
    for (const page of [from, to]) {
      if (!(page >= 0 && page < this.layout.capacity))
        throw new Error(`page ${page} of ${this.layout.capacity}`)
    }
    this.reserve(Math.max(from, to) + 1)
    const { kvHeads, headWidth, pageTokens, dtype } = this.layout
    const form = [kvHeads, 0, headWidth, pageTokens, elementBytes(dtype)]
    for (const address of this.layers) this.owner.record("CopyPage", kvHeads, [from, to, 0, address, ...form])
  }

  free(): void {
    if (this.#freed || this.owner.disposed) return
    this.owner.flush()
    this.#freed = true
    this.owner.pages.delete(this)
    for (const address of this.layers) this.owner.addon.release(this.owner.handle, address)
  }
}
