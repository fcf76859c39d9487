// linear for one token and integer weights: streams the panels once. The integer sum of a group is exact, so only
// the chain over groups, one multiply-add each, decides the bits; matrix-int.ts keeps the same chain.
import { GROUP, INT4_BLOCK, INT4_MIN_BLOCK, INT8_BLOCK, INT8_CHANNEL_BLOCK, INT_PANEL, Kind } from "../opcodes"
import { address, arg, scratch } from "./command"
import { channelScales, panelBytes } from "./layout"
import { HALF_SCALE, dot7, highHalves, lowHalves, madd } from "./math"
import { biasOffset, pairsOffset, scaleOffset, sumOffset } from "./quantize"

/** Two steps of 4 columns: the low nibbles with `low`, the high ones with `high`, onto 16-bit sums. */
@inline function nibbleSteps(sum: v128, packed: v128, low: v128, high: v128): v128 {
  const mask = i8x16.splat(15)
  return i16x8.add(
    i16x8.add(sum, dot7(low, v128.and(packed, mask))),
    dot7(high, v128.and(i16x8.shr_u(packed, 4), mask)),
  )
}

/** The same on 32-bit sums with 16-bit activations in the order k0 k2 | k1 k3. */
@inline function nibblePairs(sum: v128, packed: v128, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const mask = i16x8.splat(15)
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x0, v128.and(packed, mask)))
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x1, v128.and(i16x8.shr_u(packed, 8), mask)))
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x2, v128.and(i16x8.shr_u(packed, 4), mask)))
  return i32x4.add(sum, i32x4.dot_i16x8_s(x3, i16x8.shr_u(packed, 12)))
}

@inline function bytePairs(sum: v128, packed: v128, x0: v128, x1: v128): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x0, i16x8.shr_s(i16x8.shl(packed, 8), 8)))
  return i32x4.add(sum, i32x4.dot_i16x8_s(x1, i16x8.shr_s(packed, 8)))
}

/** 16 rows of int4 or int4-min; sums times 2^-112 to `out`. */
function panelInt4(record: usize, k: i32, panel: usize, minimum: bool, out: usize): void {
  let f0: v128 = f32x4.splat(0)
  let f1: v128 = f32x4.splat(0)
  let f2: v128 = f32x4.splat(0)
  let f3: v128 = f32x4.splat(0)
  const groups = k / GROUP
  let sums = record + sumOffset(k)
  let bias = record + biasOffset(k)
  let x = ASC_FEATURE_RELAXED_SIMD ? record : record + pairsOffset(k)
  for (let g = 0; g < groups; g++) {
    let a0: v128
    let a1: v128
    let a2: v128
    let a3: v128
    if (ASC_FEATURE_RELAXED_SIMD) {
      a0 = minimum ? i16x8.splat(0) : v128.load32_splat(bias)
      a1 = a0
      a2 = a0
      a3 = a0
      let low = v128.load32_splat(x)
      let high = v128.load32_splat(x, 4)
      a0 = nibbleSteps(a0, v128.load(panel, 0), low, high)
      a1 = nibbleSteps(a1, v128.load(panel, 16), low, high)
      a2 = nibbleSteps(a2, v128.load(panel, 32), low, high)
      a3 = nibbleSteps(a3, v128.load(panel, 48), low, high)
      low = v128.load32_splat(x, 8)
      high = v128.load32_splat(x, 12)
      a0 = nibbleSteps(a0, v128.load(panel, 64), low, high)
      a1 = nibbleSteps(a1, v128.load(panel, 80), low, high)
      a2 = nibbleSteps(a2, v128.load(panel, 96), low, high)
      a3 = nibbleSteps(a3, v128.load(panel, 112), low, high)
      low = v128.load32_splat(x, 16)
      high = v128.load32_splat(x, 20)
      a0 = nibbleSteps(a0, v128.load(panel, 128), low, high)
      a1 = nibbleSteps(a1, v128.load(panel, 144), low, high)
      a2 = nibbleSteps(a2, v128.load(panel, 160), low, high)
      a3 = nibbleSteps(a3, v128.load(panel, 176), low, high)
      low = v128.load32_splat(x, 24)
      high = v128.load32_splat(x, 28)
      a0 = nibbleSteps(a0, v128.load(panel, 192), low, high)
      a1 = nibbleSteps(a1, v128.load(panel, 208), low, high)
      a2 = nibbleSteps(a2, v128.load(panel, 224), low, high)
      a3 = nibbleSteps(a3, v128.load(panel, 240), low, high)
      a0 = i32x4.extadd_pairwise_i16x8_s(a0)
      a1 = i32x4.extadd_pairwise_i16x8_s(a1)
      a2 = i32x4.extadd_pairwise_i16x8_s(a2)
      a3 = i32x4.extadd_pairwise_i16x8_s(a3)
      x += 32
    } else {
      a0 = minimum ? i32x4.splat(0) : i32x4.splat(-8 * load<i32>(sums))
      a1 = a0
      a2 = a0
      a3 = a0
      for (let part: usize = 0; part < 256; part += 64) {
        const x0 = v128.load32_splat(x)
        const x1 = v128.load32_splat(x, 4)
        const x2 = v128.load32_splat(x, 8)
        const x3 = v128.load32_splat(x, 12)
        a0 = nibblePairs(a0, v128.load(panel + part, 0), x0, x1, x2, x3)
        a1 = nibblePairs(a1, v128.load(panel + part, 16), x0, x1, x2, x3)
        a2 = nibblePairs(a2, v128.load(panel + part, 32), x0, x1, x2, x3)
        a3 = nibblePairs(a3, v128.load(panel + part, 48), x0, x1, x2, x3)
        x += 16
      }
    }
    let s = v128.load(panel, 256)
    f0 = madd(f32x4.convert_i32x4_s(a0), lowHalves(s), f0)
    f1 = madd(f32x4.convert_i32x4_s(a1), highHalves(s), f1)
    s = v128.load(panel, 272)
    f2 = madd(f32x4.convert_i32x4_s(a2), lowHalves(s), f2)
    f3 = madd(f32x4.convert_i32x4_s(a3), highHalves(s), f3)
    if (minimum) {
      const total = f32x4.splat(<f32>load<i32>(sums))
      s = v128.load(panel, 288)
      f0 = madd(total, lowHalves(s), f0)
      f1 = madd(total, highHalves(s), f1)
      s = v128.load(panel, 304)
      f2 = madd(total, lowHalves(s), f2)
      f3 = madd(total, highHalves(s), f3)
      panel += INT4_MIN_BLOCK
    } else {
      panel += INT4_BLOCK
    }
    sums += 4
    bias += 4
  }
  v128.store(out, f0)
  v128.store(out, f1, 16)
  v128.store(out, f2, 32)
  v128.store(out, f3, 48)
}

