// llama2.c's tokenizer.bin: the longest token's length, then score (f32), length (i32) and bytes of every token.
// Ids 0, 1, 2 are unknown, beginning and end of text, ids 3 to 258 the bytes; all of that is fixed by llama2.c.
import { InvalidFileError } from "../errors/index.js"
import { setByte, tablesOfScores } from "./from-scores.js"
import type { TokenizerData } from "./model.js"
import { checkSize, maxTokenBytes, TokenKind, viewOf, VocabularyBuilder } from "./vocabulary.js"

const specials: [string, number][] = [
  ["<unk>", 0],
  ["<s>", 1],
  ["</s>", 2],
]
const firstByte = 3

/** The vocabulary size comes from the model; the file does not say it. */
export function readLlama2c(file: Uint8Array, vocabularySize: number): TokenizerData {
  checkSize(vocabularySize)
  if (vocabularySize < firstByte + 256)
    throw new InvalidFileError(
      `a llama2.c vocabulary has ${vocabularySize} tokens, expected at least ${firstByte + 256}`,
    )
  if (file.length < 4 + 8 * vocabularySize)
    throw new InvalidFileError(
      `tokenizer.bin has ${file.length} bytes, too few for the ${vocabularySize} tokens of the model: is it the ` +
        `vocabulary of this model?`,
    )
  const view = viewOf(file)
  const builder = new VocabularyBuilder(vocabularySize)
  const scores = new Float32Array(vocabularySize)
  let at = 4
  for (let id = 0; id < vocabularySize; id++) {
    if (at + 8 > file.length) cut(id, vocabularySize)
    scores[id] = view.getFloat32(at, true)
    const length = view.getUint32(at + 4, true)
    if (length > maxTokenBytes)
      throw new InvalidFileError(
        `tokenizer.bin: token ${id} has the length ${length}, expected at most ${maxTokenBytes}`,
      )
    if (at + 8 + length > file.length) cut(id, vocabularySize)
    if (id >= firstByte && id < firstByte + 256) setByte(builder, id, id - firstByte)
    else if (id >= firstByte) builder.set(id, file.slice(at + 8, at + 8 + length))
    at += 8 + length
  }
  for (const [text, id] of specials) builder.set(id, new TextEncoder().encode(text), TokenKind.control)
  const byteTokens = Int32Array.from({ length: 256 }, (_, byte) => firstByte + byte)
  return {
    start: "characters",
    ...tablesOfScores("tokenizer.bin", builder, scores, byteTokens),
    patterns: [],
    wholeTokens: false,
    specials,
    bos: 1,
    eos: 2,
    addsBos: true,
    spacePrefix: true,
    spaceSymbol: "",
  }
}

function cut(id: number, size: number): never {
  throw new InvalidFileError(
    `tokenizer.bin ends within token ${id} of ${size}: the file is cut off, or belongs to another model`,
  )
}
