// For tests: small vocabularies, and texts drawn at random from what a constraint allows.
import { Tokenizer } from "../tokenizer/index.js"
import { Constraint, compileConstraint, type ConstraintOptions, TokenTrie } from "./index.js"

/** Pieces that real vocabularies have and that cross the borders between parts of JSON. */
const words = [
  '{"',
  '":',
  '": "',
  '", "',
  '"}',
  '"]',
  "},",
  "}}",
  "[[",
  "]]",
  '["',
  ", ",
  "\n",
  "\n  ",
  "  ",
  "    ",
  '"',
  "true",
  "null",
  "false",
  "name",
  " the",
  "the",
  "12",
  "2026",
  "00",
  ".5",
  "e1",
  "\\u",
  "\\n",
  '\\"',
  "ab",
  "aa",
  "abc",
  "é",
  "日本",
  "日",
  "ом",
  "-0",
  "://",
  ".com",
  "a@b",
  "T1",
  ":0",
  "}}}",
  '":{"',
  '"},{"',
  "[]",
  "{}",
]

/** 256 bytes, some longer tokens, halves of characters among them, and an end token. */
export function smallTokenizer(extra: readonly string[] = []): Tokenizer {
  const bytes = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]))
  const longer = [...new Set([...words, ...extra])]
    .map((word) => Buffer.from(word))
    .filter(({ length }) => length > 1)
  const halves = [
    Buffer.from("日").subarray(0, 2),
    Buffer.from("本語").subarray(1, 5),
    Buffer.from('"é').subarray(0, 2),
  ]
  const tokens = [...bytes, ...longer, ...halves]
  const lines = tokens.map((token, rank) => `${token.toString("base64")} ${rank}`)
  return Tokenizer.fromTiktoken(Buffer.from(lines.join("\n")), {
    specials: ["<|begin_of_text|>", "<|end_of_text|>"],
  })
}

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export function tokensIn(bits: Int32Array): number[] {
  const tokens: number[] = []
  bits.forEach((word, index) => {
    for (let i = 0; i < 32; i++) if (((word >>> i) & 1) === 1) tokens.push(32 * index + i)
  })
  return tokens
}

export function constraintOf(options: ConstraintOptions, tokenizer: Tokenizer): Constraint {
  return new Constraint(compileConstraint(options), new TokenTrie(tokenizer.serialize().vocabulary))
}

/** Whether the constraint takes a text, byte by byte, from beginning to end. */
export function takes(options: ConstraintOptions): (text: string) => boolean {
  const constraint = constraintOf(options, bytesOnly)
  return (text) => {
    const state = constraint.begin()
    return [...Buffer.from(text)].every((byte) => state.accept(byte)) && state.mayEnd
  }
}

const bytesOnly = smallTokenizer()

/**
 * A text of tokens drawn evenly from those allowed, ending as soon as it may with some chance; undefined when it has
 * not ended after `most` tokens.
 */
export function drawn(
  constraint: Constraint,
  tokenizer: Tokenizer,
  random: () => number,
  most = 250,
): string | undefined {
  const state = constraint.begin()
  const decoder = tokenizer.decoder()
  let text = ""
  for (let i = 0; i < most; i++) {
    if (state.mustEnd || (state.mayEnd && random() < 0.3)) return text + decoder.flush()
    const tokens = tokensIn(state.allowed())
    if (tokens.length === 0) {
      if (state.mayEnd) return text
      throw new Error(`nothing is allowed behind ${text}`)
    }
    // what closes something is preferred as the text grows, or random JSON would rarely end
    const closing =
      random() < i / 60 ? tokens.filter((token) => /^["\]}]/.test(tokenizer.decode([token]))) : []
    const choice = closing.length > 0 ? closing : tokens
    const token = choice[Math.floor(random() * choice.length)]
    if (!state.accept(token)) throw new Error(`the token ${token} was allowed, but not taken, behind ${text}`)
    text += decoder.push(token)
  }
  return undefined
}
