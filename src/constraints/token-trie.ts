// The bytes of a vocabulary as a trie in preorder: the tokens that begin alike stand together, and those behind a
// byte that cannot be are passed over at once. Made once a vocabulary.
import type { LocalMask } from "./masks.js"
import { SharedMasks } from "./shared-masks.js"
import { TokenKind, type VocabularyData } from "../tokenizer/vocabulary.js"

/** What of a vocabulary is needed here: all bytes, where each token begins in them, and what it is. */
export type TokenBytes = Pick<VocabularyData, "bytes" | "offsets" | "kinds">

export class TokenTrie {
  /** Ids are below this. */
  readonly vocabularySize: number
  /** An id above all tokens, a multiple of 32. */
  readonly noToken: number
  /** Bytes of the longest token. */
  readonly longest: number
  /** Number of nodes. Node 0 is the root; the nodes under node i are i + 1 to end[i] - 1. */
  readonly size: number
  readonly end: Int32Array
  readonly depth: Uint16Array
  /** The byte that leads to the node. */
  readonly byte: Uint8Array
  /** The token that ends here, or `noToken`. */
  readonly token: Int32Array
  /** For each token another one with the same bytes, or -1. */
  readonly twin: Int32Array
  readonly hasTwins: boolean
  /** Masks over this vocabulary that several constraints need. */
  readonly shared = new SharedMasks<LocalMask>()
  readonly #tokens: TokenBytes

  /** Special tokens and those without bytes are left out. Linear in the bytes of the vocabulary. */
  constructor(tokens: TokenBytes) {
    this.#tokens = tokens
    const { bytes, offsets, kinds } = tokens
    const size = kinds.length
    this.vocabularySize = size
    this.noToken = (size + 31) & ~31
    let total = 0
    let longest = 0
    for (let id = 0; id < size; id++) {
      if (!isText(kinds[id])) continue
      const length = offsets[id + 1] - offsets[id]
      total += length
      longest = Math.max(longest, length)
    }
    this.longest = longest
    const firstChild = new Int32Array(total + 1).fill(-1)
    const sibling = new Int32Array(total + 1).fill(-1)
    const byteOf = new Uint8Array(total + 1)
    const tokenOf = new Int32Array(total + 1).fill(-1)
    const edges = new Edges(size)
    this.twin = new Int32Array(this.noToken + 1).fill(-1)
    let nodes = 1
    for (let id = 0; id < size; id++) {
      if (!isText(kinds[id]) || offsets[id + 1] === offsets[id]) continue
      let node = 0
      for (let at = offsets[id]; at < offsets[id + 1]; at++) {
        const byte = bytes[at]
        let next = edges.get(node, byte)
        if (next < 0) {
          next = nodes++
          edges.add(node, byte, next)
          byteOf[next] = byte
          sibling[next] = firstChild[node]
          firstChild[node] = next
        }
        node = next
      }
      this.twin[id] = tokenOf[node]
      tokenOf[node] = id
    }
    this.hasTwins = this.twin.some((id) => id >= 0)
    this.size = nodes
    this.end = new Int32Array(nodes)
    this.depth = new Uint16Array(nodes)
    this.byte = new Uint8Array(nodes)
    this.token = new Int32Array(nodes).fill(this.noToken)
    // from insertion order to preorder
    const placed = new Int32Array(longest + 1)
    const source = new Int32Array(longest + 1)
    const child = new Int32Array(longest + 1)
    let at = 1
    let depth = 0
    child[0] = firstChild[0]
    while (depth >= 0) {
      const next = child[depth]
      if (next < 0) {
        this.end[placed[depth]] = at
        depth--
        if (depth >= 0) child[depth] = sibling[source[depth + 1]]
        continue
      }
      depth++
      placed[depth] = at
      source[depth] = next
      child[depth] = firstChild[next]
      this.depth[at] = depth
      this.byte[at] = byteOf[next]
      if (tokenOf[next] >= 0) this.token[at] = tokenOf[next]
      at++
    }
  }

  /** The bytes of a token; none for one that is no text. */
  bytesOf(token: number): Uint8Array {
    const { bytes, offsets, kinds } = this.#tokens
    return isText(kinds[token]) ? bytes.subarray(offsets[token], offsets[token + 1]) : new Uint8Array(0)
  }
}

const isText = (kind: number | undefined): boolean => kind === TokenKind.ordinary || kind === TokenKind.added

/** Edges of the trie while it is made: an open hash table that grows with them. */
class Edges {
  #slots: number
  #shift: number
  #table: Int32Array
  #count = 0

  constructor(vocabularySize: number) {
    this.#slots = 1 << Math.ceil(Math.log2(4 * vocabularySize + 16))
    this.#shift = 32 - Math.log2(this.#slots)
    this.#table = new Int32Array(2 * this.#slots)
  }

  /** The node under this one by a byte, or -1. */
  get(node: number, byte: number): number {
    const slot = this.#slot(((node << 8) | byte) + 1)
    return this.#table[slot] === 0 ? -1 : this.#table[slot + 1]
  }

  add(node: number, byte: number, next: number): void {
    if (4 * ++this.#count > 3 * this.#slots) this.#grow()
    this.#put(((node << 8) | byte) + 1, next)
  }

  #put(key: number, next: number): void {
    const slot = this.#slot(key)
    this.#table[slot] = key
    this.#table[slot + 1] = next
  }

  #slot(key: number): number {
    const table = this.#table
    const mask = table.length - 1
    let slot = 2 * (Math.imul(key, 0x9e3779b1) >>> this.#shift)
    while (table[slot] !== key && table[slot] !== 0) slot = (slot + 2) & mask
    return slot
  }

  #grow(): void {
    const old = this.#table
    this.#slots *= 2
    this.#shift--
    this.#table = new Int32Array(2 * this.#slots)
    for (let slot = 0; slot < old.length; slot += 2) if (old[slot] !== 0) this.#put(old[slot], old[slot + 1])
  }
}
