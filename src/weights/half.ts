// Half precision (IEEE 754 binary16) to and from float32, by bits: JavaScript has no Float16Array on Node 20.

const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)

/** Value of each of the 65536 halves, made on first use. */
let table: Float32Array | undefined

function makeTable(): Float32Array {
  const values = new Float32Array(65536)
  for (let half = 0; half < 65536; half++) {
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Infinity
            : NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15)
    values[half] = half & 0x8000 ? -magnitude : magnitude
  }
  return values
}

/** Table of all halves, for loops over many: `halves()[bits]`. */
export function halves(): Float32Array {
  return (table ??= makeTable())
}

export const halfToFloat = (half: number): number => halves()[half]

/** Rounds to nearest, ties to even; beyond 65504 becomes infinity. */
export function floatToHalf(value: number): number {
  float[0] = value
  const bits = word[0]
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // subnormal halves are multiples of 2^-24
    float[0] = Math.abs(float[0])
    const scaled = float[0] * 2 ** 24
    const low = Math.floor(scaled)
    const rest = scaled - low
    return sign | (low + (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? 1 : 0))
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}
