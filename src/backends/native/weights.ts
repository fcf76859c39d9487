// Weights as the kernels want them, and the writer that packs rows as they stream in, on all threads.
import type { Weight } from "../../ops/ops.js"
import { elements } from "../../tensor/tensor.js"
import { groupSize, isInteger, rowBytes, type WeightKind, weightKinds } from "../../weights/kind.js"
import type { WeightWriter } from "../backend.js"
import type { Machine } from "./machine.js"
import type { Form, NativeScope, NativeTensor } from "./tensor.js"

/** The number of a kind in commands. */
export const kindNumber = (kind: WeightKind): number => weightKinds.indexOf(kind)

export class NativeWeight implements Weight {
  /** The panels of a weight that shows a tensor: see `panelsOf`. */
  panels: Form | undefined
  /** The tensor whose values it shows, and how often that had been changed then. */
  readonly changes: number

  constructor(
    readonly shape: readonly [number, number],
    readonly kind: WeightKind,
    /** Of the packed weight; where there is a `source`, of its plain rows. */
    readonly address: number,
    readonly owner: Machine,
    readonly source?: NativeTensor,
    readonly scope?: NativeScope,
  ) {
    this.changes = source?.changes ?? 0
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

const stagingBytes = 4 * 1024 * 1024

export class NativeWeightWriter implements WeightWriter {
  #written = 0
  #finished = false

  constructor(readonly weight: NativeWeight) {}

  write(rows: Uint8Array): void {
    const { kind, shape, owner } = this.weight
    const bytes = rowBytes(kind, shape[1])
    const count = this.#expect(rows, bytes)
    const atOnce = Math.max(1, Math.floor(stagingBytes / bytes))
    const staging = owner.loading(Math.min(atOnce, count) * bytes)
    for (let done = 0; done < count; done += atOnce) {
      const some = Math.min(atOnce, count - done)
      owner.write(staging, rows.subarray(done * bytes, (done + some) * bytes))
      this.#pack(staging, some)
    }
  }

  encode(from: "f32" | "f16" | "bf16", rows: Uint8Array): boolean {
    const { kind, shape, owner } = this.weight
    if (!isInteger(kind)) return false
    const [, columns] = shape
    const [sourceBytes, targetBytes] = [rowBytes(from, columns), rowBytes(kind, columns)]
    const count = this.#expect(rows, sourceBytes)
    // The source, then the encoded rows, then the flag of failure.
    const encodedAt = Math.ceil(rows.byteLength / 64) * 64
    const failedAt = encodedAt + Math.ceil((count * targetBytes) / 64) * 64
    const staging = owner.loading(failedAt + 64)
    const failed = new Int32Array(1)
    owner.write(staging, rows)
    owner.write(staging + failedAt, failed)
    const kinds = [kindNumber(from), kindNumber(kind)]
    const operands = [staging, staging + encodedAt, columns, ...kinds, staging + failedAt]
    owner.runNow("EncodeRows", count, operands)
    owner.addon.read(owner.handle, staging + failedAt, failed)
    if (failed[0] !== 0) return false
    this.#pack(staging + encodedAt, count)
    return true
  }

  /** The number of rows in these bytes; throws where they do not fit what was written before. */
  #expect(rows: Uint8Array, bytes: number): number {
    const [total] = this.weight.shape
    const count = rows.byteLength / bytes
    if (this.#finished) throw new Error("write after finish")
    if (!Number.isInteger(count) || this.#written + count > total) {
      throw new Error(
        `a weight of ${total} rows of ${bytes} bytes got ${rows.byteLength} bytes after ${this.#written} rows`,
      )
    }
    this.weight.owner.usable()
    return count
  }

  /** Packs rows of the weight's kind, which lie at `source`, after those before. */
  #pack(source: number, count: number): void {
    const { kind, shape, owner, address } = this.weight
    const [total, columns] = shape
    const units = owner.ask("packUnits", kindNumber(kind), this.#written, count)
    const operands = [source, address, this.#written, count, total, columns, kindNumber(kind)]
    owner.runNow(isInteger(kind) ? "PackInt" : "PackDense", units, operands)
    this.#written += count
  }

  finish(): Weight {
    const [rows] = this.weight.shape
    if (this.#written !== rows) throw new Error(`a weight of ${rows} rows ended after ${this.#written}`)
    this.#finished = true
    return this.weight
  }
}

/** Takes the memory of a weight. */
export function createWeight(
  machine: Machine,
  kind: WeightKind,
  rows: number,
  columns: number,
): NativeWeightWriter {
  machine.usable()
  checkExtents(kind, [rows, columns])
  const address = machine.hold(machine.ask("packedBytes", kindNumber(kind), rows, columns))
  return new NativeWeightWriter(new NativeWeight([rows, columns], kind, address, machine))
}