/** 16 rows of int8 (sums times 2^-112) or int8-channel (sums without any scale) to `out`. */
function panelInt8(record: usize, k: i32, panel: usize, channel: bool, out: usize): void {
  let f0: v128 = f32x4.splat(0)
  let f1: v128 = f32x4.splat(0)
  let f2: v128 = f32x4.splat(0)
  let f3: v128 = f32x4.splat(0)
  const groups = k / GROUP
  let x = record + pairsOffset(k)
  for (let g = 0; g < groups; g++) {
    let a0: v128 = i32x4.splat(0)
    let a1 = a0
    let a2 = a0
    let a3 = a0
    for (let part: usize = 0; part < 512; part += 128) {
      let x0 = v128.load32_splat(x)
      let x1 = v128.load32_splat(x, 4)
      a0 = bytePairs(a0, v128.load(panel + part, 0), x0, x1)
      a1 = bytePairs(a1, v128.load(panel + part, 16), x0, x1)
      a2 = bytePairs(a2, v128.load(panel + part, 32), x0, x1)
      a3 = bytePairs(a3, v128.load(panel + part, 48), x0, x1)
      x0 = v128.load32_splat(x, 8)
      x1 = v128.load32_splat(x, 12)
      a0 = bytePairs(a0, v128.load(panel + part, 64), x0, x1)
      a1 = bytePairs(a1, v128.load(panel + part, 80), x0, x1)
      a2 = bytePairs(a2, v128.load(panel + part, 96), x0, x1)
      a3 = bytePairs(a3, v128.load(panel + part, 112), x0, x1)
      x += 16
    }
    if (channel) {
      f0 = f32x4.add(f32x4.convert_i32x4_s(a0), f0)
      f1 = f32x4.add(f32x4.convert_i32x4_s(a1), f1)
      f2 = f32x4.add(f32x4.convert_i32x4_s(a2), f2)
      f3 = f32x4.add(f32x4.convert_i32x4_s(a3), f3)
      panel += INT8_CHANNEL_BLOCK
    } else {
      let s = v128.load(panel, 512)
      f0 = madd(f32x4.convert_i32x4_s(a0), lowHalves(s), f0)
      f1 = madd(f32x4.convert_i32x4_s(a1), highHalves(s), f1)
      s = v128.load(panel, 528)
      f2 = madd(f32x4.convert_i32x4_s(a2), lowHalves(s), f2)
      f3 = madd(f32x4.convert_i32x4_s(a3), highHalves(s), f3)
      panel += INT8_BLOCK
    }
  }
  v128.store(out, f0)
  v128.store(out, f1, 16)
  v128.store(out, f2, 32)
  v128.store(out, f3, 48)
}

/**
 * The sums of 16 rows become results: times the token's scale and 2^112, or the rows' scales. Only rows that
 * exist are written.
 */
export function finishRows(sums: usize, scale: f32, rowScales: usize, y: usize, rows: i32): void {
  const tokenScale = f32x4.splat(scale)
  for (let i: usize = 0; i < <usize>INT_PANEL * 4; i += 16) {
    const factor = rowScales ? v128.load(rowScales + i) : f32x4.splat(HALF_SCALE)
    v128.store(sums + i, f32x4.mul(f32x4.mul(v128.load(sums + i), factor), tokenScale))
  }
  if (rows >= INT_PANEL) {
    for (let i: usize = 0; i < <usize>INT_PANEL * 4; i += 16) v128.store(y + i, v128.load(sums + i))
  } else {
    memory.copy(y, sums, <usize>rows * 4)
  }
}

/** Operands as LinearMatrix: see matrix-int.ts. Unit: `arg 8` panels. */
export function vectorIntUnit(command: usize, unit: i32): void {
  const record = address(command, 0)
  const weight = address(command, 2)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const each = arg(command, 8)
  const bytes = panelBytes(kind, k)
  const first = unit * each
  const last = min(first + each, (n + INT_PANEL - 1) / INT_PANEL)
  const scale = load<f32>(record + scaleOffset(k))
  const scales = kind == Kind.Int8Channel ? channelScales(weight, n, k) : 0
  for (let p = first; p < last; p++) {
    const panel = weight + <usize>p * bytes
    if (kind == Kind.Int4) panelInt4(record, k, panel, false, scratch)
    else if (kind == Kind.Int4Min) panelInt4(record, k, panel, true, scratch)
    else panelInt8(record, k, panel, kind == Kind.Int8Channel, scratch)
    const row = p * INT_PANEL
    const y = address(command, 3) + <usize>row * 4
    finishRows(scratch, scale, scales ? scales + <usize>row * 4 : 0, y, n - row)
  }
}
