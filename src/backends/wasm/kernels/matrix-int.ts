// linear for many tokens and integer weights. A unit is one panel of 16 rows: a stretch of its columns is unpacked
// into the thread's scratch once, then multiplied with all tokens, four at a time. The sums of a group are exact
// integers and the chain over groups is that of vector-int.ts, so both give the same bits.
import { GROUP, INT_PANEL, INT_TOKENS, Kind, MAX_MATRIX_TOKENS } from "../opcodes"
import { address, arg, scratch, wide } from "./command"
import { blockBytes, channelScales, panelBytes } from "./layout"
import { byteNibbles, halfMask, pairNibbles, pairOnes } from "./constants"
import { dot7, highHalves, lowHalves, madd } from "./math"
import { biasOffset, pairsOffset, scaleOffset, sumOffset } from "./quantize"
import { finishRows } from "./vector-int"

/** Columns unpacked at a time; the tile takes 16 bytes a column, 32 where products are 16-bit. */
const COLUMNS = 512
/** Scratch: sums [tokens][16 rows], then scales [group][16], minima [group][16], then the tile. */
const SCALES: usize = MAX_MATRIX_TOKENS * 64
const MINIMA: usize = SCALES + (COLUMNS / GROUP) * 64
const TILE: usize = MINIMA + (COLUMNS / GROUP) * 64
export const MATRIX_SCRATCH: usize = TILE + COLUMNS * 32

/** 7-bit products are exact only for nibbles and exist only in relaxed SIMD. */
@inline function isSevenBit(kind: i32): bool {
  return ASC_FEATURE_RELAXED_SIMD && kind >= Kind.Int4
}

/** Nibbles as bytes: [step of 4 columns][16 rows][4]. */
function unpackNibblesToBytes(block: usize, tile: usize): void {
  const mask = byteNibbles()
  for (let part: usize = 0; part < 256; part += 64) {
    for (let i: usize = 0; i < 64; i += 16) {
      const packed = v128.load(block + part + i)
      v128.store(tile + part * 2 + i, v128.and(packed, mask))
      v128.store(tile + part * 2 + i, v128.and(i16x8.shr_u(packed, 4), mask), 64)
    }
  }
}

/** Nibbles as 16-bit numbers: [step of 4 columns][columns 0 2, columns 1 3][16 rows][2]. */
function unpackNibblesToPairs(block: usize, tile: usize, offset: i32): void {
  const mask = pairNibbles()
  const shift = i16x8.splat(<i16>offset)
  for (let part: usize = 0; part < 256; part += 64) {
    const target = tile + part * 4
    for (let i: usize = 0; i < 64; i += 16) {
      const packed = v128.load(block + part + i)
      v128.store(target + i, i16x8.add(v128.and(packed, mask), shift))
      v128.store(target + i, i16x8.add(v128.and(i16x8.shr_u(packed, 8), mask), shift), 64)
      v128.store(target + i, i16x8.add(v128.and(i16x8.shr_u(packed, 4), mask), shift), 128)
      v128.store(target + i, i16x8.add(i16x8.shr_u(packed, 12), shift), 192)
    }
  }
}

function unpackBytesToPairs(block: usize, tile: usize): void {
  for (let part: usize = 0; part < 512; part += 64) {
    for (let i: usize = 0; i < 64; i += 16) {
      const packed = v128.load(block + part + i)
      v128.store(tile + part * 2 + i, i16x8.shr_s(i16x8.shl(packed, 8), 8))
      v128.store(tile + part * 2 + i, i16x8.shr_s(packed, 8), 64)
    }
  }
}

/** Sixteen halves as floats times 2^-112. */
@inline function unpackHalves(source: usize, target: usize): void {
  const mask = halfMask()
  const s = v128.load(source)
  const t = v128.load(source, 16)
  v128.store(target, lowHalves(s, mask))
  v128.store(target, lowHalves(t, mask), 16)
  v128.store(target, highHalves(s, mask), 32)
  v128.store(target, highHalves(t, mask), 48)
}

function unpackGroups(kind: i32, block: usize, groups: i32): void {
  let tile = scratch + TILE
  for (let g = 0; g < groups; g++) {
    if (kind >= Kind.Int4) {
      if (isSevenBit(kind)) {
        unpackNibblesToBytes(block, tile)
        tile += 512
      } else {
        unpackNibblesToPairs(block, tile, kind == Kind.Int4 ? -8 : 0)
        tile += 1024
      }
      unpackHalves(block + 256, scratch + SCALES + <usize>g * 64)
      if (kind == Kind.Int4Min) unpackHalves(block + 288, scratch + MINIMA + <usize>g * 64)
    } else {
      unpackBytesToPairs(block, tile)
      tile += 1024
      if (kind == Kind.Int8) {
        unpackHalves(block + 512, scratch + SCALES + <usize>g * 64)
      } else {
        for (let i: usize = 0; i < 64; i += 16) v128.store(scratch + SCALES + <usize>g * 64 + i, f32x4.splat(1))
      }
    }
    block += blockBytes(kind)
  }
}

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

