// Byte-level BPE whose file writes tokens in GPT-2's printable alphabet and lists its merges: what tokenizer.json
// and GGUF have in common. Knows neither of the two formats.
import { InvalidFileError } from "../errors/index.js"
import { Derivations } from "./derivations.js"
import { byteLevelTables, singleByteTokens, type LeftToRightData } from "./model.js"
import { PairList, PairTable } from "./pair-table.js"
import { TokenKind, Vocabulary, type VocabularyBuilder, type VocabularyData } from "./vocabulary.js"

const mostMerges = 1 << 21

/** GPT-2's alphabet: bytes that print stand for themselves, the others for U+0100 and up in order. */
const byteOfCode = new Int16Array(512).fill(-1)
for (let byte = 0, others = 0; byte < 256; byte++) {
  const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
  byteOfCode[prints ? byte : 256 + others++] = byte
}

/** The bytes that a token in GPT-2's alphabet stands for; undefined where it has a character outside it. */
export function bytesOfPrintable(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const byte = code < 512 ? byteOfCode[code] : -1
    if (byte < 0) return undefined
    bytes[i] = byte
  }
  return bytes
}

export interface MergesSource {
  /** What to call the file in errors. */
  name: string
  /** All tokens, ordinary ones as bytes. */
  builder: VocabularyBuilder
  /** Id of an ordinary token as the file writes it. */
  idOf: ReadonlyMap<string, number>
  /** "left right", or the two apart, in order of rank. */
  merges: readonly unknown[]
  /** Whether a piece that is a token is that token even where its merges would lead elsewhere. */
  wholeTokens: boolean
}

export interface ByteLevelTables {
  vocabulary: VocabularyData
  pairs: Int32Array
  pairFilter: Int32Array
  leftToRight: LeftToRightData
  byteTokens: Int32Array
}

/** Builds the tables; throws InvalidFileError, with the number of the merge, where a merge names no token. */
export function tablesOfMerges(source: MergesSource): ByteLevelTables {
  if (source.merges.length > mostMerges)
    throw new InvalidFileError(
      `${source.name} has ${source.merges.length} merges, expected at most ${mostMerges}`,
    )
  const tokens = source.builder.finish()
  const vocabulary = Vocabulary.build(tokens)
  const byteTokens = singleByteTokens(vocabulary, source.name)
  const list = new PairList()
  for (const [rank, merge] of source.merges.entries()) {
    const [left, right] = partsOf(merge, rank, source.name)
    const ids = [left, right, left + right].map((text) => source.idOf.get(text) ?? -1)
    if (ids.includes(-1))
      throw new InvalidFileError(
        `${source.name}: merge ${rank} (${JSON.stringify([left, right]).slice(0, 200)}) has a part or a result that ` +
          `is no token of the vocabulary`,
      )
    list.add(ids[0], ids[1], rank, ids[2])
  }
  const tables = byteLevelTables(vocabulary, list, byteTokens)
  if (source.wholeTokens) return { vocabulary: vocabulary.data, byteTokens, ...tables }
  // Looking a whole piece up first is only a shortcut here: it is right for tokens that merging arrives at.
  const derivations = new Derivations(tables.leftToRight.derivations, new PairTable(tables))
  const findable = Vocabulary.build(tokens, (id) => derivations.isMade(id))
  return { vocabulary: findable.data, byteTokens, ...tables }
}

function partsOf(merge: unknown, rank: number, name: string): [string, string] {
  const parts: unknown = typeof merge === "string" ? merge.split(" ", 3) : merge
  if (!Array.isArray(parts) || parts.length !== 2 || !parts.every((part) => typeof part === "string" && part))
    throw new InvalidFileError(`${name}: merge ${rank} is not two tokens: expected "left right"`)
  return parts as [string, string]
}

/** Sets an ordinary token from its printable form. */
export function setPrintable(builder: VocabularyBuilder, id: number, text: string, name: string): void {
  const bytes = bytesOfPrintable(text)
  if (bytes === undefined)
    throw new InvalidFileError(
      `${name}: token ${id} (${JSON.stringify(text).slice(0, 200)}) is not in the byte-level alphabet`,
    )
  builder.set(id, bytes, TokenKind.ordinary)
}
