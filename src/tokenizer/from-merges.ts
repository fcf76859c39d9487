// Byte-level BPE whose file writes tokens in GPT-2's printable alphabet and lists its merges: what tokenizer.json
// and GGUF have in common. Knows neither of the two formats.
import { InvalidFileError } from "../errors/index.js"
import { isMade } from "./derivations.js"
import { byteLevelTables, singleByteTokens, type LeftToRightData } from "./model.js"
import { PairList, type PairTableData } from "./pair-table.js"
import { byteOfCode } from "./printable.js"
import { buildTrie } from "./trie.js"
import {
  maxTokenBytes,
  padding,
  TokenKind,
  viewOf,
  Vocabulary,
  type VocabularyBuilder,
  type VocabularyData,
} from "./vocabulary.js"

const mostMerges = 1 << 21

/**
 * Writes the bytes that text[from, to) in GPT-2's alphabet stands for at `at` and returns where they end; -1 where a
 * character is outside the alphabet or there is no room.
 */
function writeBytes(text: string, from: number, to: number, bytes: Uint8Array, at: number): number {
  if (at + to - from > bytes.length) return -1
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    const byte = code < 512 ? byteOfCode[code] : -1
    if (byte < 0) return -1
    bytes[at++] = byte
  }
  return at
}

export interface MergesSource {
  /** What to call the file in errors. */
  name: string
  /** All tokens, ordinary ones as bytes. */
  builder: VocabularyBuilder
  /** "left right", or the two apart, in order of rank. */
  merges: readonly unknown[]
  /** Whether a piece that is a token is that token even where its merges would lead elsewhere. */
  wholeTokens: boolean
}

export interface ByteLevelTables {
  vocabulary: VocabularyData
  pairs: PairTableData
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
  const vocabulary = Vocabulary.build(tokens, undefined, (id, earlier) => {
    throw new InvalidFileError(`${source.name}: token ${id} is the same as token ${earlier}`)
  })
  const byteTokens = singleByteTokens(vocabulary, source.name)
  const list = new PairList()
  const bytes = new Uint8Array(2 * maxTokenBytes + padding)
  const view = viewOf(bytes)
  for (let rank = 0; rank < source.merges.length; rank++) {
    const merge = source.merges[rank]
    const middle = writeLeft(merge, bytes)
    const end = middle < 0 ? -1 : writeRight(merge, bytes, middle)
    if (middle <= 0 || end <= middle)
      failMerge(source.name, rank, merge, `is not two tokens: expected "left right"`)
    const left = vocabulary.find(bytes, view, 0, middle)
    const right = vocabulary.find(bytes, view, middle, end)
    const merged = vocabulary.find(bytes, view, 0, end)
    if (left < 0 || right < 0 || merged < 0)
      failMerge(source.name, rank, merge, "has a part or a result that is no token of the vocabulary")
    list.add(left, right, rank, merged)
  }
  const tables = byteLevelTables(vocabulary, buildTrie(vocabulary), list, byteTokens)
  if (source.wholeTokens) return { vocabulary: vocabulary.data, byteTokens, ...tables }
  // Looking a whole piece up first is only a shortcut here: it is right for tokens that merging arrives at.
  const { derivations } = tables.leftToRight
  const findable = Vocabulary.build(tokens, (id) => isMade(derivations, id))
  return { vocabulary: findable.data, byteTokens, ...tables }
}

function failMerge(name: string, rank: number, merge: unknown, what: string): never {
  throw new InvalidFileError(`${name}: merge ${rank} (${JSON.stringify([merge]).slice(1, 200)}) ${what}`)
}

/** Writes the left part of a merge, "left right" or ["left", "right"], and returns its length; -1 if it is none. */
function writeLeft(merge: unknown, bytes: Uint8Array): number {
  if (typeof merge === "string") return writeBytes(merge, 0, merge.indexOf(" "), bytes, 0)
  const left: unknown = Array.isArray(merge) && merge.length === 2 ? merge[0] : undefined
  return typeof left === "string" ? writeBytes(left, 0, left.length, bytes, 0) : -1
}

/** Writes the right part behind the left one and returns the end; -1 if it is none. */
function writeRight(merge: unknown, bytes: Uint8Array, at: number): number {
  if (typeof merge === "string") return writeBytes(merge, merge.indexOf(" ") + 1, merge.length, bytes, at)
  const right: unknown = (merge as unknown[])[1]
  return typeof right === "string" ? writeBytes(right, 0, right.length, bytes, at) : -1
}

const scratch = new Uint8Array(maxTokenBytes)

/** Sets an ordinary token from its printable form. */
export function setPrintable(builder: VocabularyBuilder, id: number, text: string, name: string): void {
  const length = writeBytes(text, 0, text.length, scratch, 0)
  if (length < 0)
    throw new InvalidFileError(
      `${name}: token ${id} (${JSON.stringify(text.slice(0, 100))}) is not in the byte-level alphabet, or has over ` +
        `${maxTokenBytes} bytes`,
    )
  builder.set(id, scratch, TokenKind.ordinary, length)
}
