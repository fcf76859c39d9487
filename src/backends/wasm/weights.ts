// Weights in panels: sizes, and the writer that packs rows as they stream in. The layout itself is described and
// used in kernels/layout.ts.
import type { WeightWriter } from "../../backends/backend.js"
import type { Weight } from "../../ops/ops.js"
import { elements, type Shape } from "../../tensor/tensor.js"
import { groupSize, isInteger, rowBytes, type WeightKind } from "../../weights/kind.js"
import type { Place } from "./memories.js"
import type { WasmScope } from "./tensor.js"
import {
  DENSE_PANEL,
  INT4_BLOCK,
  INT4_MIN_BLOCK,
  INT8_BLOCK,
  INT8_CHANNEL_BLOCK,
  INT_PANEL,
  Kind,
} from "./opcodes.js"

interface KindLayout {
  readonly kind: Kind
  readonly panelRows: number
  /** Bytes of a panel for each group of 32 columns (integer kinds) or each column (dense kinds). */
  readonly unitBytes: number
  readonly rowScaleBytes: number
}

export const layouts: Record<WeightKind, KindLayout> = {
  f32: { kind: Kind.F32, panelRows: DENSE_PANEL, unitBytes: DENSE_PANEL * 4, rowScaleBytes: 0 },
  f16: { kind: Kind.F16, panelRows: DENSE_PANEL, unitBytes: DENSE_PANEL * 2, rowScaleBytes: 0 },
  bf16: { kind: Kind.BF16, panelRows: DENSE_PANEL, unitBytes: DENSE_PANEL * 2, rowScaleBytes: 0 },
  int8: { kind: Kind.Int8, panelRows: INT_PANEL, unitBytes: INT8_BLOCK, rowScaleBytes: 0 },
  "int8-channel": {
    kind: Kind.Int8Channel,
    panelRows: INT_PANEL,
    unitBytes: INT8_CHANNEL_BLOCK,
    rowScaleBytes: 4,
  },
  int4: { kind: Kind.Int4, panelRows: INT_PANEL, unitBytes: INT4_BLOCK, rowScaleBytes: 0 },
  "int4-min": { kind: Kind.Int4Min, panelRows: INT_PANEL, unitBytes: INT4_MIN_BLOCK, rowScaleBytes: 0 },
}

/** Bytes of a packed weight, whole panels. */
export function packedBytes(kind: WeightKind, rows: number, columns: number): number {
  const { panelRows, unitBytes, rowScaleBytes } = layouts[kind]
  const panels = Math.ceil(rows / panelRows)
  const units = isInteger(kind) ? columns / groupSize : columns
  return panels * (units * unitBytes + panelRows * rowScaleBytes)
}

/** Bytes of one token's record of quantized activations: see kernels/quantize.ts. */
export const quantizedBytes = (columns: number): number => 3 * columns + (columns / groupSize) * 8 + 64

/** What a linear needs to know of a weight. */
export interface PackedWeight {
  readonly shape: Shape
  readonly kind: WeightKind
  readonly place: Pick<Place, "recorder" | "address">
}

export class WasmWeight implements Weight, PackedWeight {
  constructor(
    readonly shape: Shape,
    readonly kind: WeightKind,
    readonly place: Place,
    readonly owner: object,
    /** Of a weight that was made of a tensor. */
    readonly scope?: WasmScope,
  ) {}
}

/**
 * Bytes of rows that are copied in and packed at a time. What the heap gives for them becomes a hole between weights; a
 * large one would take in the smaller weights of each layer, so that each layer left another.
 */
const stagingBytes = 256 * 1024

export class WasmWeightWriter implements WeightWriter {
  #written = 0
  #finished = false
  readonly #weight: WasmWeight

  constructor(weight: WasmWeight) {
    this.#weight = weight
    const { recorder, address, bytes } = weight.place
    // Rows and columns that only fill up a panel must be zero; the rest is overwritten.
    const [rows] = weight.shape
    if (rows % layouts[weight.kind].panelRows !== 0) recorder.heap.bytes.fill(0, address, address + bytes)
  }

  write(rows: Uint8Array): void {
    const { kind, shape, place } = this.#weight
    const [total, columns] = shape
    const bytes = rowBytes(kind, columns)
    const count = rows.byteLength / bytes
    if (this.#finished) throw new Error("write after finish")
    if (!Number.isInteger(count) || this.#written + count > total) {
      throw new Error(
        `a weight of ${total} rows of ${bytes} bytes got ${rows.byteLength} bytes after ${this.#written} rows`,
      )
    }
    const { heap, kernels } = place.recorder
    const atOnce = Math.max(1, Math.floor(stagingBytes / bytes))
    const staging = heap.allocate(Math.min(atOnce, count) * bytes)
    for (let done = 0; done < count; done += atOnce) {
      const some = Math.min(atOnce, count - done)
      heap.bytes.set(rows.subarray(done * bytes, (done + some) * bytes), staging)
      const first = this.#written + done
      kernels.pack(layouts[kind].kind, staging, bytes, place.address, first, some, total, columns)
    }
    heap.release(staging, Math.min(atOnce, count) * bytes)
    this.#written += count
  }

  finish(): Weight {
    const [rows] = this.#weight.shape
    if (this.#written !== rows) throw new Error(`a weight of ${rows} rows ended after ${this.#written}`)
    this.#finished = true
    return this.#weight
  }
}

/** Checks the extents of a weight before anything is allocated. */
export function checkExtents(kind: WeightKind, shape: readonly [number, number]): void {
  const [rows, columns] = shape
  const whole = Number.isSafeInteger(elements(shape)) && rows > 0 && columns > 0
  if (!whole || (isInteger(kind) && columns % groupSize !== 0)) {
    throw new Error(
      `a weight of kind ${kind} cannot be [${rows}, ${columns}]: columns come in groups of ${groupSize}`,
    )
  }
}
