// The tiles of matrix-int.ts: rows of an unpacked panel times four tokens, with sums of groups in registers and floats in
// memory. Integer sums are exact, so all forms of a kind give the same bits.
import { INT_TOKENS } from "../opcodes"
import { pairOnes } from "./constants"
import { dot7, madd } from "./math"

/** Most groups of a stretch of columns. Their scales lie side by side [group][16 rows], then their minima. */
export const STRETCH_GROUPS = 16
const MINIMA_AFTER_SCALES: usize = STRETCH_GROUPS * 64

/** A group's integer sums of 8 rows onto the float sums of one token. */
@inline function addGroup(sums: usize, scales: usize, a: v128, b: v128): void {
  const f0 = madd(f32x4.convert_i32x4_s(a), v128.load(scales), v128.load(sums))
  const f1 = madd(f32x4.convert_i32x4_s(b), v128.load(scales, 16), v128.load(sums, 16))
  v128.store(sums, f0)
  v128.store(sums, f1, 16)
}

/** Minima of 8 rows times a group's sum of activations onto the float sums of one token. */
@inline function addMinimum(sums: usize, minima: usize, total: usize): void {
  const t = f32x4.splat(<f32>load<i32>(total))
  const f0 = madd(t, v128.load(minima), v128.load(sums))
  const f1 = madd(t, v128.load(minima, 16), v128.load(sums, 16))
  v128.store(sums, f0)
  v128.store(sums, f1, 16)
}

/** The same for four tokens. */
function addMinima(sums: usize, minima: usize, totals: usize): void {
  addMinimum(sums, minima, totals)
  addMinimum(sums + 64, minima, totals + 4)
  addMinimum(sums + 128, minima, totals + 8)
  addMinimum(sums + 192, minima, totals + 12)
}

/** Pairs of 16-bit sums of 8 rows, times the rows' scales, onto the float sums of one token. */
@inline function addPairs(sums: usize, s0: v128, s1: v128, a: v128, b: v128, ones: v128): void {
  const f0 = madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a, ones)), s0, v128.load(sums))
  const f1 = madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(b, ones)), s1, v128.load(sums, 16))
  v128.store(sums, f0)
  v128.store(sums, f1, 16)
}

/**
 * 8 rows x 4 tokens over `groups` groups with 7-bit products. `x`: the tokens' bytes of these columns; `perGroup`:
 * their biases, or their sums where there are minima; `sums`: the floats, 64 bytes a token.
 */
