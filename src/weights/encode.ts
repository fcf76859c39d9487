// float32 rows -> rows of a kind of weight, and back. Rounding is to the nearest; the grouped kinds follow
// ggml's reference quantizers to the last bit. Which kind a weight should have is decided elsewhere.
import { InvalidFileError } from "../errors/index.js"
import { checkRows } from "./decode.js"
import { toBrainFloats, floatToHalf, toHalves } from "./half.js"
import { groupSize, type WeightKind } from "./kind.js"

/**
 * Encodes whole rows of `columns` values each into `into` (exactly the bytes of those rows).
 *
 * Errors against the values, with a the largest magnitude of a group (of a row for `int8-channel`) and r its
 * largest minus its smallest value: f16 |w| 2^-11, bf16 |w| 2^-8, int8 a/254 + a 2^-11, int8-channel a/254,
 * int4 a/8 at the end of the range opposite to a and a/16 elsewhere + a 2^-11, int4-min r/30 + (a + r) 2^-11;
 * scales below 2^-14 are subnormal halves and add up to 2^-25 a step.
 * InvalidFileError for NaN, infinite or too large values in the integer kinds, whose scales could not hold them.
 */
export function encodeRows(kind: WeightKind, values: Float32Array, columns: number, into: Uint8Array): void {
  checkRows(kind, values.length, columns, into.length)
  switch (kind) {
    case "f32":
      into.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      break
    case "f16":
      throughWords(values, into, toHalves)
      break
    case "bf16":
      throughWords(values, into, toBrainFloats)
      break
    case "int8":
      encodeInt8(values, into)
      break
    case "int8-channel":
      encodeInt8Channel(values, columns, into)
      break
    case "int4":
      encodeInt4(values, into)
      break
    case "int4-min":
      encodeInt4Min(values, into)
      break
  }
}

function throughWords(
  values: Float32Array,
  into: Uint8Array,
  convert: (values: Float32Array, into: Uint16Array) => void,
): void {
  if (into.byteOffset % 2 === 0)
    return convert(values, new Uint16Array(into.buffer, into.byteOffset, values.length))
  const words = new Uint16Array(values.length)
  convert(values, words)
  into.set(new Uint8Array(words.buffer))
}

const fround = Math.fround

/** 1/d in float32, 0 where d is 0 or so small that its inverse is not finite: all quants are then 0. */
function inverse(d: number): number {
  const result = fround(1 / d)
  return Number.isFinite(result) ? result : 0
}

/** Writes `value` as a half at `at`; InvalidFileError for what a half cannot hold. */
export function writeHalf(value: number, into: Uint8Array, at: number): void {
  const bits = floatToHalf(value)
  if ((bits & 0x7c00) === 0x7c00)
    throw new InvalidFileError(
      `weights cannot be quantized: a group needs the scale or minimum ${value}, more than a half-precision ` +
        "number holds (65504), or holds NaN; keep this tensor in f32 or bf16, or check that its file is intact",
    )
  into[at] = bits & 255
  into[at + 1] = bits >> 8
}

function encodeInt8(values: Float32Array, into: Uint8Array): void {
  for (let x = 0, at = 0; x < values.length; x += groupSize, at += 34) {
    let largest = 0
    let sum = 0
    for (let j = 0; j < groupSize; j++) {
      const magnitude = Math.abs(values[x + j])
      if (magnitude > largest) largest = magnitude
      sum += magnitude
    }
    const d = fround(largest / 127)
    const id = inverse(d)
    writeHalf(Number.isNaN(sum) ? NaN : d, into, at)
    for (let j = 0; j < groupSize; j++) {
      const scaled = fround(values[x + j] * id)
      into[at + 2 + j] = scaled < 0 ? scaled - 0.5 : scaled + 0.5
    }
  }
}

function encodeInt8Channel(values: Float32Array, columns: number, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.length)
  for (let x = 0, at = 0; x < values.length; x += columns, at += columns + 4) {
    let largest = 0
    let sum = 0
    for (let j = 0; j < columns; j++) {
      const magnitude = Math.abs(values[x + j])
      if (magnitude > largest) largest = magnitude
      sum += magnitude
    }
    if (!Number.isFinite(sum))
      throw new InvalidFileError("weights cannot be quantized: a row holds NaN or infinite values")
    const d = fround(largest / 127)
    const id = inverse(d)
    view.setFloat32(at, id === 0 ? 0 : d, true)
    for (let j = 0; j < columns; j++) {
      const scaled = fround(values[x + j] * id)
      into[at + 4 + j] = scaled < 0 ? scaled - 0.5 : scaled + 0.5
    }
  }
}

// The value of largest magnitude gets q = 0, which lies one step further out than 15: d takes its sign, reversed.
function encodeInt4(values: Float32Array, into: Uint8Array): void {
  for (let x = 0, at = 0; x < values.length; x += groupSize, at += 18) {
    let largest = 0
    let extreme = 0
    let sum = 0
    for (let j = 0; j < groupSize; j++) {
      const value = values[x + j]
      const magnitude = Math.abs(value)
      if (magnitude > largest) {
        largest = magnitude
        extreme = value
      }
      sum += magnitude
    }
    const d = extreme / -8
    const id = inverse(d)
    writeHalf(Number.isNaN(sum) ? NaN : d, into, at)
    for (let j = 0; j < 16; j++) {
      const low = fround(fround(values[x + j] * id) + 8.5) | 0
      const high = fround(fround(values[x + j + 16] * id) + 8.5) | 0
      into[at + 2 + j] = (low > 15 ? 15 : low) | ((high > 15 ? 15 : high) << 4)
    }
  }
}

function encodeInt4Min(values: Float32Array, into: Uint8Array): void {
  for (let x = 0, at = 0; x < values.length; x += groupSize, at += 20) {
    let smallest = values[x]
    let largest = values[x]
    let sum = 0
    for (let j = 0; j < groupSize; j++) {
      const value = values[x + j]
      if (value < smallest) smallest = value
      if (value > largest) largest = value
      sum += Math.abs(value)
    }
    const d = fround(fround(largest - smallest) / 15)
    const id = inverse(d)
    writeHalf(Number.isNaN(sum) ? NaN : d, into, at)
    writeHalf(smallest, into, at + 2)
    for (let j = 0; j < 16; j++) {
      const low = fround(fround(fround(values[x + j] - smallest) * id) + 0.5) | 0
      const high = fround(fround(fround(values[x + j + 16] - smallest) * id) + 0.5) | 0
      into[at + 4 + j] = (low > 15 ? 15 : low) | ((high > 15 ? 15 : high) << 4)
    }
  }
}
