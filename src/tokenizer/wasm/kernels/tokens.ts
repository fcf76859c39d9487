// The tables of the tokens: the longest token at a place, and whether two tokens can stand side by side. Written by
// trie.ts and derivations.ts, which say what is in them.
import { isBefore, NEVER } from "./pairs"

/** log2 of the bytes of a token's record, and what is where in it. */
const RECORD_SHIFT = 4
const ID_BITS = 20
const ID_MASK = 0xfffff
const TIME_SHIFT: u64 = 40
const TIME_MASK = 0x3fffff
const LATE_SHIFT: u64 = 62
const PARTNERS_RIGHT = 8
const PARTNERS_LEFT = 12
const UNMADE = 0
const BASE = 1
/** The least value of `time` in a record that stands for a number. */
const FIRST = 2

const BY_LEFT = 1
const BY_RIGHT = 2

const LENGTH_BITS = 11
const LENGTH_MASK = 0x7ff

const TOKEN_MASK = 0x1fffff
const COUNT_SHIFT = 21
const LONGEST_LIST: u32 = 8

let records: usize = 0
let starts: usize = 0
let lateNumbers: usize = 0
let first: usize = 0
let nodes: usize = 0
export function setTables(
  recordsAddress: usize, startsAddress: usize, lateAddress: usize, firstAddress: usize, nodesAddress: usize,
): void {
  records = recordsAddress
  starts = startsAddress
  lateNumbers = lateAddress
  first = firstAddress
  nodes = nodesAddress
}

// @ts-ignore: decorator
@inline function record(token: i32): usize {
  return records + (token << RECORD_SHIFT)
}

// @ts-ignore: decorator
@inline function timeOf(making: u64): i32 {
  return i32(making >>> TIME_SHIFT) & TIME_MASK
}

// @ts-ignore: decorator
@inline export function lengthOf(token: i32): usize {
  return load<u32>(starts + (token << 2)) & LENGTH_MASK
}

/** The longest token that merging makes among those that this one properly starts with, or -1. */
// @ts-ignore: decorator
@inline export function shorterOf(token: i32): i32 {
  return i32(load<u32>(starts + (token << 2)) >>> LENGTH_BITS) - 1
}

// @ts-ignore: decorator
@inline export function isMade(token: i32): bool {
  return timeOf(load<u64>(record(token))) != UNMADE
}

/** Reads of the token's record, so that the processor has it at hand. */
// @ts-ignore: decorator
@inline export function touchRecord(token: i32): u32 {
  return load<u32>(record(token))
}

/** As `touchRecord`, of its two parts. */
// @ts-ignore: decorator
@inline export function touchParts(token: i32): u32 {
  const making = load<u64>(record(token))
  return load<u32>(record(i32(making >>> ID_BITS) & ID_MASK)) | load<u32>(record(i32(making) & ID_MASK))
}

/** The token of a single byte. */
// @ts-ignore: decorator
@inline export function byteToken(byte: u32): i32 {
  return load<i32>(first + (byte << 2))
}

/** Where the token that `longest` returned ends. */
export let longestEnd: usize = 0

/** The longest token at [at, end), which is not empty; every single byte is a token. */
export function longest(at: usize, end: usize): i32 {
  let byte: u32 = load<u8>(at)
  let ref = -1
  if (at + 1 < end) ref = load<i32>(first + 1024 + (((byte << 8) | load<u8>(at, 1)) << 2))
  let token = -1
  let tokenEnd = at + 1
  at += 2
  while (ref >= 0) {
    if (ref & 1) {
      token = ref >> 1
      tokenEnd = at
      break
    }
    let node = nodes + (ref << 1)
    const head = load<u32>(node)
    const own = i32(head & TOKEN_MASK) - 1
    if (own >= 0) {
      token = own
      tokenEnd = at
    }
    if (at == end) break
    const next: u32 = load<u8>(at++)
    const count = head >>> COUNT_SHIFT
    node += 4
    if (count <= LONGEST_LIST) {
      const after = node + (count << 2)
      ref = -1
      while (node < after) {
        const child = load<u32>(node)
        node += 4
        if ((child & 0xff) == next) {
          ref = i32(child >>> 8)
          break
        }
      }
    } else {
      const place = next - load<u32>(node)
      ref = place < count - LONGEST_LIST ? load<i32>(node + (place << 2), 4) : -1
    }
  }
  longestEnd = tokenEnd
  return token < 0 ? byteToken(byte) : token
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
  let makingX = load<u64>(recordX)
  let makingY = load<u64>(recordY)
  let timeX = timeOf(makingX)
  let timeY = timeOf(makingY)
  let limit = NEVER
  while (true) {
    const mayPair =
      (load<u32>(recordX, PARTNERS_RIGHT) >>> partnerBit(y)) & (load<u32>(recordY, PARTNERS_LEFT) >>> partnerBit(x)) & 1
    if (mayPair && isBefore(x, y, limit)) return false
    // Equal times merge from left to right: of x and y, y is the later.
    if (timeX > timeY) {
      // At equal numbers x, which lies left of the border, merges before the border does. Where the left part came
      // late, the border was there all the time until then.
      const late = u32(makingX >>> LATE_SHIFT)
      limit = late == BY_RIGHT ? load<i32>(lateNumbers + (x << 2)) : timeX - FIRST
      x = i32(makingX >>> ID_BITS) & ID_MASK
      recordX = record(x)
      makingX = load<u64>(recordX)
      timeX = timeOf(makingX)
    } else if (timeY > BASE) {
      const late = u32(makingY >>> LATE_SHIFT)
      limit = (late == BY_LEFT ? load<i32>(lateNumbers + (y << 2)) : timeY - FIRST) + 1
      y = i32(makingY) & ID_MASK
      recordY = record(y)
      makingY = load<u64>(recordY)
      timeY = timeOf(makingY)
    } else return true
  }
}