export function tile7(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
  const ones = pairOnes()
  for (let g = 0; g < groups; g++) {
    let a00: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup)
    let a01 = a00
    let a10: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup, 4)
    let a11 = a10
    let a20: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup, 8)
    let a21 = a20
    let a30: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup, 12)
    let a31 = a30
    for (let step = 0; step < 8; step++) {
      const w0 = v128.load(tile)
      const w1 = v128.load(tile, 16)
      let v = v128.load32_splat(x)
      a00 = i16x8.add(a00, dot7(v, w0))
      a01 = i16x8.add(a01, dot7(v, w1))
      v = v128.load32_splat(x, 4)
      a10 = i16x8.add(a10, dot7(v, w0))
      a11 = i16x8.add(a11, dot7(v, w1))
      v = v128.load32_splat(x, 8)
      a20 = i16x8.add(a20, dot7(v, w0))
      a21 = i16x8.add(a21, dot7(v, w1))
      v = v128.load32_splat(x, 12)
      a30 = i16x8.add(a30, dot7(v, w0))
      a31 = i16x8.add(a31, dot7(v, w1))
      tile += 64
      x += INT_TOKENS * 4
    }
    const s0 = v128.load(scales)
    const s1 = v128.load(scales, 16)
    addPairs(sums, s0, s1, a00, a01, ones)
    addPairs(sums + 64, s0, s1, a10, a11, ones)
    addPairs(sums + 128, s0, s1, a20, a21, ones)
    addPairs(sums + 192, s0, s1, a30, a31, ones)
    if (minima) addMinima(sums, scales + MINIMA_AFTER_SCALES, perGroup)
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** 16 rows x 4 tokens: for engines that join vectors in pairs, where so many sums fit the registers. */
export function tile7Wide(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
  const ones = pairOnes()
  for (let g = 0; g < groups; g++) {
    let a00: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup)
    let a01 = a00
    let a02 = a00
    let a03 = a00
    let a10: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup, 4)
    let a11 = a10
    let a12 = a10
    let a13 = a10
    let a20: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup, 8)
    let a21 = a20
    let a22 = a20
    let a23 = a20
    let a30: v128 = minima ? i16x8.splat(0) : v128.load32_splat(perGroup, 12)
    let a31 = a30
    let a32 = a30
    let a33 = a30
    for (let step = 0; step < 8; step += 2) {
      let w0 = v128.load(tile)
      let w1 = v128.load(tile, 16)
      let w2 = v128.load(tile, 32)
      let w3 = v128.load(tile, 48)
      let v = v128.load32_splat(x)
      a00 = i16x8.add(a00, dot7(v, w0))
      a01 = i16x8.add(a01, dot7(v, w1))
      a02 = i16x8.add(a02, dot7(v, w2))
      a03 = i16x8.add(a03, dot7(v, w3))
      v = v128.load32_splat(x, 4)
      a10 = i16x8.add(a10, dot7(v, w0))
      a11 = i16x8.add(a11, dot7(v, w1))
      a12 = i16x8.add(a12, dot7(v, w2))
      a13 = i16x8.add(a13, dot7(v, w3))
      v = v128.load32_splat(x, 8)
      a20 = i16x8.add(a20, dot7(v, w0))
      a21 = i16x8.add(a21, dot7(v, w1))
      a22 = i16x8.add(a22, dot7(v, w2))
      a23 = i16x8.add(a23, dot7(v, w3))
      v = v128.load32_splat(x, 12)
      a30 = i16x8.add(a30, dot7(v, w0))
      a31 = i16x8.add(a31, dot7(v, w1))
      a32 = i16x8.add(a32, dot7(v, w2))
      a33 = i16x8.add(a33, dot7(v, w3))
      w0 = v128.load(tile, 64)
      w1 = v128.load(tile, 80)
      w2 = v128.load(tile, 96)
      w3 = v128.load(tile, 112)
      v = v128.load32_splat(x, 16)
      a00 = i16x8.add(a00, dot7(v, w0))
      a01 = i16x8.add(a01, dot7(v, w1))
      a02 = i16x8.add(a02, dot7(v, w2))
      a03 = i16x8.add(a03, dot7(v, w3))
      v = v128.load32_splat(x, 20)
      a10 = i16x8.add(a10, dot7(v, w0))
      a11 = i16x8.add(a11, dot7(v, w1))
      a12 = i16x8.add(a12, dot7(v, w2))
      a13 = i16x8.add(a13, dot7(v, w3))
      v = v128.load32_splat(x, 24)
      a20 = i16x8.add(a20, dot7(v, w0))
      a21 = i16x8.add(a21, dot7(v, w1))
      a22 = i16x8.add(a22, dot7(v, w2))
      a23 = i16x8.add(a23, dot7(v, w3))
      v = v128.load32_splat(x, 28)
      a30 = i16x8.add(a30, dot7(v, w0))
      a31 = i16x8.add(a31, dot7(v, w1))
      a32 = i16x8.add(a32, dot7(v, w2))
      a33 = i16x8.add(a33, dot7(v, w3))
      tile += 128
      x += 2 * INT_TOKENS * 4
    }
    addGroup(sums, scales, i32x4.dot_i16x8_s(a00, ones), i32x4.dot_i16x8_s(a01, ones))
    addGroup(sums + 32, scales + 32, i32x4.dot_i16x8_s(a02, ones), i32x4.dot_i16x8_s(a03, ones))
    addGroup(sums + 64, scales, i32x4.dot_i16x8_s(a10, ones), i32x4.dot_i16x8_s(a11, ones))
    addGroup(sums + 96, scales + 32, i32x4.dot_i16x8_s(a12, ones), i32x4.dot_i16x8_s(a13, ones))
    addGroup(sums + 128, scales, i32x4.dot_i16x8_s(a20, ones), i32x4.dot_i16x8_s(a21, ones))
    addGroup(sums + 160, scales + 32, i32x4.dot_i16x8_s(a22, ones), i32x4.dot_i16x8_s(a23, ones))
    addGroup(sums + 192, scales, i32x4.dot_i16x8_s(a30, ones), i32x4.dot_i16x8_s(a31, ones))
    addGroup(sums + 224, scales + 32, i32x4.dot_i16x8_s(a32, ones), i32x4.dot_i16x8_s(a33, ones))
    if (minima) {
      addMinima(sums, scales + MINIMA_AFTER_SCALES, perGroup)
      addMinima(sums + 32, scales + 32 + MINIMA_AFTER_SCALES, perGroup)
    }
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** 8 rows x 4 tokens with 16-bit products; `perGroup` as above, but without biases. */
export function tile16(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
  for (let g = 0; g < groups; g++) {
    let a00: v128 = i32x4.splat(0)
    let a01 = a00
    let a10: v128 = i32x4.splat(0)
    let a11 = a10
    let a20: v128 = i32x4.splat(0)
    let a21 = a20
    let a30: v128 = i32x4.splat(0)
    let a31 = a30
    for (let step = 0; step < 16; step++) {
      const w0 = v128.load(tile)
      const w1 = v128.load(tile, 16)
      let v = v128.load32_splat(x)
      a00 = i32x4.add(a00, i32x4.dot_i16x8_s(v, w0))
      a01 = i32x4.add(a01, i32x4.dot_i16x8_s(v, w1))
      v = v128.load32_splat(x, 4)
      a10 = i32x4.add(a10, i32x4.dot_i16x8_s(v, w0))
      a11 = i32x4.add(a11, i32x4.dot_i16x8_s(v, w1))
      v = v128.load32_splat(x, 8)
      a20 = i32x4.add(a20, i32x4.dot_i16x8_s(v, w0))
      a21 = i32x4.add(a21, i32x4.dot_i16x8_s(v, w1))
      v = v128.load32_splat(x, 12)
      a30 = i32x4.add(a30, i32x4.dot_i16x8_s(v, w0))
      a31 = i32x4.add(a31, i32x4.dot_i16x8_s(v, w1))
      tile += 64
      x += INT_TOKENS * 4
    }
    addGroup(sums, scales, a00, a01)
    addGroup(sums + 64, scales, a10, a11)
    addGroup(sums + 128, scales, a20, a21)
    addGroup(sums + 192, scales, a30, a31)
    if (minima) addMinima(sums, scales + MINIMA_AFTER_SCALES, perGroup)
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** 16 rows x 4 tokens. */
export function tile16Wide(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
  for (let g = 0; g < groups; g++) {
    let a00: v128 = i32x4.splat(0)
    let a01 = a00
    let a02 = a00
    let a03 = a00
    let a10: v128 = i32x4.splat(0)
    let a11 = a10
    let a12 = a10
    let a13 = a10
    let a20: v128 = i32x4.splat(0)
    let a21 = a20
    let a22 = a20
    let a23 = a20
    let a30: v128 = i32x4.splat(0)
    let a31 = a30
    let a32 = a30
    let a33 = a30
    for (let step = 0; step < 16; step += 2) {
      let w0 = v128.load(tile)
      let w1 = v128.load(tile, 16)
      let w2 = v128.load(tile, 32)
      let w3 = v128.load(tile, 48)
      let v = v128.load32_splat(x)
      a00 = i32x4.add(a00, i32x4.dot_i16x8_s(v, w0))
      a01 = i32x4.add(a01, i32x4.dot_i16x8_s(v, w1))
      a02 = i32x4.add(a02, i32x4.dot_i16x8_s(v, w2))
      a03 = i32x4.add(a03, i32x4.dot_i16x8_s(v, w3))
      v = v128.load32_splat(x, 4)
      a10 = i32x4.add(a10, i32x4.dot_i16x8_s(v, w0))
      a11 = i32x4.add(a11, i32x4.dot_i16x8_s(v, w1))
      a12 = i32x4.add(a12, i32x4.dot_i16x8_s(v, w2))
      a13 = i32x4.add(a13, i32x4.dot_i16x8_s(v, w3))
      v = v128.load32_splat(x, 8)
      a20 = i32x4.add(a20, i32x4.dot_i16x8_s(v, w0))
      a21 = i32x4.add(a21, i32x4.dot_i16x8_s(v, w1))
      a22 = i32x4.add(a22, i32x4.dot_i16x8_s(v, w2))
      a23 = i32x4.add(a23, i32x4.dot_i16x8_s(v, w3))
      v = v128.load32_splat(x, 12)
      a30 = i32x4.add(a30, i32x4.dot_i16x8_s(v, w0))
      a31 = i32x4.add(a31, i32x4.dot_i16x8_s(v, w1))
      a32 = i32x4.add(a32, i32x4.dot_i16x8_s(v, w2))
      a33 = i32x4.add(a33, i32x4.dot_i16x8_s(v, w3))
      w0 = v128.load(tile, 64)
      w1 = v128.load(tile, 80)
      w2 = v128.load(tile, 96)
      w3 = v128.load(tile, 112)
      v = v128.load32_splat(x, 16)
      a00 = i32x4.add(a00, i32x4.dot_i16x8_s(v, w0))
      a01 = i32x4.add(a01, i32x4.dot_i16x8_s(v, w1))
      a02 = i32x4.add(a02, i32x4.dot_i16x8_s(v, w2))
      a03 = i32x4.add(a03, i32x4.dot_i16x8_s(v, w3))
      v = v128.load32_splat(x, 20)
      a10 = i32x4.add(a10, i32x4.dot_i16x8_s(v, w0))
      a11 = i32x4.add(a11, i32x4.dot_i16x8_s(v, w1))
      a12 = i32x4.add(a12, i32x4.dot_i16x8_s(v, w2))
      a13 = i32x4.add(a13, i32x4.dot_i16x8_s(v, w3))
      v = v128.load32_splat(x, 24)
      a20 = i32x4.add(a20, i32x4.dot_i16x8_s(v, w0))
      a21 = i32x4.add(a21, i32x4.dot_i16x8_s(v, w1))
      a22 = i32x4.add(a22, i32x4.dot_i16x8_s(v, w2))
      a23 = i32x4.add(a23, i32x4.dot_i16x8_s(v, w3))
      v = v128.load32_splat(x, 28)
      a30 = i32x4.add(a30, i32x4.dot_i16x8_s(v, w0))
      a31 = i32x4.add(a31, i32x4.dot_i16x8_s(v, w1))
      a32 = i32x4.add(a32, i32x4.dot_i16x8_s(v, w2))
      a33 = i32x4.add(a33, i32x4.dot_i16x8_s(v, w3))
      tile += 128
      x += 2 * INT_TOKENS * 4
    }
    addGroup(sums, scales, a00, a01)
    addGroup(sums + 32, scales + 32, a02, a03)
    addGroup(sums + 64, scales, a10, a11)
    addGroup(sums + 96, scales + 32, a12, a13)
    addGroup(sums + 128, scales, a20, a21)
    addGroup(sums + 160, scales + 32, a22, a23)
    addGroup(sums + 192, scales, a30, a31)
    addGroup(sums + 224, scales + 32, a32, a33)
    if (minima) {
      addMinima(sums, scales + MINIMA_AFTER_SCALES, perGroup)
      addMinima(sums + 32, scales + 32 + MINIMA_AFTER_SCALES, perGroup)
    }
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}
