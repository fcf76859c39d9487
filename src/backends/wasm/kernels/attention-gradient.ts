// Gradients of causal attention without a cache. A unit is one text and one kv head: it alone adds to the gradients
// of that head's keys and values, four query rows (tokens x heads of the group) at a time, in order. The
// probabilities are made again from queries and keys (Dao et al. 2022).
import { GRADIENT_ROWS as ROWS } from "../opcodes"
import { address, arg, real, scratch } from "./command"
import { exp4, madd, max4, sum4 } from "./math"

/**
 * Operands: addresses of query, key, value, output, dy, d query, d key, d value as a table; the texts; kv heads; heads
 * of a group; head width E, a multiple of 4; 1 / sqrt(E). A text: first row, rows, then for each kv head memory for
 * 2 x ROWS x (rows rounded up to 4) floats. Scratch: queries [ROWS][E], dy [ROWS][E].
 */
export function attentionGradientUnit(command: usize, unit: i32): void {
  const table = address(command, 0)
  const kvHeads = arg(command, 2)
  const group = arg(command, 3)
  const width = arg(command, 4)
  const scale = real(command, 5)
  const text = address(command, 1) + <usize>(unit / kvHeads) * 12
  const kvHead = unit % kvHeads
  const length = load<i32>(text, 4)
  const line = <usize>((length + 3) & ~3) * 4
  const p = <usize>load<u32>(text, 8) + <usize>kvHead * 2 * ROWS * line
  const ds = p + ROWS * line
  const widthBytes = <usize>width * 4
  const queryStride = <usize>(kvHeads * group) * widthBytes
  const keyStride = <usize>kvHeads * widthBytes
  const first = <usize>load<i32>(text)
  const queryAt = first * queryStride + <usize>(kvHead * group) * widthBytes
  const keyAt = first * keyStride + <usize>kvHead * widthBytes
  const query = <usize>load<u32>(table) + queryAt
  const key = <usize>load<u32>(table, 4) + keyAt
  const value = <usize>load<u32>(table, 8) + keyAt
  const output = <usize>load<u32>(table, 12) + queryAt
  const dy = <usize>load<u32>(table, 16) + queryAt
  const dQuery = <usize>load<u32>(table, 20) + queryAt
  const dKey = <usize>load<u32>(table, 24) + keyAt
  const dValue = <usize>load<u32>(table, 28) + keyAt
  const queries = scratch
  const gradients = scratch + ROWS * widthBytes

  for (let slot = 0; slot < length; slot++) {
    memory.fill(dKey + <usize>slot * keyStride, 0, widthBytes)
    memory.fill(dValue + <usize>slot * keyStride, 0, widthBytes)
  }
  const rows = length * group
  for (let r = 0; r < rows; r += ROWS) {
    const count = min(ROWS, rows - r)
    const slots = (r + count - 1) / group + 1
    // Rows that only fill up are zeros, and so add nothing to keys and values.
    if (count < ROWS) {
      memory.fill(queries, 0, 2 * ROWS * widthBytes)
      memory.fill(p, 0, 2 * ROWS * line)
    }
    for (let i = 0; i < count; i++) {
      const at = rowOffset(r + i, group, queryStride, widthBytes)
      memory.copy(queries + <usize>i * widthBytes, query + at, widthBytes)
      memory.copy(gradients + <usize>i * widthBytes, dy + at, widthBytes)
    }
    for (let i: usize = 0; i < <usize>count; i += 2) {
      products(queries + i * widthBytes, width, key, keyStride, slots, p + i * line, line)
      products(gradients + i * widthBytes, width, value, keyStride, slots, ds + i * line, line)
    }
    for (let i = 0; i < count; i++) {
      const at = rowOffset(r + i, group, queryStride, widthBytes)
      const total = dot(gradients + <usize>i * widthBytes, output + at, width)
      softmaxRow(p + <usize>i * line, ds + <usize>i * line, slots, (r + i) / group + 1, scale, total)
    }
    for (let e: usize = 0; e < widthBytes; e += 16) {
      spread(gradients + e, widthBytes, p, line, dValue + e, keyStride, slots)
      spread(queries + e, widthBytes, ds, line, dKey + e, keyStride, slots)
      gather(ds, line, key + e, keyStride, slots, queries + e, widthBytes)
    }
    for (let i = 0; i < count; i++) {
      const at = rowOffset(r + i, group, queryStride, widthBytes)
      memory.copy(dQuery + at, queries + <usize>i * widthBytes, widthBytes)
    }
  }
}

/** Where query row `r` of a text and kv head lies. */
@inline function rowOffset(r: i32, group: i32, stride: usize, widthBytes: usize): usize {
  return <usize>(r / group) * stride + <usize>(r % group) * widthBytes
}

function dot(a: usize, b: usize, width: i32): f32 {
  let sum: v128 = f32x4.splat(0)
  for (let i: usize = 0; i < <usize>width * 4; i += 16) sum = madd(v128.load(a + i), v128.load(b + i), sum)
  return sum4(sum)
}

/** The sums of the lanes of four vectors as one. */
@inline function sums4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7))
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3))
}

