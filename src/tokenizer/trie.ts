// The longest token at a place of a text, by a trie. Nodes below the vocabulary size are the tokens themselves,
// nodes above it are prefixes that are no token.
import { InvalidFileError } from "../errors/index.js"
import { sharedInts } from "./shared-memory.js"
import { viewOf, type Vocabulary } from "./vocabulary.js"

/** Child nodes are packed with a byte into 31 bits. */
const mostNodes = 1 << 23
/** Nodes with more children than this have a row of children by byte, the others a list to look through. */
const longestList = 8

export interface TrieData {
  /** The node of each first byte, or -1; then that of every two first bytes (256 + (first << 8 | second)). */
  first: Int32Array
  /** The children of a node are children[index[node], index[node + 1]). */
  index: Int32Array
  /** A list of `child << 8 | byte`; or the lowest byte and then, from it on, a child or -1 for every byte. */
  children: Int32Array
  /** The longest token that each token properly starts with, or -1. */
  shorter: Int32Array
}

export class Trie {
  readonly data: TrieData
  readonly #first: Int32Array
  readonly #index: Int32Array
  readonly #children: Int32Array
  readonly #size: number

  constructor(data: TrieData) {
    this.data = data
    this.#first = data.first
    this.#index = data.index
    this.#children = data.children
    this.#size = data.shorter.length
  }

  /** The trie of all tokens that the vocabulary finds. */
  static of(vocabulary: Vocabulary): Trie {
    return new Trie(new Builder(vocabulary).finish())
  }

  /** The longest token at bytes[start, end), or -1. */
  longest(bytes: Uint8Array, start: number, end: number): number {
    const size = this.#size
    let token = this.#first[bytes[start]]
    if (token >= size) token = -1
    if (start + 1 >= end) return token
    let node = this.#first[256 + ((bytes[start] << 8) | bytes[start + 1])]
    if (node < 0) return token
    if (node < size) token = node
    const index = this.#index
    const children = this.#children
    for (let at = start + 2; at < end; at++) {
      const byte = bytes[at]
      const from = index[node]
      const to = index[node + 1]
      node = -1
      if (to - from > longestList) {
        const place = from + 1 + byte - children[from]
        if (place > from && place < to) node = children[place]
      } else {
        for (let i = from; i < to; i++)
          if ((children[i] & 0xff) === byte) {
            node = children[i] >> 8
            break
          }
      }
      if (node < 0) break
      if (node < size) token = node
    }
    return token
  }
}

/** Grows the trie edge by edge; the edges are found through a hash table that is thrown away afterwards. */
class Builder {
  readonly #size: number
  #nodes: number
  #edges = 0
  /** Of every edge: the node it leaves, the node it leads to << 8 | its byte. */
  #list = new Int32Array(1 << 16)
  /** Number of an edge + 1, by hash. */
  #table: Int32Array
  #shift: number
  readonly #first = sharedInts(256 + 65536).fill(-1)
  readonly #shorter: Int32Array

  constructor(vocabulary: Vocabulary) {
    const { bytes, offsets } = vocabulary.data
    this.#size = this.#nodes = vocabulary.size
    this.#shorter = sharedInts(vocabulary.size).fill(-1)
    let slots = 1 << 10
    while (slots < 8 * vocabulary.size) slots *= 2
    this.#table = new Int32Array(slots)
    this.#shift = 32 - Math.log2(slots)
    // Short tokens first, so that a prefix that is a token has its node when a longer token needs it.
    for (const id of byLength(vocabulary)) this.#add(id, bytes, offsets[id], offsets[id + 1] - 1)
  }

  #add(id: number, bytes: Uint8Array, start: number, last: number): void {
    let node = this.#first[bytes[start]]
    if (node < 0) this.#first[bytes[start]] = node = start === last ? id : this.#newNode()
    let shorter = node < this.#size && node !== id ? node : -1
    for (let at = start + 1; at <= last; at++) {
      const byte = bytes[at]
      const slot = this.#slot(node, byte)
      const edge = this.#table[slot] - 1
      if (edge < 0) {
        const next = at === last ? id : this.#newNode()
        this.#link(slot, node, byte, next)
        node = next
      } else {
        node = this.#list[2 * edge + 1] >> 8
        if (node < this.#size && node !== id) shorter = node
      }
    }
    this.#shorter[id] = shorter
  }

