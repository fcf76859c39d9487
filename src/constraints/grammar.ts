// A grammar in GBNF, the notation of llama.cpp, as an expression: rules `name ::= ...` with "texts", [character
// classes], groups, alternatives and * + ? {m,n}; # begins a comment. The first rule to match is `root`.
import { InvalidOptionError } from "../errors/index.js"
import { anyCharacter, inverted, united } from "./character-ranges.js"
import { type Expressions, type Node, type Ranges, type Rule, unlimited } from "./expressions.js"

const longestGrammar = 500_000
const deepestGroup = 100
const largestCount = 1_000_000
const escapes: Record<string, number> = {
  n: 10,
  r: 13,
  t: 9,
  "\\": 92,
  '"': 34,
  "[": 91,
  "]": 93,
  "-": 45,
  "^": 94,
  "/": 47,
}

/** @throws InvalidOptionError with the line where the grammar is wrong. */
export function grammarExpression(grammar: string, expressions: Expressions): Node {
  if (grammar.length > longestGrammar)
    throw new InvalidOptionError(
      `the grammar has ${grammar.length} characters, at most ${longestGrammar} are taken`,
    )
  return new GrammarReader(grammar, expressions).root()
}

class GrammarReader {
  readonly #text: string
  readonly #expressions: Expressions
  readonly #rules = new Map<string, { rule: Rule; at: number }>()
  #at = 0
  #depth = 0

  constructor(text: string, expressions: Expressions) {
    this.#text = text
    this.#expressions = expressions
  }

  root(): Node {
    this.#space(true)
    while (this.#at < this.#text.length) this.#definition()
    const root = this.#rules.get("root")?.rule
    if (!root?.body)
      throw new InvalidOptionError("the grammar has no rule named root, where every text begins")
    for (const [name, { rule, at }] of this.#rules) {
      this.#at = at
      if (!rule.body) this.#fail(`the rule ${name} is used, but not defined`)
    }
    return root
  }

  #fail(problem: string): never {
    const line = this.#text.slice(0, this.#at).split("\n").length
    throw new InvalidOptionError(`the grammar does not work: ${problem} (line ${line})`)
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false
    this.#at += token.length
    return true
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (!found) return undefined
    this.#at = pattern.lastIndex
    return found
  }

  /** Skips blanks and comments, and line ends where the text may go on in another line. */
  #space(lines: boolean): void {
    this.#match(lines ? /(?:[ \t\r\n]+|#[^\n]*)*/y : /(?:[ \t]+|#[^\n]*)*/y)
  }

  #name(): string | undefined {
    return this.#match(/[A-Za-z0-9_][A-Za-z0-9_-]{0,255}/y)?.[0]
  }

  #rule(name: string): Rule {
    let entry = this.#rules.get(name)
    if (!entry) this.#rules.set(name, (entry = { rule: this.#expressions.rule(name), at: this.#at }))
    return entry.rule
  }

  #definition(): void {
    const name = this.#name() ?? this.#fail("the name of a rule was expected")
    this.#space(false)
    if (!this.#take("::=")) this.#fail(`::= was expected behind ${name}`)
    const rule = this.#rule(name)
    if (rule.body) this.#fail(`the rule ${name} is defined twice`)
    this.#space(true)
    rule.body = this.#choice(false)
    this.#space(false)
    if (this.#at < this.#text.length && !this.#match(/\r?\n/y)) this.#fail("the end of the line was expected")
    this.#space(true)
  }

  #choice(nested: boolean): Node {
    if (++this.#depth > deepestGroup) this.#fail(`groups are nested more than ${deepestGroup} deep`)
    const options = [this.#sequence(nested)]
    for (;;) {
      const end = this.#at
      this.#space(true) // a line may begin with the bar
      if (!this.#take("|")) {
        if (!nested) this.#at = end
        break
      }
      this.#space(true)
      options.push(this.#sequence(nested))
    }
    this.#depth--
    return this.#expressions.choice(options)
  }

  #sequence(nested: boolean): Node {
    const items: Node[] = []
    for (;;) {
      const item = this.#item()
      if (!item) return this.#expressions.sequence(...items)
      items.push(this.#quantified(item))
      this.#space(nested)
    }
  }

  #item(): Node | undefined {
    if (this.#take('"')) return this.#literal()
    if (this.#take("[")) return this.#expressions.characters(this.#class())
    if (this.#take(".")) return this.#expressions.characters(anyCharacter)
    if (this.#take("(")) {
      this.#space(true)
      const group = this.#choice(true)
      if (!this.#take(")")) this.#fail("a ) is missing")
      return group
    }
    if (this.#text[this.#at] === "<" || this.#text[this.#at] === "!")
      this.#fail("tokens in a grammar are not supported")
    const name = this.#name()
    return name === undefined ? undefined : this.#rule(name)
  }

  #quantified(item: Node): Node {
    for (let node = item; ; ) {
      this.#space(false)
      if (this.#take("*")) node = this.#expressions.repeat(node, 0, unlimited)
      else if (this.#take("+")) node = this.#expressions.repeat(node, 1, unlimited)
      else if (this.#take("?")) node = this.#expressions.optional(node)
      else if (this.#take("{")) {
        const count = this.#match(/\s*(\d{0,9})\s*(,\s*(\d{0,9})\s*)?\}/y)
        if (!count || (count[1] === "" && !count[3]))
          this.#fail("a repetition is written {n}, {n,}, {n,m} or {,m}")
        const min = Number(count[1])
        const max = count[2] === undefined ? min : count[3] === "" ? unlimited : Number(count[3])
        if (min > max || min > largestCount || (max > largestCount && max !== unlimited))
          this.#fail(`a repetition counts upwards, to ${largestCount} at most`)
        node = this.#expressions.repeat(node, min, max)
      } else return node
    }
  }

  #literal(): Node {
    let text = ""
    while (!this.#take('"')) text += String.fromCodePoint(this.#character('a " is missing'))
    return this.#expressions.text(text)
  }

  #class(): Ranges {
    const negative = this.#take("^")
    const ranges: [number, number][] = []
    while (!this.#take("]")) {
      const first = this.#character("a ] is missing")
      const isRange = this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]"
      if (isRange) this.#at++
      const last = isRange ? this.#character("a ] is missing") : first
      if (last < first) this.#fail("a range of characters runs backwards")
      ranges.push([first, last])
    }
    return negative ? inverted(ranges) : united(ranges)
  }

  #character(missing: string): number {
    if (this.#take("\\")) {
      const code = this.#match(/x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y)
      if (code) {
        const point = Number.parseInt(code[1] ?? code[2] ?? code[3], 16)
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) this.#fail("there is no such character")
        return point
      }
      const letter = this.#text[this.#at++] ?? ""
      return Object.hasOwn(escapes, letter)
        ? escapes[letter]
        : this.#fail(`the escape \\${letter} is not known`)
    }
    const point = this.#text.codePointAt(this.#at)
    if (point === undefined || point === 10) this.#fail(missing)
    this.#at += point > 0xffff ? 2 : 1
    return point
  }
}
