// Sorts all code points into the few classes that a pattern tells apart. Built plane by plane from the Unicode
// properties of the JavaScript engine, the first time that a character of the plane is met.
import { UnsupportedError } from "../../errors/index.js"
import type { CharacterSet } from "./parse.js"

const planeSize = 0x10000
/** Class numbers are bytes; one number is kept for the end of the text. */
const mostClasses = 255

export class CharacterClasses {
  /** members[class][set] is 1 where the characters of the class belong to the set. */
  readonly members: Uint8Array[] = []
  readonly #sets: RegExp[]
  readonly #planes: (Uint8Array | undefined)[] = Array.from({ length: 17 })
  /** Membership as a string of set numbers -> class. */
  readonly #classes = new Map<string, number>()

  constructor(sets: readonly CharacterSet[]) {
    this.#sets = sets.map(({ source, ignoreCase }) => new RegExp(`${source}+`, ignoreCase ? "giu" : "gu"))
  }

  /** Class of every code point of a plane (plane = code point >> 16). */
  plane(index: number): Uint8Array {
    return (this.#planes[index] ??= this.#build(index))
  }

  #build(index: number): Uint8Array {
    const { text, pointAt } = allOfPlane(index)
    // Two characters are told apart as soon as one set holds only one of them: a tree of decisions, whose nodes
    // are numbered, keeps the work at one step per character and set.
    const nodes = new Uint16Array(planeSize)
    const paths: number[][] = [[]]
    for (const [number, set] of this.#sets.entries()) {
      const children = new Map<number, number>()
      set.lastIndex = 0
      for (let match = set.exec(text); match !== null; match = set.exec(text)) {
        const end = pointAt(match.index + match[0].length)
        for (let point = pointAt(match.index); point < end; point++) {
          const node = nodes[point]
          let child = children.get(node)
          if (child === undefined) {
            child = paths.push([...paths[node], number]) - 1
            children.set(node, child)
          }
          nodes[point] = child
        }
      }
    }
    const classOfNode = new Int16Array(paths.length).fill(-1)
    const classes = new Uint8Array(planeSize)
    for (let point = 0; point < planeSize; point++) {
      const node = nodes[point]
      if (classOfNode[node] < 0) classOfNode[node] = this.#classOf(paths[node])
      classes[point] = classOfNode[node]
    }
    return classes
  }

  #classOf(path: readonly number[]): number {
    const key = path.join()
    let number = this.#classes.get(key)
    if (number === undefined) {
      number = this.members.length
      if (number === mostClasses)
        throw new UnsupportedError(`the pre-tokenizer pattern tells more than ${mostClasses} classes apart`)
      const members = new Uint8Array(this.#sets.length)
      for (const set of path) members[set] = 1
      this.members.push(members)
      this.#classes.set(key, number)
    }
    return number
  }
}

/** All characters of a plane as one string, and the code point (within the plane) at a place in it. */
function allOfPlane(index: number): { text: string; pointAt: (at: number) => number } {
  if (index === 0) {
    // Surrogates are no characters: they never reach the scanner and would pair up in the string.
    const units = new Uint16Array(planeSize - 0x800)
    for (let i = 0; i < units.length; i++) units[i] = i < 0xd800 ? i : i + 0x800
    return { text: fromUnits(units), pointAt: (at) => (at < 0xd800 ? at : at + 0x800) }
  }
  const units = new Uint16Array(2 * planeSize)
  for (let i = 0; i < planeSize; i++) {
    const point = index * planeSize + i - 0x10000
    units[2 * i] = 0xd800 + (point >> 10)
    units[2 * i + 1] = 0xdc00 + (point & 0x3ff)
  }
  return { text: fromUnits(units), pointAt: (at) => at >> 1 }
}

function fromUnits(units: Uint16Array): string {
  const parts: string[] = []
  for (let i = 0; i < units.length; i += 8192) parts.push(String.fromCharCode(...units.subarray(i, i + 8192)))
  return parts.join("")
}