/**
 * 8 rows x 4 tokens over `groups` groups with 7-bit products. `x`: the tokens' bytes of these columns; `perGroup`:
 * their biases, or their sums where there are minima; `sums`: the floats, 64 bytes a token.
 */
function tile7(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
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
    addGroup(sums, scales, i32x4.extadd_pairwise_i16x8_s(a00), i32x4.extadd_pairwise_i16x8_s(a01))
    addGroup(sums + 64, scales, i32x4.extadd_pairwise_i16x8_s(a10), i32x4.extadd_pairwise_i16x8_s(a11))
    addGroup(sums + 128, scales, i32x4.extadd_pairwise_i16x8_s(a20), i32x4.extadd_pairwise_i16x8_s(a21))
    addGroup(sums + 192, scales, i32x4.extadd_pairwise_i16x8_s(a30), i32x4.extadd_pairwise_i16x8_s(a31))
    if (minima) addMinima(sums, scales + (MINIMA - SCALES), perGroup)
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** 16 rows x 4 tokens: for engines that join vectors in pairs, where so many sums fit the registers. */
function tile7Wide(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
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
      addMinima(sums, scales + (MINIMA - SCALES), perGroup)
      addMinima(sums + 32, scales + 32 + (MINIMA - SCALES), perGroup)
    }
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** 8 rows x 4 tokens with 16-bit products; `perGroup` as above, but without biases. */
function tile16(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
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
    if (minima) addMinima(sums, scales + (MINIMA - SCALES), perGroup)
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** 16 rows x 4 tokens. */
function tile16Wide(groups: i32, tile: usize, scales: usize, minima: bool, x: usize, perGroup: usize, sums: usize): void {
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
      addMinima(sums, scales + (MINIMA - SCALES), perGroup)
      addMinima(sums + 32, scales + 32 + (MINIMA - SCALES), perGroup)
    }
    perGroup += INT_TOKENS * 4
    scales += 64
  }
}

/** Operands: records of 4 tokens, bytes a token, weight, y, tokens, K, N, kind. Unit: a panel. */
export function matrixIntUnit(command: usize, unit: i32): void {
  const records = address(command, 0)
  const stride = <usize>arg(command, 1)
  const weight = address(command, 2)
  const tokens = arg(command, 4)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const seven = isSevenBit(kind)
  const minima = kind == Kind.Int4Min
  const panel = weight + <usize>unit * panelBytes(kind, k)
  const groups = k / GROUP
  const together = k * INT_TOKENS
  memory.fill(scratch, 0, <usize>((tokens + 3) & ~3) * 64)
  for (let group = 0; group < groups; group += COLUMNS / GROUP) {
    const count = min(COLUMNS / GROUP, groups - group)
    unpackGroups(kind, panel + <usize>group * blockBytes(kind), count)
    const values = <usize>(group * GROUP * INT_TOKENS)
    const start = seven ? values : pairsOffset(together) + values * 2
    const perGroup = (minima ? sumOffset(together) : biasOffset(together)) + <usize>(group * INT_TOKENS) * 4
    for (let token = 0; token < tokens; token += INT_TOKENS) {
      const record = records + <usize>token * stride
      const sums = scratch + <usize>token * 64
      if (wide) {
        if (seven) tile7Wide(count, scratch + TILE, scratch + SCALES, minima, record + start, record + perGroup, sums)
        else tile16Wide(count, scratch + TILE, scratch + SCALES, minima, record + start, record + perGroup, sums)
        continue
      }
      for (let half: usize = 0; half < 64; half += 32) {
        const tile = scratch + TILE + half
        const scales = scratch + SCALES + half
        if (seven) tile7(count, tile, scales, minima, record + start, record + perGroup, sums + half)
        else tile16(count, tile, scales, minima, record + start, record + perGroup, sums + half)
      }
    }
  }
  const row = unit * INT_PANEL
  const scales = kind == Kind.Int8Channel ? channelScales(weight, n, k) + <usize>row * 4 : 0
  for (let token = 0; token < tokens; token++) {
    const record = records + <usize>(token & ~(INT_TOKENS - 1)) * stride
    const scale = load<f32>(record + scaleOffset(together) + <usize>(token & (INT_TOKENS - 1)) * 4)
    const y = address(command, 3) + <usize>(token * n + row) * 4
    finishRows(scratch + <usize>token * 64, scale, scales, y, n - row)
  }
}
