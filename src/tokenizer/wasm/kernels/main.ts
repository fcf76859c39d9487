// Byte-level BPE over UTF-8 in WebAssembly's memory: an automaton cuts the text into pieces, and each piece is encoded
// from left to right. Knows addresses only; byte-level.ts lays the memory out and builds what is found here.
import { aheadEnd, longestAhead, lookAhead, setAhead } from "./ahead"
import { next, reach, setAutomata, stageCount } from "./scan"
import { canFollow, isMade, lengthOf, shorterOf } from "./tokens"
import { LONGEST_SHORT, mergeEarly, mergeLate, setShort, startBatch, writePiece } from "./short"
import { find, glance, MOST_FOUND, noteLook, touch, UNDECIDED } from "./whole"

export { next } from "./scan"
export { setEarlyPairs, setPairs } from "./pairs"
export { setBytePairs } from "./short"
export { setTables } from "./tokens"
export { setWhole } from "./whole"

/** Merges the piece [start, end) in JavaScript, writes its ids at `out` and returns where they end. */
// @ts-ignore: decorator
@external("host", "merge") declare function hostMerge(start: usize, end: usize, out: usize): usize
/** Refuses a pattern that reads its text again and again. */
// @ts-ignore: decorator
@external("host", "refuse") declare function hostRefuse(): void

/** Longest piece without an ASCII letter in its second byte that is merged literally, measured as LONGEST_SHORT is. */
const SHORT_OTHERS: usize = 8

/** Most pieces that are looked up together. */
const BATCH: u32 = 64

/** Of a piece taken: it is short and has no token; it is long. */
const IS_SHORT = -1
const IS_LONG = -2

/** Where the pieces taken are: for each its end, then its token or one of these; then where each is looked for. */
let batch: usize = 0
let looks: usize = 0
let batchStart: usize = 0
let taken: u32 = 0

let out: usize = 0
let limit: usize = 0
let isLast: bool = false
let wholeTokens: bool = false

/** For every byte of the text: the number of the piece in which no token can begin there. */
let dead: usize = 0
let text: usize = 0
let piece: u32 = 0

/** Takes the stages of the pre-tokenizer, and whether a piece that is a token is that token however it would merge. */
export function setStages(address: usize, count: u32, whole: bool): void {
  setAutomata(address, count)
  wholeTokens = whole
}

/** Where the text begins, where `dead`, all zeros, and 64 KiB for what is at hand. */
export function place(textAddress: usize, deadAddress: usize, scratch: usize): void {
  batch = scratch
  looks = scratch + (BATCH << 3)
  setAhead(looks + (BATCH << 4))
  setShort(looks + (BATCH << 4) + 384, BATCH)
  text = textAddress
  dead = deadAddress
  piece = 0
}

/** Where the last call of `encode` stopped reading. */
export function stopped(): usize {
  return limit
}

/**
 * Writes the ids of the text [start, end) at `target` and returns where they end. Unless the text is the last of its
 * stretch, it stops before the first piece that more text could change.
 */
export function encode(start: usize, end: usize, target: usize, last: bool): usize {
  out = target
  limit = start
  isLast = last
  batchStart = start
  taken = 0
  split(0, start, end)
  encodeBatch()
  return out
}

/** Cuts [start, end) by the stage's pattern; in the first stage `limit` follows. */
function split(stage: u32, start: usize, end: usize): void {
  if (stage == stageCount) {
    take(end)
    return
  }
  // A pattern may have to read on to learn where its match ended. Real ones read every character a few times at
  // most; one that reads the rest of the text for every match would take quadratic time and is refused.
  let rereads: i64 = 64 * i64(end - start) + 4096
  const mayStop = stage == 0 && !isLast
  let at = start
  while (at < end) {
    let after = next(stage, at, end)
    if (after == 0) {
      // What no match covers is a piece of its own.
      rereads -= i64(reach - at)
      after = at
      do {
        after++
        while (after < end && (load<u8>(after) & 0xc0) == 0x80) after++
        if (after == end || next(stage, after, end) != 0) break
        rereads -= i64(reach - after)
        if (rereads < 0) hostRefuse()
      } while (true)
    } else rereads -= i64(reach - after)
    if (rereads < 0) hostRefuse()
    if (mayStop && reach >= end) return
    if (stage + 1 == stageCount) take(after)
    else split(stage + 1, at, after)
    at = after
    if (stage == 0) limit = at
  }
}

