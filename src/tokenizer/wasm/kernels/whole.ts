// Short pieces that are tokens, by the hash table of vocabulary.ts.

import { longest, longestEnd } from "./tokens"

/** Longest piece in bytes that is looked for. */
export const MOST_FOUND: u32 = 24
/** What `glance` says where another token has the place of the piece, or only the hashes of the piece are there. */
export const UNDECIDED = -2

let slots: usize = 0
let mask: u32 = 0
let shift: u32 = 0

/** Address and number of the slots, a power of two. */
export function setWhole(address: usize, count: u32): void {
  slots = address
  mask = (count - 1) << 4
  shift = clz(count) + 1
}

/** The first bytes of the piece as a number, at most eight, the others zero. */
// @ts-ignore: decorator
@inline function bytesOf(start: usize, length: u32): u64 {
  return load<u64>(start) & (length < 8 ? (u64(1) << (length << 3)) - 1 : -1)
}

/** What the table has for the piece: its bytes, or two hashes of a longer one. */
// @ts-ignore: decorator
@inline function keyOf(start: usize, length: u32): u64 {
  if (length <= 8) return bytesOf(start, length)
  let low: u32 = length
  let high: u32 = ~length
  for (let i: u32 = 0; i < length; i += 8) {
    const word = bytesOf(start + i, length - i)
    low = (rotl(low, 13) ^ u32(word)) * 0x9e3779b1
    if (length - i > 4) high = (rotl(high, 11) ^ u32(word >>> 32)) * 0x85ebca6b
  }
  return (u64(high) << 32) | u64(low)
}

// @ts-ignore: decorator
@inline function slotOf(key: u64, length: u32): u32 {
  const low = u32(key)
  const high = u32(key >>> 32)
  const h: u32 = ((low ^ (low >>> 15) ^ length) * 0x9e3779b1) ^ ((high ^ (high >>> 13)) * 0x85ebca6b)
  return (((h ^ (h >>> 15)) * 0xc2b2ae35) >>> shift) << 4
}

/**
 * Notes at `at`, in 16 bytes, where the piece [start, end) is looked for first and by which key. A piece that is too long
 * gets a place all the same.
 */
// @ts-ignore: decorator
@inline export function noteLook(at: usize, start: usize, end: usize): void {
  const length = u32(end - start)
  const key = length > MOST_FOUND ? 0 : keyOf(start, length)
  store<u32>(at, slots + slotOf(key, length))
  store<u32>(at, length, 4)
  store<u64>(at, key, 8)
}

let touched: u64 = 0

/** Has the processor fetch what the looks noted from `from` to `to` need, many at once. */
// @ts-ignore: decorator
@inline export function touch(from: usize, to: usize): void {
  let all: u64 = 0
  for (let at = from; at < to; at += 16) all |= load<u64>(load<usize>(at))
  touched = all
}

/** What the table says of the piece noted at `at`: its token, -1 where there is none or the piece is too long, or UNDECIDED. */
// @ts-ignore: decorator
@inline export function glance(at: usize): i32 {
  const slot = load<u32>(at)
  const length = load<u32>(at, 4)
  const held = load<u64>(slot, 8)
  const token = i32(held) - 1
  const isSure = u32(load<u64>(slot) == load<u64>(at, 8)) & u32(u32(held >>> 32) == length) & u32(length <= 8)
  return select<i32>(token, select<i32>(UNDECIDED, -1, length <= u32(MOST_FOUND)), isSure | u32(token < 0))
}

/** The token that is [start, end), of at most MOST_FOUND bytes, or -1. */
export function find(start: usize, end: usize): i32 {
  const length = end - start
  const key = keyOf(start, length)
  let slot = slotOf(key, length)
  while (true) {
    const held = load<u64>(slots + slot, 8)
    const token = i32(held) - 1
    if (token < 0) return -1
    if (load<u64>(slots + slot) == key && u32(held >>> 32) == length) {
      if (length <= 8 || (longest(start, end) == token && longestEnd == end)) return token
    }
    slot = (slot + 16) & mask
  }
}
