// Constraints in the engine: what a request asks for becomes a constraint over the model's vocabulary, kept for the
// next request that asks the same; and what it forbids is taken out of the logits.
import {
  Constraint,
  compileConstraint,
  type ConstraintOptions,
  type ConstraintState,
  TokenTrie,
} from "../constraints/index.js"
import { InvalidOptionError, UnsupportedError } from "../errors/index.js"
import type { Tokenizer } from "../tokenizer/index.js"

/** A constraint as it travels between threads. */
export interface ConstraintText {
  readonly type: ConstraintOptions["type"]
  /** A schema as JSON, a pattern or a grammar. */
  readonly text: string
}

/** Constraints kept ready. */
const mostKept = 16
export const longestConstraint = 1_000_000

/** @throws InvalidOptionError for a schema that is no JSON, and for anything too long. */
export function constraintText(options: ConstraintOptions): ConstraintText {
  const { type } = options
  const text = textOf(options)
  if (text.length > longestConstraint)
    throw new InvalidOptionError(
      `the constraint has ${text.length} characters, at most ${longestConstraint} are taken`,
    )
  return { type, text }
}

function textOf(options: ConstraintOptions): string {
  if (options.type === "regex") return options.pattern
  if (options.type === "grammar") return options.grammar
  if (options.type === "json_object") return ""
  let text: string | undefined
  try {
    text = JSON.stringify(options.schema)
  } catch (error) {
    throw new InvalidOptionError("the schema of the constraint cannot be written as JSON", { cause: error })
  }
  if (text === undefined) throw new InvalidOptionError("the schema of the constraint is no JSON value")
  return text
}

function optionsOf({ type, text }: ConstraintText): ConstraintOptions {
  if (type === "json_object") return { type }
  if (type === "regex") return { type, pattern: text }
  if (type === "grammar") return { type, grammar: text }
  return { type, schema: JSON.parse(text) as object | boolean }
}

export class Constraints {
  readonly #tokenizer: Tokenizer
  readonly #kept = new Map<string, Constraint>()
  #trie: TokenTrie | undefined

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
  }

  /** @throws InvalidOptionError that says what of the constraint is wrong, not supported, or too large. */
  of(request: ConstraintText): Constraint {
    const key = `${request.type} ${request.text}`
    let constraint = this.#kept.get(key)
    if (!constraint) {
      const compiled = compileConstraint(optionsOf(request))
      this.#trie ??= new TokenTrie(this.#tokenizer.serialize().vocabulary)
      constraint = new Constraint(compiled, this.#trie)
    }
    this.#kept.delete(key)
    this.#kept.set(key, constraint)
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value!)
    return constraint
  }
}

/** Sets the logits [V] of all tokens that the constraint forbids to -Infinity. Stop tokens are allowed at an end only. */
export function constrain(
  logits: Float32Array,
  state: ConstraintState,
  stopTokens: ReadonlySet<number>,
): void {
  const ends = state.mayEnd ? [...stopTokens].filter((token) => token < logits.length) : []
  const endings = ends.map((token) => logits[token])
  for (const token of stopTokens) if (token < logits.length) logits[token] = Number.NEGATIVE_INFINITY
  const allowed = state.allowed()
  let some = ends.length > 0
  for (let word = 0, first = 0; first < logits.length; word++, first += 32) {
    const bits = allowed[word] ?? 0
    if (bits !== 0) some = true
    if (bits === -1) continue
    if (bits === 0) logits.fill(Number.NEGATIVE_INFINITY, first, first + 32)
    else
      for (let i = 0; i < 32 && first + i < logits.length; i++)
        if (((bits >>> i) & 1) === 0) logits[first + i] = Number.NEGATIVE_INFINITY
  }
  ends.forEach((token, i) => (logits[token] = endings[i]))
  if (!some)
    throw new UnsupportedError(
      "the constraint cannot be kept to: no token of this model's vocabulary can come next",
    )
}
