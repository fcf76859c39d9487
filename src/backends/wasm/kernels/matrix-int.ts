// linear for many tokens and integer weights. A unit is one panel of 16 rows: a stretch of its columns is unpacked
// into the thread's scratch once, then multiplied with all tokens, four at a time. The sums of a group are exact
// integers and the chain over groups is that of vector-int.ts, so both give the same bits.
import { GROUP, INT_PANEL, INT_TOKENS, Kind, MAX_MATRIX_TOKENS } from "../opcodes"
import { address, arg, scratch, wide } from "./command"
import { blockBytes, channelScales, panelBytes } from "./layout"
import { byteNibbles, halfMask, pairNibbles } from "./constants"
import { highHalves, lowHalves } from "./math"
import { biasOffset, pairsOffset, scaleOffset, sumOffset } from "./quantize"
import { STRETCH_GROUPS, tile16, tile16Wide, tile7, tile7Wide } from "./tiles-int"
import { finishRows } from "./vector-int"

/** Columns unpacked at a time; the tile takes 16 bytes a column, 32 where products are 16-bit. */
const COLUMNS = STRETCH_GROUPS * GROUP
/** Scratch: sums [tokens][16 rows], then scales [group][16], minima [group][16], then the tile. */
const SCALES: usize = MAX_MATRIX_TOKENS * 64
const MINIMA: usize = SCALES + STRETCH_GROUPS * 64
const TILE: usize = MINIMA + STRETCH_GROUPS * 64
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
  for (let group = 0; group < groups; group += STRETCH_GROUPS) {
    const count = min(STRETCH_GROUPS, groups - group)
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
