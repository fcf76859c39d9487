// A tensor of this backend: an address, and the scope that it dies with.
import type { Scope, Shape, Tensor } from "../../tensor/tensor.js"

/** One open scope: what its end resets. */
export class NativeScope implements Scope {
  ended = false

  constructor(
    readonly mark: number,
    readonly outer: NativeScope | undefined,
    readonly onEnd: (scope: NativeScope) => void,
  ) {}

  end(): void {
    if (this.ended) return
    this.onEnd(this)
  }
}

/** Another form of a tensor, made when a linear first asks for it. */
export interface Form {
  readonly address: number
  readonly scope: NativeScope | undefined
}

export class NativeTensor implements Tensor {
  quantized: Form | undefined
  dense: Form | undefined
  /** Counts the operations that changed it in place. */
  changes = 0

  constructor(
    readonly shape: Shape,
    readonly address: number,
    readonly owner: object,
    readonly scope: NativeScope | undefined,
  ) {}
}
