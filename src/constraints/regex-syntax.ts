// Reads a regular expression as ECMAScript writes it, by code points, into a tree. What cannot be turned into an
// automaton (back references, word boundaries, look-behind) is refused by name.
import { InvalidOptionError } from "../errors/index.js"
import {
  digits,
  inverted,
  notNewline,
  ofProperty,
  spaces,
  united,
  wordCharacters,
} from "./character-ranges.js"
import { type Ranges, unlimited } from "./expressions.js"

export type Regex =
  | { readonly type: "set"; readonly ranges: Ranges }
  | { readonly type: "sequence"; readonly items: readonly Regex[] }
  | { readonly type: "choice"; readonly options: readonly Regex[] }
  | { readonly type: "repeat"; readonly item: Regex; readonly min: number; readonly max: number }
  | { readonly type: "start" }
  | { readonly type: "end" }
  | { readonly type: "look"; readonly negative: boolean; readonly item: Regex }

const longestPattern = 20_000
const deepestGroup = 100
const largestCount = 1_000_000

const controls: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 }
const classes: Record<string, Ranges> = {
  d: digits,
  D: inverted(digits),
  w: wordCharacters,
  W: inverted(wordCharacters),
  s: spaces,
  S: inverted(spaces),
}

/** @throws InvalidOptionError with the place where the pattern cannot be read or supported. */
export function parseRegex(pattern: string): Regex {
  return new Reader(pattern).all()
}

class Reader {
  readonly #text: readonly string[]
  #at = 0
  #depth = 0

  constructor(pattern: string) {
    if (pattern.length > longestPattern)
      throw new InvalidOptionError(
        `the pattern has ${pattern.length} characters, at most ${longestPattern} are taken`,
      )
    this.#text = Array.from(pattern)
  }

  all(): Regex {
    const regex = this.#choice()
    if (this.#at < this.#text.length) this.#fail("there is a ) without its (")
    return regex
  }

  #fail(problem: string): never {
    const pattern = this.#text.join("")
    const shown = pattern.length > 100 ? `${pattern.slice(0, 100)}...` : pattern
    throw new InvalidOptionError(
      `the pattern ${shown} does not work: ${problem} (at character ${this.#at + 1})`,
    )
  }

