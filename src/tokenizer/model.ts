// What a tokenizer consists of, as plain data of typed arrays: every reader of a format makes one of these, and a
// worker gets one by structured clone. Also the steps that the readers share.
import { InvalidFileError } from "../errors/index.js"
import { derive, type DerivationsData } from "./derivations.js"
import { PairList, PairTable, type PairTableData } from "./pair-table.js"
import type { buildTrie, TrieData } from "./trie.js"
import { TokenKind, viewOf, type Vocabulary, type VocabularyData } from "./vocabulary.js"

/** What encoding from left to right needs, see wasm/kernels/main.ts. */
export interface LeftToRightData {
  derivations: DerivationsData
  /** The table of the early merges alone. */
  earlyPairs: PairTableData
  /** What the vocabulary lists beside the pairs that merging can meet, for those who write it: see `derive`. */
  others: Int32Array
  trie: TrieData
}

export interface TokenizerData {
  /** "bytes": byte-level BPE cut by `patterns`; "characters": SentencePiece BPE over the whole text. */
  start: "bytes" | "characters"
  vocabulary: VocabularyData
  /** The pairs that merging can meet. */
  pairs: PairTableData
  /** Where all typed arrays of this lie, for encoders to work in; absent where they lie elsewhere. */
  memory?: WebAssembly.Memory
  /** For byte-level BPE, cut by `patterns`; SentencePiece BPE takes the whole text and has none. */
  leftToRight: LeftToRightData | undefined
  /** Token of each of the 256 bytes. */
  byteTokens: Int32Array
  /** Regexes of the pre-tokenizer, each applied to the pieces of the one before. */
  patterns: string[]
  /** Whether a piece that is a token is that token even where its merges would lead elsewhere. */
  wholeTokens: boolean
  /** Text of each special token and its id. */
  specials: [text: string, id: number][]
  bos: number | undefined
  eos: number | undefined
  /** Whether the model expects its beginning-of-text token before every text. */
  addsBos: boolean
  /** SentencePiece: whether a space is put before the text, and taken off again after the bos when decoding. */
  spacePrefix: boolean
  /** SentencePiece: the character, other than a space, that the text may use for one; U+2581 or nothing. */
  spaceSymbol: string
}

/**
 * All pairs whose joined bytes are a token: how tiktoken and SentencePiece, whose files list no merges, decide
 * what may merge. The number of a merge is the id of what it makes.
 */
export function pairsOfSplits(vocabulary: Vocabulary, shorter: Int32Array): PairList {
  const { bytes, offsets, kinds } = vocabulary.data
  const view = viewOf(bytes)
  const pairs = new PairList()
  for (let id = 0; id < vocabulary.size; id++) {
    if (kinds[id] !== TokenKind.ordinary) continue
    for (let left = shorter[id]; left >= 0; left = shorter[left]) {
      const middle = offsets[id] + offsets[left + 1] - offsets[left]
      const right = vocabulary.find(bytes, view, middle, offsets[id + 1])
      if (right >= 0) pairs.add(left, right, id, id)
    }
  }
  return pairs
}

/** The tokens of the 256 single bytes; a byte-level vocabulary without one of them cannot encode every text. */
export function singleByteTokens(vocabulary: Vocabulary, source: string): Int32Array {
  const padded = new Uint8Array(16)
  const view = viewOf(padded)
  return Int32Array.from({ length: 256 }, (_, byte) => {
    padded[0] = byte
    const id = vocabulary.find(padded, view, 0, 1)
    if (id < 0)
      throw new InvalidFileError(
        `${source} has no token for the byte 0x${byte.toString(16).padStart(2, "0")}: a byte-level vocabulary needs all 256`,
      )
    return id
  })
}

/** The tables of byte-level BPE, from pairs in order of rank and the trie of all tokens. */
export function byteLevelTables(
  vocabulary: Vocabulary,
  { first, nodes, shorter }: ReturnType<typeof buildTrie>,
  list: PairList,
  byteTokens: Int32Array,
): { pairs: PairTableData; leftToRight: LeftToRightData } {
  const all = PairTable.of(list)
  const allEarly = PairTable.earlyOf(list)
  const { derivations, met, others } = derive(
    list,
    all,
    allEarly,
    byteTokens,
    shorter,
    vocabulary.data.offsets,
  )
  const earlyPairs = PairTable.earlyOf(met).data
  const leftToRight = { derivations, earlyPairs, trie: { first, nodes }, others }
  return { pairs: PairTable.of(met).data, leftToRight }
}
