// Runs one pattern alone, for tests: the automaton in a memory of its own.
import { instantiate } from "../wasm/instance.js"
import { Automaton, classesBytes, transitionsBytes } from "./automaton.js"

const tablesAt = 64
const textAt = tablesAt + classesBytes + transitionsBytes

export class Scanner {
  readonly #memory = new WebAssembly.Memory({ initial: Math.ceil(textAt / 65536) + 1 })
  readonly #next: (stage: number, start: number, end: number) => number

  constructor(pattern: string) {
    const automaton = new Automaton(pattern)
    const buffer = this.#memory.buffer
    const tables = {
      classes: new Uint8Array(buffer, tablesAt, classesBytes),
      transitions: new Int32Array(buffer, tablesAt + classesBytes, transitionsBytes / 4),
    }
    const fail = () => {
      throw new Error("a pattern alone merges nothing")
    }
    const program = instantiate(this.#memory, {
      explore: (_, row, point) => automaton.explore(tables, row, point),
      merge: fail,
      refuse: fail,
    })
    automaton.start(tables)
    new Int32Array(buffer).set([tablesAt, tablesAt + classesBytes])
    program.setStages(0, 1, false)
    this.#next = (stage, start, end) => program.next(stage, start, end)
  }

  /** The ends of the matches, each from the end of the one before; -1 for a character where none starts. */
  ends(bytes: Uint8Array): number[] {
    new Uint8Array(this.#memory.buffer).set(bytes, textAt)
    const ends: number[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = this.#next(0, textAt + at, textAt + bytes.length)
      ends.push(end === 0 ? -1 : end - textAt)
      if (end > 0) at = end - textAt
      else
        do at++
        while ((bytes[at] & 0xc0) === 0x80)
    }
    return ends
  }
}
