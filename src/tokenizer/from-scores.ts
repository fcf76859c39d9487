// SentencePiece BPE from tokens with scores: what llama2.c's tokenizer.bin and GGUF's "llama" kind have in common.
import { InvalidFileError } from "../errors/index.js"
import { pairsOfSplits } from "./model.js"
import { PairTable, type PairTableData } from "./pair-table.js"
import { buildTrie } from "./trie.js"
import { TokenKind, Vocabulary, type VocabularyBuilder, type VocabularyData } from "./vocabulary.js"

export interface ScoresTables {
  vocabulary: VocabularyData
  pairs: PairTableData
  leftToRight: undefined
  byteTokens: Int32Array
}

/** The byte that a token's text `<0xXX>` stands for, or -1. */
export function byteOfName(text: string): number {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? Number.parseInt(text.slice(3, 5), 16) : -1
}

/**
 * Builds the tables. A merge into a token ranks by the token's score, the highest first; equal scores share a rank,
 * so that the leftmost merges first. `byteTokens` are the ids of the 256 byte tokens, which are found by no text.
 */
export function tablesOfScores(
  name: string,
  builder: VocabularyBuilder,
  scores: ArrayLike<number>,
  byteTokens: Int32Array,
): ScoresTables {
  const isByte = new Set(byteTokens)
  const vocabulary = Vocabulary.build(builder.finish(), (id) => !isByte.has(id))
  const order = Float64Array.from(scores)
  for (const [id, score] of order.entries()) {
    if (Number.isNaN(score)) throw new InvalidFileError(`${name}: token ${id} has no number as its score`)
  }
  const distinct = [...new Set(order.toSorted((a, b) => b - a))]
  const rankOfScore = new Map(distinct.map((score, rank) => [score, rank]))
  const list = pairsOfSplits(vocabulary, buildTrie(vocabulary).shorter)
  const ranks = Int32Array.from(order, (score) => rankOfScore.get(score)!)
  return {
    vocabulary: vocabulary.data,
    pairs: PairTable.of(list, ranks).data,
    leftToRight: undefined,
    byteTokens,
  }
}

/** Sets a byte token: its bytes are the one byte that it stands for. */
export function setByte(builder: VocabularyBuilder, id: number, byte: number): void {
  builder.set(id, Uint8Array.of(byte), TokenKind.ordinary)
}
