// The list of commands that the addon runs: opcode, number of operands, units, operands, each a double.
import type { Operation } from "./addon.js"

export class CommandList {
  #words = new Float64Array(16 * 1024)
  #length = 0

  constructor(readonly opcodes: Readonly<Record<Operation, number>>) {}

  get words(): Float64Array {
    return this.#words
  }
  /** Words in use. */
  get length(): number {
    return this.#length
  }

  record(operation: Operation, units: number, operands: readonly number[]): void {
    const end = this.#length + 3 + operands.length
    if (end > this.#words.length) {
      const larger = new Float64Array(2 * end)
      larger.set(this.#words)
      this.#words = larger
    }
    this.#words[this.#length] = this.opcodes[operation]
    this.#words[this.#length + 1] = operands.length
    this.#words[this.#length + 2] = units
    this.#words.set(operands, this.#length + 3)
    this.#length = end
  }

  clear(): void {
    this.#length = 0
  }
}
