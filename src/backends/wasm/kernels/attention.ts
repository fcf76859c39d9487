// attention over pages: a unit is a few tokens of one sequence and one kv head, so that the query heads of a group
// and the tokens share each load of keys and values. Every query row runs its own online softmax (Milakov &
// Gimelshein 2018; Dao et al. 2022) over stretches of slots counted from slot 0, the same whatever else is in the
// tile: slots that a row may not see enter as probability 0.
import { ATTENTION_PART, ATTENTION_SLOTS } from "../opcodes"
import { address, arg, real, scratch } from "./command"
import { halfMask } from "./constants"
import { eights, headBytes } from "./cache"
import { HALF_SCALE, exp4, highHalves, lowHalves, madd, max4, sum4 } from "./math"

/** 2^100 and 2^12: queries of up to 2^27 keep their products with scaled halves in range. */
const QUERY_SCALE: f32 = 1.2676506002282294e30
const SCORE_SCALE: f32 = 4096

/**
 * Slots from `start` on that are handled together: as many whole pages as fit, so that a row's softmax and sums are
 * touched seldom. Pages that do not fill whole blocks of eight slots, or are larger, go in parts.
 */
@inline function stretchAt(start: i32, pageTokens: i32): i32 {
  if ((pageTokens & 7) == 0 && pageTokens <= ATTENTION_SLOTS) return (ATTENTION_SLOTS / pageTokens) * pageTokens
  return min(ATTENTION_PART, pageTokens - (start % pageTokens))
}

/**
 * Operands: query, out, tiles, pages of the layer, kv heads, heads of a group, head width, page tokens, bytes of an
 * element, bytes of a page, 1 / sqrt(E). A tile: first row, rows, page table, visible slots of its first row.
 * Scratch: queries [rows][E], sums [rows][E], scores [rows][slots], per row maximum | total | correction, then
 * keys or values of a part of the stretch as floats. Unit: tile x kv head.
 */
export function attentionUnit(command: usize, unit: i32): void {
  const kvHeads = arg(command, 4)
  const group = arg(command, 5)
  const width = arg(command, 6)
  const pageTokens = arg(command, 7)
  const element = arg(command, 8)
  const padded = <usize>eights(width)
  const tile = address(command, 2) + <usize>(unit / kvHeads) * 16
  const kvHead = unit % kvHeads
  const firstRow = load<i32>(tile)
  const tokens = load<i32>(tile, 4)
  const table: usize = load<u32>(tile, 8)
  const visible = load<i32>(tile, 12)
  const rows = tokens * group
  const queryStride = <usize>(kvHeads * group * width) * 4

  const lineBytes = padded * 4
  const queries = scratch
  const sums = queries + <usize>rows * lineBytes
  const scores = sums + <usize>rows * lineBytes
  const state = scores + <usize>rows * ATTENTION_SLOTS * 4
  const part = state + ((<usize>rows * 12 + 63) & ~63)

  const factor: f32 = real(command, 10) * (element == 2 ? QUERY_SCALE : 1)
  memory.fill(queries, 0, 2 * <usize>rows * lineBytes)
  for (let r = 0; r < rows; r++) {
    const source =
      address(command, 0) + <usize>(firstRow + r / group) * queryStride + <usize>((kvHead * group + (r % group)) * width) * 4
    for (let e: usize = 0; e < <usize>width; e++) {
      store<f32>(queries + <usize>r * lineBytes + e * 4, load<f32>(source + e * 4) * factor)
    }
    store<f32>(state + <usize>r * 12, -Infinity)
    store<f32>(state + <usize>r * 12, 0, 4)
  }

  const last = visible + tokens - 1
  const bytes = headBytes(pageTokens, width, element)
  const pages = address(command, 3) + <usize>kvHead * 2 * bytes
  const pageBytes = <usize>arg(command, 9)
  // Few rows read halves as they are; more of them share floats made once.
  const direct = element == 2 && rows <= 4
  for (let start = 0; start < last; ) {
    const end = min(last, start + stretchAt(start, pageTokens))
    for (let slot = start; slot < end; ) {
      const at = slot % pageTokens
      const count = min(min(ATTENTION_PART, pageTokens - at), end - slot)
      const blocks = (count + 7) >> 3
      const page = pages + <usize>load<i32>(table + <usize>(slot / pageTokens) * 4) * pageBytes
      let source = page + <usize>(at >> 3) * padded * 8 * element
      const target = scores + <usize>(slot - start) * 4
      if (direct) scoreRows<u16>(0, rows, queries, padded, source, blocks, target)
      else {
        if (element == 2) {
          toFloats(source, part, <usize>blocks * padded)
          source = part
        }
        for (let r = 0; r < rows; r += 4) scoreRows<f32>(r, rows, queries, padded, source, blocks, target)
      }
      slot += count
    }
    const blocks = (end - start + 7) >> 3
    for (let r = 0; r < rows; r++) {
      const seen = min(visible + r / group, end) - start
      softmaxRow(scores + <usize>r * ATTENTION_SLOTS * 4, blocks, seen, element, state + <usize>r * 12)
    }
    for (let slot = start; slot < end; ) {
      const at = slot % pageTokens
      const count = min(min(ATTENTION_PART, pageTokens - at), end - slot)
      const values = pages + <usize>load<i32>(table + <usize>(slot / pageTokens) * 4) * pageBytes + bytes
      const column = scores + <usize>(slot - start) * 4
      const first = slot == start
      for (let block: usize = 0; block < padded; block += 8) {
        let source = values + (block * <usize>eights(pageTokens) + <usize>at * 8) * element
        const target = sums + block * 4
        if (direct) mixRows<u16>(0, rows, target, lineBytes, source, count, column, state, first)
        else {
          if (element == 2) {
            toFloats(source, part, count)
            source = part
          }
          for (let r = 0; r < rows; r += 4) mixRows<f32>(r, rows, target, lineBytes, source, count, column, state, first)
        }
      }
      slot += count
    }
    start = end
  }

  // Probabilities carry 2^112 where the values are halves, and so does their total: it cancels in neither.
  for (let r = 0; r < rows; r++) {
    const target =
      address(command, 1) + <usize>(firstRow + r / group) * queryStride + <usize>((kvHead * group + (r % group)) * width) * 4
    const total = load<f32>(state + <usize>r * 12, 4)
    for (let e: usize = 0; e < <usize>width; e++) {
      store<f32>(target + e * 4, load<f32>(sums + <usize>r * lineBytes + e * 4) / total)
    }
  }
}

