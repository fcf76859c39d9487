// Every way of encoding a piece against merging done literally, on small random vocabularies, in which tokens that
// merging never reaches and merges out of order are common.
import { expect, test } from "vitest"
import { ByteLevelEncoder } from "./byte-level.js"
import { isMade } from "./derivations.js"
import { Merger } from "./merge.js"
import { byteLevelTables, pairsOfSplits, singleByteTokens, type TokenizerData } from "./model.js"
import { PairTable } from "./pair-table.js"
import { buildTrie } from "./trie.js"
import { Vocabulary, VocabularyBuilder } from "./vocabulary.js"

function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const utf8 = new TextEncoder()

/** tiktoken's rule: the pair whose joined bytes have the lowest rank merges first, the leftmost of equals. */
function literally(piece: string, ranks: ReadonlyMap<string, number>): number[] {
  const parts = piece.split("")
  for (;;) {
    let best = Infinity
    let at = -1
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(parts[i] + parts[i + 1]) ?? Infinity
      if (rank < best) [best, at] = [rank, i]
    }
    if (at < 0) return parts.map((part) => ranks.get(part)!)
    parts.splice(at, 2, parts[at] + parts[at + 1])
  }
}

/** All bytes and `extra` random tokens over a small alphabet, in random order if `shuffled`. */
function vocabularyOf(next: (below: number) => number, extra: number, alphabet: string) {
  const texts = new Set<string>()
  while (texts.size < extra)
    texts.add(Array.from({ length: 2 + next(next(3) + 4) }, () => alphabet[next(alphabet.length)]).join(""))
  const ranks = new Map<string, number>()
  for (let byte = 0; byte < 256; byte++) ranks.set(String.fromCharCode(byte), byte)
  for (const text of texts) ranks.set(text, ranks.size)
  const builder = new VocabularyBuilder(ranks.size)
  for (const [text, id] of ranks)
    builder.set(
      id,
      Uint8Array.from(text, (char) => char.charCodeAt(0)),
    )
  const tokens = builder.finish()
  const vocabulary = Vocabulary.build(tokens)
  const byteTokens = singleByteTokens(vocabulary, "the test")
  const trie = buildTrie(vocabulary)
  const list = pairsOfSplits(vocabulary, trie.shorter)
  const tables = byteLevelTables(vocabulary, trie, list, byteTokens)
  const pairs = new PairTable(tables.pairs)
  const data: TokenizerData = {
    start: "bytes",
    vocabulary: Vocabulary.build(tokens, (id) => isMade(tables.leftToRight.derivations, id)).data,
    ...tables,
    byteTokens,
    patterns: ["[^~]+"],
    wholeTokens: false,
    specials: [],
    bos: undefined,
    eos: undefined,
    addsBos: false,
    spacePrefix: false,
    spaceSymbol: "",
  }
  const merger = new Merger(pairs)
  let given = 0
  const asked = {
    symbols: (count: number) => merger.symbols(count),
    merge: (count: number, out: number[]) => {
      given++
      merger.merge(count, out)
    },
  } as Merger
  return {
    ranks,
    merger,
    derivations: tables.leftToRight.derivations,
    encoder: new ByteLevelEncoder(data, asked),
    given: () => given,
  }
}

test("encoding from left to right and heap merging both end as merging literally does", () => {
  const next = random(20)
  let late = 0
  let given = 0
  for (let round = 0; round < 250; round++) {
    const alphabet = ["ab", "abc", "abcdef"][round % 3]
    const made = vocabularyOf(next, 4 + next(alphabet.length * 12), alphabet)
    const { ranks, merger, derivations, encoder } = made
    for (let id = 0; id < ranks.size; id++) if (derivations.records[4 * id + 1] >>> 30 !== 0) late++
    for (let run = 0; run < 40; run++) {
      const piece = Array.from({ length: 1 + next(24) }, () => alphabet[next(alphabet.length)]).join("")
      const expected = literally(piece, ranks)
      const how = `${piece} with ${[...ranks.keys()].slice(256).join(" ")}`

      const heaped: number[] = []
      merger.symbols(piece.length).set(utf8.encode(piece))
      merger.merge(piece.length, heaped)
      expect(heaped, how).toEqual(expected)

      const leftToRight: number[] = [-7]
      encoder.encode(piece, leftToRight)
      expect(leftToRight.slice(1), how).toEqual(expected)
    }
    given += made.given()
  }
  expect(late, "merges out of order are covered").toBeGreaterThan(100)
  expect(given, "pieces that could not be done from left to right").toBeLessThan(100)
})
