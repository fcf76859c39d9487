// A tensor of this backend: an address, and the scope that it dies with.
import { elements, type Scope, type Shape, type Tensor } from "../../tensor/tensor.js"

/** One open scope: what its end resets. */
export class NativeScope implements Scope {
  ended = false

  constructor(
    readonly mark: number,
    readonly outer: NativeScope | undefined,
    readonly onEnd: (scope: NativeScope, keep: readonly Tensor[]) => void,
  ) {}

  end(keep: readonly Tensor[] = []): void {
    if (this.ended) return
    this.onEnd(this, keep)
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
    public address: number,
    readonly owner: object,
    public scope: NativeScope | undefined,
  ) {}

  get bytes(): number {
    return elements(this.shape) * 4
  }

  /** After its values were moved: what was made of them stays behind. */
  moveTo(address: number, scope: NativeScope | undefined): void {
    this.address = address
    this.scope = scope
    this.quantized = this.dense = undefined
  }
}
