// Merges short pieces literally, the lowest number first, in two steps for many pieces at once: the early merges of
// each, for which the processor has the table at hand; then the other ones, one of each piece a round, so that what a round
// has to look for all over a large table is looked for at once, and the processor waits for many parts of it together.
import { decide, earlyNumber, glanceEarly, LOOK_SHIFT, mergedBy, NEVER, noteLook, UNSURE } from "./pairs"
import { byteToken } from "./tokens"

/** Longest piece in bytes: places are packed into 5 bits, and one bit of a word is for the end. */
export const LONGEST_SHORT: u32 = 24

const PLACE_BITS = 5
const PLACE_MASK = 31

/** For each place of a piece its symbol; then for each the number of its merge with the next one, above the place. */
let symbols: usize = 0
let merges: usize = 0
/** The number of the merge of every two bytes, if it is early. */
let bytePairs: usize = 0

/** The symbols that early merges left of the pieces taken, one after the other; then the merges of each with the next. */
let left: usize = 0
let numbers: usize = 0
/** Where the symbols of each piece begin and where its last one is; then the addresses of those that may still merge. */
let pieces: usize = 0
let waiting: usize = 0
let looks: usize = 0

let leftEnd: usize = 0
let piecesEnd: usize = 0

/** Takes room for the short pieces of a batch, `most` of them: 588 bytes for each and 256 more. */
export function setShort(address: usize, most: u32): void {
  symbols = address
  merges = address + 128
  left = address + 256
  numbers = left + most * LONGEST_SHORT * 4
  pieces = numbers + most * LONGEST_SHORT * 4
  waiting = pieces + (most << 3)
  looks = waiting + (most << 2)
}

/** Fills the table of pairs of bytes, 4 bytes for each of 65536. */
export function setBytePairs(address: usize): void {
  bytePairs = address
  for (let pair = 0; pair < 65536; pair++)
    store<i32>(address + (pair << 2), earlyNumber(byteToken(pair >> 8), byteToken(pair & 0xff)))
}

export function startBatch(): void {
  leftEnd = left
  piecesEnd = pieces
}

/** Notes the early merge of a place with the next one; none where there is none. */
// @ts-ignore: decorator
@inline function rate(place: i32, next: i32, isNone: bool): void {
  const symbol = load<i32>(symbols + (place << 2))
  const other = load<i32>(symbols + (next << 2))
  let number = glanceEarly(symbol, other)
  if (number == UNSURE) number = earlyNumber(symbol, other)
  store<i32>(merges + (place << 2), select<i32>(NEVER, (number << PLACE_BITS) | place, u32(number == NEVER) | u32(isNone)))
}

/** The least of the first `count` merges; behind them are NEVERs. */
// @ts-ignore: decorator
@inline function least(count: i32): i32 {
  let all = i32x4.min_s(v128.load(merges), v128.load(merges, 16))
  if (count > 8) all = i32x4.min_s(all, i32x4.min_s(v128.load(merges, 32), v128.load(merges, 48)))
  if (count > 16) all = i32x4.min_s(all, i32x4.min_s(v128.load(merges, 64), v128.load(merges, 80)))
  all = i32x4.min_s(all, v128.shuffle<i32>(all, all, 2, 3, 0, 1))
  return i32x4.extract_lane(i32x4.min_s(all, v128.shuffle<i32>(all, all, 1, 0, 3, 2)), 0)
}

/** Takes the piece [start, end), 2 to LONGEST_SHORT bytes, and does its early merges. */
export function mergeEarly(start: usize, end: usize): void {
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
  const none = i32x4.splat(NEVER)
  v128.store(merges + ((count - 1) << 2), none)
  v128.store(merges + ((count - 1) << 2), none, 16)
  // A bit for every place that still begins a symbol.
  let live: u32 = (1 << count) - 1
  while (true) {
    const best = least(count - 1)
    if (best == NEVER) break
    const place = best & PLACE_MASK
    store<i32>(symbols + (place << 2), mergedBy(best >> PLACE_BITS))
    const beyond: u32 = live & (u32(-2) << place)
    store<i32>(merges + (i32(ctz(beyond)) << 2), NEVER)
    const after = beyond & (beyond - 1)
    live ^= beyond ^ after
    const before: u32 = live & ((1 << place) - 1)
    // Where there is no neighbour, a place is looked at that no piece has.
    rate(place, i32(ctz(after)) & PLACE_MASK, after == 0)
    rate((31 - i32(clz(before))) & PLACE_MASK, place, before == 0)
  }
  store<usize>(piecesEnd, leftEnd)
  for (let rest = live; rest != 0; rest &= rest - 1) {
    store<i32>(leftEnd, load<i32>(symbols + (i32(ctz(rest)) << 2)))
    leftEnd += 4
  }
  store<usize>(piecesEnd, leftEnd - 4, 4)
  piecesEnd += 8
}

/** Does the other merges of all pieces taken. */
export function mergeLate(): void {
  const apart = numbers - left
  let noted = looks
  let waitingEnd = waiting
  for (let piece = pieces; piece < piecesEnd; piece += 8) {
    const first = load<usize>(piece)
    const last = load<usize>(piece, 4)
    for (let at = first; at < last; at += 4) noted = noteLook(noted, load<i32>(at), load<i32>(at, 4), at + apart)
    store<usize>(waitingEnd, piece)
    waitingEnd += first < last ? 4 : 0
  }
  while (true) {
    decide(looks, noted)
    noted = looks
    const end = waitingEnd
    waitingEnd = waiting
    for (let at = waiting; at < end; at += 4) {
      const piece = load<usize>(at)
      const first = load<usize>(piece)
      let last = load<usize>(piece, 4)
      let best = NEVER
      let place = first
      for (let at = first; at < last; at += 4) {
        const number = load<i32>(at + apart)
        place = select<usize>(at, place, number < best)
        best = select<i32>(number, best, number < best)
      }
      if (best == NEVER) continue
      store<i32>(place, mergedBy(best))
      for (let at = place + 4; at < last; at += 4) {
        store<i32>(at, load<i32>(at, 4))
        store<i32>(at + apart, load<i32>(at + apart, 4))
      }
      last -= 4
      store<usize>(piece, last, 4)
      if (place < last) noted = noteLook(noted, load<i32>(place), load<i32>(place, 4), place + apart)
      if (place > first) noted = noteLook(noted, load<i32>(place - 4), load<i32>(place), place - 4 + apart)
      store<usize>(waitingEnd, piece)
      waitingEnd += first < last ? 4 : 0
    }
    if (waitingEnd == waiting) break
  }
  piecesEnd = pieces
}

/** Writes the tokens of the next piece that was taken at `out` and returns where they end. */
export function writePiece(out: usize): usize {
  const last = load<usize>(piecesEnd, 4)
  for (let at = load<usize>(piecesEnd); at <= last; at += 4) {
    store<i32>(out, load<i32>(at))
    out += 4
  }
  piecesEnd += 8
  return out
}