  #take(token: string): boolean {
    const characters = Array.from(token)
    if (characters.some((character, i) => this.#text[this.#at + i] !== character)) return false
    this.#at += characters.length
    return true
  }

  #match(pattern: RegExp, length: number): RegExpExecArray | undefined {
    const found = pattern.exec(this.#text.slice(this.#at, this.#at + length).join(""))
    if (!found) return undefined
    this.#at += Array.from(found[0]).length
    return found
  }

  #choice(): Regex {
    if (++this.#depth > deepestGroup) this.#fail(`groups are nested more than ${deepestGroup} deep`)
    const options = [this.#sequence()]
    while (this.#take("|")) options.push(this.#sequence())
    this.#depth--
    return options.length === 1 ? options[0] : { type: "choice", options }
  }

  #sequence(): Regex {
    const items: Regex[] = []
    while (this.#at < this.#text.length && this.#text[this.#at] !== "|" && this.#text[this.#at] !== ")")
      items.push(this.#quantified(this.#item()))
    return items.length === 1 ? items[0] : { type: "sequence", items }
  }

  #item(): Regex {
    const character = this.#text[this.#at++]
    if (character === "^") return { type: "start" }
    if (character === "$") return { type: "end" }
    if (character === ".") return { type: "set", ranges: notNewline }
    if (character === "(") return this.#group()
    if (character === "[") return { type: "set", ranges: this.#class() }
    if (character === "\\") return { type: "set", ranges: this.#escape(false) }
    if (character === "*" || character === "+" || character === "?") this.#fail("there is nothing to repeat")
    const point = character.codePointAt(0)!
    return { type: "set", ranges: [[point, point]] }
  }

  #group(): Regex {
    let look: { negative: boolean } | undefined
    if (this.#take("?")) {
      if (this.#take("=")) look = { negative: false }
      else if (this.#take("!")) look = { negative: true }
      else if (this.#take("<=") || this.#take("<!")) this.#fail("look-behind is not supported")
      else if (!this.#take(":") && !this.#match(/^<[\p{L}_$][\p{L}\p{N}_$]*>/u, 200))
        this.#fail("this kind of group is not supported")
    }
    const item = this.#choice()
    if (!this.#take(")")) this.#fail("a ) is missing")
    return look ? { type: "look", ...look, item } : item
  }

  #quantified(item: Regex): Regex {
    let bounds: readonly [number, number] | undefined
    if (this.#take("*")) bounds = [0, unlimited]
    else if (this.#take("+")) bounds = [1, unlimited]
    else if (this.#take("?")) bounds = [0, 1]
    else {
      const count = this.#match(/^\{(\d{1,9})(,(\d{0,9}))?\}/, 24)
      if (count) {
        const min = Number(count[1])
        bounds = [min, count[2] === undefined ? min : count[3] === "" ? unlimited : Number(count[3])]
      }
    }
    if (!bounds) return item
    this.#take("?") // a lazy repetition has the same texts
    const [min, max] = bounds
    if (item.type === "start" || item.type === "end" || item.type === "look")
      this.#fail("an anchor cannot be repeated")
    if (min > max) this.#fail(`the repetition {${min},${max}} has its bounds in the wrong order`)
    if (min > largestCount || (max > largestCount && max !== unlimited))
      this.#fail(`repetitions are counted up to ${largestCount}`)
    return { type: "repeat", item, min, max }
  }

  #class(): Ranges {
    const negative = this.#take("^")
    const parts: Ranges[] = []
    for (;;) {
      if (this.#at >= this.#text.length) this.#fail("a ] is missing")
      if (this.#take("]")) break
      const first = this.#classItem()
      const next = this.#text[this.#at + 1]
      if (this.#text[this.#at] === "-" && next !== undefined && next !== "]" && single(first)) {
        this.#at++
        const last = this.#classItem()
        if (!single(last)) parts.push(first, [[45, 45]], last)
        else if (last[0][0] < first[0][0]) this.#fail("a range of characters runs backwards")
        else parts.push([[first[0][0], last[0][0]]])
      } else parts.push(first)
    }
    const set = united(...parts)
    return negative ? inverted(set) : set
  }

  #classItem(): Ranges {
    const character = this.#text[this.#at++]
    if (character === undefined) this.#fail("a ] is missing")
    if (character === "\\") return this.#escape(true)
    const point = character.codePointAt(0)!
    return [[point, point]]
  }

  #escape(inClass: boolean): Ranges {
    const character = this.#text[this.#at++]
    if (character === undefined) this.#fail("it ends with a backslash")
    if (Object.hasOwn(classes, character)) return classes[character]
    if (character === "p" || character === "P") return this.#property(character === "P")
    const point = this.#escapedPoint(character, inClass)
    return [[point, point]]
  }

  #property(negative: boolean): Ranges {
    const name = this.#match(/^\{([^}]*)\}/, 140)?.[1]
    const ranges = name === undefined ? undefined : ofProperty(name)
    if (!ranges) this.#fail(`there is no character property ${name ?? ""}`)
    return negative ? inverted(ranges) : ranges
  }

  #escapedPoint(character: string, inClass: boolean): number {
    if (Object.hasOwn(controls, character)) return controls[character]
    if (character === "0" && !/\d/.test(this.#text[this.#at] ?? "")) return 0
    if (character === "b" && inClass) return 8
    if (character === "b" || character === "B") this.#fail("word boundaries are not supported")
    if (/[1-9k]/.test(character)) this.#fail("back references are not supported")
    if (character === "c") {
      const letter = this.#match(/^[A-Za-z]/, 1)
      if (letter) return letter[0].charCodeAt(0) % 32
    }
    if (character === "x") {
      const code = this.#match(/^[0-9a-fA-F]{2}/, 2)
      if (code) return Number.parseInt(code[0], 16)
    }
    if (character === "u") {
      const code = this.#match(
        /^\{([0-9a-fA-F]{1,6})\}|^([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|^([0-9a-fA-F]{4})/,
        10,
      )
      if (code) {
        if (code[2] === undefined) {
          const point = Number.parseInt(code[1] ?? code[4], 16)
          return point <= 0x10ffff ? point : this.#fail("there is no such character")
        }
        return (
          ((Number.parseInt(code[2], 16) & 0x3ff) << 10) + (Number.parseInt(code[3], 16) & 0x3ff) + 0x10000
        )
      }
    }
    if (/[A-Za-z0-9]/.test(character)) this.#fail(`the escape \\${character} is not supported`)
    return character.codePointAt(0)!
  }
}

const single = (ranges: Ranges): boolean => ranges.length === 1 && ranges[0][0] === ranges[0][1]
