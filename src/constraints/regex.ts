// A regular expression as an expression over bytes. Anchors and look-ahead are turned into what they say about the
// whole text; how a character is written (UTF-8, or inside a JSON string) is up to the caller.
import { InvalidOptionError } from "../errors/index.js"
import { anyCharacter, united } from "./character-ranges.js"
import { type Expressions, type Node, type Ranges, unlimited } from "./expressions.js"
import { intersection } from "./intersection.js"
import { parseRegex, type Regex } from "./regex-syntax.js"

export interface RegexOptions {
  /** How one of these characters is written. */
  readonly character: (ranges: Ranges) => Node
  /** "whole": the pattern matches the whole text. "part": it matches some part of it, as in a JSON schema. */
  readonly match: "whole" | "part"
}

/** @throws InvalidOptionError for what cannot be read, supported or held in memory. */
export function regexExpression(pattern: string, expressions: Expressions, options: RegexOptions): Node {
  return new Builder(pattern, expressions, options).lead([parseRegex(pattern)])
}

class Builder {
  readonly #pattern: string
  readonly #expressions: Expressions
  readonly #character: (ranges: Ranges) => Node
  readonly #anything: Node
  readonly #searches: boolean

  constructor(pattern: string, expressions: Expressions, { character, match }: RegexOptions) {
    this.#pattern = pattern
    this.#expressions = expressions
    this.#character = character
    this.#searches = match === "part"
    this.#anything = expressions.repeat(character(anyCharacter), 0, unlimited)
  }

  #fail(problem: string): never {
    throw new InvalidOptionError(`the pattern ${this.#pattern.slice(0, 100)} is not supported: ${problem}`)
  }

  /** The whole text, the pattern being `items` one after the other. */
  lead(items: readonly Regex[]): Node {
    const [first, ...rest] = items
    if (first?.type === "start") return this.#rest(rest, true, this.#searches)
    if (first?.type === "sequence" && isSpecial(first)) return this.lead([...first.items, ...rest])
    if (first?.type === "choice" && isSpecial(first))
      return this.#expressions.choice(first.options.map((option) => this.lead([option, ...rest])))
    if (!this.#searches) return this.#rest(items, true, false)
    return this.#expressions.sequence(this.#anything, this.#rest(items, false, true))
  }

  /** From the beginning of `items` to the end of the text. `open`: more may follow them. */
  #rest(items: readonly Regex[], atStart: boolean, open: boolean): Node {
    const special = items.findIndex(isSpecial)
    if (special < 0)
      return this.#expressions.sequence(
        ...items.map((item) => this.#plain(item)),
        open ? this.#anything : this.#expressions.empty,
      )
    if (special > 0) {
      const before = items.slice(0, special).map((item) => this.#plain(item))
      return this.#expressions.sequence(...before, this.#rest(items.slice(special), false, open))
    }
    const [first, ...after] = items
    switch (first.type) {
      case "sequence":
        return this.#rest([...first.items, ...after], atStart, open)
      case "choice":
        return this.#expressions.choice(
          first.options.map((option) => this.#rest([option, ...after], atStart, open)),
        )
      case "start":
        if (!atStart) this.#fail("^ stands behind other things")
        return this.#rest(after, true, open)
      case "end":
        if (after.some((item) => item.type !== "end")) this.#fail("$ stands before other things")
        return this.#expressions.empty
      case "look": {
        const seen = this.#rest([first.item], atStart, true)
        return intersection(this.#expressions, this.#rest(after, atStart, open), seen, first.negative)
      }
      default:
        return this.#fail("an anchor or a look-ahead is repeated")
    }
  }

  #plain(regex: Regex): Node {
    switch (regex.type) {
      case "set":
        return this.#character(regex.ranges)
      case "sequence":
        return this.#expressions.sequence(...regex.items.map((item) => this.#plain(item)))
      case "choice": {
        const sets = regex.options.filter((option) => option.type === "set")
        const others = regex.options.filter((option) => option.type !== "set")
        const one = sets.length > 0 ? [this.#character(united(...sets.map(({ ranges }) => ranges)))] : []
        return this.#expressions.choice([...one, ...others.map((option) => this.#plain(option))])
      }
      case "repeat":
        return this.#expressions.repeat(this.#plain(regex.item), regex.min, regex.max)
      default:
        return this.#fail("an anchor or a look-ahead stands where it cannot be understood")
    }
  }
}

function isSpecial(regex: Regex): boolean {
  if (regex.type === "sequence") return regex.items.some(isSpecial)
  if (regex.type === "choice") return regex.options.some(isSpecial)
  if (regex.type === "repeat") return isSpecial(regex.item)
  return regex.type !== "set"
}
