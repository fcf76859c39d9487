// A text that is read while it grows: every method waits, as a generator, until enough of it is there to tell. What was
// read is forgotten, so reading is linear in the text. Knows strings and brackets of literals, not what they mean.

/** Waits by yielding; goes on when more text came, or its end. */
export type Waiting<T> = Generator<undefined, T, undefined>

/** The text does not go on as it has to. */
export class UnexpectedText extends Error {}

const space = /[ \t\r\n]/
/** Characters that neither begin or end something, nor separate. */
const plain = /[^'"\\()[\]{},:]+/y

export class GrowingText {
  #text = ""
  #at = 0
  #ended = false

  add(piece: string): void {
    this.#text = this.#text.slice(this.#at) + piece
    this.#at = 0
  }

  /** There is no more to wait for. */
  end(): void {
    this.#ended = true
  }

  /** What is there from here on: `count` characters at least, unless the text ends before. */
  *ahead(count: number): Waiting<string> {
    while (this.#text.length - this.#at < count && !this.#ended) yield undefined
    return this.#text.slice(this.#at, this.#at + count)
  }

  /** The next character, "" at the end. */
  *next(): Waiting<string> {
    return yield* this.ahead(1)
  }

  skip(count: number): void {
    this.#at += count
  }

  *skipSpace(): Waiting<void> {
    while (space.test(yield* this.next())) this.#at++
  }

  /** Whether `token` stands here; if so it is read. */
  *take(token: string): Waiting<boolean> {
    // no longer waiting than it may still be the token
    for (let count = 1; count <= token.length; count++)
      if ((yield* this.ahead(count)) !== token.slice(0, count)) return false
    this.#at += token.length
    return true
  }

  /** What stands here and matches the sticky pattern, perhaps the beginning of more; "" for nothing. */
  *run(pattern: RegExp): Waiting<string> {
    yield* this.next()
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ""
    this.#at += found.length
    return found
  }

  /**
   * The text up to one of `stops`, which stays; brackets and strings within are passed as a whole.
   * @throws UnexpectedText where the text ends or a bracket closes before.
   */
  *upTo(stops: string): Waiting<string> {
    const parts: string[] = []
    for (let depth = 0; ; ) {
      const next = yield* this.next()
      if (next === "") throw new UnexpectedText()
      if (depth === 0 && stops.includes(next)) return parts.join("")
      if (next === "'" || next === '"') {
        yield* this.#string(next, parts)
        continue
      }
      if ("([{".includes(next)) depth++
      else if (")]}".includes(next) && depth-- === 0) throw new UnexpectedText()
      const run = yield* this.run(plain)
      if (run === "") this.#at++
      parts.push(run || next)
    }
  }

  /** Reads a string with its quotes, one or three of them. */
  *#string(quote: string, parts: string[]): Waiting<void> {
    const close = (yield* this.take(quote.repeat(3))) ? quote.repeat(3) : quote
    if (close === quote) this.#at++
    parts.push(close)
    const inside = quote === "'" ? /[^'\\]+/y : /[^"\\]+/y
    for (;;) {
      parts.push(yield* this.run(inside))
      if (yield* this.take(close)) break
      const pair = yield* this.ahead((yield* this.next()) === "\\" ? 2 : 1)
      if (pair === "") throw new UnexpectedText()
      parts.push(pair)
      this.#at += pair.length
    }
    parts.push(close)
  }
}
