// The tokens by their beginnings, laid out such that a token and what it starts with lie close together: a node is
// followed by its children. WebAssembly looks for the longest token in it (wasm/kernels/tokens.ts).
import { InvalidFileError } from "../errors/index.js"
import { sharedInts } from "./shared-memory.js"
import { viewOf, type Vocabulary } from "./vocabulary.js"

/** Places of nodes are packed with a byte and a bit into 32 bits. */
const mostWords = 1 << 23
/** Nodes with more children than this have a row of children by byte, the others a list to look through. */
const longestList = 8
/** Below these bits of its first word a node has its token + 1; in them the number of its children. */
const countShift = 21

/**
 * A reference is -1 for nothing, `token << 1 | 1` for a token that no other starts with, or `place << 1` for the node at
 * that word. A node: its token + 1 (0 for none) and the number n of its children; if n is at most 8, n words of
 * `reference << 8 | byte`; else n - 8 references by byte after a word with the first of these bytes.
 */
export interface TrieData {
  /** The token of each byte; then the reference for every two first bytes (256 + (first << 8 | second)). */
  first: Int32Array
  nodes: Int32Array
}

/** The trie of all tokens that the vocabulary finds, and the longest token that each properly starts with, or -1. */
export function buildTrie(vocabulary: Vocabulary): TrieData & { shorter: Int32Array } {
  return new Builder(vocabulary).build()
}

class Builder {
  readonly #bytes: Uint8Array
  readonly #offsets: Int32Array
  readonly #shorter: Int32Array
  /** Tokens sorted by their bytes, as far as they are. */
  readonly #ids: Int32Array
  readonly #spare: Int32Array
  /** How many of a range of tokens have each byte. */
  readonly #counts = new Int32Array(257)
  readonly #keys = new Uint8Array(48)
  /** A stack of the ends of the ranges of tokens with one byte, of all nodes that are being written. */
  #groups = new Int32Array(1 << 10)
  #groupCount = 0
  #nodes = sharedInts(1 << 18)
  #end = 0

  constructor(vocabulary: Vocabulary) {
    const { bytes, offsets } = vocabulary.data
    this.#bytes = bytes
    this.#offsets = offsets
    this.#shorter = sharedInts(vocabulary.size).fill(-1)
    const view = viewOf(bytes)
    const found = sharedInts(vocabulary.size)
    let count = 0
    for (let id = 0; id < vocabulary.size; id++)
      if (vocabulary.find(bytes, view, offsets[id], offsets[id + 1]) === id) found[count++] = id
    this.#ids = found.subarray(0, count)
    this.#spare = sharedInts(count)
  }

