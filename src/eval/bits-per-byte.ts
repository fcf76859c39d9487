// How well a model foresees texts, in bits for each byte of theirs: comparable between models of different vocabularies.
// Knows texts and a model, neither files nor tables.
import type { Backend } from "../backends/backend.js"
import { hiddenStates, type Model } from "../model/llama.js"
import type { SequenceRows } from "../ops/ops.js"
import type { Tokenizer } from "../tokenizer/index.js"

/** Sums over texts; divide as you like. */
export interface TextScore {
  readonly texts: number
  readonly bytes: number
  /** Tokens that were foreseen: all but the first of each text, which is the beginning-of-text token. */
  readonly tokens: number
  /** `-sum log2 p(token | those before it)`. */
  readonly bits: number
}

export interface ScoreOptions {
  /** Longest window in tokens. Default: the model's context, at most 1024. */
  readonly window?: number
  readonly signal?: AbortSignal
}

/** Rows of logits at a time: their memory is this times the vocabulary. */
const outputRows = 256
const noPages = new Int32Array(0)

/**
 * Scores one text. What is longer than a window is read in windows that overlap by half: every token is foreseen once, from at
 * least half a window of text before it where there is that much. The text starts with the beginning-of-text token.
 */
export async function scoreText(
  backend: Backend,
  model: Model,
  tokenizer: Tokenizer,
  text: string,
  { window = Math.min(1024, model.config.contextLength), signal }: ScoreOptions = {},
): Promise<TextScore> {
  const ids = Int32Array.from(tokenizer.encode(text, { bos: true }))
  let bytes = new TextEncoder().encode(text).length
  // Nothing foresees the first token: that of a model without a beginning-of-text token is text, which does not count.
  if (tokenizer.bos === undefined && ids.length > 0) bytes -= tokenizer.tokenBytes(ids[0]).length
  let nats = 0
  let foreseen = 1
  for (let start = 0; foreseen < ids.length; start += window >> 1) {
    signal?.throwIfAborted()
    const end = Math.min(ids.length, start + window)
    nats -= await logLikelihood(backend, model, ids.subarray(start, end), foreseen - start)
    foreseen = end
  }
  return { texts: 1, bytes, tokens: Math.max(0, ids.length - 1), bits: nats / Math.LN2 }
}

/** Sum of the log probabilities of ids[from...] within the window. */
async function logLikelihood(backend: Backend, model: Model, ids: Int32Array, from: number): Promise<number> {
  const scope = backend.scope()
  try {
    const range = Int32Array.from(ids, (_, t) => t)
    const sequences: SequenceRows[] = [{ first: 0, length: ids.length, cached: 0, pages: noPages }]
    const hidden = hiddenStates(backend, model, {
      ids,
      positions: range,
      sequences,
      outputs: range.slice(from - 1, -1),
    })
    let sum = 0
    for (let row = 0; row < ids.length - from; row += outputRows) {
      const rows = range.slice(row, Math.min(row + outputRows, ids.length - from))
      const targets = ids.slice(from + row, from + row + rows.length)
      const part = backend.scope()
      try {
        const logits = backend.linear(backend.rows(hidden, rows), model.output)
        for (const value of await backend.read(backend.logProbabilities(logits, targets))) sum += value
      } finally {
        part.end()
      }
    }
    return sum
  } finally {
    scope.end()
  }
}

export const addScores = (a: TextScore, b: TextScore): TextScore => ({
  texts: a.texts + b.texts,
  bytes: a.bytes + b.bytes,
  tokens: a.tokens + b.tokens,
  bits: a.bits + b.bits,
})

export const noScore: TextScore = { texts: 0, bytes: 0, tokens: 0, bits: 0 }