/** Dot products of two rows with `slots` vectors, four at a time (the last one repeated): y[0][slots], y[1][slots]. */
function products(rows: usize, width: i32, vectors: usize, stride: usize, slots: i32, y: usize, line: usize): void {
  const end = <usize>width * 4
  const last = slots - 1
  for (let slot = 0; slot < slots; slot += 4) {
    const v0 = vectors + <usize>slot * stride
    const v1 = vectors + <usize>min(slot + 1, last) * stride
    const v2 = vectors + <usize>min(slot + 2, last) * stride
    const v3 = vectors + <usize>min(slot + 3, last) * stride
    let a0: v128 = f32x4.splat(0)
    let a1 = a0
    let a2 = a0
    let a3 = a0
    let b0 = a0
    let b1 = a0
    let b2 = a0
    let b3 = a0
    for (let e: usize = 0; e < end; e += 16) {
      const a = v128.load(rows + e)
      const b = v128.load(rows + end + e)
      let v = v128.load(v0 + e)
      a0 = madd(a, v, a0)
      b0 = madd(b, v, b0)
      v = v128.load(v1 + e)
      a1 = madd(a, v, a1)
      b1 = madd(b, v, b1)
      v = v128.load(v2 + e)
      a2 = madd(a, v, a2)
      b2 = madd(b, v, b2)
      v = v128.load(v3 + e)
      a3 = madd(a, v, a3)
      b3 = madd(b, v, b3)
    }
    const at = y + <usize>slot * 4
    v128.store(at, sums4(a0, a1, a2, a3))
    v128.store(at + line, sums4(b0, b1, b2, b3))
  }
}

/** Scores become probabilities, products with dy become gradients of scores; both 0 from slot `seen` on. */
function softmaxRow(p: usize, ds: usize, slots: i32, seen: i32, scale: f32, total: f32): void {
  const end = <usize>slots * 4
  const limit = i32x4.splat(seen)
  const lowest = f32x4.splat(-Infinity)
  let index = i32x4(0, 1, 2, 3)
  let largest = lowest
  for (let i: usize = 0; i < end; i += 16) {
    const score = v128.bitselect(f32x4.mul(v128.load(p + i), f32x4.splat(scale)), lowest, i32x4.lt_s(index, limit))
    v128.store(p + i, score)
    largest = f32x4.pmax(largest, score)
    index = i32x4.add(index, i32x4.splat(4))
  }
  const base = f32x4.splat(max4(largest))
  let sum: v128 = f32x4.splat(0)
  for (let i: usize = 0; i < end; i += 16) {
    const score = v128.load(p + i)
    const power = v128.and(exp4(f32x4.sub(score, base)), f32x4.gt(score, lowest))
    v128.store(p + i, power)
    sum = f32x4.add(sum, power)
  }
  const inverse = f32x4.splat(1 / sum4(sum))
  for (let i: usize = 0; i < end; i += 16) {
    const probability = f32x4.mul(v128.load(p + i), inverse)
    v128.store(p + i, probability)
    const away = f32x4.mul(f32x4.sub(v128.load(ds + i), f32x4.splat(total)), f32x4.splat(scale))
    v128.store(ds + i, f32x4.mul(probability, away))
  }
}

/** Four columns: `y[slot] += sum_r weights[r][slot] * rows[r]`. */
function spread(
  rows: usize, rowBytes: usize, weights: usize, line: usize, y: usize, stride: usize, slots: i32,
): void {
  const r0 = v128.load(rows)
  const r1 = v128.load(rows + rowBytes)
  const r2 = v128.load(rows + 2 * rowBytes)
  const r3 = v128.load(rows + 3 * rowBytes)
  const w1 = line
  const w2 = 2 * line
  const w3 = 3 * line
  for (let slot = 0; slot < slots; slot++) {
    let sum = madd(r0, v128.load32_splat(weights), v128.load(y))
    sum = madd(r1, v128.load32_splat(weights + w1), sum)
    sum = madd(r2, v128.load32_splat(weights + w2), sum)
    sum = madd(r3, v128.load32_splat(weights + w3), sum)
    v128.store(y, sum)
    weights += 4
    y += stride
  }
}

/** Four columns: `rows[r] = sum_slot weights[r][slot] * x[slot]`. */
function gather(
  weights: usize, line: usize, x: usize, stride: usize, slots: i32, rows: usize, rowBytes: usize,
): void {
  let a: v128 = f32x4.splat(0)
  let b = a
  let c = a
  let d = a
  const w1 = line
  const w2 = 2 * line
  const w3 = 3 * line
  for (let slot = 0; slot < slots; slot++) {
    const value = v128.load(x)
    a = madd(value, v128.load32_splat(weights), a)
    b = madd(value, v128.load32_splat(weights + w1), b)
    c = madd(value, v128.load32_splat(weights + w2), c)
    d = madd(value, v128.load32_splat(weights + w3), d)
    weights += 4
    x += stride
  }
  v128.store(rows, a)
  v128.store(rows + rowBytes, b)
  v128.store(rows + 2 * rowBytes, c)
  v128.store(rows + 3 * rowBytes, d)
}
