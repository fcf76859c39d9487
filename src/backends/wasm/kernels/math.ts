// Small numeric pieces that several kernels share. Every kernel multiplies and adds through `madd`, so that one
// output is the same chain of the same instructions in all of them.

/** `a * b + c`, fused where relaxed SIMD exists. */
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return f32x4.relaxed_madd(a, b, c)
  } else {
    return f32x4.add(f32x4.mul(a, b), c)
  }
}

/**
 * Sums of two products each of signed bytes `a` and of `b`, which is within 0..127, as 16-bit lanes. Only for code
 * behind ASC_FEATURE_RELAXED_SIMD.
 */
@inline export function dot7(a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return v128.relaxed_dot<i16>(a, b)
  } else {
    unreachable()
    return a
  }
}

/** Sum of the four lanes, in a fixed order. */
@inline export function sum4(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 2) + (f32x4.extract_lane(x, 1) + f32x4.extract_lane(x, 3))
  )
}

@inline export function max4(x: v128): f32 {
  return max(
    max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  )
}

/**
 * exp(x), relative error about 1e-7; x is held within -87..88. Range reduction by ln 2 in two parts and the
 * polynomial of Cephes' expf (Moshier 1989).
 */
@inline export function exp4(x: v128): v128 {
  x = f32x4.max(f32x4.min(x, f32x4.splat(88.0)), f32x4.splat(-87.0))
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)))
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  let p = f32x4.splat(1.9875691500e-4)
  p = madd(p, r, f32x4.splat(1.3981999507e-3))
  p = madd(p, r, f32x4.splat(8.3334519073e-3))
  p = madd(p, r, f32x4.splat(4.1665795894e-2))
  p = madd(p, r, f32x4.splat(1.6666665459e-1))
  p = madd(p, r, f32x4.splat(5.0000001201e-1))
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1))
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23)
  return f32x4.mul(p, power)
}

/**
 * log(x) of a positive normal number: with x = 2^n m and s = (m - 1) / (m + 1), it is n ln 2 + 2 atanh(s). The library's
 * own needs tables in memory, where the control cells are.
 */
export function log(x: f64): f64 {
  const bits = reinterpret<u64>(x)
  let n = <i32>(bits >> 52) - 1023
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000)
  if (m > 1.4142135623730951) {
    m *= 0.5
    n++
  }
  const s = (m - 1) / (m + 1)
  const q = s * s
  let sum: f64 = 0
  for (let i = 17; i > 0; i -= 2) sum = sum * q + 1 / <f64>i
  return <f64>n * 0.6931471805599453 + 2 * s * sum
}

/** 2^112: a half moved into a float's fields by shifts alone is too small by this factor. */
export const HALF_SCALE: f32 = 5.192296858534828e33

/** The halves in the low 16 bits of each lane, times 2^-112. Infinities become 65536. */
@inline export function lowHalves(x: v128, mask: v128): v128 {
  return v128.and(i32x4.shr_s(i32x4.shl(x, 16), 3), mask)
}

/** The halves in the high 16 bits of each lane, times 2^-112. */
@inline export function highHalves(x: v128, mask: v128): v128 {
  return v128.and(i32x4.shr_s(x, 3), mask)
}

/** One half as a float. */
@inline export function halfToFloat(half: u16): f32 {
  return reinterpret<f32>((((<i32>(<i16>half)) << 13) & 0x8fffe000)) * HALF_SCALE
}

/** A float rounded to a half, ties to even. */
export function floatToHalf(value: f32): u16 {
  const bits = reinterpret<u32>(value)
  const sign = (bits >> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x47800000) return <u16>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00))
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 lets the float unit round at 2^-24.
    return <u16>(sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + 0.5) - 0x3f000000))
  }
  return <u16>(sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13))
}
