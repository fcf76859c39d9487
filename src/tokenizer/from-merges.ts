// Byte-level BPE whose file writes tokens in GPT-2's printable alphabet and lists its merges: what tokenizer.json
// and GGUF have in common. Knows neither of the two formats.
import { InvalidFileError } from "../errors/index.js"
import { Derivations } from "./derivations.js"
import { byteLevelTables, singleByteTokens, type LeftToRightData } from "./model.js"
import { PairList, PairTable } from "./pair-table.js"
import { Trie } from "./trie.js"
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
  for (let rank = 0; rank < source.merges.length; rank++) {
    const [left, right] = partsOf(source.merges[rank], rank, source.name)
    const leftId = source.idOf.get(left)
    const rightId = source.idOf.get(right)
    const merged = source.idOf.get(left + right)
    if (leftId === undefined || rightId === undefined || merged === undefined)
      throw new InvalidFileError(
        `${source.name}: merge ${rank} (${JSON.stringify([left, right]).slice(0, 200)}) has a part or a result that ` +
          `is no token of the vocabulary`,
      )
    list.add(leftId, rightId, rank, merged)
  }
  const tables = byteLevelTables(vocabulary, Trie.of(vocabulary), list, byteTokens)
  if (source.wholeTokens) return { vocabulary: vocabulary.data, byteTokens, ...tables }
  // Looking a whole piece up first is only a shortcut here: it is right for tokens that merging arrives at.
  const derivations = new Derivations(tables.leftToRight.derivations, new PairTable(tables))
  const findable = Vocabulary.build(tokens, (id) => derivations.isMade(id))
  return { vocabulary: findable.data, byteTokens, ...tables }
}

function partsOf(merge: unknown, rank: number, name: string): readonly [string, string] {
  if (typeof merge === "string") {
    const space = merge.indexOf(" ")
    if (space > 0 && space < merge.length - 1 && !merge.includes(" ", space + 1))
      return [merge.slice(0, space), merge.slice(space + 1)]
  } else if (Array.isArray(merge) && merge.length === 2) {
    const [left, right] = merge as unknown[]
    if (typeof left === "string" && typeof right === "string" && left && right) return [left, right]
  }
  throw new InvalidFileError(`${name}: merge ${rank} is not two tokens: expected "left right"`)
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
