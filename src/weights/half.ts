// The 16-bit floats, by bits: IEEE half (JavaScript has no Float16Array on Node 20) and bfloat16, to and from
// float32, one value or many.

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)
let table: Float32Array | undefined

/** Table of all 65536 halves (256 KiB, made on first use), for loops over many: `halves()[bits]`. */
export function halves(): Float32Array {
  if (table !== undefined) return table
  table = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : NaN
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24
    else table[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25)
  }
  return table
}

export const halfToFloat = (half: number): number => halves()[half]

/** Bits of the half nearest to the float32 with these bits, ties to even; beyond 65520 infinity. */
function roundToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000
    return sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13)
  }
  // The float32 spacing in [0.5, 1) is 2^-24, the spacing of subnormal halves: adding 0.5 rounds for us.
  scratchBits[0] = magnitude
  scratch[0] += 0.5
  return sign | (scratchBits[0] - 0x3f000000)
}

/** Bits of the half nearest to `value` rounded to float32, ties to even. */
export function floatToHalf(value: number): number {
  scratch[0] = value
  return roundToHalf(scratchBits[0])
}

/** Halves of all `values` into `into` (two bytes each, same count). */
export function toHalves(values: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) into[i] = roundToHalf(bits[i])
}

/** bfloat16 of all `values`, ties to even; NaN stays NaN. */
export function toBrainFloats(values: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]
    into[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16
  }
}
