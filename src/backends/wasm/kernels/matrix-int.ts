// linear for many tokens and integer weights. A unit is one panel of 16 rows: a stretch of its columns is unpacked
// into the thread's scratch once, then multiplied with all tokens, four at a time. The sums of a group are exact
// integers and the chain over groups is that of vector-int.ts, so both give the same bits.
import { GROUP, INT_PANEL, Kind, MAX_MATRIX_TOKENS } from "../opcodes"
import { address, arg, scratch, wide } from "./command"
import { blockBytes, channelScales, panelBytes } from "./layout"
import { byteNibbles, halfMask, pairNibbles } from "./constants"
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
  let s = v128.load(source)
  v128.store(target, lowHalves(s, mask))
  v128.store(target, highHalves(s, mask), 16)
  s = v128.load(source, 16)
  v128.store(target, lowHalves(s, mask), 32)
  v128.store(target, highHalves(s, mask), 48)
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

@inline function addMinimum(sums: usize, minima: usize, total: usize): void {
  const t = f32x4.splat(<f32>load<i32>(total))
  const f0 = madd(t, v128.load(minima), v128.load(sums))
  const f1 = madd(t, v128.load(minima, 16), v128.load(sums, 16))
  v128.store(sums, f0)
  v128.store(sums, f1, 16)
}

/**
 * 8 rows x 4 tokens over `groups` groups with 7-bit products. x0..x3 point at the tokens' bytes of these columns,
 * b0..b3 at their biases; s0..s3 at the 8 float sums of each.
 */
function tile7(
  groups: i32, tile: usize, scales: usize, plain: bool,
  x0: usize, x1: usize, x2: usize, x3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize,
  s0: usize, s1: usize, s2: usize, s3: usize,
): void {
  for (let g = 0; g < groups; g++) {
    let a00: v128 = i16x8.splat(0)
    let a10 = a00
    let a20 = a00
    let a30 = a00
    if (plain) {
      a00 = v128.load32_splat(b0)
      a10 = v128.load32_splat(b1)
      a20 = v128.load32_splat(b2)
      a30 = v128.load32_splat(b3)
    }
    let a01 = a00
    let a11 = a10
    let a21 = a20
    let a31 = a30
    for (let step: usize = 0; step < 8; step++) {
      const w0 = v128.load(tile)
      const w1 = v128.load(tile, 16)
      let x = v128.load32_splat(x0)
      a00 = i16x8.add(a00, dot7(x, w0))
      a01 = i16x8.add(a01, dot7(x, w1))
      x = v128.load32_splat(x1)
      a10 = i16x8.add(a10, dot7(x, w0))
      a11 = i16x8.add(a11, dot7(x, w1))
      x = v128.load32_splat(x2)
      a20 = i16x8.add(a20, dot7(x, w0))
      a21 = i16x8.add(a21, dot7(x, w1))
      x = v128.load32_splat(x3)
      a30 = i16x8.add(a30, dot7(x, w0))
      a31 = i16x8.add(a31, dot7(x, w1))
      tile += 64
      x0 += 4
      x1 += 4
      x2 += 4
      x3 += 4
    }
    addGroup(s0, scales, i32x4.extadd_pairwise_i16x8_s(a00), i32x4.extadd_pairwise_i16x8_s(a01))
    addGroup(s1, scales, i32x4.extadd_pairwise_i16x8_s(a10), i32x4.extadd_pairwise_i16x8_s(a11))
    addGroup(s2, scales, i32x4.extadd_pairwise_i16x8_s(a20), i32x4.extadd_pairwise_i16x8_s(a21))
    addGroup(s3, scales, i32x4.extadd_pairwise_i16x8_s(a30), i32x4.extadd_pairwise_i16x8_s(a31))
    if (!plain) {
      // b0..b3 are the groups' sums here, and the minima lie behind the scales.
      addMinimum(s0, scales + (MINIMA - SCALES), b0)
      addMinimum(s1, scales + (MINIMA - SCALES), b1)
      addMinimum(s2, scales + (MINIMA - SCALES), b2)
      addMinimum(s3, scales + (MINIMA - SCALES), b3)
    }
    b0 += 4
    b1 += 4
    b2 += 4
    b3 += 4
    scales += 64
  }
}

