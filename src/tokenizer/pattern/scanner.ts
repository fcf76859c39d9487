// Runs one pattern alone: where the pieces of a text end, without encoding them. The automaton has a memory of its own.
import { instantiate } from "../wasm/instance.js"
import { Automaton, type AutomatonTables, classesBytes, transitionsBytes } from "./automaton.js"

const tablesAt = 64
const textAt = tablesAt + classesBytes + transitionsBytes
const pageBytes = 65536

export class Scanner {
  readonly #memory = new WebAssembly.Memory({ initial: Math.ceil(textAt / pageBytes) + 1 })
  readonly #next: (stage: number, start: number, end: number) => number
  #tables: AutomatonTables

  constructor(pattern: string) {
    const automaton = new Automaton(pattern)
    this.#tables = this.#tablesNow()
    const fail = () => {
      throw new Error("a pattern alone merges nothing")
    }
    const program = instantiate(this.#memory, false, {
      explore: (_, row, point) => automaton.explore(this.#tables, row, point),
      merge: fail,
      refuse: fail,
    })
    automaton.start(this.#tables)
    new Int32Array(this.#memory.buffer).set([tablesAt, tablesAt + classesBytes])
    program.setStages(0, 1, false)
    this.#next = (stage, start, end) => program.next(stage, start, end)
  }

  /**
   * Visits the text piece by piece: every match, each from the end of the one before, and every character where none
   * starts. `bytes` may be read during the call only, but for 8 bytes behind `end`.
   */
  scan(text: string, visit: (bytes: Uint8Array, start: number, end: number, matches: boolean) => void): void {
    const missing = textAt + 3 * text.length + 8 - this.#memory.buffer.byteLength
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / pageBytes))
      this.#tables = this.#tablesNow()
    }
    const bytes = new Uint8Array(this.#memory.buffer, textAt)
    const { written } = new TextEncoder().encodeInto(text, bytes)
    for (let at = 0; at < written; ) {
      const found = this.#next(0, textAt + at, textAt + written)
      let end = found === 0 ? at + 1 : found - textAt
      if (found === 0) while ((bytes[end] & 0xc0) === 0x80 && end < written) end++
      visit(bytes, at, end, found > 0)
      at = end
    }
  }

  #tablesNow(): AutomatonTables {
    const { buffer } = this.#memory
    return {
      classes: new Uint8Array(buffer, tablesAt, classesBytes),
      transitions: new Int32Array(buffer, tablesAt + classesBytes, transitionsBytes / 4),
    }
  }
}
