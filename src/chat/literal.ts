// Reads one literal at a place of a text: Python's (what the models write as arguments) and JSON's, in one grammar.
// One pass, no backtracking, bounded depth; never evaluates anything.

/** Thrown inside the parser; callers turn it into "this is no call". */
export class LiteralError extends Error {}

/** How deep lists and dictionaries may nest. */
export const maxDepth = 64

const namePattern = /[\p{L}_][\p{L}\p{N}_]*/uy
const numberPattern =
  /[+-]?(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/y
const words = new Map<string, boolean | null>([
  ["True", true],
  ["true", true],
  ["False", false],
  ["false", false],
  ["None", null],
  ["null", null],
])
const escapes = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["b", "\b"],
  ["f", "\f"],
  ["v", "\v"],
  ["a", "\x07"],
  ["/", "/"],
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["\n", ""],
])

/** A reader with a place in a text. Every method moves `at` past what it read, or throws LiteralError. */
export class LiteralReader {
  readonly text: string
  at: number
  constructor(text: string, at = 0) {
    this.text = text
    this.at = at
  }

  fail(expected: string): never {
    throw new LiteralError(`expected ${expected} at ${this.at}`)
  }

  skipSpace(): void {
    while (this.at < this.text.length && " \t\r\n".includes(this.text[this.at])) this.at++
  }

  /** Whether `token` stands here; if so it is read. */
  take(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false
    this.at += token.length
    return true
  }

  /** An identifier, or undefined where there is none. */
  name(): string | undefined {
    return this.match(namePattern)
  }

  match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at
    const found = sticky.exec(this.text)?.[0]
    if (found !== undefined) this.at += found.length
    return found
  }

  /** Any literal. Tuples and sets become arrays, dictionaries plain objects of own properties. */
  value(depth = 0): unknown {
    if (depth > maxDepth) this.fail(`at most ${maxDepth} levels`)
    this.skipSpace()
    const char = this.text[this.at]
    if (char === "[") return this.#sequence("]", depth)
    if (char === "(") return this.#tuple(depth)
    if (char === "{") return this.#braces(depth)
    if (char === "'" || char === '"') return this.#strings()
    const number = this.match(numberPattern)
    if (number !== undefined) return this.#number(number)
    const name = this.name()
    if (name === undefined) this.fail("a value")
    const next = this.text[this.at]
    if ((next === "'" || next === '"') && /^(?:[rub]|br|rb)$/i.test(name)) {
      this.at -= name.length
      return this.#strings()
    }
    const word = words.get(name)
    if (word === undefined) this.fail("a literal")
    return word
  }

  #number(source: string): number {
    const digits = source.replaceAll("_", "")
    const sign = digits.startsWith("-") ? -1 : 1
    const value = sign * Number(digits.replace(/^[+-]/, ""))
    // a letter right after it would make it an identifier, a unit or a complex number: no literal that we know
    if (!Number.isFinite(value) || /[\p{L}_]/u.test(this.text[this.at] ?? "")) this.fail("a finite number")
    return value
  }

  /** Values up to `close`, with commas between and perhaps after them; the opening bracket stands here. */
  #sequence(close: string, depth: number): unknown[] {
    this.at++
    const items: unknown[] = []
    for (;;) {
      this.skipSpace()
      if (this.take(close)) return items
      items.push(this.value(depth + 1))
      this.skipSpace()
      if (!this.take(",") && this.text[this.at] !== close) this.fail(`a comma or ${close}`)
    }
  }

  /** `(x)` is x, everything else in parentheses a tuple. */
  #tuple(depth: number): unknown {
    const items = this.#sequence(")", depth)
    if (items.length !== 1) return items
    let before = this.at - 2
    while (" \t\r\n".includes(this.text[before])) before--
    return this.text[before] === "," ? items : items[0]
  }

  /** A dictionary, or a set (as an array). */
  #braces(depth: number): unknown {
    this.at++
    const entries: [string, unknown][] = []
    const members: unknown[] = []
    for (;;) {
      this.skipSpace()
      if (this.take("}")) break
      const key = this.value(depth + 1)
      this.skipSpace()
      if (members.length === 0 && this.take(":")) {
        if (typeof key === "object" && key !== null) this.fail("a key that is a string or a number")
        entries.push([String(key), this.value(depth + 1)])
      } else if (entries.length === 0) members.push(key)
      else this.fail("a colon")
      this.skipSpace()
      if (!this.take(",") && this.text[this.at] !== "}") this.fail("a comma or }")
    }
    // fromEntries defines own properties, so a key of "__proto__" is only a key
    return members.length > 0 ? members : Object.fromEntries(entries)
  }

  /** One string, or several side by side, which Python joins. */
  #strings(): string {
    const pieces: string[] = []
    for (;;) {
      pieces.push(this.#string())
      const after = this.at
      this.skipSpace()
      const next = this.text[this.at]
      if (next !== "'" && next !== '"') {
        this.at = after
        return pieces.join("")
      }
    }
  }

  #string(): string {
    const raw = (this.match(/[a-zA-Z]{0,2}/y) ?? "").toLowerCase().includes("r")
    const quote = this.text[this.at]
    const close = this.text.startsWith(quote.repeat(3), this.at) ? quote.repeat(3) : quote
    this.at += close.length
    const pieces: string[] = []
    const plain = quote === "'" ? /[^'\\]+/y : /[^"\\]+/y
    for (;;) {
      const run = this.match(plain)
      if (run !== undefined) pieces.push(run)
      if (this.at >= this.text.length) this.fail("the end of a string")
      if (this.take(close)) return pieces.join("")
      if (this.text[this.at] === quote) pieces.push(this.text[this.at++])
      else pieces.push(raw ? this.#rawEscape() : this.escape())
    }
  }

  #rawEscape(): string {
    const pair = this.text.slice(this.at, this.at + 2)
    this.at += 2
    return pair
  }

  /** The character that a backslash sequence stands for; an unknown sequence stands for itself, as in Python. */
  escape(): string {
    const letter = this.text[this.at + 1]
    if (letter === "x" || letter === "u" || letter === "U") {
      const hex = this.match(/\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8})/y)
      if (hex !== undefined) {
        const code = Number.parseInt(hex.slice(2), 16)
        if (code > 0x10ffff) this.fail("a code point of Unicode")
        return String.fromCodePoint(code)
      }
    } else if (letter >= "0" && letter <= "7") {
      const octal = this.match(/\\[0-7]{1,3}/y)!
      return String.fromCharCode(Number.parseInt(octal.slice(1), 8))
    }
    const pair = this.#rawEscape()
    return escapes.get(pair[1]) ?? pair
  }
}