/** 16 rows x 4 tokens: for engines that join vectors in pairs, where the sums fit the registers. */
function tile7Wide(
  groups: i32, tile: usize, scales: usize, plain: bool,
  x0: usize, x1: usize, x2: usize, x3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize,
  s0: usize, s1: usize, s2: usize, s3: usize,
): void {
  for (let g = 0; g < groups; g++) {
    let a00: v128 = plain ? v128.load32_splat(b0) : i16x8.splat(0)
    let a01 = a00
    let a02 = a00
    let a03 = a00
    let a10: v128 = plain ? v128.load32_splat(b1) : i16x8.splat(0)
    let a11 = a10
    let a12 = a10
    let a13 = a10
    let a20: v128 = plain ? v128.load32_splat(b2) : i16x8.splat(0)
    let a21 = a20
    let a22 = a20
    let a23 = a20
    let a30: v128 = plain ? v128.load32_splat(b3) : i16x8.splat(0)
    let a31 = a30
    let a32 = a30
    let a33 = a30
    for (let step = 0; step < 8; step++) {
      const w0 = v128.load(tile)
      const w1 = v128.load(tile, 16)
      const w2 = v128.load(tile, 32)
      const w3 = v128.load(tile, 48)
      let x = v128.load32_splat(x0)
      a00 = i16x8.add(a00, dot7(x, w0))
      a01 = i16x8.add(a01, dot7(x, w1))
      a02 = i16x8.add(a02, dot7(x, w2))
      a03 = i16x8.add(a03, dot7(x, w3))
      x = v128.load32_splat(x1)
      a10 = i16x8.add(a10, dot7(x, w0))
      a11 = i16x8.add(a11, dot7(x, w1))
      a12 = i16x8.add(a12, dot7(x, w2))
      a13 = i16x8.add(a13, dot7(x, w3))
      x = v128.load32_splat(x2)
      a20 = i16x8.add(a20, dot7(x, w0))
      a21 = i16x8.add(a21, dot7(x, w1))
      a22 = i16x8.add(a22, dot7(x, w2))
      a23 = i16x8.add(a23, dot7(x, w3))
      x = v128.load32_splat(x3)
      a30 = i16x8.add(a30, dot7(x, w0))
      a31 = i16x8.add(a31, dot7(x, w1))
      a32 = i16x8.add(a32, dot7(x, w2))
      a33 = i16x8.add(a33, dot7(x, w3))
      tile += 64
      x0 += 4
      x1 += 4
      x2 += 4
      x3 += 4
    }
    addGroup(s0, scales, i32x4.extadd_pairwise_i16x8_s(a00), i32x4.extadd_pairwise_i16x8_s(a01))
    addGroup(s0 + 32, scales + 32, i32x4.extadd_pairwise_i16x8_s(a02), i32x4.extadd_pairwise_i16x8_s(a03))
    addGroup(s1, scales, i32x4.extadd_pairwise_i16x8_s(a10), i32x4.extadd_pairwise_i16x8_s(a11))
    addGroup(s1 + 32, scales + 32, i32x4.extadd_pairwise_i16x8_s(a12), i32x4.extadd_pairwise_i16x8_s(a13))
    addGroup(s2, scales, i32x4.extadd_pairwise_i16x8_s(a20), i32x4.extadd_pairwise_i16x8_s(a21))
    addGroup(s2 + 32, scales + 32, i32x4.extadd_pairwise_i16x8_s(a22), i32x4.extadd_pairwise_i16x8_s(a23))
    addGroup(s3, scales, i32x4.extadd_pairwise_i16x8_s(a30), i32x4.extadd_pairwise_i16x8_s(a31))
    addGroup(s3 + 32, scales + 32, i32x4.extadd_pairwise_i16x8_s(a32), i32x4.extadd_pairwise_i16x8_s(a33))
    if (!plain) {
      const minima = scales + (MINIMA - SCALES)
      addMinimum(s0, minima, b0)
      addMinimum(s0 + 32, minima + 32, b0)
      addMinimum(s1, minima, b1)
      addMinimum(s1 + 32, minima + 32, b1)
      addMinimum(s2, minima, b2)
      addMinimum(s2 + 32, minima + 32, b2)
      addMinimum(s3, minima, b3)
      addMinimum(s3 + 32, minima + 32, b3)
    }
    b0 += 4
    b1 += 4
    b2 += 4
    b3 += 4
    scales += 64
  }
}

