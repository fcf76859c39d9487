// Meta's tokenizer.model: lines of `base64-of-a-token rank`; the rank is the id and the order of merging. The
// special tokens are not in the file.
import { InvalidFileError } from "../errors/index.js"
import { llama3Pattern, llama3SpecialTokens } from "./llama3.js"
import { byteLevelTables, pairsOfSplits, singleByteTokens, type TokenizerData } from "./model.js"
import { buildTrie } from "./trie.js"
import { checkSize, maxVocabularySize, TokenKind, Vocabulary, VocabularyBuilder } from "./vocabulary.js"

export interface TiktokenOptions {
  /** Texts of the special tokens, whose ids follow the last rank. Default: the 256 of Llama 3.2. */
  specials?: readonly string[]
  /** Regex of the pre-tokenizer. Default: that of Llama 3. */
  pattern?: string
}

const base64 = new Int8Array(256).fill(-1)
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
for (let value = 0; value < 64; value++) base64[alphabet.charCodeAt(value)] = value

const newline = 10
const space = 32
const equals = 61

export function readTiktoken(file: Uint8Array, options: TiktokenOptions = {}): TokenizerData {
  const specials = options.specials ?? llama3SpecialTokens
  const lines = countLines(file)
  checkSize(lines + specials.length)
  const builder = new VocabularyBuilder(lines + specials.length)
  const text = new Uint8Array(file.length)
  let lineNumber = 0
  for (let at = 0; at < file.length; ) {
    lineNumber++
    const end = lineEndFrom(file, at)
    const lineEnd = end > at && file[end - 1] === 13 ? end - 1 : end
    if (lineEnd > at) {
      let gap = lineEnd - 1
      while (gap >= at && file[gap] !== space) gap--
      if (gap < at) fail(lineNumber, "no space between token and rank")
      const length = decodeBase64(file, at, gap, text, lineNumber)
      const rank = parseRank(file, gap + 1, lineEnd, lineNumber)
      if (rank >= lines)
        fail(lineNumber, `rank ${rank}, but the file has ${lines} tokens and its ranks must have no gaps`)
      if (builder.has(rank)) fail(lineNumber, `rank ${rank} a second time`)
      if (length === 0) fail(lineNumber, "an empty token")
      builder.set(rank, text, TokenKind.ordinary, length)
    }
    at = end + 1
  }
  for (const [index, special] of specials.entries())
    builder.set(lines + index, new TextEncoder().encode(special), TokenKind.control)

  const vocabulary = Vocabulary.build(builder.finish(), undefined, (id, earlier) => {
    throw new InvalidFileError(`tokenizer.model gives the same token the ranks ${earlier} and ${id}`)
  })
  const byteTokens = singleByteTokens(vocabulary, "tokenizer.model")
  const trie = buildTrie(vocabulary)
  const list = pairsOfSplits(vocabulary, trie.shorter)
  const idOf = (text: string) => {
    const index = specials.indexOf(text)
    return index < 0 ? undefined : lines + index
  }
  return {
    start: "bytes",
    vocabulary: vocabulary.data,
    ...byteLevelTables(vocabulary, trie, list, byteTokens),
    byteTokens,
    patterns: [options.pattern ?? llama3Pattern],
    wholeTokens: true,
    specials: specials.map((text, index) => [text, lines + index]),
    bos: idOf("<|begin_of_text|>"),
    eos: idOf("<|end_of_text|>"),
    addsBos: specials.includes("<|begin_of_text|>"),
    spacePrefix: false,
    spaceSymbol: "",
  }
}

function fail(line: number, what: string): never {
  throw new InvalidFileError(
    `tokenizer.model, line ${line}: found ${what}; expected \`base64 rank\`. Is this Meta's tokenizer.model?`,
  )
}

function lineEndFrom(file: Uint8Array, at: number): number {
  const end = file.indexOf(newline, at)
  return end < 0 ? file.length : end
}

/** Lines with something in them. Stops early where the file cannot be a vocabulary. */
function countLines(file: Uint8Array): number {
  let lines = 0
  for (let at = 0; at < file.length && lines <= maxVocabularySize; ) {
    const end = lineEndFrom(file, at)
    while (at < end && file[at] === 13) at++
    if (at < end) lines++
    at = end + 1
  }
  if (lines === 0) throw new InvalidFileError("tokenizer.model is empty, expected lines of `base64 rank`")
  return lines
}

/** Writes the bytes to the start of `out` and returns their number. */
function decodeBase64(file: Uint8Array, start: number, end: number, out: Uint8Array, line: number): number {
  if ((end - start) % 4 !== 0) fail(line, `a token of ${end - start} base64 characters, no multiple of 4`)
  let last = end
  while (last > start && end - last < 2 && file[last - 1] === equals) last--
  let bits = 0
  let held = 0
  let at = 0
  for (let i = start; i < last; i++) {
    const value = base64[file[i]]
    if (value < 0) fail(line, `the byte 0x${file[i].toString(16)} in base64`)
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held >= 8) {
      held -= 8
      out[at++] = bits >> held
    }
  }
  return at
}

function parseRank(file: Uint8Array, start: number, end: number, line: number): number {
  if (start === end || end - start > 9) fail(line, "a rank of no or too many digits")
  let rank = 0
  for (let i = start; i < end; i++) {
    const digit = file[i] - 48
    if (digit < 0 || digit > 9) fail(line, "a rank that is no number")
    rank = rank * 10 + digit
  }
  return rank
}
