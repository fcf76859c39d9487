// The 8-bit form of activations: records of one token (for the vector kernels) or of four (for the matrix kernels).
// With `n` tokens of K values a record holds
//   i8   [K / 4][n][4] the values
//   i16  [K / 2][n][2] the same, each four as k0 k2 | k1 k3
//   i16  [K / 32][n][2] per group -8 * (sum of the k with k % 4 < 2), -8 * (sum of the others)
//   i32  [K / 32][n] per group the sum
//   f32  [n] scales
import { GROUP } from "../opcodes"
import { address, arg } from "./command"
import { max4 } from "./math"

/** Offsets within a record of `count` values, those of all its tokens. */
@inline export function pairsOffset(count: i32): usize {
  return count
}
@inline export function biasOffset(count: i32): usize {
  return 3 * count
}
@inline export function sumOffset(count: i32): usize {
  return 3 * count + (count / GROUP) * 4
}
@inline export function scaleOffset(count: i32): usize {
  return 3 * count + (count / GROUP) * 8
}

/** Operands: x, records, K, bytes of a record, tokens of a record. Unit: a token. */
export function quantizeUnit(command: usize, token: i32): void {
  const k = arg(command, 2)
  const together = arg(command, 4)
  const x = address(command, 0) + <usize>(token * k) * 4
  // What this token's part of the record is relative to its first token's.
  const record = address(command, 1) + <usize>(token / together) * <usize>arg(command, 3) + <usize>(token % together) * 4
  const step = <usize>together * 4
  const count = k * together
  let largest = f32x4.splat(0)
  for (let i: usize = 0; i < <usize>k * 4; i += 32) {
    largest = f32x4.max(largest, f32x4.abs(v128.load(x + i)))
    largest = f32x4.max(largest, f32x4.abs(v128.load(x + i, 16)))
  }
  const maximum = max4(largest)
  store<f32>(record + scaleOffset(count), maximum / 127)
  const inverse = f32x4.splat(maximum == 0 ? 0 : 127 / maximum)
  let source = x
  let bytes = record
  let pairs = record + pairsOffset(count)
  let bias = record + biasOffset(count)
  let sum = record + sumOffset(count)
  for (let g = 0; g < k / GROUP; g++) {
    // Lane i: sum over the values k with k % 8 = i.
    let total: v128 = i32x4.splat(0)
    for (let i = 0; i < GROUP; i += 8) {
      const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source), inverse)))
      const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source, 16), inverse)))
      const both = i16x8.narrow_i32x4_s(a, b)
      const narrow = i8x16.narrow_i16x8_s(both, both)
      v128.store32_lane(bytes, narrow, 0)
      v128.store32_lane(bytes + step, narrow, 1)
      const ordered = v128.shuffle<i16>(both, both, 0, 2, 1, 3, 4, 6, 5, 7)
      v128.store32_lane(pairs, ordered, 0)
      v128.store32_lane(pairs + step, ordered, 1)
      v128.store32_lane(pairs + 2 * step, ordered, 2)
      v128.store32_lane(pairs + 3 * step, ordered, 3)
      total = i16x8.add(total, both)
      source += 32
      bytes += 2 * step
      pairs += 4 * step
    }
    const halves = i32x4.extadd_pairwise_i16x8_s(total)
    const first = i32x4.extract_lane(halves, 0) + i32x4.extract_lane(halves, 2)
    const second = i32x4.extract_lane(halves, 1) + i32x4.extract_lane(halves, 3)
    store<i16>(bias, <i16>(-8 * first))
    store<i16>(bias, <i16>(-8 * second), 2)
    store<i32>(sum, first + second)
    bias += step
    sum += step
  }
}
