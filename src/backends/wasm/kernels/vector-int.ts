// linear for one token and integer weights: streams the panels once. The integer sum of a group is exact, so only
// the chain over groups, one multiply-add each, decides the bits; matrix-int.ts keeps the same chain.
import { GROUP, INT4_BLOCK, INT4_MIN_BLOCK, INT8_BLOCK, INT8_CHANNEL_BLOCK, INT_PANEL, Kind } from "../opcodes"
import { address, arg, scratch, unitsOf } from "./command"
import { channelScales, panelBytes } from "./layout"
import { byteNibbles, halfMask, pairNibbles, pairOnes } from "./constants"
import { HALF_SCALE, dot7, highHalves, lowHalves, madd } from "./math"
import { biasOffset, pairsOffset, scaleOffset, sumOffset } from "./quantize"

/** Two steps of 4 columns: the low nibbles with `low`, the high ones with `high`, onto 16-bit sums. */
@inline function nibbleSteps(sum: v128, packed: v128, low: v128, high: v128, mask: v128): v128 {
  return i16x8.add(
    i16x8.add(sum, dot7(low, v128.and(packed, mask))),
    dot7(high, v128.and(i16x8.shr_u(packed, 4), mask)),
  )
}

/** The same on 32-bit sums with 16-bit activations in the order k0 k2 | k1 k3. */
@inline function nibblePairs(sum: v128, packed: v128, x0: v128, x1: v128, x2: v128, x3: v128, mask: v128): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x0, v128.and(packed, mask)))
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x1, v128.and(i16x8.shr_u(packed, 8), mask)))
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x2, v128.and(i16x8.shr_u(packed, 4), mask)))
  return i32x4.add(sum, i32x4.dot_i16x8_s(x3, i16x8.shr_u(packed, 12)))
}

@inline function bytePairs(sum: v128, packed: v128, x0: v128, x1: v128): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(x0, i16x8.shr_s(i16x8.shl(packed, 8), 8)))
  return i32x4.add(sum, i32x4.dot_i16x8_s(x1, i16x8.shr_s(packed, 8)))
}

/** Sums of 16 rows in memory: `sums += integers * scales` for a group. */
@inline function addScaled(sums: usize, scales: usize, a0: v128, a1: v128, a2: v128, a3: v128, halves: v128): void {
  // Stored two by two: Node 20's register allocation falls apart when all four wait for the end.
  const s = v128.load(scales)
  const t = v128.load(scales, 16)
  let f = madd(a0, lowHalves(s, halves), v128.load(sums))
  let g = madd(a1, lowHalves(t, halves), v128.load(sums, 16))
  v128.store(sums, f)
  v128.store(sums, g, 16)
  f = madd(a2, highHalves(s, halves), v128.load(sums, 32))
  g = madd(a3, highHalves(t, halves), v128.load(sums, 48))
  v128.store(sums, f, 32)
  v128.store(sums, g, 48)
}

/** The same of pairs of 16-bit sums. */
@inline function addPairs(
  sums: usize, scales: usize, a0: v128, a1: v128, a2: v128, a3: v128, halves: v128, ones: v128,
): void {
  addScaled(
    sums, scales,
    f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a0, ones)),
    f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a1, ones)),
    f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a2, ones)),
    f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a3, ones)),
    halves,
  )
}

