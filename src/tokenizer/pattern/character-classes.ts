// Sorts all code points into the few classes that a pattern tells apart. Worked out page by page from the Unicode
// properties of the JavaScript engine, the first time that a character of the page is met.
import { UnsupportedError } from "../../errors/index.js"
import type { CharacterSet } from "./parse.js"

export const pageSize = 256
/** The class of characters that have not been sorted yet. */
export const unsorted = 0
/** Class numbers are bytes; the last one is kept for the end of the text. */
const mostClasses = 255

export class CharacterClasses {
  /** members[class][set] is 1 where the characters of the class belong to the set. */
  readonly members: (Uint8Array | undefined)[] = [undefined]
  readonly #sets: RegExp[]
  /** Membership as a string of set numbers -> class. */
  readonly #classes = new Map<string, number>()

  constructor(sets: readonly CharacterSet[]) {
    this.#sets = sets.map(({ source, ignoreCase }) => new RegExp(`${source}+`, ignoreCase ? "giu" : "gu"))
  }

  /** Writes the classes of the page of code points that starts at `first`, a multiple of the page size. */
  sortPage(first: number, out: Uint8Array): void {
    // Surrogates are no characters: they never reach the scanner, and in a string they would pair up.
    if (first >= 0xd800 && first < 0xe000) return
    const text = String.fromCodePoint(...Array.from({ length: pageSize }, (_, i) => first + i))
    const unitBits = first < 0x10000 ? 0 : 1
    const inside: number[][] = Array.from({ length: pageSize }, () => [])
    for (const [number, set] of this.#sets.entries()) {
      for (const match of text.matchAll(set)) {
        const end = (match.index + match[0].length) >> unitBits
        for (let i = match.index >> unitBits; i < end; i++) inside[i].push(number)
      }
    }
    for (const [i, sets] of inside.entries()) out[first + i] = this.#classOf(sets)
  }

  #classOf(sets: readonly number[]): number {
    const key = sets.join()
    let number = this.#classes.get(key)
    if (number === undefined) {
      number = this.members.length
      if (number === mostClasses)
        throw new UnsupportedError(`the pre-tokenizer pattern tells more than ${mostClasses} classes apart`)
      const members = new Uint8Array(this.#sets.length)
      for (const set of sets) members[set] = 1
      this.members.push(members)
      this.#classes.set(key, number)
    }
    return number
  }
}