  build(): TrieData & { shorter: Int32Array } {
    const first = sharedInts(256 + 65536).fill(-1)
    this.#group(0, this.#ids.length, 0)
    const byteGroups = this.#groupCount
    for (let group = 0, from = 0; group < byteGroups; group++) {
      const to = this.#groups[group]
      const byte = this.#byteAt(from, 0)
      let start = this.#takeEnded(from, to, 1, -1)
      const token = start > from ? this.#ids[from] : -1
      first[byte] = token
      if (start < to) this.#group(start, to, 1)
      for (let inner = byteGroups; inner < this.#groupCount; inner++) {
        const end = this.#groups[inner]
        first[256 + ((byte << 8) | this.#byteAt(start, 1))] = this.#node(start, end, 2, token)
        start = end
      }
      this.#groupCount = byteGroups
      from = to
    }
    const nodes = sharedInts(this.#end)
    nodes.set(this.#nodes.subarray(0, this.#end))
    return { first, nodes, shorter: this.#shorter }
  }

  /** Puts the token of ids[from, to) that ends at `depth` first, if there is one, and returns where the others begin. */
  #takeEnded(from: number, to: number, depth: number, shorter: number): number {
    const ids = this.#ids
    const offsets = this.#offsets
    for (let i = from; i < to; i++) {
      const id = ids[i]
      if (offsets[id + 1] - offsets[id] !== depth) continue
      ids[i] = ids[from]
      ids[from] = id
      this.#shorter[id] = shorter
      return from + 1
    }
    return from
  }

  /** Writes the node for ids[from, to), which are equal up to `depth`, and returns its reference. */
  #node(from: number, to: number, depth: number, shorter: number): number {
    const rest = this.#takeEnded(from, to, depth, shorter)
    const token = rest > from ? this.#ids[from] : -1
    if (rest === to) return (token << 1) | 1
    const below = token >= 0 ? token : shorter
    if (to - rest === 1) return this.#chain(token, this.#ids[rest], depth, below)
    const place = this.#end
    const groups = this.#groupCount
    this.#group(rest, to, depth)
    const children = this.#groupCount - groups
    const lowest = this.#byteAt(rest, depth)
    const isList = children <= longestList
    const count = isList ? children : this.#byteAt(to - 1, depth) - lowest + 1 + longestList
    this.#grow(isList ? 1 + count : 2 + count - longestList)
    this.#nodes[place] = (token + 1) | (count << countShift)
    let at = place + 1
    if (!isList) {
      this.#nodes[at++] = lowest
      this.#nodes.fill(-1, at, this.#end)
    }
    for (let group = groups, start = rest; group < groups + children; group++) {
      const end = this.#groups[group]
      const byte = this.#byteAt(start, depth)
      const reference = this.#node(start, end, depth + 1, below)
      if (isList) this.#nodes[at++] = (reference << 8) | byte
      else this.#nodes[at + byte - lowest] = reference
      start = end
    }
    this.#groupCount = groups
    return place << 1
  }

  /** The nodes from `depth` to the end of the only token there. */
  #chain(token: number, id: number, depth: number, shorter: number): number {
    const place = this.#end
    const from = this.#offsets[id] + depth
    const to = this.#offsets[id + 1]
    this.#grow(2 * (to - from))
    for (let i = from, at = place; i < to; i++, at += 2) {
      const reference = i + 1 < to ? (at + 2) << 1 : (id << 1) | 1
      this.#nodes[at] = (i === from ? token + 1 : 0) | (1 << countShift)
      this.#nodes[at + 1] = (reference << 8) | this.#bytes[i]
    }
    this.#shorter[id] = shorter
    return place << 1
  }

  #grow(words: number): void {
    this.#end += words
    if (this.#end > mostWords)
      throw new InvalidFileError(
        "the tokens of the vocabulary have too many different beginnings: it is damaged",
      )
    if (this.#end <= this.#nodes.length) return
    const larger = sharedInts(Math.max(2 * this.#nodes.length, this.#end))
    larger.set(this.#nodes)
    this.#nodes = larger
  }

  #byteAt(place: number, depth: number): number {
    return this.#bytes[this.#offsets[this.#ids[place]] + depth]
  }

  /** Sorts ids[from, to) by their byte at `depth`, which all have, and adds the end of every run of one byte. */
  #group(from: number, to: number, depth: number): void {
    const ids = this.#ids
    const bytes = this.#bytes
    const offsets = this.#offsets
    if (to - from > 48) {
      this.#countingSort(from, to, depth)
      return
    }
    const keys = this.#keys
    for (let i = from; i < to; i++) {
      const id = ids[i]
      const byte = bytes[offsets[id] + depth]
      let j = i
      for (; j > from && keys[j - 1 - from] > byte; j--) {
        ids[j] = ids[j - 1]
        keys[j - from] = keys[j - 1 - from]
      }
      ids[j] = id
      keys[j - from] = byte
    }
    for (let i = from + 1; i < to; i++) if (keys[i - from] !== keys[i - 1 - from]) this.#addGroup(i)
    this.#addGroup(to)
  }

  #addGroup(end: number): void {
    if (this.#groupCount === this.#groups.length) {
      const larger = new Int32Array(2 * this.#groups.length)
      larger.set(this.#groups)
      this.#groups = larger
    }
    this.#groups[this.#groupCount++] = end
  }

  #countingSort(from: number, to: number, depth: number): void {
    const ids = this.#ids
    const bytes = this.#bytes
    const offsets = this.#offsets
    const counts = this.#counts.fill(0)
    for (let i = from; i < to; i++) counts[bytes[offsets[ids[i]] + depth] + 1]++
    for (let byte = 0; byte < 256; byte++) {
      if (counts[byte + 1] > 0) this.#addGroup(from + counts[byte] + counts[byte + 1])
      counts[byte + 1] += counts[byte]
    }
    for (let i = from; i < to; i++) this.#spare[counts[bytes[offsets[ids[i]] + depth]]++] = ids[i]
    ids.set(this.#spare.subarray(0, to - from), from)
  }
}
