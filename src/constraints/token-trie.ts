// The bytes of a vocabulary as a trie in preorder: the tokens that begin alike stand together, and those behind a
// byte that cannot be are passed over at once. Made once a vocabulary.
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
    let slots = 1024
    while (slots < 2 * total) slots *= 2
    const table = new Int32Array(2 * slots)
    const firstChild = new Int32Array(total + 1).fill(-1)
    const sibling = new Int32Array(total + 1).fill(-1)
    const byteOf = new Uint8Array(total + 1)
    const tokenOf = new Int32Array(total + 1).fill(-1)
    const shift = 32 - Math.log2(slots)
    this.twin = new Int32Array(this.noToken + 1).fill(-1)
    let nodes = 1
    for (let id = 0; id < size; id++) {
      if (!isText(kinds[id]) || offsets[id + 1] === offsets[id]) continue
      let node = 0
      for (let at = offsets[id]; at < offsets[id + 1]; at++) {
        const byte = bytes[at]
        const key = ((node << 8) | byte) + 1
        let slot = Math.imul(key, 0x9e3779b1) >>> shift
        while (table[2 * slot] !== key && table[2 * slot] !== 0) slot = (slot + 1) & (slots - 1)
        if (table[2 * slot] === 0) {
          table[2 * slot] = key
          table[2 * slot + 1] = nodes
          byteOf[nodes] = byte
          sibling[nodes] = firstChild[node]
          firstChild[node] = nodes++
        }
        node = table[2 * slot + 1]
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
