// The paged cache of the reference backend: one array a page, [layer][key, value][slot][Y] in f32 or f16 bits.
import { pageBytes, type PageLayout, type PageStore, type SequenceRows } from "../../ops/ops.js"
import { floatToHalf, halfToFloat } from "../../weights/half.js"

export class ReferencePages implements PageStore {
  #pages: (Float32Array | Uint16Array)[] = []
  readonly #onFree: () => void

  constructor(
    readonly layout: PageLayout,
    onFree: () => void,
  ) {
    this.#onFree = onFree
  }

  get bytes(): number {
    return this.#pages.length * pageBytes(this.layout)
  }

  reserve(count: number): void {
    const { dtype } = this.layout
    const size = pageBytes(this.layout) / (dtype === "f16" ? 2 : 4)
    while (this.#pages.length < count)
      this.#pages.push(dtype === "f16" ? new Uint16Array(size) : new Float32Array(size))
  }

  copy(from: number, to: number): void {
    this.reserve(Math.max(from, to) + 1)
    this.#pages[to].set(this.#pages[from])
  }

  free(): void {
    this.#pages = []
    this.#onFree()
  }

  /** Puts the rows [length, Y] of a batch into their slots. */
  store(layer: number, sequence: SequenceRows, keys: Float32Array, values: Float32Array): void {
    const Y = this.layout.kvHeads * this.layout.headWidth
    for (let row = 0; row < sequence.length; row++) {
      const slot = sequence.cached + row
      for (const [half, source] of [keys, values].entries()) {
        const { page, at } = this.#locate(layer, half, sequence.pages, slot)
        for (let y = 0; y < Y; y++) {
          const value = source[row * Y + y]
          page[at + y] = this.layout.dtype === "f16" ? floatToHalf(value) : value
        }
      }
    }
  }

  /** Slots 0..count-1 of a sequence as rows [count, Y]. */
  gather(layer: number, which: "key" | "value", pages: Int32Array, count: number): Float32Array {
    const Y = this.layout.kvHeads * this.layout.headWidth
    const rows = new Float32Array(count * Y)
    for (let slot = 0; slot < count; slot++) {
      const { page, at } = this.#locate(layer, which === "key" ? 0 : 1, pages, slot)
      for (let y = 0; y < Y; y++) {
        rows[slot * Y + y] = this.layout.dtype === "f16" ? halfToFloat(page[at + y]) : page[at + y]
      }
    }
    return rows
  }

  #locate(layer: number, half: number, pages: Int32Array, slot: number) {
    const { kvHeads, headWidth, pageTokens } = this.layout
    const index = pages[Math.floor(slot / pageTokens)]
    this.reserve(index + 1)
    const at = ((layer * 2 + half) * pageTokens + (slot % pageTokens)) * kvHeads * headWidth
    return { page: this.#pages[index], at }
  }
}