/** One group of 16 rows with 7-bit products. x: 32 bytes; start: 16-bit sums to begin with. */
@inline function nibbleGroup7(x: usize, start: v128, block: usize, sums: usize, mask: v128, halves: v128, ones: v128): void {
  let low = v128.load32_splat(x)
  let high = v128.load32_splat(x, 4)
  let a0 = nibbleSteps(start, v128.load(block, 0), low, high, mask)
  let a1 = nibbleSteps(start, v128.load(block, 16), low, high, mask)
  let a2 = nibbleSteps(start, v128.load(block, 32), low, high, mask)
  let a3 = nibbleSteps(start, v128.load(block, 48), low, high, mask)
  low = v128.load32_splat(x, 8)
  high = v128.load32_splat(x, 12)
  a0 = nibbleSteps(a0, v128.load(block, 64), low, high, mask)
  a1 = nibbleSteps(a1, v128.load(block, 80), low, high, mask)
  a2 = nibbleSteps(a2, v128.load(block, 96), low, high, mask)
  a3 = nibbleSteps(a3, v128.load(block, 112), low, high, mask)
  low = v128.load32_splat(x, 16)
  high = v128.load32_splat(x, 20)
  a0 = nibbleSteps(a0, v128.load(block, 128), low, high, mask)
  a1 = nibbleSteps(a1, v128.load(block, 144), low, high, mask)
  a2 = nibbleSteps(a2, v128.load(block, 160), low, high, mask)
  a3 = nibbleSteps(a3, v128.load(block, 176), low, high, mask)
  low = v128.load32_splat(x, 24)
  high = v128.load32_splat(x, 28)
  a0 = nibbleSteps(a0, v128.load(block, 192), low, high, mask)
  a1 = nibbleSteps(a1, v128.load(block, 208), low, high, mask)
  a2 = nibbleSteps(a2, v128.load(block, 224), low, high, mask)
  a3 = nibbleSteps(a3, v128.load(block, 240), low, high, mask)
  addPairs(sums, block + 256, a0, a1, a2, a3, halves, ones)
}

/** One group of two panels with 7-bit products: the activations are loaded once for both. */
@inline function nibbleGroups7(
  x: usize, start: v128, first: usize, second: usize, sums: usize, mask: v128, halves: v128, ones: v128,
): void {
  let low = v128.load32_splat(x)
  let high = v128.load32_splat(x, 4)
  let a0 = nibbleSteps(start, v128.load(first, 0), low, high, mask)
  let a1 = nibbleSteps(start, v128.load(first, 16), low, high, mask)
  let a2 = nibbleSteps(start, v128.load(first, 32), low, high, mask)
  let a3 = nibbleSteps(start, v128.load(first, 48), low, high, mask)
  let b0 = nibbleSteps(start, v128.load(second, 0), low, high, mask)
  let b1 = nibbleSteps(start, v128.load(second, 16), low, high, mask)
  let b2 = nibbleSteps(start, v128.load(second, 32), low, high, mask)
  let b3 = nibbleSteps(start, v128.load(second, 48), low, high, mask)
  low = v128.load32_splat(x, 8)
  high = v128.load32_splat(x, 12)
  a0 = nibbleSteps(a0, v128.load(first, 64), low, high, mask)
  a1 = nibbleSteps(a1, v128.load(first, 80), low, high, mask)
  a2 = nibbleSteps(a2, v128.load(first, 96), low, high, mask)
  a3 = nibbleSteps(a3, v128.load(first, 112), low, high, mask)
  b0 = nibbleSteps(b0, v128.load(second, 64), low, high, mask)
  b1 = nibbleSteps(b1, v128.load(second, 80), low, high, mask)
  b2 = nibbleSteps(b2, v128.load(second, 96), low, high, mask)
  b3 = nibbleSteps(b3, v128.load(second, 112), low, high, mask)
  low = v128.load32_splat(x, 16)
  high = v128.load32_splat(x, 20)
  a0 = nibbleSteps(a0, v128.load(first, 128), low, high, mask)
  a1 = nibbleSteps(a1, v128.load(first, 144), low, high, mask)
  a2 = nibbleSteps(a2, v128.load(first, 160), low, high, mask)
  a3 = nibbleSteps(a3, v128.load(first, 176), low, high, mask)
  b0 = nibbleSteps(b0, v128.load(second, 128), low, high, mask)
  b1 = nibbleSteps(b1, v128.load(second, 144), low, high, mask)
  b2 = nibbleSteps(b2, v128.load(second, 160), low, high, mask)
  b3 = nibbleSteps(b3, v128.load(second, 176), low, high, mask)
  low = v128.load32_splat(x, 24)
  high = v128.load32_splat(x, 28)
  a0 = nibbleSteps(a0, v128.load(first, 192), low, high, mask)
  a1 = nibbleSteps(a1, v128.load(first, 208), low, high, mask)
  a2 = nibbleSteps(a2, v128.load(first, 224), low, high, mask)
  a3 = nibbleSteps(a3, v128.load(first, 240), low, high, mask)
  b0 = nibbleSteps(b0, v128.load(second, 192), low, high, mask)
  b1 = nibbleSteps(b1, v128.load(second, 208), low, high, mask)
  b2 = nibbleSteps(b2, v128.load(second, 224), low, high, mask)
  b3 = nibbleSteps(b3, v128.load(second, 240), low, high, mask)
  addPairs(sums, first + 256, a0, a1, a2, a3, halves, ones)
  addPairs(sums + 64, second + 256, b0, b1, b2, b3, halves, ones)
}

