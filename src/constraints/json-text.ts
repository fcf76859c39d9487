// How JSON is written: white space, strings and their characters, and values of any shape. A few blanks at most may
// stand between two parts, so that no model can go on with them for ever.
import { anyCharacter, inverted, ofCharacters, united, without } from "./character-ranges.js"
import { type Expressions, type Node, type Ranges, type Rule, unlimited } from "./expressions.js"
import { numberExpression } from "./numbers.js"

const mostIndent = 40
const controls: Ranges = [[0, 31]]
/** Characters that JSON strings hold as they are. */
const asItIs = without(anyCharacter, united(controls, ofCharacters('"\\')))
const shortEscapes: readonly (readonly [string, string])[] = [
  ['"', '"'],
  ["\\", "\\"],
  ["\b", "b"],
  ["\f", "f"],
  ["\n", "n"],
  ["\r", "r"],
  ["\t", "t"],
]

export class JsonText {
  readonly expressions: Expressions
  /** Nothing, one blank, or a new line and its indent. */
  readonly gap: Node
  /** Nothing or one blank. */
  readonly blank: Node
  /** One character in any way that JSON can write it. */
  readonly anyCharacter: Node
  readonly string: Node
  readonly #quote: Node
  #value: Rule | undefined
  #object: Rule | undefined
  #array: Rule | undefined

  constructor(expressions: Expressions) {
    this.expressions = expressions
    const { text } = this
    this.blank = expressions.optional(text(" "))
    const indent = expressions.choice([
      expressions.repeat(text(" "), 0, mostIndent),
      expressions.repeat(text("\t"), 1, mostIndent / 4),
    ])
    this.gap = expressions.choice([this.blank, expressions.sequence(text("\n"), indent)])
    this.#quote = text('"')
    this.anyCharacter = expressions.choice([expressions.characters(asItIs), this.#escapes()])
    this.string = this.named("string", this.quoted(expressions.repeat(this.anyCharacter, 0, unlimited)))
  }

  readonly text = (text: string): Node => this.expressions.text(text)

  /** A rule of its own: what tokens may come inside it is worked out apart from where it stands. */
  named(name: string, body: Node): Rule {
    const rule = this.expressions.rule(name)
    rule.body = body
    return rule
  }

  quoted(content: Node): Node {
    return this.expressions.sequence(this.#quote, content, this.#quote)
  }

  #escapes(): Node {
    const { expressions, text } = this
    const hex = expressions.characters([
      [48, 57],
      [65, 70],
      [97, 102],
    ])
    const notD = expressions.characters([
      [48, 57],
      [65, 67],
      [69, 70],
      [97, 99],
      [101, 102],
    ])
    const d = expressions.characters(ofCharacters("dD"))
    const pair = expressions.sequence(
      d,
      expressions.characters(ofCharacters("89abAB")),
      hex,
      hex,
      text("\\u"),
      d,
      expressions.characters(ofCharacters("cdefCDEF")),
      hex,
      hex,
    )
    const single = expressions.choice([
      expressions.sequence(notD, hex, hex, hex),
      expressions.sequence(d, expressions.characters([[48, 55]]), hex, hex),
    ])
    const short = expressions.characters(ofCharacters('"\\/bfnrt'))
    const long = expressions.sequence(text("u"), expressions.choice([single, pair]))
    return expressions.sequence(text("\\"), expressions.choice([short, long]))
  }

  /** One of these characters, written in one way only: as it is, or escaped where it must be. */
  readonly character = (ranges: Ranges): Node => {
    const { expressions, text } = this
    const options = [expressions.characters(without(ranges, inverted(asItIs)))]
    const has = (point: number) => ranges.some(([first, last]) => first <= point && point <= last)
    for (const [character, letter] of shortEscapes)
      if (has(character.charCodeAt(0))) options.push(text(`\\${letter}`))
    for (let point = 0; point < 32; point++)
      if (has(point) && !shortEscapes.some(([character]) => character.charCodeAt(0) === point))
        options.push(text(`\\u${point.toString(16).padStart(4, "0")}`))
    return expressions.choice(options)
  }

  /** The content of a string as `character` writes it. */
  content(text: string): string {
    return JSON.stringify(text).slice(1, -1)
  }

  /** Items between brackets; `items` says what stands there without the gaps at both ends. */
  enclosed(open: string, items: Node, close: string): Node {
    const { expressions, text, gap } = this
    return expressions.sequence(
      text(open),
      gap,
      items,
      items === expressions.empty ? items : gap,
      text(close),
    )
  }

  /** min to max items with commas between them. */
  list(item: Node, min: number, max: number): Node {
    if (max === 0) return this.expressions.empty
    const more = this.expressions.repeat(this.following(item), Math.max(0, min - 1), max - 1)
    const some = this.expressions.sequence(item, more)
    return min === 0 ? this.expressions.optional(some) : some
  }

  /** A comma, and the item. */
  following(item: Node): Node {
    return this.expressions.sequence(this.text(","), this.gap, item)
  }

  member(key: Node, value: Node): Node {
    return this.expressions.sequence(key, this.text(":"), this.blank, value)
  }

  /** Any object. */
  get object(): Rule {
    if (!this.#object) {
      const rule = (this.#object = this.expressions.rule("object"))
      rule.body = this.enclosed("{", this.list(this.member(this.string, this.value), 0, unlimited), "}")
    }
    return this.#object
  }

  /** Any array. */
  get array(): Rule {
    if (!this.#array) {
      const rule = (this.#array = this.expressions.rule("array"))
      rule.body = this.enclosed("[", this.list(this.value, 0, unlimited), "]")
    }
    return this.#array
  }

  /** Any value. */
  get value(): Rule {
    if (!this.#value) {
      const rule = (this.#value = this.expressions.rule("value"))
      const number = numberExpression(this.expressions, false, {}, "#")
      const words = ["true", "false", "null"].map(this.text)
      rule.body = this.expressions.choice([this.object, this.array, this.string, number, ...words])
    }
    return this.#value
  }

  /** Exactly this value. */
  literal(value: unknown): Node {
    const { expressions, text } = this
    if (Array.isArray(value)) {
      const items = value.map((item: unknown, i) =>
        i === 0 ? this.literal(item) : this.following(this.literal(item)),
      )
      return this.enclosed("[", expressions.sequence(...items), "]")
    }
    if (typeof value === "object" && value !== null) {
      const members = Object.entries(value).map(([key, item], i) => {
        const member = this.member(text(JSON.stringify(key)), this.literal(item))
        return i === 0 ? member : this.following(member)
      })
      return this.enclosed("{", expressions.sequence(...members), "}")
    }
    return text(JSON.stringify(value))
  }
}
