// Which pairs of tokens merge, and how early: two hash tables of pair-table.ts, of which the smaller has the merges
// that come first and stays in the processor's cache.

let earlySlots: usize = 0
let earlyMask: u32 = 0
let earlyShift: u32 = 0
let early: i32 = 0
let earlyFilter: usize = 0
let earlyFilterMask: u32 = 0
let allSlots: usize = 0
let allMask: u32 = 0
let allShift: u32 = 0
let filter: usize = 0
let filterMask: u32 = 0
let merged: usize = 0

/** Takes the table of the merges with numbers below `bound`: address and number of its slots, words of its filter. */
export function setEarlyPairs(address: usize, count: u32, filterAddress: usize, filterWords: u32, bound: i32): void {
  earlySlots = address
  earlyMask = (count - 1) << 3
  earlyShift = clz(count) + 1
  earlyFilter = filterAddress
  earlyFilterMask = filterWords - 1
  early = bound
}

/** Takes the table of all merges, and the token that each makes; 0 where that is its number. */
export function setPairs(address: usize, count: u32, filterAddress: usize, filterWords: u32, made: usize): void {
  allSlots = address
  allMask = (count - 1) << 3
  allShift = clz(count) + 1
  filter = filterAddress
  filterMask = filterWords - 1
  merged = made
}

/** The number of a pair that never merges: above all others. */
export const NEVER = 0x7fffffff

// @ts-ignore: decorator
@inline function hash(left: i32, right: i32): u32 {
  const h: u32 = left * 0x9e3779b1 ^ right * 0x85ebca6b
  return (h ^ (h >>> 15)) * 0xc2b2ae35
}

/** What a slot has of the pair. */
// @ts-ignore: decorator
@inline function keyOf(left: i32, right: i32): u64 {
  return (u64(right & 0xff) << 56) | u64(u32((left << 12) | (right >> 8)))
}

function look(
  filter: usize, filterMask: u32, slots: usize, mask: u32, shift: u32, left: i32, right: i32,
): i32 {
  const h = hash(left, right)
  if (((load<u32>(filter + (((h >>> 5) & filterMask) << 2)) >>> (h & 31)) & 1) == 0) return NEVER
  let slot = (h >>> shift) << 3
  const key = keyOf(left, right)
  while (true) {
    const held = load<u64>(slots + slot)
    const number = i32(held >>> 32) & 0xffffff
    if (number == 0) return NEVER
    if ((held & 0xff000000ffffffff) == key) return number - 1
    slot = (slot + 8) & mask
  }
}

/** The number of the pair's merge if it is early. */
export function earlyNumber(left: i32, right: i32): i32 {
  return look(earlyFilter, earlyFilterMask, earlySlots, earlyMask, earlyShift, left, right)
}

/** The number of the pair's merge. */
export function anyNumber(left: i32, right: i32): i32 {
  return look(filter, filterMask, allSlots, allMask, allShift, left, right)
}

/** What `glanceEarly` says where another pair has the place of this one. */
export const UNSURE = -1

/** As `earlyNumber`, after one look at the table, without a branch. */
// @ts-ignore: decorator
@inline export function glanceEarly(left: i32, right: i32): i32 {
  const h = hash(left, right)
  const mayBe = (load<u32>(earlyFilter + (((h >>> 5) & earlyFilterMask) << 2)) >>> (h & 31)) & 1
  // Pairs that are none all look at the same place.
  const held = load<u64>(earlySlots + (((h >>> earlyShift) << 3) & (0 - mayBe)))
  const number = i32(held >>> 32) & 0xffffff
  const isIt = u32((held & 0xff000000ffffffff) == keyOf(left, right)) & u32(number != 0)
  return select<i32>(number - 1, select<i32>(UNSURE, NEVER, mayBe & u32(number != 0)), isIt & mayBe)
}

/** log2 of the bytes of a noted look: its key, where to look first, where the number goes. */
export const LOOK_SHIFT = 4

/** Notes at `at` that the number of the pair's merge shall be stored at `target`, unless it surely has none; returns where the next note goes. */
// @ts-ignore: decorator
@inline export function noteLook(at: usize, left: i32, right: i32, target: usize): usize {
  const h = hash(left, right)
  store<u64>(at, keyOf(left, right))
  store<usize>(at, allSlots + ((h >>> allShift) << 3), 8)
  store<usize>(at, target, 12)
  store<i32>(target, NEVER)
  return at + (((load<u32>(filter + (((h >>> 5) & filterMask) << 2)) >>> (h & 31)) & 1) << LOOK_SHIFT)
}

let touched: u64 = 0

/** Stores the numbers of the pairs noted from `from` to `to`. */
export function decide(from: usize, to: usize): void {
  // So short a loop has the processor wait for many parts of the table at once.
  let all: u64 = 0
  for (let at = from; at < to; at += 1 << LOOK_SHIFT) all |= load<u64>(load<usize>(at, 8))
  touched = all
  for (let at = from; at < to; at += 1 << LOOK_SHIFT) {
    const key = load<u64>(at)
    let slot = load<usize>(at, 8) - allSlots
    while (true) {
      const held = load<u64>(allSlots + slot)
      const number = i32(held >>> 32) & 0xffffff
      if (number == 0) break
      if ((held & 0xff000000ffffffff) == key) {
        store<i32>(load<usize>(at, 12), number - 1)
        break
      }
      slot = (slot + 8) & allMask
    }
  }
}

/** Whether the pair has a merge whose number is below `limit`. */
// @ts-ignore: decorator
@inline export function isBefore(left: i32, right: i32, limit: i32): bool {
  return (limit > early ? anyNumber(left, right) : earlyNumber(left, right)) < limit
}

/** The token that a merge makes. */
// @ts-ignore: decorator
@inline export function mergedBy(number: i32): i32 {
  return merged == 0 ? number : load<i32>(merged + (number << 2))
}
