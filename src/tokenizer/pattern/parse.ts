// The part of regex syntax that pre-tokenizers use, read into a small tree. The meaning is that of Rust's regex
// (which the models were made with): \s is White_Space, (?i:...) folds case by Unicode's simple folding.
import { UnsupportedError } from "../../errors/index.js"

/** A set of code points, as the source of a JavaScript character class (flags u, with i where case is ignored). */
export interface CharacterSet {
  source: string
  ignoreCase: boolean
}

export type Node =
  | { kind: "set"; set: CharacterSet }
  | { kind: "sequence"; items: Node[] }
  | { kind: "choice"; items: Node[] }
  | { kind: "repeat"; item: Node; least: number; most: number; lazy: boolean }
  | { kind: "look"; set: CharacterSet; negative: boolean }

const longestPattern = 16384
const deepestNesting = 64
const mostRepeats = 1000

const escapedControls: Record<string, number> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7, e: 27 }
const shorthands: Record<string, string> = {
  s: "\\p{White_Space}",
  S: "\\P{White_Space}",
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  w: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}",
}

/** Parses a pattern; throws UnsupportedError, with the place, for syntax outside the subset. */
export function parsePattern(pattern: string): Node {
  if (pattern.length > longestPattern)
    throw new UnsupportedError(
      `the pre-tokenizer pattern has ${pattern.length} characters, expected at most ${longestPattern}`,
    )
  const parser = new Parser(pattern)
  const node = parser.choice(false, 0)
  parser.expectEnd()
  if (isNullable(node))
    throw new UnsupportedError(`the pre-tokenizer pattern ${pattern} matches the empty string`)
  return node
}

function isNullable(node: Node): boolean {
  if (node.kind === "set") return false
  if (node.kind === "look") return true
  if (node.kind === "sequence") return node.items.every(isNullable)
  if (node.kind === "choice") return node.items.some(isNullable)
  return node.least === 0 || isNullable(node.item)
}

class Parser {
  readonly #text: string[]
  readonly #pattern: string
  #at = 0

  constructor(pattern: string) {
    this.#pattern = pattern
    this.#text = Array.from(pattern)
  }

