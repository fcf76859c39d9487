// Documents as records of tokens for pretraining: `<|begin_of_text|> text <|end_of_text|>`, divided into pieces of one
// context, which share a token so that every token but the first is predicted once.
import type { TextExample, TokenRecord } from "../data/index.js"
import type { Tokenizer } from "../tokenizer/index.js"

/** The documents of examples, parts of one document joined by their tokens. */
export async function* documentRecords(
  tokenizer: Tokenizer,
  examples: AsyncIterable<TextExample>,
  context: number,
): AsyncGenerator<TokenRecord> {
  const end = tokenizer.idOf("<|end_of_text|>") ?? tokenizer.eos
  let ids: number[] = []
  const take = function* (whole: boolean): Generator<TokenRecord> {
    if (whole && ids.length > 0 && end !== undefined) ids.push(end)
    let first = 0
    for (; whole ? first + 1 < ids.length : first + context < ids.length; first += context) {
      const piece = Int32Array.from(ids.slice(first, first + context + 1))
      yield [{ ids: piece, loss: new Uint8Array(piece.length).fill(1) }]
    }
    ids = whole ? [] : ids.slice(first)
  }
  for await (const { text, continues } of examples) {
    if (!continues) yield* take(true)
    for (const id of tokenizer.encode(text, { bos: !continues, special: false })) ids.push(id)
    yield* take(false)
  }
  yield* take(true)
}

/** Bytes of the text of every token; special tokens are none. */
export function tokenBytes(tokenizer: Tokenizer): Int32Array {
  return Int32Array.from({ length: tokenizer.size }, (_, id) =>
    tokenizer.isSpecial(id) ? 0 : tokenizer.tokenBytes(id).length,
  )
}