/** The same with 16-bit products: 64 bytes of x, 32-bit sums. */
@inline function nibbleGroup16(x: usize, start: v128, block: usize, sums: usize, mask: v128, halves: v128): void {
  let a0 = start
  let a1 = start
  let a2 = start
  let a3 = start
  for (let part: usize = 0; part < 256; part += 64) {
    const x0 = v128.load32_splat(x)
    const x1 = v128.load32_splat(x, 4)
    const x2 = v128.load32_splat(x, 8)
    const x3 = v128.load32_splat(x, 12)
    a0 = nibblePairs(a0, v128.load(block + part, 0), x0, x1, x2, x3, mask)
    a1 = nibblePairs(a1, v128.load(block + part, 16), x0, x1, x2, x3, mask)
    a2 = nibblePairs(a2, v128.load(block + part, 32), x0, x1, x2, x3, mask)
    a3 = nibblePairs(a3, v128.load(block + part, 48), x0, x1, x2, x3, mask)
    x += 16
  }
  addScaled(
    sums, block + 256, f32x4.convert_i32x4_s(a0), f32x4.convert_i32x4_s(a1), f32x4.convert_i32x4_s(a2),
    f32x4.convert_i32x4_s(a3), halves,
  )
}

/**
 * Panels `first`, `first + far`, ... (`count` of them) of int4 at once: distant streams keep more of the memory
 * busy than one. Sums times 2^-112 to scratch.
 */
function panelsInt4(record: usize, k: i32, first: usize, far: usize, count: i32): void {
  let bias = record + (ASC_FEATURE_RELAXED_SIMD ? biasOffset(k) : sumOffset(k))
  let x = ASC_FEATURE_RELAXED_SIMD ? record : record + pairsOffset(k)
  const end = first + <usize>(k / GROUP) * INT4_BLOCK
  const mask = ASC_FEATURE_RELAXED_SIMD ? byteNibbles() : pairNibbles()
  const halves = halfMask()
  const ones = pairOnes()
  for (let panel = first; panel < end; panel += INT4_BLOCK) {
    let block = panel
    let sums = scratch
    const start = ASC_FEATURE_RELAXED_SIMD ? v128.load32_splat(bias) : i32x4.splat(-8 * load<i32>(bias))
    let i = 0
    if (ASC_FEATURE_RELAXED_SIMD) {
      for (; i + 1 < count; i += 2) {
        nibbleGroups7(x, start, block, block + far, sums, mask, halves, ones)
        block += 2 * far
        sums += 128
      }
    }
    for (; i < count; i++) {
      if (ASC_FEATURE_RELAXED_SIMD) {
        nibbleGroup7(x, start, block, sums, mask, halves, ones)
      } else {
        nibbleGroup16(x, start, block, sums, mask, halves)
      }
      block += far
      sums += 64
    }
    bias += 4
    x += ASC_FEATURE_RELAXED_SIMD ? 32 : 64
  }
}

/** The same for int4-min, whose minimum is multiplied with the group's sum of activations. */
function panelsInt4Min(record: usize, k: i32, first: usize, far: usize, count: i32): void {
  let total = record + sumOffset(k)
  let x = ASC_FEATURE_RELAXED_SIMD ? record : record + pairsOffset(k)
  const end = first + <usize>(k / GROUP) * INT4_MIN_BLOCK
  const mask = ASC_FEATURE_RELAXED_SIMD ? byteNibbles() : pairNibbles()
  const halves = halfMask()
  const ones = pairOnes()
  for (let panel = first; panel < end; panel += INT4_MIN_BLOCK) {
    let block = panel
    let sums = scratch
    const t = f32x4.splat(<f32>load<i32>(total))
    for (let i = 0; i < count; i++) {
      if (ASC_FEATURE_RELAXED_SIMD) {
        nibbleGroup7(x, i16x8.splat(0), block, sums, mask, halves, ones)
      } else {
        nibbleGroup16(x, i32x4.splat(0), block, sums, mask, halves)
      }
      addScaled(sums, block + 288, t, t, t, t, halves)
      block += far
      sums += 64
    }
    total += 4
    x += ASC_FEATURE_RELAXED_SIMD ? 32 : 64
  }
}