/** The same with 16-bit products; b0..b3 point at the groups' sums where there are minima. */
function tile16(
  groups: i32, tile: usize, scales: usize, minima: bool,
  x0: usize, x1: usize, x2: usize, x3: usize,
  b0: usize, b1: usize, b2: usize, b3: usize,
  s0: usize, s1: usize, s2: usize, s3: usize,
): void {
  for (let g = 0; g < groups; g++) {
    let a00: v128 = i32x4.splat(0)
    let a01 = a00
    let a10 = a00
    let a11 = a00
    let a20 = a00
    let a21 = a00
    let a30 = a00
    let a31 = a00
    for (let step: usize = 0; step < 16; step++) {
      const w0 = v128.load(tile)
      const w1 = v128.load(tile, 16)
      let x = v128.load32_splat(x0)
      a00 = i32x4.add(a00, i32x4.dot_i16x8_s(x, w0))
      a01 = i32x4.add(a01, i32x4.dot_i16x8_s(x, w1))
      x = v128.load32_splat(x1)
      a10 = i32x4.add(a10, i32x4.dot_i16x8_s(x, w0))
      a11 = i32x4.add(a11, i32x4.dot_i16x8_s(x, w1))
      x = v128.load32_splat(x2)
      a20 = i32x4.add(a20, i32x4.dot_i16x8_s(x, w0))
      a21 = i32x4.add(a21, i32x4.dot_i16x8_s(x, w1))
      x = v128.load32_splat(x3)
      a30 = i32x4.add(a30, i32x4.dot_i16x8_s(x, w0))
      a31 = i32x4.add(a31, i32x4.dot_i16x8_s(x, w1))
      tile += 64
      x0 += 4
      x1 += 4
      x2 += 4
      x3 += 4
    }
    addGroup(s0, scales, a00, a01)
    addGroup(s1, scales, a10, a11)
    addGroup(s2, scales, a20, a21)
    addGroup(s3, scales, a30, a31)
    if (minima) {
      addMinimum(s0, scales + (MINIMA - SCALES), b0)
      addMinimum(s1, scales + (MINIMA - SCALES), b1)
      addMinimum(s2, scales + (MINIMA - SCALES), b2)
      addMinimum(s3, scales + (MINIMA - SCALES), b3)
      b0 += 4
      b1 += 4
      b2 += 4
      b3 += 4
    }
    scales += 64
  }
}

/** Operands: records, stride of records, weight, y, tokens, K, N, kind. Unit: a panel. */
export function matrixIntUnit(command: usize, unit: i32): void {
  const records = address(command, 0)
  const stride = <usize>arg(command, 1)
  const weight = address(command, 2)
  const tokens = arg(command, 4)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const seven = isSevenBit(kind)
  const panel = weight + <usize>unit * panelBytes(kind, k)
  const groups = k / GROUP
  memory.fill(scratch, 0, <usize>((tokens + 3) & ~3) * 64)
  for (let group = 0; group < groups; group += COLUMNS / GROUP) {
    const count = min(COLUMNS / GROUP, groups - group)
    unpackGroups(kind, panel + <usize>group * blockBytes(kind), count)
    const start = seven ? <usize>group * GROUP : pairsOffset(k) + <usize>group * GROUP * 2
    const perGroup = (kind == Kind.Int4 ? biasOffset(k) : sumOffset(k)) + <usize>group * 4
    for (let token = 0; token < tokens; token += 4) {
      // Tokens past the end repeat the last one: computed twice, stored alike.
      const t0 = <usize>token
      const t1 = <usize>min(token + 1, tokens - 1)
      const t2 = <usize>min(token + 2, tokens - 1)
      const t3 = <usize>min(token + 3, tokens - 1)
      const x0 = records + t0 * stride
      const x1 = records + t1 * stride
      const x2 = records + t2 * stride
      const x3 = records + t3 * stride
      if (seven && wide) {
        tile7Wide(
          count, scratch + TILE, scratch + SCALES, kind == Kind.Int4,
          x0 + start, x1 + start, x2 + start, x3 + start,
          x0 + perGroup, x1 + perGroup, x2 + perGroup, x3 + perGroup,
          scratch + t0 * 64, scratch + t0 * 64 + 64, scratch + t0 * 64 + 128, scratch + t0 * 64 + 192,
        )
        continue
      }
      for (let half: usize = 0; half < 64; half += 32) {
        const s0 = scratch + t0 * 64 + half
        const s1 = scratch + <usize>(token + 1) * 64 + half
        const s2 = scratch + <usize>(token + 2) * 64 + half
        const s3 = scratch + <usize>(token + 3) * 64 + half
        if (seven) {
          tile7(
            count, scratch + TILE + half, scratch + SCALES + half, kind == Kind.Int4,
            x0 + start, x1 + start, x2 + start, x3 + start,
            x0 + perGroup, x1 + perGroup, x2 + perGroup, x3 + perGroup,
            s0, s1, s2, s3,
          )
        } else {
          tile16(
            count, scratch + TILE + half, scratch + SCALES + half, kind == Kind.Int4Min,
            x0 + start, x1 + start, x2 + start, x3 + start,
            x0 + perGroup, x1 + perGroup, x2 + perGroup, x3 + perGroup,
            s0, s1, s2, s3,
          )
        }
      }
    }
  }
  const row = unit * INT_PANEL
  const scales = kind == Kind.Int8Channel ? channelScales(weight, n, k) + <usize>row * 4 : 0
  for (let token = 0; token < tokens; token++) {
    const scale = load<f32>(records + <usize>token * stride + scaleOffset(k))
    const y = address(command, 3) + (<usize>token * n + row) * 4
    finishRows(scratch + <usize>token * 64, scale, scales, y, n - row)
  }
}
