// The 8-bit form of activations. One record a token, see `quantizedBytes`:
//   i8[K] the values | i16[2K/2] the same, each four as k0 k2 k1 k3 | per group two i16 -8*(k0+k1), -8*(k2+k3)
//   | per group i32 sum | f32 scale
import { GROUP } from "../opcodes"
import { address, arg } from "./command"
import { max4 } from "./math"

/** Offsets within the record of a token with K values. */
@inline export function pairsOffset(k: i32): usize {
  return k
}
@inline export function biasOffset(k: i32): usize {
  return 3 * k
}
@inline export function sumOffset(k: i32): usize {
  return 3 * k + (k / GROUP) * 4
}
@inline export function scaleOffset(k: i32): usize {
  return 3 * k + (k / GROUP) * 8
}

/** Operands: x, record, K, stride of records. Unit: a token. */
export function quantizeUnit(command: usize, token: i32): void {
  const k = arg(command, 2)
  const x = address(command, 0) + <usize>token * k * 4
  const record = address(command, 1) + <usize>token * arg(command, 3)
  let largest = f32x4.splat(0)
  for (let i: usize = 0; i < <usize>k * 4; i += 32) {
    largest = f32x4.max(largest, f32x4.abs(v128.load(x + i)))
    largest = f32x4.max(largest, f32x4.abs(v128.load(x + i, 16)))
  }
  const maximum = max4(largest)
  store<f32>(record + scaleOffset(k), maximum / 127)
  const inverse = f32x4.splat(maximum == 0 ? 0 : 127 / maximum)
  const groups = k / GROUP
  for (let g = 0; g < groups; g++) {
    const source = x + <usize>g * 128
    const bytes = record + <usize>g * 32
    const pairs = record + pairsOffset(k) + <usize>g * 64
    let total: v128 = i32x4.splat(0)
    for (let i: usize = 0; i < 32; i += 8) {
      const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source + i * 4), inverse)))
      const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source + i * 4, 16), inverse)))
      const both = i16x8.narrow_i32x4_s(a, b)
      v128.store64_lane(bytes + i, i8x16.narrow_i16x8_s(both, both), 0)
      v128.store(pairs + i * 2, v128.shuffle<i16>(both, both, 0, 2, 1, 3, 4, 6, 5, 7))
      total = i16x8.add(total, both)
      // lanes of `total`: sums over i of k%8 = 0..7
    }
    // k0+k1 and k2+k3 of every four
    const halves = i32x4.extadd_pairwise_i16x8_s(total)
    const first = i32x4.extract_lane(halves, 0) + i32x4.extract_lane(halves, 2)
    const second = i32x4.extract_lane(halves, 1) + i32x4.extract_lane(halves, 3)
    store<i16>(record + biasOffset(k) + <usize>g * 4, <i16>(-8 * first))
    store<i16>(record + biasOffset(k) + <usize>g * 4, <i16>(-8 * second), 2)
    store<i32>(record + sumOffset(k) + <usize>g * 4, first + second)
  }
}
