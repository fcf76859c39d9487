// The vocabulary in the metadata of a GGUF file: kind "gpt2" (byte-level BPE with merges) or "llama"
// (SentencePiece BPE with scores). Knows the keys, not the file.
import { InvalidFileError, UnsupportedError } from "../errors/index.js"
import { setPrintable, tablesOfMerges } from "./from-merges.js"
import { byteOfName, setByte, tablesOfScores } from "./from-scores.js"
import type { TokenizerData } from "./model.js"
import { patternsByName, wholeTokenPatterns } from "./patterns.js"
import { checkSize, TokenKind, VocabularyBuilder } from "./vocabulary.js"

type Metadata = ReadonlyMap<string, unknown>
const file = "the GGUF file"

/** ggml's token types. */
const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

export function readGguf(metadata: Metadata): TokenizerData {
  const kind = metadata.get("tokenizer.ggml.model")
  if (kind === undefined)
    throw new InvalidFileError(
      `${file} has no vocabulary (tokenizer.ggml.model): load the model with one beside it`,
    )
  if (kind !== "gpt2" && kind !== "llama")
    throw new UnsupportedError(
      `${file} has a vocabulary of the kind ${JSON.stringify(kind)?.slice(0, 60)}, expected "gpt2" or "llama"`,
    )
  const tokens = array(metadata, "tokens")
  checkSize(tokens.length)
  for (let id = 0; id < tokens.length; id++)
    if (typeof tokens[id] !== "string") throw new InvalidFileError(`${file}: token ${id} is not a string`)
  const texts = tokens as ArrayLike<string>
  const types = optionalArray(metadata, "token_type", texts.length)
  return kind === "gpt2" ? readByteLevel(metadata, texts, types) : readSentencePiece(metadata, texts, types)
}

function array(metadata: Metadata, name: string): ArrayLike<unknown> {
  const value = metadata.get(`tokenizer.ggml.${name}`)
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView)))
    throw new InvalidFileError(`${file} has no list tokenizer.ggml.${name}`)
  return value as unknown as ArrayLike<unknown>
}

/** A list of one number for each token. */
function optionalArray(metadata: Metadata, name: string, length: number): ArrayLike<number> | undefined {
  if (!metadata.has(`tokenizer.ggml.${name}`)) return undefined
  const value = array(metadata, name)
  if (value.length !== length)
    throw new InvalidFileError(
      `${file}: tokenizer.ggml.${name} has ${value.length} entries, expected ${length}, one for each token`,
    )
  for (let i = 0; i < length; i++)
    if (typeof value[i] !== "number")
      throw new InvalidFileError(`${file}: tokenizer.ggml.${name} has an entry that is no number at ${i}`)
  return value as ArrayLike<number>
}

function tokenId(metadata: Metadata, name: string, size: number): number | undefined {
  const value = metadata.get(`tokenizer.ggml.${name}`)
  if (value === undefined) return undefined
  const id = Number(value)
  if (!Number.isInteger(id) || id < 0 || id >= size)
    throw new InvalidFileError(`${file}: tokenizer.ggml.${name} is ${id}, expected 0 to ${size - 1}`)
  return id
}

/** Sets the tokens that are not ordinary text and returns their texts with their ids. */
function setSpecials(
  builder: VocabularyBuilder,
  texts: ArrayLike<string>,
  types: ArrayLike<number> | undefined,
): [string, number][] {
  const specials: [string, number][] = []
  for (let id = 0; id < texts.length; id++) {
    const type = types?.[id]
    const hidden = type === TokenType.control || type === TokenType.unknown
    if (texts[id] === "" || (!hidden && type !== TokenType.userDefined)) continue
    builder.set(id, new TextEncoder().encode(texts[id]), hidden ? TokenKind.control : TokenKind.added)
    specials.push([texts[id], id])
  }
  return specials
}

function ends(metadata: Metadata, size: number): Pick<TokenizerData, "bos" | "eos"> {
  return { bos: tokenId(metadata, "bos_token_id", size), eos: tokenId(metadata, "eos_token_id", size) }
}

function readByteLevel(
  metadata: Metadata,
  texts: ArrayLike<string>,
  types: ArrayLike<number> | undefined,
): TokenizerData {
  const name = String(metadata.get("tokenizer.ggml.pre"))
  if (!Object.hasOwn(patternsByName, name))
    throw new UnsupportedError(
      `${file} names the pre-tokenizer ${JSON.stringify(name).slice(0, 60)}, whose pattern Cria does not know: ` +
        `known are ${Object.keys(patternsByName).join(", ")}`,
    )
  const builder = new VocabularyBuilder(texts.length)
  const specials = setSpecials(builder, texts, types)
  for (let id = 0; id < texts.length; id++) {
    if (builder.has(id) || types?.[id] === TokenType.unused) continue
    setPrintable(builder, id, texts[id], file)
  }
  const wholeTokens = wholeTokenPatterns.has(name)
  const { bos, eos } = ends(metadata, texts.length)
  const addsBos = metadata.get("tokenizer.ggml.add_bos_token")
  return {
    start: "bytes",
    ...tablesOfMerges({
      name: file,
      builder,
      merges: Array.from(array(metadata, "merges")),
      wholeTokens,
    }),
    patterns: [patternsByName[name]],
    wholeTokens,
    specials,
    bos,
    eos,
    // Files of Llama 3 may leave the flag out; its pre-tokenizer implies it.
    addsBos: bos !== undefined && (typeof addsBos === "boolean" ? addsBos : wholeTokens),
    spacePrefix: false,
    spaceSymbol: "",
  }
}

function readSentencePiece(
  metadata: Metadata,
  texts: ArrayLike<string>,
  types: ArrayLike<number> | undefined,
): TokenizerData {
  const scores = optionalArray(metadata, "scores", texts.length)
  if (scores === undefined) throw new InvalidFileError(`${file} has no list tokenizer.ggml.scores`)
  const builder = new VocabularyBuilder(texts.length)
  const specials = setSpecials(builder, texts, types)
  const byteTokens = new Int32Array(256).fill(-1)
  for (let id = 0; id < texts.length; id++) {
    if (builder.has(id) || types?.[id] === TokenType.unused) continue
    const byte = types === undefined || types[id] === TokenType.byte ? byteOfName(texts[id]) : -1
    if (byte >= 0) {
      byteTokens[byte] = id
      setByte(builder, id, byte)
    } else builder.set(id, new TextEncoder().encode(texts[id].replaceAll("\u2581", " ")))
  }
  const missing = byteTokens.indexOf(-1)
  if (missing >= 0)
    throw new UnsupportedError(
      `${file} has no token for the byte 0x${missing.toString(16)}: Cria needs the 256 byte tokens <0xXX>`,
    )
  const { bos, eos } = ends(metadata, texts.length)
  return {
    start: "characters",
    ...tablesOfScores(file, builder, scores, byteTokens),
    patterns: [],
    wholeTokens: false,
    specials,
    bos,
    eos,
    addsBos: bos !== undefined && metadata.get("tokenizer.ggml.add_bos_token") !== false,
    spacePrefix: metadata.get("tokenizer.ggml.add_space_prefix") !== false,
    spaceSymbol: "\u2581",
  }
}