  #newNode(): number {
    if (this.#nodes === mostNodes)
      throw new InvalidFileError(
        `the tokens of the vocabulary have over ${mostNodes} different beginnings: it is damaged`,
      )
    return this.#nodes++
  }

  /** Where the edge is in the table, or the free slot where it belongs. */
  #slot(node: number, byte: number): number {
    const mask = this.#table.length - 1
    const key = (node << 8) | byte
    let slot = Math.imul(key ^ (key >>> 15), 0x9e3779b1) >>> this.#shift
    for (;;) {
      const edge = this.#table[slot] - 1
      if (edge < 0) return slot
      if (this.#list[2 * edge] === node && (this.#list[2 * edge + 1] & 0xff) === byte) return slot
      slot = (slot + 1) & mask
    }
  }

  #link(slot: number, node: number, byte: number, next: number): void {
    if (2 * this.#edges === this.#list.length) {
      const longer = new Int32Array(2 * this.#list.length)
      longer.set(this.#list)
      this.#list = longer
    }
    this.#list[2 * this.#edges] = node
    this.#list[2 * this.#edges + 1] = (next << 8) | byte
    this.#table[slot] = ++this.#edges
    if (3 * this.#edges < 2 * this.#table.length) return
    this.#table = new Int32Array(2 * this.#table.length)
    this.#shift--
    for (let edge = 0; edge < this.#edges; edge++) {
      const list = this.#list
      this.#table[this.#slot(list[2 * edge], list[2 * edge + 1] & 0xff)] = edge + 1
    }
  }

  finish(): TrieData {
    const list = this.#list
    const counts = new Int32Array(this.#nodes)
    const lowest = new Uint8Array(this.#nodes).fill(255)
    const highest = new Uint8Array(this.#nodes)
    for (let edge = 0; edge < this.#edges; edge++) {
      const node = list[2 * edge]
      const byte = list[2 * edge + 1] & 0xff
      counts[node]++
      if (byte < lowest[node]) lowest[node] = byte
      if (byte > highest[node]) highest[node] = byte
    }
    const index = sharedInts(this.#nodes + 1)
    for (let node = 0; node < this.#nodes; node++) {
      const room = counts[node] > longestList ? highest[node] - lowest[node] + 2 : counts[node]
      index[node + 1] = index[node] + room
    }
    const children = sharedInts(index[this.#nodes]).fill(-1)
    const filled = new Uint8Array(this.#nodes)
    for (let edge = 0; edge < this.#edges; edge++) {
      const node = list[2 * edge]
      const packed = list[2 * edge + 1]
      if (counts[node] <= longestList) children[index[node] + filled[node]++] = packed
      else {
        children[index[node]] = lowest[node]
        children[index[node] + 1 + (packed & 0xff) - lowest[node]] = packed >> 8
      }
    }
    this.#pairFirstBytes()
    return { first: this.#first, index, children, shorter: this.#shorter }
  }

  #pairFirstBytes(): void {
    const first = this.#first
    const byteOfNode = new Map(Array.from(first.subarray(0, 256), (node, byte) => [node, byte] as const))
    byteOfNode.delete(-1)
    for (let edge = 0; edge < this.#edges; edge++) {
      const byte = byteOfNode.get(this.#list[2 * edge])
      const packed = this.#list[2 * edge + 1]
      if (byte !== undefined) first[256 + ((byte << 8) | (packed & 0xff))] = packed >> 8
    }
  }
}

/** Ids of the tokens that are found by their bytes, the shortest first. */
function byLength(vocabulary: Vocabulary): Int32Array {
  const { bytes, offsets } = vocabulary.data
  const view = viewOf(bytes)
  const starts = new Int32Array(vocabulary.longest + 2)
  const lengths = new Int32Array(vocabulary.size)
  for (let id = 0; id < vocabulary.size; id++) {
    if (vocabulary.find(bytes, view, offsets[id], offsets[id + 1]) !== id) continue
    lengths[id] = offsets[id + 1] - offsets[id]
    starts[lengths[id] + 1]++
  }
  for (let length = 1; length < starts.length; length++) starts[length] += starts[length - 1]
  const ids = new Int32Array(starts[starts.length - 1])
  for (let id = 0; id < vocabulary.size; id++) if (lengths[id] > 0) ids[starts[lengths[id]]++] = id
  return ids
}
