// The reference backend: its memory, which the garbage collector manages. What it computes is in forward.ts and
// gradients.ts.
import type { PageLayout, PageStore } from "../../ops/ops.js"
import type { Scope, Tensor } from "../../tensor/tensor.js"
import type { WeightKind } from "../../weights/kind.js"
import type { Backend, WeightWriter } from "../backend.js"
import { ReferenceGradients } from "./gradients.js"
import { ReferencePages } from "./pages.js"
import { ReferenceWeight, values } from "./tensor.js"

export class ReferenceBackend extends ReferenceGradients implements Backend {
  readonly name = "reference"
  readonly threads = 1
  readonly description = "reference: plain loops, 1 thread"
  readonly interrupt = undefined
  #weightBytes = 0
  readonly #pages = new Set<ReferencePages>()

  static async create(): Promise<ReferenceBackend> {
    return new ReferenceBackend()
  }

  get allocatedBytes(): number {
    let bytes = this.#weightBytes
    for (const pages of this.#pages) bytes += pages.bytes
    return bytes
  }

  createWeight(kind: WeightKind, rows: number, columns: number): WeightWriter {
    const weight = new ReferenceWeight(kind, rows, columns)
    this.#weightBytes += weight.bytes.length
    let filled = 0
    return {
      write(bytes) {
        if (filled + bytes.length > weight.bytes.length) throw new Error("more rows than the weight has")
        weight.bytes.set(bytes, filled)
        filled += bytes.length
      },
      finish() {
        if (filled !== weight.bytes.length)
          throw new Error(`${filled} of ${weight.bytes.length} bytes of a weight`)
        return weight
      },
    }
  }

  createPages(layout: PageLayout): PageStore {
    const pages = new ReferencePages(layout, () => this.#pages.delete(pages))
    this.#pages.add(pages)
    return pages
  }

  scope(): Scope {
    return { end() {} } // the garbage collector frees what nobody holds
  }

  async read(tensor: Tensor, into?: Float32Array): Promise<Float32Array> {
    if (into?.length !== values(tensor).length) return values(tensor).slice()
    into.set(values(tensor))
    return into
  }

  async dispose(): Promise<void> {
    this.#pages.clear()
    this.#weightBytes = 0
  }
}
