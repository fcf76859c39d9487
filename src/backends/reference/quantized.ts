// Products with integer weights: activations quantized to 8 bits a token, exact integer sums within a group.
import { halfToFloat } from "../../weights/half.js"
import { groupSize, type WeightKind } from "../../weights/kind.js"

/** One token's activations as `scale * q`, q in -127..127. */
export interface QuantizedRow {
  readonly q: Int8Array
  readonly scale: number
}

/** Rounds to the nearest integer, ties to even: the one rounding that SIMD units have. */
function roundEven(x: number): number {
  const rounded = Math.round(x)
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

/** `scale = max|x| / 127`, `q = round(x * (127 / max|x|))`, all steps rounded to float32. */
export function quantizeRow(x: Float32Array): QuantizedRow {
  let largest = 0
  for (const value of x) largest = Math.max(largest, Math.abs(value))
  const scale = Math.fround(largest / 127)
  const inverse = largest === 0 ? 0 : Math.fround(127 / largest)
  return { q: Int8Array.from(x, (value) => roundEven(Math.fround(value * inverse))), scale }
}

/** Reads the row of a weight once; the result multiplies it with any quantized token. */
export function integerLinear(kind: WeightKind, bytes: Uint8Array, K: number): (x: QuantizedRow) => number {
  const { weights, scales, minima } = unpack(kind, bytes, K)
  return (x) => {
    let y = 0
    for (let g = 0; g < K / groupSize; g++) {
      let dot = 0
      let sum = 0
      for (let k = g * groupSize; k < (g + 1) * groupSize; k++) {
        dot += weights[k] * x.q[k]
        sum += x.q[k]
      }
      y += scales[g] * dot + minima[g] * sum
    }
    return y * x.scale
  }
}

function unpack(kind: WeightKind, bytes: Uint8Array, K: number) {
  const groups = K / groupSize
  const weights = new Int8Array(K)
  const scales = new Float32Array(groups)
  const minima = new Float32Array(groups)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (kind === "int8-channel") {
    scales.fill(view.getFloat32(0, true))
    weights.set(new Int8Array(bytes.buffer, bytes.byteOffset + 4, K))
    return { weights, scales, minima }
  }
  const header = kind === "int4-min" ? 4 : 2
  const size = header + (kind === "int8" ? groupSize : groupSize / 2)
  for (let g = 0; g < groups; g++) {
    scales[g] = halfToFloat(view.getUint16(g * size, true))
    if (kind === "int4-min") minima[g] = halfToFloat(view.getUint16(g * size + 2, true))
    for (let i = 0; i < groupSize; i++) {
      const at = g * size + header
      if (kind === "int8") weights[g * groupSize + i] = view.getInt8(at + i)
      else {
        const nibble = i < 16 ? bytes[at + i] & 15 : bytes[at + i - 16] >> 4
        weights[g * groupSize + i] = kind === "int4" ? nibble - 8 : nibble
      }
    }
  }
  return { weights, scales, minima }
}
