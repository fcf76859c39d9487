// The longest token at a place of a text: a trie whose edges live in one hash table. Nodes below the vocabulary
// size are the tokens themselves, nodes above it are prefixes that are no token.
import { sharedInts } from "./shared-memory.js"
import type { Vocabulary } from "./vocabulary.js"

export interface TrieData {
  /** Edges: (node << 8 | byte) + 1 (0 is free), then the node it leads to. */
  edges: Int32Array
  /** The node of each first byte, or -1; then that of every two first bytes (256 + (first << 8 | second)). */
  first: Int32Array
  /** The longest token that each token properly starts with, or -1. */
  shorter: Int32Array
}

export class Trie {
  readonly data: TrieData
  readonly #edges: Int32Array
  readonly #first: Int32Array
  readonly #size: number
  readonly #mask: number
  readonly #shift: number

  constructor(data: TrieData) {
    this.data = data
    this.#edges = data.edges
    this.#first = data.first
    this.#size = data.shorter.length
    this.#mask = data.edges.length - 1
    this.#shift = 32 - Math.log2(data.edges.length / 2)
  }

  /** The trie of the tokens for which `includes` holds. */
  static of(vocabulary: Vocabulary, includes: (id: number) => boolean): Trie {
    const { bytes, offsets } = vocabulary.data
    const size = vocabulary.size
    const first = sharedInts(256 + 65536).fill(-1)
    const shorter = sharedInts(size).fill(-1)
    let trie = new Trie({ edges: new Int32Array(1 << 12), first, shorter })
    let edges = 0
    let nodes = size
    // Short tokens first, so that a prefix that is a token has its node when a longer token needs it.
    for (const id of byLength(vocabulary, includes)) {
      const last = offsets[id + 1] - 1
      let node = -1
      for (let at = offsets[id]; at <= last; at++) {
        const byte = bytes[at]
        let next = node < 0 ? first[byte] : trie.#next(node, byte)
        if (next < 0) {
          next = at === last ? id : nodes++
          if (node < 0) first[byte] = next
          else {
            if (++edges * 4 > trie.#edges.length) trie = trie.#grown(new Int32Array(2 * trie.#edges.length))
            trie.#add(node, byte, next)
          }
        } else if (next < size) shorter[id] = next
        node = next
      }
    }
    for (let byte = 0; byte < 256; byte++)
      for (let second = 0; second < 256 && first[byte] >= 0; second++)
        first[256 + ((byte << 8) | second)] = trie.#next(first[byte], second)
    return trie.#grown(sharedInts(trie.#edges.length))
  }

  /** The longest token at bytes[start, end), or -1. */
  longest(bytes: Uint8Array, start: number, end: number): number {
    const edges = this.#edges
    const mask = this.#mask
    let token = this.#first[bytes[start]]
    if (token >= this.#size) token = -1
    if (start + 1 >= end) return token
    let node = this.#first[256 + ((bytes[start] << 8) | bytes[start + 1])]
    if (node < 0) return token
    for (let at = start + 2; ; at++) {
      if (node < this.#size) token = node
      if (at >= end) return token
      const byte = bytes[at]
      const key = ((node << 8) | byte) + 1
      let slot = (((Math.imul(node, 0x9e3779b1) >>> this.#shift) ^ byte) * 2) & mask
      while (edges[slot] !== key) {
        if (edges[slot] === 0) return token
        slot = (slot + 2) & mask
      }
      node = edges[slot + 1]
    }
  }

  #slot(node: number, byte: number): number {
    const key = ((node << 8) | byte) + 1
    let slot = (((Math.imul(node, 0x9e3779b1) >>> this.#shift) ^ byte) * 2) & this.#mask
    while (this.#edges[slot] !== key && this.#edges[slot] !== 0) slot = (slot + 2) & this.#mask
    return slot
  }

  #next(node: number, byte: number): number {
    const slot = this.#slot(node, byte)
    return this.#edges[slot] === 0 ? -1 : this.#edges[slot + 1]
  }

  #add(node: number, byte: number, next: number): void {
    const slot = this.#slot(node, byte)
    this.#edges[slot] = ((node << 8) | byte) + 1
    this.#edges[slot + 1] = next
  }

  #grown(edges: Int32Array): Trie {
    const trie = new Trie({ ...this.data, edges })
    for (let slot = 0; slot < this.#edges.length; slot += 2) {
      const key = this.#edges[slot] - 1
      if (key >= 0) trie.#add(key >>> 8, key & 0xff, this.#edges[slot + 1])
    }
    return trie
  }
}

function byLength(vocabulary: Vocabulary, includes: (id: number) => boolean): Int32Array {
  const starts = new Int32Array(vocabulary.longest + 2)
  const wanted = new Uint8Array(vocabulary.size)
  for (let id = 0; id < vocabulary.size; id++)
    if (vocabulary.byteLength(id) > 0 && includes(id)) {
      wanted[id] = 1
      starts[vocabulary.byteLength(id) + 1]++
    }
  for (let length = 1; length < starts.length; length++) starts[length] += starts[length - 1]
  const ids = new Int32Array(starts[starts.length - 1])
  for (let id = 0; id < vocabulary.size; id++)
    if (wanted[id] === 1) ids[starts[vocabulary.byteLength(id)]++] = id
  return ids
}
