// The strings that a schema allows: patterns, formats and lengths, all of which must hold.
import { anyCharacter } from "./character-ranges.js"
import { type Node, unlimited } from "./expressions.js"
import { formatPatterns, harmlessFormats } from "./formats.js"
import { intersection } from "./intersection.js"
import type { JsonText } from "./json-text.js"
import { regexExpression } from "./regex.js"
import { countOf, schemaError, textOf } from "./schema-keywords.js"
import { type Merged, patternsOf } from "./schema-merge.js"

export class SchemaStrings {
  readonly #text: JsonText
  readonly #known = new Map<string, Node>()

  constructor(text: JsonText) {
    this.#text = text
  }

  /** A string with its quotes. */
  value(schema: Merged, path: string): Node {
    const key = JSON.stringify(this.#restrictions(schema, path))
    if (key === JSON.stringify([[], 0, -1])) return this.#text.string
    let node = this.#known.get(key)
    if (!node) {
      const [patterns, min, max] = this.#restrictions(schema, path)
      const { anyCharacter, expressions } = this.#text
      const content =
        patterns.length === 0
          ? expressions.repeat(anyCharacter, min, max < 0 ? unlimited : max)
          : this.content(schema, path)
      if (content === expressions.never) schemaError(path, "allows no string at all")
      this.#known.set(key, (node = this.#text.named(path, this.#text.quoted(content))))
    }
    return node
  }

  /** Patterns, the least and the greatest length; -1 for none. */
  #restrictions(schema: Merged, path: string): [patterns: string[], min: number, max: number] {
    const format = textOf(schema, "format", path)
    textOf(schema, "pattern", path)
    const ofFormat = formatPatterns.get(format ?? "")
    const patterns = [...(ofFormat === undefined ? [] : [`^(?:${ofFormat})$`]), ...patternsOf(schema)]
    // a format that is not known but has a pattern beside it is what the pattern says
    if (format !== undefined && patterns.length === 0 && !harmlessFormats.has(format))
      schemaError(
        `${path}/format`,
        `has the format ${JSON.stringify(format)}, which is not supported: use one of ${[...formatPatterns.keys()].join(", ")}, or a pattern`,
      )
    return [patterns, countOf(schema, "minLength", path) ?? 0, countOf(schema, "maxLength", path) ?? -1]
  }

  /** What stands between the quotes, every character written in one way only. */
  content(schema: Merged, path: string): Node {
    const [patterns, min, max] = this.#restrictions(schema, path)
    const { character, expressions } = this.#text
    const one = character(anyCharacter)
    const shorter = (length: number) => expressions.repeat(one, 0, length)
    if (patterns.length === 0) return expressions.repeat(one, min, max < 0 ? unlimited : max)
    const [first, ...others] = patterns.map((pattern) =>
      regexExpression(pattern, expressions, { character, match: "part" }),
    )
    let content = others.reduce((both, other) => intersection(expressions, both, other), first)
    const tooShort = min > 0 ? intersection(expressions, content, shorter(min - 1)) : expressions.never
    if (tooShort !== expressions.never) content = intersection(expressions, content, tooShort, true)
    if (max >= 0) content = intersection(expressions, content, shorter(max))
    return content
  }

  /** The content of one of these strings, as far as the schema allows them. */
  among(values: readonly unknown[], schema: Merged, path: string): Node {
    const { expressions } = this.#text
    const texts = values.filter((value) => typeof value === "string")
    const listed = expressions.texts(texts.map((text) => this.#text.content(text)))
    const [patterns, min, max] = this.#restrictions(schema, path)
    if (texts.length === 0 || (patterns.length === 0 && min === 0 && max < 0)) return listed
    return intersection(expressions, listed, this.content(schema, path))
  }
}
