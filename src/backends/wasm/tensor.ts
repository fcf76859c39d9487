// A tensor of this backend: an address in heap 0, and the scope that it dies with.
import type { Scope, Shape, Tensor } from "../../tensor/tensor.js"
import type { Mark } from "./arena.js"

/** One open scope: what its end resets. */
export class WasmScope implements Scope {
  ended = false

  constructor(
    readonly mark: Mark,
    readonly outer: WasmScope | undefined,
    readonly onEnd: (scope: WasmScope) => void,
  ) {}

  end(): void {
    if (this.ended) return
    this.onEnd(this)
  }
}

/** The 8-bit form of a tensor, made when a linear first asks for it. */
export interface QuantizedForm {
  readonly address: number
  /** Bytes from one token's record to the next. */
  readonly stride: number
  readonly scope: WasmScope | undefined
}

export class WasmTensor implements Tensor {
  quantized: QuantizedForm | undefined

  constructor(
    readonly shape: Shape,
    readonly address: number,
    readonly owner: object,
    readonly scope: WasmScope | undefined,
  ) {}
}
