import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { convertRows, nearestKind } from "./convert.js"
import { decode, decodeRows } from "./decode.js"
import { encodeRows } from "./encode.js"
import { encodings, type Encoding } from "./encoding.js"
import { rowBytes, weightKinds, type WeightKind } from "./kind.js"

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../test/goldens/ggml-blocks/${name}`, import.meta.url)))

const columns = 256
const rows = 16
const source = new Float32Array(golden("source.f32").slice().buffer)

const decodeBlocks = (encoding: Encoding) => {
  const values = new Float32Array(rows * columns)
  decode(encoding, golden(`${encoding}.blocks`), values)
  return values
}

/** |a - b| / bound at its worst, with a bound per value. */
function worst(a: Float32Array, b: Float32Array, bound: (index: number) => number): number {
  let result = 0
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i] - b[i])
    if (error > 0) result = Math.max(result, error / bound(i))
  }
  return result
}

/** Largest magnitude, and largest minus smallest value, of the group of `size` values that holds `index`. */
function groupOf(values: Float32Array, index: number, size: number) {
  const group = values.subarray(index - (index % size), index - (index % size) + size)
  const largest = group.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
  return { largest, range: Math.max(...group) - Math.min(...group) }
}

const tiny = 2 ** -25

describe("encodeRows", () => {
  test.each([
    ["int8", "q8_0"],
    ["int4", "q4_0"],
    ["int4-min", "q4_1"],
    ["f16", "f16"],
    ["bf16", "bf16"],
  ] as const)("%s gives ggml's %s bytes", (kind, encoding) => {
    const bytes = new Uint8Array(rows * rowBytes(kind, columns))
    encodeRows(kind, source, columns, bytes)
    expect(Buffer.compare(bytes, golden(`${encoding}.blocks`))).toBe(0)
  })

  const bounds: Record<WeightKind, (index: number) => number> = {
    f32: () => 0,
    f16: (i) => Math.abs(source[i]) * 2 ** -11 + tiny,
    bf16: (i) => Math.abs(source[i]) * 2 ** -8,
    int8: (i) => groupOf(source, i, 32).largest * (1 / 254 + 2 ** -11) + 128 * tiny,
    "int8-channel": (i) => groupOf(source, i, columns).largest * (1 / 254 + 2 ** -20),
    int4: (i) => groupOf(source, i, 32).largest * (1 / 8 + 2 ** -11) + 8 * tiny,
    "int4-min": (i) => {
      const { largest, range } = groupOf(source, i, 32)
      return range / 30 + (largest + range) * 2 ** -11 + 16 * tiny
    },
  }
  test.each(weightKinds)("%s keeps its stated error, at odd addresses too", (kind) => {
    const bytes = new Uint8Array(rows * rowBytes(kind, columns) + 1).subarray(1)
    encodeRows(kind, source, columns, bytes)
    const back = new Float32Array(source.length)
    decodeRows(kind, bytes, columns, back)
    expect(worst(source, back, bounds[kind])).toBeLessThanOrEqual(1)
  })

  test("what cannot be held is refused", () => {
    const into = (kind: WeightKind) => new Uint8Array(rowBytes(kind, 32))
    for (const bad of [NaN, Infinity, -1e9])
      for (const kind of ["int8", "int4", "int4-min"] as const) {
        const values = new Float32Array(32).fill(0.5)
        values[7] = bad
        expect(() => encodeRows(kind, values, 32, into(kind))).toThrow(/cannot be quantized/)
      }
    expect(() =>
      encodeRows("int8-channel", new Float32Array([NaN]), 1, into("int8-channel").subarray(0, 5)),
    ).toThrow(/NaN/)
    expect(() => encodeRows("int4", new Float32Array(48), 48, new Uint8Array(27))).toThrow(/multiple of 32/)
    expect(() => encodeRows("int8", new Float32Array(64), 64, new Uint8Array(67))).toThrow(/68 bytes, got 67/)
    expect(() => decodeRows("bf16", new Uint8Array(6), 2, new Float32Array(3))).toThrow(/take/)
  })
})

describe("convertRows to the nearest kind", () => {
  const exact: readonly Encoding[] = ["f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q5_0", "iq4_nl"]
  const viaScales: readonly Encoding[] = ["q4_K", "iq4_xs"]
  const requantized: readonly Encoding[] = ["q5_1", "q2_K", "q3_K", "q5_K", "q6_K"]

  const through = (encoding: Encoding, kind: WeightKind) => {
    const bytes = new Uint8Array(rows * rowBytes(kind, columns))
    convertRows(encoding, golden(`${encoding}.blocks`), kind, columns, bytes)
    const values = new Float32Array(rows * columns)
    decodeRows(kind, bytes, columns, values)
    return values
  }

  test.each(exact)("%s loses nothing", (encoding) => {
    expect(worst(through(encoding, nearestKind(encoding)), decodeBlocks(encoding), () => tiny ** 3)).toBe(0)
  })

  test.each(viaScales)("%s moves by the rounding of its scales alone", (encoding) => {
    const values = decodeBlocks(encoding)
    // |d q| <= |w| + |m|, and |m| is at most the largest magnitude of a group that reaches its minimum.
    const bound = (i: number) => {
      const { largest, range } = groupOf(values, i, 32)
      return (2 * largest + range) * 2 ** -10 + 128 * tiny
    }
    const error = worst(through(encoding, nearestKind(encoding)), values, bound)
    expect(error).toBeLessThanOrEqual(1)
    expect(error).toBeGreaterThan(0)
  })

  test.each(requantized)("%s keeps the error of int8", (encoding) => {
    const values = decodeBlocks(encoding)
    const bound = (i: number) => groupOf(values, i, 32).largest * (1 / 254 + 2 ** -11) + 128 * tiny
    expect(worst(through(encoding, nearestKind(encoding)), values, bound)).toBeLessThanOrEqual(1)
  })

  test("every pair of a ggml encoding and a kind goes by its float32 values", () => {
    for (const encoding of encodings) {
      if (["f64", "i64", "i32", "i16", "i8", "u8", "bool"].includes(encoding)) continue
      const values = decodeBlocks(encoding)
      for (const kind of weightKinds) {
        if (nearestKind(encoding) === kind) continue
        const bytes = new Uint8Array(rows * rowBytes(kind, columns))
        encodeRows(kind, values, columns, bytes)
        const direct = new Uint8Array(bytes.length)
        convertRows(encoding, golden(`${encoding}.blocks`), kind, columns, direct)
        expect(Buffer.compare(direct, bytes), `${encoding} -> ${kind}`).toBe(0)
      }
    }
  })

  test("many rows are cut into chunks without a seam", () => {
    const count = 300
    const values = Float32Array.from({ length: count * 96 }, (_, i) => Math.sin(i) * (1 + (i % 7)))
    const bytes = new Uint8Array(values.buffer)
    const whole = new Uint8Array(count * rowBytes("int4", 96))
    convertRows("f32", bytes, "int4", 96, whole)
    const single = new Uint8Array(whole.length)
    encodeRows("int4", values, 96, single)
    expect(Buffer.compare(whole, single)).toBe(0)
  })

  test("integers are not weights, and sizes must fit", () => {
    expect(() => nearestKind("i32")).toThrow(/not a weight/)
    expect(() => convertRows("q4_K", new Uint8Array(144), "int8", 128, new Uint8Array(136))).toThrow(
      /multiple of 256/,
    )
    expect(() => convertRows("q4_0", new Uint8Array(18), "int8", 32, new Uint8Array(33))).toThrow(
      /34 bytes as int8/,
    )
  })
})
