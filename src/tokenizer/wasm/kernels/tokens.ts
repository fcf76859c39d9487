// The tables of the tokens: the longest token at a place, and whether two tokens can stand side by side. Written by
// trie.ts, derivations.ts and pair-table.ts, which say what is in them.

/** log2 of the bytes of a token's record, and where its words are. */
const RECORD_SHIFT = 5
const LEFT = 4
const RIGHT = 8
const LAST = 12
const PARTNERS_RIGHT = 16
const PARTNERS_LEFT = 20
const SHORTER = 24
const LENGTH = 28
const UNMADE = -2
const BASE = -1

const BY_LEFT = 1
const BY_RIGHT = 2
const NEVER = 0x7fffffff

const TOKEN_MASK = 0x1fffff
const COUNT_SHIFT = 21
const LONGEST_LIST: u32 = 8

let records: usize = 0
let first: usize = 0
let nodes: usize = 0
let filter: usize = 0
let filterMask: u32 = 0
let pairs: usize = 0
let pairMask: u32 = 0
let pairShift: u32 = 0

export function setTables(
  recordsAddress: usize, firstAddress: usize, nodesAddress: usize, filterAddress: usize, filterBits: u32,
  pairsAddress: usize, pairsMask: u32, shift: u32,
): void {
  records = recordsAddress
  first = firstAddress
  nodes = nodesAddress
  filter = filterAddress
  filterMask = filterBits
  pairs = pairsAddress
  pairMask = pairsMask
  pairShift = shift
}

// @ts-ignore: decorator
@inline function record(token: i32): usize {
  return records + (token << RECORD_SHIFT)
}

// @ts-ignore: decorator
@inline export function lengthOf(token: i32): usize {
  return load<u32>(record(token), LENGTH)
}

/** The longest token that merging makes among those that this one properly starts with, or -1. */
// @ts-ignore: decorator
@inline export function shorterOf(token: i32): i32 {
  return load<i32>(record(token), SHORTER)
}

// @ts-ignore: decorator
@inline export function isMade(token: i32): bool {
  return load<i32>(record(token)) != UNMADE
}

/** The longest token at [at, end), which is not empty; every single byte is a token. */
export function longest(at: usize, end: usize): i32 {
  let byte: u32 = load<u8>(at)
  let token = load<i32>(first + (byte << 2))
  at += 2
  if (at > end) return token
  let ref = load<i32>(first + 1024 + (((byte << 8) | load<u8>(at - 1)) << 2))
  if (ref < 0) return token
  while ((ref & 1) == 0) {
    let node = nodes + (ref << 1)
    const head = load<u32>(node)
    const own = i32(head & TOKEN_MASK) - 1
    if (own >= 0) token = own
    if (at == end) return token
    byte = load<u8>(at++)
    const count = head >>> COUNT_SHIFT
    node += 4
    if (count <= LONGEST_LIST) {
      const after = node + (count << 2)
      let child: u32 = 0
      while (node < after) {
        child = load<u32>(node)
        if ((child & 0xff) == byte) break
        node += 4
      }
      if (node == after) return token
      ref = child >>> 8
    } else {
      const place = byte - load<u32>(node)
      if (place >= count - LONGEST_LIST) return token
      ref = load<i32>(node + (place << 2), 4)
      if (ref < 0) return token
    }
  }
  return ref >> 1
}

// @ts-ignore: decorator
@inline function partnerBit(token: i32): u32 {
  return u32(token * 0x9e3779b1) >>> 27
}

/**
 * Whether the bytes of x and y together merge into x and y, and not across their border: takes the merges of both
 * back, the latest first, and looks at each step whether a merge across the border would have come before.
 */
export function canFollow(x: i32, y: i32): bool {
  let recordX = record(x)
  let recordY = record(y)
  let timeX = load<i32>(recordX)
  let timeY = load<i32>(recordY)
  let limit = NEVER
  while (true) {
    const mayPair = (load<u32>(recordX, PARTNERS_RIGHT) >>> partnerBit(y)) & (load<u32>(recordY, PARTNERS_LEFT) >>> partnerBit(x)) & 1
    if (mayPair && rankOf(x, y) < limit) return false
    // Equal times merge from left to right: of x and y, y is the later.
    if (timeX > timeY) {
      // At equal ranks x, which lies left of the border, merges before the border does. Where the left part came
      // late, the border was there all the time until then.
      const last = load<i32>(recordX, LAST)
      limit = (last & 3) == BY_LEFT ? timeX : last >> 2
      x = load<i32>(recordX, RIGHT)
      recordX = record(x)
      timeX = load<i32>(recordX)
    } else if (timeY > BASE) {
      const last = load<i32>(recordY, LAST)
      limit = ((last & 3) == BY_RIGHT ? timeY : last >> 2) + 1
      y = load<i32>(recordY, LEFT)
      recordY = record(y)
      timeY = load<i32>(recordY)
    } else return true
  }
}

/** The rank of the pair; that of a pair that never merges is above all others. */
function rankOf(left: i32, right: i32): i32 {
  let h: u32 = left * 0x9e3779b1 ^ right * 0x85ebca6b
  h = (h ^ (h >>> 15)) * 0xc2b2ae35
  if (((load<u32>(filter + (((h >>> 5) & filterMask) << 2)) >>> (h & 31)) & 1) == 0) return NEVER
  let slot = (h >>> pairShift) << 4
  while (true) {
    const key = load<i32>(pairs + slot) - 1
    if (key == left && load<i32>(pairs + slot, 4) == right) return load<i32>(pairs + slot, 8)
    if (key < 0) return NEVER
    slot = (slot + 16) & pairMask
  }
}
