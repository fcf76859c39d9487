// Passes literals of Python or JSON on as JSON while they are being written: strings, lists and dictionaries as they come,
// everything else once it is whole, mended by a schema as tool-arguments.ts does.
import { type GrowingText, UnexpectedText, type Waiting } from "./growing-text.js"
import { LiteralReader, maxDepth } from "./literal.js"
import { isObject } from "./messages.js"
import { literalOf, mend, schemaInside } from "./tool-arguments.js"

type Schema = Readonly<Record<string, unknown>>

/** Characters of an escape by its letter; one in octal has up to four, all others two. */
const escapeLengths: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 }

export class LiteralWriter {
  /** Takes the next part of the JSON text. */
  readonly write: (json: string) => void
  readonly #text: GrowingText

  constructor(text: GrowingText, write: (json: string) => void) {
    this.#text = text
    this.write = write
  }

  key(key: string, first: boolean): void {
    this.write(`${first ? "{" : ","}${JSON.stringify(key)}:`)
  }

  /** One literal as JSON, mended by its schema; strings, lists and dictionaries come out as they are written. */
  *value(schema: unknown, depth: number): Waiting<void> {
    const text = this.#text
    if (depth > maxDepth) throw new UnexpectedText()
    yield* text.skipSpace()
    const next = yield* text.next()
    if (next === "{") {
      const inside = schemaInside(schema, "object", depth) as Schema | undefined
      yield* this.dictionary((key) => propertyOf(inside, key), depth, schema)
      return
    }
    if (next === "[") {
      const inside = schemaInside(schema, "array", depth) as Schema | undefined
      yield* this.#list(inside?.items, depth)
      return
    }
    const quoted = next === "'" || next === '"'
    if (
      quoted &&
      schemaInside(schema, "string", depth) !== "whole" &&
      (yield* text.ahead(3)) !== next.repeat(3)
    )
      yield* this.#strings()
    else this.#writeWhole(yield* text.upTo(",)]}"), schema, depth)
  }

  #writeWhole(literal: string, schema: unknown, depth: number): void {
    const reader = new LiteralReader(literal)
    const value = reader.value(depth)
    reader.skipSpace()
    if (reader.at < literal.length) throw new UnexpectedText()
    this.write(JSON.stringify(mend(value, schema, "", [], depth)))
  }

  *#list(items: unknown, depth: number): Waiting<void> {
    const text = this.#text
    text.skip(1)
    this.write("[")
    for (let first = true; ; first = false) {
      yield* text.skipSpace()
      if (yield* text.take("]")) break
      if (!first) this.write(",")
      yield* this.value(items, depth + 1)
      yield* text.skipSpace()
      if (!(yield* text.take(",")) && (yield* text.next()) !== "]") throw new UnexpectedText()
    }
    this.write("]")
  }

  /** A dictionary; a set, which is a list here, is written whole. */
  *dictionary(schemaOf: (key: string) => unknown, depth: number, schema?: unknown): Waiting<void> {
    const text = this.#text
    text.skip(1)
    for (let first = true; ; first = false) {
      yield* text.skipSpace()
      if (yield* text.take("}")) {
        this.write(first ? "{}" : "}")
        return
      }
      const literal = yield* text.upTo(":,}")
      if (!(yield* text.take(":"))) {
        if (!first) throw new UnexpectedText()
        this.#writeWhole(`{${literal}${yield* text.upTo("}")}}`, schema, depth)
        text.skip(1)
        return
      }
      const key = keyOf(literal)
      this.key(key, first)
      yield* this.value(schemaOf(key), depth + 1)
      yield* text.skipSpace()
      if (!(yield* text.take(",")) && (yield* text.next()) !== "}") throw new UnexpectedText()
    }
  }

  /** One string, or several side by side, which Python joins; the first is of one quote a side. */
  *#strings(): Waiting<void> {
    const text = this.#text
    this.write('"')
    for (;;) {
      const quote = yield* text.next()
      if ((yield* text.ahead(3)) === quote.repeat(3)) {
        this.#writeInside(new LiteralReader(yield* text.upTo(",)]}")).value() as string)
        break
      }
      text.skip(1)
      const inside = quote === "'" ? /[^'\\]+/y : /[^"\\]+/y
      for (;;) {
        this.#writeInside(yield* text.run(inside))
        if (yield* text.take(quote)) break
        if ((yield* text.next()) !== "\\") {
          if ((yield* text.next()) === "") throw new UnexpectedText()
          continue
        }
        const pair = yield* text.ahead(2)
        if (pair.length < 2) throw new UnexpectedText()
        const length = escapeLengths[pair[1]] ?? (/[0-7]/.test(pair[1]) ? 4 : 2)
        const reader = new LiteralReader(yield* text.ahead(length))
        this.#writeInside(reader.escape())
        text.skip(reader.at)
      }
      yield* text.skipSpace()
      const next = yield* text.next()
      if (next !== "'" && next !== '"') break
    }
    this.write('"')
  }

  #writeInside(characters: string): void {
    if (characters !== "") this.write(JSON.stringify(characters).slice(1, -1))
  }
}

/** What stands before a colon, as the name of a property. */
function keyOf(literal: string): string {
  const key = literalOf(literal)
  if (typeof key === "string") return key
  if (typeof key !== "number" && typeof key !== "boolean" && key !== null) throw new UnexpectedText()
  return String(key)
}

/** The schema of a property, where the schema of the object names it. */
export function propertyOf(schema: unknown, key: string): unknown {
  const properties = isObject(schema) ? schema.properties : undefined
  return isObject(properties) && Object.hasOwn(properties, key) ? properties[key] : undefined
}
