// Tensors and weights of the reference backend: plain arrays.
import type { Weight } from "../../ops/ops.js"
import type { Shape, Tensor } from "../../tensor/tensor.js"
import { decodeRows } from "../../weights/decode.js"
import { rowBytes, type WeightKind } from "../../weights/kind.js"

export class ReferenceTensor implements Tensor {
  constructor(
    readonly values: Float32Array,
    readonly shape: Shape,
  ) {}
}

/** Keeps the rows as they are in the file and decodes one at a time when it is used. */
export class ReferenceWeight implements Weight {
  readonly shape: Shape
  readonly bytes: Uint8Array
  constructor(
    readonly kind: WeightKind,
    rows: number,
    readonly columns: number,
  ) {
    this.shape = [rows, columns]
    this.bytes = new Uint8Array(rows * rowBytes(kind, columns))
  }

  rowBytes(row: number): Uint8Array {
    const size = rowBytes(this.kind, this.columns)
    return this.bytes.subarray(row * size, (row + 1) * size)
  }

  decodeRow(row: number, into: Float32Array): void {
    decodeRows(this.kind, this.rowBytes(row), this.columns, into)
  }
}

export const values = (tensor: Tensor) => (tensor as ReferenceTensor).values
