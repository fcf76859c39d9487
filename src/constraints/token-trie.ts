// The bytes of a vocabulary as a trie in preorder: the tokens that begin alike stand together, and those behind a
// byte that cannot be are passed over at once. Made once a vocabulary.
import type { Tokenizer } from "../tokenizer/index.js"

/** What of a tokenizer is needed here. */
export type TokenBytes = Pick<Tokenizer, "size" | "tokenBytes" | "isSpecial">

export class TokenTrie {
  /** Ids are below this. */
  readonly vocabularySize: number
  /** Bytes of the longest token. */
  readonly longest: number
  /** Number of nodes. Node 0 is the root; the nodes under node i are i + 1 to end[i] - 1. */
  readonly size: number
  readonly end: Int32Array
  readonly depth: Uint16Array
  /** The byte that leads to the node. */
  readonly byte: Uint8Array
  /** The token that ends here, or -1. */
  readonly token: Int32Array
  /** For each token another one with the same bytes, or -1. */
  readonly twin: Int32Array
  readonly #tokenizer: TokenBytes

  /** Special tokens and those without bytes are left out. Linear in the bytes of the vocabulary. */
  constructor(tokenizer: TokenBytes) {
    this.#tokenizer = tokenizer
    this.vocabularySize = tokenizer.size
    const ids: number[] = []
    let total = 0
    let longest = 0
    for (let id = 0; id < tokenizer.size; id++) {
      const { length } = tokenizer.tokenBytes(id)
      if (length === 0 || tokenizer.isSpecial(id)) continue
      ids.push(id)
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
    this.twin = new Int32Array(tokenizer.size).fill(-1)
    let nodes = 1
    for (const id of ids) {
      let node = 0
      for (const byte of tokenizer.tokenBytes(id)) {
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
    this.size = nodes
    this.end = new Int32Array(nodes)
    this.depth = new Uint16Array(nodes)
    this.byte = new Uint8Array(nodes)
    this.token = new Int32Array(nodes).fill(-1)
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
      this.token[at++] = tokenOf[next]
    }
  }

  bytesOf(token: number): Uint8Array {
    return token < this.vocabularySize && !this.#tokenizer.isSpecial(token)
      ? this.#tokenizer.tokenBytes(token)
      : new Uint8Array(0)
  }
}
