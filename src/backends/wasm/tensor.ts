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

/** Another form of a tensor, made when a linear first asks for it: 8-bit records, or tiles of tokens. */
export interface Form {
  readonly address: number
  /** Bytes a token. */
  readonly stride: number
  readonly scope: WasmScope | undefined
}

export class WasmTensor implements Tensor {
  quantized: Form | undefined
  interleaved: Form | undefined

  constructor(
    readonly shape: Shape,
    readonly address: number,
    readonly owner: object,
    readonly scope: WasmScope | undefined,
  ) {}
}
