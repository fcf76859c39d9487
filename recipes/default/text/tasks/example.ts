// What a task makes, and what it may use.
import { castOf } from "../cast.js"
import type { Check } from "../check.js"
import { contract, finish } from "../grammar.js"
import type { Language, LanguageCode, Pair } from "../language.js"
import type { Lexicon } from "../lexicon.js"
import type { Random } from "../random.js"
import { type Bindings, expand } from "../template.js"

export type ExampleMessage =
  | { readonly role: "system" | "user" | "assistant"; readonly content: string }
  | {
      readonly role: "assistant"
      readonly toolCalls: readonly { name: string; arguments: Record<string, unknown> }[]
    }
  | { readonly role: "ipython"; readonly content: unknown }

export interface Example {
  readonly kind: string
  readonly language: LanguageCode
  readonly messages: readonly ExampleMessage[]
  readonly tools?: readonly unknown[]
  readonly checks: readonly Check[]
  /** An answer of the wrong sort, for preference pairs. */
  readonly rejected?: string
  /** Texts of the user that stay as they are: names and passages that the answer copies. */
  readonly exact?: boolean
}

/** One language at work. */
export class Room {
  constructor(
    readonly language: Language,
    readonly lexicon: Lexicon,
    readonly random: Random,
    readonly heldOut: boolean,
    /** The rooms of the other languages, for translation. */
    readonly others: ReadonlyMap<LanguageCode, { language: Language; lexicon: Lexicon }>,
  ) {}

  get code(): LanguageCode {
    return this.language.code
  }

  cast() {
    return castOf(this.language, this.lexicon, this.random, this.heldOut)
  }

  /** A template of this language, written out. */
  write(template: string | readonly string[], bindings: Bindings = {}): string {
    const one = typeof template === "string" ? template : this.random.pick(template)
    return finish(this.code, expand(one, bindings, this.random))
  }

  /** The same without capitals at the beginnings of sentences. */
  writeRaw(template: string, bindings: Bindings = {}): string {
    return contract(this.code, expand(template, bindings, this.random))
  }

  /** A text of the user around one that is already finished. */
  around(templates: readonly string[], bindings: Record<string, string | number>): string {
    const marks = Object.fromEntries(
      Object.keys(bindings).map((key, i) => [key, String.fromCharCode(0xe000 + i)]),
    )
    let text = this.write(templates, marks)
    Object.entries(bindings).forEach(([key, value]) => {
      text = text.replaceAll(marks[key], () => String(value))
    })
    return text
  }

  pair(pairs: readonly Pair[], bindings: Bindings = {}): { question: string; answer: string } {
    const [question, answer] = this.random.pick(pairs)
    return { question: this.write(question, bindings), answer: this.write(answer, bindings) }
  }

  /** An example of one turn. */
  turn(
    kind: string,
    user: string,
    assistant: string,
    checks: readonly Check[],
    more: Partial<Example> = {},
  ): Example {
    return {
      kind,
      language: this.code,
      messages: [
        { role: "user", content: user },
        { role: "assistant", content: assistant },
      ],
      checks,
      ...more,
    }
  }

  /** The check that an answer is in this language. */
  spoken(): Check {
    return { type: "language", language: this.code }
  }
}

export type Task = (room: Room) => Example