/** Takes the piece from the end of the one before to `end`. */
function take(end: usize): void {
  store<usize>(batch + (taken << 3), end)
  if (++taken == BATCH) encodeBatch()
}

/**
 * Encodes the pieces taken. What needs a large table is looked up for all of them before it is used, so that the
 * processor waits for many parts of the table at once.
 */
function encodeBatch(): void {
  let start = batchStart
  for (let i: u32 = 0; i < taken; i++) {
    const end = load<usize>(batch + (i << 3))
    noteLook(looks + (i << 4), start, end)
    start = end
  }
  touch(looks, looks + (taken << 4))
  start = batchStart
  startBatch()
  for (let i: u32 = 0; i < taken; i++) {
    const end = load<usize>(batch + (i << 3))
    let token = glance(looks + (i << 4))
    if (token == UNDECIDED) token = find(start, end)
    if (token < 0) {
      token = isShort(start, end) ? IS_SHORT : IS_LONG
      if (token == IS_SHORT) mergeEarly(start, end)
    }
    store<i32>(batch + (i << 3), token, 4)
    start = end
  }
  mergeLate()
  start = batchStart
  for (let i: u32 = 0; i < taken; i++) {
    const end = load<usize>(batch + (i << 3))
    const token = load<i32>(batch + (i << 3), 4)
    if (token >= 0) {
      store<i32>(out, token)
      out += 4
    } else if (token == IS_SHORT) out = writePiece(out)
    else encodeLong(start, end)
    start = end
  }
  batchStart = start
  taken = 0
}

// @ts-ignore: decorator
@inline function isShort(start: usize, end: usize): bool {
  return end - start <= (load<u8>(start, 1) < 0x80 ? LONGEST_SHORT : SHORT_OTHERS)
}

function encodeLong(start: usize, end: usize): void {
  lookAhead(start, end)
  let token = longestAhead(start, end)
  if (aheadEnd == end && end - start > MOST_FOUND && (wholeTokens || isMade(token))) {
    store<i32>(out, token)
    out += 4
    return
  }
  if (!isMade(token)) token = shorterOf(token)
  if (!leftToRight(start, end, token)) out = hostMerge(start, end, out)
}

/**
 * Takes the longest token; where merging would not leave it next to the token before, takes a shorter one; where none
 * is left, gives the token before up. The one sequence whose neighbours can all stand side by side is what merging ends
 * with (van Antwerpen and Neubeck, "So many tokens, so little time", GitHub 2024). False, with nothing written,
 * where the result has a token whose making is not known.
 */
function leftToRight(start: usize, end: usize, token: i32): bool {
  const floor = out
  let at = start
  let after = start + lengthOf(token)
  let last = -1
  let marked = false
  while (true) {
    if (!(marked && load<u32>(dead + ((after - text) << 2)) == piece) && (last < 0 || canFollow(last, token))) {
      store<i32>(out, token)
      out += 4
      if (after == end) return true
      last = token
      at = after
      token = longestAhead(at, end)
      after = aheadEnd
      if (isMade(token)) continue
    }
    token = shorterOf(token)
    if (token < 0) {
      if (last < 0) {
        out = floor
        return false
      }
      // Nothing fits here: this place is never a border, so the token before must end elsewhere.
      if (!marked) {
        marked = true
        piece++
      }
      store<u32>(dead + ((at - text) << 2), piece)
      out -= 4
      token = last
      at -= lengthOf(token)
      last = out > floor ? load<i32>(out - 4) : -1
    }
    after = at + lengthOf(token)
  }
}
