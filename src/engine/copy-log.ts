// Remembers which pages were copied since the last step that succeeded: a backend only records a copy, and a step
// that is interrupted leaves nobody knowing whether it was made.
import type { PageStore } from "../ops/ops.js"

export class CopyLog implements PageStore {
  /** Pages whose contents may not be there yet. */
  readonly unsure = new Set<number>()
  readonly #pages: PageStore

  constructor(pages: PageStore) {
    this.#pages = pages
  }

  get layout(): PageStore["layout"] {
    return this.#pages.layout
  }

  reserve(count: number): void {
    this.#pages.reserve(count)
  }

  copy(from: number, to: number): void {
    this.unsure.add(to)
    this.#pages.copy(from, to)
  }

  free(): void {
    this.#pages.free()
  }
}
