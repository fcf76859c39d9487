// Runs a pattern over UTF-8 bytes as a deterministic automaton, built as it is needed. A state is the ordered
// list of places where a backtracking matcher could be, so the match is the one that it would find (leftmost,
// first alternative), in one pass. After Cox, "Regular Expression Matching: the Virtual Machine Approach".
import { UnsupportedError } from "../../errors/index.js"
import { CharacterClasses } from "./character-classes.js"
import type { Node } from "./parse.js"
import { parsePattern } from "./parse.js"
import { compileProgram, type Program } from "./program.js"

const mostStates = 2048
const dead = 0
/** Entry of the transition table that has not been worked out yet. */
const unknown = -1
/** log2 of the width of a row: a column for each class and one for the end of the text. */
const rowBits = 8
const endOfText = 255

export class Scanner {
  readonly #program: Program
  readonly #classes: CharacterClasses
  readonly #basic: Uint8Array
  /** Entry [state << rowBits | class] is (next state << rowBits) * 2 + (1 if a match ends before this character). */
  #table: Int32Array
  readonly #states: Int32Array[]
  readonly #stateOf = new Map<string, number>()
  /** Where the last call of `next` stopped reading; the caller may bound how much is read twice. */
  reach = 0

  constructor(pattern: string) {
    const node: Node = parsePattern(pattern)
    this.#program = compileProgram(node)
    this.#classes = new CharacterClasses(this.#program.sets)
    this.#basic = this.#classes.plane(0)
    this.#table = new Int32Array(32 << rowBits)
    this.#states = []
    this.#state([]) // the dead state is number 0
    this.#state([0])
  }

  /**
   * The end of the match that starts at `start`, or -1 where there is none. bytes[start, end) must be valid UTF-8
   * that starts at a character.
   */
  next(bytes: Uint8Array, start: number, end: number): number {
    const basic = this.#basic
    let table = this.#table
    let row = 1 << rowBits
    let at = start
    let match = -1
    for (;;) {
      let kind = endOfText
      let width = 0
      if (at < end) {
        const byte = bytes[at]
        if (byte < 0x80) {
          kind = basic[byte]
          width = 1
        } else if (byte < 0xe0) {
          kind = basic[((byte & 0x1f) << 6) | (bytes[at + 1] & 0x3f)]
          width = 2
        } else if (byte < 0xf0) {
          kind = basic[((byte & 0xf) << 12) | ((bytes[at + 1] & 0x3f) << 6) | (bytes[at + 2] & 0x3f)]
          width = 3
        } else {
          const low = ((bytes[at + 1] & 0xf) << 12) | ((bytes[at + 2] & 0x3f) << 6) | (bytes[at + 3] & 0x3f)
          kind = this.#classes.plane(((byte & 7) << 2) | ((bytes[at + 1] & 0x3f) >> 4))[low]
          width = 4
        }
      }
      let entry = table[row | kind]
      if (entry === unknown) {
        entry = this.#step(row, kind)
        table = this.#table
      }
      if ((entry & 1) !== 0) match = at
      row = entry >> 1
      if (row === dead) break
      at += width
    }
    this.reach = at
    return match
  }

  /** The number of the state with these places, made if it is new. */
  #state(places: readonly number[]): number {
    const key = places.join()
    let number = this.#stateOf.get(key)
    if (number === undefined) {
      number = this.#states.length
      if (number === mostStates)
        throw new UnsupportedError(
          `the pre-tokenizer pattern needs more than ${mostStates} states: it is not one that Cria can run fast`,
        )
      if ((number + 1) << rowBits > this.#table.length) {
        const larger = new Int32Array(this.#table.length * 2)
        larger.set(this.#table)
        this.#table = larger
      }
      this.#table.fill(unknown, number << rowBits, (number + 1) << rowBits)
      this.#states.push(Int32Array.from(places))
      this.#stateOf.set(key, number)
    }
    return number
  }

  #step(row: number, kind: number): number {
    const { places, matched } = this.#program.step(
      this.#states[row >> rowBits],
      kind === endOfText ? undefined : this.#classes.members[kind],
    )
    const entry = ((this.#state(places) << rowBits) << 1) | (matched ? 1 : 0)
    this.#table[row | kind] = entry
    return entry
  }
}
