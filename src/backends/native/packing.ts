// Packed weights as bytes, for a file, and mapped back from one.
import { CriaError } from "../../errors/errors.js"
import type { Weight } from "../../ops/ops.js"
import type { WeightKind } from "../../weights/kind.js"
import type { MappedFile, WeightPacking } from "../backend.js"
import type { Machine } from "./machine.js"
import { checkExtents, kindNumber, NativeWeight } from "./weights.js"

/** Bytes of a unit of Checksum; the sums hang on it. */
const unit = 2 ** 20

export class NativePacking implements WeightPacking {
  readonly layout: string

  constructor(
    readonly machine: Machine,
    instructionSet: string,
  ) {
    this.layout = `${instructionSet}-${machine.addon.layout}`
  }

  bytes(kind: WeightKind, rows: number, columns: number): number {
    checkExtents(kind, [rows, columns])
    return this.machine.ask("packedBytes", kindNumber(kind), rows, columns)
  }

  keep(unfinished: string, path: string, weights: ReadonlyMap<Weight, number>): void {
    const pieces = [...weights].flatMap(([weight, offset]) => {
      const { address, kind, shape } = this.machine.ownWeight(weight)
      return [address, this.bytes(kind, ...shape), offset]
    })
    const { addon, handle } = this.machine
    addon.keep(handle, unfinished, path, Float64Array.from(pieces))
  }

  checksum(weight: Weight): string {
    const { address, kind, shape } = this.machine.ownWeight(weight)
    return this.#checksum(address, this.bytes(kind, ...shape))
  }

  map(file: number, bytes: number): MappedFile {
    const { machine } = this
    machine.usable()
    const start = machine.addon.map(machine.handle, file, 0, bytes)
    if (start === 0) throw new CriaError("not_mapped", "the system does not map this file into memory")
    const within = (offset: number, count: number) => {
      if (!(offset >= 0 && count >= 0 && offset + count <= bytes))
        throw new Error(`bytes ${offset} to ${offset + count} of a file of ${bytes}`)
      return start + offset
    }
    return {
      checksum: (offset, count) => this.#checksum(within(offset, count), count),
      weight: (kind, rows, columns, offset) => {
        const address = within(offset, this.bytes(kind, rows, columns))
        if (offset % 64 !== 0) throw new Error(`a weight at ${offset}: expected a multiple of 64`)
        machine.mappedBytes += this.bytes(kind, rows, columns)
        return new NativeWeight([rows, columns], kind, address, machine)
      },
      release: () => machine.addon.release(machine.handle, start),
    }
  }

  #checksum(address: number, bytes: number): string {
    const units = Math.ceil(bytes / unit)
    const sums = new BigUint64Array(units)
    this.machine.runNow("Checksum", units, [address, bytes, this.machine.loading(units * 8), unit])
    this.machine.addon.read(this.machine.handle, this.machine.loading(units * 8), sums)
    let all = BigInt(bytes)
    for (const sum of sums) all = BigInt.asUintN(64, (all ^ sum) * 0x9e3779b97f4a7c15n) ^ (all >> 29n)
    return BigInt.asUintN(64, all).toString(16)
  }
}