/** The same for int8 (sums times 2^-112) and int8-channel (sums without any scale). */
function panelsInt8(record: usize, k: i32, first: usize, far: usize, count: i32, channel: bool): void {
  let x = record + pairsOffset(k)
  const bytes: usize = channel ? INT8_CHANNEL_BLOCK : INT8_BLOCK
  const end = first + <usize>(k / GROUP) * bytes
  const halves = halfMask()
  for (let panel = first; panel < end; panel += bytes) {
    let group = panel
    let sums = scratch
    for (let i = 0; i < count; i++) {
      let a0: v128 = i32x4.splat(0)
      let a1 = a0
      let a2 = a0
      let a3 = a0
      let pairs = x
      let block = group
      for (let part = 0; part < 4; part++) {
        let x0 = v128.load32_splat(pairs)
        let x1 = v128.load32_splat(pairs, 4)
        a0 = bytePairs(a0, v128.load(block, 0), x0, x1)
        a1 = bytePairs(a1, v128.load(block, 16), x0, x1)
        a2 = bytePairs(a2, v128.load(block, 32), x0, x1)
        a3 = bytePairs(a3, v128.load(block, 48), x0, x1)
        x0 = v128.load32_splat(pairs, 8)
        x1 = v128.load32_splat(pairs, 12)
        a0 = bytePairs(a0, v128.load(block, 64), x0, x1)
        a1 = bytePairs(a1, v128.load(block, 80), x0, x1)
        a2 = bytePairs(a2, v128.load(block, 96), x0, x1)
        a3 = bytePairs(a3, v128.load(block, 112), x0, x1)
        pairs += 16
        block += 128
      }
      const f0 = f32x4.convert_i32x4_s(a0)
      const f1 = f32x4.convert_i32x4_s(a1)
      const f2 = f32x4.convert_i32x4_s(a2)
      const f3 = f32x4.convert_i32x4_s(a3)
      if (channel) {
        v128.store(sums, f32x4.add(v128.load(sums), f0))
        v128.store(sums, f32x4.add(v128.load(sums, 16), f1), 16)
        v128.store(sums, f32x4.add(v128.load(sums, 32), f2), 32)
        v128.store(sums, f32x4.add(v128.load(sums, 48), f3), 48)
      } else {
        addScaled(sums, block, f0, f1, f2, f3, halves)
      }
      group += far
      sums += 64
    }
    x += 64
  }
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

/** Operands as LinearMatrix: see matrix-int.ts. Unit u: the panels u, u + units, u + 2 units, ... */
export function vectorIntUnit(command: usize, unit: i32): void {
  const record = address(command, 0)
  const weight = address(command, 2)
  const k = arg(command, 5)
  const n = arg(command, 6)
  const kind = arg(command, 7)
  const units = unitsOf(command)
  const bytes = panelBytes(kind, k)
  const panels = (n + INT_PANEL - 1) / INT_PANEL
  const count = (panels - unit + units - 1) / units
  const first = weight + <usize>unit * bytes
  const far = <usize>units * bytes
  for (let i: usize = 0; i < <usize>count * 64; i += 16) v128.store(scratch + i, i32x4.splat(0))
  if (kind == Kind.Int4) panelsInt4(record, k, first, far, count)
  else if (kind == Kind.Int4Min) panelsInt4Min(record, k, first, far, count)
  else panelsInt8(record, k, first, far, count, kind == Kind.Int8Channel)
  const scale = load<f32>(record + scaleOffset(k))
  const scales = kind == Kind.Int8Channel ? channelScales(weight, n, k) : 0
  for (let i = 0; i < count; i++) {
    const row = (unit + i * units) * INT_PANEL
    const y = address(command, 3) + <usize>row * 4
    finishRows(scratch + <usize>i * 64, scale, scales ? scales + <usize>row * 4 : 0, y, n - row)
  }
}