/** `vectors` times eight halves become eight floats, times 2^-112. */
function toFloats(source: usize, target: usize, vectors: usize): void {
  const mask = halfMask()
  for (let i: usize = 0; i < vectors; i++) {
    const packed = v128.load(source)
    v128.store(target, lowHalves(packed, mask))
    v128.store(target, highHalves(packed, mask), 16)
    source += 16
    target += 32
  }
}

/** Scores of rows r..r+3 (the last one repeated past the end) with `blocks` times eight slots; keys are T. */
function scoreRows<T>(r: i32, rows: i32, queries: usize, width: usize, keys: usize, blocks: i32, scores: usize): void {
  const mask = halfMask()
  const r0 = <usize>r
  const r1 = <usize>min(r + 1, rows - 1)
  const r2 = <usize>min(r + 2, rows - 1)
  const r3 = <usize>min(r + 3, rows - 1)
  for (let block = 0; block < blocks; block++) {
    let q0 = queries + r0 * width * 4
    let q1 = queries + r1 * width * 4
    let q2 = queries + r2 * width * 4
    let q3 = queries + r3 * width * 4
    let a00: v128 = f32x4.splat(0)
    let a01 = a00
    let a10 = a00
    let a11 = a00
    let a20 = a00
    let a21 = a00
    let a30 = a00
    let a31 = a00
    for (let e: usize = 0; e < width; e++) {
      const packed = v128.load(keys)
      const k0 = sizeof<T>() == 2 ? lowHalves(packed, mask) : packed
      const k1 = sizeof<T>() == 2 ? highHalves(packed, mask) : v128.load(keys, 16)
      let q = v128.load32_splat(q0)
      a00 = madd(q, k0, a00)
      a01 = madd(q, k1, a01)
      q = v128.load32_splat(q1)
      a10 = madd(q, k0, a10)
      a11 = madd(q, k1, a11)
      q = v128.load32_splat(q2)
      a20 = madd(q, k0, a20)
      a21 = madd(q, k1, a21)
      q = v128.load32_splat(q3)
      a30 = madd(q, k0, a30)
      a31 = madd(q, k1, a31)
      keys += 8 * sizeof<T>()
      q0 += 4
      q1 += 4
      q2 += 4
      q3 += 4
    }
    const at = scores + <usize>block * 32
    const y0 = at + r0 * ATTENTION_SLOTS * 4
    const y1 = at + r1 * ATTENTION_SLOTS * 4
    const y2 = at + r2 * ATTENTION_SLOTS * 4
    const y3 = at + r3 * ATTENTION_SLOTS * 4
    v128.store(y0, a00)
    v128.store(y0, a01, 16)
    v128.store(y1, a10)
    v128.store(y1, a11, 16)
    v128.store(y2, a20)
    v128.store(y2, a21, 16)
    v128.store(y3, a30)
    v128.store(y3, a31, 16)
  }
}

/**
 * Scores of one row become probabilities relative to its running maximum; slots from `seen` on become 0. `state`
 * holds maximum, total, and the factor by which earlier sums shrink.
 */
