// Merges short pieces literally, the lowest number first. For words of some bytes this is faster than looking at them
// from left to right, because it needs little beyond the table of early merges, which the processor has at hand.
import { anyNumber, earlyNumber, mergedBy, NEVER } from "./pairs"
import { byteToken } from "./tokens"

/** Longest piece in bytes: places are packed into 5 bits, and one bit of a word is for the end. */
export const LONGEST_SHORT: usize = 24

const PLACE_BITS = 5
const PLACE_MASK = 31

/** For each place its symbol; then for each the number of its merge with the next one, above the place. */
let symbols: usize = 0
let merges: usize = 0
/** The number of the merge of every two bytes, if it is early. */
let bytePairs: usize = 0

export function setShort(address: usize): void {
  symbols = address
  merges = address + 128
}

/** Fills the table of pairs of bytes, 4 bytes for each of 65536. */
export function setBytePairs(address: usize): void {
  bytePairs = address
  for (let pair = 0; pair < 65536; pair++)
    store<i32>(address + (pair << 2), earlyNumber(byteToken(pair >> 8), byteToken(pair & 0xff)))
}

function rate(place: i32, next: i32, isEarly: bool): void {
  const left = load<i32>(symbols + (place << 2))
  const right = load<i32>(symbols + (next << 2))
  const number = isEarly ? earlyNumber(left, right) : anyNumber(left, right)
  store<i32>(merges + (place << 2), number == NEVER ? NEVER : (number << PLACE_BITS) | place)
}

/** Writes the tokens of [start, end), 2 to LONGEST_SHORT bytes, at `out` and returns where they end. */
export function mergeShort(start: usize, end: usize, out: usize): usize {
  const count = i32(end - start)
  let byte: u32 = load<u8>(start)
  store<i32>(symbols, byteToken(byte))
  for (let i = 1; i < count; i++) {
    const next: u32 = load<u8>(start + i)
    store<i32>(symbols + (i << 2), byteToken(next))
    const number = load<i32>(bytePairs + (((byte << 8) | next) << 2))
    store<i32>(merges + ((i - 1) << 2), number == NEVER ? NEVER : (number << PLACE_BITS) | (i - 1))
    byte = next
  }
  // A bit for every place that still begins a symbol.
  let live: u32 = (1 << count) - 1
  // As long as an early merge is left, it is the next one, whatever the others are.
  let isEarly = true
  const last = merges + ((count - 1) << 2)
  while (true) {
    let best = NEVER
    for (let at = merges; at < last; at += 4) {
      const merge = load<i32>(at)
      best = select<i32>(merge, best, merge < best)
    }
    if (best == NEVER) {
      if (!isEarly) break
      isEarly = false
      let place = 0
      for (let rest = live & (live - 1); rest != 0; rest &= rest - 1) {
        const next = i32(ctz(rest))
        rate(place, next, false)
        place = next
      }
      continue
    }
    const place = best & PLACE_MASK
    store<i32>(symbols + (place << 2), mergedBy(best >> PLACE_BITS))
    const beyond: u32 = live & (u32(-2) << place)
    store<i32>(merges + (i32(ctz(beyond)) << 2), NEVER)
    const after = beyond & (beyond - 1)
    live ^= beyond ^ after
    if (after != 0) rate(place, i32(ctz(after)), isEarly)
    else store<i32>(merges + (place << 2), NEVER)
    const before: u32 = live & ((1 << place) - 1)
    if (before != 0) rate(31 - i32(clz(before)), place, isEarly)
  }
  for (let rest = live; rest != 0; rest &= rest - 1) {
    store<i32>(out, load<i32>(symbols + (i32(ctz(rest)) << 2)))
    out += 4
  }
  return out
}
