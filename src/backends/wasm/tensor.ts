// A tensor of this backend: an address in heap 0, and the scope that it dies with.
import type { Scope, Shape, Tensor } from "../../tensor/tensor.js"
import type { Mark } from "./arena.js"

/** One open scope: what its end resets. */
export class WasmScope implements Scope {
  ended = false

  constructor(
    readonly mark: Mark,
    readonly outer: WasmScope | undefined,
    readonly onEnd: (scope: WasmScope, keep: readonly Tensor[]) => void,
  ) {}

  end(keep: readonly Tensor[] = []): void {
    if (this.ended) return
    this.onEnd(this, keep)
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
  #address: number
  #scope: WasmScope | undefined

  constructor(
    readonly shape: Shape,
    address: number,
    readonly owner: object,
    scope: WasmScope | undefined,
  ) {
    this.#address = address
    this.#scope = scope
  }

  get address(): number {
    return this.#address
  }

  get scope(): WasmScope | undefined {
    return this.#scope
  }

  /** To memory of another scope: its own ends, and it was to be kept. */
  move(address: number, scope: WasmScope | undefined): void {
    this.#address = address
    this.#scope = scope
  }
}