  #fail(what: string): never {
    throw new UnsupportedError(
      `the pre-tokenizer pattern ${this.#pattern} has ${what} at character ${this.#at + 1}, which Cria cannot run ` +
        `exactly: supported are alternation, groups, classes, ? * + {n,m}, (?i:...) and a lookahead of one class`,
    )
  }

  expectEnd(): void {
    if (this.#at < this.#text.length) this.#fail(`an unexpected "${this.#text[this.#at]}"`)
  }

  #take(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#text[this.#at + i] !== text[i]) return false
    this.#at += text.length
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#fail(`no "${text}"`)
  }

  choice(ignoreCase: boolean, depth: number): Node {
    if (depth > deepestNesting) this.#fail("groups nested too deeply")
    const items = [this.#sequence(ignoreCase, depth)]
    while (this.#take("|")) items.push(this.#sequence(ignoreCase, depth))
    return items.length === 1 ? items[0] : { kind: "choice", items }
  }

  #sequence(ignoreCase: boolean, depth: number): Node {
    const items: Node[] = []
    while (this.#at < this.#text.length && this.#text[this.#at] !== "|" && this.#text[this.#at] !== ")") {
      items.push(this.#quantified(this.#atom(ignoreCase, depth)))
    }
    return items.length === 1 ? items[0] : { kind: "sequence", items }
  }

  #quantified(item: Node): Node {
    let least: number
    let most: number
    if (this.#take("?")) [least, most] = [0, 1]
    else if (this.#take("*")) [least, most] = [0, Infinity]
    else if (this.#take("+")) [least, most] = [1, Infinity]
    else if (this.#take("{")) [least, most] = this.#bounds()
    else return item
    if (item.kind === "look") this.#fail("a repeated lookahead")
    const lazy = this.#take("?")
    if (this.#text[this.#at] === "+") this.#fail("a possessive quantifier")
    if (this.#text[this.#at] === "*" || this.#text[this.#at] === "?") this.#fail("a doubled quantifier")
    return { kind: "repeat", item, least, most, lazy }
  }

  #bounds(): [number, number] {
    const least = this.#number()
    const most = this.#take(",") ? (this.#text[this.#at] === "}" ? Infinity : this.#number()) : least
    this.#expect("}")
    if (most < least) this.#fail("a repetition whose bounds are reversed")
    return [least, most]
  }

  #number(): number {
    let digits = ""
    while (/^[0-9]$/.test(this.#text[this.#at] ?? "") && digits.length < 6) digits += this.#text[this.#at++]
    if (digits === "" || Number(digits) > mostRepeats) this.#fail(`a repetition outside 0 to ${mostRepeats}`)
    return Number(digits)
  }

  #atom(ignoreCase: boolean, depth: number): Node {
    if (this.#take("(")) return this.#group(ignoreCase, depth)
    return { kind: "set", set: this.#set(ignoreCase) }
  }

  #group(ignoreCase: boolean, depth: number): Node {
    const negative = this.#take("?!")
    if (negative || this.#take("?=")) {
      const set = this.#set(ignoreCase)
      if (this.#text[this.#at] !== ")") this.#fail("a lookahead of more than one character")
      this.#expect(")")
      return { kind: "look", set, negative }
    }
    let inside = ignoreCase
    if (this.#take("?i:")) inside = true
    else if (this.#take("?-i:")) inside = false
    else if (!this.#take("?:") && this.#text[this.#at] === "?") this.#fail("an unknown kind of group")
    const node = this.choice(inside, depth + 1)
    this.#expect(")")
    return node
  }

  /** One character or class. */
  #set(ignoreCase: boolean): CharacterSet {
    if (this.#take("[")) return { source: this.#class(ignoreCase), ignoreCase }
    if (this.#take(".")) return { source: "[^\\n]", ignoreCase: false }
    const char = this.#text[this.#at]
    if (char === undefined) this.#fail("an early end")
    if ("?*+{)^$".includes(char)) this.#fail(`"${char}"`)
    this.#at++
    if (char !== "\\") return { source: `[${literal(char.codePointAt(0)!)}]`, ignoreCase }
    const { source, inverse } = this.#escape()
    return { source: inverse ? `[^${inverse}]` : `[${source}]`, ignoreCase }
  }

  #class(ignoreCase: boolean): string {
    let source = this.#take("^") ? "[^" : "["
    let first = true
    while (first || this.#text[this.#at] !== "]") {
      const char = this.#text[this.#at]
      if (char === undefined) this.#fail("a class without end")
      if (char === "[") this.#fail("a class inside a class")
      if ((char === "&" || char === "-" || char === "~") && this.#text[this.#at + 1] === char)
        this.#fail("an operation on classes")
      const from = this.#classItem(ignoreCase)
      first = false
      const isRange = this.#text[this.#at] === "-" && (this.#text[this.#at + 1] ?? "]") !== "]"
      if (typeof from === "string") {
        if (isRange) this.#fail("a range that starts with a class")
        source += from
        continue
      }
      if (!isRange) {
        source += literal(from)
        continue
      }
      this.#at++
      const to = this.#classItem(ignoreCase)
      if (typeof to === "string" || to < from) this.#fail("a range without order")
      source += `${literal(from)}-${literal(to)}`
    }
    this.#expect("]")
    return `${source}]`
  }

  /** A code point, or the source of a set that may stand in a class. */
  #classItem(ignoreCase: boolean): number | string {
    const char = this.#text[this.#at++]
    if (char === undefined) this.#fail("a class without end")
    if (char !== "\\") return char.codePointAt(0)!
    const { source, inverse, point } = this.#escape()
    if (point !== undefined) return point
    if (inverse !== undefined && (source === "" || ignoreCase)) this.#fail("a negated set in such a class")
    return source
  }

  /** What follows a backslash. `inverse` is what a negated set leaves out. */
  #escape(): { source: string; inverse?: string; point?: number } {
    const char = this.#text[this.#at++]
    if (char === undefined) this.#fail("an early end")
    if (char === "p" || char === "P") {
      const name = this.#propertyName()
      const source = `\\${char}{${name}}`
      if (!isKnown(source)) this.#fail(`an unknown property ${name}`)
      return char === "P" ? { source, inverse: `\\p{${name}}` } : { source }
    }
    if (char === "W") return { source: "", inverse: shorthands.w }
    if (char === "S" || char === "D")
      return { source: shorthands[char], inverse: shorthands[char.toLowerCase()] }
    if (Object.hasOwn(shorthands, char)) return { source: shorthands[char] }
    let point: number
    if (Object.hasOwn(escapedControls, char)) point = escapedControls[char]
    else if (char === "x" || char === "u") point = this.#hexadecimal(char === "x" ? 2 : 4)
    else if (/^[A-Za-z0-9]$/.test(char)) this.#fail(`the escape \\${char}`)
    else point = char.codePointAt(0)!
    return { source: literal(point), point }
  }

  #propertyName(): string {
    if (!this.#take("{")) return this.#propertyChecked(this.#text[this.#at++] ?? "")
    const end = this.#text.indexOf("}", this.#at)
    const name = this.#text.slice(this.#at, end < 0 ? this.#at : end).join("")
    this.#at += Array.from(name).length + 1
    return this.#propertyChecked(name)
  }

  #propertyChecked(name: string): string {
    if (!/^[A-Za-z_]{1,40}(=[A-Za-z_]{1,40})?$/.test(name)) this.#fail("a property without a proper name")
    return name
  }

  #hexadecimal(digits: number): number {
    let text = ""
    if (this.#take("{")) {
      while (this.#text[this.#at] !== "}" && text.length < 8) text += this.#text[this.#at++] ?? " "
      this.#expect("}")
    } else text = this.#text.slice(this.#at, (this.#at += digits)).join("")
    const point = /^[0-9A-Fa-f]+$/.test(text) ? Number.parseInt(text, 16) : Infinity
    if (point > 0x10ffff) this.#fail("a broken hexadecimal escape")
    return point
  }
}

const literal = (point: number) => `\\u{${point.toString(16)}}`

/** Whether the engine knows the property; there is no other way to ask it. */
function isKnown(source: string): boolean {
  try {
    return new RegExp(source, "u").unicode
  } catch {
    return false
  }
}