function softmaxRow(scores: usize, blocks: i32, seen: i32, element: i32, state: usize): void {
  const end = <usize>blocks * 32
  const lowest = f32x4.splat(-Infinity)
  const scale = f32x4.splat(element == 2 ? SCORE_SCALE : 1)
  const limit = i32x4.splat(seen)
  let index = i32x4(0, 1, 2, 3)
  let largest = f32x4.splat(load<f32>(state))
  for (let i: usize = 0; i < end; i += 16) {
    const visible = i32x4.lt_s(index, limit)
    const score = v128.bitselect(f32x4.mul(v128.load(scores + i), scale), lowest, visible)
    v128.store(scores + i, score)
    largest = f32x4.pmax(largest, score)
    index = i32x4.add(index, i32x4.splat(4))
  }
  const maximum = max4(largest)
  const before = load<f32>(state)
  const shrink: f32 = before == -Infinity ? 0 : f32x4.extract_lane(exp4(f32x4.splat(before - maximum)), 0)
  const base = f32x4.splat(maximum)
  const weight = f32x4.splat(element == 2 ? HALF_SCALE : 1)
  let total: v128 = f32x4.splat(0)
  for (let i: usize = 0; i < end; i += 16) {
    const score = v128.load(scores + i)
    const probability = v128.and(exp4(f32x4.sub(score, base)), f32x4.gt(score, lowest))
    total = f32x4.add(total, probability)
    v128.store(scores + i, f32x4.mul(probability, weight))
  }
  store<f32>(state, maximum)
  store<f32>(state, load<f32>(state, 4) * shrink + sum4(total), 4)
  store<f32>(state, shrink, 8)
}

/**
 * Eight columns of the sums of rows r..r+3: shrunk if this is the first part of the stretch, then the part's values
 * added, slots ascending; values are T.
 */
function mixRows<T>(
  r: i32, rows: i32, sums: usize, line: usize, values: usize, count: i32, scores: usize, state: usize, first: bool,
): void {
  const mask = halfMask()
  const r0 = <usize>r
  const r1 = <usize>min(r + 1, rows - 1)
  const r2 = <usize>min(r + 2, rows - 1)
  const r3 = <usize>min(r + 3, rows - 1)
  const y0 = sums + r0 * line
  const y1 = sums + r1 * line
  const y2 = sums + r2 * line
  const y3 = sums + r3 * line
  let shrink = first ? v128.load32_splat(state + r0 * 12, 8) : f32x4.splat(1)
  let a00 = f32x4.mul(v128.load(y0), shrink)
  let a01 = f32x4.mul(v128.load(y0, 16), shrink)
  shrink = first ? v128.load32_splat(state + r1 * 12, 8) : f32x4.splat(1)
  let a10 = f32x4.mul(v128.load(y1), shrink)
  let a11 = f32x4.mul(v128.load(y1, 16), shrink)
  shrink = first ? v128.load32_splat(state + r2 * 12, 8) : f32x4.splat(1)
  let a20 = f32x4.mul(v128.load(y2), shrink)
  let a21 = f32x4.mul(v128.load(y2, 16), shrink)
  shrink = first ? v128.load32_splat(state + r3 * 12, 8) : f32x4.splat(1)
  let a30 = f32x4.mul(v128.load(y3), shrink)
  let a31 = f32x4.mul(v128.load(y3, 16), shrink)
  let p0 = scores + r0 * ATTENTION_SLOTS * 4
  let p1 = scores + r1 * ATTENTION_SLOTS * 4
  let p2 = scores + r2 * ATTENTION_SLOTS * 4
  let p3 = scores + r3 * ATTENTION_SLOTS * 4
  for (let i = 0; i < count; i++) {
    const packed = v128.load(values)
    const v0 = sizeof<T>() == 2 ? lowHalves(packed, mask) : packed
    const v1 = sizeof<T>() == 2 ? highHalves(packed, mask) : v128.load(values, 16)
    let p = v128.load32_splat(p0)
    a00 = madd(p, v0, a00)
    a01 = madd(p, v1, a01)
    p = v128.load32_splat(p1)
    a10 = madd(p, v0, a10)
    a11 = madd(p, v1, a11)
    p = v128.load32_splat(p2)
    a20 = madd(p, v0, a20)
    a21 = madd(p, v1, a21)
    p = v128.load32_splat(p3)
    a30 = madd(p, v0, a30)
    a31 = madd(p, v1, a31)
    values += 8 * sizeof<T>()
    p0 += 4
    p1 += 4
    p2 += 4
    p3 += 4
  }
  v128.store(y0, a00)
  v128.store(y0, a01, 16)
  v128.store(y1, a10)
  v128.store(y1, a11, 16)
  v128.store(y2, a20)
  v128.store(y2, a21, 16)
  v128.store(y3, a30)
  v128.store(y3, a31, 16)
}
