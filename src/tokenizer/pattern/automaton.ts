// A pattern as a deterministic automaton, built as it is needed. A state is the ordered list of places where a
// backtracking matcher could be, so the match is the one that it would find (leftmost, first alternative), in one
// pass. After Cox, "Regular Expression Matching: the Virtual Machine Approach". wasm/kernels/scan.ts runs it.
import { UnsupportedError } from "../../errors/index.js"
import { CharacterClasses, pageSize, unsorted } from "./character-classes.js"
import { parsePattern } from "./parse.js"
import { compileProgram, type Program } from "./program.js"

const mostStates = 2048
/** Entry of the transition table that has not been worked out yet. */
const unknown = -1
/** log2 of the width of a row: a column for each class and one for the end of the text. */
const rowBits = 8
const endOfText = 255

/** Bytes of the tables of one automaton: a class for every code point, and a row of transitions for every state. */
export const classesBytes = 0x110000
export const transitionsBytes = (mostStates << rowBits) * 4

/**
 * The memory of an automaton, at first all zeros. Entry [state << 8 | class] of the transitions is
 * (next state << 8) * 2 + (1 if a match ends before this character); matching starts in state 1 and ends in state 0.
 */
export interface AutomatonTables {
  classes: Uint8Array
  transitions: Int32Array
}

export class Automaton {
  readonly #program: Program
  readonly #classes: CharacterClasses
  readonly #states: Int32Array[] = []
  readonly #stateOf = new Map<string, number>()

  constructor(pattern: string) {
    this.#program = compileProgram(parsePattern(pattern))
    this.#classes = new CharacterClasses(this.#program.sets)
  }

  /** Writes the first states into empty tables. */
  start(tables: AutomatonTables): void {
    this.#states.length = 0
    this.#stateOf.clear()
    this.#state([], tables)
    this.#state([0], tables)
  }

  /** Writes what the tables lack for a character, given its code point or -1 at the end of the text, in a row. */
  explore(tables: AutomatonTables, row: number, point: number): void {
    const { classes, transitions } = tables
    if (point >= 0 && classes[point] === unsorted) {
      this.#classes.sortPage(point - (point % pageSize), classes)
      return
    }
    const kind = point < 0 ? endOfText : classes[point]
    const { places, matched } = this.#program.step(
      this.#states[row >> rowBits],
      point < 0 ? undefined : this.#classes.members[kind],
    )
    transitions[row | kind] = ((this.#state(places, tables) << rowBits) << 1) | (matched ? 1 : 0)
  }

  /** The number of the state with these places, made if it is new. */
  #state(places: readonly number[], { transitions }: AutomatonTables): number {
    const key = places.join()
    let number = this.#stateOf.get(key)
    if (number === undefined) {
      number = this.#states.length
      if (number === mostStates)
        throw new UnsupportedError(
          `the pre-tokenizer pattern needs more than ${mostStates} states: it is not one that Cria can run fast`,
        )
      transitions.fill(unknown, number << rowBits, (number + 1) << rowBits)
      this.#states.push(Int32Array.from(places))
      this.#stateOf.set(key, number)
    }
    return number
  }
}
